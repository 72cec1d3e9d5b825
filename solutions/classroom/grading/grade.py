"""Grading a class: the stages of the road, driven by threads here or by a cluster; the gradebook is written in one place."""

import errno
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial

import torch
from nbgrader.api import Gradebook

from solutions.classroom.assignment import Assignment
from solutions.classroom.folder import ClassFolder, ClassFolderError, locked
from solutions.classroom.grading import road
from solutions.classroom.grading.absent import forget_absent
from solutions.classroom.grading.booking import NOT_PROCESSED, ONE_S_OWN, Entry, open_to_enter
from solutions.classroom.grading.class_rules import ClassRules, class_rules
from solutions.classroom.grading.road import HandedIn, Recorded, Run, Terms
from solutions.classroom.release.kept_answers import to_grade_by
from solutions.classroom.roster import students as students_of
from solutions.classroom.roster import unmatched
from solutions.classroom.submission.reading import Submission
from solutions.classroom.submission.running_once import limits_of
from solutions.classroom.submission.sandbox import Job, Limits, Result, Sandbox, SandboxError

FOR_EVERYBODY = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
"""Errors of the machine, no submission's own: they end the command."""

AHEAD = 128
"""Submissions that are read and not yet in the gradebook: memory does not grow with the class."""

TOGETHER = 16
"""Submissions that go into the gradebook in one transaction, at most; fewer where no more are ready."""

PATIENCE = 0.5
"""Seconds between two transactions that are smaller: each costs as much as several submissions in one."""

Watch = Callable[[Sequence[str]], None]
"""Is told, every second, whose submissions are running."""


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
    record: Run | None = None,
    watch: Watch | None = None,
    say: Callable[[str], None] | None = None,
) -> Iterator[Graded]:
    """Grade these chapters of these students; yields each submission when the gradebook has it, the quick ones first.

    jobs: how many submissions run at a time. again: run also what was recorded before. limits: the class folder's own
    when left out. executor and record: where and with what recordings are made (a Dask cluster, say); threads and one
    warm sandbox when left out. watch: hears whose submissions are waited for. say: hears what is
    not isolated, if anything is not.
    """
    everybody = students_of(folder)
    unknown = sorted(set(students or []) - set(everybody))
    if unknown:
        if sentence := unmatched(folder).get(unknown[0]):
            raise ClassFolderError(sentence)
        raise ClassFolderError(
            f"Nobody called '{unknown[0]}' handed anything in, and the gradebook knows no such student."
        )
    # judging is many tiny operations; more threads would only wait for the sandbox's
    torch.set_num_threads(1)
    with locked(folder):
        assignments = [Assignment(folder, chapter) for chapter in chapters]
        for assignment in assignments:
            _ = assignment.notebook  # nothing starts for what was never released
        limits = limits or limits_of(folder)
        sandbox, stopped = None, threading.Event()
        if record is None:
            sandbox = Sandbox(limits, isolation=isolation, device=device)
            record = sandbox.run
        elif executor is not None:
            record = partial(_far, executor, record, stopped)
        pool = ThreadPoolExecutor(max_workers=jobs if executor is None else AHEAD)
        # meanwhile it is looked up what to grade by
        warming = pool.submit(getattr, sandbox, "isolation") if sandbox is not None else None
        try:
            for assignment in assignments:  # all of them before the first is graded
                to_grade_by(assignment)
            rules = class_rules(folder)
            with open_to_enter(folder) as gradebook:
                for assignment in assignments:
                    terms = Terms(assignment, limits, device)
                    chapter = _Chapter(terms, rules, gradebook, pool, record, again, watch)
                    yield from chapter.graded(students or everybody)
            # where the sandbox did not start, nothing had to run
            if say and warming and not warming.exception() and (sentence := warming.result()):
                say(sentence)
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


def _far(executor: Executor, record: Run, stopped: threading.Event, job: Job) -> Result:
    """A recording that is made elsewhere; the thread that calls this only waits for it, until grading is stopped."""
    recording = executor.submit(record, job)
    while not stopped.is_set():
        if wait([recording], timeout=1).done:
            return recording.result()
    recording.cancel()
    raise SandboxError("Grading was stopped.")


