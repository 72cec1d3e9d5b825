"""Our parts inside nbgrader: how a submission is read, and what takes the place of running its cells.

A class folder's `nbgrader_config.py` calls `configure`; everything else of nbgrader is used as it is.
"""

import atexit
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbgrader.converters import Autograde, BaseConverter, GenerateAssignment
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import NbGraderPreprocessor, SaveAutoGrades

from course.exercises import CHAPTERS, exercises_of
from course.judging import archive
from solutions.classroom.access import follow, is_shared
from solutions.classroom.feedback.formgrader_guard import guard
from solutions.classroom.folder import ClassFolder, ClassFolderError, finish_what_was_killed
from solutions.classroom.grading.exchange import careful_timestamps, carry_over, read_stamp
from solutions.classroom.grading.judge import Marked, judge, nothing_to_judge
from solutions.classroom.grading.rereading import keep_texts, texts_before, texts_of
from solutions.classroom.release.changes import change_of, refuse_what_loses_marks
from solutions.classroom.release.source_notebook import ANSWER, STUB, grade_id
from solutions.classroom.submission.finding import read_handed_in
from solutions.classroom.submission.job import job_of, limits_of, run
from solutions.classroom.submission.reading import Submission
from solutions.classroom.submission.sandbox import Limits, Result, Sandbox

HERE = "solutions.classroom.grading.nbgrader_hooks"
INTAKE = ".course/intake"
"""Where `classroom grade` lays out what it has read: nothing but notebooks of our own writing."""


def configure(config: Any, config_file: str) -> None:
    """Everything that a class folder's nbgrader needs to know."""
    warnings.filterwarnings("ignore", module="nbgrader")  # SQLAlchemy 2 warns in every call of nbgrader's own
    root = Path(config_file).resolve().parent
    finish_what_was_killed(ClassFolder(root))
    config.CourseDirectory.groupshared = is_shared(root)
    follow(root)
    config.CourseDirectory.root = str(root)
    config.CourseDirectory.course_id = (
        "".join(c if c.isalnum() or c in "-_" else "_" for c in root.name) or "course"
    )
    config.ClearSolutions.code_stub = {"python": "\n".join(STUB)}
    config.ClearSolutions.text_stub = ANSWER
    config.Autograde.exporter_class = f"{HERE}.SubmissionExporter"
    config.Autograde.pre_convert_hook = f"{HERE}.take_by_any_name"
    config.Autograde.sanitize_preprocessors = []
    config.Autograde.post_convert_hook = f"{HERE}.tidy"
    config.Autograde.autograde_preprocessors = [
        f"{HERE}.RunInSandbox",
        f"{HERE}.SaveAtOnce",
        "nbgrader.preprocessors.AssignLatePenalties",
    ]
    config.GenerateAssignment.exporter_class = f"{HERE}.ReleaseExporter"
    config.ExchangeFactory.collect = "solutions.classroom.grading.exchange.Collect"
    config.GenerateFeedback.exporter_class = "solutions.classroom.feedback.pages.FeedbackPage"
    config.ExportApp.plugin_class = "solutions.classroom.feedback.export.GradesWithState"
    config.HTMLExporter.sanitize_html = True
    careful_timestamps()
    guard()


class SubmissionExporter(NotebookExporter):
    """Reads what a student handed in with `read_handed_in`, so that no file whatever ends nbgrader's run."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if isinstance(self.parent, Autograde):  # nbgrader makes its exporter before it touches anything
            _refuse_another_course(self.parent)

    def from_filename(self, filename: str, resources: Any = None, **options: Any) -> Any:
        ours = Path(filename).resolve().is_relative_to(Path(INTAKE).resolve())
        if ours or not getattr(self.parent, "_sanitizing", False):
            return super().from_filename(filename, resources, **options)
        chapter = resources["nbgrader"]["assignment"]
        release = ClassFolder(Path.cwd()).released_notebook(chapter)
        notebook = annotated(read_handed_in(Path(filename).parent, chapter, release))
        return self.from_notebook_node(notebook, resources=resources, **options)


class ReleaseExporter(NotebookExporter):
    """nbgrader's own, but it asks the gradebook before nbgrader removes the old release, and not afterwards."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if isinstance(self.parent, GenerateAssignment) and not self.parent.no_database:
            _refuse_what_loses_marks(self.parent)


def _refuse_another_course(autograde: Autograde) -> None:
    """Ends nbgrader's run with one sentence where the chapter was released with another course than is installed."""
    folder = ClassFolder(Path(autograde.coursedir.root))
    with _in_one_sentence(autograde):
        folder.released_notebook(autograde.coursedir.assignment_id)
        folder.secret_answers(autograde.coursedir.assignment_id)


def _refuse_what_loses_marks(generate: GenerateAssignment) -> None:
    """Ends nbgrader's run with one sentence where the gradebook cannot take what the source notebook asks."""
    folder, chapter = ClassFolder(Path(generate.coursedir.root)), generate.coursedir.assignment_id
    path = folder.source(chapter) / f"{chapter}.ipynb"
    if chapter in CHAPTERS and path.exists():
        with _in_one_sentence(generate):
            change = change_of(folder, chapter, nbformat.read(path, as_version=4))
            refuse_what_loses_marks(folder, change, force=True)


