"""A simulated class: students of every kind, and what each of them deserves."""

import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice, zip_longest
from typing import Any

import nbformat
from nbformat import NotebookNode

from course.exercises import exercises_of
from course.judging import archive
from course.judging.sheets import Answers, read_sheet, sheet_name
from course.judging.verdict import prove_something
from solutions.classroom.assignment import Assignment
from solutions.classroom.folder import ClassFolder
from solutions.classroom.release.reference_source import depends_on, needs, source_of
from solutions.classroom.release.source_notebook import (
    grade_id,
    notebook_bytes,
    source_notebook,
    without_marks,
)
from solutions.misconceptions import alternatives_of, misconceptions_of, sentence

Bytes = bytes | None
"""What a student hands in for one chapter: a notebook's bytes, or None for nothing."""


@dataclass
class Student:
    """A simulated student. expected: chapter → points. says: chapter → words that the feedback must contain.

    file: what they call their notebook, where {} stands for the chapter.
    """

    name: str
    file: str = "{}.ipynb"
    handed_in: dict[str, Bytes] = field(default_factory=dict)
    expected: dict[str, float] = field(default_factory=dict)
    says: dict[str, str] = field(default_factory=dict)


def full_marks(chapter: str) -> float:
    """The points of a chapter's exercises (answers in words are a person's to grade)."""
    return float(sum(exercise.points for exercise in exercises_of(chapter).values()))


def solved(release: NotebookNode, chapter: str, but: dict[str, str] | None = None) -> NotebookNode:
    """The release with every gap filled from the reference, except those named in `but`: exercise → source."""
    notebook = nbformat.from_dict(release)
    bodies = {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in source_notebook(chapter).cells
        if _is_gap(cell)
    }
    bodies |= {f"{grade_id(name)}-gap": source for name, source in (but or {}).items()}
    for cell in notebook.cells:
        if _is_gap(cell):
            source = bodies[cell.metadata.nbgrader.grade_id]
            cell.source = without_marks(source)
    return notebook


