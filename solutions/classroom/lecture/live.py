"""The lecturer's notebook of a chapter, in a JupyterLab whose type can be read from the last row.

Gaps are empty and are filled in the hall (`live_magics`), given code is folded, headings begin slides.
"""

import json
import os
import time
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from course.judging import archive
from course.judging.sheets import sheet_name
from solutions.classroom.feedback.formgrader import run_lab
from solutions.classroom.lecture.live_typing import asked_in, gap
from solutions.classroom.lecture.notes import notes_of
from solutions.classroom.release.answers import PUBLIC_SEEDS, answer_sheet, sheet_tree
from solutions.classroom.release.publish import import_path
from solutions.classroom.release.source_notebook import SET_UP, notebook_bytes, student_notebook

TYPE_SIZE = 21
"""Pixels of code and text."""

_SETTINGS = {
    "@jupyterlab/apputils-extension/themes.jupyterlab-settings": {
        "overrides": {
            "code-font-size": f"{TYPE_SIZE}px",
            "content-font-size1": f"{TYPE_SIZE}px",
            "ui-font-size1": "15px",
        }
    },
    "@jupyterlab/notebook-extension/tracker.jupyterlab-settings": {
        "codeCellConfig": {"lineWrap": True},
        "recordTiming": False,
        "windowingMode": "none",
    },
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
}
"""JupyterLab's own settings for this one session: setting's file → what it holds."""

_LAYOUT = {
    "data": {
        "layout-restorer:data": {
            "left": {"collapsed": True, "visible": True, "widgets": []},
            "right": {"collapsed": True, "visible": True, "widgets": []},
            "main": {},
        }
    },
    "metadata": {"id": "live"},
}
"""A workspace of JupyterLab's without its side bars."""

_WELCOME = """\
# %reveal types the next statement into the cell (%reveal 3, %reveal all); %mistake types a bug for the hall to find;
# %check says what students would be told; %reset opens the gap again.
%load_ext solutions.classroom.lecture.live_magics"""


def live_notebook(chapter: str) -> NotebookNode:
    """The students' notebook, made ready for a lecture."""
    notebook = student_notebook(chapter)
    for cell in notebook.cells:
        facts = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "markdown" and cell.source.startswith("#"):
            level = len(cell.source) - len(cell.source.lstrip("#"))
            cell.metadata["slideshow"] = {"slide_type": "slide" if level < 3 else "subslide"}
        if cell.cell_type == "code" and facts.get("solution"):
            cell.source = f"{gap(asked_in(cell.source, chapter))}\n\n\n%reveal"
        elif cell.cell_type == "code" and facts.get("locked") and not facts.get("grade"):
            cell.metadata["jupyter"] = {"source_hidden": True}
            if facts["grade_id"] == SET_UP:
                cell.metadata["slideshow"] = {"slide_type": "skip"}
    for heading, text in notes_of(chapter).items():
        place = next(n for n, cell in enumerate(notebook.cells) if cell.source.startswith(f"## {heading}\n"))
        note = new_markdown_cell(text, id=f"note-{place}")
        note.metadata = nbformat.from_dict(
            {"jupyter": {"source_hidden": True}, "slideshow": {"slide_type": "notes"}}
        )
        notebook.cells.insert(place + 1, note)
    welcome = new_code_cell(_WELCOME, id="live")
    welcome.metadata["slideshow"] = {"slide_type": "skip"}
    first = next(n for n, cell in enumerate(notebook.cells) if cell.cell_type == "code")
    notebook.cells.insert(first, welcome)
    return notebook


def lay_out(chapter: str, place: Path) -> tuple[Path, Path | None]:
    """Write a fresh lecturer's notebook and its answer sheet into a folder of the chapter's.

    Returns its path, and where the one of last time went, if somebody has changed it since.
    """
    folder = place / chapter
    notebook = folder / f"{chapter}.ipynb"
    fresh = notebook_bytes(live_notebook(chapter))
    old = None
    if notebook.exists() and notebook.read_bytes() != fresh:
        old = folder / f"{chapter} until {time.strftime('%Y-%m-%d %H.%M.%S')}.ipynb"
        notebook.rename(old)
    archive.write(folder / sheet_name(chapter), sheet_tree(answer_sheet(chapter, PUBLIC_SEEDS)))
    archive.write_bytes(notebook, fresh)
    return notebook, old


def environment(place: Path) -> dict[str, str]:
    """For a JupyterLab with large type, whose settings touch nobody's own."""
    settings = place / ".jupyterlab"
    for name, values in _SETTINGS.items():
        archive.write_bytes(settings / name, json.dumps(values, indent=1).encode())
    archive.write_bytes(settings / "workspaces" / "live.jupyterlab-workspace", json.dumps(_LAYOUT).encode())
    own = {
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(settings / "workspaces"),
    }
    return os.environ | own | {"PYTHONPATH": import_path()}


def live(chapter: str, place: Path, port: int, browser: bool) -> int:
    """Open JupyterLab on a fresh lecturer's notebook; returns its exit code when it is closed."""
    print(f"Laying out {chapter} …", flush=True)
    notebook, old = lay_out(chapter, place)
    if old:
        print(f"The notebook of last time is kept as {old}.")
    print(f"JupyterLab opens {notebook} …", flush=True)
    page = f"/doc/workspaces/live/tree/{notebook.name}"
    return run_lab(notebook.parent, page, port, browser, environment(place))
