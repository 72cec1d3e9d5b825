"""Everything is right at the check; a cell after it breaks the function's helper, and later ones forget it.

Must happen: what comes after a check changes nothing of its mark.
"""

import nbformat


def hand_in(notebook, place, file):  # type: ignore[no-untyped-def]
    from attacks import dump

    first = next(i for i, cell in enumerate(notebook.cells) if cell.source.startswith("check("))
    name = notebook.cells[first].source.removeprefix("check(").partition(")")[0]
    notebook.cells.insert(first + 1, nbformat.v4.new_code_cell(f"def {name}(*inputs):\n    return None"))
    notebook.cells.insert(first + 2, nbformat.v4.new_code_cell(f"del {name}"))
    place.joinpath(file).write_bytes(dump(notebook))


LOSES = "nothing"
PROMISE = "P4"
