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

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

LARGEST_NOTEBOOK = 20_000_000
MOST_CELLS = 2_000


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
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            notebook = nbformat.convert(nbformat.from_dict(tree), 4)
        cells = [_cell(cell) for cell in notebook.cells]
    except Exception:  # nbformat raises many kinds for what is no notebook
        raise _UnreadableError(f"{path.name} is JSON, but no Jupyter notebook.") from None
    if len(cells) > MOST_CELLS:
        raise _UnreadableError(f"{path.name} has {len(cells)} cells; {MOST_CELLS} is the most.")
    return NotebookNode(cells=cells)


def _cell(theirs: NotebookNode) -> NotebookNode:
    """Type, source, grade id and tags of a cell: nothing else of it is believed."""
    source = theirs.get("source", "")
    source = "".join(source) if isinstance(source, list) else source
    if not isinstance(source, str):
        raise _UnreadableError("A cell has no text.")
    source = source.encode("utf-8", "replace").decode("utf-8")
    cell = (
        new_code_cell(source) if theirs.get("cell_type") == "code" else new_markdown_cell(_harmless(source))
    )
    metadata = theirs.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    grader = metadata.get("nbgrader")
    name = grader.get("grade_id") if isinstance(grader, dict) else None
    if isinstance(name, str):
        cell.metadata["nbgrader"] = {"grade_id": name}
    tags = metadata.get("tags")
    if isinstance(tags, list) and "demo" in tags:
        cell.metadata["tags"] = ["demo"]
    return cell


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
