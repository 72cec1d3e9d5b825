"""From chapter text to student notebook: nothing can drift apart, and nothing gives the solution away."""

import ast
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from course.exercises import UnknownNameError, chapter_named, chapters, exercises_of, find
from solutions.classroom.assignment import Assignment
from solutions.classroom.release import source_notebook as build
from solutions.classroom.release.chapter_text import Cell, ChapterError, parse
from solutions.classroom.release.reference_source import definition, home_of, load, needs
from solutions.classroom.release.source_notebook import (
    grade_id,
    notebook_bytes,
    source_notebook,
    student_notebook,
)
from solutions.misconceptions import misconceptions_of, sentence


def _graded(notebook: NotebookNode) -> dict[str, NotebookNode]:
    return {c.metadata.nbgrader.grade_id: c for c in notebook.cells if "nbgrader" in c.metadata}


@pytest.mark.parametrize("chapter", chapters())
def test_building_twice_gives_the_same_valid_bytes(chapter: str) -> None:
    first = notebook_bytes(source_notebook(chapter))
    assert first == notebook_bytes(source_notebook(chapter))
    nbformat.validate(nbformat.reads(first.decode(), as_version=4))


@pytest.mark.parametrize("chapter", chapters())
def test_the_student_s_notebook_compiles_and_holds_no_solution(chapter: str) -> None:
    notebook = student_notebook(chapter)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            tree = ast.parse(cell.source)
            imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom | ast.Import)]
            assert "solutions" not in "".join(ast.unparse(node) for node in imported), cell.source
    cells = _graded(notebook)
    for name in exercises_of(chapter):
        gap = cells[f"{grade_id(name)}-gap"].source
        assert "raise NotImplementedError()" in gap
        assert '"""' in gap, f"{name} has no docstring for the student to read"
        assert cells[grade_id(name)].source == f"check({name})"
        assert cells[grade_id(name)].metadata.nbgrader.points == exercises_of(chapter)[name].points


@pytest.mark.parametrize("chapter", chapters())
def test_no_reference_body_is_given_away_by_another_cell(chapter: str) -> None:
    text = "\n".join(cell.source for cell in student_notebook(chapter).cells)
    for name in exercises_of(chapter):
        definition = build.definition(home_of()[name], name)
        body = [node for node in definition.body if not isinstance(node, ast.Expr)]  # type: ignore[attr-defined]
        longest = max((ast.unparse(node) for node in body), key=len, default="")
        assert len(longest) < 25 or longest not in text, f"{name}: {longest}"


@pytest.mark.parametrize("chapter", chapters())
def test_grade_ids_are_the_exercises_names_wherever_the_cells_stand(chapter: str) -> None:
    names = {
        c.metadata.nbgrader.grade_id
        for c in source_notebook(chapter).cells
        if c.metadata.get("nbgrader", {}).get("grade")
    }
    assert {grade_id(name) for name in exercises_of(chapter)} <= names


@pytest.mark.parametrize("chapter", chapters())
def test_sentences_and_hints_hold_no_line_of_the_solution(chapter: str) -> None:
    for name, exercise in exercises_of(chapter).items():
        source = build.source_of(home_of()[name], name)
        lines = {line.strip() for line in source.splitlines() if len(line.strip()) > 30 and "return" in line}
        said = [*exercise.hints, *(sentence(wrong) for wrong in misconceptions_of(chapter).get(name, []))]
        for text in said:
            assert not any(line.removeprefix("return ") in text for line in lines), f"{name}: {text}"


def test_every_exercise_has_one_name_in_the_whole_course() -> None:
    names = [name for chapter in chapters() for name in exercises_of(chapter)]
    assert len(names) == len(set(names))
    for name in names:
        assert load(home_of()[name], name).__name__ == name


def test_chapters_and_exercises_are_found_by_every_reasonable_name() -> None:
    for name in ("4", "04", "sensitivity", "04_sensitivity"):
        assert chapter_named(name) == "04_sensitivity"
    with pytest.raises(UnknownNameError, match="Did you mean '04_sensitivity'"):
        chapter_named("04_sensitvity")
    with pytest.raises(UnknownNameError, match="Did you mean 'saliency'"):
        find("salency")


def _cells(text: str) -> list[Cell]:
    return parse(text, "99_test")


def test_a_cell_that_only_imports_from_solutions_is_an_exercise() -> None:
    cells = _cells(
        "# %%\nfrom solutions.linear import fit_ridge\n\n# %%\nfrom solutions.linear import a, b  # given\n\n# %%\nx = 1\n"
    )
    assert [cell.kind for cell in cells] == ["exercise", "given", "code"]
    assert cells[1].names == ("a", "b")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# %%\nfrom solutions.linear import a, b\n", "one exercise per cell"),
        ("# %%\nfrom solutions.linear import a\nx = a\n", "stands alone"),
        ("# %%\nimport solutions.linear\n", "stands alone"),
        ("# %%\ndef (\n", "no Python"),
        ('# %% [markdown] question="why"\n# Why?\n', "needs points and minutes"),
    ],
)
def test_a_chapter_that_breaks_a_rule_is_told_which(text: str, words: str) -> None:
    with pytest.raises(ChapterError, match=words):
        _cells(text)


