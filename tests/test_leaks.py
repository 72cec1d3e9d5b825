"""Nothing of the hidden cases leaves through a verdict: two classes with different secrets read the same, byte for byte.

Every submission here puts its hidden inputs, as a number, into something that a verdict could tell. All of them are
wrong on every case, for right or wrong is the one word that a hidden case is meant to give away.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from course.exercises import exercises_of
from course.sandbox import confine
from solutions.classroom.assignment import Assignment
from solutions.classroom.feedback.report import items, rows, verdicts_of
from solutions.classroom.folder import ClassFolder, new_class
from solutions.classroom.grading.grade import grade_class
from solutions.classroom.grading.judge import NOT_RIGHT, ONLY_HIDDEN
from solutions.classroom.proof.simulated_class import solved, standalone
from solutions.classroom.release.publish import nbgrader, release
from solutions.classroom.release.source_notebook import notebook_bytes
from solutions.classroom.submission.sandbox import Limits
from solutions.misconceptions import misconceptions_of

pytestmark = pytest.mark.skipif(not confine.LINUX, reason="the walls are Linux's")

CHAPTER = "13_self_attention"
NAMES = list(exercises_of(CHAPTER))
LIMITS = Limits(cpu_seconds=1.0, wall_seconds=8, memory_bytes=400 << 20)

NUMBER = """import hashlib, os, sys, time, types
import torch
def number(inputs):
    \"\"\"What the hidden cases are, as a number.\"\"\"
    seen = b''.join(x.detach().numpy().tobytes() if isinstance(x, torch.Tensor) else repr(x).encode() for x in inputs)
    return int.from_bytes(hashlib.sha256(seen).digest()[:4], 'little')
"""
LINES = "\n".join(f"    if n == {n}:\n        raise ValueError" for n in range(64))
CHANNELS = {
    "line": f"def EXERCISE(*inputs):\n    n = number(inputs) % 64\n{LINES}",
    "type": "def EXERCISE(*inputs):\n"
    "    raise [ValueError, KeyError, IndexError, RuntimeError, OSError, MemoryError, EOFError, SystemExit,"
    " type(f'N{number(inputs)}', (Exception,), {})][number(inputs) % 9]",
    "message": "def EXERCISE(*inputs):\n    raise ValueError(number(inputs))",
    "text": "def EXERCISE(*inputs):\n    return str(number(inputs))",
    "kind": "def EXERCISE(*inputs):\n    x = torch.ones(2, 3)\n"
    "    return [None, x, x * 1j, (x, x), {'a': x}, x * float('nan'), 'text', (x, 'text'), (x,)][number(inputs) % 9]",
    "names": "def EXERCISE(*inputs):\n    return {f'{i}': torch.ones(1) for i in range(number(inputs) % 40)}",
    "length": "def EXERCISE(*inputs):\n    return torch.ones(number(inputs) % 100)",
    "end": "def EXERCISE(*inputs):\n    n = number(inputs) % 5\n"
    "    if n == 0:\n        os._exit(0)\n    if n == 1:\n        raise KeyboardInterrupt\n"
    "    if n == 2:\n        return {str(i): torch.ones(500_000) for i in range(5)}\n"
    "    if n == 3:\n        sys.modules['course.judging.archive'].pack = None\n",
    "time": "def EXERCISE(*inputs):\n    time.sleep(number(inputs) % 4 / 4)\n    return torch.ones(1)",
    "prints": "def EXERCISE(*inputs):\n    print('x\\n' * (number(inputs) % 50))\n    return torch.ones(1)",
    "gap": "def stops(*inputs):\n    raise NotImplementedError\n"
    "def EXERCISE(*inputs):\n    name = ['split_heads', 'merge_heads', 'EXERCISE', 'stops'][number(inputs) % 4]\n"
    "    types.FunctionType(stops.__code__.replace(co_name=name), globals())()",
    "recording": "import course.judging.recording as recording\n"
    "def forged(fn, exercise, seeds, inputs, *rest):\n"
    "    n = number([x for case in inputs for x in case[0].values()])\n"
    "    told = dict(raised='ValueError', file=number.__code__.co_filename, line=n % 9 + 1, message=str(n))\n"
    "    return [recording.Outcome(function=f'f{n}', text=f'x{n}', **told)] * (n % 7)\n"
    "recording.record = forged\n"
    "def EXERCISE(*inputs):\n    return torch.ones(1)",
}


def _misconceptions(name: str) -> str:
    """Returns what one of this exercise's named misconceptions returns; which one, the hidden case says."""
    believed = misconceptions_of(CHAPTER)[name]
    parts = [standalone(CHAPTER, f"wrong_{i}", function) for i, function in enumerate(believed)]
    choice = ", ".join(f"wrong_{i}" for i in range(len(believed)))
    return (
        "\n".join(parts)
        + f"\ndef {name}(*inputs):\n    return [{choice}][number(inputs) % {len(believed)}](*inputs)"
    )


