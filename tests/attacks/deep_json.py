"""JSON nested a hundred thousand levels deep, which ends many a parser.

Must happen: 0 points and the reason.
"""

from pathlib import Path

from nbformat import NotebookNode

LOSES = "everything"
SAYS = "notebook"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    place.joinpath(name).write_bytes(b"[" * 100_000 + b"]" * 100_000)
