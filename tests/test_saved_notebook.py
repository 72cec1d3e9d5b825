"""What `check` says of the saved notebook: a name that grading will not find is named, and nothing else is."""

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from course.exercises import chapters, exercises_of
from course.judging import archive
from course.judging.sheets import sheet_name
from course.notebook import foreseen, kernel, saved
from course.notebook.names import used
from solutions.classroom.proof.simulated_class import solved
from solutions.classroom.release.source_notebook import (
    grade_id,
    notebook_bytes,
    plan_of,
    public_sheet,
    source_notebook,
    student_notebook,
)

CHAPTER = "01_linear_models"
NAME = "soft_threshold"
RIGHT = "torch.sign(w) * (w.abs() - threshold).clamp(min=0)"


@pytest.fixture(scope="module")
def release() -> NotebookNode:
    return student_notebook(CHAPTER)


@pytest.fixture(scope="module")
def sheet() -> bytes:
    return archive.pack(public_sheet(CHAPTER, source_notebook(CHAPTER)))


class Student:
    """Somebody at a notebook: writes cells, runs them, saves, and checks."""

    def __init__(self, folder: Path, release: NotebookNode) -> None:
        self.path = folder / f"{CHAPTER}.ipynb"
        self.notebook = nbformat.from_dict(release)
        self.shell = InteractiveShell()

    def at(self, name: str) -> int:
        found = (c.metadata.get("nbgrader", {}).get("grade_id") for c in self.notebook.cells)
        return list(found).index(name)

    def writes(self, source: str, name: str = NAME) -> None:
        """Into the gap of an exercise."""
        self.notebook.cells[self.at(f"{grade_id(name)}-gap")].source = source

    def adds(self, source: str, before: bool = True, demo: bool = False, name: str = NAME) -> None:
        """A cell of one's own, before the gap or behind the check."""
        place = self.at(f"{grade_id(name)}-gap") if before else self.at(grade_id(name)) + 1
        metadata = {"tags": ["demo"]} if demo else {}
        self.notebook.cells.insert(place, new_code_cell(source, metadata=metadata))

    def saves(self, seconds_later: float = 60) -> None:
        self.path.write_bytes(notebook_bytes(self.notebook))
        os.utime(self.path, (time.time() + seconds_later,) * 2)

    def runs(self, *sources: str) -> str:
        with capture_output() as seen:
            for source in sources:
                self.shell.run_cell(source, store_history=True)
        return str(seen.stdout + seen.stderr)

    def runs_all(self, exercises: bool = False) -> None:
        """The set-up, and whatever is of the student's own, wherever it stands."""
        for cell in self.notebook.cells:
            facts = cell.metadata.get("nbgrader", {})
            own = not facts and cell.get("id", "").startswith("own")
            if cell.cell_type == "code" and (
                facts.get("grade_id") == "set-up" or own or facts.get("solution")
            ):
                self.runs(cell.source)

    def checks(self, name: str = NAME) -> str:
        return self.runs(f"check({name})").strip()


@pytest.fixture
def student(
    release: NotebookNode, sheet: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Student]:
    (tmp_path / sheet_name(CHAPTER)).write_bytes(sheet)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    who = Student(tmp_path, release)
    monkeypatch.setattr("builtins.get_ipython", lambda: who.shell, raising=False)
    kernel.watch()
    who.runs(who.notebook.cells[who.at("set-up")].source)
    yield who
    kernel._ran.clear()


HELPED = "def soft_threshold(w, threshold):\n    return shrunk(w, threshold)"
SHRUNK = f"def shrunk(w, threshold):\n    return {RIGHT}"
PLAIN = f"def soft_threshold(w, threshold):\n    return {RIGHT}"
ALL_RIGHT = f"✔ {NAME}: Right. "


def test_a_helper_that_stands_below_is_named(student: Student) -> None:
    student.writes(HELPED)
    student.adds(SHRUNK, before=False)
    student.runs(SHRUNK, HELPED)
    student.saves()
    said = student.checks()
    assert said.startswith(f"✔ {NAME}: Right. But grading")
    assert "will not find `shrunk`: move its cell up" in said
    assert re.search(rf"✔ {NAME} .* Right\. But grading", student.runs("progress()"))


def test_a_helper_s_helper_that_stands_below_is_named(student: Student) -> None:
    inner = "def size_left(w, threshold):\n    return (w.abs() - threshold).clamp(min=0)"
    outer = "def shrunk(w, threshold):\n    return torch.sign(w) * size_left(w, threshold)"
    student.writes(HELPED)
    student.adds(outer)
    student.adds(inner, before=False)
    student.runs(inner, outer, HELPED)
    student.saves()
    assert "will not find `size_left`" in student.checks()


