"""Hostile and broken submissions, one per file. Each is handed in to a class and graded with everybody else.

A file says in its docstring what it tries and what must happen. It starts from a notebook in which all is right, and is

CELL      a cell of the student's own, right at the start; or
EXERCISE  what takes the place of the first exercise's function (the word EXERCISE stands for its name); or
hand_in   a function that writes the submission's files itself.

LOSES        "nothing", "first" (that exercise and those that call it), "all but first", "everything",
             or "nothing or everything"
SAYS         what the feedback of a lost exercise must say (a regular expression)
PROMISE      the number of the promise in SECURITY.md that it is about, where there is one that fits best
NEVER_SHOWS  what must not be in this student's feedback (a regular expression)
NEEDS_WALLS  True: holds only with bubblewrap or Landlock; WITHOUT_WALLS says what happens otherwise
AS_ORDINARY_USER_NEEDS_WALLS  the same, but only where the grader is not root

A file whose name begins with _ is not handed in yet: it waits for a repair.
"""

import importlib
import pkgutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

CANARY = "attacked-by-a-submission"
"""What an attack calls a file that it leaves where it should not, and the secret of the grader that it looks for."""


@dataclass(frozen=True)
class Attack:
    """One file of this folder."""

    name: str
    module: Any

    def get(self, key: str, default: Any = "") -> Any:
        return getattr(self.module, key, default)

    def hand_in(
        self, notebook: NotebookNode, first: str, gap: str, place: Path, file: str, trace: str = CANARY
    ) -> None:
        """Write the submission. notebook: all right. first: the first exercise. gap: its cell's grade id.

        trace: what files that an attack leaves behind are called, so that nobody takes another's for its own.
        """
        place.mkdir(parents=True)
        if hasattr(self.module, "hand_in"):
            self.module.hand_in(notebook, place, file)
            return
        for key in ("CELL", "EXERCISE"):
            source = self.get(key).replace("EXERCISE", first).replace(CANARY, trace)
            if key == "CELL" and source:
                notebook.cells.insert(1, nbformat.v4.new_code_cell(source))
            elif source:
                cell = next(
                    c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == gap
                )
                cell.source = source
        place.joinpath(file).write_bytes(dump(notebook))


def dump(notebook: NotebookNode) -> bytes:
    """A notebook's bytes, whatever is in it."""
    return nbformat.writes(notebook).encode()


def every_attack() -> list[Attack]:
    """All files of this folder, by name."""
    return [
        Attack(module.name, importlib.import_module(f"{__name__}.{module.name}"))
        for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name)
        if not module.name.startswith("_")
    ]
