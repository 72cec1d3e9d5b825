"""check, hint and progress, as a student meets them in a notebook."""

import subprocess
import sys
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from course import archive
from course.sheets import sheet_name
from solutions.classroom.answers import PUBLIC_SEEDS, answer_sheet, sheet_tree
from solutions.classroom.reference import home_of

CHAPTER = "04_sensitivity"


@pytest.fixture(scope="module")
def sheet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("notebook")
    archive.write(folder / sheet_name(CHAPTER), sheet_tree(answer_sheet(CHAPTER, PUBLIC_SEEDS)))
    return folder


@pytest.fixture
def shell(sheet: Path, monkeypatch: pytest.MonkeyPatch) -> InteractiveShell:
    monkeypatch.chdir(sheet)
    shell = InteractiveShell()
    monkeypatch.setattr("builtins.get_ipython", lambda: shell, raising=False)
    shell.run_cell(
        "import torch\nfrom course import gaps\ngaps.install()\nfrom course.check import check, hint, progress"
    )
    return shell


def _said(shell: InteractiveShell, cell: str) -> str:
    with capture_output() as seen:
        shell.run_cell(cell, store_history=True)
    return seen.stdout + seen.stderr


GAP = "def input_gradient(model, x, target):\n    raise NotImplementedError()"


def test_an_untouched_exercise_says_not_done_yet_in_one_line(shell: InteractiveShell) -> None:
    shell.run_cell(GAP)
    said = _said(shell, "check(input_gradient)")
    assert said.strip() == "○ input_gradient: Not done yet."


def test_the_reference_is_right_and_progress_shows_it(shell: InteractiveShell) -> None:
    shell.run_cell(f"from {home_of()['input_gradient']} import input_gradient")
    assert _said(shell, "check(input_gradient)").startswith("✔ input_gradient: Right.")
    assert "✔ input_gradient" in _said(shell, "progress()")


def test_a_wrong_answer_stops_validate_with_one_line_and_no_traceback(shell: InteractiveShell) -> None:
    shell.run_cell("def input_gradient(model, x, target):\n    return x + 1")
    with capture_output() as seen:
        result = shell.run_cell("check(input_gradient)")
    assert result.error_in_exec is not None
    assert len(seen.stdout.strip().splitlines()) == 1
    assert "Traceback" not in seen.stdout


def test_a_function_under_another_name_is_known_by_the_name_it_is_bound_to(shell: InteractiveShell) -> None:
    shell.run_cell("def mine(model, x, target):\n    return None\ninput_gradient = mine")
    assert "input_gradient" in _said(shell, "check(input_gradient)")


@pytest.mark.parametrize("cell", ["check(print)", "check(3)", "check(lambda x: x)", "check(input_gradiant)"])
def test_checking_what_is_no_exercise_is_said_kindly(shell: InteractiveShell, cell: str) -> None:
    shell.run_cell("def input_gradiant(): pass")
    said = _said(shell, cell)
    assert said.startswith("✘")
    assert "Traceback" not in said
    if "gradiant" in cell:
        assert "Did you mean 'input_gradient'?" in said


def test_hints_say_more_each_time(shell: InteractiveShell) -> None:
    first, second = _said(shell, "hint('input_gradient')"), _said(shell, "hint('input_gradient')")
    assert first.startswith("Hint 1")
    assert first != second
    assert "Did you mean" in _said(shell, "hint('input_gradients')")


def test_cells_behind_an_open_gap_say_what_is_missing(shell: InteractiveShell) -> None:
    shell.run_cell(GAP)
    assert "○ input_gradient is not done yet" in _said(shell, "picture = input_gradient(None, None, None)")
    assert "○ input_gradient is not done yet" in _said(shell, "print(picture.shape)")
    assert "NameError" in _said(shell, "print(really_unknown)")
    assert "NotImplementedError" in _said(shell, "raise NotImplementedError('somebody else')")


def test_a_missing_or_damaged_sheet_says_what_to_do(
    shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.run_cell(GAP)
    monkeypatch.chdir(tmp_path)
    assert "Copy it there again from the released assignment" in _said(shell, "check(input_gradient)")
    (tmp_path / sheet_name(CHAPTER)).write_bytes(b"cut short")
    assert "damaged" in _said(shell, "check(input_gradient)")


def test_course_never_imports_solutions() -> None:
    chapters = "course.chapters"
    code = (
        "import sys, pkgutil, importlib\n"
        "sys.modules['solutions'] = None\n"
        "import course\n"
        "for m in pkgutil.walk_packages(course.__path__, 'course.'):\n"
        f"    m.name.startswith('{chapters}') or m.name == 'course.recorder' or importlib.import_module(m.name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
