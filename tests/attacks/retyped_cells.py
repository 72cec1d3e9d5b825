"""Code cells became markdown, markdown became raw, the answer in words became code that never ends.

Must happen: types are the release's; the code in words never runs.
"""

import json
from pathlib import Path

from nbformat import NotebookNode

LOSES = "nothing"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    for cell in notebook.cells:
        graded = cell.metadata.get("nbgrader", {}).get("grade")
        if cell.cell_type == "markdown" and graded:
            cell.cell_type, cell.source = "code", "while True: pass"
        elif cell.cell_type == "code" and graded:
            cell.cell_type = "raw"
        cell.pop("outputs", None)
        cell.pop("execution_count", None)
    place.joinpath(name).write_text(json.dumps(notebook))
