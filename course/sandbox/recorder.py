"""Inside the sandbox: one warm server that runs other people's notebooks, each in processes of its own.

    server     imports torch once and forks; never runs a student's code
    └ keeper   one per submission: furnishes its room, watches it, ends it
      └ notebook    the student's cells, one after the other, in an IPython shell
        └ snapshot  the notebook as it stood at a graded cell; waits until the notebook has ended, then gets its
                    questions, answers, and ends. Graded cells between which nothing but definitions lies share one

The questions reach the sandbox only when the notebook's output is closed: what a person may see was written by a
process that never held them. Whatever a notebook or a snapshot sends is passed on unread; it is judged outside.
"""

import contextlib
import gc
import importlib
import io
import json
import os
import random
import secrets
import select
import signal
import socket
import struct
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from course.sandbox import confine

Message = tuple[dict[str, Any], bytes]

MODULES = (
    "torch.fx.experimental.symbolic_shapes",  # torch loads it at the first gradient that starts from a tensor
    "torch.nested._internal.nested_tensor",  # and this with a network; what is loaded late cannot be shared
    "matplotlib.pyplot",
    "IPython.core.interactiveshell",
    "course.check",
    "course.judging.recording",
    "course.show",
)
"""Imported once, before any submission; what else a notebook imports, it imports itself."""

FAILURES = {
    "missing": "{} is not defined.",
    "no function": "{} is not a function.",
    "interrupted": "{} interrupted its own recording.",
    "memory": "{} used up the memory it may have.",
    "late": "{} has to be asked in a process of its own.",
}
"""Why a function has no recording. Fixed words: who says so has seen the hidden inputs."""

GATHER_AFTER = 8
"""Submissions after which laying the memory into large pages (half a second) pays off."""

ALL_TIME_USED = "killed: all time used"
"""The status of a cell, and the reason of an answer, at which the time for the whole submission ended."""


class LinkClosed(Exception):
    """Nobody is at the other end any more."""


class Overflow(Exception):
    """The other end sent more than is accepted, or no message at all."""


