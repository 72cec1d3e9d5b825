"""What is wrong with a recorded call, in a sentence, where no misconception says it better: the first difference."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from course.judging.exercise import NO_SLOPE, SLOPE, Case, Equal, Exercise, Rule, is_real
from course.judging.recording import Outcome
from course.judging.sheets import Answers

Difference = Literal["raised", "type", "shape", "dtype", "device", "nan", "different"]


def first_difference(
    exercise: Exercise,
    got: Outcome,
    want: Outcome,
    case: Case,
    answers: Answers,
    which: str,
    hidden: bool,
) -> tuple[Difference, str]:
    """How one call differs from the reference's. which: how the case is called. hidden: tell nothing that it was asked or gave."""
    if got.raised:
        return "raised", _raised(got, want, which, hidden)
    if want.raised:
        came = [_described(value, name) for name, value in got.values.items() if not name.startswith(SLOPE)]
        back = "a value" if hidden or not came else came[0] if len(came) == 1 else f"{len(came)} values"
        return "raised", f"{which} the docstring asks for {_an(want.raised)} here; yours returned {back}."
    for name in want.values:
        found = _difference_of(exercise, got, want, name, case, answers, which, hidden)
        if found:
            return found
    extra = sorted(set(got.values) - set(want.values))
    named = "" if hidden else f": {', '.join(_called(name, answers) for name in extra)}"
    return "type", f"{which} more came back than expected{named}."


def dtype_not_as_promised(exercise: Exercise, recorded: Sequence[Outcome], answers: Answers) -> str:
    """What is said of values that are right in another dtype than the docstring promises; "" where that is not so."""
    if not exercise.dtype:
        return ""
    for got, want in zip(recorded, answers.expected, strict=True):
        for name, value in want.values.items():
            mine = got.values.get(name)
            if isinstance(value, Tensor) and isinstance(mine, Tensor) and mine.dtype != value.dtype:
                return f"The values are right, but {_called(name, answers)} is {_bare(mine)} where the docstring promises {_bare(value)}."
    return ""


def short_arguments(case: Case) -> str:
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


def _raised(got: Outcome, want: Outcome, which: str, hidden: bool) -> str:
    where = f" in your line {got.line}:\n    {got.text}\n" if got.text and got.line else ""
    if got.raised == "MemoryError":
        return f"{which} it wanted more memory than it may have{where or '.'}".rstrip()
    said = "" if hidden or not got.message else got.message.rstrip(".")
    told = f"It says: {said}." if where and said else f": {said}." if said else "" if where else "."
    asked = f"The docstring asks for {_an(want.raised)} here." if want.raised else ""
    if got.miscalled:
        asked = "Its arguments should be those of the release."
    space = "" if where and not told else " "
    return f"{which} it stopped with {got.raised}{where}{told}{space if asked else ''}{asked}".rstrip()


def _an(error: str) -> str:
    return f"{'an' if error[:1] in 'AEIOU' else 'a'} {error}"


def _difference_of(
    exercise: Exercise,
    got: Outcome,
    want: Outcome,
    name: str,
    case: Case,
    answers: Answers,
    which: str,
    hidden: bool,
) -> tuple[Difference, str] | None:
    expected, axes = want.values[name], answers.axes
    rule = exercise.rule(name)
    if name not in got.values:
        surplus = {key: value for key, value in got.values.items() if key not in want.values}
        told = [f"{_called(key, answers)}: {_described(value)}" for key, value in surplus.items()]
        returned = ", ".join(told if len(told) <= 3 else [*told[:2], f"and {len(told) - 2} more"])
        back = "" if hidden else f": {returned or 'nothing'}"
        if name == "" and surplus:
            return "type", f"{which} the result should be one tensor, but it is a collection{back}."
        return "type", f"{which} {_called(name, answers)} is missing; what came back instead{back}."
    if rule is None:
        return None
    mine = got.values[name]
    if name.startswith(SLOPE) and rule(got.values, want.values, name, case) <= 1:
        return None
    if name.startswith(SLOPE) and mine == NO_SLOPE and isinstance(expected, Tensor):
        return "different", (
            f"{which} the values are right, but no gradient reaches `{name.removeprefix(SLOPE)}`, and gradients are to"
            " flow through this function: nothing in it may cut them off (no_grad, detach, item, numpy)."
        )
    if isinstance(expected, Tensor) and isinstance(mine, str):
        but = "" if hidden else f", but it is {_described(mine)}"
        return "type", f"{which} {_called(name, answers)} should be a tensor{but}.{_forgot(mine)}"
    if isinstance(expected, str) or isinstance(mine, str):
        if mine == expected:
            return None
        shown = "" if hidden else f": {_described(mine)} instead of {_described(expected)}"
        return "different", f"{which} {_called(name, answers)} differs{shown}.{_forgot(mine)}"
    if not is_real(mine):
        return (
            "dtype",
            f"{which} {_called(name, answers)} holds {_bare(mine)} numbers; real ones are asked for.",
        )
    if mine.shape != expected.shape:
        named = f" ({', '.join(axes[name].split())})" if axes.get(name) else ""
        if hidden:
            asked = f": its axes should be{named}" if named else ""
            return "shape", f"{which} {_called(name, answers)} has the wrong shape{asked}."
        that_is = f", that is{named}" if named else ""
        got_shape, want_shape = tuple(mine.shape), tuple(expected.shape)
        return (
            "shape",
            f"{which} {_called(name, answers)} has shape {got_shape}; expected {want_shape}{that_is}.",
        )
    run, home = got.devices.get(name, "cpu"), want.devices.get(name, "cpu")
    if run != home and home != "cpu":
        return (
            "device",
            f"{which} {_called(name, answers)} is on {run}; it should stay where its input is, on {home}.",
        )
    if bool(mine.isnan().any()) and not bool(expected.isnan().any()):
        count = "NaN" if hidden else f"{int(mine.isnan().sum())} NaN of {mine.numel()} numbers"
        return "nan", f"{which} {_called(name, answers)} holds {count}. Look for 0/0, log 0 or ∞ − ∞."
    if rule(got.values, want.values, name, case) <= 1:
        return None
    if hidden:
        return (
            "different",
            f"{which} {_called(name, answers)} differs from what the formula gives. Run check again, and try inputs of your own.",
        )
    return (
        "different",
        f"{which} {_called(name, answers)} differs{_where(mine, expected, axes.get(name, ''), rule, case)}",
    )


