"""NUL, lone surrogates and right-to-left marks in code and text.

Must happen: the cells that are no Python fail; the exercises count.
"""

from pathlib import Path

import nbformat
from nbformat import NotebookNode

from attacks import dump

LOSES = "nothing"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    notebook.cells.insert(1, nbformat.v4.new_code_cell("print('\0')"))
    notebook.cells.insert(1, nbformat.v4.new_code_cell("x = 'SURROGATE\u202e'"))
    place.joinpath(name).write_bytes(dump(notebook).replace(b"SURROGATE", b"\\ud800"))
