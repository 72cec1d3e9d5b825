"""A notebook of 200 MB.

Must happen: not even read; 0 points, and the feedback says how to make it small.
"""

from pathlib import Path

from nbformat import NotebookNode

from attacks import dump

LOSES = "everything"
SAYS = "MB"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    with place.joinpath(name).open("wb") as file:
        file.write(dump(notebook))
        file.truncate(200_000_000)
