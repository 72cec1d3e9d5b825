"""All graded cells carry one grade id, so that one right answer might count for all.

Must happen: ids that are missing are put back; nothing is gained.
"""

from pathlib import Path

from nbformat import NotebookNode

from attacks import dump

LOSES = "nothing"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    ids = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    for cell in ids:
        cell.metadata.nbgrader.grade_id = ids[0].metadata.nbgrader.grade_id
    place.joinpath(name).write_bytes(dump(notebook))
