"""Points, checksums and locks edited: every exercise is worth 1000.

Must happen: metadata are the release's; the points it deserves.
"""

from pathlib import Path

from nbformat import NotebookNode

from attacks import dump

LOSES = "nothing"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    for cell in notebook.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader |= {
                "points": 1000,
                "checksum": "0" * 32,
                "locked": False,
                "schema_version": 99,
            }
    place.joinpath(name).write_bytes(dump(notebook))
