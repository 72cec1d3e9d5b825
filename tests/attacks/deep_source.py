"""Code nested so deeply that reading it ends a parser: brackets, minus signs, calls, endless lines and branches.

Must happen: the cells fail, or run; whoever reads them goes on; every exercise counts.
"""

from pathlib import Path

import nbformat
from nbformat import NotebookNode

from attacks import dump

LOSES = "nothing"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    sources = (
        "(" * 5_000,
        "x = " + "-" * 50_000 + "1",
        "x = " + "f(" * 2_000 + ")" * 2_000,
        "x = 1" + " + 1" * 20_000,
        "x = 1" + " + 1" * 1_500,
        "x = a" + ".b" * 1_200,
        "if x: pass\n" + "elif x: pass\n" * 1_200,
    )
    for source in sources:
        notebook.cells.insert(1, nbformat.v4.new_code_cell(source))
    place.joinpath(name).write_bytes(dump(notebook))
