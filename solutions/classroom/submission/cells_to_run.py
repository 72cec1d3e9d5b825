"""Which cells grading has to run: everything that a student wrote, and of the chapter's own cells those it leans on.

A chapter's pictures and long computations are there to be looked at. Grading runs one only when it defines a name that
a student's cell uses, directly or through another of the chapter's cells.
"""

import ast
import symtable
from collections.abc import Iterable, Sequence
from functools import lru_cache

from nbformat import NotebookNode

TOO_LONG = 200_000
"""Characters of code beyond which nobody looks: Python's parser takes a thousand bytes of memory for each of them."""

TOO_STRANGE = (MemoryError, RecursionError, UnicodeError, ValueError)
"""What Python's own parser raises for code that is nested too deeply, or is no text."""


def needed_cells(cells: Sequence[NotebookNode], release: Sequence[NotebookNode]) -> list[NotebookNode]:
    """The code cells to run, in order. cells: of the submission. release: of the untouched notebook."""
    code = [cell for cell in cells if cell.cell_type == "code"]
    if sum(len(cell.source) for cell in code) > TOO_LONG:
        return code
    untouched = {
        cell.source for cell in release if cell.cell_type == "code" and "nbgrader" not in cell.metadata
    }
    wanted = {
        cell["id"]: cell for cell in code if cell.source not in untouched or "nbgrader" in cell.metadata
    }
    waiting = [cell for cell in code if cell["id"] not in wanted]
    provided = {name for cell in code if "nbgrader" in cell.metadata for name in defined(cell.source)}
    names = _all_names(cell.source for cell in wanted.values())
    while names is not None:
        found = [cell for cell in waiting if (names - provided) & defined(cell.source)]
        if not found:
            return [cell for cell in code if cell["id"] in wanted]
        waiting = [cell for cell in waiting if cell not in found]
        wanted |= {cell["id"]: cell for cell in found}
        names = _all_names(cell.source for cell in wanted.values())
    return code


def _all_names(sources: Iterable[str]) -> set[str] | None:
    """Every global name that these cells use; None when one of them cannot be told (magics, broken code)."""
    found: set[str] = set()
    for source in sources:
        try:
            found |= used(source)
        except TOO_STRANGE:
            return None
        except SyntaxError:
            if any(
                line.lstrip().startswith(("%", "!", "?")) or line.endswith("?")
                for line in source.splitlines()
            ):
                return None
    return found


@lru_cache(maxsize=512)
def used(source: str) -> frozenset[str]:
    """The global names that a cell reads, also inside its functions; parameters and locals are none."""
    found: set[str] = set()
    waiting = [symtable.symtable(source, "<cell>", "exec")]
    while waiting:
        table = waiting.pop()
        waiting += table.get_children()
        top = table.get_type() == "module"
        found |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and (top or s.is_global())}
    return frozenset(found)


@lru_cache(maxsize=512)
def defined(source: str) -> frozenset[str]:
    """The global names that a cell makes: by assignment, import, function or class."""
    try:
        table = symtable.symtable(source, "<cell>", "exec")
        changed = {n.value.id for n in ast.walk(ast.parse(source)) if _changes(n)}  # type: ignore[attr-defined]
    except (SyntaxError, *TOO_STRANGE):
        return frozenset()
    made = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
    return frozenset(made | changed)


def _changes(node: ast.AST) -> bool:
    """`name.attribute = …` and `name[…] = …` change what the name stands for."""
    return (
        isinstance(node, ast.Attribute | ast.Subscript)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
    )