class Link:
    """Messages over a stream socket: a JSON header and bytes. Never blocks unless asked to, believes nothing."""

    _LENGTHS = struct.Struct("<IQ")

    def __init__(self, sock: socket.socket, largest: int = 1 << 40, largest_header: int = 1 << 28) -> None:
        self.sock = sock
        self._largest, self._largest_header = largest, largest_header
        self._bytes = bytearray()

    def fileno(self) -> int:
        return self.sock.fileno()

    def close(self) -> None:
        self.sock.close()

    @classmethod
    def encode(cls, header: dict[str, Any], blob: bytes = b"") -> bytes:
        text = json.dumps(header).encode()
        return cls._LENGTHS.pack(len(text), len(blob)) + text + blob

    def send(self, header: dict[str, Any], blob: bytes = b"") -> None:
        try:
            self.sock.sendall(self.encode(header, blob))
        except OSError as error:
            raise LinkClosed from error

    def poll(self) -> Message | None:
        """The next message if all of it is here. Raises LinkClosed at the end, Overflow when it is too long.

        Receives once: whoever sends a byte at a time must not keep the one who listens from looking at the clock.
        """
        message = self._take()
        if message is not None:
            return message
        try:
            data = self.sock.recv(1 << 20, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise LinkClosed from error
        if not data:
            raise LinkClosed
        self._bytes += data
        return self._take()

    def wait(self, seconds: float | None = None) -> Message:
        """The next message; TimeoutError when it does not come in time."""
        end = None if seconds is None else time.monotonic() + seconds
        waiting = select.poll()
        waiting.register(self.sock, select.POLLIN)
        while (message := self.poll()) is None:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError
            waiting.poll(None if left is None else 1000 * left)
        return message

    def _take(self) -> Message | None:
        start = self._LENGTHS.size
        if len(self._bytes) < start:
            return None
        text, blob = self._LENGTHS.unpack_from(self._bytes)
        if blob > self._largest or text > self._largest_header:
            raise Overflow
        end = start + text + blob
        if len(self._bytes) < end:
            return None
        try:
            header = json.loads(bytes(self._bytes[start : start + text]))
        except (ValueError, RecursionError) as error:
            raise Overflow from error
        if not isinstance(header, dict):
            raise Overflow
        body = bytes(self._bytes[start + text : end])
        del self._bytes[:end]
        return header, body


# -- the server ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Where and how the server runs. See solutions/classroom/submission/sandbox.py, which decides it.

    isolation: bubblewrap, landlock or none. readable: what Landlock leaves visible. shared: folders that become the
    notebook's own scratch. read_only: what else could be written to. device: cpu or cuda.
    """

    isolation: str
    readable: list[str]
    shared: list[str]
    read_only: list[str]
    device: str = "cpu"

    @property
    def walled(self) -> bool:
        return self.isolation == "bubblewrap"


def serve(control: socket.socket, place: Place, modules: list[str]) -> None:
    """Fork a keeper for every socket that arrives over `control`, until `control` closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the grader, which then closes `control`
    shell = _warm_up(modules)
    confine.adopt_orphans()
    own_processes = os.open("/proc/self/ns/pid", os.O_RDONLY) if place.walled else -1
    keepers: dict[int, int] = {}
    jobs = 0
    some = secrets.randbelow(10_000)  # two graders on one machine do not use the same users
    control.sendall(b"r")
    while True:
        ready, _, _ = select.select([control], [], [], 0.2 if keepers else None)
        if ready:
            order, handles, _, _ = socket.recv_fds(control, 9, 1 + confine.Counters.FILES)
            if not order:
                break
            number = int.from_bytes(order[1:], "little")
            if order[:1] == b"k":
                _end([pid for pid, job in keepers.items() if job == number])
            else:
                jobs += 1
                if jobs == GATHER_AFTER:
                    confine.gather_memory()
                pid = _fork_keeper(control, own_processes, handles, place, shell, some + jobs)
                keepers[pid] = number
                for handle in handles:
                    os.close(handle)
        _reap(keepers)
    _end(list(keepers))
    _end(_children(os.getpid()))


def _warm_up(modules: list[str]) -> Any:
    """Import what every notebook needs, with one thread only: a fork copies no other."""
    for name in (*MODULES, *modules):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    import numpy as np
    import torch

    from course.exercises import chapters, exercises_of

    torch.set_num_threads(1)
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    for chapter in chapters():
        try:
            exercises_of(chapter)
        except Exception:  # one chapter's trouble is not another's
            traceback.print_exc()
    torch.Tensor.share_memory_ = _share_memory  # type: ignore[method-assign]
    shell = _shell()
    _rehearse(shell)
    gc.collect()
    gc.freeze()
    return shell


def _share_memory(tensor: Any) -> Any:
    """What torch.Tensor.share_memory_ does, in a file of the notebook's own: not every isolation has a /dev/shm."""
    import torch

    if tensor.device.type != "cpu" or tensor.is_shared() or not tensor.untyped_storage().nbytes():
        return tensor
    held: Any = tensor.untyped_storage()
    with tempfile.NamedTemporaryFile() as file:
        os.posix_fallocate(file.fileno(), 0, held.nbytes())
        shared: Any = torch.UntypedStorage.from_file(file.name, True, held.nbytes())
    shared.copy_(held)
    view = torch.empty(0, dtype=tensor.dtype)
    view.set_(shared, tensor.storage_offset(), tensor.size(), tensor.stride())
    tensor.data = view
    return tensor


def _rehearse(shell: Any) -> None:
    """Do once what every notebook does first, so that what it loads and fills is there already."""
    import torch

    from course.judging import archive
    from course.judging.exercise import Exercise
    from course.judging.recording import record

    with contextlib.redirect_stdout(io.StringIO()):
        for source in ("x = 1\nx", "1 / 0", "def f(:"):
            shell.run_cell(source, store_history=True)
    shell.reset(new_session=False)
    shell.execution_count = 1
    shell.history_manager.reset(new_session=False)
    names = {"x": torch.ones(2, 2)}
    recorded = record(lambda x: x @ x, Exercise("rehearsal", lambda seed: [names]), [0], [[names]])
    archive.unpack(archive.pack({"outcomes": [outcome.tree() for outcome in recorded]}))


def _fork_keeper(
    control: socket.socket, own_processes: int, handles: list[int], place: Place, shell: Any, job: int
) -> int:
    alone = place.walled and confine.next_child_is_init()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        if alone:
            confine.back_to(own_processes)
        return pid
    code = 1
    try:
        control.close()
        confine.die_with_parent()
        grader = socket.socket(fileno=handles[0])
        grader.sendall(b"k")  # from whom this comes tells the grader whom to put into a control group
        keeper = Keeper(Link(grader), place, shell, job, alone, confine.Counters(handles[1:]))
        keeper.run()
        code = 0
    except LinkClosed:  # the grader has gone or has heard enough
        code = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _reap(keepers: dict[int, int]) -> None:
    """Bury ended keepers; end what a keeper that was killed has left behind."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid == 0:
            break
        keepers.pop(pid, None)
    if confine.LINUX:
        _end([pid for pid in _children(os.getpid()) if pid not in keepers])


def _end(pids: list[int]) -> None:
    for pid in pids:
        for below in _descendants(pid):
            _kill(below)
        _kill(pid)


def _kill(pid: int, number: int = signal.SIGKILL) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            found += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    except OSError:
        pass
    return found


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    waiting = _children(pid)
    while waiting:
        found.append(waiting.pop())
        waiting += _children(found[-1])
    return found


# -- the keeper ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """One cell of a job, as it arrives. shares: this graded cell is answered by the next one's snapshot."""

    id: str
    source: str
    exercise: str
    shares: bool


@dataclass
class Snapshot:
    """A notebook that was stopped at a graded cell and waits for the questions of these steps."""

    steps: list[Step]
    link: Link
    pid: int


@dataclass
class Usage:
    """What a job's processes hold together."""

    processes: int = 0
    cpu: float = 0.0
    memory: int = 0


class Keeper:
    """The process that watches one submission. In a process namespace it is process 1: nothing outlives it."""

    def __init__(
        self, grader: Link, place: Place, shell: Any, job: int, alone: bool, counters: confine.Counters
    ) -> None:
        self.grader, self.place, self.shell, self.alone = grader, place, shell, alone
        self.counters = counters
        self.uid = 50_000 + job % 10_000 if os.getuid() == 0 else os.getuid()
        self.missing: list[str] = []
        self.snapshots: list[Snapshot] = []
        self.notebook = 0
        self.buried_cpu = 0.0
        self.seen_cpu: dict[tuple[str, str], float] = {}
        self.cpu = 0.0
        self.started = time.monotonic()
        self.until = "cells"
        self.text = bytearray()
        self.written = 0
        self.checked_disk = 0.0

    def run(self) -> None:
        """The whole submission. Raises LinkClosed when the grader hangs up; nothing is left running in any case."""
        header, files = self.grader.wait()
        self.steps = [Step(*step) for step in header["steps"]]
        self.limits = header["limits"]
        self._furnish(header["scratch"])
        try:
            self._unpack(header["files"], files)
            self._start_notebook()
            if not header["trial"] and self._run_cells():
                self._end_notebook()
                self.until = "answers"
                self._answer_questions()
        finally:
            self._kill_all()

    # the room

    def _furnish(self, scratch: str) -> None:
        self.scratch = Path(scratch)
        confine.adopt_orphans()
        if self.place.walled:
            size, files = self.limits["scratch_bytes"], self.limits["scratch_files"]
            if not self.alone:
                self.missing.append("processes")
            if not (
                self.alone
                and confine.own_room()
                and confine.furnish(scratch, size, files, self.place.shared, self.place.read_only)
            ):
                self.missing.append("room")
        confine.hide_memory()

    def _unpack(self, sizes: dict[str, int], data: bytes) -> None:
        self.scratch.mkdir(parents=True, exist_ok=True)
        start = 0
        for name, size in sizes.items():
            path = self.scratch / name
            path.write_bytes(data[start : start + size])
            start += size
        if os.getuid() == 0:
            for path in [self.scratch, *self.scratch.iterdir()]:
                if path.name != ".tmp":
                    os.chown(path, self.uid, self.uid)

    def _lock_door(self, counted: bool) -> list[str]:
        """In the student's process, before the first line of the student's: give up what it does not need."""
        missing = []
        uid, gid = os.getuid(), os.getgid()
        confine.hide_memory(False)
        if uid == 0:
            in_sight = self.place.walled or all(map(_open_to_all, sys.path))
            confine.become(self.uid, keep_reading=not in_sight)
        elif self.place.walled and not confine.own_user_namespace(uid, gid):
            missing.append("users")
        if uid != 0 and confine.LINUX:
            confine.set_capabilities(0)
        limits = self.limits
        for kind, value in {
            "CORE": 0,
            "NOFILE": 512,
            "FSIZE": limits["scratch_bytes"],
            "CPU": int(limits["cpu_seconds"] * (len(self.steps) + 2)) + 60,
        }.items():
            confine.limit(kind, value)
        others = 0 if self.place.walled or uid == 0 else _processes_of(uid) + 64
        confine.limit("NPROC", limits["processes"] + others, reserve=len(self.steps))
        if self.place.device == "cpu":
            confine.limit("DATA", (_sizes("self", "VmData") or 4 << 30) + limits["memory_bytes"])
            if not counted and (size := _sizes("self", "VmSize")):
                confine.limit("AS", size + limits["memory_bytes"] + _ADDRESSES)
        confine.volunteer_for_oom()
        if not confine.renounce_privileges():
            missing.append("privileges")
        if self.place.isolation == "landlock":
            writable = [self.scratch, Path("/dev/null")]
            if not confine.keep_to_folders(map(Path, self.place.readable), writable):
                missing.append("files")
        if not confine.refuse_system_calls(walled=self.place.walled):
            missing.append("calls")
        confine.hide_memory(False)
        return missing

    # the notebook's process

    def _start_notebook(self) -> None:
        ours, theirs = socket.socketpair()
        output, inlet = os.pipe()
        os.set_blocking(output, False)
        pairs = {step.id: socket.socketpair() for step in self.steps if step.exercise and not step.shares}
        own = os.getpid()
        self.base, self.base_size = _own_memory(own), _sizes(own, "VmSize")
        self.base_tables, self.base_count = _sizes(own, "VmPTE"), self.counters.memory()
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
                missing = self._enter(inlet, counted)
                run_notebook(self.shell, self.steps, Link(theirs), far, missing, self.place.device)
            finally:
                os._exit(70)
        theirs.close()
        os.close(inlet)
        for _, far_end in pairs.values():
            far_end.close()
        self.notebook, self.output, self.link = pid, output, Link(ours, _SHORT, _SHORT)
        self.near = {id: pair[0] for id, pair in pairs.items()}
        message, reason = self._listen(self.link)
        self.missing += message[0].get("missing", []) if message else [reason]
        self.grader.send({"missing": [str(word) for word in self.missing]})

    def _enter(self, inlet: int, counted: bool) -> list[str]:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (inlet, 1), (inlet, 2)):
            os.dup2(source, target)
        os.close(nothing)
        os.close(inlet)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        temporary = self.scratch / ".tmp"
        missing = self._lock_door(counted)
        confine.die_with_parent()
        os.chdir(self.scratch)
        with contextlib.suppress(OSError):
            temporary.mkdir(exist_ok=True)
        os.environ |= {"HOME": str(self.scratch), "TMPDIR": str(temporary), "PWD": str(self.scratch)}
        return missing

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
                    "cpu": self.cpu,
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
            self._kill_all({self.notebook, *(snapshot.pid for snapshot in self.snapshots)})
        try:
            stay = last and len(sharing) > 1 and not self.snapshots
            self.link.send({"do": step.id, "stay": stay})
            message, reason = self._listen(self.link)
        except LinkClosed:
            message, reason = None, self._cause_of_death()
        self._read_output()
        said = message[0] if message else {}
        if not step.exercise and not reason and self._disk_is_full():
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
        return True

    def _end_notebook(self) -> None:
        """No word of the notebook is heard from here on; only then are there questions."""
        self.link.close()
        if self.output >= 0:
            os.close(self.output)
        self.output = -1
        waiting = {snapshot.pid for snapshot in self.snapshots}
        end = time.monotonic() + 0.5
        while self.notebook and self.notebook not in waiting and time.monotonic() < end:
            self._bury()
            time.sleep(0.001)
        self._kill_all(waiting)

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
                    "cpu": self.cpu,
                },
                answer,
            )
            self._kill_all({later.pid for later, _ in asked[position:]})

    # watching

    def _listen(self, link: Link, sending: bytes = b"") -> tuple[Message | None, str]:
        """The next message from a student's process, or the reason why there is none."""
        started, pause = time.monotonic(), 0.02
        first = self._usage().cpu
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
                return None, self._cause_of_death()
            except Overflow:
                return None, "killed: recording"
            if message is not None:
                return message, ""
            now = time.monotonic()
            if now >= next_check:
                if reason := self._exceeded(now - started, first):
                    return None, reason
                pause = min(2 * pause, 0.1)
                next_check = now + pause
                self._ask_grader()

    def _ask_grader(self) -> None:
        """Raises LinkClosed when the grader is no longer there."""
        readable, _, _ = select.select([self.grader.sock], [], [], 0)
        if readable and not self.grader.sock.recv(1, socket.MSG_PEEK):
            raise LinkClosed

    def _exceeded(self, seconds: float, cpu_before: float) -> str:
        status = self._bury()
        if status:
            return status
        usage = self._usage()
        if usage.cpu - cpu_before > self.limits["cpu_seconds"] or seconds > self.limits["wall_seconds"]:
            return "killed: time"
        cpu_left, wall_left = self.limits[self.until]
        if usage.cpu > cpu_left or time.monotonic() - self.started > wall_left:
            return ALL_TIME_USED
        if self._too_much_memory(usage):
            return "killed: memory"
        if usage.processes > self.limits["processes"] + len(self.snapshots) + 1:
            return "killed: processes"
        if time.monotonic() - self.checked_disk > 0.3 and self._disk_is_full():
            return "killed: disk"
        return ""

    def _disk_is_full(self) -> bool:
        """Behind walls the kernel sees to it."""
        self.checked_disk = time.monotonic()
        size, files = self.limits["scratch_bytes"], self.limits["scratch_files"]
        return not self.place.walled and _too_much(self.scratch, size, files)

    def _cause_of_death(self) -> str:
        end = time.monotonic() + 0.5
        while self.notebook and time.monotonic() < end:
            if status := self._bury():
                return status
            time.sleep(0.001)
        return "died"

    def _bury(self) -> str:
        """Wait for whoever has ended; says how the notebook's own process ended, if it did just now."""
        ended = ""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return ended
            if pid == 0:
                return ended
            self.buried_cpu += usage.ru_utime + usage.ru_stime
            if pid == self.notebook:
                self.notebook = 0
                number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
                ended = {9: "killed: memory", 24: "killed: time"}.get(number, "died")  # SIGKILL, SIGXCPU

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

    def _processes(self) -> list[int]:
        if not confine.LINUX:
            return [pid for pid in (self.notebook, *(snapshot.pid for snapshot in self.snapshots)) if pid]
        if self.alone and "room" not in self.missing:
            own = os.getpid()
            return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != own]
        return _descendants(os.getpid())

    def _usage(self) -> Usage:
        usage = Usage(cpu=self.buried_cpu)
        for pid in self._processes():
            with contextlib.suppress(OSError, IndexError):
                words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                usage.processes += 1
                usage.cpu += sum(map(int, words[11:15])) / _TICKS
                self.seen_cpu[f"{pid}", words[19]] = sum(map(int, words[11:13])) / _TICKS
                usage.memory += max(0, _own_memory(pid) - self.base, _sizes(pid, "VmSize") - self.base_size)
        # a child of whoever ignores its children's end is buried by nobody: what it was last seen to have used counts
        usage.cpu = max(usage.cpu, sum(self.seen_cpu.values()))
        self.cpu = usage.cpu = self.counters.cpu() or usage.cpu
        return usage

    def _too_much_memory(self, usage: Usage) -> bool:
        """By the kernel's own count where there is a control group, else by what the processes hold and could fill."""
        allowed = self.limits["memory_bytes"]
        if self.counters:
            scratch = _on_tmpfs(self.scratch) if self.place.walled else 0
            return self.counters.memory(above=allowed + scratch + self.base_count) > 0
        return usage.memory > allowed and self._memory() > allowed

    def _memory(self) -> int:
        """What the processes hold together, shared pages counted once: exact, and slower than `_usage`.

        Pages that are shared with nobody's knowledge of them (a mapping that was filled and let go) count as filled.
        """
        private = tables = 0
        mapped: dict[str, int] = {}
        for pid in self._processes():
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith(("Pss_Anon:", "SwapPss:")):
                        private += int(line.split()[1]) << 10
            tables += max(0, _sizes(pid, "VmPTE") - self.base_tables)
            for inode, size in _shared_mappings(pid).items():
                mapped[inode] = max(size, mapped.get(inode, 0))
        return max(0, private + self.base_tables - self.base) + tables + sum(mapped.values())

    def _kill_all(self, but: set[int] = frozenset()) -> None:  # type: ignore[assignment]
        """End every process of this job but these, however quickly they multiply."""
        end = time.monotonic() + 5
        while time.monotonic() < end:
            pids = [pid for pid in self._processes() if pid not in but and not _has_ended(pid)]
            if not pids:
                return
            for number in (signal.SIGSTOP, signal.SIGKILL):
                for pid in pids:
                    _kill(pid, number)
            self._bury()
            time.sleep(0.001)


