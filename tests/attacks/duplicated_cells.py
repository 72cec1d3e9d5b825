"""Every cell twice, the graded ones too; plain nbgrader ends its whole run here.

Must happen: each counts once; full points.
"""

from copy import deepcopy
from pathlib import Path

from nbformat import NotebookNode

from attacks import dump

LOSES = "nothing"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    notebook.cells = [copy for cell in notebook.cells for copy in (cell, deepcopy(cell))]
    place.joinpath(name).write_bytes(dump(notebook))
