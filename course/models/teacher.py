"""Writing with a teacher, as sequence models are trained: at each step they are given the right previous token."""

from collections.abc import Callable

import torch
from jaxtyping import Int
from torch import Tensor

from course.data.vocabulary import START

Step = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
"""step(token, state) → (logits, next state, attention weights)"""


def with_teacher(step: Step, state: Tensor, tokens: Int[Tensor, "batch steps"]) -> tuple[Tensor, Tensor]:
    """(logits, attention weights) of all steps, each of shape (batch, steps, …)."""
    token, logits, weights = torch.full_like(tokens[:, 0], START), [], []
    for right in tokens.unbind(dim=1):
        step_logits, state, step_weights = step(token, state)
        logits.append(step_logits)
        weights.append(step_weights)
        token = right
    return torch.stack(logits, dim=1), torch.stack(weights, dim=1)