@dataclass
class _Chapter:
    """One chapter on its way. What runs runs in the pool; whoever is done first is booked first."""

    terms: Terms
    rules: ClassRules
    gradebook: Gradebook
    pool: Executor
    run: Run
    again: bool
    watch: Watch | None
    running: dict[Future[Recorded], HandedIn] = field(default_factory=dict)
    done: list[Recorded] = field(default_factory=list)
    booked: float = 0.0

    def graded(self, students: Sequence[str]) -> Iterator[Graded]:
        for student in students:
            self._begin(student)
            yield from self._finished(most=AHEAD - 1)
        yield from self._finished(most=0)

    def _begin(self, student: str) -> None:
        handed_in = road.read(self.terms, student)
        known = road.remembered(handed_in, self.again)
        if known is not None:
            self.done.append(known)
        else:
            self.running[self.pool.submit(self._record, handed_in)] = handed_in

    def _record(self, handed_in: HandedIn) -> Recorded:
        """In a thread of the pool: when the grader is killed a moment later, nothing of this runs again."""
        return road.settle(road.record(handed_in, self.run), self.run)

    def _finished(self, most: int) -> Iterator[Graded]:
        """Book what is done; wait until no more than `most` are not."""
        while self.running or self.done:
            for recording in [one for one in self.running if one.done()]:
                del self.running[recording]
                self.done.append(recording.result())
            while self._is_time(last=not most and not self.running):
                together, self.done = self.done[:TOGETHER], self.done[TOGETHER:]
                yield from self._booked(together)
                self.booked = time.monotonic()
            if len(self.running) <= most and (most or not self.done):
                return
            if self.watch is not None:
                self.watch([one.student for recording, one in self.running.items() if recording.running()])
            wait(self.running, timeout=PATIENCE if self.done else 1, return_when=FIRST_COMPLETED)

    def _is_time(self, last: bool) -> bool:
        """Whether to book what is done: enough for a transaction, or all there is for a while. last: nobody else comes."""
        waited = time.monotonic() - self.booked > PATIENCE
        return bool(self.done) and (len(self.done) >= TOGETHER or waited or last)

    def _booked(self, recorded: Sequence[Recorded]) -> Iterator[Graded]:
        """Convert these and bring them into the gradebook together."""
        entries: list[tuple[Recorded, Entry]] = []
        refused: list[tuple[Recorded, str]] = []
        for one in recorded:
            if one.handed_in.absent:
                forget_absent(self.terms.assignment, one.handed_in.student)
                yield self._of(one, absent=True)
                continue
            entry, trouble = self._converted(one)
            if entry is not None:
                entries.append((one, entry))
            else:
                refused.append((one, trouble))
        said = road.book(self.gradebook, [entry for _, entry in entries], self.rules)
        for (one, _), trouble in zip(entries, said, strict=True):
            if trouble:
                refused.append((one, trouble))
            else:
                yield self._of(one)
        for one, trouble in refused:
            yield self._of(one, trouble=self._as_released(one.handed_in.student, trouble))

    def _of(self, one: Recorded, absent: bool = False, trouble: str = "") -> Graded:
        return Graded(one.handed_in.student, self.terms.assignment.chapter, one.now, absent, trouble)

    def _as_released(self, student: str, reason: str) -> str:
        """In place of a submission that could not be processed, the release with the reason: nothing can go wrong with that."""
        plain = Submission(deepcopy(self.terms.assignment.notebook), unreadable=reason)
        entry, trouble = self._converted(Recorded(road.as_read(self.terms, student, plain)))
        return trouble if entry is None else road.book(self.gradebook, [entry], self.rules)[0]

    def _converted(self, one: Recorded) -> tuple[Entry | None, str]:
        """What goes into the gradebook, or why nothing can."""
        try:
            return road.convert(one, self.rules), ""
        except OSError as error:
            ours = str(error.filename or "").startswith(str(self.terms.assignment.folder.hidden))
            if error.errno in FOR_EVERYBODY or (ours and isinstance(error, PermissionError)):
                raise
            return None, f"{NOT_PROCESSED[:-1]} ({error.strerror})."
        except ONE_S_OWN:
            return None, NOT_PROCESSED
