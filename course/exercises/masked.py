"""What is observed of functions that take a mask and through which gradients flow."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from course.judging.exercise import Case, Values, returned


def returned_with_finite_slopes(fn: Callable[..., Any], case: Case) -> Values:
    """What is returned. Where a row has nothing to read, no gradient is asked for: in more than one right way it is NaN there."""
    mask = case.get("mask")
    if mask is None or bool(mask.any(-1).all()):
        return returned(fn, case)
    apart = {name: value.detach() if isinstance(value, Tensor) else value for name, value in case.items()}
    return returned(fn, apart)
