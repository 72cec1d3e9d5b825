"""Making answer sheets: what the reference returns for some seeds, and what each misconception returns."""

import inspect
import re
import typing
from collections.abc import Callable, Mapping
from itertools import combinations, product
from typing import Any

from course.exercises import exercises_of
from course.judging.archive import Tree
from course.judging.exercise import Exercise, flatten
from course.judging.recording import frozen_inputs, record
from course.judging.sheets import FORMAT, Answers
from course.judging.verdict import one_constant
from solutions.classroom.release.reference_source import depends_on, exercises_called, home_of, load, replaced
from solutions.misconceptions import KNOWN_BY_A_CONSTANT, misconceptions_of, sentence

PUBLIC_SEEDS = [1, 2]

MOST_PAIRS = 100
"""Pairs of misconceptions in two dependencies that an exercise's answers are recorded for. With more, a sheet would take
megabytes and minutes; two mistakes at once are then told to finish the first."""


def answer_sheet(chapter: str, seeds: list[int] | Mapping[str, list[int]]) -> dict[str, Answers]:
    """exercise → answers for these seeds: the same for every exercise, or each its own."""
    return {
        name: answers_for(chapter, exercise, seeds[name] if isinstance(seeds, Mapping) else seeds)
        for name, exercise in exercises_of(chapter).items()
    }


def answers_for(chapter: str, exercise: Exercise, seeds: list[int], given: bool = True) -> Answers:
    """One exercise's answers; where it calls other exercises, also the outcome given each of their misconceptions, and each two.

    given: False leaves the last out, where nobody's mistakes are built on others.
    """
    wrong = misconceptions_of(chapter)
    module = home_of()[exercise.name]
    reference = load(module, exercise.name)
    inputs = [frozen_inputs(exercise, seed) for seed in seeds]
    answers = Answers(seeds, inputs, record(reference, exercise, seeds, inputs), axes=axes_of(reference))
    answers.parts = parts_of(reference)
    for function in wrong.get(exercise.name, []):
        outcomes = record(function, exercise, seeds, inputs)
        told = (exercise.name, function.__name__) in KNOWN_BY_A_CONSTANT or not one_constant(
            exercise, outcomes
        )
        if told:
            answers.wrong[function.__name__] = (sentence(function), outcomes)
    answers.uses = exercises_called(chapter, module, exercise.name)
    for dependency in answers.uses if given else ():
        for function in wrong.get(dependency, []):
            with replaced(home_of()[dependency], dependency, function):
                answers.given[(dependency, function.__name__)] = record(reference, exercise, seeds, inputs)
    pairs = _pairs(chapter, answers.uses) if given else []
    for (one, bad), (two, worse) in pairs if len(pairs) <= MOST_PAIRS else ():
        with replaced(home_of()[one], one, bad), replaced(home_of()[two], two, worse):
            pair = ((one, bad.__name__), (two, worse.__name__))
            answers.given_both[pair] = record(reference, exercise, seeds, inputs)
    return answers


Mistake = tuple[str, Callable[..., Any]]
"""A dependency, and a misconception of it."""


def _pairs(chapter: str, names: list[str]) -> list[tuple[Mistake, Mistake]]:
    """A misconception in each of two of these exercises, of which neither calls the other: whoever calls a wrong one is told of that first."""
    wrong = misconceptions_of(chapter)
    return [
        ((one, bad), (two, worse))
        for one, two in combinations(names, 2)
        if not depends_on(chapter, one, two) and not depends_on(chapter, two, one)
        for bad, worse in product(wrong.get(one, []), wrong.get(two, []))
    ]


def sheet_tree(sheet: dict[str, Answers]) -> Tree:
    """An answer sheet as it is written to a file."""
    return {"format": FORMAT, "exercises": {name: answers.tree() for name, answers in sheet.items()}}


def axes_of(reference: Callable[..., Any]) -> dict[str, str]:
    """value name → axis names, from the jaxtyping annotation of what the function returns."""
    try:
        annotation = inspect.signature(reference).return_annotation
    except (TypeError, ValueError):
        return {}
    parts = typing.get_args(annotation) if typing.get_origin(annotation) is tuple else (annotation,)
    named = [getattr(part, "dim_str", "") for part in parts]
    names = list(flatten(tuple(range(len(parts)))) if len(parts) > 1 else [""])
    return {name: axes for name, axes in zip(names, named, strict=True) if axes}


def parts_of(reference: Callable[..., Any]) -> dict[str, str]:
    """value name → what the docstring calls it: "Returns (weights p, read)", "Returns the output o and the weights p".

    Empty where the function returns one thing, or where the docstring lists another number of parts.
    """
    annotation = inspect.signature(reference).return_annotation
    many = len(typing.get_args(annotation)) if typing.get_origin(annotation) is tuple else 0
    docstring = " ".join((reference.__doc__ or "").split())
    told = re.search(r"\bReturns (?:\(([^()]+)\)|([^.;:]+))", docstring)
    if many < 2 or told is None:
        return {}
    listed = re.split(r", (?:and )?", told[1] or told[2])
    if many == 2 != len(listed):
        listed = re.split(r",? and ", told[1] or told[2])
    if len(listed) > many and listed[many].startswith(("each", "both")):
        listed = listed[:many]
    if len(listed) != many:
        return {}
    return {
        str(place): re.sub(r"^(the|its|their|an?) ", "", name.strip(" ,"))
        for place, name in enumerate(listed)
    }
