"""Which cells grading has to run: everything that a student wrote, and of the chapter's own cells those it leans on.

A chapter's pictures and long computations are there to be looked at. Grading runs one only when it defines a name that
a student's cell uses, directly or through another of the chapter's cells.
"""

from collections.abc import Iterable, Sequence

from nbformat import NotebookNode

from course.notebook.names import TOO_LONG, TOO_STRANGE, defined, used


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
