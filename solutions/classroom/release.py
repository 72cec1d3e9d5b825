"""From chapter texts to what students get: nbgrader's release, the notebooks for the lab, and the kit."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from course import archive
from course.sheets import sheet_name
from solutions.classroom.build import build_assignment, notebook_bytes, source_notebook
from solutions.classroom.folder import ClassFolder, ClassFolderError, course_version, new_class

REPOSITORY = Path(__file__).resolve().parents[2]


def nbgrader(folder: ClassFolder, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One of nbgrader's own commands in the class folder. Raises ClassFolderError with its last words when it fails."""
    command = [sys.executable, "-m", "nbgrader", *arguments]
    done = subprocess.run(
        command, cwd=folder.root, capture_output=True, text=True, env=environment(), check=False
    )
    if done.returncode:
        raise ClassFolderError(
            f"`nbgrader {' '.join(arguments)}` failed:\n{_last_words(done.stdout + done.stderr)}"
        )
    return done


def environment() -> dict[str, str]:
    """For nbgrader's processes; it calls `alembic` by name, so this environment's programs come first."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return os.environ | {"PATH": path, "PYTHONWARNINGS": "ignore", "JUPYTER_PLATFORM_DIRS": "1"}


def _last_words(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-8:])


def release(folder: ClassFolder, chapter: str, force: bool = False) -> None:
    """Build the chapter into `source` and let nbgrader make the release of it.

    Raises ClassFolderError when the source notebook was edited by hand since (unless `force`).
    """
    built = folder.hidden / "built.json"
    known = json.loads(built.read_text()) if built.exists() else {}
    path = folder.source(chapter) / f"{chapter}.ipynb"
    data = notebook_bytes(source_notebook(chapter))
    new, old = _digest(data), _digest(path.read_bytes()) if path.exists() else ""
    was = known.get(chapter) or {}
    if old and old not in (was.get("notebook"), new) and not force:
        raise ClassFolderError(
            f"{path} was edited since it was built. Keep your edit elsewhere, or build over it with --force."
        )
    now = {"notebook": new, "course": course_version(chapter)}
    made = [folder.release(chapter) / name for name in (f"{chapter}.ipynb", sheet_name(chapter))]
    if was != now or old != new or not all(one.exists() for one in made):
        build_assignment(chapter, folder.source(chapter))
        nbgrader(folder, "generate_assignment", chapter, "--force")
        archive.write_bytes(built, json.dumps(known | {chapter: now}, indent=1).encode())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def lay_out_notebooks(place: Path, chapters: Sequence[str]) -> list[Path]:
    """The students' notebooks and their answer sheets, a folder per chapter. A notebook that is there already stays."""
    folder = new_class(REPOSITORY / "build" / "class")
    laid = []
    for chapter in chapters:
        release(folder, chapter, force=True)
        target = place / chapter / f"{chapter}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        sheet = sheet_name(chapter)
        archive.write_bytes(target.parent / sheet, (folder.release(chapter) / sheet).read_bytes())
        if not target.exists():
            archive.write_bytes(target, (folder.release(chapter) / f"{chapter}.ipynb").read_bytes())
            laid.append(target)
    return laid


def make_kit(place: Path, chapters: Sequence[str]) -> None:
    """What a student installs and works in: `course` without its chapter texts, `datasets`, and the notebooks."""
    ignored = shutil.ignore_patterns("chapters", "__pycache__", "*.pyc")
    shutil.copytree(REPOSITORY / "course", place / "course", ignore=ignored, dirs_exist_ok=True)
    recipes = shutil.ignore_patterns("recipes", "__pycache__")  # some use the reference
    shutil.copytree(REPOSITORY / "datasets", place / "datasets", ignore=recipes, dirs_exist_ok=True)
    for name in ("constraints.txt", "LICENSE"):
        shutil.copy(REPOSITORY / name, place / name)
    archive.write_bytes(place / "pyproject.toml", _kit_project().encode())
    archive.write_bytes(place / "README.md", _KIT_README.encode())
    lay_out_notebooks(place / "notebooks", chapters)


def _kit_project() -> str:
    """The project file without what only instructors and developers need."""
    head = (REPOSITORY / "pyproject.toml").read_text().partition("[project.optional-dependencies]")[0]
    return head + '[tool.setuptools.packages.find]\ninclude = ["course*"]\n'


_KIT_README = """# Explaining deep networks: your notebooks

    python3 -m venv .venv && source .venv/bin/activate     (Windows: py -m venv .venv, then .venv\\\\Scripts\\\\activate)
    pip install -c constraints.txt -e .
    jupyter lab notebooks

Open a chapter, fill the gaps, run the cell `check(…)` below each. `hint(…)` gives a hint, `progress()` shows where you are.
Everything works without a network once it is installed.
"""
