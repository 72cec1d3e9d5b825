"""By which course a class is graded: a digest, per exercise, of the code on which its verdict rests.

It is taken from the source, one definition after another, as far as they call each other. Layout, comments, docstrings,
hints and the names of modules are left out: a module that only moved changes nothing; a tolerance, a case, a point or
a misconception's sentence does.
"""

import ast
import hashlib
import importlib.util
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import course
from course.exercises import exercises_of, topic
from course.judging.recording import frozen_inputs, record
from course.judging.verdict import compare
from solutions.classroom.release.reference_source import exercises_called, home_of
from solutions.misconceptions import misconceptions_of, sentence

JUDGING = "the judging"
"""What is the same for every exercise: how it is recorded and compared, and how points are given."""

Place = tuple[str, str]
"""A module and a name in it."""

JUDGE: Place = ("solutions.classroom.grading.judge", "judge")
"""How points are given. Its text is only read here; it is called a room further on."""

_TOLD_ONLY = {"hints", "minutes", "level"}
"""What an exercise says to its reader, and grading never reads."""


@cache
def course_digests(chapter: str) -> dict[str, str]:
    """What a chapter's grading depends on → its digest: each exercise, and the judging that all of them share."""
    shared = [(f.__module__, f.__name__) for f in (compare, record, frozen_inputs)]
    return {JUDGING: _digest(_sources([*shared, JUDGE]))} | {
        name: _of(chapter, name) for name in exercises_of(chapter)
    }


@cache
def course_version(chapter: str) -> str:
    """One digest for all of it."""
    return hashlib.sha256(repr(sorted(course_digests(chapter).items())).encode()).hexdigest()[:12]


def differences(was: dict[str, str], now: dict[str, str]) -> list[str]:
    """What is not the same in two versions of a chapter, in words."""
    gained = [f"{name} is new" for name in now if name not in was]
    lost = [f"{name} is gone" for name in was if name not in now]
    return [*gained, *lost, *(f"{name} changed" for name in now if was.get(name, now[name]) != now[name])]


@cache
def course_name() -> str:
    """The installed course as a person would look for it: its version, and its commit where there is one."""
    root = Path(__file__).resolve().parents[3]
    command = ["git", "-C", str(root), "describe", "--always", "--dirty"]
    try:
        if not (root / ".git").exists():  # installed somewhere inside of somebody else's repository
            return course.__version__
        commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return course.__version__
    return f"{course.__version__}, commit {commit}"


def _of(chapter: str, name: str) -> str:
    """An exercise: what is asked, the reference's answer, and the misconceptions of it and of what it calls."""
    module = f"course.exercises.{topic(chapter)}"
    asked = _element(module, "EXERCISES", name)
    places = [place for node in asked for place in _leads_to(module, node)]
    home = home_of()[name]
    wrong = [
        function
        for one in [name, *exercises_called(chapter, home, name)]
        for function in misconceptions_of(chapter).get(one, [])
    ]
    lines = {_text(node) for node in asked} | {sentence(function) for function in wrong}
    roots = [*places, (home, name), *((f.__module__, f.__name__) for f in wrong)]
    return _digest(lines | _sources(roots))


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class _Module:
    """definitions: name → the statements that give it its meaning. imported: name → where it is from, dotted."""

    definitions: dict[str, list[ast.stmt]]
    imported: dict[str, str]


@cache
def _read(module: str) -> _Module:
    tree = ast.parse(_source(module))
    definitions: dict[str, list[ast.stmt]] = {}
    for node in tree.body:
        for name in set(_makes(node)):
            definitions.setdefault(name, []).append(node)
    imported: dict[str, str] = {}
    for part in ast.walk(tree):
        if isinstance(part, ast.Import):
            names = {a.asname or a.name.partition(".")[0]: a for a in part.names}
            imported |= {name: a.name if a.asname else name for name, a in names.items()}
        elif isinstance(part, ast.ImportFrom):
            origin = importlib.util.resolve_name("." * part.level + (part.module or ""), module)
            imported |= {a.asname or a.name: f"{origin}.{a.name}" for a in part.names}
    return _Module(definitions, imported)


