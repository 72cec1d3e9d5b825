"""What a call leaves behind is seen, told in a sentence, and costs the points; what was put back is not."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from course.judging.exercise import Exercise
from course.judging.recording import Outcome, frozen_inputs, record
from course.judging.sheets import Answers
from course.judging.traces import LEFT, watch
from course.judging.verdict import Verdict, compare
from solutions.classroom.release import course_version


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
    "seed": lambda model, x, parts: torch.manual_seed(0),
    "seed: none in particular": lambda model, x, parts: torch.seed(),
    "seed: and drawn": lambda model, x, parts: (np.random.seed(3), np.random.rand(700)),
    "seed: NumPy": lambda model, x, parts: np.random.seed(0),
    "seed: NumPy, by an old name": lambda model, x, parts: _SEED_NUMPY(0),
    "seed: NumPy, by a state": lambda model, x, parts: np.random.set_state(_A_STATE),
    "seed: NumPy, another generator": lambda model, x, parts: np.random.mtrand.set_bit_generator(
        np.random.PCG64(0)
    ),
    "seed: Python": lambda model, x, parts: random.seed(0),
    "seed: Python, by an old name": lambda model, x, parts: _SEED_PYTHON(0),
    "seed: Python, by a state": lambda model, x, parts: random.setstate(random.Random(0).getstate()),
    "seed: put back too late": lambda model, x, parts: _put_back_too_late(),
    "unreadable": lambda model, x, parts: model.__dict__.pop("_modules"),
}

NOTHING_LEFT: dict[str, Callable[[nn.Module, Tensor, list[Tensor]], Any]] = {
    "drawn from Torch": lambda model, x, parts: (torch.rand(100_000), nn.Linear(3, 3)),
    "drawn from NumPy": lambda model, x, parts: np.random.rand(300_000),
    "drawn from Python": lambda model, x, parts: [random.random() for _ in range(300_000)],
    "seeded for a while": lambda model, x, parts: _seeded_for_a_while(),
    "NumPy seeded for a while": lambda model, x, parts: _numpy_seeded_for_a_while(),
    "Python seeded for a while": lambda model, x, parts: _python_seeded_for_a_while(),
    "generators of its own": lambda model, x, parts: (
        torch.Generator().manual_seed(0),
        np.random.RandomState(0).rand(),
        random.Random(0).random(),
    ),
    "a buffer made at the first call": lambda model, x, parts: model.register_buffer("seen", torch.ones(1)),
    "a cache": lambda model, x, parts: setattr(model, "last", x),
    "a switch for speed": lambda model, x, parts: setattr(torch.backends.cudnn, "benchmark", True),
    "threads": lambda model, x, parts: torch.set_num_threads(torch.get_num_threads()),
    "warnings": lambda model, x, parts: np.seterr(all="ignore"),
}


_SEED_NUMPY, _SEED_PYTHON = np.random.seed, random.seed
_A_STATE = np.random.RandomState(0).get_state()


def _numpy_seeded_for_a_while() -> None:
    before = np.random.get_state()
    np.random.seed(0)
    np.random.randn(3)
    np.random.set_state(before)


def _python_seeded_for_a_while() -> None:
    random.random()
    before = random.getstate()
    random.seed(0)
    random.gauss(0, 1)
    random.setstate(before)


def _put_back_too_late() -> None:
    np.random.seed(0)
    before = np.random.get_state()
    np.random.rand()
    np.random.set_state(before)


def _seeded_for_a_while() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _settings_as_they_were() -> Any:
    floating, grad, quick = np.geterr(), torch.is_grad_enabled(), torch.backends.cudnn.benchmark
    yield
    torch.backends.cudnn.benchmark = quick
    np.seterr(**floating)
    torch.set_grad_enabled(grad)
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("harm", LEFT_BEHIND.values(), ids=LEFT_BEHIND.keys())
def test_a_right_answer_that_leaves_something_behind_gets_a_sentence_about_it(harm: Any) -> None:
    verdict = _judged(_then(harm))
    assert verdict.kind == "changed", verdict
    assert verdict.points == 0
    assert verdict.message.startswith("The values are right, but your function ")


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("harm", [harm for name, harm in LEFT_BEHIND.items() if name.startswith("seed")])
def test_a_seed_is_seen_whatever_the_process_was_seeded_with_before(harm: Any, seed: int) -> None:
    torch.manual_seed(seed), np.random.seed(seed), random.seed(seed)
    assert _judged(_then(harm)).kind == "changed"


def _next_numbers() -> list[Any]:
    return [
        torch.rand(1).item(),
        np.random.randn(),
        random.gauss(0, 1),
        torch.initial_seed(),
        np.random.rand(),
        random.random(),
    ]


@pytest.mark.parametrize(
    "harm",
    [
        *(harm for name, harm in LEFT_BEHIND.items() if name.startswith("seed")),
        *(harmless for name, harmless in NOTHING_LEFT.items() if "drawn" in name or "seeded" in name),
    ],
)
def test_a_notebook_s_own_random_numbers_go_on_as_if_nothing_had_been_recorded(harm: Any) -> None:
    def numbers(between: Callable[[], Any]) -> list[Any]:
        torch.manual_seed(5), np.random.seed(5), random.seed(5)
        np.random.randn(), random.gauss(0, 1)  # two are made at a time: the other one waits
        between()
        return [_next_numbers(), type(np.random.mtrand.get_bit_generator()).__name__]

    assert numbers(lambda: _judged(_then(harm))) == numbers(lambda: None)


def test_random_numbers_are_given_back_when_a_recording_is_interrupted() -> None:
    def interrupted(model: nn.Module, x: Tensor, parts: list[Tensor], generator: torch.Generator) -> Tensor:
        np.random.seed(0), random.seed(0), torch.manual_seed(0)
        raise KeyboardInterrupt

    before = np.random.mtrand.get_bit_generator(), type(random._inst), torch.initial_seed()  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt):
        _judged(interrupted)
    assert before == (np.random.mtrand.get_bit_generator(), type(random._inst), torch.initial_seed())  # type: ignore[attr-defined]


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


def _returns_a_view(model: nn.Module, x: Tensor, parts: list[Tensor], generator: torch.Generator) -> Tensor:
    return (x.expand(2, *x.shape) * 2)[1].view_as(x)


@pytest.mark.parametrize("fn", [_double, _puts_back, _draws, _returns_a_view])
def test_what_is_put_back_and_what_is_only_drawn_is_no_trace(fn: Any) -> None:
    assert _judged(fn).right


@pytest.mark.parametrize("harmless", NOTHING_LEFT.values(), ids=NOTHING_LEFT.keys())
def test_a_right_answer_is_right_whatever_it_draws_caches_or_quietens(harmless: Any) -> None:
    assert _judged(_then(harmless)).right


def test_a_lazy_model_that_gets_its_weights_at_the_first_call_is_unchanged() -> None:
    model = nn.Sequential(nn.LazyLinear(2), nn.LazyBatchNorm1d()).eval()
    differences = watch({"model": model})
    model(torch.ones(4, 3))
    assert differences() == []


def test_not_a_number_among_the_arguments_is_no_difference() -> None:
    assert watch({"x": torch.tensor([1.0, float("nan")]), "scales": [float("nan"), 1.0]})() == []


def test_a_list_that_holds_itself_is_looked_at_only_so_far() -> None:
    parts: list[Any] = [torch.ones(2)]
    differences = watch({"parts": parts})
    parts.append(parts)
    assert "size parts" in differences()


def test_whoever_leaves_less_behind_than_the_reference_is_right() -> None:
    def leaves(model: nn.Module, x: Tensor, parts: list[Tensor], generator: torch.Generator) -> Tensor:
        model(x)
        return 2 * x

    exercise = Exercise("double", _cases)
    inputs = [frozen_inputs(exercise, 1)]
    answers = Answers([1], inputs, record(leaves, exercise, [1], inputs))
    assert answers.expected[0].left == ["statistics model"]
    assert compare(exercise, record(_double, exercise, [1], inputs), answers).right


def test_an_error_in_the_middle_is_told_before_the_hook_that_it_left() -> None:
    def stops(model: nn.Module, x: Tensor, parts: list[Tensor], generator: torch.Generator) -> Tensor:
        model[2].register_forward_hook(lambda *_: None)
        return undefined  # type: ignore[name-defined]

    assert _judged(stops).kind == "raised"


def test_wrong_values_with_something_left_behind_hear_of_it_too() -> None:
    def wrong(model: nn.Module, x: Tensor, parts: list[Tensor], generator: torch.Generator) -> Tensor:
        return x.mul_(3)

    assert _judged(wrong).message == f"Your function {LEFT['values'].format('x')}."


def test_recordings_from_before_this_was_looked_at_have_nothing_left_behind() -> None:
    exercise = Exercise("double", _cases)
    inputs = [frozen_inputs(exercise, 1)]
    old = record(_double, exercise, [1], inputs)[0].tree()
    del old["left"]
    answers = Answers([1], inputs, record(_double, exercise, [1], inputs))
    assert compare(exercise, [Outcome.of(old)], answers).right


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


def test_where_nothing_can_change_the_result_no_gradient_is_a_gradient_of_zero() -> None:
    exercise = Exercise("scale", lambda seed: [{"x": torch.ones(2)}, {"x": torch.ones(0)}], slope=("x",))
    inputs = [frozen_inputs(exercise, 1)]
    wanted = Answers([1], inputs, record(lambda x: x * 0 + 1, exercise, [1], inputs))
    assert compare(exercise, record(torch.ones_like, exercise, [1], inputs), wanted).right
    wanted = Answers([1], inputs, record(torch.ones_like, exercise, [1], inputs))
    assert compare(exercise, record(lambda x: x * 0 + 1, exercise, [1], inputs), wanted).right
    assert not compare(exercise, record(lambda x: x - x.detach() + 1, exercise, [1], inputs), wanted).right


def test_a_class_is_graded_by_the_course_that_looked_at_the_same_traces() -> None:
    roots = [(f.__module__, f.__name__) for f in (compare, record)]
    lines = "\n".join(course_version._sources(roots))
    assert "only lent to it" in lines  # what is said
    assert "named_buffers" in lines  # what is looked at
    assert "inference_mode" in lines


def test_of_a_hidden_case_the_sentence_tells_the_argument_and_nothing_else() -> None:
    exercise = Exercise("double", _cases)
    inputs = [frozen_inputs(exercise, 1)]
    answers = Answers([1], inputs, record(_double, exercise, [1], inputs))
    outcomes = record(_then(LEFT_BEHIND["values in a list"]), exercise, [1], inputs)
    verdict = compare(exercise, outcomes, answers, hidden=True)
    assert verdict.message == f"The values are right, but your function {LEFT['values'].format('parts')}."
    outcomes[0].left = ["values secret = 4711", "values x[0] 4711", "setting 4711", "4711"]
    forged = compare(exercise, outcomes, answers, hidden=True)
    assert not forged.right
    assert "4711" not in forged.message
