"""A class folder: the paths of an nbgrader course directory, and its lock."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from traitlets.config import Config
from traitlets.config.loader import ConfigFileNotFound, PyFileConfigLoader

from course.judging import archive
from solutions.classroom.access import follow, share

CONFIG = '''"""nbgrader's configuration of this class: the course's preprocessors, and nothing else."""

from solutions.classroom.nbgrader_parts import configure

configure(get_config(), __file__)  # noqa: F821
'''


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

    @property
    def gradebook(self) -> Path:
        return self.root / "gradebook.db"

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
    for name in (
        ".course",
        "source",
        "submitted",
    ):  # .course first: with it, one that was killed here goes on
        if not (root / name).exists():
            (root / name).mkdir(mode=0o700)
    if not (root / "nbgrader_config.py").exists():
        archive.write_bytes(root / "nbgrader_config.py", CONFIG.encode())
    if group:
        share(root, group)
    follow(root)
    return ClassFolder(root)


def configuration(folder: ClassFolder) -> Config:
    """What the class folder's nbgrader_config.py says. Raises ClassFolderError when there is none."""
    try:
        return Config(PyFileConfigLoader("nbgrader_config.py", path=str(folder.root)).load_config())
    except ConfigFileNotFound:
        raise ClassFolderError(
            f"{folder.root / 'nbgrader_config.py'} is missing. `classroom new {folder.root}` writes it again."
        ) from None


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
