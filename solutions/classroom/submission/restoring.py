"""Cells put back on the release's rails: its locked cells, metadata and order, and the student's own code and words.

`on_rails` decides which cell is which and where it belongs; every cell is then written anew, washed by the kind that it gets.
"""

from collections.abc import Iterable, Sequence
from copy import deepcopy

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from solutions.classroom.submission.answers_in_words import answers_beside
from solutions.classroom.submission.handed_in import (
    Note,
    Submission,
    Theirs,
    alike,
    cells_by_grade_id,
    cells_by_text,
    changed,
    grade_id_of,
    is_answer,
    is_open,
)
from solutions.classroom.submission.washing import LEFT_OUT, Images, Washed, washed, without_images


def on_rails(theirs: Sequence[Theirs], release: NotebookNode) -> Submission:
    """The release's cells in the release's order; the student's own cells behind the known cell they followed."""
    notes: list[Note] = []
    if any(cell.guessed for cell in theirs):
        notes.append(
            Note("The cells had lost their marks for grading; they were recognised by what they hold.")
        )
    known, prose = cells_by_grade_id(release), cells_by_text(release)
    found, own = _sorted(theirs, known, prose, notes)
    answers = answers_beside(known, found, own, prose, notes)
    images = Images()
    cells = [_own(cell, "", prose, images, notes) for cell in own[""]]
    for name, original in known.items():
        parts = answers.get(name, [found[name]] if name in found else [])
        cells.append(_restored(name, original, parts, images, notes))
        cells += [_own(cell, name, prose, images, notes) for cell in own.get(name, [])]
    _give_ids(cells)
    rest = {key: deepcopy(value) for key, value in release.items() if key != "cells"}
    notebook = NotebookNode({**rest, "cells": cells})
    return Submission(notebook, notes=list(dict.fromkeys(notes)))


def done(theirs: Sequence[Theirs], release: NotebookNode) -> int:
    """How much somebody has worked in these cells: gaps and answers that changed, and cells of their own."""
    known, prose = cells_by_grade_id(release), cells_by_text(release)
    first = {cell.grade_id: cell for cell in reversed(theirs) if cell.grade_id in known}
    filled = [name for name, cell in first.items() if is_open(known[name]) and changed(cell, known[name])]
    own = [cell for cell in theirs if cell.grade_id not in known and alike(cell.text) not in prose]
    return len(filled) + sum(1 for cell in own if cell.text.strip())


def _sorted(
    theirs: Iterable[Theirs],
    known: dict[str, NotebookNode],
    prose: dict[str, NotebookNode],
    notes: list[Note],
) -> tuple[dict[str, Theirs], dict[str, list[Theirs]]]:
    """Which cell is which: the known ones by grade id, and the others by the known one that they followed."""
    found: dict[str, Theirs] = {}
    own: dict[str, list[Theirs]] = {"": []}
    anchor = ""
    for cell in theirs:
        name = cell.grade_id
        if name in known and name not in found:
            found[name], anchor = cell, name
            own.setdefault(name, [])
        elif name not in found:
            own[anchor].append(cell)
        elif not is_open(known[name]) or not changed(cell, known[name]):
            notes.append(Note(f"The cell '{name}' was there twice; the copy was left out.", name))
        elif is_answer(known[name]) and not changed(found[name], known[name]):
            notes.append(
                Note(f"The cell '{name}' was there twice; the one with your answer was taken.", name)
            )
            found[name] = cell
        else:
            notes.append(
                Note(
                    f"The cell '{name}' was there twice; the second one was taken as a cell of your own.",
                    name,
                )
            )
            own[anchor].append(cell)
    if list(found) != [name for name in known if name in found]:
        notes.append(Note("Cells had changed places; they were put back in order."))
    return found, own


def _restored(
    name: str, original: NotebookNode, parts: list[Theirs], images: Images, notes: list[Note]
) -> NotebookNode:
    """A known cell as it was released, with the student's text where there is room for it."""
    cell = deepcopy(original)
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
    if not parts:
        notes.append(Note(f"The cell '{name}' was missing; it was put back as it was released.", name))
    elif not is_open(original):
        if changed(parts[0], original) or parts[0].kind != cell.cell_type:
            notes.append(
                Note(f"The locked cell '{name}' had been changed; it was put back as it was released.", name)
            )
    elif is_answer(original) and not any(changed(part, original) for part in parts):
        pass  # to the letter as it was released: by that nbgrader knows a blank answer
    else:
        if parts[0].kind != cell.cell_type:
            notes.append(
                Note(
                    f"The cell '{name}' had become a {parts[0].kind} cell; it was made a {cell.cell_type} cell again.",
                    name,
                )
            )
        _fill(cell, [_made(cell.cell_type, part, images, name, notes) for part in parts])
        cell.source = cell.source if cell.source.strip() else original.source
    return cell


def _own(
    cell: Theirs, anchor: str, prose: dict[str, NotebookNode], images: Images, notes: list[Note]
) -> NotebookNode:
    """A cell that is not graded: the chapter's own as it was released, anything else written anew."""
    if alike(cell.text) in prose:
        told = deepcopy(prose[alike(cell.text)])
        if told.cell_type == "code":
            told.outputs, told.execution_count = [], None
        return told
    new = new_code_cell() if cell.kind == "code" else new_markdown_cell()
    new.metadata = NotebookNode({"tags": ["demo"]} if cell.demo else {})
    _fill(new, [_made(new.cell_type, cell, images, anchor, notes)])
    return new


def _made(kind: str, theirs: Theirs, images: Images, name: str, notes: list[Note]) -> Washed:
    """A cell's text by the kind that it gets: code as it is, anything else washed."""
    if kind == "code":
        return Washed(theirs.text if theirs.kind == "code" else without_images(theirs.text))
    made = washed(theirs.text, theirs.attachments, images)
    if made.left_out:
        notes.append(Note(LEFT_OUT, name))
    return made


def _fill(cell: NotebookNode, parts: Iterable[Washed]) -> None:
    parts = list(parts)
    cell.source = "\n\n".join(part.text for part in parts)
    cell.pop("attachments", None)
    if attachments := {name: data for part in parts for name, data in part.attachments.items()}:
        cell.attachments = nbformat.from_dict(attachments)


def _give_ids(cells: Iterable[NotebookNode]) -> None:
    seen: set[str] = set()
    for position, cell in enumerate(cells):
        if "id" not in cell or cell["id"] in seen or not grade_id_of(cell):
            cell["id"] = f"cell-{position}"
        seen.add(cell["id"])
