"""Whatever was done to a notebook, it comes back on the release's rails or with a reason."""

import json
import os
import re
import tempfile
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from small_notebook import RELEASE, SET_UP, graded_cell, name_of, solved, sources
from test_washing import active, pages, png

from solutions.classroom.submission.reading import LARGEST_NOTEBOOK, read_submission
from solutions.classroom.submission.washing import Washed, washed


def _read(tmp_path: Path, notebook: NotebookNode | bytes | str) -> tuple[NotebookNode, str, list[str]]:
    path = tmp_path / "04.ipynb"
    if isinstance(notebook, NotebookNode):
        notebook = json.dumps(notebook)
    path.write_bytes(notebook if isinstance(notebook, bytes) else notebook.encode())
    read = read_submission(path, RELEASE)
    nbformat.validate(read.notebook)
    return read.notebook, read.unreadable, [note.text for note in read.notes]


def test_an_honest_notebook_comes_back_as_it_is(tmp_path: Path) -> None:
    notebook, unreadable, notes = _read(tmp_path, solved())
    assert (unreadable, notes) == ("", [])
    assert sources(notebook) == sources(solved())


def test_reading_twice_changes_nothing(tmp_path: Path) -> None:
    mixed = solved()
    mixed.cells.reverse()
    once, _, _ = _read(tmp_path, mixed)
    twice, _, notes = _read(tmp_path, once)
    assert sources(once) == sources(twice)
    assert notes == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \r\n", "is empty"),
        (b"\0" * 4096, "is empty"),
        (b"PK\x03\x04...", "ZIP archive"),
        (b"%PDF-1.7", "is a PDF"),
        (b"\n<!DOCTYPE html><html>", "web page"),
        (b'<<<<<<< HEAD\n{"cells": []}', "merge conflict"),
        (b'{"cells": [', "JSON is damaged"),
        (b"[" * 100_000, "JSON is damaged"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"[]", "no Jupyter notebook"),
        (b'{"nbformat": 4, "nbformat_minor": 5, "cells": 7}', "no Jupyter notebook"),
        (
            b'{"nbformat": 4, "nbformat_minor": 5, "cells": [{"cell_type": "code", "source": 7}]}',
            "no Jupyter notebook",
        ),
        (b'{"nbformat": 99, "cells": []}', "no Jupyter notebook"),
        (json.dumps(new_notebook(cells=[new_code_cell("1")])).encode(), "not this chapter's notebook"),
        (json.dumps(new_notebook(cells=[RELEASE.cells[1]])).encode(), "not this chapter's notebook"),
        (json.dumps(new_notebook(cells=[new_code_cell("1")] * 2_001)).encode(), "2001 cells"),
    ],
)
def test_what_is_no_notebook_of_this_chapter_gives_the_release_and_a_reason(
    tmp_path: Path, data: bytes, words: str
) -> None:
    notebook, unreadable, _ = _read(tmp_path, data)
    assert words in unreadable
    assert sources(notebook) == sources(RELEASE)


def test_links_devices_and_giants_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "real.ipynb").write_text(json.dumps(solved()))
    (tmp_path / "link.ipynb").symlink_to(tmp_path / "real.ipynb")
    assert "link" in read_submission(tmp_path / "link.ipynb", RELEASE).unreadable
    os.mkfifo(tmp_path / "pipe.ipynb")
    assert "no ordinary file" in read_submission(tmp_path / "pipe.ipynb", RELEASE).unreadable
    (tmp_path / "folder.ipynb").mkdir()
    assert read_submission(tmp_path / "folder.ipynb", RELEASE).unreadable
    with open(tmp_path / "giant.ipynb", "wb") as file:
        file.truncate(LARGEST_NOTEBOOK + 1)
    assert "is the most" in read_submission(tmp_path / "giant.ipynb", RELEASE).unreadable
    assert "Nothing was handed in" in read_submission(tmp_path / "none.ipynb", RELEASE).unreadable


