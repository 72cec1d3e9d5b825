"""What people really write: per chapter, wrong versions with their sentence, and other right ones.

Each module has two dictionaries, exercise name → functions: MISCONCEPTIONS, whose docstrings are what the student
reads, and ALTERNATIVES, right solutions written differently, which must be accepted.
"""

import importlib
from collections.abc import Callable
from typing import Any

from course.exercises import topic

Functions = dict[str, list[Callable[..., Any]]]


KNOWN_BY_A_CONSTANT = {
    ("distill_tree", "counts_the_leaf_as_a_question"),
    ("explanation_stability", "puts_tensors_into_sets"),
    ("fidelity", "argmax_down_the_batch"),
    ("fit_lasso", "thresholds_by_the_whole_penalty"),
    ("ndcg", "counts_places_from_zero"),
}
"""Misconceptions that give one and the same number in every case and are told their sentence all the same: it says what came
out before it says why. Any other is not recognised by a constant, which people arrive at by many ways."""


def misconceptions_of(chapter: str) -> Functions:
    """exercise → its wrong versions."""
    return _module(chapter).MISCONCEPTIONS  # type: ignore[no-any-return]


def alternatives_of(chapter: str) -> Functions:
    """exercise → right solutions written differently."""
    return _module(chapter).ALTERNATIVES  # type: ignore[no-any-return]


def sentence(wrong: Callable[..., Any]) -> str:
    """A misconception's docstring as one paragraph."""
    return " ".join((wrong.__doc__ or "").split())


def _module(chapter: str) -> Any:
    return importlib.import_module(f"solutions.misconceptions.{topic(chapter)}")
