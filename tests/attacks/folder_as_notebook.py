"""The notebook is a folder.

Must happen: 0 points and the reason.
"""

from pathlib import Path

from nbformat import NotebookNode

LOSES = "everything"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    place.joinpath(name).mkdir()
