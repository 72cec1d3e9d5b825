"""Metadata of impossible types everywhere.

Must happen: rebuilt from the release; full points.
"""

import json
from pathlib import Path

from nbformat import NotebookNode

from attacks import dump

LOSES = "nothing"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    tree = json.loads(dump(notebook))
    for cell in tree["cells"]:
        cell["metadata"] = {
            "nbgrader": cell["metadata"].get("nbgrader", "x"),
            "tags": {"a": 1},
            "jupyter": [3],
            "slideshow": None,
        }
    tree["metadata"] = {"kernelspec": 7, "language_info": [1], "nbgrader": True, "celltoolbar": {}}
    place.joinpath(name).write_text(json.dumps(tree))
