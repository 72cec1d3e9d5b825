"""The file is empty.

Must happen: 0 points and the reason.
"""

from pathlib import Path

from nbformat import NotebookNode

LOSES = "everything"
SAYS = "is empty"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    place.joinpath(name).write_bytes(b"")
