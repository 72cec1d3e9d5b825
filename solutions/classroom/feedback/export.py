"""Marks for other systems: nbgrader's own export with a state in words, and CSV files for Moodle and Canvas.

Points are those that count: late penalties are deducted. Whoever handed in nothing, and whose answers still wait for a
reader, has no number in the files for other systems: a number there is a mark.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, Student
from nbgrader.plugins import ExportPlugin

from course.judging import archive
from solutions.classroom.feedback.marks import Mark, counted, marks, marks_in
from solutions.classroom.folder import ClassFolder, ClassFolderError
from solutions.classroom.gradebook import open_gradebook
from solutions.classroom.plain_text import cell
from solutions.classroom.release.source_notebook import assignment_title

Row = dict[str, Any]

COLUMNS = (
    "assignment",
    "duedate",
    "timestamp",
    "student_id",
    "last_name",
    "first_name",
    "email",
    "raw_score",
    "late_submission_penalty",
    "score",
    "max_score",
    "state",
)


class GradesWithState(ExportPlugin):  # type: ignore[misc]
    """`nbgrader export`: nbgrader's columns, and a last one that says what the score stands on."""

    def export(self, gradebook: Gradebook) -> None:
        folder = ClassFolder(Path(str(gradebook.engine.url.database)).resolve().parent)
        people = {student.id: student for student in gradebook.students}
        due = {assignment.name: assignment.duedate or "" for assignment in gradebook.assignments}
        wanted = [
            {
                "assignment": mark.chapter,
                "duedate": due[mark.chapter],
                "timestamp": mark.time,
                "student_id": mark.student,
                **_person(people.get(mark.student)),
                "raw_score": mark.raw,
                "late_submission_penalty": mark.penalty,
                "score": mark.points,
                "max_score": mark.of,
                "state": mark.state,
            }
            for mark in marks_in(gradebook, folder)
            if (not self.student or mark.student in map(str, self.student))
            and (not self.assignment or mark.chapter in map(str, self.assignment))
        ]
        archive.write_bytes(Path(self.to or "grades.csv").resolve(), _csv(COLUMNS, wanted).encode())


def moodle(folder: ClassFolder, chapters: Sequence[str]) -> str:
    """For Moodle's "Import grades from CSV": who it is, then a grade and a feedback column per chapter.

    Moodle gives the row of somebody without an address to whoever stands above; so that column is only there when
    everybody has one.
    """
    found = _by_student(folder, chapters)
    people = _people(folder)
    emails = [people[student].email if student in people else None for student in found]
    with_email = all(emails) and len({str(email).lower() for email in emails}) == len(emails)
    columns = ["Username", *(["Email address"] if with_email else []), "Name"]
    titles = {}
    for chapter in chapters:
        most = max(mine[chapter].of for mine in found.values())
        title = assignment_title(chapter)
        titles[chapter] = (f"{title} ({counted(most, 'point')})", f"{title} (feedback)")
        columns += titles[chapter]
    rows = []
    for student, mine in found.items():
        person = _person(people.get(student))
        row: Row = {"Username": student, "Email address": person["email"], "Name": _name(person, student)}
        for chapter, (points, feedback) in titles.items():
            row |= {points: _number(mine[chapter]), feedback: cell(_remark(mine[chapter]))}
        rows.append(row)
    return _csv(columns, rows)


def canvas(folder: ClassFolder, chapters: Sequence[str]) -> str:
    """For "Import" in Canvas' gradebook: its five leading columns, a row with the points possible, a column per chapter.

    There is no other column, because Canvas takes each for an assignment. A chapter's column finds the assignment of
    exactly this name. `ID` is Canvas' own number: nbgrader's `lms_user_id`.
    """
    found = _by_student(folder, chapters)
    people = _people(folder)
    titles = {chapter: assignment_title(chapter) for chapter in chapters}
    columns = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *titles.values()]
    possible: Row = {"Student": "Points Possible"}
    for chapter, title in titles.items():
        possible[title] = f"{max(mine[chapter].of for mine in found.values()):g}"
    rows = [possible]
    for student, mine in found.items():
        known = people.get(student)
        person = _person(known)
        rows.append(
            {
                "Student": _name(person, student),
                "ID": (known.lms_user_id or "") if known else "",
                "SIS User ID": student,
                "SIS Login ID": person["email"] or student,
                **{title: _number(mine[chapter]) for chapter, title in titles.items()},
            }
        )
    return _csv(columns, rows)


def _by_student(folder: ClassFolder, chapters: Sequence[str]) -> dict[str, dict[str, Mark]]:
    """student → chapter → mark, sorted. Raises ClassFolderError where a chapter was never graded."""
    found: dict[str, dict[str, Mark]] = {}
    for mark in marks(folder, chapters):
        if not mark.of:
            raise ClassFolderError(
                f"The gradebook knows no marks for {mark.chapter}. Grade it first:"
                f" classroom grade {folder.root} {mark.chapter}"
            )
        found.setdefault(mark.student, {})[mark.chapter] = mark
    if not found:
        raise ClassFolderError(
            f"There is nobody to export in {folder.root.name}: nothing was handed in, and the gradebook lists nobody."
        )
    return dict(sorted(found.items()))


def _people(folder: ClassFolder) -> dict[str, Student]:
    with open_gradebook(folder) as book:
        return {student.id: student for student in book.students}


def _person(student: Student | None) -> dict[str, str]:
    """Names are what somebody once typed in; an address is how somebody is found, and stays as it is."""
    return {
        "last_name": cell((student and student.last_name) or ""),
        "first_name": cell((student and student.first_name) or ""),
        "email": (student and student.email) or "",
    }


def _name(person: dict[str, str], student: str) -> str:
    name = ", ".join(filter(None, [person["last_name"], person["first_name"]]))
    return cell(name or student)


def _number(mark: Mark) -> str:
    """The points, or nothing while they are no mark."""
    return f"{round(mark.points, 4):g}" if mark.settled else ""


def _remark(mark: Mark) -> str:
    """What stands beside the number."""
    if mark.why:
        return f"{mark.state}: {mark.why}"
    late = f"{counted(mark.penalty, 'point')} deducted: late" if mark.penalty and mark.settled else ""
    return late if mark.state == "graded" else mark.state


def _csv(columns: Sequence[str], rows: Sequence[Row]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, extrasaction="ignore", lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
