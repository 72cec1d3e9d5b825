"""A million outputs, and as many metadata, which nobody needs.

Must happen: they are not looked at; every exercise counts.
"""

from pathlib import Path

from nbformat import NotebookNode

from attacks import dump

LOSES = "nothing"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    text = dump(notebook).decode()
    text = text.replace('"outputs": []', '"outputs": [' + "{}, " * 1_000_000 + "{}]", 1)
    many = "".join(f'"{number}": {{}}, ' for number in range(300_000))
    text = text.replace('"nbgrader": {', '"nbgrader": {' + many, 1)
    place.joinpath(name).write_text(text)