def test_a_helper_whose_cell_is_gone_is_named(student: Student) -> None:
    student.writes(HELPED)
    student.runs(SHRUNK, HELPED)
    student.saves()
    said = student.checks()
    assert "`shrunk`, which no cell of the saved notebook defines" in said
    assert said.startswith("✔")


def test_a_helper_in_a_demonstration_is_named(student: Student) -> None:
    student.writes(HELPED)
    student.adds(SHRUNK, demo=True)
    student.runs(SHRUNK, HELPED)
    student.saves()
    assert "tagged `demo`" in student.checks()


def test_a_helper_made_of_what_stands_below_is_named(student: Student) -> None:
    student.writes(HELPED)
    student.adds("shrunk = made_below()")
    student.adds(f"def made_below():\n    return lambda w, threshold: {RIGHT}", before=False)
    student.runs(
        f"def made_below():\n    return lambda w, threshold: {RIGHT}", "shrunk = made_below()", HELPED
    )
    student.saves()
    assert "will not find `made_below`" in student.checks()


def test_a_second_version_below_is_told_from_the_one_that_grading_uses(student: Student) -> None:
    student.writes(HELPED)
    student.adds("def shrunk(w, threshold):\n    return w")
    student.adds(SHRUNK, before=False)
    student.runs(SHRUNK, HELPED)
    student.saves()
    assert "will use another `shrunk`, the last one that is saved above" in student.checks()


def test_the_function_itself_may_stand_below_its_check(student: Student, release: NotebookNode) -> None:
    student.adds(PLAIN, before=False)
    student.runs(PLAIN)
    student.saves()
    assert f"will ask the `{NAME}` that is saved above this check" in student.checks()


def test_a_constant_that_is_another_one_above_is_named(student: Student) -> None:
    fn = f"def soft_threshold(w, threshold):\n    return {RIGHT} * FACTOR"
    student.writes(fn)
    student.adds("FACTOR = 3.0")
    student.adds("FACTOR = 1.0", before=False)
    student.runs("FACTOR = 3.0", fn, "FACTOR = 1.0")
    student.saves()
    assert "will use another `FACTOR`" in student.checks()


def test_what_is_right_as_it_is_saved_is_said_to_be(student: Student) -> None:
    other = "def shrunk(w, threshold):\n    return w"
    student.writes(HELPED)
    student.adds(SHRUNK)
    student.adds(other, before=False)
    student.runs(SHRUNK, HELPED, other)
    student.saves()
    said = student.checks()
    assert said.startswith(f"✘ {NAME}")
    assert said.endswith("With the `shrunk` of the saved notebook, as grading has it, it is right.")


@pytest.mark.parametrize("called", ["jupyter", "vs code", "renamed", "copied"])
def test_the_notebook_that_is_open_is_found(
    student: Student, called: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    student.writes(HELPED)
    student.adds(SHRUNK, before=False)
    student.runs(SHRUNK, HELPED)
    student.saves()
    copy = student.path.with_name("my copy.ipynb")
    if called == "renamed":
        student.path.rename(copy)
        monkeypatch.setenv("JPY_SESSION_NAME", str(student.path))
    else:
        student.writes(PLAIN)
        copy.write_bytes(notebook_bytes(student.notebook))
    if called == "jupyter":
        monkeypatch.setenv("JPY_SESSION_NAME", str(student.path))
    if called == "vs code":
        student.shell.user_ns["__vsc_ipynb_file__"] = str(student.path)
    said = student.checks()
    assert ("`shrunk`" in said) == (called != "copied"), "of two that fit, nobody knows which is open"


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b'{"nbformat": 4, "cells": 3}', b'{"nbformat": 4, "cells": [3]}', b"\xff" * 99],
)
def test_a_notebook_that_cannot_be_read_costs_no_verdict(student: Student, data: bytes) -> None:
    student.runs(PLAIN)
    student.path.write_bytes(data)
    assert student.checks().startswith(ALL_RIGHT + "(")


@pytest.mark.parametrize("chapter", chapters())
def test_in_a_chapter_solved_by_the_reference_every_check_finds_its_names(
    chapter: str, tmp_path: Path
) -> None:
    """Read from the source alone: no cell of a chapter may do anything, and none lacks what it needs."""
    notebook = solved(student_notebook(chapter), chapter)
    (tmp_path / "solved.ipynb").write_bytes(notebook_bytes(notebook))
    found = saved.read(tmp_path / "solved.ipynb", plan_of(source_notebook(chapter)))
    assert found is not None
    for name in exercises_of(chapter):
        place = found.place(grade_id(name))
        there = foreseen._run(saved.code(found.cells[:place]))
        assert there is not None
        assert not there.stopped
        needed = used(found.cells[found.place(f"{grade_id(name)}-gap")].source)
        assert not {one for one in needed if one not in there.makes and not foreseen._given(one)}, name


def _nothing_special(student: Student) -> None:
    student.writes(PLAIN)
    student.runs(PLAIN)


