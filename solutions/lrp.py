"""Layer-wise relevance propagation: f(x) handed back from layer to layer, until every pixel has its share.

A *rule* says how one dense or convolution layer hands its relevance back: ``rule(layer, a, relevance) → relevance``,
from R_j of its outputs to R_i of its inputs a_i. A *composite* is a mapping from names of layers to rules. The rules
below are the formulas; ``lrp`` runs them through any network.

Throughout, z_ij = a_i w_ij is what input i contributes to output j, and w⁺ = max(0, w), w⁻ = min(0, w).
"""

import copy
import sys
from collections.abc import Callable, Mapping, Set
from functools import partial
from types import FrameType
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.overrides import TorchFunctionMode

from solutions.filters import evaluation_mode
from solutions.sensitivity import input_gradient

STABILIZER = 1e-6  # added to a denominator, away from zero, wherever a rule has no epsilon of its own

Layer = nn.Linear | _ConvNd
Rule = Callable[[Any, Tensor, Tensor], Tensor]


# --- what a layer would do with other weights: the two halves of every rule ---


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
    return torch.copysign(z.new_full((), epsilon), z).add_(z)


# --- the rules ---


def epsilon_rule(
    layer: Layer,
    a: Float[Tensor, "batch *inputs"],
    relevance: Float[Tensor, "batch *outputs"],
    epsilon: float = STABILIZER,
) -> Float[Tensor, "batch *inputs"]:
    """Relevance goes to each input in proportion to what it contributed to the output.

    R_i = Σ_j z_ij / (z_j + ε·sign(z_j)) · R_j,    z_ij = a_i w_ij,    z_j = Σ_i z_ij + b_j,    sign(0) = +1

    The bias takes part in z_j and keeps its share: it is no input, so nothing is handed back for it. ε only keeps
    the quotient finite; the larger it is, the more relevance it swallows where z_j is small.

    layer: nn.Linear or a convolution. a: its inputs. relevance: R_j of its outputs. Returns R_i, shaped like a.
    Source: Bach, Binder, Montavon, Klauschen, Müller & Samek (2015), eq. 56 and 58.
    """
    z = forward_with(layer, a, layer.weight, layer.bias)
    s = relevance / (z + epsilon * torch.where(z < 0, -1, 1))
    return a * backward_with(layer, a, layer.weight, s)


def gamma_rule(
    layer: Layer,
    a: Float[Tensor, "batch *inputs"],
    relevance: Float[Tensor, "batch *outputs"],
    gamma: float = 0.25,
) -> Float[Tensor, "batch *inputs"]:
    """Like the plain rule, but what speaks for the output counts 1 + γ times: fewer contradictions, a calmer map.

    R_i = Σ_j a_i (w_ij + γ w⁺_ij) / ( Σ_i' a_i' (w_i'j + γ w⁺_i'j) + b_j + γ b⁺_j ) · R_j

    The denominator is kept off zero by 10⁻⁶, added with its own sign, sign(0) = +1. γ = 0 is the plain rule;
    as γ → ∞ only w⁺ counts. Meant for inputs a ≥ 0, as they come out of a ReLU.

    layer: nn.Linear or a convolution. a: its inputs. relevance: R_j of its outputs. Returns R_i, shaped like a.
    Source: Montavon, Binder, Lapuschkin, Samek & Müller (2019), sec. 10.2.1.
    """
    weight = layer.weight + gamma * layer.weight.clamp(min=0)
    bias = None if layer.bias is None else layer.bias + gamma * layer.bias.clamp(min=0)
    s = relevance / stabilized(forward_with(layer, a, weight, bias))
    return a * backward_with(layer, a, weight, s)


