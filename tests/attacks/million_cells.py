"""A million cells with nothing in them: two bytes each, until somebody makes cells of them.

Must happen: more than a notebook may have; 0 points and the reason.
"""

from pathlib import Path

from nbformat import NotebookNode

from attacks import dump

LOSES = "everything"
SAYS = "cells"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    text = dump(notebook).decode()
    place.joinpath(name).write_text(text.replace('"cells": [', '"cells": [' + "{}, " * 1_000_000, 1))
