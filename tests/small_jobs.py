"""Small submissions for the sandbox: an exercise that is done in a moment, and what becomes of it."""

import contextlib
import functools
import inspect
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import solutions.linear
from course.exercises import exercises_of
from course.judging import archive
from course.judging.recording import frozen_inputs, record
from course.judging.sheets import Answers
from course.sandbox import confine
from solutions.classroom.release.answers import answer_sheet
from solutions.classroom.submission.sandbox import (
    CellResult,
    Job,
    Limits,
    Result,
    Sandbox,
    Step,
)

CHAPTER = "01_linear_models"
EXERCISE = exercises_of(CHAPTER)["linear_scores"]
OTHER = exercises_of(CHAPTER)["soft_threshold"]
SEEDS = [11, 12]
LIMITS = Limits(
    cpu_seconds=1.0,
    wall_seconds=10,
    memory_bytes=400 << 20,
    processes=24,
    output_bytes=2 << 20,
    scratch_bytes=16 << 20,
    scratch_files=500,
    recording_bytes=8 << 20,
)
QUESTIONS = archive.pack(
    {
        exercise.name: {
            "seeds": SEEDS,
            "inputs": [frozen_inputs(exercise, seed) for seed in SEEDS],
        }
        for exercise in (EXERCISE, OTHER)
    }
)
SETUP = Step(
    "setup", "import os, sys, time\nimport torch\nfrom torch import Tensor\nfrom jaxtyping import Float"
)
SOLUTION = Step("solution", inspect.getsource(solutions.linear.linear_scores))
GRADED = Step("graded", "check(linear_scores)", "linear_scores")
EXPECTED = record(solutions.linear.linear_scores, EXERCISE, SEEDS)
PLAIN = Step("setup", "import os, time\nimport torch\nfrom torch import Tensor\nfrom jaxtyping import Float")
"""A set-up that does nothing but import, so that graded cells behind it can share a process."""

SHRINK = "return torch.sign(w) * (w.abs() - threshold).clamp(min=0)"
"""The right body of soft_threshold."""

WAYS = ["bubblewrap", "landlock", "none"]


@functools.cache
def sheet() -> dict[str, Answers]:
    """The answers of the chapter's exercises, for these seeds."""
    return answer_sheet(CHAPTER, SEEDS)


def impossible(way: str) -> str:
    """Why this way is not possible here; empty when it is."""
    if way == "bubblewrap" and shutil.which("bwrap") is None:
        return "bubblewrap is not installed"
    if way == "landlock" and not confine.landlock_version():
        return "the kernel has no Landlock"
    return ""


def job(*sources: str | Step, files: dict[str, bytes] | None = None) -> Job:
    """The given cells, numbered, and after them the right solution with its graded cell."""
    cells = [
        cell if isinstance(cell, Step) else Step(str(number), cell) for number, cell in enumerate(sources)
    ]
    return Job([SETUP, *cells, SOLUTION, GRADED], QUESTIONS, files or {})


def is_right(result: Result, name: str = "linear_scores") -> bool:
    """Whether the recording is the reference's."""
    got = result.recordings.get(name, [])
    return len(got) == len(EXPECTED) and all(
        torch.equal(mine.values[""], theirs.values[""])  # type: ignore[arg-type]
        for mine, theirs in zip(got, EXPECTED, strict=True)
    )


def timeless(result: Result) -> dict[str, CellResult]:
    """What the cells did, whatever time it took."""
    return {name: replace(cell, seconds=0) for name, cell in result.cells.items()}


def processes(mark: str) -> list[int]:
    """Processes of this machine whose command line holds a mark."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and mark.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return [pid for pid in found if pid != os.getpid()]


def graded(body: str, shares: bool = False, solution: Step = SOLUTION) -> Job:
    """A notebook whose one exercise is hostile and whose other one is right; shares: both in one process."""
    return Job(
        [
            SETUP,
            Step("bad", f"def soft_threshold(w, threshold):\n    {body}"),
            Step("bad graded", "", "soft_threshold", shares),
            solution,
            GRADED,
        ],
        QUESTIONS,
    )


def ask(sandbox: Sandbox, source: str) -> str:
    """What a cell prints."""
    return sandbox.run(job(source)).cells["0"].text.strip()


def closed_to(sandbox: Sandbox) -> None:
    """Skip what this way of isolating does not promise."""
    if "Landlock is not used" in sandbox.isolation:
        pytest.skip("without bubblewrap and Landlock the disk can be read; the isolation sentence says so")
