"""The notebook is a named pipe: whoever opens it waits for ever.

Must happen: seen as no ordinary file; 0 points.
"""

import os
from pathlib import Path

from nbformat import NotebookNode

LOSES = "everything"
SAYS = "ordinary"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    os.mkfifo(place / name)
