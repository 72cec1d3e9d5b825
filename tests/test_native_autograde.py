"""`classroom grade` leaves what `nbgrader autograde` leaves: the same files, byte for byte, and the same rows in the gradebook."""

import shutil
import sqlite3
import stat
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

from solutions.classroom.assignment import Assignment
from solutions.classroom.folder import ClassFolder, ClassFolderError, new_class
from solutions.classroom.gradebook import open_gradebook
from solutions.classroom.grading.booking import file_of
from solutions.classroom.grading.class_rules import class_rules
from solutions.classroom.grading.grade import grade_class
from solutions.classroom.proof.simulated_class import solved
from solutions.classroom.release.publish import nbgrader, release
from solutions.classroom.release.source_notebook import ANSWER, notebook_bytes

CHAPTER = "10_attention"
DUE = "2026-03-01 12:00:00 UTC"
EARLY, LATE = "2026-02-28 10:00:00 UTC", "2026-03-02 10:00:00 UTC"
READ = ("right", "changed-her-answer")
"""Whose answers in words a person scored before they handed in again."""


def _notebook(released: NotebookNode, student: str, again: bool) -> bytes:
    if student == "unreadable":
        return b"{ no notebook"
    if student == "blank":
        return notebook_bytes(released)
    changed: dict[str, str] = {}
    if student == "wrong":
        changed = {
            "soft_attention": "def soft_attention(query, memory, sharpness=1.0):\n    return query, query\n"
        }
    if student == "open":
        changed = {
            "soft_attention": "def soft_attention(query, memory, sharpness=1.0):\n    raise NotImplementedError\n"
        }
    if student == "crashing":
        changed = {"soft_attention": "def soft_attention(query, memory, sharpness=1.0):\n    return 1 / 0\n"}
    notebook = solved(released, CHAPTER, changed)
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source == ANSWER:
            cell.source = (
                "Because." if not (again and student == "changed-her-answer") else "Because it asks."
            )
    if again and student == "right":
        notebook.cells.insert(
            3, NotebookNode(cell_type="markdown", metadata={}, source="A note.", id="a-note")
        )
    return notebook_bytes(notebook)


STUDENTS = {
    "right": EARLY,
    "changed-her-answer": EARLY,
    "wrong": EARLY,
    "open": EARLY,
    "crashing": "",
    "blank": EARLY,
    "late": LATE,
    "late-with-extension": LATE,
    "late-and-blank": LATE,
    "no-time": "some day in May",
    "unreadable": EARLY,
}


def _hand_in(folder: ClassFolder, again: bool = False) -> None:
    released = Assignment(folder, CHAPTER).notebook
    for student, time in STUDENTS.items():
        place = folder.submitted(student, CHAPTER)
        place.mkdir(parents=True, exist_ok=True)
        kind = "blank" if student == "late-and-blank" else student
        (place / f"{CHAPTER}.ipynb").write_bytes(_notebook(released, kind, again))
        (place / f"{CHAPTER}.answers").write_bytes(b"of the student's own making")
        (place / "notes.txt").write_bytes(b"not to be taken along")
        (place / "submission_secret.txt").write_text(f"{student.encode().hex()}")
        if time:
            (place / "timestamp.txt").write_text(time)


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> tuple[ClassFolder, ClassFolder]:
    """The same class twice, graded by nbgrader and by us: handed in, scored by hand, handed in again."""
    ours = new_class(tmp_path_factory.mktemp("ours") / "class")
    release(ours, CHAPTER)
    config = ours.root / "nbgrader_config.py"
    config.write_text(config.read_text() + 'c.LateSubmissionPlugin.penalty_method = "zero"\n')
    (ours.source(CHAPTER) / "helper.py").write_text("x = 1\n")
    with open_gradebook(ours) as book:
        book.update_or_create_assignment(CHAPTER, duedate=datetime(2026, 3, 1, 12))
        for student in STUDENTS:
            book.update_or_create_student(student, first_name=student.title())
        book.add_submission(CHAPTER, "late-with-extension")
        book.grant_extension(CHAPTER, "late-with-extension", days=2)
    _hand_in(ours)
    native = ClassFolder(tmp_path_factory.mktemp("native") / "class")
    shutil.copytree(ours.root, native.root)
    for again in (False, True):
        for folder in (ours, native):
            _hand_in(folder, again)
            if again:
                _score_by_hand(folder)
        assert not [graded.trouble for graded in grade_class(ours, [CHAPTER], jobs=2) if graded.trouble]
        nbgrader(native, "autograde", CHAPTER, "--force")
    return ours, native


