"""What an exercise is: cases made from a seed, what is observed of a function, and how two observations compare.

`observe` runs in the student's process and returns values, never verdicts. A `Rule` runs where the answer
sheet is: in the student's notebook for the public seeds, outside the sandbox for the secret ones.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

Case = dict[str, Any]
"""The arguments of one call, by parameter name and in the signature's order."""

Values = dict[str, Tensor | str]
"""What was observed of one call, by name."""

Rule = Callable[[Values, Values, str, Case], float]
"""rule(got, expected, name, case) → signed distance in tolerances.

Accepted when the distance is ≤ 1; the same outcome when its absolute value is ≤ 1; clearly another when ≥ 10.
"""


def flatten(value: object, name: str = "") -> Values:
    """Lay a returned value out by name: a tuple becomes "0", "1", …; a dict keeps its keys.

    What is no tensor, array, number or text is described by its type, so that the verdict can say what came back.
    """
    if isinstance(value, Tensor):
        return {name: value}
    if isinstance(value, np.ndarray) and value.dtype != object:
        return {name: torch.from_numpy(np.array(value))}
    if isinstance(value, bool | int | float | np.number):
        return {name: torch.as_tensor(value)}
    if isinstance(value, str):
        return {name: value}
    if isinstance(value, Mapping):
        items = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, tuple | list):
        items = [(str(position), item) for position, item in enumerate(value)]
    else:
        return {name: f"<{type(value).__name__}>"}
    if not items:
        return {name: f"<empty {type(value).__name__}>"}
    flat: Values = {}
    for key, item in items:
        flat |= flatten(item, f"{name}.{key}" if name else key)
    return flat


def returned(fn: Callable[..., Any], case: Case) -> Values:
    """The default observation: call the function, lay out what it returns."""
    return flatten(fn(*case.values()))


def repeated(one: object, two: object) -> str:
    """Whether two calls gave the same numbers, in words: for functions that draw from a generator."""
    first, second = flatten(one), flatten(two)
    same = first.keys() == second.keys() and all(
        isinstance(mine := first[name], Tensor)
        and isinstance(other := second[name], Tensor)
        and torch.equal(mine.detach().cpu().double(), other.detach().cpu().double())
        for name in first
    )
    return "the same" if same else "something else"


def occurring(values: Tensor) -> str:
    """The different values that occur, to four decimals, in words."""
    found = ((values.detach().double() * 1e4).round() / 1e4).unique().tolist()
    return ", ".join(f"{value:g}" for value in found) if len(found) <= 10 else "many different ones"


def is_real(value: Tensor) -> bool:
    """Whether it holds numbers that a rule can compare: real ones, of any size."""
    return value.dtype in _REAL


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


INPUTS_SHARE = 0.1
"""Of the size of what goes in: numbers that come out smaller are compared as if they had this size. Two large numbers of which
one is taken from the other leave rounding behind (1e-9 where 0 is meant), and that is no measure of anything."""


@dataclass(frozen=True)
class Equal:
    """The rule that `equal` makes."""

    rtol: float = 1e-4
    atol: float = 1e-5

    def __call__(self, got: Values, expected: Values, name: str, case: Case) -> float:
        mine, theirs = got[name], expected[name]
        if isinstance(mine, str) or isinstance(theirs, str):
            return 0.0 if isinstance(mine, str) and mine == theirs else float("inf")
        if mine.shape != theirs.shape:
            return float("inf")
        if theirs.numel() == 0:
            return 0.0
        return float(self.everywhere(mine, theirs, case).max())

    def everywhere(self, got: Tensor, expected: Tensor, case: Case) -> Tensor:
        """Each number's distance in tolerances; 0 where both are the same infinity or both NaN, inf where only one is."""
        mine, theirs = got.double(), expected.double()
        sixteen_bits = expected.dtype in (torch.float16, torch.bfloat16)
        least = 2 * torch.finfo(expected.dtype).eps if sixteen_bits else 0.0
        scale = max(_size(theirs), INPUTS_SHARE * size_of_inputs(case)) or 1.0
        tolerance = max(self.rtol, least) * theirs.abs() + max(self.atol, least) * scale
        distance = (mine - theirs).abs() / tolerance
        distance = torch.where(mine.isfinite() & theirs.isfinite(), distance, float("inf"))
        alike = (mine == theirs) | (mine.isnan() & theirs.isnan())
        return torch.where(alike, 0.0, distance)


