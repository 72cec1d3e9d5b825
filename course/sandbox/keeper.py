"""The keeper: one process per submission, which furnishes its room, watches it and ends it."""

import os
import select
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course.sandbox.link import ALL_TIME_USED, FAILURES, Link, LinkClosed, Message, Overflow
from course.sandbox.room import Place, Room
from course.sandbox.student import Notebook, Step
from course.sandbox.usage import Counters
from course.sandbox.watch import Watch

_SHORT = 1 << 16
"""Bytes of what a student's process may say beside its recording."""


@dataclass
class Snapshot:
    """A notebook that was stopped at a graded cell and waits for the questions of these steps."""

    steps: list[Step]
    link: Link
    pid: int


class Keeper:
    """The process that watches one submission. In a process namespace it is process 1: nothing outlives it."""

    def __init__(
        self, grader: Link, place: Place, shell: Any, job: int, alone: bool, counters: Counters
    ) -> None:
        self.grader, self.place, self.shell, self.alone = grader, place, shell, alone
        self.counters = counters
        self.uid = 50_000 + job % 10_000 if os.getuid() == 0 else os.getuid()
        self.snapshots: list[Snapshot] = []
        self.text = bytearray()
        self.written = 0

    def run(self) -> None:
        """The whole submission. Raises LinkClosed when the grader hangs up; nothing is left running in any case."""
        header, files = self.grader.wait()
        self.steps = [Step(*step) for step in header["steps"]]
        self.limits = header["limits"]
        scratch = Path(header["scratch"])
        self.room = Room(self.place, scratch, self.limits, self.uid, len(self.steps), self.alone)
        missing = self.room.furnish()
        self.room.unpack(header["files"], files)
        self.watch = Watch(self.room, missing, self.counters)
        try:
            self._start_notebook(missing)
            if not header["trial"] and self._run_cells():
                self._end_notebook()
                self.watch.until = "answers"
                self._answer_questions()
        finally:
            self.watch.kill_all()

    # the notebook's process

    def _start_notebook(self, refused: list[str]) -> None:
        """Fork the notebook, and tell the grader what the kernel refused: the keeper before, and the notebook now."""
        ours, theirs = socket.socketpair()
        output, inlet = os.pipe()
        os.set_blocking(output, False)
        pairs = {step.id: socket.socketpair() for step in self.steps if step.exercise and not step.shares}
        pid = os.fork()
        if pid == 0:
            try:
                ours.close()
                self.grader.close()
                counted = bool(self.counters)
                self.counters.close()
                os.close(output)
                for near, _ in pairs.values():
                    near.close()
                far = {id: pair[1] for id, pair in pairs.items()}
                missing = self.room.enter(inlet, counted)
                Notebook(self.shell, self.steps, Link(theirs), far, self.place.device).run(missing)
            finally:
                os._exit(70)
        theirs.close()
        os.close(inlet)
        for _, far_end in pairs.values():
            far_end.close()
        self.watch.notebook, self.output, self.link = pid, output, Link(ours, _SHORT, _SHORT)
        self.near = {id: pair[0] for id, pair in pairs.items()}
        message, reason = self._listen(self.link)
        refused = [*refused, *(message[0].get("missing", []) if message else [reason])]
        self.grader.send({"missing": [str(word) for word in refused]})

    def _run_cells(self) -> bool:
        """Every step in order; False when the notebook has to run again without what had to be stopped.

        When the time for all cells is used up, it does not: what it has reached so far is asked.
        """
        sharing: list[Step] = []
        for position, step in enumerate(self.steps):
            self.text.clear()
            self.written = 0
            started = time.monotonic()
            if step.exercise:
                sharing.append(step)
            error, line, reason = "", 0, ""
            if not step.shares:
                error, line, reason = self._run_cell(step, sharing, last=position == len(self.steps) - 1)
            if step.exercise and not step.shares:
                sharing = []
            self.grader.send(
                {
                    "cell": step.id,
                    "text": self.text.decode(errors="replace"),
                    "error": error,
                    "line": line,
                    "status": reason or ("raised" if error else "ran"),
                    "seconds": time.monotonic() - started,
                    "cpu": self.watch.spent(),
                }
            )
            if reason == ALL_TIME_USED:
                return True
            if reason not in ("", "no process"):
                return False
        return True

    def _run_cell(self, step: Step, sharing: list[Step], last: bool) -> tuple[str, int, str]:
        """One cell, or the snapshot that a graded cell asks for: the error, its line, and why it was stopped."""
        if step.exercise:
            self.watch.kill_all({self.watch.notebook, *self.watch.snapshots})
        try:
            stay = last and len(sharing) > 1 and not self.snapshots
            self.link.send({"do": step.id, "stay": stay})
            message, reason = self._listen(self.link)
        except LinkClosed:
            message, reason = None, self.watch.cause_of_death()
        self._read_output()
        said = message[0] if message else {}
        if not step.exercise and not reason and self.watch.disk_is_full():
            reason = "killed: disk"
        if step.exercise and not reason:
            reason = "" if self._waits(step, sharing, said.get("pid")) else "no process"
        error, line = said.get("error", ""), said.get("line", 0)
        return error[:100] if isinstance(error, str) else "", line if isinstance(line, int) else 0, reason

    def _waits(self, step: Step, sharing: list[Step], pid: object) -> bool:
        """Note a snapshot that the notebook says it has forked."""
        if not isinstance(pid, int) or pid <= 1:
            return False
        link = Link(self.near[step.id], self.limits["recording_bytes"], _SHORT)
        self.snapshots.append(Snapshot(sharing, link, pid))
        self.watch.snapshots.append(pid)
        return True

    def _end_notebook(self) -> None:
        """No word of the notebook is heard from here on; only then are there questions."""
        self.link.close()
        if self.output >= 0:
            os.close(self.output)
        self.output = -1
        waiting = set(self.watch.snapshots)
        end = time.monotonic() + 0.5
        while self.watch.notebook and self.watch.notebook not in waiting and time.monotonic() < end:
            self.watch.bury()
            time.sleep(0.001)
        self.watch.kill_all(waiting)
        if self.watch.notebook not in waiting:
            self.watch.notebook = (
                0  # it may only be buried later, and must not be taken for an answer's end then
            )

    # the snapshots' answers

    def _answer_questions(self) -> None:
        asked = [(snapshot, step) for snapshot in self.snapshots for step in snapshot.steps]
        self.grader.send({"ready": [step.id for _, step in asked]})
        for position, (snapshot, step) in enumerate(asked, start=1):
            header, questions = self.grader.wait()
            started = time.monotonic()
            try:
                message, reason = self._listen(snapshot.link, Link.encode(header, questions))
            except LinkClosed:
                message, reason = None, "died"
            allowed = self.limits["cpu_seconds"]
            if reason == "killed: time":  # what calls an endless function is endless too
                self.limits["cpu_seconds"] = max(1.0, allowed / 2)
                self.limits["wall_seconds"] = max(10.0, self.limits["wall_seconds"] / 2)
            said, answer = message or ({}, b"")
            failure = said.get("failure", "")
            self.grader.send(
                {
                    "answer": step.id,
                    "failure": failure if isinstance(failure, str) and failure in FAILURES else "",
                    "reason": reason,
                    "allowed": allowed,
                    "seconds": time.monotonic() - started,
                    "cpu": self.watch.spent(),
                },
                answer,
            )
            self.watch.kill_all({later.pid for later, _ in asked[position:]})

    # listening

    def _listen(self, link: Link, sending: bytes = b"") -> tuple[Message | None, str]:
        """The next message from a student's process, or the reason why there is none."""
        started, pause = time.monotonic(), 0.02
        first = self.watch.spent()
        rest = memoryview(sending)
        next_check = started + pause
        while True:
            watched = [link.sock] + ([self.output] if self.output >= 0 else [])
            select.select(watched, [link.sock] if rest else [], [], pause)
            if rest:
                try:
                    rest = rest[link.sock.send(rest, socket.MSG_DONTWAIT) :]
                except BlockingIOError:
                    pass
                except OSError:
                    return None, "died"
            self._read_output()
            if self.written > self.limits["output_bytes"]:
                return None, "killed: output"
            try:
                message = link.poll()
            except LinkClosed:
                return None, self.watch.cause_of_death()
            except Overflow:
                return None, "killed: recording"
            if message is not None:
                return message, ""
            now = time.monotonic()
            if now >= next_check:
                if reason := self.watch.exceeded(now - started, first):
                    return None, reason
                pause = min(2 * pause, 0.1)
                next_check = now + pause
                self._ask_grader()

    def _ask_grader(self) -> None:
        """Raises LinkClosed when the grader is no longer there."""
        readable, _, _ = select.select([self.grader.sock], [], [], 0)
        if readable and not self.grader.sock.recv(1, socket.MSG_PEEK):
            raise LinkClosed

    def _read_output(self) -> None:
        while self.output >= 0 and self.written <= self.limits["output_bytes"]:
            try:
                data = os.read(self.output, 1 << 16)
            except (BlockingIOError, InterruptedError):
                return
            if not data:
                os.close(self.output)
                self.output = -1
                return
            self.written += len(data)
            self.text += data[: max(0, self.limits["text_bytes"] - len(self.text))]
