"""Leaves its helper to a cell after the check and reaches it through __main__.

Must happen: a function is asked with what the notebook has at its check; the helper is not there yet.
"""

import nbformat

EXERCISE = """import pickle
def EXERCISE(*inputs):
    return pickle.loads(b'c__main__\\nhelper_after_check\\n.')(*inputs)
"""


def hand_in(notebook, place, file):  # type: ignore[no-untyped-def]
    from attacks import dump

    graded = [i for i, cell in enumerate(notebook.cells) if cell.source.startswith("check(")]
    gap = notebook.cells[graded[0] - 1]
    name = notebook.cells[graded[0]].source.removeprefix("check(").partition(")")[0]
    after = gap.source.replace(f"def {name}(", "def helper_after_check(")
    gap.source = EXERCISE.replace("EXERCISE", name)
    notebook.cells.insert(graded[0] + 1, nbformat.v4.new_code_cell(after))
    place.joinpath(file).write_bytes(dump(notebook))


LOSES = "first"
SAYS = "AttributeError"
PROMISE = "P4"
