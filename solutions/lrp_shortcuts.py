"""The quick ways by which ``lrp_any_network`` takes the known rules through a network, with the same result.

A rule whose relevance is a·∂q/∂a · R/q for one q need not be called: q, what the rule has in its denominator, becomes part of
the forward pass, and autograd walks back.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from solutions.layers import STABILIZER, never_zero


class Shortcut(NamedTuple):
    """How a rule that is known here takes part in the forward pass, instead of being called.

    denominator: (call, a, w, b, **options of the rule) → q, what the rule divides by. proportional: whether an input of
    zero gets nothing.
    """

    denominator: Callable[..., Tensor] | None
    proportional: bool = True


def _agreeing(apply: Callable[..., Tensor], a: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    """What speaks for the output: a⁺w⁺ + a⁻w⁻ + b⁺."""
    q = apply(a.clamp(min=0), w.clamp(min=0), None if b is None else b.clamp(min=0))
    return q + apply(a.clamp(max=0), w.clamp(max=0), None) if (a < 0).any() else q


def _favoured(
    apply: Callable[..., Tensor], a: Tensor, w: Tensor, b: Tensor | None, gamma: float = 0.25
) -> Tensor:
    return apply(a, w + gamma * w.clamp(min=0), None if b is None else b + gamma * b.clamp(min=0))


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
GAMMA = Shortcut(_favoured)
Z_PLUS = Shortcut(_agreeing)
ALPHA_BETA = Shortcut(None)
BOX = Shortcut(_above_and_below, proportional=False)
