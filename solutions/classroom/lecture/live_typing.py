"""What a lecturer's cell holds next: the reference typed in statement by statement, a mistake in its place, or the gap again.

Text in, text out; the magics of `live_magics` put it into the cell.
"""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from course.exercises import exercises_of
from solutions.classroom.release.reference_source import definition, home_of, needs, source_of
from solutions.classroom.release.source_notebook import STUB
from solutions.misconceptions import misconceptions_of


class LiveError(Exception):
    """What was asked for cannot be typed. The message says why, and what to do; the cell stays as it is."""


@dataclass(frozen=True)
class Typed:
    """An exercise's cell. done: whether the whole body stands there."""

    name: str
    source: str
    done: bool


@dataclass(frozen=True)
class _Reference:
    """A reference function, ready to be typed. head: signature and docstring. body: its lines.

    ends: how many lines of the body stand there after each step.
    """

    head: str
    body: list[str]
    ends: list[int]

    def begun(self, steps: int) -> str:
        """The function up to a step; what is missing is a gap."""
        typed = self.body[: self.ends[steps - 1]] if steps else []
        rest = [f"    {STUB[1]}"] if steps < len(self.ends) else []
        return "\n".join([self.head, *typed, *rest])


def asked_in(cell: str, chapter: str) -> str:
    """The exercise whose function stands in a cell. Raises LiveError."""
    exercises = exercises_of(chapter)
    named = [name for name in re.findall(r"^def +(\w+)", cell, re.MULTILINE) if name in exercises]
    if not named:
        raise LiveError("This cell holds no exercise: the magic belongs below a gap's function, in its cell.")
    return named[-1]


def gap(name: str) -> str:
    """Signature, what it is for and its formula, and nothing done."""
    return _reference(name).begun(0)


def revealed(cell: str, chapter: str, steps: int | None = 1) -> Typed:
    """The cell with the next statements of the reference; with all of them for None.

    Raises LiveError where the body is neither the gap nor the beginning of the reference: somebody has typed in it.
    """
    name = asked_in(cell, chapter)
    reference = _reference(name)
    last = len(reference.ends)
    here = _typed_so_far(cell, name)
    there = last if steps is None else min(here + steps, last)
    return Typed(name, reference.begun(there), there == last)


def mistaken(cell: str, chapter: str, choose: Callable[[list[str]], str]) -> Typed:
    """The cell with a misconception in place of the reference: under the exercise's own name, and without its sentence.

    choose: picks one of the names. Raises LiveError where there is none that stands by itself.
    """
    name = asked_in(cell, chapter)
    offered = mistakes(chapter, name)
    if not offered:
        raise LiveError(f"{name} has no mistake that stands by itself: all of them call the reference.")
    chosen = choose(list(offered))
    if chosen not in offered:
        raise LiveError(f"{name} has no mistake called {chosen}. There are: {', '.join(offered)}.")
    return Typed(name, offered[chosen], True)


def mistakes(chapter: str, name: str) -> dict[str, str]:
    """misconception → a cell with it, for those that call nothing of the reference."""
    found = {}
    for function in misconceptions_of(chapter).get(name, []):
        wanted = needs(function.__module__, function.__name__)
        if not wanted.functions:
            found[function.__name__] = _disguised(function, name)
    return found


def _disguised(function: Callable[..., Any], name: str) -> str:
    module = function.__module__
    wanted = needs(module, function.__name__)
    tree = definition(module, function.__name__)
    assert isinstance(tree, ast.FunctionDef)
    lines = source_of(module, function.__name__).split("\n")
    if ast.get_docstring(tree):
        told = tree.body[0]
        del lines[told.lineno - tree.lineno : (told.end_lineno or told.lineno) - tree.lineno + 1]
    own = re.sub(rf"\b{function.__name__}\b", name, "\n".join(lines))
    helpers = [source_of(module, helper) for helper in wanted.helpers]
    return "\n\n\n".join(filter(None, ["\n".join(wanted.imports), *helpers, own]))


@cache
def _reference(name: str) -> _Reference:
    """A step ends with a simple statement, so that a loop appears with its first one; a `try` appears whole."""
    module = home_of()[name]
    tree = definition(module, name)
    assert isinstance(tree, ast.FunctionDef)
    lines = source_of(module, name).split("\n")
    start = min([tree.lineno, *(decorator.lineno for decorator in tree.decorator_list)])
    told, *body = tree.body
    assert isinstance(told, ast.Expr), f"{name} has no docstring"
    docstring = lines[told.lineno - start : (told.end_lineno or told.lineno) - start + 1]
    head = [*lines[: told.lineno - start], *_short(docstring)]
    first = (told.end_lineno or told.lineno) + 1
    ends = sorted({end - first + 1 for statement in body for end in _ends(statement)})
    return _Reference("\n".join(head), lines[first - start :], ends)


def short_definition(source: str) -> str:
    """A function as the hall sees it: with the first two paragraphs of its docstring."""
    tree = ast.parse(source)
    lines = source.split("\n")
    for node in reversed(tree.body):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node):
            told = node.body[0]
            first, last = told.lineno - 1, told.end_lineno or told.lineno
            lines[first:last] = _short(lines[first:last])
    return "\n".join(lines)


def _short(docstring: list[str]) -> list[str]:
    """Its first two paragraphs, what the function is for and the formula: the hall needs the screen for the code."""
    blank = [number for number, line in enumerate(docstring) if not line.strip()]
    return [*docstring[: blank[1]], docstring[-1]] if len(blank) > 1 else docstring


def _ends(statement: ast.stmt) -> list[int]:
    """The last lines of the simple statements in a statement."""
    inner = [*getattr(statement, "body", []), *getattr(statement, "orelse", [])]
    if not inner or isinstance(statement, ast.Try):
        return [statement.end_lineno or statement.lineno]
    return [end for one in inner for end in _ends(one)]


def _typed_so_far(cell: str, name: str) -> int:
    """How many steps stand in the cell. Raises LiveError where it is something else."""
    theirs, reference = _body(cell, name), _reference(name)
    for steps in range(len(reference.ends) + 1):
        if theirs == _body(reference.begun(steps), name):
            return steps
    raise LiveError(
        f"You have typed in {name} yourself: %reset empties it, and Ctrl-Z brings your text back."
    )


def _body(cell: str, name: str) -> list[str]:
    """What a function's body does, statement by statement, without docstring and gap; comments and spacing do not count."""
    try:
        tree = ast.parse(without_magics(cell))
    except SyntaxError as error:
        raise LiveError(f"Line {error.lineno} of this cell is no Python: mend it, or %reset.") from None
    function = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name][-1]
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return [ast.dump(statement) for statement in body if ast.unparse(statement) != STUB[1]]


def without_magics(cell: str) -> str:
    """A cell's Python, without the lines that are IPython's."""
    return "\n".join(line for line in cell.split("\n") if not line.startswith(("%", "!", "?")))
