"""check, hint and progress, as a student meets them in a notebook."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from nbgrader.coursedir import CourseDirectory

from course import settings
from course.exercises import exercises_of
from course.judging import archive, gaps
from course.judging.sheets import sheet_name
from course.notebook import ticks
from course.notebook.saved import ANSWER
from solutions.classroom.release.answers import PUBLIC_SEEDS, answer_sheet, sheet_tree
from solutions.classroom.release.reference_source import home_of
from solutions.classroom.release.source_notebook import (
    notebook_bytes,
    public_sheet,
    source_notebook,
    student_notebook,
)
from solutions.classroom.submission.limits import Limits

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
        "import torch\nfrom course.judging import gaps\ngaps.install()\nfrom course.check import check, hint, progress"
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


@pytest.mark.parametrize(
    "cell",
    [
        "check(print)",
        "check(3)",
        "check('input_gradient')",
        "check(lambda x: x)",
        "check(input_gradiant)",
        "hint(3)",
        "progress('nonsense')",
        "progress(99)",
    ],
)
def test_checking_what_is_no_exercise_is_said_kindly(shell: InteractiveShell, cell: str) -> None:
    shell.run_cell("def input_gradiant(): pass")
    said = _said(shell, cell)
    assert said.startswith("✘")
    assert "Traceback" not in said
    assert "Did you mean" not in said or "gradiant" in cell
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
    caught = "try:\n    {}\nexcept (NameError, NotImplementedError) as error:\n    print(gaps.told(error))"
    for cell in ("picture", "input_gradient(None, None, None)"):
        assert "○ input_gradient is not done yet" in _said(shell, caught.format(cell))
    assert _said(shell, caught.format("really_unknown")).strip() == "None"
    shell.run_cell("def input_gradient(model, x, target):\n    return x")
    assert "still waits for input_gradient: run the cells above" in _said(shell, "print(picture.shape)")
    assert "NameError" in _said(shell, "print(really_unknown)")
    assert "NotImplementedError" in _said(shell, "raise NotImplementedError('somebody else')")


def test_a_missing_definition_is_an_error_of_one_line(shell: InteractiveShell) -> None:
    shell.run_cell("if 'saliency' in globals(): del saliency")
    with capture_output() as seen:
        result = shell.run_cell("check(saliency)")
    assert result.error_in_exec is not None
    assert (
        seen.stdout.strip() == "✘ saliency is not defined: run the cell that defines it, then this one again."
    )


def test_a_gap_that_was_left_below_the_code_is_pointed_at(shell: InteractiveShell) -> None:
    shell.run_cell("def input_gradient(model, x, target):\n    y = x.abs()\n    raise NotImplementedError()")
    assert "`raise NotImplementedError()` is still there" in _said(shell, "check(input_gradient)")


def test_a_flood_of_prints_does_not_bury_the_verdict(shell: InteractiveShell) -> None:
    shell.run_cell("def input_gradient(model, x, target):\n    print('hello ' * 10_000)\n    return x")
    said = _said(shell, "check(input_gradient)")
    assert said.startswith("hello hello")
    assert len(said) < 3_000
    assert "it prints more than is shown" in said
    assert "✘ input_gradient" in said


def test_an_interrupted_check_says_where_it_was(shell: InteractiveShell) -> None:
    shell.run_cell("def input_gradient(model, x, target):\n    raise KeyboardInterrupt  # here\n")
    said = _said(shell, "check(input_gradient)")
    assert said.strip() == "✘ input_gradient: interrupted in your line 2 (raise KeyboardInterrupt  # here)."


def test_progress_knows_chapters_by_number_and_name(shell: InteractiveShell) -> None:
    assert _said(shell, "progress(1)") == _said(shell, "progress('linear_models')")
    assert "1 point " in _said(shell, "progress(1)")


QUESTION = "more-or-less-of-a-three"


def _notebook(folder: Path, answer: str) -> None:
    release = student_notebook(CHAPTER)
    for cell in release.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == QUESTION:
            cell.source = answer
    (folder / f"{CHAPTER}.ipynb").write_bytes(notebook_bytes(release))


@pytest.fixture
def alone(sheet: Path, shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own, in which nothing has been checked."""
    archive.write(tmp_path / sheet_name(CHAPTER), public_sheet(CHAPTER, source_notebook(CHAPTER)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("course.check._verdicts", {})
    return tmp_path


def test_progress_counts_the_question_in_words_in_the_points_of_the_mark(
    shell: InteractiveShell, alone: Path
) -> None:
    total = sum(exercise.points for exercise in exercises_of(CHAPTER).values()) + 3
    assert "read and graded by a person" in _said(shell, f"progress({CHAPTER!r})")
    _notebook(alone, ANSWER)
    said = _said(shell, "progress()")
    assert f"0 of {total} points\n" in said
    assert re.search(rf"· {QUESTION} .* 3 points   not answered yet", said)
    _notebook(alone, "Because the slope says what a small change does.")
    said = _said(shell, "progress()")
    assert f"0 of {total} points; 3 more wait for a reader" in said
    assert "3 of 3 wait for a reader" in said


def test_progress_survives_a_restart_of_the_kernel(
    shell: InteractiveShell, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.run_cell(f"from {home_of()['input_gradient']} import input_gradient\nsaliency = input_gradient")
    _said(shell, "check(input_gradient)"), _said(shell, "def saliency(*x):\n    return x[0]\ncheck(saliency)")
    before = _said(shell, "progress()")
    assert "✔ input_gradient" in before
    assert "✘ saliency" in before
    monkeypatch.setattr("course.check._verdicts", {})
    assert _said(shell, "progress()") == before
    (path,) = (alone / ".ipynb_checkpoints").iterdir()
    assert json.loads(path.read_text())["checked"].keys() == {"input_gradient", "saliency"}
    assert path.stat().st_mode & 0o077 == 0 or os.name == "nt"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"release": 1}',
        '{"release": "R", "checked": {"saliency": {"kind": "great"}}}',
        "[" * 100_000,
    ],
)
def test_damaged_progress_is_no_progress(shell: InteractiveShell, alone: Path, text: str) -> None:
    (alone / ".ipynb_checkpoints").mkdir()
    release = ticks._release(alone, CHAPTER)
    (alone / ".ipynb_checkpoints" / f"{CHAPTER}.progress.json").write_text(
        text.replace('"R"', f'"{release}"')
    )
    assert "✔" not in _said(shell, "progress()")
    shell.run_cell(f"from {home_of()['input_gradient']} import input_gradient")
    assert "✔" in _said(shell, "check(input_gradient)\nprogress()")


