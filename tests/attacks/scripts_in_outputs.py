"""Outputs that run scripts and claim full marks, in the file and printed.

Must happen: the file's outputs are dropped, printed text stays text; full points.
"""

from pathlib import Path

import nbformat
from nbformat import NotebookNode

from attacks import dump

LOSES = "nothing"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    html = "<script>window.attacked = 1</script>"
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [
                nbformat.v4.new_output(
                    "display_data", {"text/html": html, "application/javascript": "window.attacked = 1"}
                ),
                nbformat.v4.new_output("execute_result", {"text/plain": "100.0"}, execution_count=1),
            ]
    notebook.cells.insert(
        1,
        nbformat.v4.new_code_cell(
            f"from IPython.display import HTML, display\nprint({html!r})\ndisplay(HTML({html!r}))"
        ),
    )
    place.joinpath(name).write_bytes(dump(notebook))
