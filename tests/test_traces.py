"""What a call leaves behind is seen, told in a sentence, and costs the points; what was put back is not."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from course.exercise import Exercise
from course.judging import Answers, Verdict, compare
from course.recording import frozen_inputs, record
from course.traces import LEFT


def _cases(seed: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)).train()
    generator = torch.Generator().manual_seed(seed)
    parts = [torch.from_numpy(rng.normal(size=2)).float() for _ in range(2)]
    return [
        {
            "model": model,
            "x": torch.from_numpy(rng.normal(size=(5, 3))).float(),
            "parts": parts,
            "generator": generator,
        }
    ]


def _double(model: nn.Module, x: Tensor, parts: list[Tensor], generator: torch.Generator) -> Tensor:
    return 2 * x


def _judged(fn: Callable[..., Any], **facts: Any) -> Verdict:
    exercise = Exercise("double", _cases, **facts)
    seeds = [1, 2]
    inputs = [frozen_inputs(exercise, seed) for seed in seeds]
    answers = Answers(seeds, inputs, record(_double, exercise, seeds, inputs))
    return compare(exercise, record(fn, exercise, seeds, inputs), answers)


def _then(harm: Callable[[nn.Module, Tensor, list[Tensor]], Any]) -> Callable[..., Tensor]:
    def right_but(model: nn.Module, x: Tensor, parts: list[Tensor], generator: torch.Generator) -> Tensor:
        value = 2 * x.detach()
        harm(model, x, parts)
        return value

    return right_but


LEFT_BEHIND: dict[str, Callable[[nn.Module, Tensor, list[Tensor]], Any]] = {
    "values": lambda model, x, parts: x.mul_(2),
    "values in a list": lambda model, x, parts: parts[1].zero_(),
    "values: a single one to NaN": lambda model, x, parts: x[0].fill_(float("nan")),
    "size": lambda model, x, parts: parts.append(x),
    "size: emptied": lambda model, x, parts: parts.clear(),
    "requires_grad": lambda model, x, parts: x.requires_grad_(),
    "gradient": lambda model, x, parts: setattr(x, "grad", torch.zeros_like(x)),
    "mode": lambda model, x, parts: model.eval(),
    "mode of one part": lambda model, x, parts: model[1].eval(),
    "hooks": lambda model, x, parts: model[2].register_forward_hook(lambda *_: None),
    "hooks on a weight": lambda model, x, parts: model[0].weight.register_hook(lambda slope: slope),
    "hooks before backward": lambda model, x, parts: model.register_full_backward_pre_hook(lambda *_: None),
    "weights": lambda model, x, parts: model[0].weight.data.add_(1e-6),
    "statistics": lambda model, x, parts: model(x),
    "parts": lambda model, x, parts: model.__setitem__(2, nn.GELU()),
    "parts: another forward": lambda model, x, parts: setattr(model[0], "forward", lambda x: x),
    "gradients": lambda model, x, parts: model[3](torch.ones(1, 4)).sum().backward(),
    "frozen": lambda model, x, parts: model.requires_grad_(False),
    "setting": lambda model, x, parts: torch.set_default_dtype(torch.float64),
    "setting: no gradients": lambda model, x, parts: torch.set_grad_enabled(False),
    "setting of NumPy": lambda model, x, parts: np.seterr(all="ignore"),
    "seed": lambda model, x, parts: torch.manual_seed(0),
    "seed of Python": lambda model, x, parts: random.seed(0),
    "seed of NumPy": lambda model, x, parts: np.random.seed(0),
}


@pytest.fixture(autouse=True)
def _settings_as_they_were() -> Any:
    floating, grad = np.geterr(), torch.is_grad_enabled()
    yield
    np.seterr(**floating)
    torch.set_grad_enabled(grad)
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("harm", LEFT_BEHIND.values(), ids=LEFT_BEHIND.keys())
def test_a_right_answer_that_leaves_something_behind_gets_a_sentence_about_it(harm: Any) -> None:
    verdict = _judged(_then(harm))
    assert verdict.kind == "changed", verdict
    assert verdict.points == 0
    assert verdict.message.startswith("Your function ")


def test_every_kind_of_trace_is_tried_here() -> None:
    assert {name.split(":")[0].split(" ")[0] for name in LEFT_BEHIND} == set(LEFT)


def _puts_back(model: nn.Module, x: Tensor, parts: list[Tensor], generator: torch.Generator) -> Tensor:
    x.mul_(2)
    value = x.clone()
    x.div_(2)
    modes = [part.training for part in model.modules()]
    model.eval()
    hook = model.register_forward_hook(lambda *_: None)
    model(x)
    hook.remove()
    for part, mode in zip(model.modules(), modes, strict=True):
        part.training = mode
    return value


def _draws(model: nn.Module, x: Tensor, parts: list[Tensor], generator: torch.Generator) -> Tensor:
    torch.rand(3, generator=generator), torch.rand(3), np.random.rand(2000), random.random()
    nn.Linear(3, 3)
    return 2 * x


@pytest.mark.parametrize("fn", [_double, _puts_back, _draws])
def test_what_is_put_back_and_what_is_only_drawn_is_no_trace(fn: Any) -> None:
    assert _judged(fn).right


def test_an_argument_may_be_changed_where_that_is_the_point() -> None:
    harm = _then(LEFT_BEHIND["values"])
    assert _judged(harm, changes=("x",)).right


def test_what_is_left_behind_after_an_exception_is_seen_too() -> None:
    def stops(model: nn.Module, x: Tensor, parts: list[Tensor], generator: torch.Generator) -> Tensor:
        model.eval()
        raise ValueError("no")

    outcomes = record(stops, Exercise("double", _cases), [1])
    assert outcomes[0].raised == "ValueError"
    assert outcomes[0].left == ["mode model"]


def test_the_gradient_that_arrives_at_an_argument_is_judged_where_an_exercise_declares_it() -> None:
    def without_gradient(
        model: nn.Module, x: Tensor, parts: list[Tensor], generator: torch.Generator
    ) -> Tensor:
        with torch.no_grad():
            return 2 * x

    def through_a_detour(
        model: nn.Module, x: Tensor, parts: list[Tensor], generator: torch.Generator
    ) -> Tensor:
        return torch.stack([x, x]).sum(0)

    assert _judged(without_gradient).right
    assert _judged(through_a_detour, slope=("x",)).right
    verdict = _judged(without_gradient, slope=("x",))
    assert verdict.kind == "different"
    assert "no gradient reaches `x`" in verdict.message
