"""All graded cells deleted.

Must happen: put back; full points for what is right.
"""

from pathlib import Path

from nbformat import NotebookNode

from attacks import dump

LOSES = "nothing"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    notebook.cells = [
        cell
        for cell in notebook.cells
        if not (cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade"))
    ]
    place.joinpath(name).write_bytes(dump(notebook))