_TICKS = os.sysconf("SC_CLK_TCK")
_SHORT = 1 << 16
"""Bytes of what a student's process may say beside its recording."""

_ADDRESSES = 1 << 30
"""Bytes of addresses beside those of the memory that a process may have: what threads and allocators only set aside."""


def _sizes(pid: int | str, *names: str) -> int:
    """The sum of these lines of /proc/…/status, in bytes; 0 where there is no such process."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        return sum(int(status.partition(f"{name}:")[2].split()[0]) for name in names) << 10
    except (OSError, IndexError, ValueError):
        return 0


def _has_ended(pid: int) -> bool:
    """Whether a process only waits for its parent to take notice of its end."""
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return False


def _own_memory(pid: int) -> int:
    """Bytes of a process that belong to no file, and those of the tables that say where they are."""
    return _sizes(pid, "RssAnon", "RssShmem", "VmPTE")


def _shared_mappings(pid: int) -> dict[str, int]:
    """The mappings of a process that belong to no file on a disk: how far into each it could reach, in bytes."""
    found: dict[str, int] = {}
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/maps").read_text(errors="replace").splitlines():
            addresses, rights, offset, device, inode, *name = line.split(maxsplit=5)
            if rights[3] == "s" and name and name[0].startswith(("/dev/zero", "/dev/shm/")):
                start, end = (int(address, 16) for address in addresses.split("-"))
                file = f"{device} {inode}"
                found[file] = max(found.get(file, 0), int(offset, 16) + end - start)
    return found


def _on_tmpfs(folder: Path) -> int:
    """Bytes that a folder with a size of its own holds."""
    with contextlib.suppress(OSError):
        room = os.statvfs(folder)
        return (room.f_blocks - room.f_bfree) * room.f_frsize
    return 0


def _processes_of(uid: int) -> int:
    with contextlib.suppress(OSError):
        return sum(entry.stat().st_uid == uid for entry in os.scandir("/proc") if entry.name.isdigit())
    return 1000


def _open_to_all(folder: str) -> bool:
    return not os.path.isdir(folder) or confine.readable_by_others(Path(folder).resolve())


def _too_much(folder: Path, size: int, files: int) -> bool:
    """Whether a folder holds more than this; stops looking as soon as it does."""
    waiting = [folder]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                files -= 1
                with contextlib.suppress(OSError):
                    size -= entry.stat(follow_symlinks=False).st_blocks * 512
                if files < 0 or size < 0:
                    return True
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
    return False


# -- the notebook and its snapshots: from here on, the student's code is in the same process -----------------------


def run_notebook(
    shell: Any,
    steps: list[Step],
    keeper: Link,
    far: dict[str, socket.socket],
    missing: list[str],
    device: str,
) -> NoReturn:
    """Do what the keeper says, step by step, until it hangs up."""
    by_id = {step.id: step for step in steps}
    moments: dict[str, Moment] = {}
    own = os.getpid()
    random.seed(0)  # Python seeds it anew in every fork
    keeper.send({"missing": missing})
    with contextlib.suppress(LinkClosed):
        while True:
            order = keeper.wait()[0]
            step = by_id[order["do"]]
            for passed in _shared_before(steps, step):
                moments[passed.id] = Moment(dict(shell.user_ns), len(sys.modules))
            if not step.exercise:
                said = run_cell(shell, step.source, step.id)
                if os.getpid() != own:  # the cell has forked; only one of the two is the notebook
                    break
                keeper.send(said)
            elif order["stay"] or device != "cpu":  # all that is left to do; and CUDA survives no fork
                keeper.send({"pid": own})
                _be_snapshot(shell, by_id, step, keeper, far, device, moments)
            else:
                keeper.send({"pid": _fork_snapshot(shell, by_id, step, keeper, far, device, moments)})
    os._exit(0)


@dataclass(frozen=True)
class Moment:
    """What a notebook had at a graded cell that a later one answers for: its names, and how many modules were loaded."""

    names: dict[str, Any]
    modules: int

    @contextlib.contextmanager
    def again(self, names: dict[str, Any]) -> Iterator[None]:
        """The notebook's names as they were then, whoever looks them up; never without those that are in both."""
        now = dict(names)
        _turn_into(names, self.names)
        try:
            yield
        finally:
            _turn_into(names, now)


