"""Holds the class up after its first exercise, with cells that compute for just less than the limit of one.

Must happen: the notebook as a whole is stopped at its bound. The first exercise had been reached: it counts.
"""

from pathlib import Path

import nbformat
from nbformat import NotebookNode

from attacks import dump

LOSES = "all but first"

CELL_SOURCE = """import time
end = time.process_time() + 0.7
while time.process_time() < end:
    pass
"""


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    graded = (cell.get("metadata", {}).get("nbgrader", {}).get("grade") for cell in notebook.cells)
    first = [
        bool(grade) and cell.cell_type == "code" for grade, cell in zip(graded, notebook.cells, strict=True)
    ].index(True)
    cells = [nbformat.v4.new_code_cell(f"{CELL_SOURCE}# {number}") for number in range(500)]
    notebook.cells[first + 1 : first + 1] = cells
    place.joinpath(name).write_bytes(dump(notebook))
