"""Markdown that runs scripts in whoever opens it, the answer in words too.

Must happen: feedback and formgrader show it harmless; full points.
"""

from pathlib import Path

from nbformat import NotebookNode

from attacks import dump

LOSES = "nothing"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and not cell.metadata.get("nbgrader", {}).get("locked"):
            cell.source += "\n<script>window.attacked = 1</script><img src=x onerror='window.attacked = 1'>[x](javascript:window.attacked=1)<iframe srcdoc='<script>parent.attacked=1</script>'></iframe>"
    place.joinpath(name).write_bytes(dump(notebook))


PROMISE = "P13"
