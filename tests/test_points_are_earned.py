"""No exercise can be had without doing it: whatever a recording says that was made without knowing the answer is wrong.

A forged recording may hold anything, the expected values of the public sheet among it: that lies beside the notebook.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from course.exercises import chapters, exercises_of, find
from course.judging.exercise import Exercise, Values
from course.judging.recording import Outcome, frozen_inputs, record
from course.judging.sheets import Answers
from course.judging.verdict import compare
from solutions.classroom.release.answers import PUBLIC_SEEDS
from solutions.classroom.release.reference_source import home_of, load

SECRET_SEEDS = [12_345, 678_901]
NAMES = [name for chapter in chapters() for name in exercises_of(chapter)]


@cache
def _answers(name: str, secret: bool = True) -> Answers:
    exercise, seeds = find(name)[1], SECRET_SEEDS if secret else PUBLIC_SEEDS
    inputs = [frozen_inputs(exercise, seed) for seed in seeds]
    return Answers(seeds, inputs, record(load(home_of()[name], name), exercise, seeds, inputs))


def _kind(exercise: Exercise, outcomes: list[Outcome]) -> str:
    return compare(exercise, outcomes, _answers(exercise.name), hidden=True).kind


@pytest.mark.promise("P3")
@pytest.mark.parametrize("name", NAMES)
def test_the_public_answers_are_wrong_for_the_secret_questions(name: str) -> None:
    exercise = find(name)[1]
    assert _kind(exercise, _answers(name).expected) == "right"
    assert _kind(exercise, _answers(name, secret=False).expected) != "right"


FORGERIES: dict[str, Callable[[Tensor], Any]] = {
    "zeros": torch.zeros_like,
    "ones": torch.ones_like,
    "NaN": lambda t: torch.full(t.shape, float("nan")),
    "infinity": lambda t: torch.full(t.shape, float("inf")),
    "the largest number": lambda t: torch.full(t.shape, torch.finfo(torch.float64).max, dtype=torch.float64),
    "complex": lambda t: torch.complex(t.float(), t.float()),
    "eight bits": lambda t: t.float().to(torch.float8_e4m3fn),
    "truth": lambda t: torch.ones(t.shape, dtype=torch.bool),
    "bytes": lambda t: torch.ones(t.shape, dtype=torch.uint8),
    "one number": lambda t: torch.tensor(1.0),
    "nothing": lambda t: torch.zeros(0),
    "an axis more": lambda t: t.unsqueeze(0).double().expand(2, *t.shape) + 1,
    "text": lambda t: "right",
    "negative": lambda t: torch.full(t.shape, -(1 << 40)),
}


def _forged(outcomes: list[Outcome], forge: Callable[[Tensor], Any]) -> list[Outcome]:
    def values(wanted: Values) -> Values:
        return {key: forge(value) if isinstance(value, Tensor) else value for key, value in wanted.items()}

    return [Outcome(values=values(outcome.values)) for outcome in outcomes]


def _nonsense(outcomes: list[Outcome]) -> Iterator[list[Outcome]]:
    """Recordings of other lengths and names."""
    yield []
    yield outcomes[:1]
    yield [*outcomes, *outcomes]
    yield [Outcome() for _ in outcomes]
    yield [Outcome(values=dict.fromkeys(outcome.values, "")) for outcome in outcomes]
    yield [Outcome(values={"": torch.ones(3)}) for _ in outcomes]
    for kind in ("RuntimeError", "ValueError", "TypeError", "IndexError", "KeyError", "NotImplementedError"):
        yield [Outcome(raised=kind, line=-(1 << 60), text="\0") for _ in outcomes]


@pytest.mark.promise("P1")
@pytest.mark.parametrize("name", NAMES)
def test_forged_recordings_are_wrong_and_break_nothing(name: str) -> None:
    exercise, expected = find(name)[1], _answers(name).expected
    for label, forge in FORGERIES.items():
        assert _kind(exercise, _forged(expected, forge)) != "right", label
    for outcomes in _nonsense(expected):
        assert _kind(exercise, outcomes) != "right"


def test_a_tree_that_only_says_so_is_no_tree() -> None:
    """The network itself, with a tree's methods, agreed with the network always."""

    class Impostor:
        def __init__(self, predict: Callable[[Tensor], Tensor], depth: int) -> None:
            self.network, self.depth = predict, depth

        def get_depth(self) -> int:
            return self.depth

        def predict(self, x: Any) -> Tensor:
            return self.network(torch.as_tensor(x)).argmax(1)

    exercise, answers = find("distill_tree")[1], _answers("distill_tree")

    def pretends(predict: Callable[[Tensor], Tensor], x: Tensor, depth: int) -> Any:
        return Impostor(predict, depth)

    def pretends_with_a_stump(predict: Callable[[Tensor], Tensor], x: Tensor, depth: int) -> Any:
        grown = load(home_of()["distill_tree"], "distill_tree")
        impostor = Impostor(predict, depth)
        impostor.tree_, impostor.classes_ = grown(predict, x, 1).tree_, grown(predict, x, 1).classes_  # type: ignore[attr-defined]
        return impostor

    for fn in (pretends, pretends_with_a_stump):
        assert _kind(exercise, record(fn, exercise, answers.seeds, answers.inputs)) != "right"


def test_no_public_file_holds_the_value_of_a_word() -> None:
    """course.exercises.distillation had the solution of word_value as a helper of its own."""
    from course.exercises import distillation

    exercise, answers = find("word_value")[1], _answers("word_value")
    for helper in [
        value for key, value in vars(distillation).items() if key.startswith("_") and callable(value)
    ]:
        assert _kind(exercise, record(helper, exercise, answers.seeds, answers.inputs)) != "right"
