"""Our parts inside nbgrader: how a submission is read, and what takes the place of running its cells.

A class folder's `nbgrader_config.py` calls `configure`; everything else of nbgrader is used as it is.
"""

import atexit
import json
import warnings
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor, SaveAutoGrades

from course import archive
from course.exercises import exercises_of
from solutions.classroom.access import follow, is_shared
from solutions.classroom.build import ANSWER, STUB, grade_id
from solutions.classroom.engine import job_of, run
from solutions.classroom.exchange import careful_timestamps, carry_over, read_stamp
from solutions.classroom.folder import ClassFolder
from solutions.classroom.judge import Marked, judge, nothing_to_judge
from solutions.classroom.rereading import keep_texts, texts_before, texts_of
from solutions.classroom.sandbox import Result, Sandbox
from solutions.classroom.submission import Submission, read_submission

HERE = "solutions.classroom.nbgrader_parts"
INTAKE = ".course/intake"
"""Where `classroom grade` lays out what it has read: nothing but notebooks of our own writing."""


def configure(config: Any, config_file: str) -> None:
    """Everything that a class folder's nbgrader needs to know."""
    warnings.filterwarnings("ignore", module="nbgrader")  # SQLAlchemy 2 warns in every call of nbgrader's own
    root = Path(config_file).resolve().parent
    config.CourseDirectory.groupshared = is_shared(root)
    follow(root)
    config.CourseDirectory.root = str(root)
    config.CourseDirectory.course_id = (
        "".join(c if c.isalnum() or c in "-_" else "_" for c in root.name) or "course"
    )
    config.ClearSolutions.code_stub = {"python": "\n".join(STUB)}
    config.ClearSolutions.text_stub = ANSWER
    config.Autograde.exporter_class = f"{HERE}.SubmissionExporter"
    config.Autograde.sanitize_preprocessors = []
    config.Autograde.post_convert_hook = f"{HERE}.tidy"
    config.Autograde.autograde_preprocessors = [
        f"{HERE}.RunInSandbox",
        f"{HERE}.SaveAtOnce",
        "nbgrader.preprocessors.AssignLatePenalties",
    ]
    config.ExchangeFactory.collect = "solutions.classroom.exchange.Collect"
    config.ExportApp.plugin_class = "solutions.classroom.export.GradesWithState"
    config.HTMLExporter.sanitize_html = True
    careful_timestamps()


class SubmissionExporter(NotebookExporter):
    """Reads what a student handed in with `read_submission`, so that no file whatever ends nbgrader's run."""

    def from_filename(self, filename: str, resources: Any = None, **options: Any) -> Any:
        ours = Path(filename).resolve().is_relative_to(Path(INTAKE).resolve())
        if ours or not getattr(self.parent, "_sanitizing", False):
            return super().from_filename(filename, resources, **options)
        chapter = resources["nbgrader"]["assignment"]
        release = ClassFolder(Path.cwd()).released_notebook(chapter)
        notebook = annotated(read_submission(Path(filename), release))
        return self.from_notebook_node(notebook, resources=resources, **options)


def annotated(submission: Submission) -> NotebookNode:
    """A submission's notebook, with what was found when it was read."""
    submission.notebook.metadata["classroom"] = {
        "unreadable": submission.unreadable,
        "notes": submission.notes,
    }
    return submission.notebook


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
    facts = notebook.metadata.setdefault("classroom", {})
    if note := read_stamp(folder.submitted(student, chapter)).note:
        facts["notes"] = [*facts.get("notes", []), note]
    result = None
    if facts.get("unreadable"):
        marked = nothing_to_judge(chapter, facts["unreadable"])
    else:
        job = job_of(folder, chapter, notebook)
        result = recorded_now.get() or run(folder, chapter, job, the_sandbox())
        marked = judge(chapter, result, job, folder.secret_answers(chapter))
    write_verdicts(notebook, chapter, marked, result)
    keep_verdicts(folder, student, chapter, marked, facts, result)


@cache
def the_sandbox() -> Sandbox:
    """One warm sandbox for the whole process."""
    sandbox = Sandbox()
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
