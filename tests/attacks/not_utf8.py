"""The file is Latin-1.

Must happen: 0 points, and the feedback says what to do.
"""

from pathlib import Path

from nbformat import NotebookNode

from attacks import dump

LOSES = "everything"
SAYS = "UTF-8"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    place.joinpath(name).write_bytes(dump(notebook).replace(b"}", "ü}".encode("latin-1")))
