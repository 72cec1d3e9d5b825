"""A control group per submission, where the kernel lets us make one: its own count of memory and processor time.

What belongs to no process, such as a shared mapping that was filled and let go, page tables, or the buffers of sockets, is counted
there and nowhere else. Version 1 has a tree of groups per kind, version 2 one tree for all; either may be closed to us,
as it is to an ordinary user outside a service of their own. Then `new_group` gives None, and course.sandbox.usage counts
what it can see.
"""

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

_OURS = "classroom"
_numbers = count(1)


@dataclass(frozen=True)
class Tree:
    """Where groups can be made, and what the kernel calls things there.

    folders: one for memory; in version 1 another one for processor time, where it can be had.
    """

    folders: Sequence[Path]
    most: str
    counters: Sequence[str]


V1 = ("memory.limit_in_bytes", ("memory.usage_in_bytes", "memory.stat", "cpuacct.usage"))
V2 = ("memory.max", ("memory.current", "memory.stat", "cpu.stat"))


@dataclass(frozen=True)
class Group:
    """One submission's group. folders: one for memory, and one for processor time where that is another."""

    folders: Sequence[Path]
    files: Sequence[Path]

    def add(self, pid: int) -> None:
        """Put a process and all that it will start into the group."""
        for folder in self.folders:
            with contextlib.suppress(OSError):
                folder.joinpath("cgroup.procs").write_text(str(pid))

    def open(self) -> list[int]:
        """The counters' files, for course.sandbox.usage.Counters."""
        return [os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in self.files]

    def remove(self, patience: float = 2.0) -> None:
        """End what is still in the group, and the group."""
        end = time.monotonic() + patience
        for folder in self.folders:
            while not _removed(folder) and time.monotonic() < end:
                _kill_all(folder)
                time.sleep(0.002)


def new_group(tree: Tree | None, most: int) -> Group | None:
    """A group that can hold at most so many bytes; None where there cannot be one."""
    if tree is None:
        return None
    name = f"{_OURS}-{os.getpid()}-{next(_numbers)}"
    folders = [folder / name for folder in tree.folders]
    memory, by_kind, time_used = tree.counters
    files = [folders[0] / memory, folders[0] / by_kind, folders[-1] / time_used]
    try:
        for folder in folders:
            folder.mkdir()
        folders[0].joinpath(tree.most).write_text(str(most))
    except OSError:
        Group(folders, []).remove(0)
        return None
    return Group(folders, [file for file in files if file.exists()])


def find_tree(
    mounts: Path = Path("/proc/self/mountinfo"), own: Path = Path("/proc/self/cgroup")
) -> Tree | None:
    """Where this process can make groups that count memory: below its own group, or below one around it."""
    try:
        memory = _group_of("memory", mounts, own)
        if memory is not None and os.access(memory, os.W_OK):
            time_of = _group_of("cpuacct", mounts, own)
            others = [time_of] if time_of is not None and os.access(time_of, os.W_OK) else []
            return Tree([memory, *others], *V1)
        unified = _group_of("", mounts, own)
        for folder in () if unified is None else (unified, *unified.parents):
            if _hands_memory_down(folder):
                return Tree([folder], *V2)
    except (OSError, ValueError):
        pass
    return None


def clear_old_groups(tree: Tree | None) -> None:
    """Remove what graders that were killed have left behind: their processes end by themselves, the groups do not."""
    for folder in tree.folders if tree is not None else ():
        for left in folder.glob(f"{_OURS}-*-*"):
            owner = left.name.split("-")[1]
            if owner.isdigit() and not Path("/proc", owner).exists():
                _removed(left)


def _group_of(kind: str, mounts: Path, own: Path) -> Path | None:
    """The folder of this process's own group: of the tree for this kind, or "" for the tree of version 2."""
    lines = [line.split(":", 2) for line in own.read_text().splitlines()]
    paths = [path for _, kinds, path in lines if (kind in kinds.split(",") if kind else not kinds)]
    for line in mounts.read_text().splitlines() if paths else ():
        before, _, after = line.partition(" - ")
        root, place = before.split()[3:5]
        system, _, options = after.split()[:3]
        if system == ("cgroup" if kind else "cgroup2") and (not kind or kind in options.split(",")):
            inside = os.path.relpath(paths[0], root)
            folder = Path(place) if inside.startswith("..") else Path(place, inside)
            return folder if folder.is_dir() else None
    return None


def _hands_memory_down(folder: Path) -> bool:
    """Whether a group of version 2 gives its children a count of memory, and lets us make children."""
    control = folder / "cgroup.subtree_control"
    return control.is_file() and "memory" in control.read_text().split() and os.access(folder, os.W_OK)


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _kill_all(folder: Path) -> None:
    with contextlib.suppress(OSError):
        for pid in folder.joinpath("cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                os.kill(int(pid), signal.SIGKILL)
