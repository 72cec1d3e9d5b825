"""What one submission may use up, and the words for what went beyond it."""

import contextlib
import os
from dataclasses import asdict, dataclass, field, replace

from course.sandbox.link import ALL_TIME_USED
from course.settings import SECONDS_EACH


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

    cpu_seconds: float = SECONDS_EACH
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
