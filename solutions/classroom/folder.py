"""A class folder: an nbgrader course directory with this course's configuration and secrets."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from course.exercises import CHAPTERS, exercises_of
from course.judging import archive
from course.judging.sheets import Answers
from solutions.classroom.access import follow, share
from solutions.classroom.release.seeds import SeedsError, seeds_of

CONFIG = '''"""nbgrader's configuration of this class: the course's preprocessors, and nothing else."""

from solutions.classroom.nbgrader_parts import configure

configure(get_config(), __file__)  # noqa: F821
'''


MAKING, READY = "releasing", "ready"
"""Where a release is made, inside `.course`, and what it is called when nothing is missing but to take the old one's place."""


class ClassFolderError(Exception):
    """Something is wrong with the class folder. The message says what to do."""


class InUseError(ClassFolderError):
    """Another command works on the class folder."""


@dataclass(frozen=True)
class ClassFolder:
    """Paths inside one class folder. Secrets lie in `.course`; only the owner, or the group, can read them."""

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
        """The chapters that have a release, and those of the gradebook whose release is gone: nobody is left out silently."""
        from solutions.classroom.grading.gradebook import released_before

        folder = self.root / "release"
        there = {p.name for p in folder.iterdir() if p.is_dir()} if folder.is_dir() else set()
        return [chapter for chapter in CHAPTERS if chapter in there | released_before(self)]

    def students(self) -> list[str]:
        """Everybody who handed anything in, and everybody in the gradebook's list; nobody of `unmatched`."""
        from solutions.classroom.grading.gradebook import enrolled

        handed_in = {path.name for path in self._handed_in()}
        return sorted((handed_in | enrolled(self)) - set(self.unmatched()))

    def unmatched(self) -> dict[str, str]:
        """Folders in `submitted` that nbgrader cannot take for a student's: name → what to rename. Nothing of them is graded."""
        found = {}
        for path in self._handed_in():
            trouble, remedy = trouble_with(path.name), "Rename it to the student's id"
            if not trouble and path.is_symlink():
                trouble, remedy = "it is a link", "Put the folder itself there"
            if trouble:
                found[path.name] = (
                    f"The folder {path.name!r} in 'submitted' was not graded: {trouble}. {remedy}, and grade again."
                )
        return found

    def _handed_in(self) -> list[Path]:
        """The folders in `submitted`; hidden ones only where somebody's work lies in them."""
        folder = self.root / "submitted"
        found = [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
        return [
            path
            for path in sorted(found)
            if path.name[0] != "." or any(os.path.isdir(path / chapter) for chapter in CHAPTERS)
        ]

    def secret_seeds(self, chapter: str) -> dict[str, list[int]]:
        """exercise → its seeds. Drawn once per class folder, and kept: grading again gives the same."""
        from solutions.classroom.proof.prove import proves_itself

        try:
            return seeds_of(self.hidden, chapter, exercises_of(chapter), partial(proves_itself, chapter))
        except SeedsError as error:
            raise ClassFolderError(str(error)) from None

    def secret_answers(self, chapter: str) -> dict[str, Answers]:
        """The answers to the secret cases, as they were made at the release. Raises ClassFolderError if by another course."""
        from solutions.classroom.release.kept_answers import to_grade_by

        return to_grade_by(self, chapter).answers


LONGEST_ID = 240
"""Bytes: the names of files that are made from an id add 15, and a file's name has 255 at most."""


def trouble_with(student: str) -> str:
    """Why nbgrader cannot use this as a student's id, or ""."""
    if any(sign in student for sign in "*?["):
        return "nbgrader takes *, ? and [ for patterns that match other students' ids"
    if student != student.strip():
        return "nbgrader strips the space at the beginning or the end of an id"
    if not student.isprintable():
        return "it holds a character that cannot be printed"
    if student.startswith("."):
        return "nbgrader leaves out folders that begin with a dot"
    if len(student.encode()) > LONGEST_ID:
        return f"it has {len(student.encode())} bytes, and {LONGEST_ID} is the most"
    return ""


@lru_cache(maxsize=32)
def _notebook(path: Path, stamp: int) -> NotebookNode:
    """Read and validated once, not once a submission."""
    return nbformat.read(path, as_version=4)


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
    follow(root)
    _belongs(folder)
    finish_what_was_killed(folder)
    return folder


def new_class(path: str | Path, group: str = "") -> ClassFolder:
    """Make a class folder that only its owner can open, or only a Unix group.

    An existing one is left as it is, except that it is given to the group.
    """
    root = Path(path).resolve()
    repository = Path(__file__).resolve().parents[2]
    if root == repository or (root.exists() and any(root.iterdir()) and not (root / ".course").is_dir()):
        raise ClassFolderError(f"{root} is not empty. A class folder is made in a new or empty folder.")
    if not (root / ".course").is_dir():
        root.mkdir(parents=True, exist_ok=True)
        root.chmod(0o700)
        for name in ("source", "submitted", ".course"):
            (root / name).mkdir(mode=0o700)
    if not (root / "nbgrader_config.py").exists():
        archive.write_bytes(root / "nbgrader_config.py", CONFIG.encode())
    if group:
        share(root, group)
    follow(root)
    return ClassFolder(root)


def finish_what_was_killed(folder: ClassFolder) -> None:
    """Let a release that was killed while it took the old one's place do so now."""
    if any((folder.hidden / name).exists() for name in (MAKING, READY)):
        from solutions.classroom.release.publish import finish

        finish(folder)


def _belongs(folder: ClassFolder) -> None:
    """Is the gradebook ours? One from another course would get our chapters mixed in."""
    from solutions.classroom.grading.gradebook import assignments

    foreign = [name for name in assignments(folder) if name not in CHAPTERS]
    if foreign:
        raise ClassFolderError(
            f"{folder.root / 'gradebook.db'} belongs to another course (it knows '{foreign[0]}')."
            " Move it away, or make a new class folder."
        )


@contextmanager
def locked(folder: ClassFolder, doing: str = "graded", wait: bool = False) -> Iterator[None]:
    """One command at a time changes a class folder; a second one is told what is `doing`, or waits."""
    with open(folder.hidden / "lock", "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            file.seek(0)
            process, _, done = file.read().strip().partition(" ")
            raise InUseError(
                f"{folder.root.name} is being {done or 'graded'} already (process {process or 'unknown'})."
                " Wait until it has ended."
            ) from None
        file.seek(0)
        file.truncate()
        file.write(f"{os.getpid()} {doing}")
        file.flush()
        yield
