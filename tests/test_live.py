"""The lecturer's notebook: the reference typed statement by statement, mistakes for the hall, and nothing lost."""

import ast
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from course.exercises import chapters, exercises_of
from solutions.classroom.lecture import live, live_magics
from solutions.classroom.lecture.live_typing import (
    LiveError,
    gap,
    mistaken,
    mistakes,
    revealed,
    without_magics,
)
from solutions.classroom.lecture.notes import FOLDER, notes_of
from solutions.classroom.release.chapter_text import chapter_path, read_chapter
from solutions.classroom.release.reference_source import definition, home_of, source_of
from solutions.misconceptions import misconceptions_of

CHAPTER, NAME = "10_attention", "soft_attention"
EVERY = [(chapter, name) for chapter in chapters() for name in exercises_of(chapter)]


@pytest.mark.parametrize(("chapter", "name"), EVERY, ids=[name for _, name in EVERY])
def test_every_reference_is_typed_to_its_end_and_each_step_is_python(chapter: str, name: str) -> None:
    cell, steps = gap(name), 0
    while True:
        typed = revealed(cell, chapter)
        ast.parse(typed.source)
        assert len(typed.source) > len(cell) or typed.done
        cell, steps = typed.source, steps + 1
        if typed.done:
            break
        assert "NotImplementedError" in cell
    whole = definition(home_of()[name], name)
    assert isinstance(whole, ast.FunctionDef)
    (function,) = ast.parse(cell).body
    assert isinstance(function, ast.FunctionDef)
    assert [ast.dump(s) for s in function.body[1:]] == [ast.dump(s) for s in whole.body[1:]]
    assert steps >= len(whole.body) - 1
    assert revealed(gap(name), chapter, None).source == cell


def test_several_statements_at_a_time_are_the_same_as_one_by_one() -> None:
    one_by_one = revealed(revealed(gap(NAME), CHAPTER).source, CHAPTER).source
    assert revealed(gap(NAME), CHAPTER, 2).source == one_by_one


def test_comments_and_magics_in_the_cell_are_no_obstacle() -> None:
    cell = (
        revealed(gap(NAME), CHAPTER, 2).source.replace("    scores", "    # the scores\n    scores")
        + "\n\n%reveal"
    )
    assert revealed(cell, CHAPTER, None).done


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda cell: cell.replace("raise NotImplementedError()", "return 3"),
            "You have typed in soft_attention yourself",
        ),
        (lambda cell: cell.replace("raise NotImplementedError()", "return ("), "is no Python"),
        (lambda cell: "x = 3", "holds no exercise"),
    ],
)
def test_a_cell_that_somebody_typed_in_stays_as_it_is(change: Any, words: str) -> None:
    with pytest.raises(LiveError, match=words):
        revealed(change(gap(NAME)), CHAPTER)


def test_mistakes_stand_by_themselves_under_the_exercise_s_name_and_say_nothing_of_what_is_wrong() -> None:
    offered = 0
    for chapter, name in EVERY:
        wrong = {function.__name__: function for function in misconceptions_of(chapter).get(name, [])}
        for mistake, text in mistakes(chapter, name).items():
            tree = ast.parse(text)
            functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
            assert functions[-1].name == name
            assert ast.get_docstring(functions[-1]) is None
            assert mistake not in text
            assert "solutions" not in text
            assert (wrong[mistake].__doc__ or "?") not in text
            offered += 1
    assert offered > 200


def test_a_mistake_that_is_named_is_typed_and_check_gives_it_its_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hall = _Hall(tmp_path, monkeypatch)
    hall.run(gap(NAME) + "\n\n%mistake divides_by_the_sharpness")
    assert "scores(query, memory) / sharpness" in hall.cell
    hall.check()
    assert "You divided the scores by β" in capsys.readouterr().out


def test_an_unknown_mistake_is_named_with_those_that_there_are() -> None:
    with pytest.raises(
        LiveError, match=r"no mistake called nonsense\. There are: .*divides_by_the_sharpness"
    ):
        mistaken(gap(NAME), CHAPTER, lambda names: "nonsense")


