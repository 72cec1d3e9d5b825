"""The values of this room: a cell as handed in, a note on what was put right, and a submission that is safe to handle.

Below them: what the release says of each of its cells, and when a student's cell counts as changed.
"""

from dataclasses import dataclass, field
from typing import Any

from nbformat import NotebookNode


@dataclass(frozen=True)
class Note:
    """Something that was put right. cell: the grade id of the cell that it is about, or "" for the whole notebook."""

    text: str
    cell: str = ""


@dataclass
class Submission:
    """A notebook that is safe to handle. unreadable: why the student's file could not be used, or "".

    absent: whether nothing was handed in.
    """

    notebook: NotebookNode
    unreadable: str = ""
    notes: list[Note] = field(default_factory=list)
    absent: bool = False


@dataclass(frozen=True)
class Theirs:
    """All that is believed of a student's cell.

    kind: "code", "markdown" or "raw". demo: whether it is tagged as a demonstration. guessed: whether its grade id was
    lost, and found again by other signs.
    """

    kind: str
    text: str
    grade_id: str = ""
    demo: bool = False
    attachments: Any = None
    id: str = ""
    guessed: bool = False


def grade_id_of(cell: NotebookNode) -> str:
    """The name under which nbgrader grades a cell; "" where it does not."""
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


def cells_by_grade_id(release: NotebookNode) -> dict[str, NotebookNode]:
    """grade id → the cell as it was released, in order."""
    return {grade_id_of(cell): cell for cell in release.cells if grade_id_of(cell)}


def cells_by_text(release: NotebookNode) -> dict[str, NotebookNode]:
    """text → the cell, for all that is told and shown between the exercises."""
    return {alike(cell.source): cell for cell in release.cells if not grade_id_of(cell)}


def is_open(original: NotebookNode) -> bool:
    """Whether there is room in it for the student's own."""
    return bool(original.metadata.nbgrader.get("solution"))


def is_asked(original: NotebookNode) -> bool:
    """Something that only this chapter asks for; set-ups and given functions stand in other chapters too."""
    return is_open(original) or bool(original.metadata.nbgrader.get("grade"))


def is_answer(original: NotebookNode) -> bool:
    """An answer in words: a person grades what is written into it."""
    return (
        is_open(original) and bool(original.metadata.nbgrader.get("grade")) and original.cell_type != "code"
    )


def alike(text: str) -> str:
    """Equal for texts that differ only in what editors change by themselves.

    That is: how lines end, white space at their ends, empty lines around the text, and spaces that do not break.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\xa0", " ")
    return "\n".join(line.rstrip() for line in text.strip().split("\n"))


def changed(theirs: Theirs, original: NotebookNode) -> bool:
    """Whether there is something in a student's cell that was not released with it."""
    return alike(theirs.text) != alike(original.source)