def test_another_release_begins_without_ticks(
    shell: InteractiveShell, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.run_cell(f"from {home_of()['input_gradient']} import input_gradient")
    _said(shell, "check(input_gradient)")
    monkeypatch.setattr("course.check._verdicts", {})
    tree = archive.read(alone / sheet_name(CHAPTER))
    archive.write(alone / sheet_name(CHAPTER), tree | {"made": "later"})
    assert "✔" not in _said(shell, "progress()")


def test_a_folder_that_cannot_be_written_costs_no_verdict(
    shell: InteractiveShell, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (alone / ".ipynb_checkpoints").write_text("a file where the folder would be")
    shell.run_cell(f"from {home_of()['input_gradient']} import input_gradient")
    assert _said(shell, "check(input_gradient)").startswith("✔")

    def refused(*arguments: object, **more: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("course.judging.archive.write_bytes", refused)
    assert _said(shell, "check(input_gradient)").startswith("✔")


def test_progress_is_not_handed_in() -> None:
    """nbgrader's submit leaves out what its ignore list names; grading looks for notebooks."""
    patterns = CourseDirectory().ignore
    assert ticks.FOLDER in patterns


def test_what_takes_too_long_for_grading_is_said(
    shell: InteractiveShell, sheet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = (
        f"from {home_of()['input_gradient']} import input_gradient as right\nimport time\n"
        "def input_gradient(*inputs):\n    end = time.process_time() + {}\n"
        "    while time.process_time() < end:\n        pass\n    return {}"
    )
    monkeypatch.setattr("course.settings.SECONDS_EACH", 0.3)
    shell.run_cell(slow.format(0.3, "right(*inputs)"))
    said = _said(shell, "check(input_gradient)")
    assert re.fullmatch(
        r"✘ input_gradient: Right, but too slow: it took [\d.]+ s, and grading stops at 0.3 s\.", said.strip()
    )
    shell.run_cell(slow.format(0.3, "inputs[1]"))
    assert "✘ input_gradient: Too slow: it took" in _said(shell, "check(input_gradient)")
    monkeypatch.setattr("course.settings.SECONDS_EACH", 4.0)
    shell.run_cell(slow.format(0.3, "right(*inputs)"))
    said = _said(shell, "check(input_gradient)")
    assert said.startswith("✔ input_gradient: Right. It took")
    assert "grading stops at 4 s" in said


def test_check_and_grading_have_one_limit() -> None:
    assert Limits().cpu_seconds == settings.SECONDS_EACH


def test_long_sentences_are_broken_between_words_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = "one-word (x[0],  y) " * 20
    assert gaps.lines(sentence) == [sentence]
    monkeypatch.setattr("course.show.in_notebook", lambda: True)
    broken = gaps.lines(sentence)
    assert max(map(len, broken)) <= gaps.WIDTH
    assert " ".join(broken).split() == sentence.split()


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
        f"    m.name.startswith('{chapters}') or importlib.import_module(m.name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("contrast", "lambda x: model(x)", "TypeError: a function of x should come back, not a NoneType"),
        ("smooth_grad", "x.abs()", "None instead of .* Is a return statement missing?"),
        ("smooth_grad", "return x.sum(1)", r"value shape differs: '(2,)' instead of '(2, \d+)'"),
    ],
)
def test_what_comes_back_from_an_observed_exercise_is_described(
    shell: InteractiveShell, name: str, body: str, said: str
) -> None:
    arguments = (
        "model, target, other" if name == "contrast" else "model, x, target, sigma, samples, generator"
    )
    shell.run_cell(f"from {home_of()['input_gradient']} import input_gradient")
    shell.run_cell(f"def {name}({arguments}):\n    {body}")
    assert re.search(said.replace("(", r"\(").replace(")", r"\)"), _said(shell, f"check({name})"))
