"""A link beside the notebook points to the gradebook; a copying grader would hand it out.

Must happen: not followed, not copied; at most this student loses something.
"""

from pathlib import Path

from nbformat import NotebookNode

from attacks import dump

LOSES = "nothing or everything"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    place.joinpath(name).write_bytes(dump(notebook))
    place.joinpath("notes.txt").symlink_to("../../../gradebook.db")
    place.joinpath("x.answers").symlink_to("../../../gradebook.db")
