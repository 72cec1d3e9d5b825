"""Valid JSON that is no notebook.

Must happen: 0 points and the reason.
"""

from pathlib import Path

from nbformat import NotebookNode

LOSES = "everything"
SAYS = "notebook"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    place.joinpath(name).write_bytes(b'{"cells": [1, {"cell_type": []}], "nbformat": "x"}')
