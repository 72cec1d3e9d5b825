"""A notebook without one cell of this chapter.

Must happen: 0 points, and the feedback says that it is another notebook.
"""

from pathlib import Path

import nbformat
from nbformat import NotebookNode

from attacks import dump

LOSES = "everything"
SAYS = "not this chapter"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    notebook.cells = [nbformat.v4.new_code_cell("print(1)")]
    place.joinpath(name).write_bytes(dump(notebook))