def z_plus_rule(
    layer: Layer, a: Float[Tensor, "batch *inputs"], relevance: Float[Tensor, "batch *outputs"]
) -> Float[Tensor, "batch *inputs"]:
    """Relevance goes only to the inputs that spoke for the output; nobody receives a negative share.

    R_i = Σ_j z⁺_ij / (Σ_i' z⁺_i'j + b⁺_j) · R_j,    z⁺_ij = max(0, a_i w_ij) = a⁺_i w⁺_ij + a⁻_i w⁻_ij

    The denominator is kept off zero by 10⁻⁶. Inputs may be negative: a negative input times a negative weight
    speaks for the output, too.

    layer: nn.Linear or a convolution. a: its inputs. relevance: R_j of its outputs. Returns R_i, shaped like a.
    Source: Bach et al. (2015), eq. 60 with α = 1, β = 0; Montavon, Lapuschkin, Binder, Samek & Müller (2017), sec. 4.2.
    """
    a_plus, a_minus = a.clamp(min=0), a.clamp(max=0)
    w_plus, w_minus = layer.weight.clamp(min=0), layer.weight.clamp(max=0)
    b_plus = None if layer.bias is None else layer.bias.clamp(min=0)
    z = forward_with(layer, a_plus, w_plus, b_plus) + forward_with(layer, a_minus, w_minus)
    s = relevance / stabilized(z)
    return a_plus * backward_with(layer, a, w_plus, s) + a_minus * backward_with(layer, a, w_minus, s)


def alpha_beta_rule(
    layer: Layer,
    a: Float[Tensor, "batch *inputs"],
    relevance: Float[Tensor, "batch *outputs"],
    alpha: float = 2.0,
    beta: float = 1.0,
) -> Float[Tensor, "batch *inputs"]:
    """What spoke for the output and what spoke against it are shared out apart, α times the one minus β times the other.

    R_i = Σ_j ( α · z⁺_ij / (Σ_i' z⁺_i'j + b⁺_j) − β · z⁻_ij / (Σ_i' z⁻_i'j + b⁻_j) ) · R_j

    z⁺_ij = max(0, a_i w_ij) and z⁻_ij = min(0, a_i w_ij). Denominators are kept off zero by 10⁻⁶, added with
    their own sign (sign(0) = +1). α − β = 1 keeps the sum.

    layer: nn.Linear or a convolution. a: its inputs. relevance: R_j of its outputs. Returns R_i, shaped like a.
    Raises ValueError unless α − β = 1 and β ≥ 0.
    Source: Bach et al. (2015), eq. 60.
    """
    if abs(alpha - beta - 1) > 1e-9 or beta < 0:
        raise ValueError(
            f"alpha − beta must be 1 with beta ≥ 0, not {alpha} − {beta}: the sum would not be kept."
        )
    a_plus, a_minus = a.clamp(min=0), a.clamp(max=0)
    w_plus, w_minus = layer.weight.clamp(min=0), layer.weight.clamp(max=0)
    bias = layer.bias
    b_plus, b_minus = (None, None) if bias is None else (bias.clamp(min=0), bias.clamp(max=0))

    def shares(w: Tensor, v: Tensor, b: Tensor | None) -> Tensor:  # of z = Σ (a⁺w + a⁻v) + b
        z = forward_with(layer, a_plus, w, b) + forward_with(layer, a_minus, v)
        s = relevance / stabilized(z)
        return a_plus * backward_with(layer, a, w, s) + a_minus * backward_with(layer, a, v, s)

    return alpha * shares(w_plus, w_minus, b_plus) - beta * shares(w_minus, w_plus, b_minus)


def w_square_rule(
    layer: Layer, a: Float[Tensor, "batch *inputs"], relevance: Float[Tensor, "batch *outputs"]
) -> Float[Tensor, "batch *inputs"]:
    """Relevance goes to each input by the square of its weight alone, whatever the input's value.

    R_i = Σ_j w²_ij / (Σ_i' w²_i'j + b²_j) · R_j

    For a first layer whose inputs may be any real number, so that a zero is not "nothing". The denominator is kept off
    zero by 10⁻⁶. At a border, only the weights that reach real inputs count.

    layer: nn.Linear or a convolution. a: its inputs; only their shape matters. relevance: R_j of its outputs.
    Returns R_i, shaped like a.
    Source: Montavon, Lapuschkin, Binder, Samek & Müller (2017), sec. 4.1, "w²-rule"; b² is not in the paper.
    """
    squares = layer.weight.square()
    z = forward_with(layer, torch.ones_like(a), squares, None if layer.bias is None else layer.bias.square())
    return backward_with(layer, a, squares, relevance / stabilized(z))


