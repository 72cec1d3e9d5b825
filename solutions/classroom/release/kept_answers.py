"""What a class was released with: the answers to its secret cases, made at the release, and by which course.

Grading compares with these and with nothing newer. Where the installed course has changed since, whatever grading
depends on, it is refused until `classroom release` adopts the new one.
"""

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from course.exercises import exercises_of
from course.judging import archive
from course.judging.sheets import FORMAT, Answers
from solutions.classroom.folder import ClassFolder, ClassFolderError
from solutions.classroom.release.answers import answer_sheet, sheet_tree
from solutions.classroom.release.course_version import course_digests, course_name, differences
from solutions.classroom.release.seeds import keep_private
from solutions.classroom.release.source_notebook import grade_id


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


def kept_path(folder: ClassFolder, chapter: str) -> Path:
    """Where a chapter's secret answers are."""
    return folder.hidden / "answers" / f"{chapter}.answers"


def make_answers(folder: ClassFolder, chapter: str, path: Path) -> None:
    """Write what the installed course answers to the class's secret cases."""
    sheet = answer_sheet(chapter, folder.secret_seeds(chapter))
    made_by = {"version": course_digests(chapter), "course": course_name()}
    path.parent.mkdir(parents=True, exist_ok=True)
    archive.write_bytes(path, archive.pack(sheet_tree(sheet) | made_by), private=True)
    keep_private(path)


def kept(folder: ClassFolder, chapter: str) -> Kept | None:
    """What the chapter was released with; None when nothing is kept, or nothing that this course can read."""
    path = kept_path(folder, chapter)
    return _read(path, path.stat().st_mtime_ns) if path.exists() else None


@lru_cache(maxsize=16)
def _read(path: Path, stamp: int) -> Kept | None:
    try:
        tree = archive.read(path)
        if tree["format"] != FORMAT:
            return None
        answers = {name: Answers.of(part) for name, part in tree["exercises"].items()}
        return Kept(dict(tree["version"]), tree["course"], answers)
    except (archive.ArchiveError, KeyError, TypeError, ValueError):
        return None


def is_current(folder: ClassFolder, chapter: str) -> bool:
    """Whether the chapter was released with the course that is installed, as far as grading depends on it."""
    found = kept(folder, chapter)
    return found is not None and found.version == course_digests(chapter)


def to_grade_by(folder: ClassFolder, chapter: str) -> Kept:
    """What the chapter was released with. Raises ClassFolderError when they were made by another course than is installed.

    A class that an older version of this project released has none: they are made now if its release asks the same.
    """
    again = f"`classroom release {folder.root} {chapter}`"
    if not kept_path(folder, chapter).exists():
        released = _points_of(folder, chapter)
        asked = {grade_id(name): float(one.points) for name, one in exercises_of(chapter).items()}
        if changes := differences(_words(released), _words(asked)):
            raise ClassFolderError(
                f"{chapter} was released with another version of the course ({_listed(changes)})."
                f" Grade it with that version, or adopt this one: {again}."
            )
        make_answers(folder, chapter, kept_path(folder, chapter))
    found = kept(folder, chapter)
    if found is None:
        raise ClassFolderError(
            f"{kept_path(folder, chapter)} cannot be read by this version of the course."
            f" {again} makes it again, from the same secret seeds."
        )
    if changes := differences(found.version, course_digests(chapter)):
        raise ClassFolderError(
            f"{chapter} was released with another version of the course ({found.course}; since then {_listed(changes)})."
            f" Grade it with that version, or adopt this one: {again}; the next `classroom grade` then gives all"
            " its marks by the new one."
        )
    return found


def _points_of(folder: ClassFolder, chapter: str) -> dict[str, float]:
    """grade id → points of the exercises that the released notebook asks for."""
    cells = folder.released_notebook(chapter).cells
    facts = [cell.metadata.get("nbgrader", {}) for cell in cells if cell.cell_type == "code"]
    return {one["grade_id"]: float(one["points"]) for one in facts if one.get("grade")}


def _words(points: dict[str, float]) -> dict[str, str]:
    return {name: f"{number:g}" for name, number in points.items()}


def _listed(changes: list[str]) -> str:
    """The first few, and how many more there are."""
    more = len(changes) - 3
    return ", ".join(changes[:3]) + (f" and {more} more" if more > 0 else "")
