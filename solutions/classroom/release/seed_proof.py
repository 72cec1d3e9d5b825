"""Can a seed judge? Its cases have to tell every misconception from the reference, and no right solution from it."""

from collections.abc import Callable, Mapping
from typing import Any

from course.exercises import exercises_of
from course.judging.exercise import Equal, Exercise
from course.judging.recording import fresh_cases, frozen_inputs, record
from course.judging.verdict import distance
from solutions.classroom.release.reference_source import home_of, load
from solutions.misconceptions import alternatives_of, misconceptions_of

CLEARLY_APART, CLEARLY_NEAR, NEAR_BY_CHANCE = 10.0, 0.1, 0.5
"""In tolerances: how far a misconception has to be from the reference, and how near a right solution."""


def proves_itself(chapter: str, name: str, seed: int) -> bool:
    """Whether this seed's cases can judge: every misconception clearly rejected, every alternative clearly accepted."""
    exercise = exercises_of(chapter)[name]
    inputs = [frozen_inputs(exercise, seed)]
    cases = fresh_cases(exercise, seed, inputs[0])
    expected = record(load(home_of()[name], name), exercise, [seed], inputs)

    def worst(function: Callable[..., Any]) -> float:
        got = record(function, exercise, [seed], inputs)
        if len(got) != len(expected):
            return float("inf")
        return max(
            distance(exercise, mine, theirs, case, one_sided=True)
            for mine, theirs, case in zip(got, expected, cases, strict=True)
        )

    apart = all(worst(wrong) >= CLEARLY_APART for wrong in misconceptions_of(chapter).get(name, []))
    near = CLEARLY_NEAR if _compares_equal(exercise) else NEAR_BY_CHANCE
    return apart and all(worst(right) <= near for right in alternatives_of(chapter).get(name, []))


def _compares_equal(exercise: Exercise) -> bool:
    """Whether all its rules are `equal`; the others judge what is random, or better than the reference."""
    rules = exercise.compare.values() if isinstance(exercise.compare, Mapping) else [exercise.compare]
    return all(isinstance(rule, Equal) for rule in rules)