def z_box_rule(
    layer: Layer,
    a: Float[Tensor, "batch *inputs"],
    relevance: Float[Tensor, "batch *outputs"],
    low: Tensor | float,
    high: Tensor | float,
) -> Float[Tensor, "batch *inputs"]:
    """For pixels: what counts is how far a pixel is from the extreme that would have spoken least for the output.

    R_i = Σ_j n_ij / Σ_i' n_i'j · R_j,    n_ij = a_i w_ij − l_i w⁺_ij − h_i w⁻_ij

    As l_i ≤ a_i ≤ h_i, no n_ij is negative. A black pixel can be relevant, too: it could have been white.
    The bias takes no part. The denominator is kept off zero by 10⁻⁶, added with its own sign (sign(0) = +1).

    layer: nn.Linear or a convolution that sees the pixels. a: the pixels. relevance: R_j of its outputs.
    low, high: l and h, numbers or tensors that fit a, e.g. (1, channels, 1, 1) for one range per colour.
    Returns R_i, shaped like a.
    Source: Montavon, Lapuschkin, Binder, Samek & Müller (2017), sec. 4.2, "z^B-rule".
    """
    above, below = a - torch.as_tensor(low).to(a), a - torch.as_tensor(high).to(a)
    w_plus, w_minus = layer.weight.clamp(min=0), layer.weight.clamp(max=0)
    z = forward_with(layer, above, w_plus) + forward_with(layer, below, w_minus)
    s = relevance / stabilized(z)
    return above * backward_with(layer, a, w_plus, s) + below * backward_with(layer, a, w_minus, s)


# --- the whole network ---


def hand_back(layer: nn.Module, a: Tensor, relevance: Tensor) -> Tensor:
    """What a layer without weights does with relevance, for propagation layer by layer.

    ReLU and dropout leave it unchanged, flatten reshapes it, max pooling gives it to the maximum of each window,
    average pooling shares it like the ε rule.
    """
    if isinstance(layer, nn.ReLU | nn.Dropout | nn.Identity | nn.Flatten):
        return relevance.reshape(a.shape)
    if not isinstance(layer, nn.MaxPool2d | nn.AvgPool2d | nn.AdaptiveAvgPool2d):
        raise ValueError(
            f"There is no way to hand relevance back through {layer}. "
            "A batch normalization must be merged into the layer before it; branches are no chain of layers."
        )
    with torch.enable_grad():
        start = a.detach().requires_grad_()
        z = layer(start)
        if isinstance(layer, nn.MaxPool2d):
            return torch.autograd.grad((z * relevance).sum(), start)[0]
        s = relevance / stabilized(z.detach())
        return a * torch.autograd.grad((z * s).sum(), start)[0]


def relevance_by_layer(
    model: nn.Sequential,
    x: Float[Tensor, "batch *image"],
    target: Int[Tensor, " batch"] | int | None = None,
    rules: Rule | Mapping[str, Rule] = epsilon_rule,
) -> list[Tensor]:
    """Hand the target's logit back through a chain of layers, and keep what each layer's inputs receive.

    R(output) = logit of the target at its place, 0 elsewhere;  then from the last layer to the first

        dense, convolution     R ← rule(layer, a, R),     a = what went into the layer for this x
        any other              R ← hand_back(layer, a, R)

    model: layers in a row, ending in logits (batch, classes). target: a class for all images, one per image, or
    None for the class that the model sees in each. rules: one rule for all layers, or a mapping from their names
    to rules; a rule is called as rule(layer, a, relevance).
    Returns len(model) + 1 tensors: the pixels' relevance, shaped like x, then that of each layer's outputs; the last one
    is R(output). Each carries no history. Raises ValueError for a model that is no chain; ``lrp`` takes those, too.
    Source: Bach, Binder, Montavon, Klauschen, Müller & Samek (2015), sec. 2.
    """
    if not isinstance(model, nn.Sequential):
        raise ValueError(f"{type(model).__name__} is no chain of layers (nn.Sequential); lrp can explain it.")
    inputs = [x]
    with torch.no_grad(), evaluation_mode(model):
        for layer in model:
            inputs.append(layer(inputs[-1].clone()))  # a copy: a layer may work in place
        logits = inputs.pop()
        target = logits.argmax(dim=1) if target is None else torch.as_tensor(target, device=logits.device)
        relevances = [logits * F.one_hot(target.expand(len(logits)), logits.shape[1])]
        for (name, layer), a in reversed(list(zip(model._modules.items(), inputs, strict=True))):
            if isinstance(layer, Layer):
                rule = rules[name] if isinstance(rules, Mapping) else rules
                relevances.append(rule(layer, a, relevances[-1]).detach())
            else:
                relevances.append(hand_back(layer, a, relevances[-1]).detach())
    return relevances[::-1]


