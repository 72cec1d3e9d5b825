"""The keeper's watch over one submission: what its processes use together, whether that is too much, and their end."""

import contextlib
import os
import signal
import time
from collections.abc import Collection, Set
from dataclasses import dataclass
from pathlib import Path

from course.sandbox import confine
from course.sandbox.link import ALL_TIME_USED
from course.sandbox.processes import descendants, has_ended, kill
from course.sandbox.room import Room
from course.sandbox.usage import Counters, holds_more_than, on_tmpfs, own_memory, shared_mappings, sizes

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Usage:
    """What a job's processes hold together."""

    processes: int = 0
    cpu: float = 0.0
    memory: int = 0


class Watch:
    """The processes of one submission, whatever they start: what they use, and their end.

    notebook: the process of the cells, 0 once it has ended. snapshots: those of graded cells. until: what their time
    lasts for, the cells or the answers. cpu: seconds of the processor so far.
    """

    def __init__(self, room: Room, missing: Collection[str], counters: Counters) -> None:
        """missing: what the kernel refused when the room was furnished."""
        self.room, self.limits, self.counters = room, room.limits, counters
        self.started = time.monotonic()
        self.notebook = 0
        self.snapshots: list[int] = []
        self.until = "cells"
        self.cpu = 0.0
        self._alone = room.alone and "room" not in missing
        self._buried_cpu = 0.0
        self._seen_cpu: dict[tuple[str, str], float] = {}
        self._checked_disk = 0.0
        own = os.getpid()
        self._base, self._base_size = own_memory(own), sizes(own, "VmSize")
        self._base_tables, self._base_count = sizes(own, "VmPTE"), counters.memory()

    def exceeded(self, seconds: float, cpu_before: float) -> str:
        """What is used up, if anything. seconds: by the clock since this cell or question began; cpu_before: until then."""
        status = self.bury()
        if status:
            return status
        usage = self.usage()
        if usage.cpu - cpu_before > self.limits["cpu_seconds"] or seconds > self.limits["wall_seconds"]:
            return "killed: time"
        cpu_left, wall_left = self.limits[self.until]
        if usage.cpu > cpu_left or time.monotonic() - self.started > wall_left:
            return ALL_TIME_USED
        if self._too_much_memory(usage):
            return "killed: memory"
        if usage.processes > self.limits["processes"] + len(self.snapshots) + 1:
            return "killed: processes"
        if time.monotonic() - self._checked_disk > 0.3 and self.disk_is_full():
            return "killed: disk"
        return ""

    def disk_is_full(self) -> bool:
        """Behind walls the kernel sees to it."""
        self._checked_disk = time.monotonic()
        size, files = self.limits["scratch_bytes"], self.limits["scratch_files"]
        return not self.room.place.walled and holds_more_than(self.room.scratch, size, files)

    def cause_of_death(self) -> str:
        """How the notebook's process ended, of which nothing more is heard."""
        end = time.monotonic() + 0.5
        while self.notebook and time.monotonic() < end:
            if status := self.bury():
                return status
            time.sleep(0.001)
        return "died"

    def bury(self) -> str:
        """Wait for whoever has ended; says how the notebook's own process ended, if it did just now."""
        ended = ""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return ended
            if pid == 0:
                return ended
            self._buried_cpu += usage.ru_utime + usage.ru_stime
            if pid == self.notebook:
                self.notebook = 0
                number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
                ended = {9: "killed: memory", 24: "killed: time"}.get(number, "died")  # SIGKILL, SIGXCPU

    def _processes(self) -> list[int]:
        if not confine.LINUX:
            return [pid for pid in (self.notebook, *self.snapshots) if pid]
        if self._alone:
            own = os.getpid()
            return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != own]
        return descendants(os.getpid())

    def spent(self) -> float:
        """Seconds of the processor until now."""
        self.cpu = self.counters.cpu() or self.usage().cpu
        return self.cpu

    def usage(self) -> Usage:
        """What all processes use now; quick, and rather too much than too little. Memory only where no control group counts it."""
        pids = self._processes()
        if counted := self.counters.cpu():
            self.cpu = counted
            return Usage(len(pids), counted)
        usage = Usage(cpu=self._buried_cpu)
        for pid in pids:
            with contextlib.suppress(OSError, IndexError):
                words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                usage.processes += 1
                usage.cpu += sum(map(int, words[11:15])) / _TICKS
                self._seen_cpu[f"{pid}", words[19]] = sum(map(int, words[11:13])) / _TICKS
                usage.memory += max(0, own_memory(pid) - self._base, sizes(pid, "VmSize") - self._base_size)
        # a child of whoever ignores its children's end is buried by nobody: what it was last seen to have used counts
        usage.cpu = max(usage.cpu, sum(self._seen_cpu.values()))
        self.cpu = usage.cpu
        return usage

    def _too_much_memory(self, usage: Usage) -> bool:
        """By the kernel's own count where there is a control group, else by what the processes hold and could fill."""
        allowed = self.limits["memory_bytes"]
        if self.counters:
            scratch = on_tmpfs(self.room.scratch) if self.room.place.walled else 0
            return self.counters.memory(above=allowed + scratch + self._base_count) > 0
        return usage.memory > allowed and self._memory() > allowed

    def _memory(self) -> int:
        """What the processes hold together, shared pages counted once: exact, and slower than `usage`.

        Pages that are shared with nobody's knowledge of them (a mapping that was filled and let go) count as filled.
        """
        private = tables = 0
        mapped: dict[str, int] = {}
        for pid in self._processes():
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith(("Pss_Anon:", "SwapPss:")):
                        private += int(line.split()[1]) << 10
            tables += max(0, sizes(pid, "VmPTE") - self._base_tables)
            for inode, size in shared_mappings(pid).items():
                mapped[inode] = max(size, mapped.get(inode, 0))
        return max(0, private + self._base_tables - self._base) + tables + sum(mapped.values())

    def kill_all(self, but: Set[int] = frozenset()) -> None:
        """End every process of this job but these, however quickly they multiply."""
        end = time.monotonic() + 5
        while time.monotonic() < end:
            pids = [pid for pid in self._processes() if pid not in but and not has_ended(pid)]
            if not pids:
                return
            for number in (signal.SIGSTOP, signal.SIGKILL):
                for pid in pids:
                    kill(pid, number)
            self.bury()
            time.sleep(0.001)
