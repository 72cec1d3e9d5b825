"""What the gradebook says of everybody, once: the tables, the report and every export say the same."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nbgrader.api import Gradebook

from solutions.classroom.folder import ClassFolder, ClassFolderError
from solutions.classroom.gradebook import open_gradebook
from solutions.classroom.grading.absent import entered_by_hand
from solutions.classroom.roster import students as students_of
from solutions.classroom.submission.finding import holds_a_notebook

GRADED = "graded"
WAITS = "answer awaits a reader"
ABSENT = "nothing handed in"
UNREADABLE = "unreadable"
NOT_YET = "not graded yet"
ALL_RIGHT = "All right."


@dataclass(frozen=True)
class Mark:
    """One student's chapter. points: those that count, `penalty` for lateness deducted from `raw`.

    answers, waiting: how many answers in words wait for a person, and for how many points.
    """

    student: str
    chapter: str
    state: str
    points: float = 0.0
    raw: float = 0.0
    penalty: float = 0.0
    of: float = 0.0
    answers: int = 0
    waiting: float = 0.0
    time: str = ""

    @property
    def settled(self) -> bool:
        """Whether the points are a mark, and not merely where it stands."""
        return self.state in (GRADED, UNREADABLE)

    @property
    def why(self) -> str:
        """What is missing until it is settled, or ""."""
        if self.state != WAITS:
            return ""
        return f"{counted(self.answers, 'answer')} in words, {counted(self.waiting, 'point')}"


def with_blank(said: str, verdict: dict[str, Any], mark: Mark) -> str:
    """What is said of the code, and that the answer in words is blank where that is so and nobody gave points for it."""
    blank, code = verdict["blank"], sum(item["points"] for item in verdict["exercises"].values())
    if not blank or mark.raw > code:
        return said
    words = f"the answer in words is blank (0 of {blank:g})."
    return f"Code all right; {words}" if said == ALL_RIGHT else f"{said} {words.capitalize()}"


def counted(number: float, noun: str) -> str:
    """ "1 point", "2 points"."""
    return f"{number:g} {noun}{'' if number == 1 else 's'}"


def marks(folder: ClassFolder, chapters: Sequence[str] | None = None) -> list[Mark]:
    """A mark for everybody in every chapter, handed in or not, sorted; for all that the gradebook knows when left out."""
    with open_gradebook(folder) as book:
        return marks_in(book, folder, chapters)


def marks_in(book: Gradebook, folder: ClassFolder, chapters: Sequence[str] | None = None) -> list[Mark]:
    """The same from a gradebook that is open."""
    everybody = students_of(folder)
    known = [assignment.name for assignment in book.assignments]
    chosen = known if chapters is None else chapters
    return [
        mark for chapter in sorted(chosen) for mark in _of(folder, book, chapter, everybody, chapter in known)
    ]


def _of(folder: ClassFolder, book: Gradebook, chapter: str, students: list[str], known: bool) -> list[Mark]:
    submissions = {one.student_id: one for one in book.assignment_submissions(chapter)} if known else {}
    most = float(book.find_assignment(chapter).max_score) if known else 0.0
    verdicts = verdicts_of(folder, chapter)
    found = []
    for student in sorted(set(students) | set(submissions)):
        submission = submissions.get(student)
        unreadable = verdicts[student]["unreadable"] if student in verdicts else ""
        if unreadable.startswith("Nothing was handed in"):
            submission = None  # earlier versions entered one
        if submission is not None and student not in verdicts and not entered_by_hand(submission):
            submission = None  # it holds no more than an extension
        if submission is None:
            handed_in = not unreadable and holds_a_notebook(folder.submitted(student, chapter))
            found.append(Mark(student, chapter, NOT_YET if handed_in else ABSENT, of=most))
            continue
        raw, penalty = float(submission.score), float(submission.late_submission_penalty or 0.0)
        waits = bool(submission.needs_manual_grade)
        answers = [grade for part in submission.notebooks for grade in part.grades] if waits else []
        open_points = [float(grade.max_score) for grade in answers if grade.needs_manual_grade]
        found.append(
            Mark(
                student,
                chapter,
                UNREADABLE if unreadable else WAITS if waits else GRADED,
                max(0.0, raw - penalty),
                raw,
                penalty,
                float(submission.max_score),
                len(open_points),
                sum(open_points),
                str(submission.timestamp or ""),
            )
        )
    return found


def verdicts_of(folder: ClassFolder, chapter: str) -> dict[str, Any]:
    """student → what grading left about this chapter."""
    place = folder.hidden / "verdicts" / chapter
    found = {}
    for path in sorted(place.glob("*.json")):
        try:
            verdict = json.loads(path.read_text("utf-8"))
            found[path.stem] = {
                "unreadable": str(verdict["unreadable"]),
                "notes": [str(note) for note in verdict["notes"]],
                "blank": float(verdict.get("blank", 0)),  # not in the files of earlier versions
                "exercises": {
                    name: {key: part[key] for key in _PARTS} for name, part in verdict["exercises"].items()
                },
            }
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise ClassFolderError(
                f"{path} is damaged. Remove it and grade again:"
                f" classroom grade {folder.root} {chapter} --student {path.stem}"
            ) from None
    return found


_PARTS = ("kind", "points", "of", "message", "misconception", "follows", "seconds")
