"""A submission's way through grading: read → record → settle → convert → book.

    book(gradebook, [convert(settle(record(read(terms, student), run), run), rules)], rules)

Each stage is a function from one value to the next. Threads, a cluster and nbgrader's own autograde are three drivers of
the same stages: they differ in who runs a job. Everything up to `settle` is kept at once, so nothing runs twice after
a kill; everything up to `convert` concerns one submission alone. The gradebook is written in one place, several
submissions a transaction.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from nbformat import NotebookNode
from nbgrader.api import Gradebook

from course.judging import archive
from solutions.classroom.assignment import Assignment
from solutions.classroom.grading.booking import Entry, enter, file_of, lay_down, scores_of
from solutions.classroom.grading.class_rules import ClassRules
from solutions.classroom.grading.exchange import read_stamp
from solutions.classroom.grading.judge import judge, nothing_to_judge
from solutions.classroom.grading.marking import add_note, annotated, unreadable, verdicts_file, write_verdicts
from solutions.classroom.grading.rereading import keep_older_texts, texts_of
from solutions.classroom.grading.settle import settled
from solutions.classroom.submission.finding import read_handed_in
from solutions.classroom.submission.reading import Submission
from solutions.classroom.submission.running_once import digest_of, job_of, keep, recorded
from solutions.classroom.submission.sandbox import Job, Limits, Result

Run = Callable[[Job], Result]
"""Runs a job: in this machine's sandbox, or in one elsewhere."""


@dataclass(frozen=True)
class Terms:
    """On which terms a chapter is graded."""

    assignment: Assignment
    limits: Limits
    device: str = "cpu"


@dataclass(frozen=True)
class HandedIn:
    """What a student handed in, and what is to run of it: nothing of what could not be read. absent: nothing was handed in."""

    terms: Terms
    student: str
    notebook: NotebookNode
    job: Job | None = None
    digest: str = ""
    absent: bool = False

    @property
    def assignment(self) -> Assignment:
        return self.terms.assignment


@dataclass(frozen=True)
class Recorded:
    """What it did. now: it ran, and was not remembered."""

    handed_in: HandedIn
    result: Result | None = None
    now: bool = False


def read(terms: Terms, student: str) -> HandedIn:
    """Find a student's notebook, lay it on the release's rails, and say what is to run."""
    assignment = terms.assignment
    submission = read_handed_in(assignment.submitted(student), assignment.chapter, assignment.notebook)
    return as_read(terms, student, submission)


def as_read(terms: Terms, student: str, submission: Submission) -> HandedIn:
    """The same for a submission that has been read."""
    return replace(to_run(terms, student, annotated(submission)), absent=submission.absent)


def to_run(terms: Terms, student: str, notebook: NotebookNode) -> HandedIn:
    """The same for a notebook that holds what was found when it was read."""
    if unreadable(notebook):
        return HandedIn(terms, student, notebook)
    job = job_of(terms.assignment, notebook, terms.device)
    return HandedIn(terms, student, notebook, job, digest_of(job, terms.assignment.chapter, terms.limits))


def remembered(handed_in: HandedIn, again: bool = False) -> Recorded | None:
    """What an equal job did before; None when it has to run. again: run it in any case."""
    if handed_in.job is None:
        return Recorded(handed_in)
    result = None if again else recorded(handed_in.assignment, handed_in.digest)
    return None if result is None else Recorded(handed_in, result)


def record(handed_in: HandedIn, run: Run) -> Recorded:
    """Run what is not remembered."""
    assert handed_in.job is not None
    return Recorded(handed_in, run(handed_in.job), now=True)


def settle(raw: Recorded, run: Run) -> Recorded:
    """Run what is doubtful once more, ask what is wrong the public cases, and keep all that was recorded."""
    handed_in = raw.handed_in
    if raw.result is None or handed_in.job is None or not raw.now:
        return raw
    assignment = handed_in.assignment
    result = settled(raw.result, handed_in.job, assignment.chapter, assignment.answers, run)
    keep(assignment, handed_in.digest, result)
    return replace(raw, result=result)


def convert(final: Recorded, rules: ClassRules) -> Entry:
    """Judge it; write the notebook with its verdicts, and what the report needs; say what the gradebook is to be told."""
    handed_in, assignment = final.handed_in, final.handed_in.assignment
    keep_older_texts(assignment, handed_in.student)
    verdicts = mark(final)
    lay_down(assignment, handed_in.student, file_of(handed_in.notebook), rules)
    archive.write_bytes(assignment.verdicts(handed_in.student), verdicts)
    scores, blank = scores_of(handed_in.notebook)
    return Entry(
        assignment,
        handed_in.student,
        read_stamp(assignment.submitted(handed_in.student)),
        scores,
        blank,
        texts_of(handed_in.notebook),
    )


def mark(final: Recorded) -> bytes:
    """Write the verdicts into the notebook; return what the report is made from."""
    handed_in, assignment, result = final.handed_in, final.handed_in.assignment, final.result
    notebook, chapter = handed_in.notebook, assignment.chapter
    if note := read_stamp(assignment.submitted(handed_in.student)).note:
        add_note(notebook, note)
    if result is None or handed_in.job is None:
        marked = nothing_to_judge(chapter, unreadable(notebook))
    else:
        marked = judge(chapter, result, handed_in.job, assignment.answers)
    write_verdicts(notebook, chapter, marked, result)
    return verdicts_file(notebook, marked, result)


def book(gradebook: Gradebook, entries: Sequence[Entry], rules: ClassRules) -> list[str]:
    """Bring submissions into the gradebook, all in one transaction; why one could not be brought in, or ""."""
    return enter(gradebook, entries, rules)
