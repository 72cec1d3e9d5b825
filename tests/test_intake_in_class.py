"""What is read of a submission arrives: in the gradebook, in the notebook that a person opens, by our command and by nbgrader's own."""

import json
import sqlite3

import nbformat
import pytest
from nbconvert.exporters import HTMLExporter
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from test_washing import png

from course.exercises import exercises_of
from solutions.classroom.assignment import Assignment
from solutions.classroom.folder import ClassFolder, new_class
from solutions.classroom.grading.grade import grade_class
from solutions.classroom.grading.marking import notes_of
from solutions.classroom.proof.simulated_class import full_marks, solved
from solutions.classroom.release.publish import nbgrader, release

CHAPTER = "10_attention"
STUDENTS = ("beside", "blank", "emptied", "renamed", "written")


def _answers(notebook: NotebookNode) -> list[int]:
    return [
        position
        for position, cell in enumerate(notebook.cells)
        if cell.cell_type == "markdown" and cell.metadata.get("nbgrader", {}).get("grade")
    ]


def _hand_in(folder: ClassFolder, student: str) -> None:
    notebook = solved(Assignment(folder, CHAPTER).notebook, CHAPTER)
    place, name = folder.submitted(student, CHAPTER), f"{CHAPTER}.ipynb"
    for position in reversed(_answers(notebook)):
        if student == "beside":
            image = {"a.png": {"image/png": png()}}
            notebook.cells.insert(
                position + 1, new_markdown_cell("Because.\n\n![it](attachment:a.png)", attachments=image)
            )
        elif student == "emptied":
            notebook.cells[position].source = "\r\n"
        elif student == "written":
            notebook.cells[position].source = "Because."
    if student == "renamed":
        name = f"{CHAPTER} (1).ipynb"
    if student == "written":
        next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("locked")).source = "1"
    place.mkdir(parents=True)
    place.joinpath(name).write_text(json.dumps(notebook).replace("\\n", "\\r\\n"))


@pytest.fixture(scope="module", params=["classroom", "nbgrader"])
def graded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ClassFolder:
    folder = new_class(tmp_path_factory.mktemp("intake") / "class")
    release(folder, CHAPTER)
    for student in STUDENTS:
        _hand_in(folder, student)
    if request.param == "classroom":
        list(grade_class(folder, [CHAPTER], jobs=2))
    else:
        nbgrader(folder, "autograde", CHAPTER)
    return folder


def _grades(folder: ClassFolder, student: str) -> list[tuple[float | None, bool]]:
    """Automatic score and whether a reader is awaited, of the answers in words."""
    with sqlite3.connect(folder.root / "gradebook.db") as database:
        return database.execute(
            "select grade.auto_score, grade.needs_manual_grade from grade"
            " join submitted_notebook on grade.notebook_id = submitted_notebook.id"
            " join submitted_assignment on submitted_notebook.assignment_id = submitted_assignment.id"
            " join grade_cells on grade.cell_id = grade_cells.id"
            " where submitted_assignment.student_id = ? and grade_cells.cell_type = 'markdown'",
            (student,),
        ).fetchall()


def _opened(folder: ClassFolder, student: str) -> NotebookNode:
    return nbformat.read(folder.autograded(student, CHAPTER) / f"{CHAPTER}.ipynb", as_version=4)


def _verdicts(folder: ClassFolder, student: str) -> dict[str, object]:
    return json.loads((folder.hidden / "verdicts" / CHAPTER / f"{student}.json").read_text())


def test_answers_await_a_reader_where_there_is_something_to_read(graded: ClassFolder) -> None:
    number = len(_answers(Assignment(graded, CHAPTER).notebook))
    assert number
    for student in STUDENTS:
        waits = student in ("beside", "written")
        assert _grades(graded, student) == [(None, 1) if waits else (0, 0)] * number, student
    notebook = _opened(graded, "beside")
    for position in _answers(notebook):
        assert (
            notebook.cells[position].source
            == "Because.\n\n![it](attachment:" + f"{_name(notebook, position)})"
        )
        assert "beside it" in notebook.cells[position].metadata.classroom.notes[0]


def _name(notebook: NotebookNode, position: int) -> str:
    (name,) = notebook.cells[position].attachments
    return name


def test_everybody_has_the_points_of_their_code(graded: ClassFolder) -> None:
    for student in STUDENTS:
        exercises = _verdicts(graded, student)["exercises"]
        assert sum(part["points"] for part in exercises.values()) == full_marks(CHAPTER), student
        assert set(exercises) == set(exercises_of(CHAPTER))


def test_notes_stand_where_they_belong_and_nobody_else_has_any(graded: ClassFolder) -> None:
    assert [len(notes_of(_opened(graded, student))) for student in ("blank", "emptied")] == [0, 0]
    renamed = _opened(graded, "renamed")
    assert f"'{CHAPTER} (1).ipynb' was taken" in renamed.metadata.classroom.notes[0]
    locked = next(c for c in _opened(graded, "written").cells if c.metadata.get("nbgrader", {}).get("locked"))
    assert "put back" in locked.metadata.classroom.notes[0]
    for student in STUDENTS:
        assert _verdicts(graded, student)["notes"] == notes_of(_opened(graded, student))


def test_images_reach_the_page_as_they_were_drawn(graded: ClassFolder) -> None:

    page, _ = HTMLExporter().from_notebook_node(_opened(graded, "beside"))
    assert f"data:image/png;base64,{png()}" in page
