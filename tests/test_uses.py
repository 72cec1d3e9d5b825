"""The chapter's own use belongs to the cases: whatever its cells do with a function is asked by one."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from course.exercises import chapters, exercises_of
from course.judging.exercise import Case, Exercise
from solutions.classroom.proof import uses
from solutions.classroom.proof.uses import BACKWARD, explained, lacking, of_cases, traits_of


@pytest.mark.parametrize("chapter", chapters())
def test_every_way_in_which_a_chapter_calls_an_exercise_is_a_case_s(chapter: str) -> None:
    assert lacking(chapter) == {}


def test_only_exercises_have_reasons() -> None:
    assert set(explained()) <= {name for chapter in chapters() for name in exercises_of(chapter)}


def weighed(x: Tensor, weight: Any = None, steps: int = 3) -> Tensor:
    return x if weight is None else x * weight


@pytest.mark.parametrize(
    ("value", "trait"),
    [
        (None, "x is None"),
        (3, "x is a number"),
        (True, "x is a truth value"),
        ("text", "x is a text"),
        (nn.Linear(1, 1), "x is a model"),
        (torch.relu, "x is a function"),
        (torch.Generator(), "x is a generator"),
        ([torch.ones(1)], "x is a list"),
        ([torch.ones(2, 3)], "x[…] has 2 axes"),
        ({"a": torch.ones(2)}, "x[…] has 1 axis"),
        (np.ones(3), "x is an array"),
        (np.ones(3), "x holds float64"),
        (torch.ones(2, 3, 4), "x has 3 axes"),
        (torch.ones(0, 3), "x has an axis of size 0"),
        (torch.ones(1, 3), "x has an axis of size 1"),
        (torch.ones(3, dtype=torch.bool), "x holds bool"),
        (torch.ones(3, dtype=torch.int64), "x holds integers"),
        (torch.ones(3, dtype=torch.float64), "x holds float64"),
        (torch.tensor([0.0, float("-inf")]), "x holds −∞"),
        (torch.tensor([0.0, float("nan")]), "x holds NaN"),
        (torch.tensor([2000.0]), "x holds numbers beyond 1000"),
        (torch.ones(3, requires_grad=True), "x requires a gradient"),
        (torch.ones(3), "weight is left out"),
    ],
)
def test_what_is_special_about_a_call_is_seen(value: Any, trait: str) -> None:
    assert trait in traits_of(weighed, (value,), {"steps": 2})


def test_an_ordinary_call_has_no_special_traits() -> None:
    plain = traits_of(weighed, (torch.rand(2, 3), torch.rand(3)), {"steps": 5})
    assert plain == {
        "x is a tensor",
        "x has 2 axes",
        "weight is a tensor",
        "weight has 1 axis",
        "steps is a number",
    }


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Callable[..., set[str]]:
    """The traits of an exercise of our own with these cases."""

    def traits(cases: Callable[[int], list[Case]], **facts: Any) -> set[str]:
        monkeypatch.setattr(uses, "home_of", lambda: {"weighed": __name__})
        monkeypatch.setattr(uses, "load", lambda module, name: weighed)
        return of_cases(Exercise("weighed", cases, **facts))

    return traits


def test_cases_have_the_traits_of_their_calls(own: Callable[..., set[str]]) -> None:
    found = own(lambda seed: [{"x": torch.ones(2, 1)}])
    assert found == {
        "x is a tensor",
        "x has 2 axes",
        "x has an axis of size 1",
        "weight is left out",
        "steps is left out",
    }


def test_a_declared_slope_is_a_gradient_that_flows_back(own: Callable[..., set[str]]) -> None:
    def cases(seed: int) -> list[Case]:
        return [{"x": torch.ones(2), "weight": torch.ones(2)}]

    assert BACKWARD not in own(cases)
    assert BACKWARD in own(cases, slope=("weight",))


def test_only_calls_of_the_chapter_s_own_cells_count() -> None:
    noted: set[str] = set()
    here = uses._noting(weighed, noted, __file__)
    elsewhere = uses._noting(weighed, noted, "another file")
    elsewhere(torch.ones(2))
    assert noted == set()
    weight = torch.ones(2, requires_grad=True)
    here(torch.ones(2), weight).sum().backward()
    assert BACKWARD in noted
    assert "weight requires a gradient" in noted


def test_a_chapter_s_calls_are_noted_and_prove_tells_what_no_case_has(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = uses.used_in("10_attention")
    assert set(found) == set(exercises_of("10_attention"))
    assert all("query is a tensor" in found[name] for name in ("soft_lookup", "hard_attention"))
    monkeypatch.setattr(uses, "used_in", lambda chapter: {"soft_attention": {"query stands on its head"}})
    assert uses.print_uses(["soft_attention"]) == 1
    assert "query stands on its head" in capsys.readouterr().out
    monkeypatch.setattr(
        uses, "explained", lambda: {"soft_attention": {"query stands on its head": "for fun"}}
    )
    assert uses.print_uses(["10"]) == 0


def test_the_reference_is_itself_again_after_its_cases_were_watched() -> None:
    before = dict(vars(sys.modules["solutions.attention"]))
    of_cases(exercises_of("10_attention")["soft_attention"])
    assert dict(vars(sys.modules["solutions.attention"])) == before
