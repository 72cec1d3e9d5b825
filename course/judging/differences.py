"""What is wrong with a recorded call, in a sentence, where no misconception says it better: the first difference."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from course.judging.exercise import NO_SLOPE, SLOPE, Case, Exercise, is_real
from course.judging.recording import Outcome

Difference = Literal["raised", "type", "shape", "dtype", "device", "nan", "different"]


def first_difference(
    exercise: Exercise,
    got: Outcome,
    want: Outcome,
    case: Case,
    axes: Mapping[str, str],
    which: str,
    hidden: bool,
) -> tuple[Difference, str]:
    """How one call differs from the reference's. which: how the case is called. hidden: tell nothing that it was asked or gave."""
    if got.raised:
        return "raised", _raised(got, want, which, hidden)
    if want.raised:
        return "raised", f"{which} the docstring asks for a {want.raised}, but a value came back."
    for name in want.values:
        found = _difference_of(exercise, got, want, name, case, axes, which, hidden)
        if found:
            return found
    extra = sorted(set(got.values) - set(want.values))
    named = "" if hidden else f": {', '.join(_called(name) for name in extra)}"
    return "type", f"{which} more came back than expected{named}."


def dtype_not_as_promised(
    exercise: Exercise, recorded: Sequence[Outcome], expected: Sequence[Outcome]
) -> str:
    """What is said of values that are right in another dtype than the docstring promises; "" where that is not so."""
    if not exercise.dtype:
        return ""
    for got, want in zip(recorded, expected, strict=True):
        for name, value in want.values.items():
            mine = got.values.get(name)
            if isinstance(value, Tensor) and isinstance(mine, Tensor) and mine.dtype != value.dtype:
                return f"The values are right, but {_called(name)} is {_bare(mine)} where the docstring promises {_bare(value)}."
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
    where = f" in your line {got.line} ({got.text})" if got.text and got.line else ""
    if got.raised == "MemoryError":
        return f"{which} it wanted more memory than it may have{where}."
    said = "" if hidden or not got.message else f": {got.message.removesuffix('.')}"
    asked = f" The docstring asks for a {want.raised} here." if want.raised else ""
    if got.miscalled:
        asked = " Its arguments should be those of the release."
    return f"{which} it stopped with {got.raised}{where}{said}.{asked}"


def _difference_of(
    exercise: Exercise,
    got: Outcome,
    want: Outcome,
    name: str,
    case: Case,
    axes: Mapping[str, str],
    which: str,
    hidden: bool,
) -> tuple[Difference, str] | None:
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
    if name.startswith(SLOPE) and rule(got.values, want.values, name, case) <= 1:
        return None
    if name.startswith(SLOPE) and mine == NO_SLOPE and isinstance(expected, Tensor):
        return "different", (
            f"{which} the values are right, but no gradient reaches `{name.removeprefix(SLOPE)}`, and gradients are to"
            " flow through this function: nothing in it may cut them off (no_grad, detach, item, numpy)."
        )
    if isinstance(expected, Tensor) and isinstance(mine, str):
        but = "" if hidden else f", but it is {_described(mine)}"
        return "type", f"{which} {_called(name)} should be a tensor{but}.{_forgot(mine)}"
    if isinstance(expected, str) or isinstance(mine, str):
        if mine == expected:
            return None
        shown = "" if hidden else f": {_described(mine)} instead of {_described(expected)}"
        return "different", f"{which} {_called(name)} differs{shown}.{_forgot(mine)}"
    if not is_real(mine):
        return "dtype", f"{which} {_called(name)} holds {_bare(mine)} numbers; real ones are asked for."
    if mine.shape != expected.shape:
        named = f" ({', '.join(axes[name].split())})" if axes.get(name) else ""
        if hidden:
            asked = f": its axes should be{named}" if named else ""
            return "shape", f"{which} {_called(name)} has the wrong shape{asked}."
        that_is = f", that is{named}" if named else ""
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
    return "different", f"{which} {_called(name)} differs{_where(mine, expected, axes.get(name, ''))}"


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


def _bare(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")


def _called(name: str) -> str:
    if name.startswith(SLOPE):
        return f"the gradient that arrives at `{name.removeprefix(SLOPE)}`"
    return f"value {name}" if name else "the result"
