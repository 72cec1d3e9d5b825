"""A class folder: an nbgrader course directory with this course's configuration and secrets."""

import ast
import fcntl
import hashlib
import importlib.util
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import nbformat
from nbformat import NotebookNode

import course
from course import archive
from course.exercises import CHAPTERS, exercises_of, topic
from course.judging import Answers
from course.sheets import read_sheet
from solutions.classroom.answers import answer_sheet, sheet_tree
from solutions.classroom.reference import home_of

SECRET_SEEDS = 2

CONFIG = '''"""nbgrader's configuration of this class: the course's preprocessors, and nothing else."""

from solutions.classroom.nbgrader_parts import configure

configure(get_config(), __file__)  # noqa: F821
'''


class ClassFolderError(Exception):
    """Something is wrong with the class folder. The message says what to do."""


@dataclass(frozen=True)
class ClassFolder:
    """Paths inside one class folder. Secrets lie in `.course`, readable by their owner only."""

    root: Path

    @property
    def hidden(self) -> Path:
        return self.root / ".course"

    def source(self, chapter: str) -> Path:
        return self.root / "source" / chapter

    def release(self, chapter: str) -> Path:
        return self.root / "release" / chapter

    def submitted(self, student: str, chapter: str) -> Path:
        return self.root / "submitted" / student / chapter

    def autograded(self, student: str, chapter: str) -> Path:
        return self.root / "autograded" / student / chapter

    def feedback(self, student: str, chapter: str) -> Path:
        return self.root / "feedback" / student / chapter

    def released_notebook(self, chapter: str) -> NotebookNode:
        """The release as nbgrader made it."""
        path = self.release(chapter) / f"{chapter}.ipynb"
        if not path.exists():
            raise ClassFolderError(
                f"{chapter} is not released in {self.root.name}: run `classroom release {self.root} {chapter}` first."
            )
        return _notebook(path, path.stat().st_mtime_ns)

    def released_chapters(self) -> list[str]:
        folder = self.root / "release"
        return sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []

    def students(self) -> list[str]:
        """Everybody who handed anything in, and everybody in the gradebook's list."""
        from solutions.classroom.gradebook import enrolled

        folder = self.root / "submitted"
        handed_in = (
            {p.name for p in folder.iterdir() if p.is_dir() and not p.is_symlink()}
            if folder.is_dir()
            else set()
        )
        return sorted(handed_in | enrolled(self))

    def unmatched(self) -> dict[str, str]:
        """Folders in `submitted` that nbgrader cannot take for a student's: name → what to rename. Nothing of them is graded."""
        return {}

    def secret_seeds(self, chapter: str) -> list[int]:
        """Drawn once per class folder and chapter, and kept: grading again gives the same."""
        path = self.hidden / "seeds.json"
        seeds = json.loads(path.read_text()) if path.exists() else {}
        if chapter not in seeds:
            seeds[chapter] = [1_000 + secrets.randbelow(2**31 - 1_000) for _ in range(SECRET_SEEDS)]
            archive.write_bytes(path, json.dumps(seeds, indent=1).encode())
            path.chmod(0o600)
        return list(seeds[chapter])

    def secret_answers(self, chapter: str) -> dict[str, Answers]:
        """The answer sheet of the secret seeds; made once per version of the chapter's code."""
        path = self.hidden / f"{chapter}-{course_version(chapter)}.answers"
        if not path.exists():
            archive.write(path, sheet_tree(answer_sheet(chapter, self.secret_seeds(chapter))))
            path.chmod(0o600)
        return read_sheet(path)


@lru_cache(maxsize=32)
def _notebook(path: Path, stamp: int) -> NotebookNode:
    """Read and validated once, not once a submission."""
    return nbformat.read(path, as_version=4)


@cache
def course_version(chapter: str) -> str:
    """A digest of everything that a chapter's grading depends on: its modules, and whatever of ours they import."""
    modules = {home_of()[name] for name in exercises_of(chapter)}
    modules |= {f"course.exercises.{topic(chapter)}", f"solutions.misconceptions.{topic(chapter)}"}
    modules |= {"course.judging"}
    digest = hashlib.sha256(course.__version__.encode())
    for _, path in sorted(_with_imports(modules).items()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _with_imports(modules: Iterable[str]) -> dict[str, Path]:
    """These modules and all of this project's that they import, however indirectly: module → file."""
    found: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        path = None if name in found else _file_of(name)
        if path is None:
            continue
        found[name] = path
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                waiting += [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def _file_of(name: str) -> Path | None:
    """The file of one of this project's modules; None for other people's, and for what is no module."""
    if name.partition(".")[0] not in ("course", "solutions"):
        return None
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:  # a function of a module
        return None
    return Path(spec.origin) if spec and spec.origin else None


def open_class(path: str | Path) -> ClassFolder:
    """An existing class folder. Raises ClassFolderError when it is none."""
    root = Path(path).resolve()
    if not root.is_dir():
        raise ClassFolderError(f"There is no folder {root}. `classroom new {path}` makes a class folder.")
    if not (root / ".course").is_dir():
        raise ClassFolderError(
            f"{root} is not a class folder of this course. `classroom new FOLDER` makes one."
        )
    folder = ClassFolder(root)
    _belongs(folder)
    return folder


def new_class(path: str | Path) -> ClassFolder:
    """Make a class folder; an existing one is left as it is."""
    root = Path(path).resolve()
    repository = Path(__file__).resolve().parents[2]
    if root == repository or (root.exists() and any(root.iterdir()) and not (root / ".course").is_dir()):
        raise ClassFolderError(f"{root} is not empty. A class folder is made in a new or empty folder.")
    for name in ("source", "submitted", ".course"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / ".course").chmod(0o700)
    archive.write_bytes(root / "nbgrader_config.py", CONFIG.encode())
    return ClassFolder(root)


def _belongs(folder: ClassFolder) -> None:
    """Is the gradebook ours? One from another course would get our chapters mixed in."""
    from solutions.classroom.gradebook import assignments

    foreign = [name for name in assignments(folder) if name not in CHAPTERS]
    if foreign:
        raise ClassFolderError(
            f"{folder.root / 'gradebook.db'} belongs to another course (it knows '{foreign[0]}')."
            " Move it away, or make a new class folder."
        )


@contextmanager
def locked(folder: ClassFolder) -> Iterator[None]:
    """One grader at a time on a class folder; a second one is told so."""
    with open(folder.hidden / "lock", "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise ClassFolderError(
                f"{folder.root.name} is being graded already (process {file.read().strip() or 'unknown'})."
                " Wait until it has ended."
            ) from None
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield
