"""One chapter in one class, as one value: what was released, what its secret cases are answered, where a student's files lie."""

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from course.exercises import exercises_of
from course.judging import archive
from course.judging.exercise import Exercise
from course.judging.sheets import FORMAT, read_tree, sheet_name
from course.judging.verdict import Answers
from solutions.classroom.folder import ClassFolder, ClassFolderError


@dataclass(frozen=True)
class Kept:
    """A chapter's secret answers. version: what they depend on → its digest. course: the course for a person to find."""

    version: dict[str, str] = field(default_factory=dict)
    course: str = ""
    answers: dict[str, Answers] = field(default_factory=dict)

    @cached_property
    def questions(self) -> bytes:
        """The secret seeds and inputs of all exercises, packed once for all submissions."""
        return archive.pack(
            {name: {"seeds": part.seeds, "inputs": part.inputs} for name, part in self.answers.items()}
        )


@dataclass(frozen=True)
class Assignment:
    """One chapter in one class folder. Files are read once for as long as they stay the same."""

    folder: ClassFolder
    chapter: str

    @property
    def exercises(self) -> dict[str, Exercise]:
        """What the chapter asks for, in its order."""
        return exercises_of(self.chapter)

    @property
    def source(self) -> Path:
        """The folder of the source notebook."""
        return self.folder.source(self.chapter)

    @property
    def release(self) -> Path:
        """The folder that students get."""
        return self.folder.release(self.chapter)

    @property
    def notebook(self) -> NotebookNode:
        """The release as nbgrader made it."""
        path = self.release / f"{self.chapter}.ipynb"
        if not path.exists():
            raise ClassFolderError(
                f"{self.chapter} is not released in {self.folder.root.name}:"
                f" run `classroom release {self.folder.root} {self.chapter}` first."
            )
        return _notebook(path, path.stat().st_mtime_ns)

    @property
    def sheet(self) -> bytes:
        """The public answer sheet that lies beside the release; empty where there is none."""
        path = self.release / sheet_name(self.chapter)
        return _bytes(path, path.stat().st_mtime_ns) if path.exists() else b""

    @property
    def public_answers(self) -> dict[str, Answers]:
        """The answers in the public sheet; none where it cannot be read."""
        return public_answers(self.sheet)

    @property
    def answers_path(self) -> Path:
        """Where the secret answers are."""
        return self.folder.hidden / "answers" / f"{self.chapter}.answers"

    @property
    def kept(self) -> Kept | None:
        """What the chapter was released with; None when nothing is kept, or nothing that this course can read."""
        path = self.answers_path
        return _kept(path, path.stat().st_mtime_ns) if path.exists() else None

    @property
    def answers(self) -> dict[str, Answers]:
        """The answers to the secret cases. Whether they may be graded by is `to_grade_by`'s to say."""
        return self.released_with.answers

    @property
    def questions(self) -> bytes:
        """The secret cases, as a sandbox is asked them."""
        return self.released_with.questions

    @property
    def released_with(self) -> Kept:
        """What the chapter was released with. Raises ClassFolderError when nothing of it is kept."""
        found = self.kept
        if found is None:
            raise ClassFolderError(
                f"{self.answers_path} cannot be read by this version of the course."
                f" `classroom release {self.folder.root} {self.chapter}` makes it again, from the same secret seeds."
            )
        return found

    def submitted(self, student: str) -> Path:
        """The folder of what a student handed in."""
        return self.folder.submitted(student, self.chapter)

    def autograded(self, student: str) -> Path:
        """The folder of the notebook with the verdicts in it."""
        return self.folder.autograded(student, self.chapter)

    def feedback(self, student: str) -> Path:
        """The folder of a student's page."""
        return self.folder.feedback(student, self.chapter)

    def verdicts(self, student: str) -> Path:
        """What grading found, for the report."""
        return self.folder.hidden / "verdicts" / self.chapter / f"{student}.json"

    def texts(self, student: str) -> Path:
        """On which texts a student's scores stand."""
        return self.folder.hidden / "texts" / self.chapter / f"{student}.json"

    def recording(self, digest: str) -> Path:
        """Where a job's recording is kept."""
        return self.folder.hidden / "recordings" / f"{digest}.recording"


@lru_cache(maxsize=16)
def public_answers(sheet: bytes) -> dict[str, Answers]:
    """The answers in a public answer sheet; none where it cannot be read."""
    try:
        return read_tree(archive.unpack(sheet), "answers")
    except archive.ArchiveError:
        return {}


@lru_cache(maxsize=32)
def _notebook(path: Path, stamp: int) -> NotebookNode:
    return nbformat.read(path, as_version=4)


@lru_cache(maxsize=4)
def _bytes(path: Path, stamp: int) -> bytes:
    return path.read_bytes()


@lru_cache(maxsize=16)
def _kept(path: Path, stamp: int) -> Kept | None:
    try:
        tree = archive.read(path)
        if tree["format"] != FORMAT:
            return None
        answers = {name: Answers.of(part) for name, part in tree["exercises"].items()}
        return Kept(dict(tree["version"]), tree["course"], answers)
    except (archive.ArchiveError, KeyError, TypeError, ValueError):
        return None
