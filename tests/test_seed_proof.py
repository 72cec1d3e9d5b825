"""A seed proves itself before it is used: sizes nobody has seen, mistakes far from the reference, and no verdict by rounding."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from course.judging.exercise import Case, Exercise, within
from solutions.classroom.proof import prove
from solutions.classroom.release import seed_proof
from solutions.classroom.release.seed_proof import in_double, proves_itself, why_not


def _drawn(rng: np.random.Generator, *shape: int) -> Tensor:
    return torch.from_numpy(rng.normal(size=shape)).float()


def _cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [{"x": _drawn(rng, 3 + seed % 7, 4)}]


def centred(x: Tensor) -> Tensor:
    return x - x.mean(0)


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Why a seed of an exercise of our own cannot judge."""

    def reasons(
        reference: Callable[..., Any] = centred,
        cases: Callable[[int], list[Case]] = _cases,
        wrong: Callable[..., Any] = torch.zeros_like,
        right: Callable[..., Any] = lambda x: x - x.sum(0) / len(x),
        seed: int = 1005,
        **facts: Any,
    ) -> list[str]:
        exercise = Exercise("centred", cases, **facts)
        monkeypatch.setattr(seed_proof, "exercises_of", lambda chapter: {"centred": exercise})
        monkeypatch.setattr(seed_proof, "home_of", lambda: {"centred": "tests"})
        monkeypatch.setattr(seed_proof, "load", lambda module, name: reference)
        monkeypatch.setattr(seed_proof, "misconceptions_of", lambda chapter: {"centred": [wrong]})
        monkeypatch.setattr(seed_proof, "alternatives_of", lambda chapter: {"centred": [right]})
        for memory in (seed_proof._public_sizes, seed_proof._sizes_vary):
            memory.cache_clear()
        assert proves_itself("any", "centred", seed) == (not list(why_not("any", "centred", seed)))
        return list(why_not("any", "centred", seed))

    yield reasons  # type: ignore[misc]
    for memory in (seed_proof._public_sizes, seed_proof._sizes_vary):
        memory.cache_clear()


def test_a_good_seed_has_no_reason_against_it(ask: Callable[..., list[str]]) -> None:
    assert ask() == []


def test_sizes_that_the_public_cases_have_are_no_question(ask: Callable[..., list[str]]) -> None:
    assert ask(seed=1002) == ["it asks for no sizes that the public cases do not have"]  # 1002 % 7 == 1 % 7


def test_where_sizes_never_vary_no_seed_is_refused_for_them(ask: Callable[..., list[str]]) -> None:
    assert ask(cases=lambda seed: [{"x": _drawn(np.random.default_rng(seed), 3, 4)}]) == []


def test_a_mistake_has_to_be_far_and_an_alternative_near(ask: Callable[..., list[str]]) -> None:
    assert ask(wrong=lambda x: centred(x) * 1.0003)[0].endswith("tolerances from the reference")
    assert "is right, and" in ask(right=lambda x: centred(x) * 1.00005)[0]


def test_a_result_that_rounding_decides_is_no_question(ask: Callable[..., list[str]]) -> None:
    def sign_of_nothing(x: Tensor) -> Tensor:
        return (x - x.mean(0)).sum(0).sign() + x.sum()

    found = ask(reference=sign_of_nothing, right=sign_of_nothing)
    assert found
    assert found[0].startswith("in double precision the reference itself is")


def test_what_is_drawn_or_cannot_be_had_in_double_precision_is_not_asked(
    ask: Callable[..., list[str]],
) -> None:
    def sensitive(x: Tensor, *rest: Any) -> Tensor:
        return (x - x.mean(0)).sum(0).sign() + x.sum()

    def with_generator(seed: int) -> list[Case]:
        return [{**case, "generator": torch.Generator()} for case in _cases(seed)]

    def with_network(seed: int) -> list[Case]:
        layer = nn.Linear(4, 2)
        return [{**case, "predict": lambda x: layer(x)} for case in _cases(seed)]

    def zeros(x: Tensor, *rest: Any) -> Tensor:
        return torch.zeros_like(x)

    assert ask(reference=sensitive, right=sensitive, cases=with_generator, wrong=zeros) == []
    through = lambda x, predict: predict(x).sum(1)  # noqa: E731
    assert ask(reference=through, right=through, cases=with_network, wrong=zeros) == []


def test_everything_in_an_argument_is_doubled_and_nothing_else() -> None:
    model = nn.Linear(2, 1)
    given = {"x": [torch.ones(2), (torch.ones(1, dtype=torch.int64), "text")], "model": model, "k": 3}
    double = in_double(given)
    assert double["x"][0].dtype == torch.float64
    assert double["x"][1][0].dtype == torch.int64
    assert (double["x"][1][1], double["k"]) == ("text", 3)
    assert next(double["model"].parameters()).dtype == torch.float64
    assert in_double(torch.ones(1, requires_grad=True)).requires_grad
    assert in_double(np.ones(2, np.float32)).dtype == np.float64


def test_where_chance_judges_alternatives_may_be_farther(ask: Callable[..., list[str]]) -> None:
    def observed(fn: Callable[..., Any], case: Case) -> dict[str, Tensor]:
        return {"mean": fn(**case), "error": torch.tensor(1e-4)}

    found = ask(
        reference=lambda x: x.mean(),
        right=lambda x: x.mean() + 3e-5,
        wrong=lambda x: x.mean() + 1,
        observe=observed,
        compare={"mean": within(1, "error")},
    )
    assert found == []


def test_prove_reports_the_share_and_counts_the_reasons(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def reasons(chapter: str, name: str, seed: int) -> list[str]:
        return [f"it is only {seed / 1000:.2g} tolerances from the reference"] if seed % 4 == 0 else []

    monkeypatch.setattr(prove, "why_not", reasons)
    assert prove.print_shares(["soft_attention"], 100) == 0
    said = capsys.readouterr().out
    assert "75/100" in said
    assert "25 times it is only … tolerances from the reference" in said
    assert "75 of 100 seeds prove themselves (75.0 %)" in said
    monkeypatch.setattr(prove, "why_not", lambda *_: ["it never does"])
    assert prove.print_shares(["soft_attention"], 3) == 1
