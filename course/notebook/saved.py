"""The notebook's file: found beside the answer sheet, read, and its cells put in the order in which grading runs them."""

import json
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from course.judging.sheets import OPEN, TEXT, Plan, fingerprint
from course.notebook.names import Cell, cell_of

ANSWER = "*Your answer here: double-click to write.*"
"""What stands where an answer in words is asked for."""

DEMO_TAG = "demo"
"""Cells with this tag are to be looked at: grading does not run them."""

LARGEST = 64 << 20
"""Bytes of a notebook beyond which `check` does not read it: pictures in it are no matter, but time is."""


@dataclass(frozen=True)
class SavedCell:
    """One cell as it is saved. restored: grading puts another text in its place, which is not known here."""

    kind: str
    source: str
    grade_id: str = ""
    demo: bool = False
    restored: bool = False

    @property
    def names(self) -> Cell:
        """What its source says of names; nothing for a cell that grading does not run."""
        if self.restored:
            return Cell(unknown=True)
        return cell_of(self.source) if self.kind == "code" and not self.demo else Cell()


@dataclass(frozen=True)
class Saved:
    """A notebook as it is saved. stamp: when, in seconds. cells: in the order in which grading runs them."""

    path: Path
    stamp: float
    cells: tuple[SavedCell, ...]

    def place(self, grade_id: str) -> int:
        """Where a known cell stands, or -1."""
        return next((at for at, cell in enumerate(self.cells) if cell.grade_id == grade_id), -1)

    def answered(self, question: str) -> bool:
        """Whether something is written in the cell of a question in words."""
        at = self.place(question)
        return at >= 0 and self.cells[at].source.strip() not in ("", ANSWER)


def grade_id(name: str) -> str:
    """An exercise's grade id: its name in kebab case, for ever."""
    return name.replace("_", "-").lower()


def find(folder: Path, wanted: str, plan: Plan, names: Mapping[str, Any]) -> Saved | None:
    """The notebook that is open, if it has the cell of an exercise or question: as Jupyter or VS Code call it, else the
    only one beside the answer sheet that fits. None where that cannot be told."""
    wanted = grade_id(wanted)
    said = [names.get("__vsc_ipynb_file__"), os.environ.get("JPY_SESSION_NAME")]
    for name in said:
        for path in (Path(name), folder / Path(name).name) if isinstance(name, str) and name else ():
            if path.suffix == ".ipynb" and (found := read(path, plan)) and found.place(wanted) >= 0:
                return found
    try:
        beside = sorted(path for path in folder.glob("*.ipynb") if not path.name.startswith("."))
    except OSError:
        return None
    fitting = [found for path in beside if (found := read(path, plan)) and found.place(wanted) >= 0]
    return fitting[0] if len(fitting) == 1 else None


def read(path: Path, plan: Plan) -> Saved | None:
    """A notebook as it is saved; None for what is no notebook that grading could read without guessing."""
    try:
        facts = path.stat()
        if facts.st_size > LARGEST:
            return None
        tree = json.loads(path.read_text("utf-8"))
        cells = [_cell(cell) for cell in tree["cells"]] if tree["nbformat"] == 4 else []
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return Saved(path, facts.st_mtime, tuple(_on_rails(cells, plan)))


def _cell(tree: Any) -> SavedCell:
    source, metadata = tree["source"], tree["metadata"]
    return SavedCell(
        str(tree["cell_type"]),
        source if isinstance(source, str) else "".join(source),
        str(metadata.get("nbgrader", {}).get("grade_id", "")),
        DEMO_TAG in metadata.get("tags", ()),
    )


def _on_rails(cells: Iterable[SavedCell], plan: Plan) -> list[SavedCell]:
    """The known cells in the release's order, as grading puts them; one's own behind the known cell that they followed."""
    found: dict[str, SavedCell] = {}
    own: dict[str, list[SavedCell]] = {"": []}
    anchor = ""
    for cell in cells:
        name = cell.grade_id
        if name in plan.cells and name not in found:
            wrong = plan.cells[name] not in (OPEN, TEXT, fingerprint(cell.source))
            found[name], anchor = replace(cell, restored=wrong), name
            own[name] = []
        elif plan.cells.get(name, OPEN) == OPEN:  # a copy of a locked cell is left out
            own[anchor].append(replace(cell, grade_id=""))
    ordered = own[""]
    for name, kind in plan.cells.items():
        if name in found:
            ordered.append(found[name])
        elif kind != TEXT:
            ordered.append(SavedCell("code", "", restored=True))
        ordered += own.get(name, [])
    return ordered


def code(cells: Collection[SavedCell]) -> list[SavedCell]:
    """Those of these cells that hold code."""
    return [cell for cell in cells if cell.kind == "code"]
