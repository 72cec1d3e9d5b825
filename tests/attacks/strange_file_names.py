"""Files named with .., backslashes, newlines, quotes and a lone surrogate lie beside the notebook.

Must happen: ignored; the honest notebook counts.
"""

from pathlib import Path

from nbformat import NotebookNode

from attacks import dump

LOSES = "nothing"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    place.joinpath(name).write_bytes(dump(notebook))
    for strange in (
        "..\\..\\x",
        "a\nb",
        "'; drop table",
        "<script>",
        "..ipynb",
        b"\xff\xfe.py".decode("utf-8", "surrogateescape"),
    ):
        place.joinpath(strange).write_text("x")
