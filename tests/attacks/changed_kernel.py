"""The kernel is bash: plain nbgrader would run the cells in it.

Must happen: the kernel is the release's; full points.
"""

from pathlib import Path

from nbformat import NotebookNode

from attacks import dump

LOSES = "nothing"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    notebook.metadata.kernelspec = {"name": "bash", "display_name": "Bash", "language": "bash"}
    place.joinpath(name).write_bytes(dump(notebook))
