"""Turns every cell of words into code, and its own code into markdown and raw cells, with scripts in them.

Must happen: each cell of the release gets its type back, and is washed by the type that it gets.
"""


def hand_in(notebook, place, file):  # type: ignore[no-untyped-def]
    from attacks import dump

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.cell_type, cell.outputs, cell.execution_count = "code", [], None
            cell.source += "\n<img src=x onerror='window.attacked=1'><script>window.attacked=1</script>"
    place.joinpath(file).write_bytes(dump(notebook))


LOSES = "nothing"
NEVER_SHOWS = "<img[^>]*onerror|<script"
