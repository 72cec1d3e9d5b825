"""Grading a class: recordings in parallel, judging and the gradebook in order and in one place."""

import errno
import logging
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from functools import partial

import torch
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from solutions.classroom.folder import ClassFolder, ClassFolderError, locked
from solutions.classroom.grading import nbgrader_hooks
from solutions.classroom.grading.exchange import carry_over
from solutions.classroom.grading.gradebook import forget_absent, one_engine
from solutions.classroom.grading.rereading import keep_older_texts
from solutions.classroom.release.source_notebook import notebook_bytes
from solutions.classroom.submission.finding import read_handed_in
from solutions.classroom.submission.job import digest_of, job_of, keep, limits_of, recorded
from solutions.classroom.submission.reading import Submission
from solutions.classroom.submission.sandbox import Job, Limits, Result, Sandbox, SandboxError
from solutions.classroom.submission.sharing import settled

IN_USE = (
    "The gradebook is in use by another program, formgrader perhaps. Close it and start again: nothing is lost,"
    " and what has been recorded is not run again."
)


NOT_PROCESSED = "This submission could not be processed. Show it to whoever runs the course."

FOR_EVERYBODY = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
"""Errors of the machine, no submission's own: they end the command."""

AHEAD = 128
"""Submissions that are read and not yet in the gradebook: memory does not grow with the class."""

Watch = Callable[[Sequence[str]], None]
"""Is told, every second, whose submissions are running."""


@dataclass
class Work:
    """One submission on its way: what was read, what is to run of it, and its recording: an earlier one, or the one being made."""

    student: str
    submission: Submission
    job: Job | None = None
    digest: str = ""
    remembered: Result | None = None
    recording: Future[Result] | None = None


@dataclass(frozen=True)
class Graded:
    """One student's chapter that is done.

    ran: whether the sandbox ran it now (otherwise it was remembered). absent: nothing was handed in, so there is no
    submission. trouble: why it could not be brought into the gradebook, or "".
    """

    student: str
    chapter: str
    ran: bool
    absent: bool = False
    trouble: str = ""


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
    watch: Watch | None = None,
) -> Iterator[Graded]:
    """Grade these chapters of these students; yields each submission when the gradebook has it, the quick ones first.

    jobs: how many submissions run at a time. again: run also what was recorded before. limits: the class folder's own
    when left out. executor and record: where and with what recordings are made (a Dask cluster, say); threads and one
    warm sandbox when left out. watch: hears whose submissions are waited for.
    """
    everybody = folder.students()
    unknown = sorted(set(students or []) - set(everybody))
    if unknown:
        if sentence := folder.unmatched().get(unknown[0]):
            raise ClassFolderError(sentence)
        raise ClassFolderError(
            f"Nobody called '{unknown[0]}' handed anything in, and the gradebook knows no such student."
        )
    # judging is many tiny operations; more threads would only wait for the sandbox's
    torch.set_num_threads(1)
    with locked(folder), one_engine():
        for chapter in chapters:  # all of them before the first is graded
            folder.released_notebook(chapter)
            folder.secret_answers(chapter)
        limits = limits or limits_of(folder)
        sandbox, stopped = None, threading.Event()
        if record is None:
            sandbox = Sandbox(limits, isolation=isolation, device=device)
            record = sandbox.run
        elif executor is not None:
            record = partial(_far, executor, record, stopped)
        pool = ThreadPoolExecutor(max_workers=jobs if executor is None else AHEAD)
        if sandbox is not None:
            pool.submit(getattr, sandbox, "isolation")  # it warms up while the answers are made
        try:
            for chapter in chapters:
                yield from _grade_chapter(
                    folder, chapter, students or everybody, pool, record, again, device, limits, watch
                )
        finally:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            if sandbox is not None:
                sandbox.close()  # ends what still runs
            pool.shutdown()


def waiting_for(students: Sequence[str], most: int = 3) -> str:
    """Whom the progress line names."""
    names = ["".join(c if c.isprintable() else "?" for c in name[:30]) for name in students[:most]]
    others = len(students) - len(names)
    return f"waiting for {', '.join(names)}{f' and {others} more' if others else ''}" if names else ""


def _far(executor: Executor, record: Callable[[Job], Result], stopped: threading.Event, job: Job) -> Result:
    """A recording that is made elsewhere; the thread that calls this only waits for it, until grading is stopped."""
    recording = executor.submit(record, job)
    while not stopped.is_set():
        if wait([recording], timeout=1).done:
            return recording.result()
    recording.cancel()
    raise SandboxError("Grading was stopped.")


