"""A notebook of format 3, from before Jupyter.

Must happen: brought up to date, or 0 points and the reason; the grader goes on.
"""

from pathlib import Path

import nbformat
from nbformat import NotebookNode

LOSES = "nothing or everything"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    place.joinpath(name).write_text(nbformat.writes(nbformat.convert(notebook, 3), version=3))
