"""A reference function's source, and what it needs from its module: imports, private helpers, other functions."""

import ast
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from course.exercises import chapters, exercises_of


@dataclass(frozen=True)
class Needs:
    """What a function's source refers to.

    imports: statements. helpers: private functions, classes and constants, in the module's order.
    functions: public functions of the library, as (module, name).
    """

    imports: tuple[str, ...]
    helpers: tuple[str, ...]
    functions: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Module:
    source: str
    imports: dict[str, str]
    definitions: dict[str, ast.stmt]
    library: dict[str, tuple[str, str]]


@cache
def _read(module: str) -> _Module:
    source = inspect.getsource(importlib.import_module(module))
    imports: dict[str, str] = {}
    definitions: dict[str, ast.stmt] = {}
    library: dict[str, tuple[str, str]] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("solutions"):
            library |= {alias.asname or alias.name: (str(node.module), alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            for alias in node.names:
                imports[alias.asname or alias.name.split(".")[0]] = f"import {ast.unparse(alias)}"
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                imports[alias.asname or alias.name] = f"from {node.module} import {ast.unparse(alias)}"
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            definitions[node.name] = node
        elif isinstance(
            node,
            ast.Assign | ast.AnnAssign | ast.TypeAlias
            if hasattr(ast, "TypeAlias")
            else ast.Assign | ast.AnnAssign,
        ):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]  # type: ignore[attr-defined]
            definitions |= {target.id: node for target in targets if isinstance(target, ast.Name)}
    return _Module(source, imports, definitions, library)


def load(module: str, name: str) -> Callable[..., Any]:
    """The function itself."""
    return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]


def source_of(module: str, name: str) -> str:
    """The source text of a function, class or constant, comments above it not included."""
    read = _read(module)
    return _text(read, read.definitions[name])


def definition(module: str, name: str) -> ast.stmt:
    """The parsed definition."""
    return _read(module).definitions[name]


def _text(read: _Module, node: ast.stmt) -> str:
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    return "\n".join(read.source.splitlines()[first - 1 : node.end_lineno])


def needs(module: str, name: str) -> Needs:
    """Everything that the definition of `name` refers to, private helpers followed."""
    read = _read(module)
    imports: set[str] = set()
    helpers: set[str] = set()
    functions: dict[tuple[str, str], None] = {}
    waiting, seen = [name], set()
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        for used in _names(read.definitions[current]):
            if used == name:
                continue
            if used in read.library:
                functions[_defining(*read.library[used])] = None
            elif used in read.definitions:
                node = read.definitions[used]
                if used.startswith("_") or not isinstance(node, ast.FunctionDef | ast.ClassDef):
                    helpers.add(used)
                    waiting.append(used)
                else:
                    functions[(module, used)] = None
            elif used in read.imports:
                imports.add(read.imports[used])
    order = list(read.definitions)
    return Needs(tuple(sorted(imports)), tuple(sorted(helpers, key=order.index)), tuple(functions))


def _defining(module: str, name: str) -> tuple[str, str]:
    """Where a name is defined that one module of the library may only hand on from another."""
    read = _read(module)
    return _defining(*read.library[name]) if name in read.library else (module, name)


def _names(node: ast.AST) -> Iterator[str]:
    for child in ast.walk(node):
        if isinstance(child, ast.Name):
            yield child.id


@cache
def home_of() -> dict[str, str]:
    """exercise → the reference module that its chapter imports it from."""
    from solutions.classroom.release.chapter_text import chapter_path, parse

    return {
        name: cell.module
        for chapter in chapters()
        if chapter_path(chapter).exists()
        for cell in parse(chapter_path(chapter).read_text(encoding="utf-8"), chapter)
        if cell.kind == "exercise"
        for name in cell.names
    }


def exercises_called(chapter: str, module: str, name: str) -> list[str]:
    """The exercises of the same chapter that the reference `name` calls, also through others and through helpers."""
    here = exercises_of(chapter)
    called: dict[str, None] = {}
    waiting, seen = [(module, name)], set()
    while waiting:
        current = waiting.pop(0)
        if current in seen:
            continue
        seen.add(current)
        for other_module, used in needs(*current).functions:
            if used in here and used != name:
                called[used] = None
            waiting.append((other_module, used))
    return list(called)


def depends_on(chapter: str, name: str, other: str) -> bool:
    """Whether exercise `name` calls exercise `other`, directly or through further exercises."""
    return other in exercises_called(chapter, home_of()[name], name)


@contextmanager
def replaced(module: str, name: str, stand_in: Callable[..., Any]) -> Iterator[None]:
    """While this lasts, the reference modules that call `name` call `stand_in` instead."""
    original = load(module, name)
    holders = [
        m
        for key, m in list(sys.modules.items())
        if key.startswith("solutions.") and getattr(m, name, None) is original
    ]
    holders = [
        m for m in holders if not m.__name__.startswith(("solutions.misconceptions", "solutions.classroom"))
    ]
    for holder in holders:
        setattr(holder, name, stand_in)
    try:
        yield
    finally:
        for holder in holders:
            setattr(holder, name, original)
