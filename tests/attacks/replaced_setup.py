"""The locked set-up cell defines functions that are always right.

Must happen: put back as released; full points for the honest rest.
"""

from pathlib import Path

from nbformat import NotebookNode

from attacks import dump

LOSES = "nothing"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
    cell.source = "import os\nos._exit(0)\ncheck = print"
    place.joinpath(name).write_bytes(dump(notebook))
