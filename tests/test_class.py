"""A whole small class: every student gets what they deserve, by our command and by nbgrader's own, again and after a kill."""

import csv
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from course.exercises import exercises_of
from solutions.classroom.__main__ import main
from solutions.classroom.assignment import Assignment
from solutions.classroom.feedback.report import rows, verdicts_of, write_page
from solutions.classroom.folder import (
    ClassFolder,
    ClassFolderError,
    locked,
    new_class,
)
from solutions.classroom.gradebook import open_gradebook
from solutions.classroom.grading import grade
from solutions.classroom.opening import open_class
from solutions.classroom.proof.simulated_class import Student, full_marks, hand_in, simulated_class
from solutions.classroom.release.publish import environment, nbgrader, release
from solutions.classroom.release.seeds import secret_seeds
from solutions.classroom.release.source_notebook import notebook_bytes

CHAPTER = "10_attention"
NAMES = (
    "right-everything",
    "untouched",
    "half-finished",
    "broken-json",
    "nothing-handed-in",
    "edited-tests",
    "right-differently",
)
KILLS = int(os.environ.get("COURSE_KILLS", "3"))
"""Kills in the kill test; `COURSE_KILLS=20 pytest tests/test_class.py -k killed` for all of them."""


@pytest.fixture(scope="module")
def ungraded(tmp_path_factory: pytest.TempPathFactory) -> tuple[ClassFolder, list[Student]]:
    folder = new_class(tmp_path_factory.mktemp("school") / "class")
    release(folder, CHAPTER)
    everybody = simulated_class(folder, [CHAPTER])
    wrong = [student for student in everybody if student.name.startswith("believes")][:2]
    students = [student for student in everybody if student.name in NAMES] + wrong
    hand_in(folder, students)
    with open_gradebook(folder) as book:
        for student in students:
            book.update_or_create_student(student.name)
    return folder, students


@pytest.fixture(scope="module")
def graded(ungraded: tuple[ClassFolder, list[Student]]) -> tuple[ClassFolder, list[Student]]:
    folder, students = ungraded
    copy = _copy(folder, "graded")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(grade, "AHEAD", 3)  # fewer than there are students
        assert main(["grade", str(copy.root), "--jobs", "2"]) == 0
    return copy, students


def _copy(folder: ClassFolder, name: str) -> ClassFolder:
    target = folder.root.parent / name / "class"
    shutil.copytree(folder.root, target)
    return ClassFolder(target)


def _gradebook(folder: ClassFolder) -> list[tuple[object, ...]]:
    """Everything in the gradebook that grading decides, in a fixed order."""
    with sqlite3.connect(folder.root / "gradebook.db") as database:
        return database.execute(
            "select student.id, assignment.name, base_cell.name, grade.auto_score, grade.needs_manual_grade"
            " from grade join submitted_notebook on grade.notebook_id = submitted_notebook.id"
            " join submitted_assignment on submitted_notebook.assignment_id = submitted_assignment.id"
            " join student on submitted_assignment.student_id = student.id"
            " join assignment on submitted_assignment.assignment_id = assignment.id"
            " join base_cell on grade.cell_id = base_cell.id order by 1, 2, 3"
        ).fetchall()


def test_everybody_gets_the_points_and_the_sentence_that_they_deserve(
    graded: tuple[ClassFolder, list[Student]],
) -> None:
    folder, students = graded
    found = {row.student: row for row in rows(folder, [CHAPTER])}
    for student in students:
        row = found[student.name]
        assert row.points == student.expected[CHAPTER], row
        assert student.says.get(CHAPTER, "") in row.sentence, row
    assert found["nothing-handed-in"].state == "nothing handed in"
    assert found["broken-json"].state == "unreadable"
    assert full_marks(CHAPTER) > 0


def test_nbgrader_s_own_autograde_gives_the_same_gradebook(
    ungraded: tuple[ClassFolder, list[Student]], graded: tuple[ClassFolder, list[Student]]
) -> None:
    native = _copy(ungraded[0], "native")
    nbgrader(native, "autograde", CHAPTER)
    assert _gradebook(native) == _gradebook(graded[0])