@contextmanager
def _in_one_sentence(converter: BaseConverter) -> Iterator[None]:
    try:
        yield
    except ClassFolderError as error:
        converter.log.error(str(error))
        raise NbGraderException(str(error)) from None


def annotated(submission: Submission) -> NotebookNode:
    """A submission's notebook, with what was found when it was read: each note at its cell, the others at the notebook."""
    notebook = submission.notebook
    places = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell.metadata for cell in notebook.cells}
    places.pop(None, None)
    notebook.metadata["classroom"] = {"unreadable": submission.unreadable, "notes": []}
    for metadata in places.values():
        metadata.pop("classroom", None)
    for note in submission.notes:
        metadata = places.get(note.cell, notebook.metadata)
        metadata.setdefault("classroom", NotebookNode(notes=[]))["notes"].append(note.text)
    return notebook


def notes_of(notebook: NotebookNode) -> list[str]:
    """All notes of an annotated notebook, those of the whole first."""
    places = [notebook.metadata, *(cell.metadata for cell in notebook.cells)]
    return [note for metadata in places for note in metadata.get("classroom", {}).get("notes", ())]


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
        facts = resources["nbgrader"]
        mark_notebook(ClassFolder(Path.cwd()), facts["student"], facts["assignment"], nb)
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
        facts = resources["nbgrader"]
        folder, student, chapter = ClassFolder(Path.cwd()), facts["student"], facts["assignment"]
        self.last = len(nb.cells) - 1
        self.texts, self.before = texts_of(nb), texts_before(folder, student, chapter)
        self.no_time = bool(read_stamp(folder.submitted(student, chapter)).note)
        saved = super().preprocess(nb, resources)
        # later than the scores: after a kill in between, a person is asked once too often, never too seldom
        keep_texts(folder, student, chapter, self.texts)
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


recorded_now: ContextVar[Result | None] = ContextVar("recorded_now", default=None)
"""What has just been recorded of the submission that nbgrader is about to convert; without it, it is recorded here."""


def mark_notebook(folder: ClassFolder, student: str, chapter: str, notebook: NotebookNode) -> None:
    """Run, judge, and write the verdicts into the notebook's graded cells and beside the gradebook."""
    if note := read_stamp(folder.submitted(student, chapter)).note:
        known = notebook.metadata.setdefault("classroom", NotebookNode(unreadable="", notes=[]))
        known["notes"] = [*known["notes"], note]
    facts = notebook.metadata.get("classroom", {}) | {"notes": notes_of(notebook)}
    result = None
    if facts.get("unreadable"):
        marked = nothing_to_judge(chapter, facts["unreadable"])
    else:
        job = job_of(folder, chapter, notebook)
        result = recorded_now.get() or run(folder, chapter, job, the_sandbox(limits_of(folder)))
        marked = judge(chapter, result, job, folder.secret_answers(chapter))
    write_verdicts(notebook, chapter, marked, result)
    keep_verdicts(folder, student, chapter, marked, facts, result)


@cache
def the_sandbox(limits: Limits) -> Sandbox:
    """One warm sandbox for the whole process."""
    sandbox = Sandbox(limits)
    atexit.register(sandbox.close)
    return sandbox


def write_verdicts(
    notebook: NotebookNode, chapter: str, marked: dict[str, Marked], result: Result | None
) -> None:
    """Outputs as an instructor sees them: plain text of the student's cells, and the verdict under each check."""
    exercises = {grade_id(name): name for name in exercises_of(chapter)}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.outputs, cell.execution_count = [], None
        name = exercises.get(cell.metadata.get("nbgrader", {}).get("grade_id", ""))
        if name is not None:
            cell.outputs = [_verdict_output(marked[name])]
        elif result is not None and cell["id"] in result.cells:
            seen = result.cells[cell["id"]]
            text = seen.text + (f"\n({seen.status})" if seen.status not in ("ran", "raised") else "")
            if text.strip():
                cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)]


def _verdict_output(marked: Marked) -> NotebookNode:
    """Full marks: a line on stdout. None: an error. nbgrader reads its score off exactly these."""
    verdict = marked.verdict
    text = f"{verdict.message} ({verdict.points:g} of {verdict.of:g} points)"
    if verdict.right:
        return nbformat.v4.new_output("stream", name="stdout", text=f"✔ {text}\n")
    return nbformat.v4.new_output(
        "error", ename=verdict.kind, evalue=verdict.message, traceback=[f"✘ {text}"]
    )


def keep_verdicts(
    folder: ClassFolder,
    student: str,
    chapter: str,
    marked: dict[str, Marked],
    facts: Any,
    result: Result | None,
) -> None:
    """What the report is made from."""
    tree = {
        "unreadable": facts.get("unreadable", ""),
        "notes": list(facts.get("notes", [])),
        "isolation": result.isolation if result else "",
        "seconds": result.seconds if result else 0.0,
        "exercises": {
            name: {
                "kind": item.verdict.kind,
                "points": item.verdict.points,
                "of": item.verdict.of,
                "message": item.verdict.message,
                "misconception": item.verdict.misconception,
                "follows": item.verdict.follows,
                "seconds": item.seconds,
            }
            for name, item in marked.items()
        },
    }
    path = folder.hidden / "verdicts" / chapter / f"{student}.json"
    archive.write_bytes(path, json.dumps(tree, indent=1, ensure_ascii=False).encode())
