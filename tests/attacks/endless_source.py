"""A cell of nearly two megabytes of short statements: Python's parser turns them into gigabytes.

Must happen: nobody but the sandbox reads it; the cell is stopped there; every exercise counts.
"""

from pathlib import Path

import nbformat
from nbformat import NotebookNode

from attacks import dump

LOSES = "nothing"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    notebook.cells.insert(1, nbformat.v4.new_code_cell("x\n" * 900_000))
    place.joinpath(name).write_bytes(dump(notebook))
