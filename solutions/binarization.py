"""Simpler models by binarization: weights and activations that are only −1 or +1.

A sign has slope zero almost everywhere, so that nothing could be learned through it. The way out: go
forward with the sign, and backward as if it had not been there (the straight-through gradient).

Source: Courbariaux, Bengio & David (2015), "BinaryConnect"; Courbariaux, Hubara, Soudry, El-Yaniv & Bengio
(2016), "Binarized neural networks"; Rastegari, Ordonez, Redmon & Farhadi (2016), "XNOR-Net".
"""

import torch
from jaxtyping import Float
from torch import Generator, Tensor


def binarize_weights(w: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Use the sign of each weight, and let its gradient pass straight through to the real weight.

    Formula: forward w_b = +1 where w ≥ 0, −1 elsewhere; backward ∂L/∂w = ∂L/∂w_b.

    Returns a tensor shaped like w that holds only −1 and +1, and for 0 a +1; in the backward pass the gradient is not
    changed. w itself stays as it is.
    Source: Courbariaux et al. (2015), eq. 1 and algorithm 1.
    """
    signs = 2 * (w >= 0).to(w.dtype) - 1
    return signs + (w - w.detach())  # the second term is zero, and has the gradient of w


def stochastic_binarize(w: Float[Tensor, "*shape"], generator: Generator) -> Float[Tensor, "*shape"]:
    """Toss a coin for each weight, biased so that near −1 and +1 it is nearly certain, and right on
    average between.

    Formula: w_b = +1 with probability σ(w), else −1, with the hard sigmoid σ(w) = clip((w + 1)/2, 0, 1);
    backward ∂L/∂w = ∂L/∂w_b.

    generator: all random numbers come from here.
    Returns a tensor shaped like w that holds only −1 and +1; its mean over many tosses is clip(w, −1, 1).
    Source: Courbariaux et al. (2015), eq. 2 and 3.
    """
    probability = ((w + 1) / 2).clamp(0, 1)
    toss = torch.rand(w.shape, generator=generator).to(w)
    signs = 2 * (toss < probability).to(w.dtype) - 1
    return signs + (w - w.detach())


def binary_activation(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Let a cell answer only yes or no, and still be trainable while it is undecided.

    Formula: forward b = +1 where x ≥ 0, −1 elsewhere; backward ∂L/∂x = ∂L/∂b where |x| < 1, 0 where |x| > 1. At exactly
    −1 and +1, where the hard tanh has its kinks, either will do.

    Returns a tensor shaped like x that holds only −1 and +1, and for 0 a +1.
    Source: Courbariaux et al. (2016), eq. 4: the gradient of a sign as if it were the hard tanh. (Theirs passes at ±1.)
    """
    signs = 2 * (x >= 0).to(x.dtype) - 1
    undecided = torch.where(x.abs() <= 1, x, 0.0)
    return signs + (undecided - undecided.detach())


def scaled_binary(w: Float[Tensor, "cells incoming *kernel"]) -> Float[Tensor, "cells incoming *kernel"]:
    """Use signs times one real number per cell: the best approximation of that kind.

    Formula: α_j = mean of |w_j|, w_b = α_j · sign(w_j) with sign(0) = +1, for each cell j; it minimises
    ‖w_j − α b‖² over α and b ∈ {−1, +1}ⁿ. Backward ∂L/∂w = ∂L/∂w_b.

    w: a layer's weight as torch keeps it; the first axis counts the cells (rows, or filters), the others
    are averaged.
    Returns a tensor shaped like w.
    Raises ValueError when w has fewer than two axes.
    Source: Rastegari et al. (2016), eq. 6, with the gradient passed straight through.
    """
    if w.ndim < 2:
        raise ValueError(
            f"a layer's weight has at least two axes, the first for its cells; this one has {w.ndim}"
        )
    alpha = w.detach().abs().mean(dim=tuple(range(1, w.ndim)), keepdim=True)
    signs = 2 * (w >= 0).to(w.dtype) - 1
    return alpha * signs + (w - w.detach())


def binaryconnect_step(
    w: Float[Tensor, "*shape"], gradient: Float[Tensor, "*shape"], lr: float
) -> Float[Tensor, "*shape"]:
    """Update the real weight behind a binary one, and keep it where it can still change its mind.

    Formula: w ← clip(w − lr·∂L/∂w_b, −1, 1).

    w: the real weight, not its sign: small gradients must be able to add up.
    gradient: ∂L/∂w_b, taken at the binary weight.
    Returns the new real weight; w itself is not changed.
    Source: Courbariaux et al. (2015), algorithm 1, step 3, and section 2.4.
    """
    return (w - lr * gradient).clamp(-1, 1)
