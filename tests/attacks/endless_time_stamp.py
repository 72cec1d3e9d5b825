"""A time stamp of 64 GB, all zeros and no byte on the disk.

Must happen: it is graded as if in time, with a note.
"""

import os
from pathlib import Path

from nbformat import NotebookNode

from attacks import dump

LOSES = "nothing"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    place.joinpath(name).write_bytes(dump(notebook))
    with place.joinpath("timestamp.txt").open("wb") as file:
        os.truncate(file.fileno(), 64 << 30)