def test_locked_cells_metadata_and_order_are_the_release_s(tmp_path: Path) -> None:
    theirs = solved()
    theirs.metadata["kernelspec"] = {"name": "bash", "display_name": "bash", "language": "bash"}
    theirs.cells[1].source = "import evil"
    theirs.cells[3].source = "print('passed')"
    theirs.cells[3].metadata.nbgrader["points"] = 1000
    theirs.cells[3], theirs.cells[2] = theirs.cells[2], theirs.cells[3]
    theirs.cells[5].cell_type = "code"
    notebook, _, notes = _read(tmp_path, theirs)
    by_name = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in notebook.cells}
    assert by_name["set-up"].source == SET_UP
    assert by_name["double"].source == "check(double)"
    assert by_name["double"].metadata.nbgrader.points == 2
    assert by_name["double-gap"].source == "def double(x):\n    return 2 * x"
    assert by_name["why"].cell_type == "markdown"
    assert notebook.metadata == RELEASE.metadata
    order = [name for name in by_name if name]
    assert order == ["set-up", "double-gap", "double", "why"]
    assert len(notes) >= 3


def test_duplicates_become_own_cells_and_missing_ones_come_back(tmp_path: Path) -> None:
    theirs = solved()
    second = deepcopy(theirs.cells[2])
    second.source = "def double(x):\n    return x + x"
    theirs.cells.insert(3, second)
    theirs.cells.insert(4, deepcopy(RELEASE.cells[1]))
    del theirs.cells[-1]
    notebook, _, notes = _read(tmp_path, theirs)
    assert sources(notebook).count(SET_UP) == 1
    assert second.source in sources(notebook)
    assert sources(notebook).index(second.source) < sources(notebook).index("check(double)")
    assert sources(notebook)[-1] == "Your answer"
    assert any("twice" in note for note in notes)
    assert any("missing" in note for note in notes)


KINDS = ("code", "markdown", "raw")
HOSTILE = "<img src=x onerror=attacked()> [x](javascript:attacked())"


@pytest.mark.parametrize("theirs", KINDS)
@pytest.mark.parametrize("released", KINDS)
@pytest.mark.parametrize("open_cell", [True, False])
def test_a_cell_is_washed_by_the_kind_that_it_gets(
    tmp_path: Path, theirs: str, released: str, open_cell: bool
) -> None:
    release = deepcopy(RELEASE)
    release.cells[-1].cell_type = released
    if released == "code":
        release.cells[-1] |= {"outputs": [], "execution_count": None}
    handed_in = deepcopy(release)
    name = "why" if open_cell else "of-my-own"
    cell = NotebookNode(cell_type=theirs, source=HOSTILE, metadata={"nbgrader": {"grade_id": name}}, id="x")
    handed_in.cells[-1:] = [cell] if open_cell else [handed_in.cells[-1]]
    handed_in.cells[:0] = [] if open_cell else [cell]
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(handed_in))
    read = read_submission(path, release)
    nbformat.validate(read.notebook)
    (cell,) = [cell for cell in read.notebook.cells if "onerror" in cell.source]
    if open_cell:
        assert cell.cell_type == released
    if cell.cell_type == "code":
        assert cell.source == HOSTILE
    else:
        assert cell.source == washed(HOSTILE).text != HOSTILE


def test_code_in_a_gap_that_became_text_runs_as_it_was_written(tmp_path: Path) -> None:
    theirs = solved()
    source = "def double(x):\n    return x <<1 if x<y else [f][0](x)"
    theirs.cells[2] = graded_cell("double-gap", source, code=False)
    assert source in sources(_read(tmp_path, theirs)[0])


def _saved_by_colab(notebook: NotebookNode) -> dict[str, object]:
    for cell in notebook.cells:
        cell.metadata.update(id="Ab3", colab={"base_uri": "https://localhost:8080/"})
        cell.pop("id", None)
        cell["source"] = cell.source.splitlines(keepends=True)
    return {**notebook, "nbformat_minor": 0, "metadata": {"colab": {"provenance": []}}}


def _with_other_line_ends(notebook: NotebookNode, end: str) -> NotebookNode:
    for cell in notebook.cells:
        cell.source = cell.source.replace("\n", end)
    return notebook


def _with_blanks(notebook: NotebookNode) -> NotebookNode:
    for cell in notebook.cells:
        cell.source = "\n" + cell.source.replace("\n", "  \n") + " \t\n\n"
    return notebook


