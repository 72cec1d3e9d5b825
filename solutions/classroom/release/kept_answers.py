"""What a class was released with: the answers to its secret cases, made at the release, and by which course.

Grading compares with these and with nothing newer. Where the installed course has changed since, whatever grading
depends on, it is refused until `classroom release` adopts the new one.
"""

from pathlib import Path

from course.judging import archive
from solutions.classroom.assignment import Assignment, Kept
from solutions.classroom.folder import ClassFolderError
from solutions.classroom.release.answers import answer_sheet, sheet_tree
from solutions.classroom.release.course_version import course_digests, course_name, differences
from solutions.classroom.release.seeds import secret_seeds, write_private
from solutions.classroom.release.source_notebook import grade_id


def make_answers(assignment: Assignment, path: Path) -> None:
    """Write what the installed course answers to the class's secret cases."""
    sheet = answer_sheet(assignment.chapter, secret_seeds(assignment))
    made_by = {"version": course_digests(assignment.chapter), "course": course_name()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, archive.pack(sheet_tree(sheet) | made_by))


def is_current(assignment: Assignment) -> bool:
    """Whether the chapter was released with the course that is installed, as far as grading depends on it."""
    found = assignment.kept
    return found is not None and found.version == course_digests(assignment.chapter)


def to_grade_by(assignment: Assignment) -> Kept:
    """What the chapter was released with. Raises ClassFolderError when it is not released, or by another course than is installed.

    A class that an older version of this project released has none: they are made now if its release asks the same.
    """
    chapter = assignment.chapter
    again = f"`classroom release {assignment.folder.root} {chapter}`"
    released = _points_of(assignment)
    if not assignment.answers_path.exists():
        asked = {grade_id(name): float(one.points) for name, one in assignment.exercises.items()}
        if changes := differences(_words(released), _words(asked)):
            raise ClassFolderError(
                f"{chapter} was released with another version of the course ({_listed(changes)})."
                f" Grade it with that version, or adopt this one: {again}."
            )
        make_answers(assignment, assignment.answers_path)
    found = assignment.released_with
    if changes := differences(found.version, course_digests(chapter)):
        raise ClassFolderError(
            f"{chapter} was released with another version of the course ({found.course}; since then {_listed(changes)})."
            f" Grade it with that version, or adopt this one: {again}; the next `classroom grade` then gives all"
            " its marks by the new one."
        )
    return found


def _points_of(assignment: Assignment) -> dict[str, float]:
    """grade id → points of the exercises that the released notebook asks for."""
    cells = assignment.notebook.cells
    facts = [cell.metadata.get("nbgrader", {}) for cell in cells if cell.cell_type == "code"]
    return {one["grade_id"]: float(one["points"]) for one in facts if one.get("grade")}


def _words(points: dict[str, float]) -> dict[str, str]:
    return {name: f"{number:g}" for name, number in points.items()}


def _listed(changes: list[str]) -> str:
    """The first few, and how many more there are."""
    more = len(changes) - 3
    return ", ".join(changes[:3]) + (f" and {more} more" if more > 0 else "")
