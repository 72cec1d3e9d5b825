"""The quick ways by which ``lrp_any_network`` takes the known rules through a network, with the same result.

A rule whose relevance is a·∂q/∂a · R/q for one q need not be called: q, what the rule has in its denominator, becomes part of
the forward pass, and autograd walks back. The γ rule has two of them, for z > 0 and z < 0; which are needed is known on the
way back only, and behind a ReLU one is enough.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from solutions.layers import STABILIZER, never_zero, stabilized


class Shortcut(NamedTuple):
    """How a rule that is known here takes part in the forward pass, instead of being called.

    denominator: (call, a, w, b, **options of the rule) → q, what the rule divides by. sides: (w, b, **options) → what it
    divides by where z is positive and where it is negative. Neither: the rule is called. proportional: whether an input
    of zero gets nothing.
    """

    denominator: Callable[..., Tensor] | None = None
    sides: Callable[..., tuple["Side", "Side"]] | None = None
    proportional: bool = True


class Side(NamedTuple):
    """One denominator, q = Σ (a⁺w + a⁻v) + b, for the units with sign·z > 0."""

    sign: int
    w: Tensor
    v: Tensor
    b: Tensor | None


def _agreeing(apply: Callable[..., Tensor], a: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    """What speaks for the output: a⁺w⁺ + a⁻w⁻ + b⁺."""
    q = apply(a.clamp(min=0), w.clamp(min=0), None if b is None else b.clamp(min=0))
    return q + apply(a.clamp(max=0), w.clamp(max=0), None) if (a < 0).any() else q


def _two_sides(w: Tensor, b: Tensor | None, gamma: float = 0.25) -> tuple[Side, Side]:
    """Where z > 0, what is positive counts 1 + γ times; where z < 0, what is negative does."""
    plus, minus = w + gamma * w.clamp(min=0), w + gamma * w.clamp(max=0)
    b_plus, b_minus = (None, None) if b is None else (b + gamma * b.clamp(min=0), b + gamma * b.clamp(max=0))
    return Side(1, plus, minus, b_plus), Side(-1, minus, plus, b_minus)


class HandBackOnSides(torch.autograd.Function):
    """The value z that a layer gives for a; backwards g = R / z becomes Σ over the sides of ∂q/∂a · R/q."""

    @staticmethod
    def forward(
        ctx: Any, a: Tensor, call: Callable[..., Tensor], sides: tuple[Side, Side], z: Tensor
    ) -> Tensor:
        ctx.call, ctx.sides = call, sides
        ctx.save_for_backward(a.clone(), z)  # the network may overwrite a
        return z.clone()

    @staticmethod
    def backward(ctx: Any, *g: Tensor) -> tuple[Tensor, None, None, None]:
        a, z = ctx.saved_tensors
        below, negative = torch.zeros_like(a), bool((a < 0).any())
        for sign, w, v, b in ctx.sides:
            relevance = torch.where(sign * z > 0, z * g[0], 0)
            if not relevance.any():
                continue
            with torch.enable_grad():
                a = a.detach().requires_grad_()
                q = ctx.call(torch.where(a < 0, 0, a) if negative else a, w, b)
                q = q + ctx.call(torch.where(a < 0, a, 0), v, None) if negative else q
            below += torch.autograd.grad(q, a, relevance / stabilized(q.detach()))[0]
        return below, None, None, None


def _above_and_below(
    apply: Callable[..., Tensor],
    a: Tensor,
    w: Tensor,
    b: Tensor | None,
    low: Tensor | float,
    high: Tensor | float,
) -> Tensor:
    halves = torch.cat([w.clamp(min=0), w.clamp(max=0)], dim=1)
    return apply(_AboveAndBelow.apply(a, low, high), halves, None)


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
        return (above + below) / never_zero(a), None, None


EPSILON = Shortcut(lambda apply, a, w, b, epsilon=STABILIZER: apply(a, w, b))
GAMMA = Shortcut(sides=_two_sides)
Z_PLUS = Shortcut(_agreeing)
ALPHA_BETA = Shortcut()
BOX = Shortcut(_above_and_below, proportional=False)
