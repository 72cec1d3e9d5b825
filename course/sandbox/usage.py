"""What processes use of the machine: told by /proc, by a folder, and by the counters of a control group."""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path


def sizes(pid: int | str, *names: str) -> int:
    """The sum of these lines of /proc/…/status, in bytes; 0 where there is no such process."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        return sum(int(status.partition(f"{name}:")[2].split()[0]) for name in names) << 10
    except (OSError, IndexError, ValueError):
        return 0


def own_memory(pid: int) -> int:
    """Bytes of a process that belong to no file, and those of the tables that say where they are."""
    return sizes(pid, "RssAnon", "RssShmem", "VmPTE")


def shared_mappings(pid: int) -> dict[str, int]:
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


def on_tmpfs(folder: Path) -> int:
    """Bytes that a folder with a size of its own holds."""
    with contextlib.suppress(OSError):
        room = os.statvfs(folder)
        return (room.f_blocks - room.f_bfree) * room.f_frsize
    return 0


def processes_of(uid: int) -> int:
    """How many processes a user has; many where nobody says."""
    with contextlib.suppress(OSError):
        return sum(entry.stat().st_uid == uid for entry in os.scandir("/proc") if entry.name.isdigit())
    return 1000


def holds_more_than(folder: Path, size: int, files: int) -> bool:
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


class Counters:
    """What the kernel counts for a control group, read through files that were opened outside the walls.

    Version 1 and version 2 of the groups write the same things differently; false where there are no such files.
    """

    FILES = 3

    def __init__(self, files: Sequence[int] = ()) -> None:
        """files: memory in use, memory by kind, and processor time; the last may be missing."""
        self._files = list(files)

    def __bool__(self) -> bool:
        return len(self._files) >= 2

    def close(self) -> None:
        """Close the counters' files."""
        while self._files:
            os.close(self._files.pop())

    def memory(self, above: int = 0) -> int:
        """Bytes of memory in use beyond `above`, without what the kernel only remembers of files on disks."""
        used = self._numbers(0).get("", 0) if self else 0
        if used <= above:
            return 0
        kinds = self._numbers(1)
        remembered = [
            kinds.get(f"total_{name}", kinds.get(name, 0)) for name in ("inactive_file", "active_file")
        ]
        return max(0, used - sum(remembered) - above)

    def cpu(self) -> float:
        """Seconds of processor time of all processes that are or were in the group; 0 where that is not counted."""
        numbers = self._numbers(2) if len(self._files) > 2 else {}
        return numbers.get("usage_usec", 0) / 1e6 or numbers.get("", 0) / 1e9

    def _numbers(self, position: int) -> dict[str, int]:
        """The lines "name number" of a file; a number that stands alone has no name."""
        try:
            lines = os.pread(self._files[position], 1 << 14, 0).decode().splitlines()
        except OSError:
            return {}
        pairs = (line.rpartition(" ") for line in lines)
        return {name: int(number) for name, _, number in pairs if number.isdigit()}
