"""Running other people's notebooks, quickly and behind walls: the side that is trusted.

`Sandbox.run(job)` gives every submission to the warm server of `course.sandbox.server`, which forks it a notebook of its own.
What comes back is text for people, and recordings for the judge; a cell or function that must be killed costs itself.
Callable from several threads at once. Job and Result can be pickled, so the same runs on a cluster's workers.
"""

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from itertools import count, pairwise
from pathlib import Path
from typing import Any

from course.judging import archive
from course.judging.recording import Outcome
from course.sandbox import confine
from course.sandbox.link import ALL_TIME_USED, FAILURES, Link, LinkClosed, Overflow
from solutions.classroom.submission import control_group as cgroup
from solutions.classroom.submission.leftovers import own_folder

WAYS = ("bubblewrap", "landlock", "none")
"""How students' code can be isolated, the strongest first; "auto" stands for the first that works."""


class SandboxError(Exception):
    """The sandbox does not start, or ends by itself. The message says what to do."""


def _memory() -> int:
    """A third of a core's share of the machine, between 1 and 2 GiB."""
    with contextlib.suppress(ValueError, OSError):
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return max(1 << 30, min(2 << 30, machine // (3 * (os.cpu_count() or 1))))
    return 1 << 30


@dataclass(frozen=True)
class Limits:
    """What one submission may use. Seconds hold per cell and per recorded exercise, everything else for all of it.

    cpu_seconds: of the processor. wall_seconds: by the clock, generous, for several submissions share the cores.
    all_cpu_seconds, all_wall_seconds: of everything together, however often it has to run again; two thirds of them are for
    the cells, so that what these have reached can still be recorded.
    output_bytes: what a cell may print before it is stopped; the first text_bytes of it are kept.
    recording_bytes: of one exercise; right answers have less than one megabyte, and those of many submissions wait in memory.
    scratch_bytes, scratch_files: what its folder may hold.
    """

    cpu_seconds: float = 10
    wall_seconds: float = 120
    all_cpu_seconds: float = 120
    all_wall_seconds: float = 360
    memory_bytes: int = field(default_factory=_memory)
    processes: int = 64
    output_bytes: int = 16 << 20
    text_bytes: int = 20_000
    scratch_bytes: int = 256 << 20
    scratch_files: int = 10_000
    recording_bytes: int = 8 << 20

    @classmethod
    def of(cls, seconds: float) -> "Limits":
        """So many seconds of processor time for a cell or an exercise; all other times grow in proportion."""
        usual, times = cls(), seconds / cls.cpu_seconds
        return replace(
            usual,
            cpu_seconds=seconds,
            wall_seconds=usual.wall_seconds * times,
            all_cpu_seconds=usual.all_cpu_seconds * times,
            all_wall_seconds=usual.all_wall_seconds * times,
        )


@dataclass(frozen=True)
class Spent:
    """Seconds that a submission has used up, of the processor and by the clock."""

    cpu: float = 0.0
    wall: float = 0.0


@dataclass(frozen=True)
class Step:
    """One cell. exercise: set for a graded cell: its source is not run; the function of that name is recorded there.

    shares: recorded together with the next graded cell, in one process: up to there, only definitions follow.
    """

    id: str
    source: str
    exercise: str = ""
    shares: bool = False


def sharing(steps: Sequence[Step]) -> list[Step]:
    """The graded cells among these that are recorded in one process with others."""
    graded = [step for step in steps if step.exercise]
    ids = {step.id for pair in pairwise(graded) if pair[0].shares for step in pair}
    return [step for step in graded if step.id in ids]


@dataclass
class Job:
    """One submission. questions: an archive {exercise: {"seeds": […], "inputs": […]}}. files: for its folder.

    spent: what was used up before, when a part of a submission is recorded a second time.
    """

    steps: list[Step]
    questions: bytes
    files: dict[str, bytes] = field(default_factory=dict)
    device: str = "cpu"
    spent: Spent = Spent()


@dataclass
class CellResult:
    """What a cell did. status: ran, raised, killed: time / memory / output / processes / disk / all time used, died or skipped.

    text: what it wrote, cut off after Limits.text_bytes. error: the exception's type. seconds: by the clock; for a
    graded cell those of its recording.
    """

    id: str
    text: str = ""
    error: str = ""
    line: int = 0
    status: str = "skipped"
    seconds: float = 0.0


@dataclass
class Result:
    """What a submission did. failures: exercise → one sentence why it has no recording.

    seconds, cpu_seconds: what it used up, by the clock and of the processor.
    isolation: one sentence on what was not isolated; empty when everything was. public: what a run of its own recorded on
    the public cases, of those exercises that need a word on what is wrong (solutions/classroom/submission/sharing.py).
    """

    cells: dict[str, CellResult] = field(default_factory=dict)
    recordings: dict[str, list[Outcome]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    isolation: str = ""
    cpu_seconds: float = 0.0
    public: "Result | None" = None


_STOPPED = {
    "killed: time": "took longer than {cpu_seconds:g} s and was stopped",
    "killed: memory": "used more than {memory} of memory and was stopped",
    "killed: output": "wrote more than {output} and was stopped",
    "killed: processes": "started more than {processes} processes and was stopped",
    "killed: disk": "wrote more files than it may and was stopped",
    "killed: recording": "returned more than {recording} and was stopped",
    ALL_TIME_USED: "was stopped: {all_time}",
    "died": "ended its own process",
}
_ALL_TIME = (
    "the whole notebook may take {wall} by the clock and {cpu} of processor time, and that was used up."
    " Take out or shorten what waits or computes for long"
)


def reason_for(status: str, limits: Limits) -> str:
    """What happened, to follow a subject: "took longer than 20 s and was stopped"."""
    sizes = {
        "memory": _size(limits.memory_bytes),
        "output": _size(limits.output_bytes),
        "recording": _size(limits.recording_bytes),
        "all_time": _ALL_TIME.format(wall=_time(limits.all_wall_seconds), cpu=_time(limits.all_cpu_seconds)),
    }
    return _STOPPED.get(status, _STOPPED["died"]).format(**asdict(limits), **sizes)


def _time(seconds: float) -> str:
    minutes = seconds / 60
    return f"{seconds:g} s" if minutes < 2 else f"{minutes:.3g} minutes"


def _size(count: int) -> str:
    return f"{count / (1 << 30):.2g} GB" if count >= 1 << 30 else f"{count / (1 << 20):.3g} MB"


class Sandbox:
    """A warm server behind walls. Starts at the first job; restarts by itself; `close` ends all that it started.

    isolation: "auto" takes the strongest that works here. modules: imported once, before any submission.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        isolation: str = "auto",
        device: str = "cpu",
        modules: Sequence[str] = (),
    ) -> None:
        if not hasattr(os, "fork"):
            raise SandboxError("Grading needs Linux or macOS; on Windows, grade inside WSL.")
        self.limits, self.device, self.modules = limits or Limits(), device, tuple(modules)
        if isolation not in ("auto", *WAYS):
            raise SandboxError(f"There is no isolation '{isolation}': say auto, {', '.join(WAYS)}.")
        self._wanted = isolation
        self._lock = threading.Lock()
        self._server: _Server | None = None
        self._closed = False

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the server and everything that still runs in it."""
        with self._lock:
            self._closed = True
            if self._server is not None:
                self._server.close()
                self._server = None

    @property
    def isolation(self) -> str:
        """One sentence on what is not isolated; empty when everything is."""
        return self._warm().isolation

    def run(self, job: Job) -> Result:
        """Run a submission and record its exercises. Raises SandboxError only when no server can be started.

        A server that dies under it is replaced, and the job repeated once; a second time is the submission's fault.
        """
        started = time.monotonic()
        run = _Run(job, self.limits)
        for _ in range(2):
            server = self._warm()
            try:
                result = run.result(server)
                break
            except SandboxError:
                server.gone(within=1)
                result = run.given_up()
                if run.late():
                    break
        if self._closed:
            raise SandboxError("The sandbox was closed in the middle of a submission.")
        result.seconds = time.monotonic() - started
        return result

    def _warm(self) -> "_Server":
        with self._lock:
            if self._closed:
                raise SandboxError("The sandbox is closed.")
            if self._server is None or self._server.gone():
                if self._server is not None:
                    self._server.close()
                self._server = _start(self._wanted, self.device, self.modules, self.limits)
            return self._server


# -- one job ------------------------------------------------------------------------------------------------------


class _Stopped(Exception):
    """A cell was killed; the notebook has to be run again without it."""


class _Apart(Exception):
    """An exercise came to grief in a process that it shared; all have to be recorded again, each in its own."""


class _Run:
    """One job on its way: attempts until no cell has to be killed any more, each without those killed before."""

    def __init__(self, job: Job, limits: Limits) -> None:
        self.job, self.limits = job, limits
        self.outcome = Result()
        self.asked = False
        self.all_used = False
        self.begun = time.monotonic() - job.spent.wall
        self.cpu_before = self.cpu_now = job.spent.cpu

    def result(self, server: "_Server") -> Result:
        """Run every part of the job, and say of each exercise that has no recording why."""
        self.server, self.outcome.isolation = server, server.isolation
        self.left_out: set[str] = set()
        self.reached: set[str] = set()
        self.apart = server.device != "cpu"
        self.cpu_seconds, self.wall_seconds = self.limits.cpu_seconds, self.limits.wall_seconds
        self._forget_recordings()
        for steps in self._parts():
            self._repeat(steps)
        return self._completed(_NOT_REACHED[0])

    def late(self) -> bool:
        """Whether this submission has used up all the time that it may have."""
        return time.monotonic() - self.begun >= self.limits.all_wall_seconds

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
            except _Apart:
                self.apart = True
                self._forget_recordings()
            except _Stopped:
                self.apart = True
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
        if self.apart:
            steps = [replace(step, shares=False) for step in steps]
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
            raise _Apart
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
                raise _Apart

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


_GRACE = 60
"""Seconds that a keeper has to end a submission whose time is up."""

_FOR_CELLS = 2 / 3
"""Share of a submission's time at which its cells are stopped and what they have reached is recorded."""

_LARGEST_TREE = 4 << 20
"""Bytes of a recording's names and texts, beside its tensors."""

_MOST_CASES = 100
"""Cases of one recording; exercises have a handful. A tensor of millions in their place would be taken apart one by one."""


def _weight(outcome: Outcome) -> int:
    """Bytes of an outcome once it is written down; one tensor may stand in it under many names."""
    values = [(len(name), value) for name, value in outcome.values.items()]
    return 1000 + sum(100 + n + (len(v) if isinstance(v, str) else v.nbytes) for n, v in values)


_NOT_REACHED = (
    "{} was never reached: the notebook was stopped before.",
    "{} could not be recorded: the notebook left it no process to run in.",
)


def _plain_name(name: str) -> str:
    if not name or name in (".", "..", ".tmp") or "/" in name or "\0" in name:
        raise ValueError(f"'{name}' is no plain file name")
    return name


@lru_cache(maxsize=4)
def _by_exercise(questions: bytes) -> dict[str, bytes]:
    """Each exercise's own questions, packed for the road."""
    tree = archive.unpack(questions) if questions else {}
    return {name: archive.pack(part) for name, part in tree.items()}


_NO_QUESTIONS = archive.pack({"seeds": [], "inputs": []})


# -- the server's side --------------------------------------------------------------------------------------------

_BOOT = """
import importlib.util, json, site, sys
site.setquit(), site.sethelper()
settings = json.loads(sys.argv[1])
sys.path += settings["packages"]
spec = importlib.util.spec_from_file_location(
    "course", settings["course"] + "/__init__.py", submodule_search_locations=[settings["course"]])
sys.modules["course"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["course"])
from course.sandbox.server import main
main(sys.argv[1])
"""
"""Start Python without `site`: no .pth file and no editable install makes `solutions` importable."""

_COURSE = Path(importlib.util.find_spec("course").origin or "").resolve().parent  # type: ignore[union-attr]
_SOLUTIONS = Path(__file__).resolve().parents[2]
_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin")
_SETTINGS = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/localtime",
    "/etc/fonts",
    "/nix/store",
)
_DEVICES = ("null", "zero", "full", "random", "urandom")
_ROOM = "/scratch"


class _Server:
    """The process that forks, its control socket and its folder."""

    def __init__(
        self, kind: str, device: str, modules: Sequence[str], limits: Limits, patience: float = 180
    ) -> None:
        self.kind, self.device = kind, device
        if kind == "bubblewrap" and os.getuid() == 0:
            _check_that_others_can_read()
        self.folder = own_folder()
        self.folder.chmod(0o711)
        self._log = self.folder / "log"
        self._lock = threading.Lock()
        self._jobs = count(1)
        self._tree = cgroup.find_tree()
        cgroup.clear_old_groups(self._tree)
        self._control, inside = socket.socketpair()
        try:
            with inside, self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    self._command(device, modules, inside.fileno()),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=_environment(self._home(), device),
                    cwd=self.folder,
                    pass_fds=[inside.fileno()],
                    start_new_session=True,
                )
            self._control.settimeout(patience)
            if self._control.recv(1) != b"r":
                raise SandboxError(f"The sandbox did not start: {self._last_words()}")
            self._control.settimeout(None)
            self.isolation = _sentence(kind, self._trial(limits))
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise SandboxError(f"The sandbox did not start: {error}") from error
            raise

    def gone(self, within: float = 0) -> bool:
        """Whether the server has ended, or does so within these seconds."""
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired:
            return False
        return True

    @contextlib.contextmanager
    def connect(self, limits: Limits) -> Iterator[Link]:
        """A link to a keeper of one's own; closing it ends the keeper and everything below it."""
        number = next(self._jobs)
        ours, theirs = socket.socketpair()
        link = Link(ours)
        group = cgroup.new_group(self._tree, _most_memory(limits)) if self.device == "cpu" else None
        counters = group.open() if group else []
        try:
            with theirs:
                _ask_for_sender(ours)
                self._order(b"j", number, [theirs.fileno(), *counters])
            keeper = _sender(ours)
            if group and keeper:
                group.add(keeper)
            yield link
        except (TimeoutError, SandboxError):
            with contextlib.suppress(SandboxError):
                self._order(b"k", number, [])
            raise
        finally:
            _hang_up(link)
            for counter in counters:
                os.close(counter)
            if group:
                group.remove()

    @contextlib.contextmanager
    def scratch(self) -> Iterator[str]:
        """A notebook's folder, as seen from inside."""
        if self.kind == "bubblewrap":
            yield _ROOM
            return
        folder = tempfile.mkdtemp(prefix="notebook-", dir=self.folder)
        try:
            yield folder
        finally:
            _remove(folder)

    def close(self) -> None:
        self._control.close()
        process = getattr(self, "_process", None)
        if process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        _remove(str(self.folder))

    def _order(self, kind: bytes, number: int, handles: list[int]) -> None:
        with self._lock:
            try:
                socket.send_fds(self._control, [kind + number.to_bytes(8, "little")], handles)
            except OSError as error:
                raise SandboxError(f"The sandbox has ended: {self._last_words()}") from error

    def _trial(self, limits: Limits) -> list[str]:
        """A job without cells, which only says what the kernel refused it."""
        with self.scratch() as scratch, self.connect(limits) as link:
            told = asdict(limits) | {"cells": (60.0, 60.0), "answers": (60.0, 60.0)}
            header = {"steps": [], "limits": told, "files": {}, "scratch": scratch, "trial": True}
            try:
                link.send(header)
                said, _ = link.wait(60)
            except (LinkClosed, Overflow, TimeoutError) as error:
                raise SandboxError(f"The sandbox does not run anything: {self._last_words()}") from error
            return [str(word) for word in said["missing"]]

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            lines = self._log.read_text(errors="replace").strip().splitlines()
            return lines[-1][:300] if lines else "it said nothing"
        return "it said nothing"

    def _home(self) -> str:
        return "/home/server" if self.kind == "bubblewrap" else str(self.folder)

    def _command(self, device: str, modules: Sequence[str], control: int) -> list[str]:
        walled = self.kind == "bubblewrap"
        place = {
            "isolation": self.kind,
            "readable": [str(path) for path in _readable()] if self.kind == "landlock" else [],
            "shared": _shared() if walled else [],
            "read_only": ["/", "/dev", *(f"/dev/{name}" for name in _DEVICES)] if walled else [],
            "device": device,
        }
        settings = {
            "place": place,
            "control": control,
            "modules": list(modules),
            "packages": [str(path) for path in _packages()],
            "course": str(_COURSE),
        }
        python = [os.path.realpath(sys.executable), "-s", "-S", "-P", "-c", _BOOT, json.dumps(settings)]
        return [*_walls(device), *python] if walled else python


def _hang_up(link: Link) -> None:
    """Tell the keeper that this is all, and wait until it has ended everything."""
    end = time.monotonic() + 20
    with contextlib.suppress(OSError, LinkClosed, Overflow, TimeoutError):
        link.sock.shutdown(socket.SHUT_WR)
        while True:
            link.wait(min(10, end - time.monotonic()))
    link.close()


def _ask_for_sender(sock: socket.socket, wanted: bool = True) -> None:
    """Have the kernel note on every message which process sends it."""
    if hasattr(socket, "SO_PASSCRED"):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, wanted)


