"""What we ask nbgrader's gradebook, beyond what its own commands do."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import nbgrader.api
from nbgrader.api import Gradebook, MissingEntry, SubmittedAssignment

from solutions.classroom.grading.exchange import carry_over

if TYPE_CHECKING:
    from solutions.classroom.folder import ClassFolder


def url(folder: "ClassFolder") -> str:
    """The gradebook's address."""
    return f"sqlite:///{folder.root / 'gradebook.db'}"


def open_gradebook(folder: "ClassFolder") -> Gradebook:
    """nbgrader's gradebook of this class, to be used in a `with`."""
    programs = str(Path(sys.executable).parent)  # to make a new one, nbgrader calls `alembic` by name
    if programs not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([programs, os.environ.get("PATH", "")])
    return Gradebook(url(folder), course_id_of(folder))


@contextmanager
def one_engine() -> Iterator[None]:
    """While this lasts, every Gradebook shares one database engine.

    nbgrader opens its gradebook six times a submission, and a new engine compiles every statement again.
    """
    original = nbgrader.api.create_engine
    nbgrader.api.create_engine = cache(original)
    try:
        yield
    finally:
        nbgrader.api.create_engine = original


def course_id_of(folder: "ClassFolder") -> str:
    """The id under which the exchange knows the class: its folder's name."""
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in folder.root.name) or "course"


def enrolled(folder: "ClassFolder") -> set[str]:
    """The students whom the gradebook knows."""
    if not (folder.root / "gradebook.db").exists():
        return set()
    with open_gradebook(folder) as book:
        return {student.id for student in book.students}


def assignments(folder: "ClassFolder") -> list[str]:
    """The assignments that the gradebook knows."""
    if not (folder.root / "gradebook.db").exists():
        return []
    with open_gradebook(folder) as book:
        return [assignment.name for assignment in book.assignments]


def released_before(folder: "ClassFolder") -> set[str]:
    """The assignments of which the gradebook knows a notebook, so that a release of them was once made."""
    if not (folder.root / "gradebook.db").exists():
        return set()
    with open_gradebook(folder) as book:
        return {assignment.name for assignment in book.assignments if assignment.notebooks}


def score_of(folder: "ClassFolder", student: str, chapter: str) -> tuple[float, float] | None:
    """Points and the most there are, as the gradebook has them; None when there is no submission."""
    with open_gradebook(folder) as book:
        try:
            submission = book.find_submission(chapter, student)
        except MissingEntry:
            return None
        return float(submission.score), float(submission.max_score)


def forget_absent(folder: "ClassFolder", chapter: str, student: str) -> None:
    """Whoever handed in nothing has no submission, but is in the gradebook; clears what an older version made instead.

    What a person entered stays: scores, comments, an extension.
    """
    graded, page = folder.autograded(student, chapter), folder.feedback(student, chapter)
    with open_gradebook(folder) as book:
        book.update_or_create_student(student)
        try:
            submission = book.find_submission(chapter, student)
        except MissingEntry:
            submission = None
        if submission is not None and _entered_by_hand(submission):
            for place in filter(Path.is_dir, (graded, page)):
                carry_over(folder.submitted(student, chapter), place)
            return
        if submission is not None and submission.extension is None:
            book.remove_submission(chapter, student)
    for place in (graded, page):
        shutil.rmtree(place, ignore_errors=True)
    (folder.hidden / "verdicts" / chapter / f"{student}.json").unlink(missing_ok=True)


def _entered_by_hand(submission: SubmittedAssignment) -> bool:
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