def _forgot(value: Tensor | str) -> str:
    nothing = isinstance(value, str) and value == "<NoneType>"
    return " Is a return statement missing?" if nothing else ""


def _described(value: Tensor | str, name: str = "") -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}" if value.dim() else _number(value)
    kind = value.startswith("<") and value.endswith(">")
    return "None" if value == "<NoneType>" else f"a {value[1:-1]}" if kind else repr(value[:80])


def _where(mine: Tensor, expected: Tensor, axes: str, rule: Rule, case: Case) -> str:
    """Where the first clear difference is, and how large the largest one."""
    wrong = (rule if isinstance(rule, Equal) else Equal()).everywhere(mine, expected, case) > 1
    count = int(wrong.sum())
    if not count:
        return "."
    place = [int(i) for i in wrong.nonzero()[0]]
    at = f" first at {_place(place, axes.split())}" if place else ""
    got, want = mine[tuple(place)], expected[tuple(place)]
    counted = f" {count} of {mine.numel()} differ" if mine.numel() > 1 else ""
    if expected.dtype == torch.bool:
        return f"{at}: {_truth(got)} instead of {_truth(want)}.{counted}{'.' if counted else ''}"
    gap = torch.nan_to_num((mine.double() - expected.double()).abs(), nan=float("inf"), posinf=float("inf"))
    largest = f"{counted.replace(' differ', ' numbers differ')}, the largest by {float(gap.max()):.4g}."
    return f"{at}: {_number(got)} instead of {_number(want)}.{largest if counted else ''}"


def _number(value: Tensor) -> str:
    return str(bool(value)) if value.dtype == torch.bool else f"{float(value):.6g}"


def _truth(value: Tensor) -> str:
    """A number that stands where True or False is asked for, as that where it is one of them."""
    return str(bool(value)) if float(value) in (0, 1) else _number(value)


_WHOLES = ("*shape", "*image", "*kernel", "*space")
"""Names for all axes together, by which no single one can be called."""


def _place(place: list[int], names: list[str]) -> str:
    """An index, with the names of its axes where each has one: "[2, 0]", or "batch 0, features 2"; *batch may be several."""
    more = len(place) - len(names)
    starred = [name.startswith("*") for name in names]
    named = all(name.lstrip("*").isidentifier() for name in names) and sum(starred) <= 1
    named = named and not any(name in _WHOLES for name in names)
    if not names or not named or more < -sum(starred) or (more and not any(starred)):
        return str(place)
    parts = []
    for name, star in zip(names, starred, strict=True):
        here, place = place[: 1 + more * star], place[1 + more * star :]
        if here:
            parts.append(f"{name.lstrip('*')} {here[0] if len(here) == 1 else here}")
    return ", ".join(parts)


def _bare(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")


def _called(name: str, answers: Answers) -> str:
    """A value as the docstring calls it, or by its place."""
    if name.startswith(SLOPE):
        return f"the gradient that arrives at `{name.removeprefix(SLOPE)}`"
    part, dot, rest = name.partition(".")
    if part in answers.parts:
        return f"`{answers.parts[part]}`" + (f", value {rest}," if dot else "")
    return f"value {name}" if name else "the result"
