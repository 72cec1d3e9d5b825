"""A submission before anything of it runs: read carefully, and put back on the release's rails.

Whatever a student did to the file, what comes out is a valid notebook with the release's locked cells, metadata and
order, and the student's own code in it; or the untouched release with the reason why nothing could be read.
"""

import json
import os
import re
import stat
import warnings
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

LARGEST_NOTEBOOK = 20_000_000
MOST_CELLS = 2_000
MOST_TEXT = 2_000_000
"""Characters in all cells together; a chapter has 50,000."""


@dataclass
class Submission:
    """A notebook that is safe to handle. unreadable: why the student's file could not be used, or "". notes: what was put right."""

    notebook: NotebookNode
    unreadable: str = ""
    notes: list[str] = field(default_factory=list)


def read_submission(path: Path, release: NotebookNode) -> Submission:
    """The submission at `path` on the release's rails. Never raises for what a student can cause."""
    try:
        theirs = _read(path)
    except _UnreadableError as error:
        return Submission(deepcopy(release), unreadable=str(error))
    known = {_grade_id(cell) for cell in release.cells if _grade_id(cell)}
    if not any(_grade_id(cell) in known for cell in theirs.cells):
        return Submission(
            deepcopy(release),
            unreadable=f"{path.name} is not this chapter's notebook: none of its cells belong here.",
        )
    return _on_rails(theirs, release)


class _UnreadableError(Exception):
    pass


def _read(path: Path) -> NotebookNode:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise _UnreadableError(f"Nothing was handed in: there is no {path.name}.") from None
    except OSError as error:
        reason = "it is a link, not a file" if path.is_symlink() else (error.strerror or "unknown reason")
        raise _UnreadableError(f"{path.name} could not be opened: {reason}.") from None
    facts = os.fstat(handle)
    if not stat.S_ISREG(facts.st_mode):
        os.close(handle)
        raise _UnreadableError(f"{path.name} is no ordinary file.")
    with os.fdopen(handle, "rb") as file:
        if facts.st_size > LARGEST_NOTEBOOK:
            raise _UnreadableError(
                f"{path.name} has {facts.st_size / 1e6:.0f} MB; {LARGEST_NOTEBOOK / 1e6:.0f} MB is the most."
                " Clear all outputs and hand it in again."
            )
        data = file.read(LARGEST_NOTEBOOK + 1)
    try:
        tree = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise _UnreadableError(f"{path.name} is not UTF-8 text. Save it again from Jupyter.") from None
    except (ValueError, RecursionError):
        raise _UnreadableError(
            f"{path.name} is not a notebook: its JSON is damaged. Open it in Jupyter, save it, and hand it in again."
        ) from None
    cells = _cells(tree, path.name)
    return NotebookNode(cells=cells)


def _cells(tree: Any, name: str) -> list[NotebookNode]:
    """The cells of a notebook of any format.

    nbformat only gets what counts of them: a million outputs or keys would keep it busy for minutes.
    """
    try:
        raw = _bare_cells(tree)
        if len(raw) > MOST_CELLS:
            raise _UnreadableError(f"{name} has {len(raw)} cells; {MOST_CELLS} is the most.")
        facts = {key: tree[key] for key in ("nbformat", "nbformat_minor") if isinstance(tree.get(key), int)}
        parts = {"worksheets": [{"cells": raw}]} if "worksheets" in tree else {"cells": raw}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            notebook = nbformat.convert(nbformat.from_dict(facts | {"metadata": {}} | parts), 4)
        cells = [_cell(cell) for cell in notebook.cells]
    except _UnreadableError:
        raise
    except Exception:  # nbformat raises many kinds for what is no notebook
        raise _UnreadableError(f"{name} is JSON, but no Jupyter notebook.") from None
    size = sum(len(cell.source) for cell in cells)
    if size > MOST_TEXT:
        raise _UnreadableError(
            f"{name} holds {size / 1e6:.1f} MB of text in its cells; {MOST_TEXT / 1e6:.0f} MB is the most."
            " Take out what was pasted in and hand it in again."
        )
    return cells


_TEXT_KEYS = ("source", "input", "code", "text")
"""What a cell's text is called in the formats 4, 3 and 2, and 1."""


