"""The sizes of what cases hand to a function: what somebody could know by heart who has seen the public cases."""

import inspect
from collections.abc import Hashable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor, nn

from course.judging.exercise import Case, Exercise
from course.judging.recording import fresh_cases


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