def _source(module: str) -> str:
    """A module's text; it is not run for that."""
    found = importlib.util.find_spec(module)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).read_text("utf-8")


def _makes(node: ast.stmt) -> Iterator[str]:
    """The module's names that a statement defines or alters."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif not isinstance(node, ast.Import | ast.ImportFrom):
        changed = ast.Subscript | ast.Attribute
        for part in ast.walk(node):
            if isinstance(part, ast.FunctionDef | ast.ClassDef):  # under an `if` or a `try`
                yield part.name
            elif isinstance(part, ast.Name) and (
                isinstance(part.ctx, ast.Store) or isinstance(node, ast.Expr)
            ):
                yield part.id
            elif (
                isinstance(part, changed)
                and isinstance(part.ctx, ast.Store)
                and isinstance(part.value, ast.Name)
            ):
                yield part.value.id


def _element(module: str, table: str, name: str) -> list[ast.AST]:
    """The entry for `name` in a module's list of exercises; the whole list where it is not simply written down there."""
    nodes: list[ast.AST] = [*_read(module).definitions[table]]
    found: list[ast.AST] = [
        part
        for node in nodes
        for part in ast.walk(node)
        if isinstance(part, ast.Call)
        and any(isinstance(item, ast.Constant) and item.value == name for item in _first_arguments(part))
    ]
    return found or nodes


def _first_arguments(call: ast.Call) -> list[ast.expr]:
    return call.args[:1] + [keyword.value for keyword in call.keywords if keyword.arg == "name"]


def _sources(roots: Iterable[Place]) -> set[str]:
    """The text of these definitions and of all of this project's that they lead to, and what they use of others'."""
    lines: set[str] = set()
    waiting, seen = list(roots), set()
    while waiting:
        place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        module, name = place
        read = _read(module)
        if name not in read.definitions and name in read.imported:  # a package's `__init__` that passes it on
            waiting += _ours(read.imported[name])
        for node in read.definitions.get(name, []):
            lines.add(_text(node))
            waiting += _leads_to(module, node)
            used = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
            origins = {one: read.imported[one] for one in used & read.imported.keys()}
            lines |= {f"{one} = {origin}" for one, origin in origins.items() if not _ours_at_all(origin)}
    return lines


def _leads_to(module: str, node: ast.AST) -> Iterator[Place]:
    """The definitions of this project that a piece of code names."""
    read = _read(module)
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and part.id in read.definitions:
            yield module, part.id
        elif isinstance(part, ast.Name | ast.Attribute):
            root, dot, rest = _dotted(part).partition(".")
            if root in read.imported:
                yield from _ours(read.imported[root] + dot + rest)


def _dotted(node: ast.expr) -> str:
    """`a.b.c` as text; "" for what is no such chain."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = _dotted(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return ""


def _ours_at_all(origin: str) -> bool:
    return origin.partition(".")[0] in ("course", "solutions")


@cache
def _ours(origin: str) -> list[Place]:
    """The definition that a dotted name means; none for a module as such, and for other people's."""
    parts = origin.split(".")
    if not _ours_at_all(origin):
        return []
    for end in range(len(parts) - 1, 0, -1):
        if _is_module(".".join(parts[:end])):
            return [] if _is_module(".".join(parts[: end + 1])) else [(".".join(parts[:end]), parts[end])]
    return []


@cache
def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # a function's attribute
        return False


def _text(node: ast.AST) -> str:
    """Code as text that is the same however it is laid out, documented and imported."""
    return repr(_plain(node))


def _plain(node: Any) -> Any:
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, ast.AST):
        return node
    fields = {
        name: value for name, value in ast.iter_fields(node) if name not in ("ctx", "kind", "type_comment")
    }
    if (
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and ast.get_docstring(node) is not None
    ):
        fields["body"] = node.body[1:]
    if isinstance(node, ast.Import | ast.ImportFrom):
        fields.pop("module", None)
        fields.pop("level", None)
    if isinstance(node, ast.Call) and _dotted(node.func).endswith("Exercise"):
        fields["keywords"] = [word for word in node.keywords if word.arg not in _TOLD_ONLY]
    # Python's versions differ in which fields they have at all
    return [type(node).__name__, *((name, _plain(v)) for name, v in fields.items() if v not in (None, []))]