def _bare_cells(tree: Any) -> list[dict[str, Any]]:
    """Type, text, grade id and tags of every cell; or the cells as they are, where there are too many."""
    sheets = tree.get("worksheets", [tree])
    found = [cell for sheet in sheets for cell in sheet["cells"]]
    if len(found) > MOST_CELLS:
        return found
    return [_bare(cell) for cell in found]


def _bare(cell: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {"metadata": _believed(cell.get("metadata")), "outputs": []}
    kept |= {key: cell[key] for key in ("cell_type", "level") if isinstance(cell.get(key), str | int)}
    for key in _TEXT_KEYS:
        if key in cell:
            kept[key] = cell[key] if isinstance(cell[key], str) else "".join(cell[key])
    return kept


def _believed(metadata: object) -> dict[str, Any]:
    """What is believed of a cell's metadata: its grade id, and the tag of demonstrations."""
    metadata = metadata if isinstance(metadata, dict) else {}
    kept: dict[str, Any] = {}
    grader, tags = metadata.get("nbgrader"), metadata.get("tags")
    if isinstance(grader, dict) and isinstance(grader.get("grade_id"), str):
        kept["nbgrader"] = {"grade_id": grader["grade_id"]}
    if isinstance(tags, list) and "demo" in tags:
        kept["tags"] = ["demo"]
    return kept


def _cell(theirs: NotebookNode) -> NotebookNode:
    """A new cell with the text of theirs."""
    source = theirs.get("source", "").encode("utf-8", "replace").decode("utf-8")
    make = new_code_cell if theirs.get("cell_type") == "code" else new_markdown_cell
    text = source if make is new_code_cell else _harmless(source)
    return make(text, metadata=_believed(theirs.metadata))


def _harmless(markdown: str) -> str:
    """Markdown without HTML tags, and with links into the web only: formgrader and feedback would run what they say.

    Every `<` that could open a tag is spelled out; formulas read the same, and so does text outside code spans.
    """
    text = re.sub(r"<(?=[A-Za-z/!?])", "&lt;", markdown)
    return re.sub(r"\](?=[(:])(?![(:]\s*(?:https?://|#))", "] ", text)


def _grade_id(cell: NotebookNode) -> str:
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


def _on_rails(theirs: NotebookNode, release: NotebookNode) -> Submission:
    """The release's cells in the release's order; the student's own cells behind the known cell they followed."""
    notes: list[str] = []
    known = {_grade_id(cell): cell for cell in release.cells if _grade_id(cell)}
    found: dict[str, NotebookNode] = {}
    own: dict[str, list[NotebookNode]] = {"": []}
    anchor = ""
    order: list[str] = []
    for cell in theirs.cells:
        name = _grade_id(cell)
        if name in known and name not in found:
            found[name], anchor = cell, name
            order.append(name)
            continue
        if name in found:
            notes.append(
                f"The cell '{name}' was there twice; the second one was taken as a cell of your own."
            )
            if known[name].metadata.nbgrader["locked"]:
                continue
        cell.metadata.pop("nbgrader", None)
        own.setdefault(anchor, []).append(cell)
    if order != [name for name in known if name in found]:
        notes.append("Cells had changed places; they were put back in order.")
    cells = list(own[""])
    for name, original in known.items():
        cells.append(_restored(name, original, found.get(name), notes))
        cells += own.get(name, [])
    notebook = deepcopy(release)
    notebook.cells = cells
    _give_ids(cells)
    return Submission(notebook, notes=notes)


def _restored(
    name: str, original: NotebookNode, theirs: NotebookNode | None, notes: list[str]
) -> NotebookNode:
    cell = deepcopy(original)
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
    facts = cell.metadata.nbgrader
    if theirs is None:
        notes.append(f"The cell '{name}' was missing; it was put back as it was released.")
        return cell
    if facts.get("solution"):
        if theirs.cell_type != cell.cell_type:
            notes.append(
                f"The cell '{name}' had become a {theirs.cell_type} cell; it was made a {cell.cell_type} cell again."
            )
        cell.source = theirs.source
    elif theirs.source not in (cell.source, _harmless(cell.source)) or theirs.cell_type != cell.cell_type:
        notes.append(f"The locked cell '{name}' had been changed; it was put back as it was released.")
    return cell


def _give_ids(cells: Iterable[NotebookNode]) -> None:
    seen: set[str] = set()
    for position, cell in enumerate(cells):
        if "id" not in cell or cell["id"] in seen or not _grade_id(cell):
            cell["id"] = f"cell-{position}"
        seen.add(cell["id"])
