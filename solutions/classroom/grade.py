"""Grading a class: recordings in parallel, judging and the gradebook in order and in one place."""

import logging
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass

import torch
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from course import archive
from solutions.classroom import nbgrader_parts
from solutions.classroom.build import notebook_bytes
from solutions.classroom.engine import digest_of, is_kept, job_of, keep, recorded
from solutions.classroom.folder import ClassFolder, ClassFolderError, locked
from solutions.classroom.gradebook import one_engine, open_gradebook
from solutions.classroom.handed_in import read_handed_in
from solutions.classroom.judge import nothing_to_judge
from solutions.classroom.sandbox import Job, Limits, Result, Sandbox
from solutions.classroom.sharing import settled
from solutions.classroom.submission import Submission

IN_USE = (
    "The gradebook is in use by another program, formgrader perhaps. Close it and start again: nothing is lost,"
    " and what has been recorded is not run again."
)


AHEAD = 128
"""Submissions that are read and handed out before the first of them must be done: memory does not grow with the class."""


@dataclass
class Work:
    """One submission on its way: what was read, what is to run of it, and its recording where one is being made."""

    student: str
    submission: Submission
    job: Job | None = None
    digest: str = ""
    recording: Future[Result] | None = None


@dataclass(frozen=True)
class Graded:
    """One submission that is done. ran: whether the sandbox ran it now (otherwise it was remembered)."""

    student: str
    chapter: str
    ran: bool


def grade_class(
    folder: ClassFolder,
    chapters: list[str],
    students: list[str] | None = None,
    *,
    jobs: int = 1,
    again: bool = False,
    device: str = "cpu",
    limits: Limits | None = None,
    isolation: str = "auto",
    executor: Executor | None = None,
    record: Callable[[Job], Result] | None = None,
) -> Iterator[Graded]:
    """Grade these chapters of these students; yields each submission when the gradebook has it.

    jobs: how many submissions run at a time. again: run also what was recorded before. executor and record: where
    and with what recordings are made (a Dask cluster, say); threads and one warm sandbox when left out.
    """
    everybody = folder.students()
    unknown = sorted(set(students or []) - set(everybody))
    if unknown:
        raise ClassFolderError(
            f"Nobody called '{unknown[0]}' handed anything in, and the gradebook knows no such student."
        )
    # judging is many tiny operations; more threads would only wait for the sandbox's
    torch.set_num_threads(1)
    with locked(folder), one_engine():
        sandbox = None
        if record is None:
            sandbox = Sandbox(limits or Limits(), isolation=isolation, device=device)
            record = sandbox.run
        pool = executor or ThreadPoolExecutor(max_workers=jobs)
        if sandbox is not None:
            pool.submit(getattr, sandbox, "isolation")  # it warms up while the answers are made
        try:
            for chapter in chapters:
                yield from _grade_chapter(
                    folder, chapter, students or everybody, pool, record, again, device, executor is not None
                )
        finally:
            if executor is None:
                pool.shutdown(cancel_futures=True)
            if sandbox is not None:
                sandbox.close()


