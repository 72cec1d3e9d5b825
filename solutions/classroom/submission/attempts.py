"""One job on its way through the sandbox: attempt after attempt, until no cell has to be killed any more."""

import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from functools import lru_cache

from course.judging import archive
from course.judging.recording import Outcome
from course.sandbox.link import ALL_TIME_USED, FAILURES, Link, LinkClosed, Overflow
from solutions.classroom.submission.job_and_result import CellResult, Job, Result, Step, apart, sharing
from solutions.classroom.submission.limits import Limits, reason_for
from solutions.classroom.submission.walls import SandboxError
from solutions.classroom.submission.warm_server import Server

_GRACE = 60
"""Seconds that a keeper has to end a submission whose time is up."""

_FOR_CELLS = 2 / 3
"""Share of a submission's time at which its cells are stopped and what they have reached is recorded."""

_LARGEST_TREE = 4 << 20
"""Bytes of a recording's names and texts, beside its tensors."""

_MOST_ALONE = 2
"""Exercises that come to grief in company before none has any."""

_SOON = 1.0
"""Seconds; whatever took longer to come to grief may do so for all that call it, and is not waited for once for each."""

_MOST_CASES = 100
"""Cases of one recording; exercises have a handful. A tensor of millions in their place would be taken apart one by one."""

_NOT_REACHED = (
    "{} was never reached: the notebook was stopped before.",
    "{} could not be recorded: the notebook left it no process to run in.",
)

_NO_QUESTIONS = archive.pack({"seeds": [], "inputs": []})


class _Stopped(Exception):
    """A cell was killed; the notebook has to be run again without it."""


class _Apart(Exception):
    """Exercises came to grief in a process that they shared; all have to be recorded again, these each in its own."""

    def __init__(self, steps: Iterable[str]) -> None:
        super().__init__()
        self.steps = frozenset(steps)


