"""What grading will find otherwise than the kernel has it, at an exercise's check cell.

Grading runs the saved notebook from top to bottom and asks a function with the names that there are at its check cell. The
kernel may know more: a helper from a cell further down, from a cell that is gone, or a second version. All this is read
from the saved notebook's source; where it cannot be known, nothing is said.
"""

import ast
import builtins
import contextlib
import functools
import inspect
import linecache
import sys
import textwrap
import types
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Literal

from course.notebook import kernel
from course.notebook.names import Statement, cell_of
from course.notebook.saved import Saved, SavedCell, code, grade_id

MISSING: Any = object()
"""Stands for a name that is not there."""

CLOCKS_DIFFER = 10
"""Seconds by which a file server's clock may be ahead of the kernel's."""

MOST_LOOKED_AT = 2_000
"""Objects that are looked into for the names that a function may need."""


@dataclass(frozen=True)
class Otherwise:
    """One name that grading finds otherwise. value: what it stands for there, or MISSING. why: the name that is to blame."""

    name: str
    how: Literal["below", "nowhere", "demo", "earlier"]
    value: Any
    why: str

    def told(self, exercise: str) -> str:
        """What a person should do."""
        name = f"`{self.why}`"
        if self.how == "below":
            return (
                f"grading, which runs the saved notebook from top to bottom, will not find {name}:"
                " move its cell up, above this one, and save."
            )
        if self.how == "demo":
            return f"grading will not find {name}: it does not run cells that are tagged `demo`. Define it in another one."
        if self.how == "nowhere":
            return f"grading will not find {name}, which no cell of the saved notebook defines: write it into one above."
        if self.why == exercise:
            return f"grading will ask the {name} that is saved above this check: move this one up, and save."
        return f"grading will use another {name}, the last one that is saved above this check: keep one of them only."


def otherwise(exercise: str, names: Mapping[str, Any], saved: Saved) -> list[Otherwise]:
    """The names that `exercise` may need and that grading finds otherwise than `names`, the kernel's, have them."""
    at = saved.place(grade_id(exercise))
    before, after = code(saved.cells[:at]), code(saved.cells[at:])
    there = _run(before)
    if there is None:
        return []
    unsure = {name for cell in (*before, *after) for name in cell.names.unsure}
    found = []
    for name in _reachable(exercise, names):
        if name in unsure or kernel.is_its_own(name):
            continue
        live = names.get(name, MISSING)
        if name in there.stopped:
            blame = there.stopped[name]
            found += _absent(blame, names, before, after, saved, name)
        elif name not in there.makes:
            if not any(_star_has(star, name) for cell in before for star in cell.names.stars):
                found += _absent(name, names, before, after, saved, name)
        elif live is not MISSING:
            found += _earlier(name, live, names, before, after)
    return found


@contextlib.contextmanager
def as_in_grading(names: MutableMapping[str, Any], others: list[Otherwise]) -> Iterator[None]:
    """While this lasts, these names are as grading finds them."""
    kept = {other.name: names.get(other.name, MISSING) for other in others}
    _put(names, {other.name: other.value for other in others})
    try:
        yield
    finally:
        _put(names, kept)