def _locked_by_jupyter(notebook: NotebookNode) -> NotebookNode:
    for cell in notebook.cells:
        cell.metadata.update(editable=False, deletable=False, vscode={"languageId": "python"}, trusted=True)
        cell.metadata.setdefault("tags", []).append("hide-input")
    return notebook


@pytest.mark.parametrize(
    "save",
    [
        lambda notebook: json.dumps(_saved_by_colab(notebook)).encode(),
        lambda notebook: json.dumps(_with_other_line_ends(notebook, "\r\n")).encode(),
        lambda notebook: json.dumps(_with_other_line_ends(notebook, "\r")).encode(),
        lambda notebook: json.dumps(_with_blanks(notebook)).encode(),
        lambda notebook: json.dumps(_locked_by_jupyter(notebook)).encode(),
        lambda notebook: json.dumps(notebook, indent=4).replace("\n", "\r\n").encode("utf-8-sig"),
        lambda notebook: json.dumps(notebook, ensure_ascii=False).encode("utf-16"),
    ],
    ids=["colab", "crlf", "cr", "blanks", "vscode", "bom", "utf-16"],
)
def test_what_editors_change_by_themselves_is_no_change(
    tmp_path: Path, save: Callable[[NotebookNode], bytes]
) -> None:
    notebook, unreadable, notes = _read(tmp_path, save(solved()))
    assert (unreadable, notes) == ("", [])
    code = [cell.source for cell in notebook.cells if name_of(cell) in ("set-up", "double")]
    assert code == [SET_UP, "check(double)"]
    assert notebook.cells[-1].source == "Your answer", "to the letter: by that nbgrader knows a blank answer"
    assert notebook.cells[0] == RELEASE.cells[0] | {"id": notebook.cells[0]["id"]}


def test_cells_whose_marks_for_grading_were_lost_are_recognised(tmp_path: Path) -> None:
    theirs = solved()
    theirs.cells[-1].source = "Because."
    for cell in theirs.cells:
        cell.metadata.clear()
    kept_ids, _, notes = _read(tmp_path, theirs)
    assert [name_of(cell) for cell in kept_ids.cells if name_of(cell)] == [
        "set-up",
        "double-gap",
        "double",
        "why",
    ]
    assert "def double(x):\n    return 2 * x" in sources(kept_ids)
    assert kept_ids.cells[-1].source == "Because."
    assert len(notes) == 1
    for cell in theirs.cells:
        del cell["id"]
    no_ids, _, _ = _read(tmp_path, json.dumps({**theirs, "nbformat_minor": 0}))
    assert "def double(x):\n    return 2 * x" in sources(no_ids)
    assert not any("NotImplementedError" in source for source in sources(no_ids))


def test_notes_say_which_cell_they_are_about(tmp_path: Path) -> None:
    theirs = solved()
    theirs.cells[1].source = "import evil"
    theirs.cells.insert(3, deepcopy(theirs.cells[2]))
    theirs.cells[-1].cell_type = "code"
    theirs.cells[-1].source = "Because."
    del theirs.cells[-3]
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(theirs))
    notes = read_submission(path, RELEASE).notes
    assert [note.cell for note in notes] == ["double-gap", "set-up", "double", "why"]
    words = ("twice", "changed", "missing", "markdown cell again")
    assert all(word in note.text for word, note in zip(words, notes, strict=True))


def test_a_copy_that_was_left_as_released_does_not_undo_what_was_written(tmp_path: Path) -> None:
    theirs = solved()
    theirs.cells.insert(3, deepcopy(RELEASE.cells[2]))
    notebook, _, notes = _read(tmp_path, theirs)
    assert not any("NotImplementedError" in source for source in sources(notebook))
    assert [note for note in notes if "left out" not in note] == []
    assert len(notes) == 1


