"""verdict = compare(recording, answer sheet): the one mechanism behind `check` and behind every grade."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from course.archive import Tree
from course.exercise import NO_SLOPE, SLOPE, Case, Exercise, Values
from course.recording import Outcome, fresh_cases
from course.traces import said

Kind = Literal[
    "right",
    "follows",
    "open",
    "misconception",
    "changed",
    "raised",
    "type",
    "shape",
    "dtype",
    "device",
    "nan",
    "different",
    "undefined",
    "killed",
]


@dataclass(frozen=True)
class Verdict:
    """Points and the one sentence that says why.

    kind: how the diagnosis ended. misconception: its name, where one matched. follows: the exercise to finish first,
    or the one given which this is right.
    """

    exercise: str
    kind: Kind
    points: float
    of: float
    message: str
    misconception: str = ""
    follows: str = ""

    @property
    def right(self) -> bool:
        return self.kind == "right"


@dataclass
class Answers:
    """One exercise's part of an answer sheet.

    wrong: misconception → (its sentence, what it returns). given: (dependency, misconception of it) → what the
    reference returns when the dependency has that misconception. axes: value name → axis names of its shape.
    """

    seeds: list[int]
    inputs: list[Tree]
    expected: list[Outcome]
    wrong: dict[str, tuple[str, list[Outcome]]] = field(default_factory=dict)
    given: dict[tuple[str, str], list[Outcome]] = field(default_factory=dict)
    axes: dict[str, str] = field(default_factory=dict)
    uses: list[str] = field(default_factory=list)
    _cases: list[Case] = field(default_factory=list, repr=False, compare=False)

    def cases(self, exercise: Exercise) -> list[Case]:
        """The cases that are answered here; made once, for comparing changes nothing in them."""
        if not self._cases:
            inputs = zip(self.seeds, self.inputs, strict=True)
            self._cases = [case for seed, ice in inputs for case in fresh_cases(exercise, seed, ice)]
        return self._cases

    def tree(self) -> Tree:
        return {
            "seeds": self.seeds,
            "inputs": self.inputs,
            "expected": [outcome.tree() for outcome in self.expected],
            "wrong": [
                [name, text, [o.tree() for o in outcomes]] for name, (text, outcomes) in self.wrong.items()
            ],
            "given": [[*pair, [o.tree() for o in outcomes]] for pair, outcomes in self.given.items()],
            "axes": self.axes,
            "uses": self.uses,
        }

    @classmethod
    def of(cls, tree: Tree) -> "Answers":
        return cls(
            seeds=tree["seeds"],
            inputs=tree["inputs"],
            expected=[Outcome.of(o) for o in tree["expected"]],
            wrong={name: (text, [Outcome.of(o) for o in outcomes]) for name, text, outcomes in tree["wrong"]},
            given={(name, bad): [Outcome.of(o) for o in outcomes] for name, bad, outcomes in tree["given"]},
            axes=tree["axes"],
            uses=tree["uses"],
        )


def compare(
    exercise: Exercise,
    recorded: Sequence[Outcome],
    answers: Answers,
    dependencies: Mapping[str, Verdict] | None = None,
    hidden: bool = False,
) -> Verdict:
    """The verdict over one recording.

    dependencies: the verdicts of the exercises that this one calls. hidden: say nothing of inputs and expected values.
    Order: right · right given a dependency's misconception · not done yet · a misconception · finish the dependency
    first · what was left behind · raised · type · shape · dtype · device · NaN · first difference.
    """
    cases = answers.cases(exercise)
    dependencies = dependencies or {}

    def verdict(kind: Kind, message: str, points: float = 0, **more: str) -> Verdict:
        return Verdict(exercise.name, kind, points, exercise.points, message, **more)

    def same(outcomes: Sequence[Outcome], one_sided: bool = False, traceless: bool = False) -> bool:
        return len(recorded) == len(outcomes) and all(
            distance(exercise, got, want, case, one_sided, traceless) <= 1
            for got, want, case in zip(recorded, outcomes, cases, strict=True)
        )

    if same(answers.expected, one_sided=True):
        promised = _dtype_differs(exercise, recorded, answers.expected)
        if promised:
            return verdict("dtype", promised)
        return verdict("right", "Right.", exercise.points)

    for (name, bad), outcomes in answers.given.items():
        theirs = dependencies.get(name)
        believed = theirs is not None and theirs.misconception == bad and prove_something(outcomes)
        if believed and same(outcomes, one_sided=True):
            return verdict("right", f"Right, given your {name}.", exercise.points, follows=name)

    missing = next((o for o in recorded if o.open), None)
    unfinished = [name for name, theirs in dependencies.items() if not theirs.right]
    if missing is not None and missing.function in unfinished:
        return verdict(
            "follows", f"Finish {missing.function} first: this one calls it.", follows=missing.function
        )
    if missing is not None:
        return verdict("open", "Not done yet.")

    for name, (sentence, outcomes) in answers.wrong.items():
        if same(outcomes):
            return verdict("misconception", sentence, misconception=name)

    if unfinished:
        return verdict("follows", f"Finish {unfinished[0]} first: this one calls it.", follows=unfinished[0])

    left = next(filter(None, map(_left_sentence, recorded, answers.expected, cases)), "")
    if left:
        if not same(answers.expected, one_sided=True, traceless=True):
            for name, (sentence, outcomes) in answers.wrong.items():
                if same(outcomes, traceless=True):
                    return verdict("misconception", sentence, misconception=name)
        return verdict("changed", left)

    return verdict(*_first_difference(exercise, recorded, answers, cases, hidden))


def _left_sentence(got: Outcome, want: Outcome, case: Case) -> str:
    """What a call has left behind that the reference does not, in words; "" for nothing."""
    return next(filter(None, (said(left, case) for left in got.left if left not in want.left)), "")


def prove_something(outcomes: Sequence[Outcome]) -> bool:
    """Whether matching these outcomes shows that a function is right: not if they are all exceptions, which anybody can raise."""
    return not all(outcome.raised for outcome in outcomes)


def distance(
    exercise: Exercise,
    got: Outcome,
    want: Outcome,
    case: Case,
    one_sided: bool = False,
    traceless: bool = False,
) -> float:
    """The largest distance over all compared values, in tolerances, infinite where another thing was left behind.

    one_sided: better than wanted counts as 0. traceless: whatever was left behind.
    """
    if not traceless and set(got.left) != set(want.left):
        return float("inf")
    if got.raised or want.raised:
        return 0.0 if got.raised == want.raised else float("inf")
    names = [name for name in want.values if exercise.rule(name) is not None]
    if any(name not in got.values for name in names):
        return float("inf")
    if not isinstance(exercise.compare, Mapping) and set(got.values) != set(want.values):
        return float("inf")
    worst = 0.0
    for name in names:
        step = _distance_of(exercise, got.values, want.values, name, case)
        worst = max(worst, step if one_sided else abs(step))
    return worst


def _distance_of(exercise: Exercise, got: Values, want: Values, name: str, case: Case) -> float:
    rule = exercise.rule(name)
    assert rule is not None
    mine = got[name]
    if isinstance(mine, Tensor) and (mine.is_complex() or mine.dtype not in _REAL):
        return float("inf")
    return rule(got, want, name, case)


_REAL = {
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
    torch.bool,
}


def _dtype_differs(exercise: Exercise, recorded: Sequence[Outcome], expected: Sequence[Outcome]) -> str:
    if not exercise.dtype:
        return ""
    for got, want in zip(recorded, expected, strict=True):
        for name, value in want.values.items():
            mine = got.values.get(name)
            if isinstance(value, Tensor) and isinstance(mine, Tensor) and mine.dtype != value.dtype:
                return f"The values are right, but {_called(name)} is {_bare(mine)} where the docstring promises {_bare(value)}."
    return ""


def _bare(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")


def _called(name: str) -> str:
    if name.startswith(SLOPE):
        return f"the gradient that arrives at `{name.removeprefix(SLOPE)}`"
    return f"value {name}" if name else "the result"


def _first_difference(
    exercise: Exercise, recorded: Sequence[Outcome], answers: Answers, cases: Sequence[Case], hidden: bool
) -> tuple[Kind, str]:
    """The generic messages: what is wrong with the first case that is wrong."""
    for number, (got, want, case) in enumerate(zip(recorded, answers.expected, cases, strict=False), start=1):
        if distance(exercise, got, want, case, one_sided=True) <= 1:
            continue
        which = "On a hidden case" if hidden else f"On case {number} of {len(cases)}{_told(case)}"
        if got.raised:
            return "raised", _raised(got, want, which, hidden)
        if want.raised:
            return "raised", f"{which} the docstring asks for a {want.raised}, but a value came back."
        for name in want.values:
            found = _difference_of(exercise, got, want, name, case, answers, which, hidden)
            if found:
                return found
        extra = sorted(set(got.values) - set(want.values))
        named = "" if hidden else f": {', '.join(_called(name) for name in extra)}"
        return "type", f"{which} more came back than expected{named}."
    if len(recorded) != len(answers.expected):
        return (
            "undefined",
            "The recording is incomplete: the function ended the process before all cases were seen.",
        )
    return "different", "The recording differs from the answer sheet."


def _told(case: Case) -> str:
    """The arguments of a case that are told in a word, to know it by: " (target = 3)"."""
    short = {
        name: value
        for name, value in case.items()
        if value is None
        or isinstance(value, bool | int | float)
        or (isinstance(value, str) and len(value) < 20)
    }
    told = ", ".join(f"{name} = {value!r}" for name, value in short.items())
    return f" ({told})" if told and len(told) < 60 else ""


_MISCALLED = ("positional argument", "takes no arguments", "unexpected keyword argument")
"""What Python says when a call does not fit the function's signature."""


