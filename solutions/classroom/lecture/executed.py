"""A chapter as it looks when everything is done and has run: for slides, and for pages that the world sees."""

import os
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from tqdm import tqdm
from traitlets.config import Config

from course.judging import archive
from course.judging.sheets import sheet_name
from solutions.classroom.folder import ClassFolderError
from solutions.classroom.release.answers import PUBLIC_SEEDS, answer_sheet, sheet_tree
from solutions.classroom.release.publish import import_path
from solutions.classroom.release.source_notebook import source_notebook, without_marks

LONGEST_CELL = 600
"""Seconds that one cell may run."""


def executed(chapter: str, quiet: bool = False) -> NotebookNode:
    """The chapter with the reference in its gaps, run from top to bottom; controls are drawn as their first picture.

    quiet: without a progress bar. Raises ClassFolderError where a cell fails.
    """
    notebook = nbformat.from_dict(source_notebook(chapter))
    for cell in notebook.cells:
        cell.source = without_marks(cell.source)
    progress = tqdm(total=len(notebook.cells), unit="cell", desc=chapter, disable=quiet, leave=False)
    with progress, tempfile.TemporaryDirectory(prefix="classroom-") as place:
        archive.write(Path(place) / sheet_name(chapter), sheet_tree(answer_sheet(chapter, PUBLIC_SEEDS)))
        client = NotebookClient(
            notebook,
            timeout=LONGEST_CELL,
            kernel_name="python3",
            config=Config(  # a socket that nobody else on this machine can reach
                {"KernelManager": {"transport": "ipc", "ip": f"{place}/kernel"}}
            ),
            resources={"metadata": {"path": place}},
            on_cell_start=lambda cell, cell_index: progress.update(cell_index + 1 - progress.n),
        )
        try:
            client.execute(env=os.environ | {"COURSE_STILL": "1", "PYTHONPATH": import_path()})
        except CellExecutionError as error:
            raise ClassFolderError(f"{chapter} does not run: {error.ename}: {error.evalue}") from None
    return notebook
