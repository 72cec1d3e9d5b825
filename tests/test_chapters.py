"""Every chapter: its exercises reject what is wrong and accept what is right, and its text runs top to bottom."""

import os
import subprocess
import sys

import pytest

from course.exercises import chapters, exercises_of
from course.judging.sheets import sheet_name
from solutions.classroom.proof.prove import prove
from solutions.classroom.release.answers import PUBLIC_SEEDS, answer_sheet, sheet_tree
from solutions.classroom.release.chapter_text import chapter_path, read_chapter

EXERCISES = [(chapter, name) for chapter in chapters() for name in exercises_of(chapter)]
LARGEST_SHEET = 3_000_000


@pytest.mark.parametrize(("chapter", "name"), EXERCISES, ids=[name for _, name in EXERCISES])
def test_wrong_is_rejected_with_its_own_sentence_and_right_is_accepted(chapter: str, name: str) -> None:
    proof = prove(chapter, exercises_of(chapter)[name])
    assert proof.complaints == []
    assert proof.rejected == proof.wrong
    assert proof.accepted == proof.alternatives


@pytest.mark.parametrize("chapter", chapters())
def test_the_public_sheet_is_small_enough_to_hand_out(chapter: str) -> None:
    from course.judging import archive

    assert len(archive.pack(sheet_tree(answer_sheet(chapter, PUBLIC_SEEDS)))) < LARGEST_SHEET, sheet_name(
        chapter
    )


@pytest.mark.parametrize("chapter", chapters())
def test_a_chapter_has_everything_that_a_chapter_has(chapter: str) -> None:
    cells = read_chapter(chapter)
    assert sum(cell.kind == "question" for cell in cells) == 1, "one question to be answered in words"
    assert "?" in "".join(cell.source for cell in cells[:2]), "begins with a question"
    assert any("demo" in cell.tags for cell in cells), "has a widget or another demonstration"
    assert "reading" in cells[-1].source.lower() or "reading" in cells[-2].source.lower(), (
        "ends with further reading"
    )
    in_a_row = 0
    for cell in cells:
        in_a_row = in_a_row + 1 if cell.kind == "exercise" else 0 if cell.kind == "code" else in_a_row
        assert in_a_row <= 5, "at most five exercises before something to look at"
        assert len(cell.source.splitlines()) <= 60, f"no cell longer than a screen: {cell.source[:60]}"


@pytest.mark.parametrize("chapter", chapters())
def test_the_chapter_runs_as_a_plain_script(chapter: str) -> None:
    environment = os.environ | {"COURSE_FAST": "1", "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error::SyntaxWarning", str(chapter_path(chapter))],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_points_follow_the_minutes_on_one_scale() -> None:
    scale = {5: 1, 12: 2, 20: 3, 30: 4}
    for chapter in chapters():
        for name, exercise in exercises_of(chapter).items():
            worth = next((points for most, points in scale.items() if exercise.minutes <= most), 5)
            assert exercise.points == worth, name
