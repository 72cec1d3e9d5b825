"""The last stage: a submission's files under `autograded`, and its rows in nbgrader's gradebook.

This does what `nbgrader autograde` does, without converting the notebook twice and opening the gradebook six times. A test
compares all files and rows with nbgrader's own.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.api import (
    BaseCell,
    Gradebook,
    InvalidEntry,
    MissingEntry,
    SubmittedAssignment,
    SubmittedNotebook,
)
from sqlalchemy.exc import OperationalError

from solutions.classroom.assignment import Assignment
from solutions.classroom.folder import ClassFolder, ClassFolderError
from solutions.classroom.gradebook import IN_USE, at_once, is_busy, open_gradebook
from solutions.classroom.grading.class_rules import ClassRules
from solutions.classroom.grading.exchange import Stamp, carry_over
from solutions.classroom.grading.rereading import keep_texts, texts_before
from solutions.classroom.release.source_notebook import notebook_bytes


class LatePolicyError(Exception):
    """The class's own late policy stopped for one submission."""


ONE_S_OWN = (LatePolicyError, ValueError, TypeError, LookupError, AttributeError, RuntimeError)
"""Errors that concern one submission: it is booked as one that could not be processed, and the others go on."""

NOT_PROCESSED = "This submission could not be processed. Show it to whoever runs the course."

NO_RESPONSE = "No response."
"""nbgrader's own words for an answer that is as it was released."""


@dataclass(frozen=True)
class Entry:
    """What the gradebook is told of one submission.

    scores: graded cell → points, None where a person gives them. blank: cell → whether an answer is as it was released.
    texts: on what the scores stand.
    """

    assignment: Assignment
    student: str
    stamp: Stamp
    scores: dict[str, float | None]
    blank: dict[str, bool]
    texts: dict[str, str]


def scores_of(notebook: NotebookNode) -> tuple[dict[str, float | None], dict[str, bool]]:
    """The scores of its graded cells, and which of its answers are blank, read off by nbgrader."""
    scores = {
        c.metadata.nbgrader.grade_id: utils.determine_grade(c)[0] for c in notebook.cells if utils.is_grade(c)
    }
    blank = {
        cell.metadata.nbgrader.grade_id: not utils.is_task(cell)
        and cell.metadata.nbgrader.get("checksum") == utils.compute_checksum(cell)
        for cell in notebook.cells
        if utils.is_solution(cell) or utils.is_task(cell)
    }
    return scores, blank


def file_of(notebook: NotebookNode) -> bytes:
    """A restored notebook as nbformat writes it, which copies it and looks through all of it first."""
    if any("attachments" in cell for cell in notebook.cells):
        return notebook_bytes(notebook)
    cells = [_in_lines(cell) for cell in notebook.cells]
    text = json.dumps(
        {**notebook, "cells": cells}, indent=1, sort_keys=True, separators=(",", ": "), ensure_ascii=False
    )
    return (text + "\n").encode()


def _in_lines(cell: NotebookNode) -> dict[str, Any]:
    found = {**cell, "source": cell.source.splitlines(True)}
    if "outputs" in cell:
        found["outputs"] = [
            {**output, "text": output.text.splitlines(True)} if output.output_type == "stream" else output
            for output in cell.outputs
        ]
    return found


