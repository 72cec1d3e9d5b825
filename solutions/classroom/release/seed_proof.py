"""Can a seed judge? Its cases have to tell every misconception from the reference, and no right solution from it."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course.exercises import exercises_of
from course.judging.exercise import Case, Equal, Exercise
from course.judging.recording import Outcome, fresh_cases, frozen_inputs, record, record_case
from course.judging.verdict import distance
from solutions.classroom.release.answers import PUBLIC_SEEDS
from solutions.classroom.release.reference_source import home_of, load
from solutions.classroom.release.sizes import new_sizes, public_sizes
from solutions.misconceptions import alternatives_of, misconceptions_of

CLEARLY_APART, CLEARLY_NEAR, NEAR_BY_CHANCE = 10.0, 0.1, 0.5
"""In tolerances: how far a misconception has to be from the reference, and how near a right solution."""


def proves_itself(chapter: str, name: str, seed: int) -> bool:
    """Whether this seed's cases can judge; `why_not` says what is asked."""
    return next(why_not(chapter, name, seed), None) is None


def why_not(chapter: str, name: str, seed: int) -> Iterator[str]:
    """Why a seed's cases cannot judge; what is quickly seen comes first.

    They have to ask for sizes that the public cases do not have (where sizes vary), reject every misconception clearly and accept every
    alternative clearly; and where nothing is drawn, the reference says the same in double precision.
    """
    exercise = exercises_of(chapter)[name]
    if _sizes_vary(chapter, name) and not new_sizes(exercise, seed, _public_sizes(chapter, name)):
        yield "it asks for no sizes that the public cases do not have"
    inputs = [frozen_inputs(exercise, seed)]
    reference = load(home_of()[name], name)
    expected = record(reference, exercise, [seed], inputs)

    cases = fresh_cases(exercise, seed, inputs[0])
    for wrong in misconceptions_of(chapter).get(name, []):
        got = record(wrong, exercise, [seed], inputs)
        if (apart := apart_from(exercise, got, expected, expected, cases)) < CLEARLY_APART:
            yield f"{wrong.__name__} is only {apart:.2g} tolerances from the reference"
    near = CLEARLY_NEAR if _compares_equal(exercise) else NEAR_BY_CHANCE
    for right in alternatives_of(chapter).get(name, []):
        got = record(right, exercise, [seed], inputs)
        if not (apart := _farthest(exercise, got, expected, cases)) <= near:
            yield f"{right.__name__} is right, and {apart:.2g} tolerances from the reference"
    apart = _in_double_precision(exercise, reference, fresh_cases(exercise, seed, inputs[0]), expected)
    if apart > CLEARLY_NEAR:
        yield f"in double precision the reference itself is {apart:.2g} tolerances away"


@cache
def _public_sizes(chapter: str, name: str) -> set[Hashable]:
    return public_sizes(exercises_of(chapter)[name], PUBLIC_SEEDS)


@cache
def _sizes_vary(chapter: str, name: str) -> bool:
    """Whether an exercise's sizes depend on the seed at all; where they do not, no seed could prove itself."""
    known = _public_sizes(chapter, name)
    return any(new_sizes(exercises_of(chapter)[name], seed, known) for seed in range(101, 106))


def apart_from(
    exercise: Exercise,
    got: list[Outcome],
    want: list[Outcome],
    expected: list[Outcome],
    cases: list[Case],
) -> float:
    """How far one wrong outcome is from another, or from the reference, in tolerances.

    Only cases in which the reference returns something count: without a promised error everybody is infinitely far from it. Where
    two are alike in all of these, an error is what tells them apart.
    """
    if len(got) == len(want) == len(expected):
        kept = [number for number, one in enumerate(expected) if not one.raised]
        here = _farthest(
            exercise,
            [got[number] for number in kept],
            [want[number] for number in kept],
            [cases[number] for number in kept],
            one_sided=want is expected,
        )
        if here > 1:
            return here
    return _farthest(exercise, got, want, cases, one_sided=want is expected)


def _farthest(
    exercise: Exercise,
    got: list[Outcome],
    expected: list[Outcome],
    cases: list[Case],
    one_sided: bool = True,
) -> float:
    """The largest distance over all cases, in tolerances. one_sided: better than expected counts as 0."""
    if len(got) != len(expected):
        return float("inf")
    distances = (
        distance(exercise, mine, theirs, case, one_sided=one_sided)
        for mine, theirs, case in zip(got, expected, cases, strict=True)
    )
    return max(distances, default=0.0)


def _compares_equal(exercise: Exercise) -> bool:
    """Whether all its rules are `equal`; the others judge what is random, or better than the reference."""
    rules = exercise.compare.values() if isinstance(exercise.compare, Mapping) else [exercise.compare]
    return all(isinstance(rule, Equal) for rule in rules)


def _in_double_precision(
    exercise: Exercise, reference: Callable[..., Any], cases: list[Case], expected: list[Outcome]
) -> float:
    """How far the reference in double precision is from itself in single, in tolerances.

    0 where numbers are drawn, and for a case that cannot be had in double precision: a function among its arguments may
    hold tensors of its own.
    """
    if not _compares_equal(exercise) or any(_draws(list(case.values())) for case in cases):
        return 0.0
    farthest = 0.0
    for case, single in zip(cases, expected, strict=True):
        double = record_case(reference, exercise, {name: in_double(value) for name, value in case.items()})
        if double.raised and double.raised != single.raised:
            continue
        farthest = max(farthest, distance(exercise, double, single, case, traceless=True))
    return farthest


def _draws(value: Any) -> bool:
    """Whether a generator of random numbers is among the arguments."""
    if isinstance(value, Mapping | list | tuple):
        return any(_draws(item) for item in (value.values() if isinstance(value, Mapping) else value))
    return isinstance(value, torch.Generator | np.random.Generator)


def in_double(value: Any) -> Any:
    """An argument with all its floating numbers in double precision; what holds none stays as it is."""
    if isinstance(value, nn.Module):
        return value.double()
    if isinstance(value, Tensor) and value.is_floating_point():
        return value.detach().double().requires_grad_(value.requires_grad)
    if isinstance(value, np.ndarray) and value.dtype == np.float32:
        return value.astype(np.float64)
    if isinstance(value, Mapping):
        return {key: in_double(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [in_double(item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value