def equal(rtol: float = 1e-4, atol: float = 1e-5) -> Rule:
    """|got − expected| ≤ rtol·|expected| + atol·max|expected|, everywhere; text must be the same text.

    max|expected| is taken to be at least a share of the inputs' size. Where the reference's values come in sixteen bits, as
    their inputs did, both tolerances are at least what these can tell apart.
    """
    return Equal(rtol, atol)


def size_of_inputs(case: Case) -> float:
    """The largest number in the smallest of the floating tensors that go in (zeros aside); 0 where there are none."""
    return min(filter(None, map(_size, _floating(list(case.values())))), default=0.0)


def _floating(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        if value.is_floating_point():
            yield value.detach()
    elif isinstance(value, torch.nn.Module):
        yield from (weight.detach() for weight in value.parameters())
    elif isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _floating(item)


def _size(value: Tensor) -> float:
    finite = value[value.isfinite()]
    return float(finite.abs().max()) if finite.numel() else 0.0


def within(k: float, error: str) -> Rule:
    """|got − expected| ≤ k standard errors; the reference's own value called `error` holds the standard errors.

    For results that are random by nature: `observe` averages many draws and also returns the standard error.
    """

    def distance(got: Values, expected: Values, name: str, case: Case) -> float:
        mine, theirs, spread = got[name], expected[name], expected[error]
        if isinstance(mine, str) or isinstance(theirs, str) or isinstance(spread, str):
            return float("inf")
        if mine.shape != theirs.shape:
            return float("inf")
        deviation = (mine.double() - theirs.double()).abs() / (k * spread.double()).clamp_min(1e-12)
        alike = mine.double() == theirs.double()  # the same infinity, too
        return float(torch.where(alike, 0.0, deviation.nan_to_num(nan=float("inf"))).max())

    return distance


def at_least(score: Callable[[Case, Values], float], slack: float) -> Rule:
    """score(case, got) ≥ score(case, expected) − slack: at least as good as the reference.

    `score` never runs in the student's process: what is recorded are the values that it is computed from.
    """

    def distance(got: Values, expected: Values, name: str, case: Case) -> float:
        try:
            mine = score(case, got)
        except Exception:  # anybody may have written what was recorded
            return float("inf")
        gap = (score(case, expected) - mine) / slack
        return gap if gap == gap else float("inf")

    return distance


SLOPE = "slope of "
"""How the gradient that arrives at an argument is called among the values."""

NO_SLOPE = "none"
"""What is recorded where no gradient arrives."""


def _slopes_alike(got: Values, expected: Values, name: str, case: Case) -> float:
    """Where no gradient arrives it is 0: so says whoever writes a limit down as a constant."""
    mine, theirs = got[name], expected[name]
    for one, other in ((mine, theirs), (theirs, mine)):
        if isinstance(one, str) and one == NO_SLOPE and isinstance(other, Tensor):
            return float("inf") if bool(other.any()) else 0.0
    return _equal_slopes(got, expected, name, case)


_equal_slopes = equal(rtol=1e-3, atol=1e-4)


@dataclass(frozen=True)
class Exercise:
    """One function that a chapter asks for.

    name: the reference function's name, and the exercise's id for ever.
    cases: seed → list of cases; draws with numpy.random.default_rng(seed), so that every machine gets the same.
    hints: up to three, each saying more than the one before.
    observe: what is recorded of the function on one case.
    compare: one rule for every observed value, or a rule per name (names without a rule are only kept for the rules).
    dtype: True where the docstring promises the dtype.
    changes: the arguments that the function is there to change; any other that it changes costs the points.
    slope: the arguments through which a chapter trains; the gradient that arrives at them is recorded with the values.
    """

    name: str
    cases: Callable[[int], list[Case]]
    points: int = 2
    minutes: int = 10
    level: Literal["core", "stretch"] = "core"
    hints: tuple[str, ...] = ()
    observe: Callable[[Callable[..., Any], Case], Values] = returned
    compare: Rule | Mapping[str, Rule] = field(default_factory=equal)
    dtype: bool = False
    changes: tuple[str, ...] = ()
    slope: tuple[str, ...] = ()

    def rule(self, name: str) -> Rule | None:
        """The rule for one observed value, or None where it is not compared."""
        if name.startswith(SLOPE):
            return _slopes_alike
        return self.compare.get(name) if isinstance(self.compare, Mapping) else self.compare
