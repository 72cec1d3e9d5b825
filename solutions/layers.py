"""Dense layers and convolutions, as relevance propagation takes them: with other weights, and merged with what follows."""

import copy
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

STABILIZER = 1e-6  # added to a denominator, away from zero, wherever a rule has no epsilon of its own

Layer = nn.Linear | _ConvNd
Rule = Callable[
    [Any, Tensor, Tensor], Tensor
]  # (layer, a, relevance of its outputs) → relevance of its inputs

TINY = 1e-20  # stands for an input of exactly zero where a rule gives relevance even to zeros: R = a·g needs a ≠ 0


def forward_with(
    layer: Layer, a: Float[Tensor, "batch *inputs"], weight: Tensor, bias: Tensor | None = None
) -> Float[Tensor, "batch *outputs"]:
    """What the layer would give with other weights: Σ_i a_i w_ij + b_j. Without a bias, Σ_i a_i w_ij."""
    if isinstance(layer, nn.Linear):
        return F.linear(a, weight, bias)
    if layer.transposed:
        apply = getattr(F, f"conv_transpose{weight.ndim - 2}d")
        return apply(
            a, weight, bias, layer.stride, layer.padding, layer.output_padding, layer.groups, layer.dilation
        )
    return layer._conv_forward(a, weight, bias)


def backward_with(
    layer: Layer, a: Float[Tensor, "batch *inputs"], weight: Tensor, s: Float[Tensor, "batch *outputs"]
) -> Float[Tensor, "batch *inputs"]:
    """The same connections, walked back: c_i = Σ_j w_ij s_j, of the shape of the layer's input a."""
    if isinstance(layer, nn.Linear):
        return s @ weight
    with torch.enable_grad():
        start = a.detach().requires_grad_()
        return torch.autograd.grad((forward_with(layer, start, weight) * s.detach()).sum(), start)[0]


def stabilized(z: Tensor, epsilon: float = STABILIZER) -> Tensor:
    """z + ε·sign(z), with sign(0) = +1."""
    return torch.where(z < 0, z - epsilon, z + epsilon)


def weighted_layers(model: nn.Module) -> list[tuple[str, Layer]]:
    """The dense and convolution layers of a model with their names: those that need a rule."""
    return [(name, layer) for name, layer in model.named_modules() if isinstance(layer, Layer)]


def merge_batchnorm(conv: Layer, bn: _BatchNorm) -> Layer:
    """One layer that does what a dense or convolution layer and the batch normalization behind it do together.

    γ (z − μ) / √(σ² + ε) + β  of  z = w·a + b   is   w' = w · γ/√(σ² + ε),   b' = (b − μ) · γ/√(σ² + ε) + β

    One factor per output channel; μ, σ², ε, γ, β are bn's running mean, running variance, eps, weight and bias
    (1 and 0 where it has none).

    conv: nn.Linear or a convolution, possibly without a bias. Returns a new layer of the same kind, in
    evaluation mode; both arguments stay as they are.
    Raises ValueError when bn keeps no running statistics, or has another number of channels.
    Source: Ioffe & Szegedy (2015), sec. 3.1; Hui & Binder (2019) on why LRP needs it.
    """
    mean, variance = bn.running_mean, bn.running_var
    if mean is None or variance is None:
        raise ValueError("This batch normalization keeps no running statistics: it depends on the batch.")
    if getattr(conv, "transposed", False) or len(conv.weight) != len(mean):
        raise ValueError(f"{bn} does not normalize the output channels of {conv}.")
    factor = torch.rsqrt(variance + bn.eps) * (1 if bn.weight is None else bn.weight)
    shift = (0 if conv.bias is None else conv.bias) - mean
    merged = copy.deepcopy(conv).eval()
    with torch.no_grad():
        merged.weight.copy_(conv.weight * factor.view(-1, *[1] * (conv.weight.ndim - 1)))
        merged.bias = nn.Parameter(shift * factor + (0 if bn.bias is None else bn.bias))
    return merged


def never_zero(t: Tensor) -> Tensor:
    """t, with TINY where it is zero: something to divide by."""
    return torch.where(t == 0, TINY, t)


class HandBack(torch.autograd.Function):
    """The value z that a layer gives for a; backwards, its rule: g = R / z comes from above, g = R / a goes on below."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, rule: Callable[[Tensor, Tensor], Tensor], z: Tensor) -> Tensor:
        ctx.rule, z = rule, never_zero(z)
        ctx.save_for_backward(a.clone(), z)  # the network may overwrite a
        return z.clone()

    @staticmethod
    def backward(ctx: Any, *g: Tensor) -> tuple[Tensor, None, None]:
        a, z = ctx.saved_tensors
        relevance = ctx.rule(a.detach(), z * g[0])
        if relevance.shape != a.shape:
            layer = ctx.rule.args[0]
            raise ValueError(
                f"The rule for {layer} returned {tuple(relevance.shape)} for inputs {tuple(a.shape)}."
            )
        return relevance / never_zero(a), None, None
