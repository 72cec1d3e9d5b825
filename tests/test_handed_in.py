"""Work is found under whatever name and in whatever folder it was handed in, and it is said what was taken."""

import json
import os
from copy import deepcopy
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from small_notebook import RELEASE, solved

from solutions.classroom.submission.finding import MOST_FILES, read_handed_in

CHAPTER = "04_sensitivity"
RIGHT = f"{CHAPTER}.ipynb"


def _worked(words: str) -> str:
    notebook = solved()
    notebook.cells[2].source += f"  # {words}"
    return json.dumps(notebook)


def _put(folder: Path, files: dict[str, str | bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())


def _taken(folder: Path) -> tuple[str, str, list[str]]:
    """What was worked, why nothing could be read, and the notes on the whole notebook."""
    read = read_handed_in(folder, CHAPTER, RELEASE)
    gap = next(
        c for c in read.notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == "double-gap"
    )
    notes = [note.text for note in read.notes if not note.cell]
    return gap.source.partition("# ")[2], read.unreadable, notes


UNTOUCHED = json.dumps(RELEASE)
OTHER = json.dumps(new_notebook(cells=[new_code_cell("1"), new_markdown_cell("x")]))


@pytest.mark.parametrize(
    "name",
    [
        f"{CHAPTER} (1).ipynb",
        f"{CHAPTER}-Copy1.ipynb",
        f"{CHAPTER}.IPYNB",
        "04_Sensitivity.ipynb",
        f"{CHAPTER}.ipynb.txt",
        f"{CHAPTER}.ipynb.json",
        f"{CHAPTER}.json",
        CHAPTER,
        f"{CHAPTER}.txt",
        "Ada Lovelace, homework.ipynb",
        f"{CHAPTER}/{RIGHT}",
        f"ada/home/work/{RIGHT}",
        f"[abc]/{CHAPTER} *?.ipynb",
        "\udcff.ipynb",
        "a\nb.ipynb",
    ],
)
def test_one_notebook_of_this_chapter_is_taken_wherever_it_lies(tmp_path: Path, name: str) -> None:
    _put(
        tmp_path, {name: _worked("mine"), "timestamp.txt": "2027-01-01 12:00:00 UTC", "scratch.ipynb": OTHER}
    )
    worked, unreadable, notes = _taken(tmp_path)
    assert (worked, unreadable) == ("mine", "")
    (note,) = notes
    assert f"there was no {RIGHT}" in note
    note.encode()
    assert note.isprintable()


def test_the_chapter_s_own_name_needs_no_note(tmp_path: Path) -> None:
    _put(
        tmp_path,
        {
            RIGHT: _worked("mine"),
            f".ipynb_checkpoints/{RIGHT}": _worked("older"),
            f"__MACOSX/{RIGHT}": _worked("not work"),
            f"._{RIGHT}": b"\0\5\x16\7",
            "plot.png": b"\x89PNG",
        },
    )
    assert _taken(tmp_path) == ("mine", "", [])


@pytest.mark.parametrize(
    ("files", "worked", "words"),
    [
        (
            {RIGHT: _worked("right"), f"{CHAPTER} (1).ipynb": _worked("other")},
            "right",
            "There were 2 notebooks",
        ),
        ({RIGHT: UNTOUCHED, f"{CHAPTER}-Copy1.ipynb": _worked("copy")}, "copy", "nothing had been done"),
        ({RIGHT: "", f"{CHAPTER} (1).ipynb": _worked("other")}, "other", "is empty"),
        ({RIGHT: UNTOUCHED[:500], f"old/{RIGHT}": _worked("other")}, "other", "JSON is damaged"),
        ({RIGHT: OTHER, "mine.ipynb": _worked("other")}, "other", "not this chapter's notebook"),
        (
            {f"{CHAPTER} (2).ipynb": _worked("two"), f"{CHAPTER} (10).ipynb": _worked("ten")},
            "ten",
            "Of 2 notebooks",
        ),
        (
            {"a.ipynb": UNTOUCHED, f"b/{CHAPTER}.ipynb": UNTOUCHED, "c.ipynb": _worked("c")},
            "c",
            "Of 3 notebooks",
        ),
        ({"a.ipynb": _worked("a"), f"{CHAPTER}-a.ipynb": _worked("named")}, "named", "Of 2 notebooks"),
        ({f"x/{RIGHT}": _worked("deep"), "x.ipynb": "{", "y.ipynb": OTHER}, "deep", "was taken"),
    ],
)
def test_of_several_it_is_said_which_was_taken_and_why(
    tmp_path: Path, files: dict[str, str | bytes], worked: str, words: str
) -> None:
    _put(tmp_path, files)
    found = _taken(tmp_path)
    assert found[:2] == (worked, "")
    assert words in found[2][0]
    for path in sorted(tmp_path.rglob("*"), reverse=True):
        os.utime(path, (1, 1))
    assert _taken(tmp_path) == found, "clocks decide nothing"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, f"Nothing was handed in: there is no {RIGHT}."),
        ({"timestamp.txt": "2027-01-01"}, "Nothing was handed in"),
        ({"answers.pdf": "%PDF", "notes.txt": "x"}, f"No notebook was handed in, only answers.pdf, notes.txt. Hand in {RIGHT}."),
        ({"homework.zip": b"PK\3\4"}, "only homework.zip"),
        ({"mine.ipynb": OTHER}, "mine.ipynb is not this chapter's notebook"),
        ({RIGHT: "", "mine.ipynb": OTHER}, f"{RIGHT} is empty"),
        ({"\udcff\n.ipynb": OTHER}, "??.ipynb is not this chapter's notebook"),
        ({f"{'x' * 200}.ipynb": OTHER}, "…"),
    ],
)  # fmt: skip
def test_where_there_is_no_notebook_it_is_said_what_there_is(
    tmp_path: Path, files: dict[str, str | bytes], words: str
) -> None:
    _put(tmp_path, files)
    unreadable = _taken(tmp_path)[1]
    assert words in unreadable
    assert unreadable.isprintable()
    assert len(unreadable) < 300
    nothing = not files.keys() - {"timestamp.txt"}
    assert read_handed_in(tmp_path, CHAPTER, RELEASE).absent == nothing, "only where there is nothing at all"