class Attempts:
    """One job on its way: attempts until no cell has to be killed any more, each without those killed before."""

    def __init__(self, job: Job, limits: Limits) -> None:
        self.job, self.limits = job, limits
        self.outcome = Result()
        self.asked = False
        self.all_used = False
        self.left_out: set[str] = set()
        self.reached: set[str] = set()
        self.alone: set[str] = set()
        self.begun = time.monotonic() - job.spent.wall
        self.cpu_before = self.cpu_now = job.spent.cpu

    def result(self, server: Server) -> Result:
        """Run every part of the job, and say of each exercise that has no recording why."""
        self.server, self.outcome.isolation = server, server.isolation
        self.left_out.clear()
        self.reached.clear()
        self.alone = self._graded() if server.device != "cpu" else set()
        self.cpu_seconds, self.wall_seconds = self.limits.cpu_seconds, self.limits.wall_seconds
        self._forget_recordings()
        for steps in self._parts():
            self._repeat(steps)
        return self._completed(_NOT_REACHED[0])

    def late(self) -> bool:
        """Whether this submission has used up all the time that it may have."""
        return time.monotonic() - self.begun >= self.limits.all_wall_seconds

    def _graded(self) -> set[str]:
        return {step.id for step in self.job.steps if step.exercise}

    def _forget_recordings(self) -> None:
        self.outcome.recordings.clear()
        self.outcome.failures.clear()

    def given_up(self) -> Result:
        """What there is of a submission that has ended its sandbox, or of one that nobody waits for any longer."""
        self.all_used = self.all_used or self.late()
        return self._completed("{} was not recorded: the submission ended the sandbox that ran it.")

    def _completed(self, reason: str) -> Result:
        """The outcome with a word on every cell and exercise."""
        self.outcome.cpu_seconds = self.cpu_now - self.job.spent.cpu
        if self.all_used:
            reason = f"{{}} was not reached: {reason_for(ALL_TIME_USED, self.limits).partition(': ')[2]}."
        for step in self.job.steps:
            self.outcome.cells.setdefault(step.id, CellResult(step.id))
            name = step.exercise
            if name and name not in self.outcome.recordings:
                self.outcome.failures.setdefault(name, reason.format(name))
        return self.outcome

    def _parts(self) -> list[list[Step]]:
        """All steps at once; with CUDA, which survives no fork, the cells alone and then a notebook for each exercise."""
        steps = self.job.steps
        if self.server.device == "cpu":
            return [steps]
        places = [place for place, step in enumerate(steps) if step.exercise]
        cells = [
            [step for step in steps[: place + 1] if not step.exercise] for place in (*places, len(steps))
        ]
        return cells[-1:] + [[*before, steps[place]] for before, place in zip(cells, places, strict=False)]

    def _repeat(self, steps: list[Step]) -> None:
        """Every kill halves the time that the next one may take; in the end only what has been reached before remains."""
        for _ in range(len(steps) + 3):
            remaining, share = [step for step in steps if step.id not in self.left_out], _FOR_CELLS
            if self._used() > share:  # one last time, with half of what is left, as far as it has been
                self.all_used = True
                remaining = [step for step in remaining if step.id in self.reached]
                share = (1 + self._used()) / 2
            if self._used() >= 1 or not remaining:
                return
            try:
                with self.server.scratch() as scratch, self.server.connect(self.limits) as link:
                    self._attempt(link, scratch, remaining, share)
                return
            except _Apart as grief:
                self.alone |= grief.steps
                if len(self.alone) > _MOST_ALONE:
                    self.alone = self._graded()
                self._forget_recordings()
            except _Stopped:
                self.alone = self._graded()
                self.cpu_seconds = max(1.0, self.cpu_seconds / 2)
                self.wall_seconds = max(10.0, self.wall_seconds / 2)
            finally:
                self.cpu_before = self.cpu_now

    def _used(self) -> float:
        """The share of its time that this submission has used up, by the clock or of the processor."""
        clock = (time.monotonic() - self.begun) / self.limits.all_wall_seconds
        return max(clock, self.cpu_now / self.limits.all_cpu_seconds)

    def _left(self, share: float) -> tuple[float, float]:
        """How many seconds of processor and clock are left until that share of all the time is used up."""
        cpu = share * self.limits.all_cpu_seconds - self.cpu_before
        return max(0.0, cpu), max(0.0, self._clock_left(share))

    def _clock_left(self, share: float = 1) -> float:
        return share * self.limits.all_wall_seconds - (time.monotonic() - self.begun)

    def _attempt(self, link: Link, scratch: str, steps: list[Step], share: float) -> None:
        steps = apart(steps, self.alone)
        self.outcome.together = [step.exercise for step in sharing(steps)]
        limits = asdict(self.limits) | {
            "cpu_seconds": self.cpu_seconds,
            "wall_seconds": self.wall_seconds,
            "cells": self._left(share),
            "answers": self._left(1),
        }
        files = {_plain_name(name): data for name, data in self.job.files.items()}
        header = {
            "steps": [[step.id, step.source, step.exercise, step.shares] for step in steps],
            "limits": limits,
            "files": {name: len(data) for name, data in files.items()},
            "scratch": scratch,
            "trial": False,
        }
        try:
            link.send(header, b"".join(files.values()))
            ready = self._follow_cells(link, steps)
            self._ask(link, [step for step in steps if step.exercise], ready)
        except (LinkClosed, Overflow, TimeoutError, LookupError, TypeError, StopIteration) as error:
            raise SandboxError("The sandbox ended in the middle of a submission.") from error

    def _follow_cells(self, link: Link, steps: list[Step]) -> list[str]:
        """Take in what each cell did; the ids of the snapshots that wait for their questions."""
        waiting = iter(steps)
        last_time, before, now = self.all_used, set(self.reached), set[str]()
        while True:
            said, _ = link.wait(self._patience())
            if "ready" in said:
                if (
                    self.all_used
                    and not last_time
                    and any(step.exercise and step.id in before - now for step in steps)
                ):  # an earlier attempt had come further
                    raise _Stopped
                return [str(id) for id in said["ready"]]
            if "cell" not in said:
                continue
            step = next(step for step in waiting if step.id == said["cell"])
            self.cpu_now = max(self.cpu_now, self.cpu_before + float(said["cpu"]))
            self.all_used = self.all_used or said["status"] == ALL_TIME_USED
            cell = CellResult(
                step.id,
                str(said["text"])[: self.limits.text_bytes],
                str(said["error"]),
                int(said["line"]),
                str(said["status"]),
                float(said["seconds"]),
            )
            if cell.status in ("ran", "raised"):
                self.reached.add(step.id)
                now.add(step.id)
            if not step.exercise:
                if not self.asked:  # what runs after a question may know it; nobody reads that
                    self.outcome.cells[step.id] = cell
            elif cell.status not in ("ran", ALL_TIME_USED):
                self.outcome.cells[step.id] = replace(cell, status="died")
                self.outcome.failures[step.exercise] = _NOT_REACHED[cell.status == "no process"].format(
                    step.exercise
                )
            if cell.status not in ("ran", "raised", "no process", ALL_TIME_USED):
                self.left_out.add(step.id)
                raise _Stopped

    def _ask(self, link: Link, graded: list[Step], ready: list[str]) -> None:
        questions = _by_exercise(self.job.questions)
        by_id = {step.id: step for step in graded}
        shared = {step.id for step in sharing(graded)}
        if not self.all_used and not shared <= set(ready):
            raise _Apart(by_id)
        for id in ready:
            step = by_id.pop(id)
            name = step.exercise
            self.asked = True
            link.send({"question": id}, questions.get(name, _NO_QUESTIONS))
            said, answer = link.wait(self._patience())
            self.cpu_now = max(self.cpu_now, self.cpu_before + float(said["cpu"]))
            seconds = float(said["seconds"])
            status = str(said["reason"]) or ("raised" if said["failure"] else "ran")
            self.outcome.cells[id] = CellResult(id, status=status, seconds=seconds)
            self.all_used = self.all_used or said["reason"] == ALL_TIME_USED
            if said["reason"]:
                limits = replace(self.limits, cpu_seconds=float(said["allowed"]))
                self.outcome.failures[name] = f"{name} {reason_for(said['reason'], limits)}."
            elif said["failure"]:
                self.outcome.failures[name] = FAILURES[said["failure"]].format(name)
            else:
                self._accept(name, answer)
            recorded = self.outcome.recordings.get(name, [])
            if (
                id in shared
                and not self.all_used
                and (not recorded or any(outcome.raised == "MemoryError" for outcome in recorded))
            ):
                raise _Apart([id] if seconds < _SOON else shared)

    def _accept(self, name: str, answer: bytes) -> None:
        """Take a recording in, if it is one and is not larger unpacked than it may be packed."""
        try:
            if int.from_bytes(answer[:8], "little") > _LARGEST_TREE:
                raise archive.ArchiveError("more text than tensors")
            cases = archive.unpack(answer)["outcomes"]
            if not isinstance(cases, list) or len(cases) > _MOST_CASES:
                raise archive.ArchiveError("no list of cases")
            outcomes = [Outcome.of(case) for case in cases]
        except (archive.ArchiveError, KeyError, TypeError, AttributeError):
            self.outcome.failures[name] = f"What {name} returned could not be recorded."
            return
        if sum(map(_weight, outcomes)) > self.limits.recording_bytes:
            self.outcome.failures[name] = f"{name} {reason_for('killed: recording', self.limits)}."
            return
        self.outcome.recordings[name] = outcomes
        self.outcome.failures.pop(name, None)

    def _patience(self) -> float:
        """The keeper watches the clock; this is for the case that it cannot, whatever it says in the meantime."""
        return max(0.0, min(self.limits.wall_seconds, self._clock_left()) + _GRACE)


def _weight(outcome: Outcome) -> int:
    """Bytes of an outcome once it is written down; one tensor may stand in it under many names."""
    values = [(len(name), value) for name, value in outcome.values.items()]
    return 1000 + sum(100 + n + (len(v) if isinstance(v, str) else v.nbytes) for n, v in values)


def _plain_name(name: str) -> str:
    if not name or name in (".", "..", ".tmp") or "/" in name or "\0" in name:
        raise ValueError(f"'{name}' is no plain file name")
    return name


@lru_cache(maxsize=4)
def _by_exercise(questions: bytes) -> dict[str, bytes]:
    """Each exercise's own questions, packed for the road."""
    tree = archive.unpack(questions) if questions else {}
    return {name: archive.pack(part) for name, part in tree.items()}
