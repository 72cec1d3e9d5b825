"""How the last checks ended, in a small file that survives a restart of the kernel.

It lies where Jupyter keeps its own copies, `.ipynb_checkpoints` beside the notebook: nbgrader hands that folder in with
nobody's work. It says nothing that `progress()` does not, is the owner's to read, and counts for one release only.
"""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from course.exercises import exercises_of
from course.judging import archive
from course.judging.sheets import sheet_name
from course.judging.verdict import Kind, Verdict

FOLDER = ".ipynb_checkpoints"
"""nbgrader leaves it out of what it copies; so does everybody who copies notebooks."""

LARGEST = 1 << 20


def keep(folder: Path, chapter: str, verdicts: Mapping[str, Verdict]) -> None:
    """Add these verdicts to what is kept. Never fails: where nothing can be written, nothing is kept."""
    with contextlib.suppress(OSError, ValueError):
        known = {**kept(folder, chapter), **verdicts}
        tree = {
            "release": _release(folder, chapter),
            "checked": {
                name: {"kind": v.kind, "points": v.points, "message": v.message} for name, v in known.items()
            },
        }
        archive.write_bytes(_path(folder, chapter), json.dumps(tree, indent=1).encode(), private=True)


def kept(folder: Path, chapter: str) -> dict[str, Verdict]:
    """exercise → how it was last checked, as far as this release of the chapter is concerned; nothing where it is damaged."""
    exercises = exercises_of(chapter)
    try:
        path = _path(folder, chapter)
        if path.stat().st_size > LARGEST:
            return {}
        tree = json.loads(path.read_text("utf-8"))
        if tree["release"] != _release(folder, chapter):
            return {}
        return {
            name: _verdict(name, one, exercises[name].points)
            for name, one in tree["checked"].items()
            if name in exercises
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _verdict(name: str, tree: Mapping[str, object], of: float) -> Verdict:
    kind, message = tree["kind"], str(tree["message"])
    if kind not in KINDS:
        raise ValueError(f"no verdict is {kind}")
    points = float(of) if kind == "right" else 0.0
    return Verdict(name, kind, points, of, "".join(c for c in message if c.isprintable())[:1000])  # type: ignore[arg-type]


def _kinds(of: object) -> set[str]:
    return {of} if isinstance(of, str) else {kind for part in get_args(of) for kind in _kinds(part)}


KINDS = _kinds(Kind)


def _path(folder: Path, chapter: str) -> Path:
    return folder / FOLDER / f"{chapter}.progress.json"


def _release(folder: Path, chapter: str) -> str:
    """Which release of the chapter lies here: its answer sheet is another one in every other."""
    return hashlib.sha256((folder / sheet_name(chapter)).read_bytes()).hexdigest()[:16]
