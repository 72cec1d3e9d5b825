"""No exercise on attention, memory and reasoning is passed by results of the right shape.

Whatever the reference returns is replaced by something of the same names, shapes and kinds: zeros, ones, equal shares,
noise, the right values in another order. Every such recording must be rejected.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from course.exercises import chapters, exercises_of
from course.judging.recording import Outcome
from course.judging.verdict import compare
from solutions.classroom.release.answers import PUBLIC_SEEDS, answers_for

CHAPTERS = [chapter for chapter in chapters() if 10 <= int(chapter.partition("_")[0]) <= 14]
EXERCISES = [(chapter, name) for chapter in CHAPTERS for name in exercises_of(chapter)]


def equal_shares(value: Tensor) -> Tensor:
    return torch.ones_like(value) / (value.shape[-1] if value.dim() and value.is_floating_point() else 1)


def noise(value: Tensor) -> Tensor:
    drawn = torch.rand(value.shape, generator=torch.Generator().manual_seed(0))
    return (drawn * (2 if value.dtype == torch.bool else 5)).to(value.dtype)


def shifted(value: Tensor) -> Tensor:
    """The right numbers at the wrong places; a single number is changed."""
    return value.flatten().roll(1).reshape(value.shape) if value.numel() > 1 else noise(value)


COUNTERFEITS: list[Callable[[Tensor], Tensor]] = [
    torch.zeros_like,
    torch.ones_like,
    equal_shares,
    noise,
    shifted,
]


@pytest.mark.parametrize("counterfeit", COUNTERFEITS, ids=lambda function: function.__name__)
@pytest.mark.parametrize(("chapter", "name"), EXERCISES, ids=[name for _, name in EXERCISES])
def test_a_right_shape_alone_is_rejected(chapter, name, counterfeit):
    exercise = exercises_of(chapter)[name]
    answers = answers_for(chapter, exercise, PUBLIC_SEEDS)
    assert compare(exercise, answers.expected, answers).right
    recorded = [
        Outcome(
            values={
                key: counterfeit(value) if isinstance(value, Tensor) else value
                for key, value in outcome.values.items()
            },
            raised=outcome.raised,
        )
        for outcome in answers.expected
    ]
    verdict = compare(exercise, recorded, answers)
    assert verdict.points == 0, f"{name} accepts {counterfeit.__name__}: {verdict.message}"
