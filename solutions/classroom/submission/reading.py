"""A submission before anything of it runs: as little of the file is believed as it can be.

What comes out is a valid notebook with the release's locked cells, metadata and order, and the student's own code and
words in it; or the untouched release with the reason why nothing could be read. Here a file becomes cells: bytes, JSON,
and of each cell only what counts. Where they belong is decided in restoring.py.
"""

import json
import os
import re
import stat
import warnings
from copy import deepcopy
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from solutions.classroom.submission.handed_in import (
    Submission,
    Theirs,
    alike,
    cells_by_grade_id,
    grade_id_of,
    is_asked,
    is_open,
)
from solutions.classroom.submission.restoring import on_rails
from solutions.classroom.submission.washing import without_images

LARGEST_NOTEBOOK = 20_000_000
MOST_CELLS = 2_000
MOST_TEXT = 2_000_000
"""Characters in all cells together; a chapter has 50,000."""

MOST_ATTACHMENTS = 100
"""Of a cell; far more than are kept, so that it is noticed where some are left out."""


class UnreadableError(Exception):
    """Why a file could not be used, and what to do: a sentence for the student."""


class NothingHandedInError(UnreadableError):
    """There is no file to read."""


def read_submission(path: Path, release: NotebookNode) -> Submission:
    """The submission at `path` on the release's rails. Never raises for what a student can cause."""
    try:
        return on_rails(read_cells(path, release), release)
    except UnreadableError as error:
        return unreadable(release, error)


def unreadable(release: NotebookNode, why: UnreadableError) -> Submission:
    """The untouched release, with the reason."""
    return Submission(deepcopy(release), unreadable=str(why), absent=isinstance(why, NothingHandedInError))


def read_cells(path: Path, release: NotebookNode) -> list[Theirs]:
    """The cells of the notebook at `path`. Raises UnreadableError where it is none, or not this chapter's."""
    name = shown(path.name)
    cells = _recognised(_cells(_tree(_bytes(path, name), name), name), release)
    asked = {name for name, original in cells_by_grade_id(release).items() if is_asked(original)}
    if not any(cell.grade_id in asked for cell in cells):
        raise UnreadableError(
            f"{name} is not this chapter's notebook: none of its cells belong here."
            " Hand in the notebook that you got for this chapter."
        )
    return cells


def shown(name: str) -> str:
    """A file's name as it can be printed anywhere."""
    text = "".join(c if c.isprintable() else "?" for c in name.encode("utf-8", "replace").decode("utf-8"))
    return text if len(text) <= 80 else f"{text[:60]}…{text[-19:]}"


def _bytes(path: Path, name: str) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise NothingHandedInError(f"Nothing was handed in: there is no {name}.") from None
    except OSError as error:
        if os.path.islink(path):
            raise UnreadableError(f"{name} is a link, not a file. Hand in the notebook itself.") from None
        reason = error.strerror or "unknown reason"
        raise UnreadableError(f"{name} could not be opened ({reason}). Hand it in again.") from None
    facts = os.fstat(handle)
    if not stat.S_ISREG(facts.st_mode):
        os.close(handle)
        raise UnreadableError(f"{name} is no ordinary file. Hand in the notebook itself.")
    with os.fdopen(handle, "rb") as file:
        if facts.st_size > LARGEST_NOTEBOOK:
            raise UnreadableError(
                f"{name} has {facts.st_size / 1e6:.0f} MB; {LARGEST_NOTEBOOK / 1e6:.0f} MB is the most."
                " Clear all outputs and hand it in again."
            )
        try:
            return file.read(LARGEST_NOTEBOOK)
        except OSError as error:
            reason = error.strerror or "unknown reason"
            raise UnreadableError(f"{name} could not be read ({reason}). Hand it in again.") from None


_NO_NOTEBOOKS = {
    b"<<<<<<<": "holds a merge conflict (<<<<<<<). Resolve it, open the notebook in Jupyter, and hand it in again.",
    b"PK\x03\x04": "is a ZIP archive. Unpack it, and hand in the notebook that is inside.",
    b"%PDF": "is a PDF. Hand in the notebook itself.",
    b"<": "is a web page. Download the notebook itself (in Jupyter: File, Download), and hand that in.",
}


def _tree(data: bytes, name: str) -> Any:
    """The JSON of a notebook in any of Unicode's encodings, or the reason why it is none."""
    start = data.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n\0")
    if not start:
        raise UnreadableError(
            f"{name} is empty. Open your notebook in Jupyter, save it, and hand it in again."
        )
    for mark, words in _NO_NOTEBOOKS.items():
        if start.startswith(mark):
            raise UnreadableError(f"{name} {words}")
    try:
        return json.loads(data)
    except UnicodeDecodeError:
        raise UnreadableError(
            f"{name} is not UTF-8 text. Open it in Jupyter, save it, and hand it in again."
        ) from None
    except (ValueError, RecursionError):
        raise UnreadableError(
            f"{name} is not a notebook: its JSON is damaged. Open it in Jupyter, save it, and hand it in again."
        ) from None