def _turn_into(names: dict[str, Any], wanted: dict[str, Any]) -> None:
    names.update(wanted)
    for name in names.keys() - wanted.keys():
        del names[name]


def _shared_before(steps: list[Step], step: Step) -> list[Step]:
    """The graded cells right before this one that leave their answer to a later one; nothing has run since."""
    place = end = next(place for place, other in enumerate(steps) if other is step)
    while place and steps[place - 1].shares:
        place -= 1
    return steps[place:end]


def run_cell(shell: Any, source: str, name: str) -> dict[str, Any]:
    """One cell in the shell; what went wrong, and in which line of it. Tracebacks call its file "cell:NAME"."""
    shell.compile.cell = name
    sys.stdout = open(1, "w", encoding="utf-8", errors="replace", closefd=False)
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)
    result = shell.run_cell(source, store_history=True)
    error = result.error_before_exec or result.error_in_exec
    if error is not None:
        traceback.clear_frames(error.__traceback__)  # what a failed cell held must not burden those after it
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close("all")
    return {"error": type(error).__name__, "line": _line(error)} if error is not None else {}


def _line(error: BaseException) -> int:
    if isinstance(error, SyntaxError):
        return error.lineno or 0
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename.startswith("cell:"):
            return line
    return 0


def _fork_snapshot(
    shell: Any,
    steps: dict[str, Step],
    step: Step,
    keeper: Link,
    far: dict[str, socket.socket],
    device: str,
    moments: dict[str, Moment],
) -> int:
    confine.use_reserve("NPROC")
    try:
        pid = os.fork()
    except OSError:
        return 0
    if pid:
        return pid
    _be_snapshot(shell, steps, step, keeper, far, device, moments)