class _Hall:
    """A lecturer at the cell of one gap: what IPython would do, without IPython."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        notebook, _ = live.lay_out(CHAPTER, place)
        monkeypatch.chdir(notebook.parent)
        self.cell = ""
        self.magics: dict[str, Any] = {}
        self.names: dict[str, Any] = {"__name__": "__main__"}
        exec("import torch\nfrom jaxtyping import Float, Int\nfrom torch import Tensor", self.names)
        self.history = SimpleNamespace(input_hist_raw=[""])
        live_magics.load_ipython_extension(
            SimpleNamespace(
                register_magic_function=lambda magic, kind, name: self.magics.update({name: magic}),
                set_next_input=self._replace,
                history_manager=self.history,
                user_ns=self.names,
            )
        )

    def _replace(self, text: str, replace: bool) -> None:
        assert replace
        self.cell = text

    def run(self, cell: str) -> None:
        """Run a cell whose last line is a magic."""
        self.cell = cell
        self.history.input_hist_raw.append(cell)
        exec(without_magics(cell), self.names)
        name, _, words = cell.rstrip().rpartition("\n")[2].removeprefix("%").partition(" ")
        self.magics[name](words)

    def check(self) -> None:
        self.run(self.cell)


def test_pressing_the_same_key_types_the_whole_function_and_checks_it_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hall = _Hall(tmp_path, monkeypatch)
    hall.run(gap(NAME) + "\n\n\n%reveal")
    presses = 1
    while not hall.cell.endswith("%check"):
        hall.run(hall.cell)
        presses += 1
    assert presses == 5
    hall.run(hall.cell)
    assert "✔ soft_attention: Right." in capsys.readouterr().out
    hall.run(hall.cell.replace("%check", "%reset"))
    assert hall.cell == gap(NAME) + "\n\n\n%reveal"


@pytest.mark.parametrize("words", ["-1", "3.5", "some"])
def test_reveal_takes_a_number_or_all(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hall = _Hall(tmp_path, monkeypatch)
    cell = gap(NAME) + f"\n\n%reveal {words}"
    hall.run(cell)
    assert hall.cell == cell
    assert "takes a number or `all`" in capsys.readouterr().out


def test_the_notebook_folds_what_is_given_and_begins_slides_with_headings() -> None:
    notebook = live.live_notebook("06_relevance_propagation")
    kinds = {cell.id: cell.metadata.get("slideshow", {}).get("slide_type") for cell in notebook.cells}
    assert notebook.cells[0].metadata["slideshow"]["slide_type"] == "slide"
    assert kinds["live"] == "skip"
    folded = [cell for cell in notebook.cells if cell.metadata.get("jupyter", {}).get("source_hidden")]
    assert folded
    gaps = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.endswith("%reveal")]
    assert len(gaps) == len(exercises_of("06_relevance_propagation"))
    assert all("NotImplementedError" in cell.source for cell in gaps)
    assert not any("SOLUTION" in cell.source for cell in notebook.cells)


def test_the_notebook_of_last_time_is_kept_where_somebody_has_changed_it(tmp_path: Path) -> None:
    notebook, old = live.lay_out(CHAPTER, tmp_path)
    assert old is None
    assert live.lay_out(CHAPTER, tmp_path) == (notebook, None)
    notebook.write_text(notebook.read_text().replace("%reveal", "%check"))
    _, old = live.lay_out(CHAPTER, tmp_path)
    assert old is not None
    assert "%check" in old.read_text()
    assert "%reveal" in notebook.read_text()


def test_the_type_can_be_read_from_the_last_row_and_nobody_s_own_settings_are_touched(tmp_path: Path) -> None:
    settings = Path(live.environment(tmp_path)["JUPYTERLAB_SETTINGS_DIR"])
    assert settings.is_relative_to(tmp_path)
    themes = json.loads((settings / "@jupyterlab/apputils-extension/themes.jupyterlab-settings").read_text())
    assert int(themes["overrides"]["code-font-size"].removesuffix("px")) >= 20


def test_a_reference_s_source_is_what_is_typed() -> None:
    assert source_of(home_of()[NAME], NAME).endswith(
        revealed(gap(NAME), CHAPTER, None).source.splitlines()[-1]
    )


SECTIONS = [
    "Aims",
    "Needed before",
    "Ninety minutes",
    "Three questions students ask",
    "Exam",
    "Notes to the sections",
]


@pytest.mark.parametrize("chapter", chapters())
def test_a_chapter_s_teaching_notes_fit_the_chapter(chapter: str) -> None:
    text = (FOLDER / f"{chapter[:2]}.md").read_text("utf-8")
    assert re.findall("^## (.+)$", text, re.MULTILINE) == SECTIONS
    plan = re.findall(r"^\| (\d+) \|[^|]+\|([^|]*)\|$", text, re.MULTILINE)
    assert sum(int(minutes) for minutes, _ in plan) == 90
    typed = [name for _, cells in plan for name in re.findall(r"`(\w+)`", cells)]
    assert typed
    assert set(typed) <= set(exercises_of(chapter))
    assert typed == [name for name in _order(chapter) if name in typed], "in the chapter's order"
    questions, exam = (text.partition(f"## {name}\n")[2].partition("\n## ")[0] for name in SECTIONS[3:5])
    assert len(re.findall(r"^\*\*", questions, re.MULTILINE)) == 3
    assert len(re.findall(r"^\*\*", exam, re.MULTILINE)) == 2
    headings = re.findall("^# ##? (.+)$", chapter_path(chapter).read_text("utf-8"), re.MULTILINE)
    assert notes_of(chapter)
    assert set(notes_of(chapter)) <= set(headings)


def _order(chapter: str) -> list[str]:
    return [name for cell in read_chapter(chapter) if cell.kind == "exercise" for name in cell.names]


def test_the_notes_stand_folded_under_their_sections() -> None:
    cells = live.live_notebook(CHAPTER).cells
    folded = {
        cell.source: number
        for number, cell in enumerate(cells)
        if cell.metadata.get("slideshow", {}).get("slide_type") == "notes"
    }
    assert len(folded) == len(notes_of(CHAPTER))
    for heading, text in notes_of(CHAPTER).items():
        (where,) = [number for source, number in folded.items() if text in source]
        assert cells[where - 1].source.startswith(f"## {heading}")
        assert cells[where].metadata["jupyter"]["source_hidden"]


def test_the_syllabus_gives_each_chapter_the_hours_of_its_exercises() -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    stated = dict(re.findall(r"^\| (\d+) \| [^|]+ \| [^|]+ \| ([\d¼½¾]+) \|$", text, re.MULTILINE))
    parts = {"¼": 0.25, "½": 0.5, "¾": 0.75}
    assert len(stated) == len(chapters())
    for chapter in chapters():
        hours = sum(parts.get(sign) or int(sign) for sign in stated[str(int(chapter[:2]))])
        assert abs(hours - sum(e.minutes for e in exercises_of(chapter).values()) / 60) <= 0.2, chapter
