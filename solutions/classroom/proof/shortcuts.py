"""Shortcuts that are no answers: a function that only knows the sizes of the public cases, one that ignores an argument.

Cases whose sizes and scalars are drawn from the seed end both: what the secret seeds ask was never seen in the notebook.
"""

import inspect
from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import partial, wraps
from typing import Any

import numpy as np
from torch import Tensor, nn

from course.judging.exercise import Case, Exercise
from course.judging.recording import fresh_cases, record
from course.judging.sheets import Answers
from course.judging.verdict import compare

SEEDS_LOOKED_AT = range(101, 121)
"""Seeds that stand for those of a class."""

SHARE_WITH_NEW_SIZES = 0.8
"""Of the seeds, how many have to ask for sizes that the public cases do not have; of a class, all do."""


def new_sizes(exercise: Exercise, seed: int, known: set[Hashable]) -> bool:
    """Whether some case of a seed has arguments of other sizes than `known`."""
    return any(sizes_of_case(case) not in known for case in fresh_cases(exercise, seed))


def public_sizes(exercise: Exercise, seeds: Iterable[int]) -> set[Hashable]:
    """The sizes of the arguments in all cases of these seeds."""
    return {sizes_of_case(case) for seed in seeds for case in fresh_cases(exercise, seed)}


def sizes_of_case(case: Case) -> Hashable:
    """The sizes of all arguments; where none has a size, the whole numbers: that of a table to make is one of them."""
    found = [sizes(value) for value in case.values()]
    alone = all(size is None for size in found)
    return tuple(value for value in case.values() if isinstance(value, int)) if alone else tuple(found)


def sizes(value: Any) -> Hashable:
    """The sizes of everything in an argument: shapes of tensors and of a model's weights and buffers, lengths of lists and texts."""
    if isinstance(value, Tensor | np.ndarray):
        return tuple(value.shape)
    if isinstance(value, nn.Module):
        return tuple(tuple(weight.shape) for weight in [*value.parameters(), *value.buffers()])
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return tuple(sizes(item) for item in value.values())
    if isinstance(value, list | tuple):
        return tuple(sizes(item) for item in value)
    if isinstance(value, partial):
        return sizes([*value.args, *value.keywords.values()])
    if inspect.isfunction(value):
        return tuple(sizes(cell.cell_contents) for cell in value.__closure__ or ())
    return len(value) if hasattr(value, "__len__") else None


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