def _sender(sock: socket.socket) -> int:
    """The process that sends the first byte, by its number out here; 0 where the system does not say."""
    sock.settimeout(60)
    try:
        _, attached, _, _ = sock.recvmsg(1, socket.CMSG_SPACE(12))
    except OSError as error:
        raise SandboxError("The sandbox does not answer.") from error
    sock.settimeout(None)
    _ask_for_sender(sock, False)
    return int.from_bytes(attached[0][2][:4], sys.byteorder) if attached else 0


def _most_memory(limits: Limits) -> int:
    """Where the kernel itself steps in: well above the limit, at which the keeper does, in words."""
    return limits.memory_bytes + limits.memory_bytes // 4 + limits.scratch_bytes + (256 << 20)


def _remove(folder: str) -> None:
    """Remove a folder, whatever modes a student gave to what is in it."""

    def open_up(action: Any, path: str, error: Any) -> None:
        with contextlib.suppress(OSError):
            for place in (os.path.dirname(path), path):
                if not os.path.islink(place):
                    os.chmod(place, 0o700)
            action(path)

    shutil.rmtree(folder, onerror=open_up)
    shutil.rmtree(folder, ignore_errors=True)


def _start(wanted: str, device: str, modules: Sequence[str], limits: Limits) -> _Server:
    """The strongest server that works here, or the one that is asked for."""
    possible = list(WAYS) if wanted == "auto" else [wanted]
    if "bubblewrap" in possible and shutil.which("bwrap") is None:
        if wanted == "bubblewrap":
            raise SandboxError("bubblewrap is not installed: install the package that has the command bwrap.")
        possible.remove("bubblewrap")
    if "landlock" in possible and not confine.landlock_version():
        if wanted == "landlock":
            raise SandboxError("This system's kernel has no Landlock; --isolation auto takes what there is.")
        possible.remove("landlock")
    for kind in possible:
        try:
            return _Server(kind, device, modules, limits)
        except SandboxError:
            if kind == possible[-1]:
                raise
    raise AssertionError