def lay_down(assignment: Assignment, student: str, notebook: bytes, rules: ClassRules) -> None:
    """Everything under `autograded`: the notebook, what the source has beside its own, and what nbgrader's exchange asks for."""
    final = assignment.autograded(student)
    place = final.with_name(f".{final.name}.new")  # takes the old one's place whole
    if place.exists():  # left by a kill
        utils.rmtree(str(place))
    place.mkdir(parents=True)
    source = str(assignment.source)
    theirs = {os.path.join(source, name) for name in rules.kept.get(assignment.chapter, [])}
    for name in {*utils.find_all_files(source, rules.ignored)} - theirs:
        target = place / os.path.relpath(name, source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(name, target)
    (place / f"{assignment.chapter}.ipynb").write_bytes(notebook)
    _set_permissions(place, rules)
    carry_over(assignment.submitted(student), place)
    if final.exists():
        utils.rmtree(str(final))
    place.rename(final)


def _set_permissions(place: Path, rules: ClassRules) -> None:
    for folder, _, files in os.walk(place):
        for name in files:
            os.chmod(os.path.join(folder, name), rules.permissions)
        if rules.shared:
            _share(Path(folder))
    if rules.shared:
        _share(place.parents[1])


def _share(folder: Path) -> None:
    mode = folder.stat().st_mode
    if mode & 0o2770 != 0o2770:
        with suppress(PermissionError):  # another assistant's
            folder.chmod((mode | 0o2770) & 0o2777)


@contextmanager
def open_to_enter(folder: ClassFolder) -> Iterator[Gradebook]:
    """The class's gradebook, for all that is graded at one time: opening it takes as long as entering ten submissions."""
    with _in_words(), open_gradebook(folder) as book:
        yield book


def enter(book: Gradebook, entries: Sequence[Entry], rules: ClassRules) -> list[str]:
    """Bring submissions of one class into its gradebook in one transaction; why each could not be brought in, or ""."""
    if not entries:
        return []
    try:
        with _in_words(), at_once(book.db):
            names = {row.id: row.name for row in book.db.query(BaseCell.id, BaseCell.name)}
            for entry in entries:
                _enter(book, entry, rules, names)
    except (MissingEntry, InvalidEntry, *ONE_S_OWN):
        if len(entries) == 1:
            return [NOT_PROCESSED]
        return [said for entry in entries for said in enter(book, [entry], rules)]
    for entry in entries:
        # later than the scores: after a kill in between, a person is asked once too often, never too seldom
        keep_texts(entry.assignment, entry.student, entry.texts)
    return ["" for _ in entries]


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        if is_busy(error.orig):
            raise ClassFolderError(IN_USE) from None
        raise


def _enter(book: Gradebook, entry: Entry, rules: ClassRules, names: Mapping[str, str]) -> None:
    """names: cell's id → its name."""
    chapter, student = entry.assignment.chapter, entry.student
    book.update_or_create_student(student)
    when = {"timestamp": entry.stamp.time} if entry.stamp.time else {}
    submission = book.update_or_create_submission(chapter, student, **when)
    if entry.stamp.note:  # nbgrader would go by the time of an earlier submission
        submission.timestamp = None
    for part in submission.notebooks:
        if part.name == chapter:
            _score(part, entry, names)
            _deduct(book, submission, part, rules)
        else:  # another notebook of the assignment, which nobody handed in
            for grade in part.grades:
                grade.auto_score, grade.needs_manual_grade = 0, False


def _score(part: SubmittedNotebook, entry: Entry, names: Mapping[str, str]) -> None:
    """What a person scored stays scored while the text is the same."""
    before = texts_before(entry.assignment, entry.student)
    grades = {names[grade.cell_id]: grade for grade in part.grades}
    comments = {names[comment.cell_id]: comment for comment in part.comments}
    for name, score in entry.scores.items():
        grade = _of(grades, name)
        read = grade.manual_score is not None and not grade.needs_manual_grade
        same = grade.auto_score == score and entry.texts[name] == before.get(name)
        grade.auto_score = score
        grade.needs_manual_grade = (grade.manual_score is not None or score is None) and not (read and same)
    for name, blank in entry.blank.items():
        _of(comments, name).auto_comment = NO_RESPONSE if blank else None


def _of(rows: dict[str, Any], name: str) -> Any:
    if name not in rows:
        raise MissingEntry(f"The gradebook knows no cell {name}")
    return rows[name]


def _deduct(
    book: Gradebook, submission: SubmittedAssignment, part: SubmittedNotebook, rules: ClassRules
) -> None:
    """The late penalty by the class's own policy."""
    part.late_submission_penalty = None
    late = submission.total_seconds_late
    if late > 0:
        book.db.flush()
        book.db.refresh(part)  # its score is summed up by the database
        try:
            penalty = rules.late.plugin_inst.late_submission_penalty(submission.student_id, part.score, late)
        except Exception as error:  # a policy of the class's own may raise anything
            raise LatePolicyError from error
        if penalty is not None:
            part.late_submission_penalty = rules.late._check_late_penalty(part, penalty)
