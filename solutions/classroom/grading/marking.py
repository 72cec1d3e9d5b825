"""Verdicts in a submission's notebook and beside it: what an instructor opens, and what the report is made from."""

import json
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader import utils

from course.exercises import exercises_of
from solutions.classroom.grading.judge import Marked
from solutions.classroom.release.source_notebook import grade_id
from solutions.classroom.submission.reading import Submission
from solutions.classroom.submission.sandbox import Result


def annotated(submission: Submission) -> NotebookNode:
    """A submission's notebook, with what was found when it was read: each note at its cell, the others at the notebook."""
    notebook = submission.notebook
    places = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell.metadata for cell in notebook.cells}
    places.pop(None, None)
    notebook.metadata["classroom"] = {"unreadable": submission.unreadable, "notes": []}
    for metadata in places.values():
        metadata.pop("classroom", None)
    for note in submission.notes:
        metadata = places.get(note.cell, notebook.metadata)
        metadata.setdefault("classroom", NotebookNode(notes=[]))["notes"].append(note.text)
    return notebook


def notes_of(notebook: NotebookNode) -> list[str]:
    """All notes of an annotated notebook, those of the whole first."""
    places = [notebook.metadata, *(cell.metadata for cell in notebook.cells)]
    return [note for metadata in places for note in metadata.get("classroom", {}).get("notes", ())]


def unreadable(notebook: NotebookNode) -> str:
    """Why an annotated notebook's submission could not be read, or ""."""
    return str(notebook.metadata.get("classroom", {}).get("unreadable", ""))


def add_note(notebook: NotebookNode, note: str) -> None:
    """One more note on the whole of a notebook."""
    known = notebook.metadata.setdefault("classroom", NotebookNode(unreadable="", notes=[]))
    known["notes"] = [*known["notes"], note]


def write_verdicts(
    notebook: NotebookNode, chapter: str, marked: dict[str, Marked], result: Result | None
) -> None:
    """Outputs as an instructor sees them: plain text of the student's cells, and the verdict under each check."""
    exercises = {grade_id(name): name for name in exercises_of(chapter)}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.outputs, cell.execution_count = [], None
        name = exercises.get(cell.metadata.get("nbgrader", {}).get("grade_id", ""))
        if name is not None:
            cell.outputs = [_verdict_output(marked[name])]
        elif result is not None and cell["id"] in result.cells:
            seen = result.cells[cell["id"]]
            text = seen.text + (f"\n({seen.status})" if seen.status not in ("ran", "raised") else "")
            if text.strip():
                cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)]


def _verdict_output(marked: Marked) -> NotebookNode:
    """Full marks: a line on stdout. None: an error. nbgrader reads its score off exactly these."""
    verdict = marked.verdict
    text = f"{verdict.message} ({verdict.points:g} of {verdict.of:g} points)"
    if verdict.right:
        return nbformat.v4.new_output("stream", name="stdout", text=f"✔ {text}\n")
    return nbformat.v4.new_output(
        "error", ename=verdict.kind, evalue=verdict.message, traceback=[f"✘ {text}"]
    )


def _blank(notebook: NotebookNode) -> float:
    """The points of the answers in words that are as they were released."""
    answers = [cell for cell in notebook.cells if utils.is_grade(cell) and utils.is_solution(cell)]
    return sum(
        float(cell.metadata.nbgrader.points)
        for cell in answers
        if cell.cell_type != "code" and cell.metadata.nbgrader.get("checksum") == utils.compute_checksum(cell)
    )


def verdicts_file(notebook: NotebookNode, marked: dict[str, Marked], result: Result | None) -> bytes:
    """What the report is made from."""
    tree: dict[str, Any] = {
        "unreadable": unreadable(notebook),
        "notes": notes_of(notebook),
        "blank": _blank(notebook),
        "isolation": result.isolation if result else "",
        "seconds": result.seconds if result else 0.0,
        "exercises": {
            name: {
                "kind": item.verdict.kind,
                "points": item.verdict.points,
                "of": item.verdict.of,
                "message": item.verdict.message,
                "misconception": item.verdict.misconception,
                "follows": item.verdict.follows,
                "seconds": item.seconds,
            }
            for name, item in marked.items()
        },
    }
    return json.dumps(tree, indent=1, ensure_ascii=False).encode()
