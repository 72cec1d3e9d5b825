"""What a new release would change for those who have handed in already, and whether the gradebook can take it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.api import MissingEntry

from course.exercises import exercises_of
from solutions.classroom.assignment import Assignment
from solutions.classroom.folder import ClassFolderError
from solutions.classroom.gradebook import open_gradebook
from solutions.classroom.release.source_notebook import grade_id


@dataclass(frozen=True)
class Cells:
    """What nbgrader knows of a notebook: the names of its cells by kind, and the points of those that are graded."""

    kinds: dict[str, set[str]] = field(default_factory=dict)
    points: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, notebook: NotebookNode) -> "Cells":
        tests = {"grade": utils.is_grade, "solution": utils.is_solution, "task": utils.is_task}
        cells = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
        named = {
            kind: {cell.metadata.nbgrader.grade_id for cell in cells if test(cell)}
            for kind, test in tests.items()
        }
        locked = {cell.metadata.nbgrader.grade_id for cell in cells if utils.is_locked(cell)}
        graded = [cell.metadata.nbgrader for cell in cells if utils.is_grade(cell)]
        return cls(
            named | {"source": locked | named["grade"] | named["solution"] | named["task"]},
            {facts.grade_id: float(facts.points) for facts in graded},
        )


@dataclass(frozen=True)
class Change:
    """From what was released to what is to be. booked: submissions in the gradebook. handed_in: students who handed in."""

    assignment: Assignment
    before: Cells | None
    after: Cells
    booked: int
    handed_in: int

    @property
    def chapter(self) -> str:
        return self.assignment.chapter

    @property
    def cells(self) -> bool:
        """Whether cells come or go, which nbgrader refuses once there are submissions."""
        return self.before is not None and self.before.kinds != self.after.kinds

    @property
    def asked(self) -> list[str]:
        """What is asked for and was not, or the other way round, in words."""
        before = self.before.points if self.before else self.after.points
        return [*_gained_and_lost(self.chapter, set(before), set(self.after.points))]

    @property
    def in_words(self) -> str:
        if self.asked or self.before is None:
            return ", ".join(self.asked)
        names = [set().union(*cells.kinds.values()) for cells in (self.before, self.after)]
        return ", ".join(_gained_and_lost(self.chapter, *names)) or "its cells are of other kinds"

    @property
    def worth(self) -> list[str]:
        """Other points than before, in words."""
        before, now = (self.before or self.after).points, self.after.points
        changed = [name for name in now if before.get(name, now[name]) != now[name]]
        return [f"{_called(self.chapter, n)} is worth {now[n]:g} instead of {before[n]:g}" for n in changed]


def change_of(assignment: Assignment, notebook: NotebookNode) -> Change:
    """What it would change to release this source notebook now."""
    folder, chapter = assignment.folder, assignment.chapter
    before, booked = None, 0
    path = assignment.release / f"{chapter}.ipynb"
    if path.exists():
        before = Cells.of(assignment.notebook)
    if folder.gradebook.exists():
        with open_gradebook(folder) as book:
            try:
                known = book.find_notebook(chapter, chapter)
            except MissingEntry:
                pass
            else:
                booked = len(known.submissions)
                kinds = {
                    "grade": known.grade_cells,
                    "solution": known.solution_cells,
                    "task": known.task_cells,
                    "source": known.source_cells,
                }
                points = {cell.name: float(cell.max_score) for cell in known.grade_cells}
                before = Cells({kind: {cell.name for cell in many} for kind, many in kinds.items()}, points)
    handed_in = sum(1 for _ in (folder.root / "submitted").glob(f"*/{chapter}"))
    return Change(assignment, before, Cells.of(notebook), booked, handed_in)


def refuse_what_loses_marks(change: Change, force: bool) -> None:
    """Raises ClassFolderError with the remedy: when the gradebook cannot follow, or (unless `force`) those who handed in."""
    folder, chapter = change.assignment.folder, change.chapter
    again = f"`classroom release {folder.root} {change.chapter} --force`"
    was = change.assignment.kept
    old = f" ({was.course})" if was else ""
    if change.cells and change.booked:
        raise ClassFolderError(
            f"{chapter} stays as it was released: the new one differs ({change.in_words}), and nbgrader cannot change"
            f" a chapter of which the gradebook has submissions ({change.booked}). Go on with the course that it was"
            f" released with{old}; or give up the chapter's due date and all its marks, those given by hand too, with"
            f" `nbgrader db assignment remove {chapter} --force` in {folder.root}, and then {again}."
        )
    if change.asked and change.handed_in and not force:
        raise ClassFolderError(
            f"{chapter} stays as it was released: the new one asks something else ({change.in_words}), and"
            f" {_people(change.handed_in)} handed in the old one, which can earn nothing for what is new."
            f" Go on with the course that it was released with{old}, or release it all the same: {again}."
        )


def _people(count: int) -> str:
    return "one student has" if count == 1 else f"{count} students have"


def _gained_and_lost(chapter: str, before: Iterable[str], after: Iterable[str]) -> list[str]:
    gained = [f"{_called(chapter, name)} is new" for name in sorted(set(after) - set(before))]
    return gained + [f"{_called(chapter, name)} is gone" for name in sorted(set(before) - set(after))]


def _called(chapter: str, name: str) -> str:
    """A cell's name for people: the exercise's, where it is one's."""
    return {grade_id(exercise): exercise for exercise in exercises_of(chapter)}.get(name, name)
