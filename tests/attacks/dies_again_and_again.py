"""Ends its process in each of four hundred cells, so that the notebook is run again four hundred times.

Must happen: all of these runs together have one bound; either they fit into it, or what was not reached is lost.
"""

from pathlib import Path

import nbformat
from nbformat import NotebookNode

from attacks import dump

LOSES = "nothing or everything"
SAYS = "was used up|takes too long"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    cells = [nbformat.v4.new_code_cell(f"import os\nos._exit({number})") for number in range(400)]
    notebook.cells[1:1] = cells
    place.joinpath(name).write_bytes(dump(notebook))
