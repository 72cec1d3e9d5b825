"""What a docstring says that a function raises, held against what its cases make the reference raise."""

import ast
import re
import sys
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

from course.judging.exercise import Exercise
from course.judging.recording import fresh_cases, record_case
from solutions.classroom.release.reference_source import definition, load, needs

_ERROR = re.compile(r"\b[A-Z]\w*(?:Error|Exception)\b")


def promised(reference: Callable[..., Any]) -> set[str]:
    """The exceptions that a docstring names in its paragraphs that hold "Raises"."""
    paragraphs = re.split(r"\n\s*\n", reference.__doc__ or "")
    told = [paragraph[paragraph.index("Raises") :] for paragraph in paragraphs if "Raises" in paragraph]
    return {error for paragraph in told for error in _ERROR.findall(paragraph)}


def complaints(exercise: Exercise, module: str, seeds: Iterable[int]) -> list[str]:
    """Where the docstring and the cases of a seed differ, for the first seed where they do."""
    return next(filter(None, (_complaints(exercise, module, seed) for seed in seeds)), [])


def _complaints(exercise: Exercise, module: str, seed: int) -> list[str]:
    """Errors that nobody asks for, errors that nobody was told of."""
    reference = load(module, exercise.name)
    raised, reached = _raised(reference, exercise, module, seed)
    words = promised(reference)
    found = [
        f"the docstring promises {error}, and no case of seed {seed} asks for it"
        for error in sorted(words - raised)
    ]
    found += [
        f"a case of seed {seed} raises {error}, which the docstring does not say"
        for error in sorted(raised - words)
    ]
    found += [
        f"no case of seed {seed} reaches line {line} of {module}: {text}"
        for line, text in sorted(_raise_lines(module, exercise.name).items())
        if line not in reached
    ]
    return found


def _raised(
    reference: Callable[..., Any], exercise: Exercise, module: str, seed: int
) -> tuple[set[str], set[int]]:
    """The exceptions that the reference raises on the cases of a seed, and the lines of its module that ran."""
    path = reference.__code__.co_filename
    reached: set[int] = set()

    def watch(frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename != path:
            return None
        reached.add(frame.f_lineno)
        return watch

    before = sys.gettrace()
    raised = set()
    for case in fresh_cases(exercise, seed):
        sys.settrace(watch)
        try:
            raised.add(record_case(reference, exercise, case).raised)
        finally:
            sys.settrace(before)
    return raised - {""}, reached


def _raise_lines(module: str, name: str) -> dict[int, str]:
    """Lines with a `raise` in a function and in the private helpers that it calls: line → its text."""
    nodes = [definition(module, one) for one in (name, *needs(module, name).helpers)]
    return {
        node.lineno: ast.unparse(node)[:100]
        for top in nodes
        for node in ast.walk(top)
        if isinstance(node, ast.Raise)
    }
