"""One module per chapter, named like it: points, minutes, hints and `cases(seed)` of each exercise.

Read by students' notebooks (check, hint, progress), by the build and by the sandbox. No solution lives here.
"""

import difflib
import importlib
import pkgutil
from collections.abc import Collection
from functools import cache

from course.judging.exercise import Exercise

CHAPTERS: tuple[str, ...] = (
    "01_linear_models",
    "02_filters_and_activations",
    "03_activation_maximization",
    "04_sensitivity",
    "05_deconvnet",
    "06_relevance_propagation",
    "07_lime",
    "08_simpler_models",
    "09_distillation",
    "10_attention",
    "11_memory_networks",
    "12_sequence_attention",
    "13_self_attention",
    "14_visual_reasoning",
)


class UnknownNameError(LookupError):
    """No chapter or exercise has this name. nearest: the known one that looks like it, proposed by the message; or ""."""

    def __init__(self, kind: str, name: str, known: Collection[str]) -> None:
        self.nearest = next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.6)), "")
        proposed = f"Did you mean '{self.nearest}'?" if self.nearest else f"There are: {', '.join(known)}."
        super().__init__(f"There is no {kind} '{name}'. {proposed}")


def chapters() -> tuple[str, ...]:
    """The chapters that are there, in the course's order."""
    there = {module.name for module in pkgutil.iter_modules(__path__)}
    return tuple(chapter for chapter in CHAPTERS if topic(chapter) in there)


def topic(chapter: str) -> str:
    """A chapter's name without its number: the name of its exercises and misconceptions."""
    return chapter.partition("_")[2]


def chapter_named(name: str) -> str:
    """The chapter meant by `4`, `04`, `sensitivity` or `04_sensitivity`."""
    for chapter in chapters():
        number = chapter.partition("_")[0]
        if name in (chapter, topic(chapter), number, number.lstrip("0")):
            return chapter
    raise UnknownNameError("chapter", name, chapters())


@cache
def exercises_of(chapter: str) -> dict[str, Exercise]:
    """A chapter's exercises by name, in the order in which its module lists them."""
    module = importlib.import_module(f"course.exercises.{topic(chapter)}")
    return {exercise.name: exercise for exercise in module.EXERCISES}


def find(name: str) -> tuple[str, Exercise]:
    """The chapter and the exercise with this name. Raises UnknownNameError."""
    for chapter in chapters():
        if name in exercises_of(chapter):
            return chapter, exercises_of(chapter)[name]
    known = [exercise for chapter in chapters() for exercise in exercises_of(chapter)]
    raise UnknownNameError("exercise", name, known)