def lrp(
    model: nn.Module,
    x: Float[Tensor, "batch *image"],
    target: Int[Tensor, " batch"] | int | None = None,
    rules: Rule | Mapping[str, Rule] = epsilon_rule,
) -> Float[Tensor, "batch *image"]:
    """Hand the target's logit back through the whole network: what each pixel has contributed to it.

    R(output) = logit of the target at its place, 0 elsewhere;  then from the last layer to the first

        dense, convolution     R ← rule(layer, a, R),  a = the layer's inputs for this x
        activations, dropout   R unchanged
        flatten                R, reshaped
        max pooling            each R to the place of its window's maximum
        average pooling        like a dense layer with equal weights under the ε rule

    so that Σ_i R_i = f(x), up to what biases and ε keep back.

    model: maps (batch, …) to logits (batch, classes); looked at in evaluation mode and left as it was. Residual sums are
    linear layers, too; batch normalization right behind a layer is merged into it (``merge_batchnorm``).
    target: one class per image, or None for the class that the model sees in each.
    rules: one rule for all dense and convolution layers, or a mapping from their names to rules; a rule is
    called as rule(layer, a, relevance), such as ``functools.partial(gamma_rule, gamma=0.1)``.
    Returns one map per image, shaped like x, in units of the logit.
    Raises ValueError, naming the layer, where no rule is given or the network does what no rule describes.
    Source: Bach et al. (2015), sec. 2; Montavon et al. (2019), sec. 10.2 and 10.3.
    """
    network = _Propagation(model, rules)
    relevance = network.input_times_gradient(x, target)
    if network.dead_units_matter:
        network = _Propagation(model, rules, keep_dead=True)
        relevance = network.input_times_gradient(x, target)
    return relevance


def epsilon_composite(model: nn.Module, epsilon: float = STABILIZER) -> dict[str, Rule]:
    """The ε rule for every dense and convolution layer of the model, by name."""
    return {name: partial(epsilon_rule, epsilon=epsilon) for name, _ in weighted_layers(model)}


def epsilon_plus(model: nn.Module, epsilon: float = STABILIZER) -> dict[str, Rule]:
    """The z⁺ rule for convolutions, the ε rule for dense layers: the simplest composite that gives calm maps."""
    return {
        name: partial(epsilon_rule, epsilon=epsilon) if isinstance(layer, nn.Linear) else z_plus_rule
        for name, layer in weighted_layers(model)
    }


