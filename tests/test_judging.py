"""The verdict over a recording: every kind of diagnosis, in its order, and nothing of the hidden cases."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from course.exercises import find
from course.judging.dependencies import in_turn
from course.judging.exercise import Case, Exercise, Values, at_least, equal, returned, within
from course.judging.recording import frozen_inputs, record
from course.judging.sheets import Answers
from course.judging.verdict import Verdict, compare, prove_something
from solutions.classroom.release.answers import answer_sheet, parts_of
from solutions.classroom.release.reference_source import home_of, load, replaced
from solutions.misconceptions import misconceptions_of

SEEDS = [1, 2]


def _cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [{"x": torch.from_numpy(rng.normal(size=(3, 4))), "scale": 2.0}]


def double(x: Tensor, scale: float) -> Tensor:
    return scale * x


def forgets_the_scale(x: Tensor, scale: float) -> Tensor:
    return x


def raises_key_error(x: Tensor, scale: float) -> Tensor:
    raise KeyError("no such key 0.1234")


EXERCISE = Exercise("double", _cases, points=3)


def _answers(exercise: Exercise, reference: Callable[..., Any], *wrong: Callable[..., Any]) -> Answers:
    inputs = [frozen_inputs(exercise, seed) for seed in SEEDS]
    sheet = Answers(SEEDS, inputs, record(reference, exercise, SEEDS, inputs), axes={"": "batch inputs"})
    for function in wrong:
        sheet.wrong[function.__name__] = (
            f"You wrote {function.__name__}.",
            record(function, exercise, SEEDS, inputs),
        )
    return Answers.of(sheet.tree())


ANSWERS = _answers(EXERCISE, double, forgets_the_scale, raises_key_error)


def _verdict(fn: Callable[..., Any], hidden: bool = False, **more: Any) -> Verdict:
    return compare(EXERCISE, record(fn, EXERCISE, SEEDS, ANSWERS.inputs), ANSWERS, hidden=hidden, **more)


@pytest.mark.parametrize(
    "fn",
    [
        double,
        lambda x, scale: (x * scale).float(),
        lambda x, scale: (x * scale).numpy(),
        lambda x, scale: (x * scale).requires_grad_(),
        lambda x, scale: (x * scale) * (1 + 5e-5),
        lambda x, scale: torch.nn.Parameter(x * scale),
        lambda x, scale: (scale * x).to_sparse(),
    ],
    ids=["itself", "float32", "numpy", "with history", "within tolerance", "parameter", "sparse"],
)
def test_right_values_are_right_in_any_real_form(fn: Callable[..., Any]) -> None:
    assert _verdict(fn) == Verdict("double", "right", 3, 3, "Right.")


def _open(x: Tensor, scale: float) -> Tensor:
    raise NotImplementedError()


class _AlwaysEqual(Tensor):
    def __eq__(self, other: object) -> Any:
        return True

    def allclose(self, *arguments: Any) -> bool:
        return True


@pytest.mark.parametrize(
    ("fn", "kind", "words"),
    [
        (_open, "open", "Not done yet"),
        (forgets_the_scale, "misconception", "You wrote forgets_the_scale."),
        (raises_key_error, "misconception", "You wrote raises_key_error."),
        (lambda x, scale: 1 / 0, "raised", "ZeroDivisionError"),
        (lambda x: x, "raised", "TypeError: .*. Its arguments should be those of the release"),
        (lambda x, scale: None, "type", "return statement"),
        (lambda x, scale: "tensor", "type", "should be a tensor"),
        (lambda x, scale: list(x[0]), "type", r"value 1: 0\.\d+, and 2 more"),
        (lambda x, scale: (x, x), "type", "one tensor, but it is a collection: value 0: a tensor"),
        (
            lambda x, scale: (scale * x).sum(0),
            "shape",
            r"\(4,\); expected \(3, 4\), that is \(batch, inputs\)",
        ),
        (lambda x, scale: torch.complex(scale * x, x), "dtype", "real ones"),
        (lambda x, scale: torch.where(x > 0, scale * x, float("nan")), "nan", "NaN of 12"),
        (
            lambda x, scale: scale * x + 1,
            "different",
            "first at batch 0, inputs 0: .* 12 of 12 numbers differ",
        ),
        (lambda x, scale: (scale * x + 1).as_subclass(_AlwaysEqual), "different", "differ"),
        (lambda x, scale: np.array([object()]), "type", "ndarray"),
        (lambda x, scale: torch.full((3, 4), float("inf")), "different", "inf instead .* the largest by inf"),
        (lambda x, scale: torch.zeros(1).expand(9_000_000), "type", "9,000,000 elements"),
    ],
)
def test_every_kind_of_wrong_is_named(fn: Callable[..., Any], kind: str, words: str) -> None:
    import re

    verdict = _verdict(fn)
    assert (verdict.kind, verdict.points) == (kind, 0)
    assert re.search(words, verdict.message), verdict.message


def test_a_hidden_verdict_says_nothing_of_inputs_or_expected_values() -> None:
    def leaks(x: Tensor, scale: float) -> Tensor:
        raise RuntimeError(f"secret {x.tolist()}")

    for fn in (
        leaks,
        lambda x, scale: scale * x + 1,
        lambda x, scale: str(x.tolist()),
        lambda x, scale: x[:2],
    ):
        message = _verdict(fn, hidden=True).message
        assert not any(
            f"{number:.2f}" in message for number in ANSWERS.inputs[0][0]["x"].flatten().tolist()
        ), message
        assert "case 1" not in message


def test_a_case_is_known_by_its_short_arguments() -> None:
    assert _verdict(lambda x, scale: x + 1).message.startswith(
        "On case 1 of 2 (scale = 2.0) the result differs"
    )
    assert "scale" not in _verdict(lambda x, scale: x + 1, hidden=True).message


@pytest.mark.parametrize(
    ("axes", "told"),
    [
        ("batch inputs", "first at batch 0, inputs 1:"),
        ("batch *features", "first at batch 0, features 1:"),
        ("*batch", r"first at batch \[0, 1\]:"),
        ("*batch d more", "first at d 0, more 1:"),
        ("*a *b", r"first at \[0, 1\]:"),
        ("*shape", r"first at \[0, 1\]:"),
        ("batch *shape", r"first at \[0, 1\]:"),
        ("batch 2*d+q", r"first at \[0, 1\]:"),
        ("", r"first at \[0, 1\]:"),
    ],
)
def test_the_first_difference_is_at_axes_with_names(axes: str, told: str) -> None:
    sheet = Answers.of(ANSWERS.tree() | {"axes": {"": axes}})
    mine = record(lambda x, scale: scale * x + torch.tensor([0, 1.0, 0, 0]), EXERCISE, SEEDS, ANSWERS.inputs)
    assert re.search(told, compare(EXERCISE, mine, sheet).message)


def test_the_line_of_the_student_s_own_code_is_shown() -> None:
    def mine(x: Tensor, scale: float) -> Tensor:
        return torch.matmul(x, x)  # the culprit

    assert "# the culprit" in _verdict(mine).message


def test_system_exit_is_a_wrong_answer_and_ctrl_c_is_not() -> None:
    def quits(x: Tensor, scale: float) -> Tensor:
        raise SystemExit(0)

    def interrupted(x: Tensor, scale: float) -> Tensor:
        raise KeyboardInterrupt

    assert _verdict(quits).kind == "raised"
    with pytest.raises(KeyboardInterrupt):
        _verdict(interrupted)


def test_a_recording_that_is_too_short_earns_nothing() -> None:
    assert compare(EXERCISE, record(double, EXERCISE, SEEDS[:1]), ANSWERS).kind == "undefined"
    assert compare(EXERCISE, [], ANSWERS).points == 0


def test_whoever_fills_the_memory_is_asked_once() -> None:
    calls = []

    def greedy(x: Tensor, scale: float) -> Tensor:
        calls.append(x)
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")

    assert "more memory" in _verdict(greedy, hidden=True).message
    assert len(calls) == 1


def test_an_extra_value_is_not_right() -> None:
    verdict = _verdict(lambda x, scale: {"": scale * x, "more": x})
    assert verdict.kind == "type"
    assert "more" in verdict.message


def _guarded(x: Tensor, scale: float) -> Tensor:
    if scale > 1:
        raise IndexError("too large")
    return x


def test_who_forgets_a_promised_error_hears_what_the_docstring_asks_for_and_where() -> None:
    sheet = _answers(EXERCISE, _guarded)

    def said(fn: Callable[..., Any], hidden: bool = False) -> str:
        return compare(EXERCISE, record(fn, EXERCISE, SEEDS, sheet.inputs), sheet, hidden=hidden).message

    where = "On case 1 of 2 (scale = 2.0) the docstring asks for an IndexError here; yours returned"
    assert said(double) == f"{where} a tensor of shape (3, 4)."
    assert said(lambda x, scale: None) == f"{where} None."
    assert said(lambda x, scale: 0.5) == f"{where} 0.5."
    assert said(lambda x, scale: (x, x)) == f"{where} 2 values."
    hidden = "On a hidden case the docstring asks for an IndexError here; yours returned a value."
    assert said(double, hidden=True) == hidden


def test_the_student_s_line_stands_on_a_line_of_its_own() -> None:
    def mine(x: Tensor, scale: float) -> Tensor:
        raise OSError("what")  # so

    def guarded(x: Tensor, scale: float) -> Tensor:
        raise TypeError  # so

    lines = _verdict(mine).message.splitlines()
    assert re.fullmatch(r"On case 1 of 2 \(scale = 2.0\) it stopped with OSError in your line \d+:", lines[0])
    assert lines[1:] == ['    raise OSError("what")  # so', "It says: what."]
    sheet = _answers(EXERCISE, _guarded)
    told = compare(EXERCISE, record(guarded, EXERCISE, SEEDS, sheet.inputs), sheet).message.splitlines()
    assert told[1:] == ["    raise TypeError  # so", "The docstring asks for an IndexError here."]
    hidden = _verdict(mine, hidden=True).message.splitlines()
    assert hidden[1:] == ['    raise OSError("what")  # so']


def test_of_truth_values_true_and_false_are_told() -> None:
    sheet = _answers(EXERCISE, lambda x, scale: x > 0)
    for wrong in (lambda x, scale: x < 0, lambda x, scale: (x < 0).float()):
        told = compare(EXERCISE, record(wrong, EXERCISE, SEEDS, sheet.inputs), sheet).message
        assert told.endswith("differs first at batch 0, inputs 0: False instead of True. 12 of 12 differ."), (
            told
        )


def test_a_difference_is_found_by_the_exercise_s_own_rule() -> None:
    """With the usual tolerance, the first difference told was one that the exercise allows."""
    exercise = Exercise("double", _cases, compare=equal(rtol=0, atol=0.1))
    sheet = _answers(exercise, double)

    def wrong(x: Tensor, scale: float) -> Tensor:
        y = scale * x + 0.01
        y[2, 3] += 1
        return y

    told = compare(exercise, record(wrong, exercise, SEEDS, sheet.inputs), sheet).message
    assert "first at batch 2, inputs 3" in told
    assert "1 of 12 numbers differ" in told


def test_parts_are_called_as_the_docstring_calls_them() -> None:
    def parts(text: str, many: int = 2) -> list[str]:
        def reference() -> None: ...

        reference.__doc__ = text
        reference.__annotations__["return"] = tuple[(Tensor,) * many]  # type: ignore[misc]
        return list(parts_of(reference).values())

    assert parts("It reads.\n\nReturns (weights p,\n  read); each row sums to 1.") == ["weights p", "read"]
    assert parts("Returns the output o and the weights p.") == ["output o", "weights p"]
    assert parts("Returns (H, H_Σ, h_P, h_S) in float64.", 4) == ["H", "H_Σ", "h_P", "h_S"]
    assert parts("Returns values, image, row, col, each (channels, k).", 4) == [
        "values",
        "image",
        "row",
        "col",
    ]
    assert parts("Returns a lot: three numbers.", 3) == []
    assert parts("It gives two things.") == []
    assert parts("Returns (weights p, read)", 1) == []
    sheet = _answers(EXERCISE, lambda x, scale: (x, scale * x))
    wrong = record(lambda x, scale: (x, x), EXERCISE, SEEDS, sheet.inputs)
    assert "value 1 differs" in compare(EXERCISE, wrong, sheet).message
    sheet.parts = {"0": "weights p", "1": "read"}
    assert "`read` differs" in compare(EXERCISE, wrong, Answers.of(sheet.tree())).message
    old = {key: value for key, value in sheet.tree().items() if key != "parts"}
    assert "value 1 differs" in compare(EXERCISE, wrong, Answers.of(old)).message


def test_dtype_is_judged_only_where_it_is_promised() -> None:
    strict = Exercise("double", _cases, points=3, dtype=True)
    single = record(lambda x, scale: (scale * x).float(), strict, SEEDS, ANSWERS.inputs)
    assert compare(strict, single, ANSWERS).kind == "dtype"
    assert compare(EXERCISE, single, ANSWERS).right


def test_tolerance_scales_with_the_largest_expected_value() -> None:
    rule = equal()
    small, large = torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1000.0])
    shift = torch.tensor([5e-3, 0.0])
    assert rule({"": large + shift}, {"": large}, "", {}) <= 1
    assert rule({"": small + shift}, {"": small}, "", {}) > 10


def test_infinities_and_nans_must_be_where_they_are_expected() -> None:
    rule = equal()
    want = torch.tensor([float("inf"), float("nan"), 1.0])
    assert rule({"": want.clone()}, {"": want}, "", {}) == 0
    assert rule({"": torch.tensor([float("-inf"), float("nan"), 1.0])}, {"": want}, "", {}) == float("inf")


def test_within_uses_the_reference_s_standard_error_not_the_student_s() -> None:
    rule = within(4, "error")
    want: Values = {"mean": torch.tensor([1.0]), "error": torch.tensor([0.1])}
    assert rule({"mean": torch.tensor([1.3]), "error": torch.tensor([0.0])}, want, "mean", {}) <= 1
    assert rule({"mean": torch.tensor([2.0]), "error": torch.tensor([99.0])}, want, "mean", {}) > 1
    flat: Values = {"mean": torch.tensor([-float("inf")]), "error": torch.tensor([0.0])}
    assert rule(flat, flat, "mean", {}) == 0
    assert rule({"mean": torch.tensor([float("nan")])}, flat, "mean", {}) > 1


def test_at_least_accepts_better_and_rejects_worse_or_nonsense() -> None:
    exercise = Exercise(
        "double", _cases, compare={"": at_least(lambda case, values: float(values[""].mean()), 0.1)}
    )
    sheet = _answers(exercise, lambda x, scale: torch.tensor(1.0), lambda x, scale: torch.tensor(-5.0))

    def kind(value: Any) -> str:
        return compare(exercise, record(lambda x, scale: value, exercise, SEEDS, sheet.inputs), sheet).kind

    assert kind(torch.tensor(7.0)) == "right"
    assert kind(torch.tensor(0.95)) == "right"
    assert kind(torch.tensor(0.5)) == "different"
    assert kind(torch.tensor(-5.0)) == "misconception"
    assert kind(torch.tensor(float("nan"))) != "right"
    assert kind("high") != "right"


def test_right_given_a_dependency_s_misconception_earns_full_points() -> None:
    sheet = Answers.of(ANSWERS.tree())
    sheet.given[("halve", "halves_twice")] = record(
        lambda x, scale: scale * x / 3, EXERCISE, SEEDS, ANSWERS.inputs
    )
    mine = record(lambda x, scale: scale * x / 3, EXERCISE, SEEDS, ANSWERS.inputs)

    def theirs(kind: Any, misconception: str = "") -> dict[str, Verdict]:
        return {"halve": Verdict("halve", kind, 0, 1, "…", misconception)}

    following = compare(EXERCISE, mine, sheet, theirs("misconception", "halves_twice"))
    assert (following.kind, following.points, following.follows) == ("right", 3, "halve")
    assert "given your halve" in following.message
    assert compare(EXERCISE, mine, sheet, theirs("different")).kind == "follows"
    assert compare(EXERCISE, mine, sheet, theirs("right")).kind == "different"


def test_right_given_two_mistakes_at_once_earns_full_points() -> None:
    sheet = Answers.of(ANSWERS.tree())
    pair = (("halve", "halves_twice"), ("shift", "shifts_left"))
    sheet.given_both[pair] = record(lambda x, scale: scale * x / 5, EXERCISE, SEEDS, ANSWERS.inputs)
    sheet = Answers.of(sheet.tree())
    mine = record(lambda x, scale: scale * x / 5, EXERCISE, SEEDS, ANSWERS.inputs)

    def theirs(*names: str) -> dict[str, Verdict]:
        return {
            exercise: Verdict(exercise, "misconception", 0, 1, "…", name)
            for (exercise, _), name in zip(pair, names, strict=True)
        }

    both = compare(EXERCISE, mine, sheet, theirs("halves_twice", "shifts_left"))
    assert (both.kind, both.points, both.message) == ("right", 3, "Right, given your halve and shift.")
    assert compare(EXERCISE, mine, sheet, theirs("halves_twice", "shifts_right")).kind == "follows"
    older = {name: part for name, part in sheet.tree().items() if name != "given_both"}
    assert compare(EXERCISE, mine, Answers.of(older), theirs("halves_twice", "shifts_left")).kind == "follows"


def test_what_is_to_be_finished_first_is_what_waits_for_nothing_else() -> None:
    wrong = Verdict("shift", "different", 0, 1, "…")
    waits = Verdict("halve", "follows", 0, 1, "Finish shift first.", follows="shift")
    mine = record(lambda x, scale: x + 9, EXERCISE, SEEDS, ANSWERS.inputs)
    assert compare(EXERCISE, mine, ANSWERS, {"halve": waits, "shift": wrong}).follows == "shift"


@pytest.mark.parametrize("wanted", ["top", "middle", "deep"])
def test_whoever_asks_for_one_gets_it_behind_what_it_calls(wanted: str) -> None:
    uses = {"top": ["middle", "deep"], "middle": ["deep"], "deep": []}
    sheet = {name: Answers([], [], [], uses=called) for name, called in uses.items()}
    assert in_turn([wanted], sheet) == [
        n for n in ("deep", "middle", "top") if n == wanted or n in uses[wanted]
    ]


def test_an_exception_is_no_proof_that_a_dependency_was_followed() -> None:
    """`raise RuntimeError` earned the points of whatever called an exercise with a misconception that makes it fail."""
    sheet = Answers.of(ANSWERS.tree())

    def fails(x: Tensor, scale: float) -> Tensor:
        raise RuntimeError

    sheet.given[("halve", "halves_twice")] = record(fails, EXERCISE, SEEDS, ANSWERS.inputs)
    theirs = {"halve": Verdict("halve", "misconception", 0, 1, "…", "halves_twice")}
    verdict = compare(EXERCISE, record(fails, EXERCISE, SEEDS, ANSWERS.inputs), sheet, theirs)
    assert (verdict.kind, verdict.points, verdict.follows) == ("follows", 0, "halve")


def _halve_if_positive(x: Tensor, scale: float) -> Tensor:
    if scale < 0:
        raise ValueError
    return scale * x / 2


def test_whoever_keeps_a_promise_that_their_dependency_forgot_still_follows_it() -> None:
    """The reference given the misconception lets the error pass; a student who asks for it beforehand does not."""
    exercise = Exercise("halve", lambda seed: [*_cases(seed), {**_cases(seed)[0], "scale": -1.0}], points=3)
    inputs = [frozen_inputs(exercise, seed) for seed in SEEDS]
    sheet = Answers(SEEDS, inputs, record(_halve_if_positive, exercise, SEEDS, inputs))
    sheet.given[("double", "forgets_the_scale")] = record(lambda x, scale: x / 2, exercise, SEEDS, inputs)
    theirs = {"double": Verdict("double", "misconception", 0, 1, "…", "forgets_the_scale")}

    def asks_beforehand(x: Tensor, scale: float) -> Tensor:
        return x / 2 if scale > 0 else _halve_if_positive(x, scale)

    def raises_always(x: Tensor, scale: float) -> Tensor:
        raise ValueError

    for fn, kind in ((asks_beforehand, "right"), (raises_always, "follows")):
        assert compare(exercise, record(fn, exercise, SEEDS, inputs), sheet, theirs).kind == kind


def test_a_librarys_own_kind_of_a_promised_error_is_that_error() -> None:
    class SingularError(ValueError):
        pass

    def singular(x: Tensor, scale: float) -> Tensor:
        raise SingularError

    outcomes = record(singular, EXERCISE, SEEDS, ANSWERS.inputs)
    assert {outcome.raised for outcome in outcomes} == {"ValueError"}


def test_a_score_that_fails_on_what_was_recorded_is_a_wrong_answer() -> None:
    """Anybody may have written a recording; what no score was made for must not end the grading of a class."""
    for trouble in (ZeroDivisionError, OverflowError, MemoryError, AssertionError):

        def score(case: Case, values: Values, trouble: type[Exception] = trouble) -> float:
            if isinstance(values[""], str):
                raise trouble
            return 1.0

        assert at_least(score, 0.1)({"": "odd"}, {"": torch.ones(1)}, "", {}) == float("inf")


def test_observe_names_what_the_default_lays_out() -> None:
    values = returned(lambda x: {"a": (x, 2), "b": "text"}, {"x": torch.ones(1)})
    assert list(values) == ["a.0", "a.1", "b"]


@pytest.mark.parametrize(
    ("chapter", "deep", "top"),
    [
        ("03_activation_maximization", "penalized", "maximize_latent"),
        ("12_sequence_attention", "additive_scores", "spatial_attention"),
        ("13_self_attention", "split_heads", "encoder_block"),
    ],
)
def test_a_misconception_costs_only_its_own_exercise_however_much_is_built_on_it(
    chapter: str, deep: str, top: str
) -> None:
    sheet = answer_sheet(chapter, SEEDS)
    assert deep in sheet[top].uses
    for name, functions in misconceptions_of(chapter).items():
        above = [other for other, part in sheet.items() if name in part.uses]
        for function in functions if above else []:
            with replaced(home_of()[name], name, function):
                verdicts: dict[str, Verdict] = {}
                for other, part in sheet.items():
                    if other not in (name, *above):
                        continue
                    mine = function if other == name else load(home_of()[other], other)
                    exercise = find(other)[1]
                    recorded = record(mine, exercise, part.seeds, part.inputs)
                    verdicts[other] = compare(exercise, recorded, part, verdicts, hidden=True)
            assert verdicts.pop(name).misconception == function.__name__
            for other, verdict in verdicts.items():
                judged = prove_something(sheet[other].given[name, function.__name__])
                assert verdict.kind == ("right" if judged else "follows"), (function.__name__, verdict)