def _be_snapshot(
    shell: Any,
    steps: dict[str, Step],
    step: Step,
    keeper: Link,
    far: dict[str, socket.socket],
    device: str,
    moments: dict[str, Moment],
) -> NoReturn:
    """Fall silent, wait for questions, answer each, and end when nobody asks any more.

    Each function is asked with the names that the notebook had at its graded cell. A module that was loaded since
    cannot be taken away again: then that function has to be asked elsewhere.
    """
    try:
        keeper.close()
        for id, sock in far.items():
            if id != step.id:
                sock.close()
        nothing = os.open(os.devnull, os.O_RDWR)
        for target in (0, 1, 2):
            os.dup2(nothing, target)
        sys.stdout = sys.stderr = open(os.devnull, "w")
        link = Link(far[step.id])
        restore, own, loaded = _settings(), os.getpid(), len(sys.modules)
        while os.getpid() == own:  # a function may have forked
            asked, questions = link.wait()
            restore()
            exercise = steps[asked["question"]].exercise
            moment = moments.get(asked["question"]) or Moment(dict(shell.user_ns), loaded)
            if moment.modules == len(sys.modules):
                with moment.again(shell.user_ns):
                    header, answer = answers_to(shell.user_ns, exercise, questions, device)
            else:
                header, answer = {"failure": "late"}, b""
            if os.getpid() == own:
                link.send(header, answer)
    finally:
        os._exit(0)


