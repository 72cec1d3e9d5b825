"""One submission through the sandbox: from notebook to job, from job to result, and never twice the same."""

import hashlib
import json
from dataclasses import asdict

from nbformat import NotebookNode

from course.exercises import exercises_of
from course.judging import archive
from course.judging.recording import Outcome
from course.judging.sheets import sheet_name
from solutions.classroom.assignment import Assignment
from solutions.classroom.folder import ClassFolder, ClassFolderError
from solutions.classroom.release.course_version import course_version
from solutions.classroom.release.source_notebook import DEMO_TAG, grade_id
from solutions.classroom.submission.cells_to_run import needed_cells
from solutions.classroom.submission.sandbox import CellResult, Job, Limits, Result, Step
from solutions.classroom.submission.sharing import share_snapshots


def job_of(assignment: Assignment, notebook: NotebookNode, device: str = "cpu") -> Job:
    """What the sandbox is to do with a notebook: the cells that matter, in order, and each exercise's questions."""
    steps = steps_of(assignment.chapter, notebook, assignment.notebook)
    sheet = assignment.sheet
    files = {sheet_name(assignment.chapter): sheet} if sheet else {}
    return Job(steps=steps, questions=assignment.questions, files=files, device=device)


def steps_of(chapter: str, notebook: NotebookNode, release: NotebookNode) -> list[Step]:
    """The code cells to run, demonstrations left out; a graded cell stands for the exercise that it checks."""
    exercises = {grade_id(name): name for name in exercises_of(chapter)}
    cells = [
        cell
        for cell in needed_cells(notebook.cells, release.cells)
        if DEMO_TAG not in cell.metadata.get("tags", ())
    ]
    names = [exercises.get(cell.metadata.get("nbgrader", {}).get("grade_id", ""), "") for cell in cells]
    return share_snapshots(
        [Step(cell["id"], cell.source, name) for cell, name in zip(cells, names, strict=True)]
    )


_FORMAT = 2
"""Of what is kept of a run; recordings without their public part are made again."""


def limits_of(folder: ClassFolder) -> Limits:
    """What a submission of this class may use: the usual, or what `classroom grade --limit` last said."""
    path = folder.hidden / "limit.json"
    try:
        return Limits.of(float(json.loads(path.read_text("utf-8")))) if path.is_file() else Limits()
    except (ValueError, TypeError):
        raise ClassFolderError(
            f"{path} holds no number of seconds: classroom grade --limit writes it anew."
        ) from None


def set_limit(folder: ClassFolder, seconds: float) -> Limits:
    """From now on a cell or an exercise of this class may take so many seconds, and all the rest in proportion."""
    archive.write_bytes(folder.hidden / "limit.json", json.dumps(seconds).encode())
    return limits_of(folder)


def digest_of(job: Job, chapter: str, limits: Limits | None = None) -> str:
    """Equal digests, equal results: submission, secret inputs, course version, device, and time where it is not the usual."""
    digest = hashlib.sha256(f"{_FORMAT} {chapter} {course_version(chapter)} {job.device}".encode())
    if limits is not None and limits.cpu_seconds != Limits.cpu_seconds:
        digest.update(f" {limits.cpu_seconds}".encode())
    for step in job.steps:
        digest.update(repr((step.id, step.source, step.exercise)).encode())
    digest.update(job.questions)
    for name, data in sorted(job.files.items()):
        digest.update(name.encode() + data)
    return digest.hexdigest()[:32]


def recorded(assignment: Assignment, digest: str) -> Result | None:
    """The result of an equal job that was run before, or None."""
    path = assignment.recording(digest)
    if not path.exists():
        return None
    try:
        return result_of(archive.read(path))
    except (archive.ArchiveError, KeyError, TypeError, ValueError):
        path.unlink()  # damaged: run it again
        return None


def keep(assignment: Assignment, digest: str, result: Result) -> None:
    """Keep a result for the next time."""
    archive.write(assignment.recording(digest), tree_of(result))


def tree_of(result: Result) -> archive.Tree:
    """A result as an archive holds it."""
    return {
        "cells": {key: asdict(cell) for key, cell in result.cells.items()},
        "recordings": {
            name: [dict(vars(outcome)) for outcome in many] for name, many in result.recordings.items()
        },
        "failures": result.failures,
        "seconds": result.seconds,
        "isolation": result.isolation,
        "public": tree_of(result.public) if result.public else None,
    }


def result_of(tree: archive.Tree) -> Result:
    """The result in an archive of our own making."""
    return Result(
        cells={key: CellResult(**cell) for key, cell in tree["cells"].items()},
        recordings={
            name: [Outcome.of(outcome) for outcome in many] for name, many in tree["recordings"].items()
        },
        failures=tree["failures"],
        seconds=tree["seconds"],
        isolation=tree["isolation"],
        public=result_of(tree["public"]) if tree["public"] else None,
    )