def test_grading_again_runs_nothing_and_changes_nothing(
    graded: tuple[ClassFolder, list[Student]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = graded
    before = _gradebook(folder)
    assert main(["grade", str(folder.root)]) == 0
    assert "0 were run" in capsys.readouterr().out
    assert _gradebook(folder) == before


def test_scores_and_comments_of_a_person_survive_grading_again(
    graded: tuple[ClassFolder, list[Student]],
) -> None:
    folder = _copy(graded[0], "manual")
    with open_gradebook(folder) as book:
        submission = book.find_submission_notebook(CHAPTER, CHAPTER, "right-everything")
        grade = next(g for g in submission.grades if g.cell.cell_type == "markdown")
        comment = next(c for c in submission.comments)
        grade.manual_score, comment.manual_comment = 1.5, "Well argued."
        book.db.commit()
        name = comment.name
    assert main(["grade", str(folder.root), "--again", "--student", "right-everything"]) == 0
    with open_gradebook(folder) as book:
        submission = book.find_submission_notebook(CHAPTER, CHAPTER, "right-everything")
        assert next(g for g in submission.grades if g.cell.cell_type == "markdown").manual_score == 1.5
        assert next(c for c in submission.comments if c.name == name).manual_comment == "Well argued."


def test_feedback_tells_the_reason_and_no_secret(graded: tuple[ClassFolder, list[Student]]) -> None:
    folder, students = graded
    nbgrader(folder, "generate_feedback", CHAPTER)
    seeds = [str(seed) for many in secret_seeds(Assignment(folder, CHAPTER)).values() for seed in many]
    for student in students:
        page = folder.feedback(student.name, CHAPTER) / f"{CHAPTER}.html"
        if student.handed_in[CHAPTER] is None:
            assert not page.exists()
            continue
        text = page.read_text()
        assert not any(seed in text for seed in seeds)
        first = (
            student.says.get(CHAPTER, "")
            .split(".")[0]
            .split("<")[0]
            .split("&")[0]
            .split("'")[0]
            .split('"')[0]
        )
        assert first in text, student.name
    assert not list((folder.root / "feedback").rglob("*.db"))


def test_the_report_and_every_export_show_who_handed_in_nothing(
    graded: tuple[ClassFolder, list[Student]],
) -> None:
    folder, _ = graded
    page = write_page(folder, [CHAPTER]).read_text()
    assert "nothing-handed-in" in page
    assert "http" not in page.replace("http-equiv", "")
    nbgrader(folder, "export")
    lines = (folder.root / "grades.csv").read_text().splitlines()
    assert any("nothing-handed-in" in line and line.endswith("nothing handed in") for line in lines)
    for system in ("moodle", "canvas"):
        assert main(["export", str(folder.root), "--to", system]) == 0
        rows = csv.reader((folder.root / f"{system}.csv").read_text().splitlines())
        mine = next(row for row in rows if "nothing-handed-in" in row)
        assert not [cell for cell in mine if cell.isdecimal()], "who handed in nothing has no number"


def test_a_grader_that_is_killed_goes_on_where_it_was(
    ungraded: tuple[ClassFolder, list[Student]], graded: tuple[ClassFolder, list[Student]]
) -> None:
    folder = _copy(ungraded[0], "killed")
    command = [sys.executable, "-m", "solutions.classroom", "grade", str(folder.root), "--jobs", "2"]
    chance = random.Random(7)
    for _ in range(KILLS):
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(),
            start_new_session=True,
        )
        time.sleep(chance.uniform(2, 12))
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == 0, done.stderr
    assert _gradebook(folder) == _gradebook(graded[0])
    leftovers = [p for p in folder.hidden.rglob(".*") if p.is_file()]
    for path in [*folder.hidden.rglob("*.json"), *(folder.root / "autograded").rglob("*.ipynb")]:
        json.loads(path.read_text())
    assert len(leftovers) <= KILLS, leftovers
    for student in ungraded[1]:
        path = folder.autograded(student.name, CHAPTER) / f"{CHAPTER}.ipynb"
        assert path.exists() == (student.handed_in[CHAPTER] is not None)
        if path.exists():
            nbformat.validate(nbformat.read(path, as_version=4))


def test_a_second_grader_is_told_to_wait(
    graded: tuple[ClassFolder, list[Student]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = graded
    with locked(folder):
        assert main(["grade", str(folder.root)]) == 2
    assert "being graded already" in capsys.readouterr().err


@pytest.fixture
def read_only(graded: tuple[ClassFolder, list[Student]]) -> Iterator[ClassFolder]:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    folder = _copy(graded[0], "read-only")
    subprocess.run(["chmod", "-R", "a-w", str(folder.root)], check=True)
    yield folder
    subprocess.run(["chmod", "-R", "u+w", str(folder.root)], check=True)


def test_a_read_only_folder_is_said_to_be_one(
    read_only: ClassFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["grade", str(read_only.root), "--again"]) == 2
    assert "Permission denied" in capsys.readouterr().err


def test_a_full_disk_is_said_to_be_full_and_loses_nothing(
    ungraded: tuple[ClassFolder, list[Student]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = _copy(ungraded[0], "full")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        assert main(["grade", str(folder.root), "--student", "untouched"]) == 2
    assert "Make room there and start again" in capsys.readouterr().err
    assert not [p for p in (folder.hidden / "recordings").rglob("*") if p.is_file()]
    assert main(["grade", str(folder.root), "--student", "untouched"]) == 0


def test_a_gradebook_that_is_locked_is_said_to_be_locked(
    graded: tuple[ClassFolder, list[Student]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = _copy(graded[0], "busy")
    before = _gradebook(folder)
    busy = sqlite3.connect(folder.root / "gradebook.db", isolation_level=None)
    busy.execute("begin exclusive")
    try:
        assert main(["grade", str(folder.root), "--again", "--student", "untouched"]) == 2
    finally:
        busy.execute("rollback")
        busy.close()
    assert "in use" in capsys.readouterr().err
    assert _gradebook(folder) == before


def test_wrong_names_and_folders_are_answered_in_one_sentence(
    graded: tuple[ClassFolder, list[Student]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = graded
    for arguments, words in [
        (["grade", str(tmp_path)], "not a class folder"),
        (["grade", str(tmp_path / "none")], "There is no folder"),
        (["grade", str(folder.root), "attenton"], "Did you mean '10_attention'"),
        (["grade", str(folder.root), "9"], "is not released"),
        (["grade", str(folder.root), "--student", "nobody"], "Nobody called 'nobody'"),
        (["release", str(folder.root), "99"], "There is no chapter '99'"),
        (["validate", str(tmp_path / "essay.ipynb")], "There is no chapter 'essay'"),
        (["new", str(folder.root / "submitted")], "is not empty"),
    ]:
        assert main(arguments) == 2, arguments
        said = capsys.readouterr().err
        assert words in said, said
        assert "Traceback" not in said


def test_another_course_s_gradebook_is_left_alone(tmp_path: Path) -> None:
    folder = new_class(tmp_path / "class")
    with open_gradebook(folder) as book:
        book.add_assignment("ps1")
    with pytest.raises(ClassFolderError, match="belongs to another course"):
        open_class(folder.root)


def test_validate_exits_with_1_when_anything_is_wrong(
    ungraded: tuple[ClassFolder, list[Student]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_name = {student.name: student for student in ungraded[1]}
    path = tmp_path / f"{CHAPTER}.ipynb"
    for name, code in (("right-everything", 0), ("half-finished", 1), ("broken-json", 1)):
        path.write_bytes(by_name[name].handed_in[CHAPTER] or b"")
        assert main(["validate", str(path)]) == code, capsys.readouterr().out
    assert verdicts_of(ungraded[0], CHAPTER) == {}


def test_an_edited_source_notebook_is_not_built_over(tmp_path: Path) -> None:
    folder = new_class(tmp_path / "class")
    release(folder, CHAPTER)
    path = folder.source(CHAPTER) / f"{CHAPTER}.ipynb"
    mine = nbformat.read(path, as_version=4)
    mine.cells[0].source = "# My own title"
    path.write_bytes(notebook_bytes(mine))
    with pytest.raises(ClassFolderError, match="edited since it was built"):
        release(folder, CHAPTER)
    assert "My own title" in path.read_text()
    assert exercises_of(CHAPTER)