def _cells(tree: Any, name: str) -> list[Theirs]:
    """The cells of a notebook of any format.

    nbformat only gets what counts of them: a million outputs or keys would keep it busy for minutes.
    """
    try:
        raw = _bare_cells(tree)
        if len(raw) > MOST_CELLS:
            raise UnreadableError(
                f"{name} has {len(raw)} cells; {MOST_CELLS} is the most. Delete what is not yours and hand it in again."
            )
        facts = {key: tree[key] for key in ("nbformat", "nbformat_minor") if isinstance(tree.get(key), int)}
        parts = {"worksheets": [{"cells": raw}]} if "worksheets" in tree else {"cells": raw}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            notebook = nbformat.convert(nbformat.from_dict(facts | {"metadata": {}} | parts), 4)
        cells = [_theirs(cell) for cell in notebook.cells]
    except UnreadableError:
        raise
    except Exception:  # nbformat raises many kinds for what is no notebook
        raise UnreadableError(
            f"{name} is JSON, but no Jupyter notebook. Hand in the notebook that you got for this chapter."
        ) from None
    size = sum(len(cell.text if cell.kind == "code" else without_images(cell.text)) for cell in cells)
    if size > MOST_TEXT:
        raise UnreadableError(
            f"{name} holds {size / 1e6:.1f} MB of text in its cells; {MOST_TEXT / 1e6:.0f} MB is the most."
            " Take out what was pasted in and hand it in again."
        )
    return cells


_TEXT_KEYS = ("source", "input", "code", "text")
"""What a cell's text is called in the formats 4, 3 and 2, and 1."""


def _bare_cells(tree: Any) -> list[dict[str, Any]]:
    """Type, text, grade id, tags and attachments of every cell; or the cells as they are, where there are too many."""
    sheets = tree.get("worksheets", [tree])
    found = [cell for sheet in sheets for cell in sheet["cells"]]
    if len(found) > MOST_CELLS:
        return found
    return [_bare(cell) for cell in found]


def _bare(cell: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {"metadata": _believed(cell.get("metadata")), "outputs": []}
    kept |= {key: cell[key] for key in ("cell_type", "level", "id") if isinstance(cell.get(key), str | int)}
    for key in _TEXT_KEYS:
        if key in cell:
            kept[key] = cell[key] if isinstance(cell[key], str) else "".join(cell[key])
    if isinstance(attachments := cell.get("attachments"), dict):
        kept["attachments"] = {n: _images(a) for n, a in islice(attachments.items(), MOST_ATTACHMENTS)}
    return kept


def _images(attachment: object) -> dict[str, str]:
    """What may be an image of one attachment, as plain text: whatever else is in it nobody looks through."""
    attachment = attachment if isinstance(attachment, dict) else {}
    found = {
        kind: attachment[kind] for kind in ("image/png", "image/jpeg", "image/jpg") if kind in attachment
    }
    lines = {kind: [data] if isinstance(data, str) else data for kind, data in found.items()}
    return {
        kind: "".join(data)
        for kind, data in lines.items()
        if isinstance(data, list) and all(isinstance(line, str) for line in data)
    }


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


def _theirs(cell: NotebookNode) -> Theirs:
    """Lines end as in Unix: what Windows and old Macs write is no change."""
    text = cell.get("source", "").encode("utf-8", "replace").decode("utf-8")
    kind = cell.get("cell_type")
    return Theirs(
        kind=kind if kind in ("code", "raw") else "markdown",
        text=text.replace("\r\n", "\n").replace("\r", "\n"),
        grade_id=grade_id_of(cell),
        demo="tags" in cell.metadata,
        attachments=cell.get("attachments"),
        id=str(cell.get("id", "")),
    )


_DEFINES = re.compile(r"^(?:def|class) (\w+)", re.MULTILINE)


def _recognised(cells: list[Theirs], release: NotebookNode) -> list[Theirs]:
    """The cells of a notebook whose metadata some tool dropped: known by their id, their text, or what they define."""
    if any(cell.grade_id for cell in cells):
        return cells
    known = cells_by_grade_id(release)
    ids = {original["id"]: name for name, original in known.items() if "id" in original}
    texts = {alike(original.source): name for name, original in known.items() if not is_open(original)}
    gaps = {n: _DEFINES.search(o.source) for n, o in known.items() if is_open(o) and o.cell_type == "code"}
    defined = {found[1]: name for name, found in gaps.items() if found}
    recognised = []
    for cell in cells:
        made = _DEFINES.search(cell.text) if cell.kind == "code" else None
        name = ids.get(cell.id) or texts.get(alike(cell.text)) or (defined.get(made[1]) if made else None)
        recognised.append(replace(cell, grade_id=name, guessed=True) if name else cell)
    return recognised
