"""Rows of digits to be reversed or sorted: tasks that no word can solve alone.

A row begins with the task ("reverse" or "sort") and ends with <end>: sort 3 1 2 <end>. The answer stands at the same
places: the digit wanted at place i is read off at place i.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from course.data.vocabulary import PAD, Vocabulary

TASKS = ("reverse", "sort")
SYMBOLS = Vocabulary([*TASKS, *"0123456789"])


class SequenceBatch(NamedTuple):
    """inputs (batch, n) · answers (batch, n), <pad> where nothing is asked · mask (batch, n, n), True = may look.

    The mask hides padding from everybody.
    """

    inputs: Int[Tensor, "batch n"]
    answers: Int[Tensor, "batch n"]
    mask: Bool[Tensor, "batch n n"]


def solve(task: str, digits: Sequence[str]) -> list[str]:
    """Return what the network should answer."""
    if task not in TASKS:
        raise ValueError(f"The tasks are {' and '.join(TASKS)}, not {task!r}.")
    return sorted(digits) if task == "sort" else list(digits)[::-1]


def sequence_batch(tasks: str | Sequence[str], rows: Sequence[Sequence[str]]) -> SequenceBatch:
    """Return rows of digits as a batch; `tasks` is one task for all rows, or one for each."""
    each = [tasks] * len(rows) if isinstance(tasks, str) else tasks
    inputs = SYMBOLS.batch([[task, *row] for task, row in zip(each, rows, strict=True)], end=True)
    answers = torch.full_like(inputs, PAD)
    for place, (task, row) in enumerate(zip(each, rows, strict=True)):
        answers[place, 1 : 1 + len(row)] = torch.tensor(SYMBOLS.encode(solve(task, row)), dtype=torch.long)
    seen = inputs != PAD
    return SequenceBatch(inputs, answers, seen.unsqueeze(1).expand(-1, inputs.shape[1], -1))


def make_sequences(
    count: int, seed: int, lengths: tuple[int, int] = (2, 12), task: str | None = None
) -> SequenceBatch:
    """Return `count` random rows of lengths[0] to lengths[1] digits, for one task or for tasks drawn at random."""
    generator = np.random.default_rng(seed)
    sizes = generator.integers(lengths[0], lengths[1] + 1, size=count)
    rows = [[str(digit) for digit in generator.integers(10, size=size)] for size in sizes]
    return sequence_batch(task or [str(drawn) for drawn in generator.choice(TASKS, size=count)], rows)


def exact(answers: Int[Tensor, "batch n"], predicted: Int[Tensor, "batch n"]) -> Bool[Tensor, "batch"]:
    """Say for each row whether every digit that was asked for is right."""
    return ((answers == predicted) | (answers == PAD)).all(dim=-1)
