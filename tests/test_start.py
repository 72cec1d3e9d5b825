"""The start page: it says what is missing, shows the chapters and how far somebody is, and forgets nothing."""

from importlib import import_module
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from traitlets.config import Config

from course import start
from course.exercises import exercises_of
from course.judging.verdict import Verdict
from course.notebook import ticks
from solutions.classroom.release.hand_out import START, lay_out_notebooks, start_notebook

CHAPTER = "10_attention"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("notebooks")
    lay_out_notebooks(place, [CHAPTER], quiet=True)
    return place


def test_a_fresh_place_has_the_start_page_and_nothing_is_done_yet(place: Path) -> None:
    assert (place / START).exists()
    (one,) = start.standings(place)
    assert (one.chapter, one.done, one.right, one.exercises) == (CHAPTER, 0, 0, 6)
    assert one.of == sum(e.points for e in exercises_of(CHAPTER).values()) + 3, (
        "in the mark's points, the question in words included"
    )


def test_what_was_right_counts_after_a_restart_too(place: Path, tmp_path: Path) -> None:
    lay_out_notebooks(tmp_path, [CHAPTER], quiet=True)
    points = exercises_of(CHAPTER)["soft_attention"].points
    right = Verdict("soft_attention", "right", points, points, "Right.")
    wrong = Verdict("hard_attention", "different", 0, 2, "It differs.")
    ticks.keep(tmp_path / CHAPTER, CHAPTER, {"soft_attention": right, "hard_attention": wrong})
    (one,) = start.standings(tmp_path)
    assert (one.done, one.right) == (points, 1)


def test_the_page_runs_and_links_to_the_chapters(place: Path) -> None:
    notebook = nbformat.read(place / START, as_version=4)
    config = Config({"KernelManager": {"transport": "ipc", "ip": f"{place}/kernel"}})
    NotebookClient(
        notebook,
        timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(place)}},
        config=config,
    ).execute()
    said = [
        out.get("text") or out.data["text/html"] for cell in notebook.cells for out in cell.get("outputs", [])
    ]
    assert said[0].startswith("✔ Everything is here: Python 3.")
    assert f'href="{CHAPTER}/{CHAPTER}.ipynb"' in said[1]
    assert "0 of 6" in said[1]
    assert len(said) == 2


def test_an_existing_start_page_stays(tmp_path: Path) -> None:
    (tmp_path / START).write_text("mine")
    lay_out_notebooks(tmp_path, [CHAPTER], quiet=True)
    assert (tmp_path / START).read_text() == "mine"


def test_a_start_page_in_the_wrong_folder_says_where_it_belongs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start.overview(tmp_path)
    assert "keep START.ipynb in the folder that holds the chapters' folders" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ImportError("No module named 'skimage'"), "scikit-image is missing or broken"),
        (OSError("wrong ELF class"), "scikit-image does not start (OSError: wrong ELF class)"),
    ],
)
def test_what_is_missing_is_said_with_the_remedy(
    error: Exception, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def without(name: str) -> Any:
        if name == "skimage":
            raise error
        return import_module(name)

    monkeypatch.setattr(start.importlib, "import_module", without)
    start.self_test()
    said = capsys.readouterr().out
    assert words in said
    assert "pip install" in said
    assert "✔" not in said


def test_damaged_data_and_an_old_python_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged() -> None:
        raise ValueError("not a zip file")

    monkeypatch.setitem(start._FILES, "The digits", damaged)
    monkeypatch.setattr(start.sys, "version_info", (3, 10, 2))
    said = start.troubles()
    assert any("is too old: the course needs 3.11 or newer" in one for one in said)
    assert any("The digits cannot be read (ValueError)" in one for one in said)


def test_the_start_page_is_the_same_every_time_and_holds_no_output() -> None:
    assert start_notebook() == start_notebook()
    assert not any(cell.get("outputs") for cell in start_notebook().cells)
