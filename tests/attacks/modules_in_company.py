"""Needs a module that only a later cell loads.

Must happen: it is asked as if that cell was not there, whoever shares its process.
"""

import nbformat


def hand_in(notebook, place, file):  # type: ignore[no-untyped-def]
    from attacks import dump

    first = next(i for i, cell in enumerate(notebook.cells) if cell.source.startswith("check("))
    name = notebook.cells[first].source.removeprefix("check(").partition(")")[0]
    gap = notebook.cells[first - 1]
    gap.source = f"import email\n{gap.source}\n_inner = {name}\ndef {name}(*inputs):\n    email.generator\n    return _inner(*inputs)"
    notebook.cells.insert(first + 1, nbformat.v4.new_code_cell("import mailbox"))
    place.joinpath(file).write_bytes(dump(notebook))


LOSES = "first"
SAYS = "AttributeError"
PROMISE = "P4"