def epsilon_gamma_box(
    model: nn.Module,
    low: Tensor | float,
    high: Tensor | float,
    epsilon: float = STABILIZER,
    gamma: float = 0.25,
) -> dict[str, Rule]:
    """Each layer the rule that suits it: zᴮ for the convolution that sees pixels, γ for the others, ε for dense layers.

    Close to the output few units decide and all of their parts matter (ε); in the convolutions many units
    contradict each other, and favouring agreement calms the map (γ); pixels have bounds (zᴮ).

    model: its dense and convolution layers, in the order of ``model.named_modules()``; the first convolution sees the pixels.
    low, high: bounds of a pixel, numbers or tensors. Returns {name of the layer: rule}, each rule a
    ``functools.partial`` that wants only (layer, a, relevance).
    Source: Montavon, Binder, Lapuschkin, Samek & Müller (2019), sec. 10.3.
    """
    rules: dict[str, Rule] = {}
    pixels_seen = False
    for name, layer in weighted_layers(model):
        if isinstance(layer, nn.Linear):
            rules[name] = partial(epsilon_rule, epsilon=epsilon)
        elif pixels_seen:
            rules[name] = partial(gamma_rule, gamma=gamma)
        else:
            rules[name] = partial(z_box_rule, low=low, high=high)
            pixels_seen = True
    return rules


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


# --- how ``lrp`` runs the rules through any network ---
#
# Instead of walking back layer by layer, let every layer give the value z that it always gives, but the gradient
#
#     dz := z / (q + ε·sign(q)) · dq,    q = what the layer's rule has in the denominator (ε: z itself; γ: z with w + γw⁺)
#
# With g the gradient so defined, a·g of a layer's input is exactly its relevance: input × gradient is LRP. What comes between
# the layers (ReLU, pooling, sums of branches, a layer used twice) has Σ a·∂z/∂a = z by itself, and needs no code at all.
# Rules without such a q are called as they are and give R; then g = R / a.

TINY = 1e-20  # stands for an input of exactly zero where a rule gives relevance even to zeros: R = a·g needs a ≠ 0

_DENOMINATORS: dict[Callable[..., Tensor], Callable[..., Tensor]] = {
    epsilon_rule: lambda apply, a, w, b, epsilon=STABILIZER: apply(a, w, b),
    gamma_rule: lambda apply, a, w, b, gamma=0.25: apply(
        a, w + gamma * w.clamp(min=0), None if b is None else b + gamma * b.clamp(min=0)
    ),
    z_plus_rule: lambda apply, a, w, b: _agreeing(apply, a, w, b),
    z_box_rule: lambda apply, a, w, b, low, high: apply(
        _AboveAndBelow.apply(a, low, high), torch.cat([w.clamp(min=0), w.clamp(max=0)], dim=1), None
    ),
}

# Rules that give nothing to an input of zero.
_PROPORTIONAL = {epsilon_rule, gamma_rule, z_plus_rule, alpha_beta_rule}