def _grade_chapter(
    folder: ClassFolder,
    chapter: str,
    students: list[str],
    pool: Executor,
    record: Callable[[Job], Result],
    again: bool,
    device: str,
    far: bool,
) -> Iterator[Graded]:
    """far: the pool is a cluster's, which holds no answers; what has to be recorded twice is sent out twice."""
    release = folder.released_notebook(chapter)
    answers = folder.secret_answers(chapter)
    converter = Converter(folder)

    def start(job: Job) -> Future[Result]:
        if far:
            return pool.submit(record, job)
        return pool.submit(lambda: settled(record(job), job, chapter, answers, record))

    def outcome(job: Job, recording: Future[Result]) -> Result:
        if not far:
            return recording.result()
        return settled(
            recording.result(), job, chapter, answers, lambda job: pool.submit(record, job).result()
        )

    def begin(student: str) -> Work:
        work = Work(student, read_handed_in(folder.submitted(student, chapter), chapter, release))
        if not work.submission.unreadable:
            work.job = job_of(folder, chapter, work.submission.notebook, device)
            work.digest = digest_of(work.job, chapter)
            if again or not is_kept(folder, work.digest):
                work.recording = start(work.job)
        return work

    def result_for(work: Work) -> Result | None:
        if work.job is None:
            return None
        if work.recording is None:
            if remembered := recorded(folder, work.digest):
                return remembered
            work.recording = start(work.job)  # what was kept is damaged
        result = outcome(work.job, work.recording)
        keep(folder, work.digest, result)
        return result

    def finish(work: Work) -> Graded:
        result = result_for(work)
        trouble = work.submission.unreadable or converter.autograde(
            folder, chapter, work.student, work.submission, result
        )
        if trouble:
            mark_missing(folder, chapter, work.student, work.submission, trouble)
        return Graded(work.student, chapter, ran=work.recording is not None)

    waiting: deque[Work] = deque()
    for student in students:
        waiting.append(begin(student))
        if len(waiting) == AHEAD:
            yield finish(waiting.popleft())
    while waiting:
        yield finish(waiting.popleft())


class Converter:
    """nbgrader's own autograde, in this process, with the class folder's configuration."""

    def __init__(self, folder: ClassFolder) -> None:
        config = Config(PyFileConfigLoader("nbgrader_config.py", path=str(folder.root)).load_config())
        self.coursedir = CourseDirectory(config=config)
        self.config = config
        self.log = logging.getLogger("classroom.nbgrader")
        self.log.setLevel(logging.CRITICAL)

    def autograde(
        self, folder: ClassFolder, chapter: str, student: str, submission: Submission, result: Result | None
    ) -> str:
        """Write one submission's scores into the gradebook and its notebook into `autograded`; says why it could not.

        nbgrader copies everything that lies beside a notebook, and follows links; so it is given a folder that holds
        nothing but what was read, and the time stamp.
        """
        place = folder.root / nbgrader_parts.INTAKE / student / chapter
        place.mkdir(parents=True, exist_ok=True)
        # gone again in a moment: it need not reach the disk
        (place / f"{chapter}.ipynb").write_bytes(notebook_bytes(nbgrader_parts.annotated(submission)))
        stamp = folder.submitted(student, chapter) / "timestamp.txt"
        if stamp.is_file() and not stamp.is_symlink():
            with stamp.open("rb") as file:
                archive.write_bytes(place / stamp.name, file.read(100))
        self.coursedir.assignment_id, self.coursedir.student_id = chapter, student
        self.coursedir.submitted_directory = nbgrader_parts.INTAKE
        converter = Autograde(coursedir=self.coursedir, config=self.config, log=self.log)
        converter.force = True
        handed_over = nbgrader_parts.recorded_now.set(result)
        try:
            converter.start()
        except NbGraderException as error:
            if "accessing the nbgrader database" in str(error):
                raise ClassFolderError(IN_USE) from None
            return "This submission could not be processed. Show it to whoever runs the course."
        finally:
            nbgrader_parts.recorded_now.reset(handed_over)
            shutil.rmtree(place, ignore_errors=True)
        return ""


def mark_missing(
    folder: ClassFolder, chapter: str, student: str, submission: Submission, reason: str
) -> None:
    """A row for whoever handed in nothing that could be opened: 0 points, and the reason in the feedback."""
    notebook = deepcopy(submission.notebook)
    notebook.metadata["classroom"] = {"unreadable": reason, "notes": []}
    marked = nothing_to_judge(chapter, reason)
    nbgrader_parts.write_verdicts(notebook, chapter, marked, None)
    nbgrader_parts.keep_verdicts(folder, student, chapter, marked, notebook.metadata["classroom"], None)
    archive.write_bytes(folder.autograded(student, chapter) / f"{chapter}.ipynb", notebook_bytes(notebook))
    with open_gradebook(folder) as book:
        book.update_or_create_student(student)
        submitted = book.update_or_create_submission(chapter, student)
        for part in submitted.notebooks:
            for grade in part.grades:
                grade.auto_score, grade.needs_manual_grade = 0, False
        book.db.commit()
