"""Our parts inside nbgrader: its own `autograde` as a driver of the road's stages, one submission at a time.

nbgrader finds the notebook, writes it and keeps the gradebook; we read, record and judge.
"""

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbgrader.converters import Autograde, BaseConverter, GenerateAssignment
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import NbGraderPreprocessor, SaveAutoGrades

from course.exercises import CHAPTERS
from course.judging import archive
from solutions.classroom.assignment import Assignment
from solutions.classroom.folder import ClassFolder, ClassFolderError
from solutions.classroom.grading import road
from solutions.classroom.grading.exchange import carry_over, read_stamp
from solutions.classroom.grading.marking import annotated
from solutions.classroom.grading.rereading import keep_texts, texts_before, texts_of
from solutions.classroom.release.changes import change_of, refuse_what_loses_marks
from solutions.classroom.release.kept_answers import to_grade_by
from solutions.classroom.submission.finding import read_handed_in
from solutions.classroom.submission.running_once import limits_of
from solutions.classroom.submission.sandbox import Limits, Sandbox


def _whose(resources: Any) -> tuple[str, Assignment]:
    """The student and the assignment that nbgrader is at; it works in the class folder."""
    facts = resources["nbgrader"]
    return facts["student"], Assignment(ClassFolder(Path.cwd()), facts["assignment"])


class SubmissionExporter(NotebookExporter):
    """Reads what a student handed in with `read_handed_in`, so that no file whatever ends nbgrader's run."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if isinstance(self.parent, Autograde):  # nbgrader makes its exporter before it touches anything
            _refuse_another_course(self.parent)

    def from_filename(self, filename: str, resources: Any = None, **options: Any) -> Any:
        if not getattr(self.parent, "_sanitizing", False):
            return super().from_filename(filename, resources, **options)
        _, assignment = _whose(resources)
        notebook = annotated(read_handed_in(Path(filename).parent, assignment.chapter, assignment.notebook))
        return self.from_notebook_node(notebook, resources=resources, **options)


class ReleaseExporter(NotebookExporter):
    """nbgrader's own, but it asks the gradebook before nbgrader removes the old release, and not afterwards."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if isinstance(self.parent, GenerateAssignment) and not self.parent.no_database:
            _refuse_what_loses_marks(self.parent)


def _refuse_another_course(autograde: Autograde) -> None:
    """Ends nbgrader's run with one sentence where the chapter was released with another course than is installed."""
    assignment = Assignment(ClassFolder(Path(autograde.coursedir.root)), autograde.coursedir.assignment_id)
    with _in_one_sentence(autograde):
        to_grade_by(assignment)


def _refuse_what_loses_marks(generate: GenerateAssignment) -> None:
    """Ends nbgrader's run with one sentence where the gradebook cannot take what the source notebook asks."""
    assignment = Assignment(ClassFolder(Path(generate.coursedir.root)), generate.coursedir.assignment_id)
    path = assignment.source / f"{assignment.chapter}.ipynb"
    if assignment.chapter in CHAPTERS and path.exists():
        with _in_one_sentence(generate):
            refuse_what_loses_marks(change_of(assignment, nbformat.read(path, as_version=4)), force=True)


@contextmanager
def _in_one_sentence(converter: BaseConverter) -> Iterator[None]:
    try:
        yield
    except ClassFolderError as error:
        converter.log.error(str(error))
        raise NbGraderException(str(error)) from None


def take_by_any_name(*, notebooks: list[str], **_: Any) -> None:
    """Before nbgrader converts a submission: a notebook under another name counts for the chapter's.

    nbgrader would drop it as unknown. It gets the name that it knows; whatever lies there is read by `SubmissionExporter`.
    """
    folder = Path(notebooks[0]).parent
    right = str(folder / f"{folder.name}.ipynb")
    if right not in notebooks:
        notebooks.append(right)


class RunInSandbox(NbGraderPreprocessor):
    """Instead of executing the notebook here: record in the sandbox, judge outside it, write down the verdicts."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        student, assignment = _whose(resources)
        terms = road.Terms(assignment, limits_of(assignment.folder))
        handed_in = road.to_run(terms, student, nb)
        run = the_sandbox(terms.limits).run
        raw = road.remembered(handed_in) or road.record(handed_in, run)
        verdicts = road.mark(road.settle(raw, run))
        archive.write_bytes(assignment.verdicts(student), verdicts)
        return nb, resources


def tidy(assignment: str, student: str, notebooks: list[str]) -> None:
    """After nbgrader's own autograde: beside the notebook lies what belongs there, and nothing else that was handed in.

    nbgrader copies whatever lies beside a submitted notebook, and follows links.
    """
    folder = ClassFolder(Path.cwd())
    for place in {Path(name).parent for name in notebooks}:
        source, graded = folder.source(place.name), folder.autograded(place.parent.name, place.name)
        for path in [path for path in graded.rglob("*") if not path.is_dir()]:
            if path.suffix != ".ipynb" and not (source / path.relative_to(graded)).exists():
                path.unlink()
        carry_over(place, graded)


class SaveAtOnce(SaveAutoGrades):  # type: ignore[misc]
    """nbgrader's own way into the gradebook, all cells in one transaction instead of two for each.

    What a person scored stays scored while the text is the same.
    """

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        student, assignment = _whose(resources)
        self.last = len(nb.cells) - 1
        self.texts, self.before = texts_of(nb), texts_before(assignment, student)
        self.no_time = bool(read_stamp(assignment.submitted(student)).note)
        saved = super().preprocess(nb, resources)
        # later than the scores: after a kill in between, a person is asked once too often, never too seldom
        keep_texts(assignment, student, self.texts)
        return saved  # type: ignore[no-any-return]

    def _add_score(self, cell: NotebookNode, resources: Any) -> None:
        name = cell.metadata.nbgrader.grade_id
        grade = self.gradebook.find_grade(name, self.notebook_id, self.assignment_id, self.student_id)
        read, earned = grade.manual_score is not None and not grade.needs_manual_grade, grade.auto_score
        super()._add_score(cell, resources)
        if read and grade.auto_score == earned and self.texts[name] == self.before.get(name):
            grade.needs_manual_grade = False

    def preprocess_cell(
        self, cell: NotebookNode, resources: Any, cell_index: int
    ) -> tuple[NotebookNode, Any]:
        session = self.gradebook.db
        commit, session.commit = session.commit, session.flush
        try:
            saved = super().preprocess_cell(cell, resources, cell_index)
        finally:
            session.commit = commit
        if cell_index == self.last:
            if self.no_time:  # nbgrader would go by the time of an earlier submission
                self.gradebook.find_submission(self.assignment_id, self.student_id).timestamp = None
            session.commit()
        return saved  # type: ignore[no-any-return]


@cache
def the_sandbox(limits: Limits) -> Sandbox:
    """One warm sandbox for the whole process."""
    sandbox = Sandbox(limits)
    atexit.register(sandbox.close)
    return sandbox