def _raised(got: Outcome, want: Outcome, which: str, hidden: bool) -> str:
    where = f" in your line {got.line} ({got.text})" if got.text and got.line else ""
    if got.raised == "MemoryError":
        return f"{which} it wanted more memory than it may have{where}."
    said = "" if hidden or not got.message else f": {got.message}"
    asked = f" The docstring asks for a {want.raised} here." if want.raised else ""
    if got.raised == "TypeError" and not got.text and any(words in got.message for words in _MISCALLED):
        asked = " Its arguments should be those of the release."
    return f"{which} it stopped with {got.raised}{where}{said}.{asked}".replace("..", ".")


def _difference_of(
    exercise: Exercise,
    got: Outcome,
    want: Outcome,
    name: str,
    case: Case,
    answers: Answers,
    which: str,
    hidden: bool,
) -> tuple[Kind, str] | None:
    expected = want.values[name]
    rule = exercise.rule(name)
    if name not in got.values:
        surplus = {key: value for key, value in got.values.items() if key not in want.values}
        told = [f"{_called(key)}: {_described(value)}" for key, value in surplus.items()]
        returned = ", ".join(told if len(told) <= 3 else [*told[:2], f"and {len(told) - 2} more"])
        back = "" if hidden else f": {returned or 'nothing'}"
        if name == "" and surplus:
            return "type", f"{which} the result should be one tensor, but it is a collection{back}."
        return "type", f"{which} {_called(name)} is missing; what came back instead{back}."
    if rule is None:
        return None
    mine = got.values[name]
    if name.startswith(SLOPE) and mine == NO_SLOPE and isinstance(expected, Tensor):
        return "different", (
            f"{which} the values are right, but no gradient reaches `{name.removeprefix(SLOPE)}`, and the chapter trains"
            " through this function: nothing in it may cut the gradient off (no_grad, detach, item, numpy)."
        )
    if isinstance(expected, Tensor) and isinstance(mine, str):
        but = "" if hidden else f", but it is {_described(mine)}"
        return "type", f"{which} {_called(name)} should be a tensor{but}.{_forgot(mine)}"
    if isinstance(expected, str) or isinstance(mine, str):
        if mine == expected:
            return None
        shown = "" if hidden else f": {_described(mine)} instead of {_described(expected)}"
        return "different", f"{which} {_called(name)} differs{shown}.{_forgot(mine)}"
    if mine.is_complex() or mine.dtype not in _REAL:
        return "dtype", f"{which} {_called(name)} holds {_bare(mine)} numbers; real ones are asked for."
    if mine.shape != expected.shape:
        axes = f" ({', '.join(answers.axes[name].split())})" if answers.axes.get(name) else ""
        if hidden:
            asked = f": its axes should be{axes}" if axes else ""
            return "shape", f"{which} {_called(name)} has the wrong shape{asked}."
        that_is = f", that is{axes}" if axes else ""
        got_shape, want_shape = tuple(mine.shape), tuple(expected.shape)
        return "shape", f"{which} {_called(name)} has shape {got_shape}; expected {want_shape}{that_is}."
    run, home = got.devices.get(name, "cpu"), want.devices.get(name, "cpu")
    if run != home and home != "cpu":
        return "device", f"{which} {_called(name)} is on {run}; it should stay where its input is, on {home}."
    if bool(mine.isnan().any()) and not bool(expected.isnan().any()):
        count = "NaN" if hidden else f"{int(mine.isnan().sum())} NaN of {mine.numel()} numbers"
        return "nan", f"{which} {_called(name)} holds {count}. Look for 0/0, log 0 or ∞ − ∞."
    if rule(got.values, want.values, name, case) <= 1:
        return None
    if hidden:
        return (
            "different",
            f"{which} {_called(name)} differs from what the formula gives. Run check again, and try inputs of your own.",
        )
    return "different", f"{which} {_called(name)} differs{_where(mine, expected, answers.axes.get(name, ''))}"