def _put(names: MutableMapping[str, Any], values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if value is MISSING:
            names.pop(name, None)
        else:
            names[name] = value


@dataclass(frozen=True)
class _There:
    """What there is after some cells have run. stopped: name → the missing name that kept its statement from running."""

    makes: frozenset[str]
    stopped: dict[str, str]


def _run(cells: list[SavedCell]) -> _There | None:
    """Which names these cells leave, as far as their source says; None where one of them may leave anything."""
    facts = [cell.names for cell in cells]
    if any(cell.unknown or any(star not in sys.modules for star in cell.stars) for cell in facts):
        return None
    stars = tuple(star for cell in facts for star in cell.stars)
    unsure = {name for cell in facts for name in cell.unsure}
    makes: set[str] = set()
    stopped: dict[str, str] = {}
    for cell in facts:
        blame = ""
        for statement in cell.statements:
            if not blame:
                missing = (
                    name for name in sorted(statement.needs) if name not in makes and name not in unsure
                )
                blame = next(
                    (n for n in missing if not _given(n) and not any(_star_has(s, n) for s in stars)), ""
                )
            if blame:
                stopped |= {name: blame for name in statement.makes if name not in makes}
            else:
                makes |= statement.makes
                stopped = {name: why for name, why in stopped.items() if name not in statement.makes}
    return _There(frozenset(makes), stopped)


def _given(name: str) -> bool:
    """Whether every notebook has it, without a cell that makes it."""
    return hasattr(builtins, name) or kernel.is_its_own(name)


def _star_has(module: str, name: str) -> bool:
    return hasattr(sys.modules.get(module), name)


def _absent(
    blame: str,
    names: Mapping[str, Any],
    before: list[SavedCell],
    after: list[SavedCell],
    saved: Saved,
    name: str,
) -> list[Otherwise]:
    if name not in names or _given(blame):
        return []
    if any(cell.demo and blame in cell_of(cell.source).makes for cell in before):
        return [Otherwise(name, "demo", MISSING, blame)]
    if any(blame in cell.names.makes for cell in after):
        return [Otherwise(name, "below", MISSING, blame)]
    if any(cell.names.unknown for cell in after):
        return []
    made = kernel.made_at(blame)
    if (
        made is not None and made + CLOCKS_DIFFER < saved.stamp
    ):  # else it may stand in a cell that is not saved yet
        return [Otherwise(name, "nowhere", MISSING, blame)]
    return []


def _earlier(
    name: str, live: Any, names: Mapping[str, Any], before: list[SavedCell], after: list[SavedCell]
) -> list[Otherwise]:
    """The value that the last statement above gives a name, where the kernel has that of another saved statement."""
    above = _binding(name, before)
    last = above[-1] if above else None
    if last is None:
        return []
    here = _dump_of(live)
    others = [_dump(other.node) for other in (*above[:-1], *_binding(name, after)) if other is not None]
    elsewhere = here is not None and here != _dump(last.node) and here in others
    if not elsewhere and not _comes_from(live, name, after, before):
        return []
    value = _value(last.node, name, names)
    return [] if value is MISSING else [Otherwise(name, "earlier", value, name)]


def _comes_from(live: Any, name: str, after: list[SavedCell], before: list[SavedCell]) -> bool:
    """Whether the cell in which a function was written is one of those after, and none of those before."""
    if not isinstance(live, types.FunctionType):
        return False
    written = "".join(linecache.getlines(live.__code__.co_filename)).strip()
    return any(written == cell.source.strip() and name in cell.names.makes for cell in after) and not any(
        written == cell.source.strip() for cell in before
    )


def _binding(name: str, cells: list[SavedCell]) -> list[Statement | None]:
    """The statements that bind a name, in order; None for one that is no plain definition."""
    found: list[Statement | None] = []
    for cell in cells:
        for statement in cell.names.statements:
            if name in statement.makes:
                found.append(statement if _dump(statement.node) else None)
    return found


def _dump(node: ast.AST) -> str:
    """What a plain definition says: a function, or `name = constant`; "" for anything else."""
    if isinstance(node, ast.FunctionDef) and not node.decorator_list:
        return ast.dump(node)
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        with contextlib.suppress(ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            value = ast.literal_eval(node.value)
            return _said(value) or ""
    return ""


def _said(value: Any) -> str | None:
    """A plain value, as a text to compare it by."""
    plain = value is None or type(value) in (bool, int, float, complex, str, bytes)
    if plain or (type(value) is tuple and all(_said(item) for item in value)):
        return f"={value!r}"
    return None


def _dump_of(live: Any) -> str | None:
    if not isinstance(live, types.FunctionType):
        return _said(live)
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(live)))
    except (OSError, TypeError, SyntaxError, ValueError, RecursionError):
        return None
    return _dump(tree.body[0]) if tree.body else None


def _value(node: ast.AST, name: str, names: Mapping[str, Any]) -> Any:
    """What a plain definition gives its name, in the notebook's own namespace."""
    if isinstance(node, ast.Assign):
        return ast.literal_eval(node.value)
    assert isinstance(node, ast.FunctionDef)
    made: dict[str, Any] = {}
    try:
        text = compile(ast.Module([node], []), "<saved notebook>", "exec")
        exec(text, names if isinstance(names, dict) else dict(names), made)
    except Exception:  # a default or an annotation that does not hold any more
        return MISSING
    return made.get(name, MISSING)


def _reachable(exercise: str, names: Mapping[str, Any]) -> list[str]:
    """The notebook's names that a function may come to: its own, and those of whatever it finds by them."""
    found: dict[str, None] = {exercise: None}
    waiting: list[Any] = [names.get(exercise)]
    seen: set[int] = set()
    while waiting and len(seen) < MOST_LOOKED_AT:
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, types.CodeType):
            waiting += [constant for constant in thing.co_consts if isinstance(constant, types.CodeType)]
            for name in thing.co_names:
                if name in names and name not in found:
                    found[name] = None
                    waiting.append(names[name])
        else:
            waiting += _parts(thing, names)
    return list(found)


def _parts(thing: Any, names: Mapping[str, Any]) -> list[Any]:
    """What code may run when somebody uses a thing of the notebook's own."""
    if isinstance(thing, types.FunctionType):
        if thing.__globals__ is not names:
            return []
        cells = [cell.cell_contents for cell in thing.__closure__ or () if _filled(cell)]
        defaults = [*(thing.__defaults__ or ()), *(thing.__kwdefaults__ or {}).values()]
        return [thing.__code__, *cells, *defaults, *vars(thing).values()]
    if isinstance(thing, types.MethodType):
        return [thing.__func__, thing.__self__]
    if isinstance(thing, functools.partial):
        return [thing.func, *thing.args, *thing.keywords.values()]
    if isinstance(thing, staticmethod | classmethod):
        return [thing.__func__]
    if isinstance(thing, property):
        return [thing.fget, thing.fset]
    if isinstance(thing, tuple | list | dict) and len(thing) <= 100:
        return [*(thing.values() if isinstance(thing, dict) else thing)]
    if isinstance(thing, type):
        ours = thing.__module__ == names.get("__name__", "__main__")
        return [*vars(thing).values(), *thing.__mro__[1:]] if ours else []
    wrapped = getattr(type(thing), "__wrapped__", None) or inspect.getattr_static(thing, "__wrapped__", None)
    return [type(thing), *([wrapped] if wrapped is not None else [])]


def _filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - raises where it is empty
    except ValueError:
        return False
    return True
