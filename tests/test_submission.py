"""Whatever was done to a notebook, it comes back on the release's rails or with a reason."""

import json
import os
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from solutions.classroom.submission import LARGEST_NOTEBOOK, read_submission


def _graded(name: str, source: str, **facts: object) -> NotebookNode:
    cell = new_code_cell(source) if facts.pop("code", True) else new_markdown_cell(source)
    cell.metadata["nbgrader"] = {
        "grade_id": name,
        "grade": False,
        "solution": False,
        "locked": True,
        "task": False,
        "schema_version": 3,
        **facts,
    }
    return cell


RELEASE = new_notebook(
    cells=[
        new_markdown_cell("# Title"),
        _graded("set-up", "import torch"),
        _graded("double-gap", "def double(x):\n    raise NotImplementedError()", solution=True, locked=False),
        _graded("double", "check(double)", grade=True, points=2),
        new_code_cell("print(double(2))"),
        _graded("why", "Your answer", code=False, grade=True, solution=True, locked=False, points=1),
    ],
    metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
)


def _read(tmp_path: Path, notebook: NotebookNode | bytes | str) -> tuple[NotebookNode, str, list[str]]:
    path = tmp_path / "04.ipynb"
    if isinstance(notebook, NotebookNode):
        notebook = json.dumps(notebook)
    path.write_bytes(notebook if isinstance(notebook, bytes) else notebook.encode())
    read = read_submission(path, RELEASE)
    nbformat.validate(read.notebook)
    return read.notebook, read.unreadable, read.notes


def _sources(notebook: NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells]


def _solved() -> NotebookNode:
    notebook = deepcopy(RELEASE)
    notebook.cells[2].source = "def double(x):\n    return 2 * x"
    return notebook


def test_an_honest_notebook_comes_back_as_it_is(tmp_path: Path) -> None:
    notebook, unreadable, notes = _read(tmp_path, _solved())
    assert (unreadable, notes) == ("", [])
    assert _sources(notebook) == _sources(_solved())


def test_reading_twice_changes_nothing(tmp_path: Path) -> None:
    mixed = _solved()
    mixed.cells.reverse()
    once, _, _ = _read(tmp_path, mixed)
    twice, _, notes = _read(tmp_path, once)
    assert _sources(once) == _sources(twice)
    assert notes == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "JSON is damaged"),
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
        (json.dumps(new_notebook(cells=[new_code_cell("1")] * 2_001)).encode(), "2001 cells"),
    ],
)
def test_what_is_no_notebook_of_this_chapter_gives_the_release_and_a_reason(
    tmp_path: Path, data: bytes, words: str
) -> None:
    notebook, unreadable, _ = _read(tmp_path, data)
    assert words in unreadable
    assert _sources(notebook) == _sources(RELEASE)


def test_links_devices_and_giants_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "real.ipynb").write_text(json.dumps(_solved()))
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
    theirs = _solved()
    theirs.metadata["kernelspec"] = {"name": "bash", "display_name": "bash", "language": "bash"}
    theirs.cells[1].source = "import evil"
    theirs.cells[3].source = "print('passed')"
    theirs.cells[3].metadata.nbgrader["points"] = 1000
    theirs.cells[3], theirs.cells[2] = theirs.cells[2], theirs.cells[3]
    theirs.cells[5].cell_type = "code"
    notebook, _, notes = _read(tmp_path, theirs)
    by_name = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in notebook.cells}
    assert by_name["set-up"].source == "import torch"
    assert by_name["double"].source == "check(double)"
    assert by_name["double"].metadata.nbgrader.points == 2
    assert by_name["double-gap"].source == "def double(x):\n    return 2 * x"
    assert by_name["why"].cell_type == "markdown"
    assert notebook.metadata == RELEASE.metadata
    order = [name for name in by_name if name]
    assert order == ["set-up", "double-gap", "double", "why"]
    assert len(notes) >= 3


def test_duplicates_become_own_cells_and_missing_ones_come_back(tmp_path: Path) -> None:
    theirs = _solved()
    second = deepcopy(theirs.cells[2])
    second.source = "def double(x):\n    return x + x"
    theirs.cells.insert(3, second)
    theirs.cells.insert(4, deepcopy(RELEASE.cells[1]))
    del theirs.cells[-1]
    notebook, _, notes = _read(tmp_path, theirs)
    assert _sources(notebook).count("import torch") == 1
    assert second.source in _sources(notebook)
    assert _sources(notebook).index(second.source) < _sources(notebook).index("check(double)")
    assert _sources(notebook)[-1] == "Your answer"
    assert any("twice" in note for note in notes)
    assert any("missing" in note for note in notes)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("<script>alert(1)</script>", "&lt;script>alert(1)&lt;/script>"),
        ("[x](javascript:alert(1))", "[x] (javascript:alert(1))"),
        ("[x](<javascript:alert(1)>)", "[x] (&lt;javascript:alert(1)>)"),
        ("[x]: javascript:alert(1)", "[x] : javascript:alert(1)"),
        ("[x](https://example.org) and [y](#here)", "[x](https://example.org) and [y](#here)"),
        ("if $a < b$ and 1 <2", "if $a < b$ and 1 <2"),
    ],
)
def test_markdown_can_run_nothing_where_it_is_read(tmp_path: Path, written: str, kept: str) -> None:
    theirs = _solved()
    theirs.cells[-1].source = written
    notebook, _, _ = _read(tmp_path, theirs)
    assert notebook.cells[-1].source == kept
    assert _read(tmp_path, notebook)[0].cells[-1].source == kept


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
    assert "def double(x):\n    return 2 * x" in _sources(notebook)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "cell_type": st.sampled_from(["code", "markdown", "raw"]) | JSON,
                "source": st.text(max_size=9) | JSON,
            },
            optional={
                "metadata": st.fixed_dictionaries(
                    {},
                    optional={
                        "nbgrader": JSON
                        | st.fixed_dictionaries({"grade_id": st.sampled_from(["double", "why"])})
                    },
                )
                | JSON,
                "outputs": JSON,
            },
        ),
        max_size=5,
    )
)
@settings(max_examples=150, deadline=None)
def test_no_json_whatever_breaks_the_reader(cells: list[object]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.ipynb"
        path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}))
        read = read_submission(path, RELEASE)
        nbformat.validate(read.notebook)
        locked = [c.source for c in read.notebook.cells if c.metadata.get("nbgrader", {}).get("locked")]
        assert locked == ["import torch", "check(double)"]
