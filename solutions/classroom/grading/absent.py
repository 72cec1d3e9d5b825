"""Whoever handed in nothing has no submission, as nbgrader has it."""

import shutil
from pathlib import Path

from nbgrader.api import MissingEntry, SubmittedAssignment

from solutions.classroom.assignment import Assignment
from solutions.classroom.gradebook import open_gradebook
from solutions.classroom.grading.exchange import carry_over


def forget_absent(assignment: Assignment, student: str) -> None:
    """Keep whoever handed in nothing in the gradebook; clear what an older version made instead of no submission.

    What a person entered stays: scores, comments, an extension.
    """
    graded, page = assignment.autograded(student), assignment.feedback(student)
    with open_gradebook(assignment.folder) as book:
        book.update_or_create_student(student)
        try:
            submission = book.find_submission(assignment.chapter, student)
        except MissingEntry:
            submission = None
        if submission is not None and entered_by_hand(submission):
            for place in filter(Path.is_dir, (graded, page)):
                carry_over(assignment.submitted(student), place)
            return
        if submission is not None and submission.extension is None:
            book.remove_submission(assignment.chapter, student)
    for place in (graded, page):
        shutil.rmtree(place, ignore_errors=True)
    assignment.verdicts(student).unlink(missing_ok=True)


def entered_by_hand(submission: SubmittedAssignment) -> bool:
    """Whether a person scored anything of it, or wrote a comment."""
    return any(
        grade.manual_score is not None or grade.extra_credit is not None
        for notebook in submission.notebooks
        for grade in notebook.grades
    ) or any(
        comment.manual_comment is not None
        for notebook in submission.notebooks
        for comment in notebook.comments
    )
