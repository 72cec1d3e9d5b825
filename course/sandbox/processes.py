"""Which processes there are below another one, and how they are ended."""

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path


def end_with_descendants(pids: Iterable[int]) -> None:
    """Kill these processes, and everything below them first."""
    for pid in pids:
        for below in descendants(pid):
            kill(below)
        kill(pid)


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal, if the process is still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def children(pid: int) -> list[int]:
    """The processes that this one has started; none where the system does not say."""
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            found += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    except OSError:
        pass
    return found


def descendants(pid: int) -> list[int]:
    """All processes below this one."""
    found: list[int] = []
    waiting = children(pid)
    while waiting:
        found.append(waiting.pop())
        waiting += children(found[-1])
    return found


def has_ended(pid: int) -> bool:
    """Whether a process only waits for its parent to take notice of its end."""
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return False
