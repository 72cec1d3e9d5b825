"""A reference that is changed in one place is a wrong answer, and the judge sees it, or tests/mutants.toml says why it is right."""

import ast
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from course.exercises import chapters, exercises_of
from course.judging.exercise import Case, Exercise
from solutions.classroom.proof import mutants
from solutions.classroom.proof.mutants import explained, outdated, survivors

SHARE = 12
"""One mutant in so many is tried every day, of the chapters that were worked through."""

WORKED_THROUGH = [chapter for chapter in chapters() if set(exercises_of(chapter)) & set(explained())]


@pytest.mark.parametrize("chapter", chapters())
def test_no_mutant_survives_without_a_reason(chapter: str) -> None:
    found = {name: survivors(chapter, exercise) for name, exercise in exercises_of(chapter).items()}
    assert {name: changes for name, changes in found.items() if changes} == {}


@pytest.mark.parametrize("chapter", WORKED_THROUGH)
def test_of_a_part_of_the_mutants_none_survives_without_a_reason(chapter: str) -> None:
    found = {name: survivors(chapter, exercise, SHARE) for name, exercise in exercises_of(chapter).items()}
    assert {name: changes for name, changes in found.items() if changes} == {}


def test_every_survivor_that_is_explained_is_still_a_mutant() -> None:
    assert outdated() == []


def test_every_reason_is_a_sentence() -> None:
    short = [
        (name, why) for name, reasons in explained().items() for why in reasons.values() if len(why) < 15
    ]
    assert short == []


# the tool itself, on a function of our own


def clipped(x: Tensor, low: float = 0.0) -> Tensor:
    """x, but nothing below `low`, and twice what is above 1."""
    if low > 1:
        raise ValueError(f"low is {low}, more than {1}")
    y = x.clamp_min(low)
    for _ in range(1):
        y = torch.where(y > 1, 2 * y, y)
    while not bool(torch.isfinite(y).any()):
        break
    return y


def _cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    x = torch.from_numpy(rng.normal(size=(6, 5), scale=2)).float()
    return [{"x": x, "low": float(rng.uniform(-1, 0))}, {"x": x}, {"x": x, "low": 1.5}]


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """The changes to `clipped` that survive."""

    def surviving(cases: Callable[[int], list[Case]] = _cases, **reasons: Any) -> list[str]:
        exercise = Exercise("clipped", cases)
        tree = next(
            node
            for node in ast.parse(open(__file__, encoding="utf-8").read()).body
            if isinstance(node, ast.FunctionDef) and node.name == "clipped"
        )
        monkeypatch.setattr(mutants, "home_of", lambda: {"clipped": __name__})
        monkeypatch.setattr(mutants, "load", lambda module, name: clipped)
        monkeypatch.setattr(mutants, "definition", lambda module, name: tree)
        monkeypatch.setattr(mutants, "explained", lambda: {"clipped": reasons.get("known", {})})
        return survivors("any", exercise)

    return surviving


def test_changes_that_show_are_killed_and_others_survive(own: Callable[..., list[str]]) -> None:
    found = own()
    assert any("clamp_min" not in change for change in found)  # the loop that never turns is as good as none
    assert not [change for change in found if "2 * y" in change.partition(" | ")[0]]
    assert not [change for change in found if change.startswith("clamp_min for clamp_max")]
    assert not [change for change in found if "never" in change and "low > 1" in change]


def test_a_guard_that_no_case_asks_for_survives_without_itself(own: Callable[..., list[str]]) -> None:
    unasked = own(lambda seed: _cases(seed)[:2])
    assert any(change.startswith("never: if low > 1") for change in unasked)


def test_what_is_explained_is_no_survivor_and_what_is_no_mutant_is_outdated(
    own: Callable[..., list[str]],
) -> None:
    found = own()
    assert found
    left = own(known=dict.fromkeys(found, "the loop does nothing") | {"no such change": "…"})
    assert left == []
    assert outdated() == ["clipped: no such change"]


def test_a_mutant_without_end_is_killed(
    own: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mutants, "LONGEST", 0.05)

    def endless(x: Tensor, low: float = 0.0) -> Tensor:
        while True:
            low += 1

    monkeypatch.setattr(mutants, "mutants_of", lambda *_: [mutants.Mutant("clipped", "endless", endless)])
    assert own() == []


def test_every_mutant_has_a_name_of_its_own_that_says_where_it_changed() -> None:
    for chapter in chapters()[:3]:
        for name in exercises_of(chapter):
            changes = [mutant.change for mutant in mutants.mutants_of(mutants.home_of()[name], name)]
            assert len(set(changes)) == len(changes)
            assert all(re.match(r"[^:]+: \S", change) for change in changes)