def _environment(home: str, device: str) -> dict[str, str]:
    """All that a notebook sees of the grader's environment: nothing but where libraries lie."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": home,
        "USER": "student",
        "LOGNAME": "student",
        "LANG": "C.UTF-8",
        "IPYTHONDIR": f"{home}/.ipython",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": f"{home}/.matplotlib",
        "COURSE_FAST": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
        "TERM": "dumb",
    }
    for library in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB_MAXIMUM"):
        environment[f"{library}_NUM_THREADS"] = "1"
    if device == "cpu":
        environment["CUDA_VISIBLE_DEVICES"] = ""
    for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"):
        if name in os.environ:
            environment[name] = os.environ[name]
    return environment


def _packages() -> list[Path]:
    """The folders of installed packages."""
    names = ("site-packages", "dist-packages")
    return [path for path in map(Path, sys.path) if path.name in names and path.is_dir()]


def _interpreter() -> list[Path]:
    """Python itself: its folders, those of its packages, and those of libraries that the environment names."""
    named = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    folders = [Path(sys.prefix), Path(sys.base_prefix), *_packages(), *(Path(name) for name in named if name)]
    return _outermost(folder for path in folders for folder in (path, path.resolve()) if path.is_dir())


def _shared() -> list[str]:
    """The folders that become each notebook's own; not /tmp when Python or the course itself lies there."""
    in_use = [*_interpreter(), _COURSE]
    return [name for name in ("/tmp", "/dev/shm") if not any(path.is_relative_to(name) for path in in_use)]