def _grade_chapter(
    folder: ClassFolder,
    chapter: str,
    students: list[str],
    pool: Executor,
    record: Callable[[Job], Result],
    again: bool,
    device: str,
    limits: Limits,
    watch: Watch | None,
) -> Iterator[Graded]:
    """Whoever is done first is booked first; what is recorded is kept at once, whoever is still waited for."""
    release = folder.released_notebook(chapter)
    answers = folder.secret_answers(chapter)
    converter = Converter(folder)

    def make(job: Job, digest: str) -> Result:
        """In a thread of the pool: when the grader is killed a moment later, nothing of this runs again."""
        result = settled(record(job), job, chapter, answers, record)
        keep(folder, digest, result)
        return result

    def begin(student: str) -> Work:
        work = Work(student, read_handed_in(folder.submitted(student, chapter), chapter, release))
        if not work.submission.unreadable:
            work.job = job_of(folder, chapter, work.submission.notebook, device)
            work.digest = digest_of(work.job, chapter, limits)
            work.remembered = None if again else recorded(folder, work.digest)
            if work.remembered is None:
                work.recording = pool.submit(make, work.job, work.digest)
        return work

    def finish(work: Work) -> Graded:
        if is_absent(work.submission):
            forget_absent(folder, chapter, work.student)
            return Graded(work.student, chapter, ran=False, absent=True)
        result = work.remembered if work.recording is None else work.recording.result()
        trouble = converter.autograde(folder, chapter, work.student, work.submission, result)
        if trouble:  # the release as it was, with the reason, is a submission that nothing can go wrong with
            plain = Submission(deepcopy(release), unreadable=trouble)
            trouble = converter.autograde(folder, chapter, work.student, plain, None)
        return Graded(work.student, chapter, ran=work.recording is not None, trouble=trouble)

    waiting: dict[Future[Result], Work] = {}

    def finished(most: int) -> Iterator[Graded]:
        """Book what is done; wait until no more than `most` are not."""
        while waiting:
            done = [recording for recording in waiting if recording.done()]
            for recording in done:
                yield finish(waiting.pop(recording))
            if len(waiting) <= most:
                return
            if watch is not None:
                watch([work.student for recording, work in waiting.items() if recording.running()])
            wait(waiting, timeout=1, return_when=FIRST_COMPLETED)

    for student in students:
        work = begin(student)
        if work.recording is None:
            yield finish(work)
        else:
            waiting[work.recording] = work
        yield from finished(AHEAD - 1)
    yield from finished(0)


def is_absent(submission: Submission) -> bool:
    """Whether nothing was handed in: then there is no submission, as nbgrader has it."""
    return submission.absent


class OneAutograde(Autograde):  # type: ignore[misc]
    """nbgrader's autograde; it tells what the operating system refused, which nbgrader only logs."""

    refused: OSError | None = None

    def init_assignment(self, assignment_id: str, student_id: str) -> None:
        with self._noted():
            super().init_assignment(assignment_id, student_id)

    def convert_single_notebook(self, notebook_filename: str) -> None:
        with self._noted():
            super().convert_single_notebook(notebook_filename)

    @contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.refused = error
            raise


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
        nothing but what was read, and what its later commands ask for.
        """
        try:
            return self._autograde(folder, chapter, student, submission, result)
        except OSError as error:
            ours = str(error.filename or "").startswith(str(folder.hidden))
            if error.errno in FOR_EVERYBODY or (ours and isinstance(error, PermissionError)):
                raise
            return f"{NOT_PROCESSED[:-1]} ({error.strerror})."

    def _autograde(
        self, folder: ClassFolder, chapter: str, student: str, submission: Submission, result: Result | None
    ) -> str:
        place = folder.root / nbgrader_hooks.INTAKE / student / chapter
        place.mkdir(parents=True, exist_ok=True)
        # gone again in a moment: it need not reach the disk
        (place / f"{chapter}.ipynb").write_bytes(notebook_bytes(nbgrader_hooks.annotated(submission)))
        carry_over(folder.submitted(student, chapter), place)
        keep_older_texts(folder, student, chapter)
        self.coursedir.assignment_id, self.coursedir.student_id = chapter, student
        self.coursedir.submitted_directory = nbgrader_hooks.INTAKE
        converter = OneAutograde(coursedir=self.coursedir, config=self.config, log=self.log)
        converter.force = True
        handed_over = nbgrader_hooks.recorded_now.set(result)
        try:
            converter.start()
        except NbGraderException as error:
            if "accessing the nbgrader database" in str(error):
                raise ClassFolderError(IN_USE) from None
            if converter.refused:
                raise converter.refused from None
            return NOT_PROCESSED
        finally:
            nbgrader_hooks.recorded_now.reset(handed_over)
            shutil.rmtree(place, ignore_errors=True)
        return ""
