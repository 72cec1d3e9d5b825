"""Shortcuts that are no answers: a function that only knows the sizes of the public cases, one that ignores an argument.

Cases whose sizes and scalars are drawn from the seed end both: what the secret seeds ask was never seen in the notebook.
"""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from course.judging.exercise import Case, Exercise
from course.judging.recording import record
from course.judging.sheets import Answers
from course.judging.verdict import compare

SEEDS_LOOKED_AT = range(101, 121)
"""Seeds that stand for those of a class."""

SHARE_WITH_NEW_SIZES = 0.8
"""Of the seeds, how many have to ask for sizes that the public cases do not have; of a class, all do."""


def accepted_constants(reference: Callable[..., Any], exercise: Exercise, answers: Answers) -> list[str]:
    """Arguments that a function may ignore, as "name = value": every case of the sheet says it is right."""
    found = []
    for name, values in _scalars(answers.cases(exercise)).items():
        for value in values:
            stubborn = _with_constant(reference, name, value)
            recorded = record(stubborn, exercise, answers.seeds, answers.inputs)
            if compare(exercise, recorded, answers).right:
                found.append(f"{name} = {value!r}")
    return found


def _scalars(cases: list[Case]) -> dict[str, list[Any]]:
    """The numbers among the arguments: name → the values that occur."""
    found: dict[str, list[Any]] = {}
    for case in cases:
        for name, value in case.items():
            number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            if number and value not in found.setdefault(name, []):
                found[name].append(value)
    return found


def _with_constant(reference: Callable[..., Any], name: str, value: Any) -> Callable[..., Any]:
    signature = inspect.signature(reference)

    @wraps(reference)
    def stubborn(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs)
        given.arguments[name] = value
        return reference(*given.args, **given.kwargs)

    return stubborn
