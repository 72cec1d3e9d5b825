"""Ten thousand cells.

Must happen: more than a notebook may have; 0 points and the reason.
"""

from pathlib import Path

import nbformat
from nbformat import NotebookNode

from attacks import dump

LOSES = "everything"
SAYS = "cells"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    notebook.cells += [nbformat.v4.new_code_cell("1") for _ in range(10_000)]
    place.joinpath(name).write_bytes(dump(notebook))
