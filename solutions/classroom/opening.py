"""Opening a class folder: what every command on an existing class folder does first, whatever it is about to do."""

from pathlib import Path

from course.exercises import CHAPTERS
from solutions.classroom.access import follow
from solutions.classroom.folder import ClassFolder, ClassFolderError
from solutions.classroom.gradebook import assignments
from solutions.classroom.release.publish import finish_what_was_killed


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


def _belongs(folder: ClassFolder) -> None:
    """Is the gradebook ours? One from another course would get our chapters mixed in."""
    foreign = [name for name in assignments(folder) if name not in CHAPTERS]
    if foreign:
        raise ClassFolderError(
            f"{folder.root / 'gradebook.db'} belongs to another course (it knows '{foreign[0]}')."
            " Move it away, or make a new class folder."
        )