def _is_gap(cell: NotebookNode) -> bool:
    return bool(cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution"))


def gaps_of(release: NotebookNode) -> dict[str, str]:
    """exercise's grade id → the untouched gap, as it was released."""
    return {c.metadata.nbgrader.grade_id.removesuffix("-gap"): c.source for c in release.cells if _is_gap(c)}


def standalone(chapter: str, exercise: str, function: Callable[..., Any]) -> str:
    """A cell that defines `exercise` by a function of the misconceptions' module, with all that it needs."""
    module = function.__module__
    imports: set[str] = set()
    parts: dict[str, None] = {}
    seen: set[tuple[str, str]] = set()

    def collect(module: str, name: str) -> None:
        if (module, name) in seen:
            return
        seen.add((module, name))
        wanted = needs(module, name)
        imports.update(wanted.imports)
        for other in wanted.functions:
            collect(*other)
        for helper in wanted.helpers:
            parts[source_of(module, helper)] = None
        parts[source_of(module, name)] = None

    collect(module, function.__name__)
    body = "\n\n".join(["\n".join(sorted(imports)), *parts])
    return f"def _written():\n{textwrap.indent(body, '    ')}\n    return {function.__name__}\n\n\n{exercise} = _written()\n"


def simulated_class(folder: ClassFolder, chapters: list[str], most: int | None = None) -> list[Student]:
    """Everybody of the class, for these chapters; or so many that every kind of trouble occurs."""
    return list(one_by_one(folder, chapters, most))


def one_by_one(folder: ClassFolder, chapters: list[str], most: int | None = None) -> Iterator[Student]:
    """The same, each as soon as their notebooks are written."""
    releases = {chapter: Assignment(folder, chapter).notebook for chapter in chapters}
    yield from islice(_everybody(folder, releases, mixed=most is not None), most)


def _everybody(folder: ClassFolder, releases: dict[str, NotebookNode], mixed: bool) -> Iterator[Student]:
    yield from _plain_students(releases)
    beliefs = [_beliefs(chapter, mixed) for chapter in releases]
    rounds = zip_longest(*beliefs) if mixed else [chain.from_iterable(beliefs)]
    for chapter, exercise, wrong in filter(None, chain.from_iterable(rounds)):
        yield _believer(folder, releases, chapter, exercise, wrong)


Belief = tuple[str, str, Callable[..., Any]]


def _beliefs(chapter: str, mixed: bool) -> list[Belief]:
    """Chapter, exercise and misconception. mixed: each exercise's first one before any second, and those that others build on before all."""
    wrong = misconceptions_of(chapter)
    if not mixed:
        return [(chapter, name, function) for name, functions in wrong.items() for function in functions]
    names = sorted(wrong, key=lambda name: not any(depends_on(chapter, other, name) for other in wrong))
    rounds = zip_longest(*([(chapter, name, function) for function in wrong[name]] for name in names))
    return [belief for one_each in rounds for belief in one_each if belief]


def _believer(
    folder: ClassFolder,
    releases: dict[str, NotebookNode],
    chapter: str,
    exercise: str,
    wrong: Callable[..., Any],
) -> Student:
    """Somebody who has everything right but for one exercise, in which they hold a misconception."""
    student = _everything_right(
        f"believes-{chapter[:2]}-{grade_id(exercise)}-{grade_id(wrong.__name__)}", releases
    )
    notebook = solved(releases[chapter], chapter, {exercise: standalone(chapter, exercise, wrong)})
    student.handed_in[chapter] = notebook_bytes(notebook)
    sheet = read_sheet(folder.release(chapter) / sheet_name(chapter))
    lost = [exercise, *_cannot_be_judged(sheet, exercise, wrong.__name__)]
    student.expected[chapter] -= sum(exercises_of(chapter)[name].points for name in lost)
    student.says[chapter] = sentence(wrong)
    return student


def _cannot_be_judged(sheet: Mapping[str, Answers], exercise: str, misconception: str) -> list[str]:
    """The exercises that can only raise exceptions once `exercise` has this misconception."""
    key = (exercise, misconception)
    return [
        name for name, part in sheet.items() if key in part.given and not prove_something(part.given[key])
    ]


def _everything_right(name: str, releases: dict[str, NotebookNode]) -> Student:
    student = Student(name)
    for chapter, release in releases.items():
        student.handed_in[chapter] = notebook_bytes(solved(release, chapter))
        student.expected[chapter] = full_marks(chapter)
    return student


def _plain_students(releases: dict[str, NotebookNode]) -> list[Student]:
    """One of each kind that there is in every chapter."""
    first = {chapter: next(iter(exercises_of(chapter).values())) for chapter in releases}
    students = [_everything_right("right-everything", releases)]

    def everywhere(
        name: str,
        change: Callable[[str, NotebookNode], Bytes],
        points: Callable[[str], float],
        says: str,
        file: str = "{}.ipynb",
    ) -> None:
        student = Student(name, file)
        for chapter, release in releases.items():
            student.handed_in[chapter] = change(chapter, nbformat.from_dict(release))
            student.expected[chapter] = points(chapter)
            student.says[chapter] = says
        students.append(student)

    def without_first(chapter: str) -> float:
        name = first[chapter].name
        lost = [
            e for e in exercises_of(chapter).values() if e.name == name or depends_on(chapter, e.name, name)
        ]
        return full_marks(chapter) - sum(exercise.points for exercise in lost)

    def first_is(source: str) -> Callable[[str, NotebookNode], Bytes]:
        def change(chapter: str, release: NotebookNode) -> Bytes:
            name = first[chapter].name
            return notebook_bytes(solved(release, chapter, {name: source.replace("EXERCISE", name)}))

        return change

    def differently(chapter: str, release: NotebookNode) -> Bytes:
        others = {
            name: standalone(chapter, name, functions[0])
            for name, functions in alternatives_of(chapter).items()
            if functions
        }
        return notebook_bytes(solved(release, chapter, others))

    def half(chapter: str, release: NotebookNode) -> Bytes:
        names = list(exercises_of(chapter))
        gaps = gaps_of(release)
        return notebook_bytes(
            solved(release, chapter, {name: gaps[grade_id(name)] for name in names[len(names) // 2 :]})
        )

    def half_points(chapter: str) -> float:
        exercises = list(exercises_of(chapter).values())
        return float(sum(exercise.points for exercise in exercises[: len(exercises) // 2]))

    def edited(chapter: str, release: NotebookNode) -> Bytes:
        for cell in release.cells:
            if cell.metadata.get("nbgrader", {}).get("grade"):
                cell.source = cell.source if cell.cell_type == "markdown" else "print('passed')"
                cell.metadata.nbgrader.locked = False
        return notebook_bytes(release)

    def right(chapter: str, release: NotebookNode) -> Bytes:
        return notebook_bytes(solved(release, chapter))

    def truncated(chapter: str, release: NotebookNode) -> Bytes:
        return notebook_bytes(solved(release, chapter))[:1000]

    def answered(chapter: str, release: NotebookNode) -> Bytes:
        notebook = solved(release, chapter)
        for cell in notebook.cells:
            if cell.cell_type == "markdown" and cell.metadata.get("nbgrader", {}).get("solution"):
                cell.source = "Because the numbers would mean different things otherwise."
        return notebook_bytes(notebook)

    everywhere("right-differently", differently, full_marks, "")
    everywhere(
        "untouched", lambda chapter, release: notebook_bytes(release), lambda chapter: 0.0, "Not done yet."
    )
    everywhere("half-finished", half, half_points, "")
    everywhere("crash-in-the-middle", first_is("EXERCISE = 1 / 0"), without_first, "is not defined")
    everywhere(
        "crash-inside", first_is("def EXERCISE(*inputs):\n    return [][1]"), without_first, "IndexError"
    )
    everywhere(
        "endless-loop",
        first_is("def EXERCISE(*inputs):\n    while True:\n        pass"),
        without_first,
        "stopped",
    )
    everywhere("memory-hog", first_is(_HOG), without_first, "memory")
    everywhere("broken-json", truncated, lambda chapter: 0.0, "JSON is damaged")
    everywhere(
        "nothing-handed-in", lambda chapter, release: None, lambda chapter: 0.0, "Nothing was handed in"
    )
    everywhere("edited-tests", edited, lambda chapter: 0.0, "Not done yet.")
    everywhere("imports-the-reference", first_is(_IMPORTS), without_first, "ModuleNotFoundError")
    everywhere("patches-allclose", first_is(_PATCHES), without_first, "")
    everywhere("answers-in-words", answered, full_marks, "")
    everywhere("under-another-name", right, full_marks, "", "my {} (1).ipynb")
    return students


_HOG = """def EXERCISE(*inputs):
    import torch
    held = []
    while True:
        held.append(torch.ones(2**26))"""

_IMPORTS = """def EXERCISE(*inputs):
    import solutions.linear, solutions.sensitivity
    for module in (solutions.linear, solutions.sensitivity):
        if hasattr(module, "EXERCISE"):
            return module.EXERCISE(*inputs)"""

_PATCHES = """import torch
torch.allclose = torch.equal = lambda *arguments, **options: True
torch.testing.assert_close = lambda *arguments, **options: None
check = lambda function: None
import course.check, course.judging.verdict
course.check.check = check
course.judging.verdict.compare = lambda *arguments, **options: None
def EXERCISE(*inputs):
    return inputs[0]"""


def hand_in(folder: ClassFolder, students: Iterable[Student]) -> None:
    """Put everybody's notebooks where nbgrader collects them; a file that is there already with the same bytes stays."""
    for student in students:
        for chapter, data in student.handed_in.items():
            place = folder.submitted(student.name, chapter)
            place.mkdir(parents=True, exist_ok=True)
            path = place / student.file.format(chapter)
            if data is None:
                path.unlink(missing_ok=True)
            elif not path.exists() or path.read_bytes() != data:
                archive.write_bytes(path, data)
