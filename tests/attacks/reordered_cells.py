"""All cells in reverse order.

Must happen: put back in order; full points.
"""

from pathlib import Path

from nbformat import NotebookNode

from attacks import dump

LOSES = "nothing"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    notebook.cells.reverse()
    place.joinpath(name).write_bytes(dump(notebook))
