"""What `make demo` shows: two dozen students who between them show every kind of trouble."""

from pathlib import Path

import pytest
from nbformat import reads

from course.exercises import exercises_of
from solutions.classroom.folder import ClassFolder, new_class
from solutions.classroom.proof.demo import MOST
from solutions.classroom.proof.simulated_class import Student, hand_in, simulated_class
from solutions.classroom.release.publish import release
from solutions.classroom.release.source_notebook import grade_id
from solutions.misconceptions import misconceptions_of

CHAPTER = "01_linear_models"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> ClassFolder:
    made = new_class(tmp_path_factory.mktemp("demo") / "class")
    release(made, CHAPTER)
    return made


@pytest.fixture(scope="module")
def two_dozen(folder: ClassFolder) -> list[Student]:
    return simulated_class(folder, [CHAPTER], MOST)


def test_two_dozen_hold_a_misconception_of_every_exercise_and_every_other_kind_of_trouble(
    folder: ClassFolder, two_dozen: list[Student]
) -> None:
    everybody = simulated_class(folder, [CHAPTER])
    others = [student.name for student in everybody if not student.name.startswith("believes")]
    assert len(two_dozen) == MOST == len({student.name for student in two_dozen})
    assert [student.name for student in two_dozen][: len(others)] == others
    believed = [student.name for student in two_dozen[len(others) :]]
    for exercise in exercises_of(CHAPTER):
        assert any(grade_id(exercise) in name for name in believed), exercise
    assert len(everybody) == len(others) + sum(map(len, misconceptions_of(CHAPTER).values()))


def test_somebody_answers_in_words_and_somebody_names_the_file_otherwise(
    folder: ClassFolder, two_dozen: list[Student], tmp_path: Path
) -> None:
    by_name = {student.name: student for student in two_dozen}
    answered = reads((by_name["answers-in-words"].handed_in[CHAPTER] or b"").decode(), as_version=4)
    words = [
        c for c in answered.cells if c.cell_type == "markdown" and c.metadata.get("nbgrader", {}).get("grade")
    ]
    assert words
    assert all(cell.source.startswith("Because") for cell in words)
    hand_in(folder, [by_name["under-another-name"]])
    files = [path.name for path in folder.submitted("under-another-name", CHAPTER).iterdir()]
    assert files == [f"my {CHAPTER} (1).ipynb"]
