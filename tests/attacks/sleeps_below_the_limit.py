"""Holds the class up with nearly two thousand cells, each of which sleeps just below the limit of one.

Must happen: the notebook as a whole is stopped at its bound. What it had reached counts, the rest is lost, with the reason.
"""

from pathlib import Path

import nbformat
from nbformat import NotebookNode

from attacks import dump

LOSES = "everything"
SAYS = "was not reached: the whole notebook may take .* was used up"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    cells = [nbformat.v4.new_code_cell(f"import time\ntime.sleep(14)  # {number}") for number in range(1900)]
    notebook.cells[1:1] = cells
    place.joinpath(name).write_bytes(dump(notebook))