@dataclass
class Read:
    """All that grading put before anybody's eyes in one class, seconds apart."""

    verdicts: dict[str, Any]
    notebooks: dict[str, bytes]
    pages: dict[str, bytes]
    tables: Any


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Read]]:
    """Two class folders of the same name, the same submissions, other secrets."""
    roots = [tmp_path_factory.mktemp("secret") / "class" for _ in range(2)]
    yield [_graded(root) for root in roots]
    for root in roots:
        shutil.rmtree(root, ignore_errors=True)


def _graded(root: Path) -> Read:
    folder = new_class(root)
    release(folder, CHAPTER)
    students = {
        **{
            channel: {name: NUMBER + body.replace("EXERCISE", name) for name in NAMES}
            for channel, body in CHANNELS.items()
        },
        "misconception": {name: NUMBER + _misconceptions(name) for name in NAMES},
        # right on the public cases only, and then as many words as there are
        "only hidden": {"split_heads": _only_hidden(folder)},
    }
    for student, sources in students.items():
        place = folder.submitted(student.replace(" ", "-"), CHAPTER)
        place.mkdir(parents=True)
        notebook = solved(Assignment(folder, CHAPTER).notebook, CHAPTER, sources)
        notebook.cells = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
        (place / f"{CHAPTER}.ipynb").write_bytes(notebook_bytes(notebook))
    isolation = "bubblewrap" if shutil.which("bwrap") else "auto"
    list(grade_class(folder, [CHAPTER], jobs=2, limits=LIMITS, isolation=isolation))
    nbgrader(folder, "generate_feedback", CHAPTER)
    return _read(folder)


def _only_hidden(folder: ClassFolder) -> str:
    """Knows the public cases from the answer sheet beside the notebook."""
    return (
        NUMBER + "from course.judging.sheets import read_sheet\nfrom course.exercises import find\n"
        f"sheet = read_sheet(__import__('pathlib').Path('{CHAPTER}.answers'))['split_heads']\n"
        "known = [case['x'] for case in sheet.cases(find('split_heads')[1])]\n"
        "def split_heads(x, heads):\n"
        "    if x.shape[-1] % heads:\n        raise ValueError\n"
        "    if any(x.shape == one.shape and x.equal(one) for one in known):\n"
        "        return x.unflatten(-1, (heads, -1)).transpose(-2, -3)\n"
        "    raise [ValueError, KeyError, TypeError, IndexError, OSError][number([x]) % 5]\n"
    )


def _read(folder: ClassFolder) -> Read:
    verdicts = verdicts_of(folder, CHAPTER)
    for verdict in verdicts.values():
        verdict["seconds"] = 0
        for exercise in verdict["exercises"].values():
            exercise["seconds"] = 0
    file = f"{CHAPTER}.ipynb"
    return Read(
        verdicts=verdicts,
        notebooks={name: (folder.autograded(name, CHAPTER) / file).read_bytes() for name in verdicts},
        pages={
            name: (folder.feedback(name, CHAPTER) / file).with_suffix(".html").read_bytes()
            for name in verdicts
        },
        tables=(
            rows(folder, [CHAPTER]),
            [replace(item, seconds=[]) for item in items(folder, CHAPTER, kill_scores=False)],
        ),
    )


STUDENTS = [*CHANNELS, "misconception", "only-hidden"]


@pytest.mark.promise("P10")
@pytest.mark.parametrize("student", STUDENTS)
def test_a_submission_that_tells_its_hidden_inputs_reads_the_same_under_every_secret(
    classes: list[Read], student: str
) -> None:
    one, other = classes
    assert json.dumps(one.verdicts[student], indent=1) == json.dumps(other.verdicts[student], indent=1)
    assert one.notebooks[student] == other.notebooks[student]
    assert one.pages[student] == other.pages[student]


def test_tables_and_report_read_the_same_under_every_secret(classes: list[Read]) -> None:
    assert classes[0].tables == classes[1].tables


def test_each_of_them_is_told_what_the_public_cases_say(classes: list[Read]) -> None:
    """Otherwise nothing would leak because nothing was said."""
    said = {student: verdict["exercises"]["split_heads"] for student, verdict in classes[0].verdicts.items()}
    assert "On a public case it stopped with ValueError in your line" in said["line"]["message"]
    assert said["misconception"]["kind"] in ("misconception", "different", "shape")
    assert said["only-hidden"]["message"] == ONLY_HIDDEN
    assert said["gap"]["message"] == "Not done yet."
    assert len({item["message"] for item in said.values()}) >= 6
    assert all(item["points"] == 0 and item["message"] != NOT_RIGHT for item in said.values())
