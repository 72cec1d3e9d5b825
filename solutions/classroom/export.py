"""Grades for other systems: nbgrader's own export with a state in words, and CSV files for Moodle and Canvas.

Points come from the gradebook, late penalties deducted. Whoever handed in nothing has a row that says so, and a mark
that still waits for a person is marked as provisional.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.plugins import ExportPlugin

from course import archive
from solutions.classroom.build import assignment_title
from solutions.classroom.folder import ClassFolder, ClassFolderError
from solutions.classroom.gradebook import open_gradebook
from solutions.classroom.report import verdicts_of

Row = dict[str, Any]


def marks(book: Gradebook) -> list[Row]:
    """A row for every student and assignment that the gradebook knows, handed in or not."""
    found = []
    for assignment in book.assignments:
        for student in book.students:
            row = {
                "assignment": assignment.name,
                "duedate": assignment.duedate or "",
                "timestamp": "",
                "student_id": student.id,
                "last_name": student.last_name or "",
                "first_name": student.first_name or "",
                "email": student.email or "",
                "raw_score": 0.0,
                "late_submission_penalty": 0.0,
                "score": 0.0,
                "max_score": assignment.max_score,
                "state": "nothing handed in",
            }
            try:
                submission = book.find_submission(assignment.name, student.id)
            except MissingEntry:
                found.append(row)
                continue
            penalty = float(submission.late_submission_penalty or 0.0)
            row |= {
                "timestamp": submission.timestamp or "",
                "raw_score": submission.score,
                "late_submission_penalty": penalty,
                "score": max(0.0, submission.score - penalty),
                "state": "answer awaits a reader" if submission.needs_manual_grade else "graded",
            }
            found.append(row)
    return found


class GradesWithState(ExportPlugin):  # type: ignore[misc]
    """`nbgrader export`: nbgrader's columns, and a last one that says what the score stands on."""

    def export(self, gradebook: Gradebook) -> None:
        wanted = [
            row
            for row in _with_states(gradebook, marks(gradebook))
            if (not self.student or row["student_id"] in map(str, self.student))
            and (not self.assignment or row["assignment"] in map(str, self.assignment))
        ]
        text = _csv(list(wanted[0]) if wanted else ["assignment", "student_id", "score", "state"], wanted)
        archive.write_bytes(Path(self.to or "grades.csv").resolve(), text.encode())


def moodle(folder: ClassFolder, chapters: Sequence[str]) -> str:
    """For Moodle's "Import grades" (CSV): map `Email address` or `Username`; a column per chapter, one for remarks."""
    return _csv(*_wide(folder, chapters, {"Username": "student_id", "Email address": "email"}, "Remarks"))


def canvas(folder: ClassFolder, chapters: Sequence[str]) -> str:
    """For Canvas' "Import" in the gradebook: its five leading columns, a row with the points possible, a column per chapter."""
    columns, rows = _wide(folder, chapters, {"SIS User ID": "student_id", "SIS Login ID": "email"}, "Notes")
    lead = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    columns = lead + [name for name in columns if name not in lead]
    possible: Row = {"Student": "Points Possible"}
    with open_gradebook(folder) as book:
        possible |= {
            assignment_title(chapter): book.find_assignment(chapter).max_score for chapter in chapters
        }
    return _csv(columns, [possible, *rows])


def _wide(
    folder: ClassFolder, chapters: Sequence[str], ids: dict[str, str], remarks: str
) -> tuple[list[str], list[Row]]:
    """One row per student."""
    with open_gradebook(folder) as book:
        found = _with_states(book, marks(book))
    missing = set(chapters) - {row["assignment"] for row in found}
    if missing:
        raise ClassFolderError(f"The gradebook knows no marks for {sorted(missing)[0]}: grade it first.")
    rows: dict[str, Row] = {}
    for mark in found:
        if mark["assignment"] not in chapters:
            continue
        name = f"{mark['last_name']}, {mark['first_name']}".strip(", ") or mark["student_id"]
        row = rows.setdefault(mark["student_id"], {"Student": name, remarks: ""})
        row |= {column: mark[key] for column, key in ids.items()}
        row[assignment_title(mark["assignment"])] = f"{mark['score']:g}"
        if mark["state"] != "graded":
            row[remarks] = "; ".join(filter(None, [row[remarks], f"{mark['assignment']}: {mark['state']}"]))
    columns = [*ids, "Student", *(assignment_title(chapter) for chapter in chapters), remarks]
    return columns, list(rows.values())


def _with_states(book: Gradebook, rows: list[Row]) -> list[Row]:
    """The states that only the class folder knows: unreadable, and handed in empty."""
    folder = ClassFolder(Path(str(book.engine.url.database)).parent)
    verdicts = {name: verdicts_of(folder, name) for name in {row["assignment"] for row in rows}}
    for row in rows:
        unreadable = verdicts[row["assignment"]].get(row["student_id"], {}).get("unreadable", "")
        if unreadable:
            row["state"] = (
                "nothing handed in" if unreadable.startswith("Nothing was handed in") else "unreadable"
            )
    return rows


def _csv(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """CSV text; a cell that a spreadsheet would take for a formula is quoted by an apostrophe."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, extrasaction="ignore", lineterminator="\n", restval="")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _harmless(value) for key, value in row.items()})
    return out.getvalue()


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
