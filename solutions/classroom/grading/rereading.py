"""Which answers a person has to read again: those whose text changed since it was scored.

nbgrader asks for a new reading of everything that a person scored, whenever a class is graded again. So we keep a
digest of what each score stands on, per student in `.course/texts`, and compare.
"""

import hashlib
import json
from contextlib import suppress

import nbformat
from nbformat import NotebookNode

from course.judging import archive
from solutions.classroom.assignment import Assignment


def texts_of(notebook: NotebookNode) -> dict[str, str]:
    """grade id → a digest of what the student wrote for it.

    For an answer in words that is the answer and the student's own cells behind it; for a check cell, everything since
    the graded cell before.
    """
    written: dict[str, list[str]] = {}
    since: list[str] = []
    answer = ""
    for cell in notebook.cells:
        facts = cell.metadata.get("nbgrader", {})
        name = facts.get("grade_id", "")
        text = json.dumps([cell.cell_type, cell.source, cell.get("attachments", {})], sort_keys=True)
        if name:
            answer = ""
        if not name or facts.get("solution"):
            since.append(text)
        if answer:
            written[answer].append(text)
        if facts.get("grade"):
            answer = name if facts.get("solution") else ""
            written[name] = [text] if answer else since
            since = []
    return {name: hashlib.sha256("\n".join(texts).encode()).hexdigest() for name, texts in written.items()}


def texts_before(assignment: Assignment, student: str) -> dict[str, str]:
    """The digests when this was last graded."""
    try:
        return dict(json.loads(assignment.texts(student).read_text("utf-8")))
    except (OSError, ValueError):
        return {}


def keep_texts(assignment: Assignment, student: str, texts: dict[str, str]) -> None:
    """Remember what the gradebook's scores of this submission stand on."""
    archive.write_bytes(assignment.texts(student), json.dumps(texts, indent=1).encode())


def keep_older_texts(assignment: Assignment, student: str) -> None:
    """Where an older version kept no digests, take them from the notebook that it graded, before that one is replaced."""
    graded = assignment.autograded(student) / f"{assignment.chapter}.ipynb"
    if not graded.is_file() or assignment.texts(student).exists():
        return
    with suppress(ValueError, AttributeError, KeyError):  # no notebook any more: then it is read again
        keep_texts(assignment, student, texts_of(nbformat.read(graded, as_version=4)))