def _helper_above(student: Student) -> None:
    student.writes(HELPED)
    student.adds(SHRUNK)
    student.runs(SHRUNK, HELPED)


def _unsaved_helper(student: Student) -> None:
    student.writes(HELPED)
    student.saves(-60)
    student.runs(SHRUNK, HELPED)


def _imported(student: Student) -> None:
    fn = "def soft_threshold(w, threshold):\n    return nf.softshrink(w, float(threshold))"
    student.writes(fn)
    student.adds("import torch.nn.functional as nf")
    student.runs("import torch.nn.functional as nf", fn)


def _star(student: Student) -> None:
    fn = "def soft_threshold(w, threshold):\n    return softshrink(w, float(threshold))"
    student.writes(fn)
    student.adds("from torch.nn.functional import *")
    student.runs("from torch.nn.functional import *", fn)


def _comprehension(student: Student) -> None:
    fn = f"def soft_threshold(w, threshold):\n    rows = [i for i in range(2)]\n    return {RIGHT}"
    student.writes(fn)
    student.adds("i = 3\nrows = 4", before=False)
    student.runs(fn, "i = 3\nrows = 4")


def _magic(student: Student) -> None:
    student.writes(HELPED)
    student.adds("%run helpers.py")
    student.runs(SHRUNK, HELPED)


def _exec(student: Student) -> None:
    student.writes(HELPED)
    student.adds(f"exec({SHRUNK!r})")
    student.runs(SHRUNK, HELPED)


def _globals(student: Student) -> None:
    student.writes(HELPED)
    student.adds(f"globals()['shr' + 'unk'] = lambda w, threshold: {RIGHT}")
    student.runs(SHRUNK, HELPED)


def _by_global_statement(student: Student) -> None:
    maker = f"def make():\n    global shrunk\n    shrunk = lambda w, threshold: {RIGHT}\nmake()"
    student.writes(HELPED)
    student.adds(maker)
    student.runs(maker, HELPED)


def _harmless_magic(student: Student) -> None:
    student.writes(HELPED)
    student.adds("%%time\n" + SHRUNK)
    student.adds("%matplotlib inline\nx = !ls\n!ls\nprint?")
    student.runs("%%time\n" + SHRUNK, HELPED)


def _not_needed(student: Student) -> None:
    fn = f"def soft_threshold(w, threshold):\n    if threshold is None:\n        show_it(w)\n    return {RIGHT}"
    student.writes(fn)
    student.adds("def show_it(w):\n    print(w)", before=False)
    student.runs("def show_it(w):\n    print(w)", fn)


def _an_equal_second_version(student: Student) -> None:
    student.writes(HELPED)
    student.adds(SHRUNK)
    student.adds(SHRUNK.replace("\n", "  # as above\n"), before=False)
    student.runs(SHRUNK, HELPED, SHRUNK.replace("\n", "  # as above\n"))


def _edited_and_not_saved(student: Student) -> None:
    student.writes(HELPED)
    student.adds("def shrunk(w, threshold):\n    return w")
    student.saves(-60)
    student.runs(SHRUNK, HELPED)


def _broken_scratch_cell(student: Student) -> None:
    student.writes(HELPED)
    student.adds("def shrunk(:")
    student.runs(SHRUNK, HELPED)


def _moved_above_by_dragging(student: Student) -> None:
    """The locked cells out of order: grading puts them back, and the helper with the cell that it follows."""
    student.writes(HELPED)
    student.adds(SHRUNK)
    cells = student.notebook.cells
    check = cells.pop(student.at(grade_id(NAME)))
    cells.insert(student.at("set-up") + 1, check)
    student.runs(SHRUNK, HELPED)


def _a_locked_cell_is_gone(student: Student) -> None:
    student.writes(PLAIN)
    del student.notebook.cells[student.at("set-up")]
    student.runs(PLAIN)


def _class_and_decorator(student: Student) -> None:
    helper = (
        f"class Shrink:\n    def __call__(self, w, threshold):\n        return {RIGHT}\nshrunk = Shrink()"
    )
    fn = "import functools\n@functools.lru_cache\ndef one():\n    return 1\n" + HELPED
    student.writes(fn)
    student.adds(helper)
    student.runs(helper, fn)


ORDINARY: list[Callable[[Student], None]] = [
    value
    for name, value in list(globals().items())
    if name.startswith("_") and callable(value) and name[1] != "_"
]


@pytest.mark.parametrize("does", ORDINARY, ids=lambda does: does.__name__.strip("_"))
def test_nothing_is_said_where_nothing_is_wrong_or_nobody_can_know(
    student: Student, does: Callable[[Student], None]
) -> None:
    does(student)
    if not student.path.exists():
        student.saves()
    assert student.checks().startswith(ALL_RIGHT + "(")
