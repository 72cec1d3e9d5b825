"""Hands in markdown on which converters take quadratic time: environments, brackets, stars, and quotes without an end.

Must happen: grading does not convert it; the exercises are right.
"""

import nbformat


def hand_in(notebook, place, file):  # type: ignore[no-untyped-def]
    from attacks import dump

    for piece in ("\\begin{a}", "[", "![](", "*a **b ", "> " * 50 + "\n", "`" * 7 + "a", "<!--", "$"):
        notebook.cells.append(nbformat.v4.new_markdown_cell(piece * (20_000 // len(piece))))
    place.joinpath(file).write_bytes(dump(notebook))


LOSES = "nothing"