def test_links_pipes_and_giants_are_neither_followed_nor_waited_for(tmp_path: Path) -> None:
    _put(tmp_path / "friend", {RIGHT: _worked("a friend's")})
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "folder").symlink_to(tmp_path / "friend")
    (mine / "link.ipynb").symlink_to(tmp_path / "friend" / RIGHT)
    os.mkfifo(mine / "pipe.ipynb")
    (mine / "folder.ipynb").mkdir()
    assert _taken(mine)[0] == ""
    (mine / RIGHT).symlink_to(tmp_path / "friend" / RIGHT)
    assert "is a link" in _taken(mine)[1]
    (tmp_path / "linked").symlink_to(tmp_path / "friend")
    assert "is a link" in _taken(tmp_path / "linked")[1]
    assert _taken(tmp_path / "linked")[0] == ""
    loop = tmp_path / "deep" / "/".join("d" * 40)
    _put(loop, {RIGHT: _worked("deep")})
    assert _taken(tmp_path / "deep")[0] == ""
    _put(tmp_path / "many", {f"{n}.txt": "{" for n in range(MOST_FILES + 10)})
    assert "No notebook" in _taken(tmp_path / "many")[1]


def test_a_disk_that_fails_costs_one_student_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put(tmp_path, {RIGHT: _worked("mine")})

    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    file = MagicMock()
    file.__enter__.return_value.read = broken
    file.__exit__.return_value = False
    monkeypatch.setattr("os.fdopen", lambda handle, mode: file)
    monkeypatch.setattr("os.scandir", broken)
    assert _taken(tmp_path)[1] == f"{RIGHT} could not be read (Input/output error). Hand it in again."
    assert "could not be opened (File name too long)" in _taken(tmp_path / ("x" * 300))[1]


def test_a_notebook_that_holds_only_what_all_chapters_hold_is_not_this_chapter_s(tmp_path: Path) -> None:
    other: NotebookNode = deepcopy(RELEASE)
    other.cells = other.cells[:2]
    _put(tmp_path, {"05_deconvnet.ipynb": json.dumps(other)})
    assert "not this chapter's" in _taken(tmp_path)[1]