def _settings() -> Callable[[], None]:
    """What one function may have left changed for the next that answers in the same process; call it to change it back."""
    import numpy as np
    import torch

    dtype, grad = torch.get_default_dtype(), torch.is_grad_enabled()
    drawn = torch.get_rng_state(), np.random.get_state(), random.getstate()

    def restore() -> None:
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(grad)
        torch.set_rng_state(drawn[0])
        np.random.set_state(drawn[1])
        random.setstate(drawn[2])

    return restore


def answers_to(names: dict[str, Any], exercise: str, questions: bytes, device: str) -> Message:
    """The recording of one exercise's function, or the sentence why there is none."""
    from course.exercises import find
    from course.judging import archive
    from course.judging.recording import record

    if exercise not in names:
        return {"failure": "missing"}, b""
    fn = names[exercise]
    if not callable(fn):
        return {"failure": "no function"}, b""
    asked = archive.unpack(questions)
    try:
        outcomes = record(fn, find(exercise)[1], asked["seeds"], asked["inputs"], device)
        return {}, archive.pack({"outcomes": [outcome.tree() for outcome in outcomes]})
    except KeyboardInterrupt:
        return {"failure": "interrupted"}, b""
    except MemoryError:
        return {"failure": "memory"}, b""


def _shell() -> Any:
    """An IPython shell without history, colours, widgets or windows."""
    from IPython.core.compilerop import CachingCompiler
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    from course.judging import gaps

    class Quiet(DisplayPublisher):  # type: ignore[misc]
        """Shows text; pictures and widgets are for people."""

        def publish(self, data: dict[str, Any], *args: Any, **kwargs: Any) -> None:
            pictures = ("image/", "application/")
            if not any(kind.startswith(pictures) for kind in data) and "text/plain" in data:
                print(data["text/plain"])

    class Cells(CachingCompiler):  # type: ignore[misc]
        """Names a cell's code after the cell, so that the judge finds the line that a traceback means."""

        cell = ""

        def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
            return f"cell:{self.cell}"

    class Shell(InteractiveShell):  # type: ignore[misc]
        compiler_class = Cells

        def init_display_pub(self) -> None:
            self.display_pub = Quiet(parent=self)

        def enable_gui(self, gui: Any = None) -> None:
            """There are no windows here."""

        def enable_matplotlib(self, gui: Any = None) -> tuple[str, str]:
            return "agg", "agg"

        def ask_exit(self) -> None:
            """`exit` in a notebook leaves nothing."""

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.xmode = "Plain"
    shell = Shell.instance(config=config)
    with shell.builtin_trap:
        gaps.install()
    return shell


def _read_settings(text: str) -> Iterator[Any]:
    settings = json.loads(text)
    yield socket.socket(fileno=settings["control"])
    yield Place(**settings["place"])
    yield settings["modules"]


def main(settings: str) -> None:
    """Called by the command line that solutions/classroom/submission/sandbox.py puts together."""
    serve(*_read_settings(settings))