def _outermost(folders: Iterable[Path]) -> list[Path]:
    """These folders without those inside others of them; the whole disk or a whole home is refused."""
    kept: list[Path] = []
    too_wide = {Path("/"), Path.home(), Path("/home"), Path("/root"), Path("/tmp")}
    for folder in sorted(set(folders), key=lambda path: len(path.parts)):
        if folder in too_wide:
            raise SandboxError(
                f"Python is installed in {folder} itself; the sandbox cannot show that to students."
            )
        if not any(folder.is_relative_to(outer) for outer in kept):
            kept.append(folder)
    return kept


def _check_that_others_can_read() -> None:
    """Behind walls nobody has root's right to read everything: Python and the course must be readable as they are."""
    for path in [*_interpreter(), *_packages(), Path(os.__file__), _COURSE, _COURSE / "__init__.py"]:
        needed = 0o005 if path.is_dir() else 0o004
        if path.stat().st_mode & needed != needed:
            raise SandboxError(
                f"Only root can read {path}, and students' code is not run as root: chmod -R o+rX {path}"
            )


def _hidden() -> list[Path]:
    """What only an instructor holds, wherever it lies."""
    return [_SOLUTIONS, _COURSE / "chapters"]


def _walls(device: str) -> list[str]:
    """bubblewrap's arguments: a root that holds the environment and the course, and nothing else of this machine."""
    words = [
        "bwrap",
        "--unshare-pid",
        "--unshare-net",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-cgroup-try",
    ]
    words += ["--hostname", "sandbox"]
    if os.getuid() != 0:
        words += ["--unshare-user", "--cap-add", "ALL"]
    bound: list[Path] = []
    for name in _SYSTEM:
        path = Path(name)
        if path.is_symlink():
            words += ["--symlink", os.readlink(path), name]
        elif path.is_dir():
            words += ["--ro-bind", name, name]
            bound.append(path)
    for name in _SETTINGS:
        words += ["--ro-bind-try", name, name]
    datasets = _COURSE.parent / "datasets"
    for path in [*_interpreter(), _COURSE, *([datasets] if datasets.is_dir() else [])]:
        if not any(path.is_relative_to(outer) for outer in bound):
            for above in reversed(path.parents[:-1]):  # open to all, whatever they are outside
                words += ["--dir", str(above)]
            words += ["--ro-bind", str(path), str(path)]
            bound.append(path)
    for path in _hidden():
        if path.is_dir() and any(path.is_relative_to(outer) for outer in bound):
            words += ["--tmpfs", str(path), "--remount-ro", str(path)]
    words += ["--proc", "/proc", "--tmpfs", "/dev"]
    for name in _DEVICES:
        words += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
    words += ["--symlink", "/proc/self/fd", "/dev/fd"]
    if device != "cpu":
        for path in sorted(Path("/dev").glob("nvidia*")):
            words += ["--dev-bind", str(path), str(path)]
        words += ["--ro-bind-try", "/sys", "/sys"]
    for folder in ("/dev/shm", "/tmp", _ROOM, "/home/server"):
        words += ["--dir", folder]
    return [*words, "--chdir", "/home/server", "--"]


