"""A folder beside the notebook is a link to the root of the disk.

Must happen: not followed; the honest notebook counts.
"""

from pathlib import Path

from nbformat import NotebookNode

from attacks import dump

LOSES = "nothing"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    place.joinpath(name).write_bytes(dump(notebook))
    place.joinpath("data").symlink_to("/")
