"""What a sandbox is given and what it gives back: values that can be pickled and sent to a cluster's workers."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from course.judging.recording import Outcome


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


def apart(steps: Sequence[Step], alone: Collection[str]) -> list[Step]:
    """The same steps, with these graded cells sharing with none; those before and after them go on together."""
    graded = [step for step in steps if step.exercise]
    unshared = {pair[0].id for pair in pairwise(graded) if any(step.id in alone for step in pair)}
    unshared |= {step.id for step in graded[-1:]}
    return [replace(step, shares=False) if step.id in unshared else step for step in steps]


def only(names: Collection[str], steps: Sequence[Step]) -> list[Step]:
    """The same notebook, asked for these exercises alone; what was to share a process still does, as far as it is left."""
    processes: dict[str, int] = {}
    ended = 0
    for step in steps:
        if step.exercise:
            processes[step.id] = ended
            ended += not step.shares
    kept = [step for step in steps if not step.exercise or step.exercise in names]
    graded = [step for step in kept if step.exercise]
    shares = {one.id for one, after in pairwise(graded) if processes[one.id] == processes[after.id]}
    return [replace(step, shares=step.id in shares) for step in kept]


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
    isolation: one sentence on what was not isolated; empty when everything was. together: the exercises that were asked in
    a process with others. public: what a run of its own recorded on the public cases, of those exercises that need a word
    on what is wrong (solutions/classroom/grading/settle.py).
    """

    cells: dict[str, CellResult] = field(default_factory=dict)
    recordings: dict[str, list[Outcome]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    isolation: str = ""
    cpu_seconds: float = 0.0
    together: list[str] = field(default_factory=list)
    public: "Result | None" = None
