"""The file is cut off in the middle.

Must happen: 0 points, and the feedback says that the JSON is damaged.
"""

from pathlib import Path

from nbformat import NotebookNode

from attacks import dump

LOSES = "everything"
SAYS = "JSON"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    place.joinpath(name).write_bytes(dump(notebook)[:1000])


PROMISE = "P6"