@pytest.mark.parametrize(
    "text", ["a\u0301\u0323", "`", "```", "# ", "\n", " ", "<", "![", "$a", "\\begin{a}", "(", "def f"]
)
def test_reading_takes_time_in_proportion(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.ipynb"
    for kind in (new_code_cell, new_markdown_cell):
        cells = [*RELEASE.cells, kind(text * (1_000_000 // len(text)))]
        path.write_text(json.dumps(new_notebook(cells=cells)))
        start = time.process_time()
        assert read_submission(path, RELEASE).unreadable == ""
        assert time.process_time() - start < 5


def test_a_million_attachments_are_not_looked_through(tmp_path: Path) -> None:
    many = {str(n): {"image/png": "x"} for n in range(300_000)}
    cells = [*RELEASE.cells[:-1], RELEASE.cells[-1] | {"attachments": many}]
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(new_notebook() | {"cells": cells}))
    start = time.process_time()
    read = read_submission(path, RELEASE)
    assert time.process_time() - start < 3
    assert [note.cell for note in read.notes] == ["why"]


def test_nbformat_3_is_read(tmp_path: Path) -> None:
    old = json.dumps(
        {
            "nbformat": 3,
            "nbformat_minor": 0,
            "metadata": {},
            "worksheets": [
                {
                    "metadata": {},
                    "cells": [
                        {
                            "cell_type": "code",
                            "language": "python",
                            "input": "def double(x):\n    return 2 * x",
                            "outputs": [],
                            "metadata": {"nbgrader": {"grade_id": "double-gap"}},
                        }
                    ],
                }
            ],
        }
    )
    notebook, unreadable, _ = _read(tmp_path, old)
    assert unreadable == ""
    assert "def double(x):\n    return 2 * x" in sources(notebook)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


SOURCES = st.sampled_from(
    [cell.source for cell in RELEASE.cells]
    + [HOSTILE, "", "x = 1", "# words", "```mermaid\n<b>\n```", "![x](attachment:a.png)", "[x]: javascript:a()", "a\r\nb\ud800"]
)  # fmt: skip
NAMES = st.sampled_from(["set-up", "double-gap", "double", "why", "of-my-own", ""])


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "cell_type": st.sampled_from([*KINDS, *KINDS, "heading"]) | JSON,
                "source": SOURCES | st.lists(SOURCES, max_size=2) | st.text(max_size=9),
            },
            optional={
                "id": st.sampled_from([cell["id"] for cell in RELEASE.cells]) | JSON,
                "metadata": st.fixed_dictionaries(
                    {},
                    optional={
                        "nbgrader": JSON | st.fixed_dictionaries({"grade_id": NAMES}),
                        "classroom": st.just({"notes": [HOSTILE]}),
                        "tags": JSON | st.just(["demo"]),
                    },
                )
                | JSON,
                "outputs": JSON,
                "attachments": JSON
                | st.fixed_dictionaries(
                    {"a.png": JSON | st.sampled_from([{"image/png": png()}, {"text/html": HOSTILE}])}
                ),
            },
        ),
        max_size=8,
    )
)
@settings(max_examples=300, deadline=None)
def test_no_notebook_whatever_breaks_the_reader_or_does_anything(cells: list[object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.ipynb"
        path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}))
        read = read_submission(path, RELEASE)
        nbformat.validate(read.notebook)
        assert [name_of(c) for c in read.notebook.cells if name_of(c)] == [
            "set-up",
            "double-gap",
            "double",
            "why",
        ]
        locked = [c.source for c in read.notebook.cells if c.metadata.get("nbgrader", {}).get("locked")]
        assert locked == [SET_UP, "check(double)"]
        assert read.notebook.metadata == RELEASE.metadata
        for cell in read.notebook.cells:
            assert cell.metadata in [known.metadata for known in RELEASE.cells] + [{}, {"tags": ["demo"]}]
            released = any(cell["id"] == known["id"] for known in RELEASE.cells)
            assert released or re.fullmatch(r"cell-\d+", cell["id"])
            if cell.cell_type != "code":
                for page in pages(Washed(cell.source, cell.get("attachments", {}))):
                    assert active(page) == []
        path.write_text(json.dumps(read.notebook))
        again = read_submission(path, RELEASE)
        assert again.notebook.cells == read.notebook.cells or read.unreadable
        assert not [note for note in again.notes if "left out" not in note.text], (
            "what was put right stays right"
        )