def _score_by_hand(folder: ClassFolder) -> None:
    with open_gradebook(folder) as book:
        for student in READ:
            part = book.find_submission_notebook(CHAPTER, CHAPTER, student)
            grade = next(grade for grade in part.grades if grade.cell.cell_type == "markdown")
            grade.manual_score, grade.needs_manual_grade, grade.extra_credit = 1.5, False, 0.5
            next(iter(part.comments)).manual_comment = "Well argued."
        book.db.commit()


def _files(folder: ClassFolder) -> dict[str, tuple[int, bytes]]:
    place = folder.root / "autograded"
    return {
        str(path.relative_to(place)): (
            stat.S_IMODE(path.stat().st_mode),
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(place.rglob("*"))
    }


def _rows(folder: ClassFolder) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables; an id that was drawn stands for what it is the id of."""
    with sqlite3.connect(folder.root / "gradebook.db") as database:
        tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        found = {}
        for table in tables:
            cursor = database.execute(f"select * from {table}")
            names = [column[0] for column in cursor.description]
            found[table] = [dict(zip(names, row, strict=True)) for row in cursor]
    cells = {row["id"]: row["name"] for row in found["base_cell"]}
    submissions = {row["id"]: row["student_id"] for row in found["submitted_assignment"]}
    parts = {row["id"]: submissions[row["assignment_id"]] for row in found["submitted_notebook"]}
    known = cells | submissions | parts
    assert {"grade", "comment"} <= set(found)
    return {
        table: sorted(
            (
                tuple(known.get(v, v) for k, v in row.items() if k != "id" or table == "student")
                for row in rows
            ),
            key=repr,
        )
        for table, rows in found.items()
        if table not in ("base_cell", "grade_cells", "solution_cells", "source_cells", "task_cells")
    }


def test_the_files_are_the_same(classes: tuple[ClassFolder, ClassFolder]) -> None:
    ours, native = map(_files, classes)
    assert list(ours) == list(native)
    assert f"right/{CHAPTER}/helper.py" in ours
    assert f"right/{CHAPTER}/notes.txt" not in ours
    assert [name for name in ours if ours[name] != native[name]] == []


def test_the_gradebook_s_rows_are_the_same(classes: tuple[ClassFolder, ClassFolder]) -> None:
    ours, native = map(_rows, classes)
    assert ours.keys() == native.keys()
    for table, rows in ours.items():
        assert rows == native[table], table
    assert len(ours["submitted_assignment"]) == len(STUDENTS)


def test_the_class_was_a_varied_one(classes: tuple[ClassFolder, ClassFolder]) -> None:
    with open_gradebook(classes[0]) as book:
        parts = {s: book.find_submission_notebook(CHAPTER, CHAPTER, s) for s in STUDENTS}
        penalties = {student for student, part in parts.items() if part.late_submission_penalty}
        awaited = {student for student, part in parts.items() if part.needs_manual_grade}
        blank = {s for s, part in parts.items() if any(c.auto_comment for c in part.comments)}
    assert penalties == {"late"}
    assert "changed-her-answer" in awaited
    assert "right" not in awaited
    assert {"blank", "late-and-blank"} <= blank


def test_what_a_class_adds_to_nbgrader_s_autograde_is_not_left_out_silently(tmp_path: Path) -> None:
    folder = new_class(tmp_path / "class")
    config = folder.root / "nbgrader_config.py"
    config.write_text(
        config.read_text() + 'c.Autograde.autograde_preprocessors.append("nbgrader.preprocessors.Execute")\n'
    )
    with pytest.raises(ClassFolderError, match="autograde_preprocessors"):
        class_rules(folder)


def test_a_restored_notebook_is_written_as_nbformat_writes_it(tmp_path: Path) -> None:
    folder = new_class(tmp_path / "class")
    release(folder, CHAPTER)
    released = Assignment(folder, CHAPTER).notebook
    for words in ("Because.", "öäü \u2028 \x0b\nnext\r\nline\n", "", "![a](attachment:a.png)"):
        notebook = solved(released, CHAPTER)
        notebook.cells[2].source = words
        code = next(cell for cell in notebook.cells if cell.cell_type == "code")
        code.outputs = [
            nbformat.v4.new_output("stream", text=words),
            nbformat.v4.new_output("error", ename="E", evalue=words, traceback=[words]),
        ]
        if "attachment" in words:
            notebook.cells[2].attachments = {"a.png": {"image/png": "aGFsbG8=", "text/plain": "a\nb"}}
        assert file_of(notebook) == notebook_bytes(notebook)
