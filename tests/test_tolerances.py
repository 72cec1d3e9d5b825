"""How near is near: rounding never decides, and a mistake is named only where the numbers show it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from course.judging.exercise import Case, Exercise, equal, size_of_inputs
from course.judging.recording import frozen_inputs, record
from course.judging.sheets import Answers
from course.judging.verdict import compare, one_constant
from solutions.classroom.proof.prove import prove
from solutions.classroom.release import answers

RULE = equal()


def _distance(got: Tensor, expected: Tensor, case: Case | None = None) -> float:
    return RULE({"": got}, {"": expected}, "", case or {})


@pytest.mark.parametrize("size", [1e-3, 1.0, 255.0])
def test_rounding_left_by_two_equal_numbers_is_no_scale(size: float) -> None:
    case = {"x": torch.tensor([size, -size])}
    rounding = torch.tensor([size * 6e-8])
    for got, expected in [(0 * rounding, rounding), (rounding, 0 * rounding), (-rounding, rounding)]:
        assert _distance(got, expected, case) < 1
    assert _distance(torch.tensor([size]), 0 * rounding, case) > 10


def test_small_results_of_ordinary_inputs_are_still_told_apart() -> None:
    case = {"x": torch.ones(3), "k": 1000.0}
    small = torch.tensor([1e-3, 5e-4])
    assert _distance(small * 1.05, small, case) > 10
    assert _distance(small * (1 + 1e-6), small, case) < 0.1


def test_the_size_of_inputs_is_that_of_their_smallest_part_zeros_aside() -> None:
    model = nn.Linear(2, 1)
    nn.init.constant_(model.weight, 0.5)
    nn.init.zeros_(model.bias)
    case = {"x": torch.full((2,), 255.0), "model": model, "mask": torch.tensor([False]), "k": 1e-9}
    assert size_of_inputs(case) == 0.5
    assert size_of_inputs({"parts": [torch.ones(2), {"a": torch.full((1,), -0.1)}]}) == pytest.approx(0.1)
    assert size_of_inputs({"x": torch.tensor([float("-inf"), 3.0]), "none": None}) == 3.0
    assert size_of_inputs({"k": 3}) == 0.0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sixteen_bits_are_compared_as_far_as_they_reach(dtype: torch.dtype) -> None:
    values = torch.linspace(-3, 3, 41)
    assert _distance(values, values.to(dtype)) <= 1
    assert _distance((values + 0.2).to(dtype), values.to(dtype)) > 1
    assert _distance((values * 1.01).to(dtype), values) > 1, "only where the answer sheet itself is so coarse"


def _cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [{"x": torch.from_numpy(rng.normal(size=(3, 4))).float()}]


def _twice(x: Tensor) -> Tensor:
    return 2 * x


def _sheet(*wrong: Callable[..., Any]) -> tuple[Exercise, Answers]:
    exercise = Exercise("twice", _cases)
    inputs = [frozen_inputs(exercise, 1)]
    sheet = Answers([1], inputs, record(_twice, exercise, [1], inputs))
    for function in wrong:
        sheet.wrong[function.__name__] = (function.__name__, record(function, exercise, [1], inputs))
    return exercise, sheet


def test_a_misconception_is_recognised_by_numbers_that_are_nearly_its_own() -> None:
    def thrice(x: Tensor) -> Tensor:
        return 3 * x

    exercise, sheet = _sheet(thrice)

    def kind(fn: Callable[..., Any]) -> str:
        return compare(exercise, record(fn, exercise, [1], sheet.inputs), sheet).kind

    assert kind(lambda x: 3 * x * (1 + 2e-4)) == "misconception"
    assert kind(lambda x: 3 * x * (1 + 5e-4)) == "different"
    assert kind(lambda x: 2 * x * (1 + 2e-4)) == "different", "what is right stays within one tolerance"


@pytest.mark.parametrize(
    ("wrong", "constant"),
    [
        (torch.zeros_like, True),
        (lambda x: x.sum() / 0 * 0, True),
        (lambda x: 1 / 0, True),
        (lambda x: "the same", True),
        (lambda x: (x > 0).float(), False),
        (lambda x: (torch.zeros(2), torch.ones(2)), False),
        (lambda x: x.shape[0], True),
        (lambda x: torch.arange(200) > 150, False),
    ],
)
def test_one_number_everywhere_is_a_constant_outcome(wrong: Callable[..., Any], constant: bool) -> None:
    exercise = Exercise("twice", _cases)
    assert one_constant(exercise, record(wrong, exercise, [1, 2])) is constant


def test_a_constant_is_nobody_s_mistake_unless_the_misconception_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def gives_zero(x: Tensor) -> Tensor:
        """This is what you get when you forget to add the update: everything stays at zero."""
        return torch.zeros_like(x)

    exercise = Exercise("twice", _cases, hints=("Add it to itself.",))
    monkeypatch.setattr(answers, "misconceptions_of", lambda chapter: {"twice": [gives_zero]})
    monkeypatch.setattr(answers, "home_of", lambda: {"twice": "tests"})
    monkeypatch.setattr(answers, "load", lambda module, name: _twice)
    monkeypatch.setattr(answers, "exercises_called", lambda *_: [])
    assert answers.answers_for("10_attention", exercise, [1]).wrong == {}
    monkeypatch.setattr(answers, "KNOWN_BY_A_CONSTANT", {("twice", "gives_zero")})
    assert list(answers.answers_for("10_attention", exercise, [1]).wrong) == ["gives_zero"]


def test_prove_names_a_misconception_that_only_a_constant_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    from course.exercises import find

    monkeypatch.setattr(answers, "KNOWN_BY_A_CONSTANT", set())
    found = prove("07_lime", find("explanation_stability")[1])
    assert any("puts_tensors_into_sets gives one constant" in complaint for complaint in found.complaints)