def test_needs_follows_private_helpers_and_stops_at_public_functions() -> None:
    wanted = needs("solutions.sensitivity", "saliency")
    assert ("solutions.sensitivity", "input_gradient") in wanted.functions
    assert "input_gradient" not in wanted.helpers


def test_a_notebook_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    from solutions.classroom.release.hand_out import lay_out_notebooks

    (laid,) = lay_out_notebooks(tmp_path, ["04_sensitivity"])
    laid.write_text("my work of three nights")
    assert lay_out_notebooks(tmp_path, ["04_sensitivity"]) == []
    assert laid.read_text() == "my work of three nights"


def test_the_kit_works_alone_and_holds_no_solution(tmp_path: Path) -> None:
    import subprocess
    import sys

    from solutions.classroom.release.hand_out import make_kit

    packed = make_kit(tmp_path / "kit", ["10_attention"])
    with zipfile.ZipFile(packed) as inside:
        assert {name.partition("/")[0] for name in inside.namelist()} == {"kit"}
        inside.extractall(tmp_path / "unpacked")
    tmp_path = tmp_path / "unpacked" / "kit"
    assert not _solutions_in(tmp_path, "10_attention")
    assert "\\\\" not in (tmp_path / "README.md").read_text("utf-8"), "one backslash in a Windows path"
    assert (tmp_path / "notebooks" / "START.ipynb").exists()
    for path in tmp_path.rglob("*.py"):
        assert "import solutions" not in path.read_text()
        assert "from solutions" not in path.read_text(), path
    assert not (tmp_path / "course" / "chapters").exists()
    assert "solutions" not in (tmp_path / "pyproject.toml").read_text()
    code = (
        "import sys; sys.modules['solutions'] = None\n"
        "import course.check as c\n"
        "assert c.__file__.startswith(sys.path[0]), c.__file__\n"
        "def hard_attention(query, memory):\n    return memory\n"
        "try:\n    c.check(hard_attention)\nexcept c.CheckError as error:\n    print(error)\n"
    )
    script = tmp_path / "try.py"
    script.write_text(code)
    notebook = tmp_path / "notebooks" / "10_attention"
    done = subprocess.run(
        [sys.executable, str(script)], cwd=notebook, capture_output=True, text=True, check=False
    )
    assert "hard_attention" in done.stdout, done.stderr


def _solutions_in(place: Path, chapter: str) -> list[tuple[str, str]]:
    """Lines of the chapter's references, of those that neither a cell nor a hint gives to students, in any file."""
    hints = [hint for exercise in exercises_of(chapter).values() for hint in exercise.hints]
    shown = "\n".join([*(cell.source for cell in student_notebook(chapter).cells), *hints])
    lines = {
        line.strip()
        for name in exercises_of(chapter)
        for statement in definition(home_of()[name], name).body[1:]  # type: ignore[attr-defined]
        for line in ast.unparse(statement).splitlines()
    }
    telling = {line for line in lines if len(line) > 25 and line not in shown}
    assert telling
    files = {
        path: path.read_bytes().decode("utf-8", "replace") for path in place.rglob("*") if path.is_file()
    }
    return [(path.name, line) for path, text in files.items() for line in telling if line in text]


def test_our_own_open_notebook_is_the_one_that_nbgrader_releases(tmp_path: Path) -> None:
    from solutions.classroom.folder import new_class
    from solutions.classroom.release.publish import release

    folder = new_class(tmp_path / "class")
    release(folder, "04_sensitivity")
    released = Assignment(folder, "04_sensitivity").notebook
    assert [c.source for c in released.cells] == [c.source for c in student_notebook("04_sensitivity").cells]


def test_the_documentation_says_which_chapters_show_solutions_of_earlier_ones() -> None:
    """An instructor who releases everything at once gives these away."""
    home = {name: chapter for chapter in chapters() for name in exercises_of(chapter)}
    documented = (Path(__file__).parents[1] / "docs/grading.md").read_text("utf-8")
    for chapter in chapters():
        for cell in student_notebook(chapter).cells:
            if cell.cell_type != "code" or cell.metadata.get("nbgrader", {}).get("solution"):
                continue
            shown = {node.name for node in ast.parse(cell.source).body if isinstance(node, ast.FunctionDef)}
            for name in shown & set(home):
                assert home[name] < chapter, f"{chapter} shows {name} of {home[name]}"
                assert f"`{name}`" in documented, f"{chapter} shows {name} of {home[name]}"


def test_the_network_that_has_branches_is_explained_without_the_machinery_for_any_network() -> None:
    """Students get the dozen lines that chapter 6 shows, not the module that watches autograd's graph."""
    source = "\n".join(cell.source for cell in student_notebook("06_relevance_propagation").cells)
    assert "def relevance_through_branches" in source
    assert "class HandBack" in source
    assert "TorchFunctionMode" not in source
    assert "relevance_of_inputs" not in source