def _readable() -> list[Path]:
    """What Landlock leaves visible: the same as behind the walls. It cannot hide a folder in a visible one."""
    paths = [*map(Path, _SYSTEM), *map(Path, _SETTINGS), Path("/proc"), Path("/sys/devices/system/cpu")]
    paths += [Path("/dev", name) for name in _DEVICES]
    datasets = _COURSE.parent / "datasets"
    found: list[Path] = []
    for path in [*paths, *_interpreter(), _COURSE, datasets]:
        found += _without_hidden(path.resolve())
    return found


def _without_hidden(path: Path) -> list[Path]:
    """The path; or, where something hidden is inside, its other contents."""
    inside = [hidden for hidden in _hidden() if hidden.is_relative_to(path)]
    if path in inside or not path.exists():
        return []
    return [part for child in path.iterdir() for part in _without_hidden(child)] if inside else [path]


_UNPROTECTED = {
    "landlock": "bubblewrap does not work here, so student code can see which programs run on this machine,"
    " and its disk space is watched instead of capped.",
    "none": "bubblewrap does not work here and Landlock is not used, so student code can read the files that you can read"
    "{write}.",
}
_REFUSED = {
    "processes": "submissions that run at the same time can see each other's processes",
    "room": "submissions that run at the same time share their scratch folder",
    "users": "the limit on processes is shared by all submissions",
    "privileges": "set-uid programs keep their rights",
    "files": "student code can read and change the files that you can",
    "signals": "student code can stop your other programs",
    "calls": "unusual system calls and network sockets are not refused",
}


def _sentence(kind: str, missing: list[str]) -> str:
    """What is not isolated, in words; empty when everything is."""
    write = "" if os.getuid() == 0 else " and change them, and stop your programs"
    if kind == "landlock" and os.getuid() != 0 and confine.landlock_version() < 6:
        missing = [*missing, "signals"]
    sentences = [_UNPROTECTED[kind].format(write=write)] if kind in _UNPROTECTED else []
    refused = [_REFUSED.get(word, word) for word in missing]
    if refused:
        sentences.append(f"The kernel refused a part of the isolation: {'; '.join(refused)}.")
    return " ".join(sentences)
