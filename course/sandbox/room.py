"""The room of one submission: where it lies, how its keeper furnishes it, and how the student's process enters it."""

import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course.sandbox import confine
from course.sandbox.calls import refuse_system_calls
from course.sandbox.usage import processes_of, sizes

_ADDRESSES = 1 << 30
"""Bytes of addresses beside those of the memory that a process may have: what threads and allocators only set aside."""


@dataclass(frozen=True)
class Place:
    """Where and how the server runs. See solutions/classroom/submission/warm_server.py, which decides it.

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
        """Whether files, network and processes can be each submission's own."""
        return self.isolation == "bubblewrap"


@dataclass(frozen=True)
class Room:
    """One submission's folder and limits. uid: the user who works there. cells: how many there are.

    alone: whether its keeper is process 1 of a process namespace.
    """

    place: Place
    scratch: Path
    limits: Mapping[str, Any]
    uid: int
    cells: int
    alone: bool

    def furnish(self) -> list[str]:
        """In the keeper's process: what the kernel has refused, of what makes the room this submission's own."""
        missing = []
        confine.adopt_orphans()
        if self.place.walled:
            size, files = self.limits["scratch_bytes"], self.limits["scratch_files"]
            if not self.alone:
                missing.append("processes")
            if not (
                self.alone
                and confine.own_room()
                and confine.furnish(str(self.scratch), size, files, self.place.shared, self.place.read_only)
            ):
                missing.append("room")
        confine.hide_memory()
        return missing

    def unpack(self, sizes: Mapping[str, int], data: bytes) -> None:
        """Lay the submission's files into its folder. sizes: name → how many of the bytes are its own, in order."""
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

    def enter(self, output: int, counted: bool) -> list[str]:
        """In the student's process, before the first line of the student's: what the kernel has refused.

        output: where what is printed goes. counted: whether a control group counts the memory.
        """
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        os.close(nothing)
        os.close(output)
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

    def _lock_door(self, counted: bool) -> list[str]:
        """Give up what a student's process does not need."""
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
            "CPU": int(limits["cpu_seconds"] * (self.cells + 2)) + 60,
        }.items():
            confine.limit(kind, value)
        others = 0 if self.place.walled or uid == 0 else processes_of(uid) + 64
        confine.limit("NPROC", limits["processes"] + others, reserve=self.cells)
        if self.place.device == "cpu":
            confine.limit("DATA", (sizes("self", "VmData") or 4 << 30) + limits["memory_bytes"])
            if not counted and (size := sizes("self", "VmSize")):
                confine.limit("AS", size + limits["memory_bytes"] + _ADDRESSES)
        confine.volunteer_for_oom()
        if not confine.renounce_privileges():
            missing.append("privileges")
        if self.place.isolation == "landlock":
            writable = [self.scratch, Path("/dev/null")]
            if not confine.keep_to_folders(map(Path, self.place.readable), writable):
                missing.append("files")
        if not refuse_system_calls(walled=self.place.walled):
            missing.append("calls")
        confine.hide_memory(False)
        return missing


def _open_to_all(folder: str) -> bool:
    return not os.path.isdir(folder) or confine.readable_by_others(Path(folder).resolve())