def _forgot(value: Tensor | str) -> str:
    nothing = isinstance(value, str) and value == "<NoneType>"
    return " Is a return statement missing?" if nothing else ""


def _described(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return (
        "None"
        if value == "<NoneType>"
        else f"a {value[1:-1]}"
        if value.startswith("<") and value.endswith(">")
        else repr(value[:80])
    )


def _where(mine: Tensor, expected: Tensor, axes: str) -> str:
    """Where the first clear difference is, and how large the largest one."""
    gap = (mine.double() - expected.double()).abs()
    gap = torch.nan_to_num(gap, nan=float("inf"), posinf=float("inf"))
    limit = 1e-4 * expected.double().abs() + 1e-5 * float(expected.double().abs().max().clamp_min(1e-30))
    wrong = gap > limit
    count = int(wrong.sum())
    if not count:
        return "."
    place = [int(i) for i in wrong.nonzero()[0]]
    at = f" first at {_place(place, axes.split())}" if place else ""
    got, want = float(mine[tuple(place)]), float(expected[tuple(place)])
    largest = (
        f" {count} of {mine.numel()} numbers differ, the largest by {float(gap.max()):.4g}."
        if mine.numel() > 1
        else ""
    )
    return f"{at}: {got:.6g} instead of {want:.6g}.{largest}"


def _place(place: list[int], names: list[str]) -> str:
    """An index with the names of its axes; one name with a star may stand for several: "batch 0, features [0, 2]"."""
    starred = [name.startswith("*") for name in names]
    more = len(place) - len(names)
    if not names or sum(starred) > 1 or more < -sum(starred) or (more and not any(starred)):
        return str(place)
    parts = []
    for name, star in zip(names, starred, strict=True):
        here, place = place[: 1 + more * star], place[1 + more * star :]
        if here:
            parts.append(f"{name.lstrip('*')} {here[0] if len(here) == 1 else here}")
    return ", ".join(parts)