def _agreeing(apply: Callable[..., Tensor], a: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    q = apply(a.clamp(min=0), w.clamp(min=0), None if b is None else b.clamp(min=0))
    return q + apply(a.clamp(max=0), w.clamp(max=0), None) if (a < 0).any() else q


_LAYER_FUNCTIONS = {
    F.linear, torch.conv1d, torch.conv2d, torch.conv3d,
    torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d,
}  # fmt: skip

# Activation functions that do not keep Σ a·∂z/∂a = z; relevance passes through them unchanged (Bach et al., sec. 2.4).
_ACTIVATIONS = {
    "relu6", "elu", "selu", "celu", "gelu", "silu", "mish", "hardswish", "hardtanh", "softplus", "sigmoid",
    "tanh", "softsign",
}  # fmt: skip

# Steps of autograd's graph that keep Σ a·∂z/∂a = z: they move values around, choose some or scale them …
_MOVES = {
    "View", "Reshape", "ReshapeAlias", "UnsafeView", "Squeeze", "Unsqueeze", "Permute", "Transpose", "T",
    "Expand", "Repeat", "Flip", "Roll", "Clone", "Copy", "ToCopy", "Alias", "AsStrided", "Diagonal", "Cat",
    "Stack", "Split", "SplitWithSizes", "UnsafeSplit", "Unbind", "Select", "Slice", "Index", "IndexSelect",
    "Unfold", "PixelShuffle", "PixelUnshuffle", "Sort", "Topk", "ConstantPadNd", "ReflectionPad1D",
    "ReflectionPad2D", "ReplicationPad1D", "ReplicationPad2D", "UpsampleBilinear2D", "UpsampleNearest2D",
    "MaxPool2DWithIndices", "MaxPool3DWithIndices", "AdaptiveMaxPool2D", "AdaptiveMaxPool3D", "Max", "Amax",
    "Relu", "LeakyRelu", "PreluKernel", "Neg", "Mul", "Div", "torch::autograd::AccumulateGrad",
    "torch::autograd::Copy",
}  # fmt: skip
# … and those that do so because they are linear: they follow the ε rule.
_SUMS = {
    "Add", "Sub", "Sum", "Mean", "AvgPool2D", "AvgPool3D", "AdaptiveAvgPool2D", "AdaptiveAvgPool3D",
    "MkldnnAdaptiveAvgPool2D",
}  # fmt: skip
_KNOWN = _MOVES | _SUMS

# The graph does not say what was written into a part of a tensor: fine when one of these functions has done it.
_WRITERS = {"__setitem__", "copy_", "zero_", "fill_", "relu", "relu_", "add_", "sub_", "pad"}
_WRITTEN = _KNOWN | {"torch::autograd::CopySlices"}


class _Propagation(TorchFunctionMode):
    """The model as a function of x whose gradient, times x, is relevance. Touches no module: it watches the calls."""

    def __init__(self, model: nn.Module, rules: Rule | Mapping[str, Rule], keep_dead: bool = False) -> None:
        super().__init__()
        self.model, self.rules, self.keep_dead = model, rules, keep_dead
        self.given = list(rules.values()) if isinstance(rules, Mapping) else [rules]
        epsilons = [_parts(rule)[1].get("epsilon", STABILIZER) for rule in self.given]
        self.epsilon = min([STABILIZER, *epsilons])  # for sums and averages
        self.owners: dict[int, list[tuple[str, Layer]]] = {}
        for name, layer in weighted_layers(model):
            self.owners.setdefault(id(layer.weight), []).append((name, layer))
        self.dead_units_matter = False

    def input_times_gradient(self, x: Tensor, target: Tensor | int | None) -> Tensor:
        x = x.detach()
        if not all(_parts(rule)[0] in _PROPORTIONAL for rule in self.given):
            x = _never_zero(x)
        return x * input_gradient(self._run, x, target)

    def _run(self, x: Tensor) -> Tensor:
        self.pixels = x
        self.follows_x: dict[Node | None, bool] = {x.grad_fn: True, None: False}
        self.latest: tuple[Any, ...] = (None,) * 6
        with evaluation_mode(self.model), self:
            logits = self.model(x)
        self._admit(logits.grad_fn)  # whatever came about unseen, as in a scripted layer
        return logits

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        step: Any = None
        if func in _LAYER_FUNCTIONS:
            step = self._layer
        elif func is F.batch_norm:
            step = self._merged
        elif name.rstrip("_") in _ACTIVATIONS or (name.rstrip("_") == "relu" and self.keep_dead):
            step = self._activation
        if step is not None and self._admit((args[0] if args else kwargs["input"]).grad_fn):
            return step(func, *args, **kwargs)
        result = func(*args, **kwargs)
        written = args[0] if name == "__setitem__" else result
        for part in (
            (written,) if isinstance(written, Tensor) else written if isinstance(written, tuple) else ()
        ):
            if isinstance(part, Tensor) and part.grad_fn not in self.follows_x:
                self._examine(part, _WRITTEN if name in _WRITERS else _KNOWN)
        return result

    # the steps of a network that depend on x, one method each

    def _layer(
        self, func: Any, input: Tensor, weight: Tensor, bias: Tensor | None = None, *rest: Any, **more: Any
    ) -> Tensor:
        """A dense or convolution layer: its rule decides."""
        owners = self.owners.get(id(weight))
        if owners is None:
            raise self._refusal(
                f"{func.__name__} with a weight that belongs to no dense or convolution layer"
            )
        if not torch.is_grad_enabled():
            raise self._refusal("a layer under torch.no_grad(), through which nothing comes back")
        call, rule = _Call(func, rest, more), self._rule([name for name, _ in owners])
        layers = [
            layer for _, layer in owners if layer.bias is bias
        ]  # those that share a weight may differ in it
        layer = layers[0] if layers else None
        if len(layers) > 1:
            layer = next((each for each in layers if call.fits(each)), layer)
        result = self._ruled(call, input, layer, weight, bias, rule)
        self.latest = (result, result.grad_fn, call, input, layer, rule)
        return result

    def _merged(self, func: Any, input: Tensor, mean: Tensor | None, *args: Any, **kwargs: Any) -> Tensor:
        """A batch normalization: one layer together with the one before it."""
        result, node, call, a, layer, rule = self.latest
        norms = (part for part in self.model.modules() if isinstance(part, _BatchNorm))
        bn = next((norm for norm in norms if mean is not None and norm.running_mean is mean), None)
        if input is not result or input.grad_fn is not node or bn is None or layer is None:
            raise self._refusal(
                "a batch normalization that does not directly follow a dense or convolution layer"
            )
        layer = merge_batchnorm(layer, bn)
        return self._ruled(call, a, layer, layer.weight, layer.bias, rule)

    def _ruled(
        self, call: "_Call", a: Tensor, layer: Layer | None, weight: Tensor, bias: Tensor | None, rule: Rule
    ) -> Tensor:
        """The layer's own value, and the gradient that makes its rule true."""
        weight, bias = weight.detach(), None if bias is None else bias.detach()
        function, options = _parts(rule)
        simple = function is not z_box_rule or (
            isinstance(layer, _ConvNd) and layer.groups == 1 and not layer.transposed
        )
        if function not in _PROPORTIONAL and a is not self.pixels:
            self.dead_units_matter = True
        if function in _DENOMINATORS and simple:
            q = _DENOMINATORS[function](call, a, weight, bias, **options)
            if function is epsilon_rule:
                share = _share(q, options.get("epsilon", STABILIZER))
            else:
                z = call(a.detach(), weight, bias)
                share = z / stabilized(q.detach())
                q.data = z.data
            q.register_hook(lambda g: g * share)
        else:
            if layer is None or not call.fits(layer):
                raise self._refusal(
                    "a layer whose function is not called as the layer would, which only ε, γ and z⁺ can treat"
                )
            q = _HandBack.apply(a, partial(rule, layer), call(a.detach(), weight, bias))
        self.follows_x[q.grad_fn] = True
        return q

    def _activation(self, func: Any, input: Tensor, *rest: Any, **more: Any) -> Tensor:
        """An activation function: relevance passes through it unchanged."""
        before = input.detach().clone()
        value = func(before, *rest, **more)
        in_place = value.data_ptr() == before.data_ptr()
        result = _PassOn.apply(input.clone() if in_place else input, value, self.keep_dead)
        self.follows_x[result.grad_fn] = True
        if in_place:
            result = input.copy_(result)
            self._admit(result.grad_fn, _WRITTEN)
        return result

    def _examine(self, result: Tensor, known: Set[str]) -> None:
        """Any other step: fine if it keeps Σ a·∂z/∂a = z; sums and averages follow the ε rule; else refused."""
        kinds: set[str] = set()
        if self._admit(result.grad_fn, known, kinds) and kinds & _SUMS:
            share = _share(result, self.epsilon)
            result.register_hook(lambda g: g * share)

    def _admit(self, node: Node | None, known: Set[str] = _KNOWN, kinds: set[str] | None = None) -> bool:
        """Whether a step of the graph depends on x; collects the kinds of the new ones that do."""
        if node is not None and node not in self.follows_x:
            sources = [self._admit(before, known, kinds) for before, _ in node.next_functions]
            self.follows_x[node] = any(sources)
            if any(sources):
                kind = node.name().partition("Backward")[0]
                if kind not in known:
                    raise self._refusal(f"the step {node.name()}")
                if (kind == "Mul" and all(sources)) or (kind == "Div" and sources[1]):
                    raise self._refusal("a product or quotient of two things that both depend on the input")
                if kinds is not None:
                    kinds.add(kind)
        return self.follows_x[node]

    def _rule(self, names: list[str]) -> Rule:
        if not isinstance(self.rules, Mapping):
            return self.rules
        for name in names:
            if name not in self.rules:
                raise ValueError(
                    f"There is no rule for layer {name!r}; there is one for {', '.join(self.rules)}."
                )
        if any(_parts(self.rules[name]) != _parts(self.rules[names[0]]) for name in names):
            raise ValueError(f"The layers {', '.join(names)} share one weight: give them the same rule.")
        return self.rules[names[0]]

    def _refusal(self, what: str) -> ValueError:
        """An error that names the layer whose forward pass is under way."""
        names = {id(module): name for name, module in self.model.named_modules()}
        frame: FrameType | None = sys._getframe()
        while frame is not None and id(frame.f_locals.get("self")) not in names:
            frame = frame.f_back
        name = names[id(frame.f_locals["self"])] if frame is not None else ""
        where = f"Layer {name!r}" if name else "The model itself"
        return ValueError(f"{where}: LRP has no rule for {what}. Explain this network by gradients instead.")


class _Call(NamedTuple):
    """How a network calls a layer's function: with all that follows after weight and bias."""

    func: Callable[..., Tensor]
    rest: tuple[Any, ...]
    more: dict[str, Any]

    def __call__(self, a: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
        return self.func(a, w, b, *self.rest, **self.more)

    def fits(self, layer: Layer) -> bool:
        """Whether the layer itself would call so; a convolution that pads otherwise than with zeros does not."""
        if isinstance(layer, nn.Linear):
            own: tuple[Any, ...] = ()
        elif layer.transposed:
            own = (layer.stride, layer.padding, layer.output_padding, layer.groups, layer.dilation)
        else:
            own = (layer.stride, layer.padding, layer.dilation, layer.groups)
        return (*self.rest, *self.more.values()) == own


class _HandBack(torch.autograd.Function):
    """A layer's value z; backwards, a rule as it stands, between g = R / z above and g = R / a below."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, rule: Callable[[Tensor, Tensor], Tensor], z: Tensor) -> Tensor:
        ctx.rule, z = rule, _never_zero(z)
        ctx.save_for_backward(a, z)
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
        return relevance / _never_zero(a), None, None


class _AboveAndBelow(torch.autograd.Function):
    """The two inputs of the box rule, a − l for w⁺ and a − h for w⁻, side by side; backwards, the sum of their relevance."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, low: Tensor | float, high: Tensor | float) -> Tensor:
        both = torch.cat([a - torch.as_tensor(low).to(a), a - torch.as_tensor(high).to(a)], dim=1)
        ctx.save_for_backward(a, both)
        return both

    @staticmethod
    def backward(ctx: Any, *g: Tensor) -> tuple[Tensor, None, None]:
        a, both = ctx.saved_tensors
        above, below = (both * g[0]).chunk(2, dim=1)
        return (above + below) / _never_zero(a), None, None


class _PassOn(torch.autograd.Function):
    """An activation's value a = f(z); backwards g = R / a above becomes g = R / z below, with the same R."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, value: Tensor, keep_dead: bool) -> Tensor:
        value = _never_zero(value) if keep_dead else value.clone()
        ctx.save_for_backward(value / _never_zero(z))
        return value

    @staticmethod
    def backward(ctx: Any, *g: Tensor) -> tuple[Tensor, None, None]:
        return g[0] * ctx.saved_tensors[0], None, None


def _share(z: Tensor, epsilon: float) -> Tensor:
    """z / (z + ε·sign(z)): how much of its relevance an output hands back under the ε rule."""
    size = z.detach().abs()
    return size / (size + epsilon)


def _never_zero(t: Tensor) -> Tensor:
    return torch.where(t == 0, TINY, t)


def _parts(rule: Rule) -> tuple[Any, dict[str, Any]]:
    """A rule's function and its options; a function of its own, when it is no partial with options by name."""
    if isinstance(rule, partial) and not rule.args:
        return rule.func, rule.keywords
    return rule, {}
