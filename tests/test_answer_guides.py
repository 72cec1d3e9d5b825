"""How answers in words are read: complete, with the instructor only, and the same for two readers."""

import math
import shutil
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_class import CHAPTER, Person, small_class

from course.exercises import chapters
from course.judging.sheets import sheet_name
from solutions.classroom.__main__ import main
from solutions.classroom.feedback import pages
from solutions.classroom.feedback.agreement import Agreement, agreements
from solutions.classroom.feedback.answer_guides import guides
from solutions.classroom.feedback.report import rows, to_read, write_page
from solutions.classroom.folder import ClassFolder, ClassFolderError, new_class
from solutions.classroom.gradebook import open_gradebook
from solutions.classroom.release.chapter_text import read_chapter
from solutions.classroom.release.hand_out import make_kit
from solutions.classroom.release.publish import release
from solutions.classroom.release.source_notebook import student_notebook

QUESTIONS = {
    cell.metadata["question"]: cell.metadata["points"]
    for chapter in chapters()
    for cell in read_chapter(chapter)
    if cell.kind == "question"
}


def test_every_question_has_a_model_answer_a_scheme_and_three_typical_answers() -> None:
    assert set(guides()) == set(QUESTIONS)
    for question, guide in guides().items():
        assert len(guide.model.split()) > 30
        assert sum(part.points for part in guide.scheme) == QUESTIONS[question]
        assert len(guide.typical) == 3
        assert len({one.points for one in guide.typical}) == 3
        assert all(0 <= one.points <= QUESTIONS[question] and len(one.say) > 5 for one in guide.typical)


SENTENCES = [
    text
    for guide in guides().values()
    for text in (
        guide.model,
        *(one.earns for one in guide.scheme),
        *(t for one in guide.typical for t in (one.answer, one.say)),
    )
]


def _told_in(text: str) -> list[str]:
    return [sentence for sentence in SENTENCES if sentence in text]


def test_nothing_of_it_is_in_a_students_notebook_or_in_course() -> None:
    for chapter in chapters():
        assert _told_in("\n".join(cell.source for cell in student_notebook(chapter).cells)) == []
    for path in (Path(__file__).parents[1] / "course").rglob("*.py"):
        assert _told_in(path.read_text("utf-8")) == [], path


def test_nothing_of_it_is_in_a_release_a_sheet_or_the_kit(tmp_path: Path) -> None:
    folder = new_class(tmp_path / "class")
    release(folder, CHAPTER)
    make_kit(tmp_path / "kit", [CHAPTER])
    files = [
        path
        for place in (folder.release(CHAPTER), tmp_path / "kit")
        for path in place.rglob("*")
        if path.is_file()
    ]
    assert any(path.name == sheet_name(CHAPTER) for path in files)
    for path in files:
        assert _told_in(path.read_bytes().decode("utf-8", "replace")) == [], path


def test_feedback_does_not_know_it() -> None:
    text = pages.page("feedback", student_notebook(CHAPTER), {"notebook": "x", "score": None, "reason": ""})
    assert _told_in(text) == []


def test_the_report_says_how_many_answers_wait_and_how_long_reading_takes(tmp_path: Path) -> None:
    people = [Person("ada", answer=None), Person("bea", answer=None), Person("cid"), Person("dan", code=None)]
    folder = small_class(tmp_path, people)
    said = "2 answers in words await a reader: about 4 minutes."
    assert to_read(rows(folder, [CHAPTER])) == said
    assert said in write_page(folder, [CHAPTER]).read_text()
    assert to_read(rows(small_class(tmp_path / "other", [Person("cid")]), [CHAPTER])) == ""


def _read_twice(place: Path, second: Callable[[str, float], float]) -> tuple[ClassFolder, ClassFolder]:
    people = [Person(f"s{k}", answer=k % 4) for k in range(12)]
    first = small_class(place, people)
    shutil.copytree(first.root, place / "second")
    other = ClassFolder(place / "second")
    with open_gradebook(other) as book:
        for person in people:
            assert person.answer is not None
            grade = book.find_grade("words", CHAPTER, CHAPTER, person.id)
            grade.manual_score = second(person.id, person.answer)
        book.db.commit()
    return first, other


def test_readers_who_agree_have_kappa_one_and_those_who_do_not_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, other = _read_twice(tmp_path, lambda student, points: 3.0 if student == "s4" else points)
    (one,) = agreements(first, other)
    assert one.same == pytest.approx(11 / 12)
    assert one.kappa is not None
    assert 0.5 < one.kappa < 1
    assert one.apart == ["s4"]
    assert main(["agreement", str(first.root), str(other.root)]) == 0
    assert "more than a point apart: s4" in capsys.readouterr().out
    first, other = _read_twice(tmp_path / "again", lambda student, points: points)
    assert agreements(first, other)[0].kappa == 1


def test_two_folders_without_a_common_answer_are_told_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = small_class(tmp_path, [Person("ada", answer=None)])
    with pytest.raises(ClassFolderError, match="No answer was scored in both"):
        agreements(first, first)
    assert main(["agreement", str(first.root), str(first.root)]) == 2
    assert "No answer was scored in both" in capsys.readouterr().err


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=30))
def test_kappa_is_cohen_s_with_quadratic_weights(pairs: list[tuple[int, int]]) -> None:
    """κ = 1 − Σ w·observed / Σ w·expected, w = (i − j)²."""
    found = Agreement("q", {str(k): (float(i), float(j)) for k, (i, j) in enumerate(pairs)}).kappa
    n = len(pairs)
    observed = sum((i - j) ** 2 for i, j in pairs) / n
    expected = sum((i - j) ** 2 for (i, _), (_, j) in product(pairs, pairs)) / n**2
    if found is None:
        assert len({points for pair in pairs for points in pair}) == 1
    else:
        assert math.isclose(found, 1 - observed / expected, abs_tol=1e-9)
