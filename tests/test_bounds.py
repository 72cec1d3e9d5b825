"""No submission holds the class: each has a bound as a whole, and what is recorded is kept, whoever is waited for."""

import inspect
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from small_jobs import CHAPTER as EASY
from small_jobs import (
    GRADED,
    LIMITS,
    PLAIN,
    QUESTIONS,
    SETUP,
    SHRINK,
    SOLUTION,
    WAYS,
    impossible,
    is_right,
    job,
    sheet,
)

import solutions.linear
from course.judging import archive
from course.sandbox import confine
from course.sandbox.link import Link, LinkClosed
from solutions.classroom.__main__ import main
from solutions.classroom.assignment import Assignment
from solutions.classroom.folder import ClassFolder, new_class
from solutions.classroom.grading import grade
from solutions.classroom.grading.grade import grade_class, waiting_for
from solutions.classroom.grading.settle import settled
from solutions.classroom.proof.simulated_class import solved
from solutions.classroom.release.publish import release
from solutions.classroom.release.source_notebook import notebook_bytes
from solutions.classroom.submission import attempts
from solutions.classroom.submission.attempts import Attempts
from solutions.classroom.submission.running_once import digest_of, limits_of, set_limit
from solutions.classroom.submission.sandbox import CellResult, Job, Limits, Result, Sandbox, Spent, Step
from solutions.classroom.submission.sharing import share_snapshots

pytestmark = [
    pytest.mark.promise("P15"),
    pytest.mark.skipif(not confine.LINUX, reason="the walls are Linux's"),
]

SHORT = replace(LIMITS, cpu_seconds=2, wall_seconds=4, all_cpu_seconds=4, all_wall_seconds=15)
OTHER = Step("other", inspect.getsource(solutions.linear.soft_threshold))
OTHER_GRADED = Step("other graded", "", "soft_threshold")
USED_UP = "the whole notebook may take 15 s by the clock and 4 s of processor time, and that was used up"


@pytest.fixture(scope="module", params=WAYS)
def bounded(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox whose submissions have nine seconds in all."""
    if reason := impossible(request.param):
        pytest.skip(reason)
    with Sandbox(SHORT, isolation=request.param) as warm:
        warm.isolation  # noqa: B018 - starts the server
        yield warm


def _long(source: str) -> list[Step]:
    return [Step(f"long {number}", source) for number in range(200)]


@pytest.mark.parametrize(
    "source",
    [
        "time.sleep(1.5)",
        "end = time.process_time() + 1.5\nwhile time.process_time() < end: pass",
        "os._exit(0)",
    ],
    ids=["sleeping", "computing", "dying"],
)
def test_cells_just_below_their_limit_are_stopped_together_and_what_was_reached_counts(
    bounded: Sandbox, source: str
) -> None:
    steps = [SETUP, SOLUTION, GRADED, *_long(source), OTHER, OTHER_GRADED]
    started = time.monotonic()
    result = bounded.run(Job(steps, QUESTIONS))
    assert time.monotonic() - started < SHORT.all_wall_seconds + 5
    assert is_right(result), result.failures
    if source != "os._exit(0)":
        assert result.failures.keys() == {"soft_threshold"}
        assert f"soft_threshold was not reached: {USED_UP}" in result.failures["soft_threshold"]
        assert "killed: all time used" in {cell.status for cell in result.cells.values()}


def test_functions_just_below_their_limit_are_stopped_together(bounded: Sandbox) -> None:
    slow = Step("slow", "def soft_threshold(w, threshold):\n    time.sleep(0.9)\n    return w")
    again = [Step(f"again {number}", "", "soft_threshold") for number in range(9)]
    started = time.monotonic()
    result = bounded.run(Job([SETUP, SOLUTION, GRADED, slow, *again], QUESTIONS))
    assert time.monotonic() - started < SHORT.all_wall_seconds + 5
    assert is_right(result)
    assert "killed: all time used" in {cell.status for cell in result.cells.values()}


JUNK = {
    "a byte at a time": (
        "import struct\nstart = struct.pack('<IQ', 60000, 8 << 20)\n"
        "for fd in FDS:\n    write(fd, start)\n"
        "while True:\n    for fd in FDS:\n        write(fd, b'x')"
    ),
    "messages without end": "while True:\n    for fd in FDS:\n        write(fd, MESSAGE)",
    "nothing of what was begun": "for fd in FDS:\n    write(fd, b'\\x01\\x00')\nwhile True: time.sleep(1)",
}
WRITE = (
    "from course.sandbox.link import Link\nMESSAGE = Link.encode({})\n"
    "FDS = [fd for fd in range(3, 64) if os.path.exists(f'/proc/self/fd/{fd}')]\n"
    "for fd in FDS:\n    os.set_blocking(fd, False)\n"
    "def write(fd, data):\n    try:\n        os.write(fd, data)\n    except OSError:\n        pass\n"
)


@pytest.mark.parametrize("kind", JUNK)
@pytest.mark.parametrize("where", ["cell", "function"])
def test_junk_on_its_own_sockets_holds_up_nobody(bounded: Sandbox, kind: str, where: str) -> None:
    source = WRITE + JUNK[kind]
    if where == "function":
        body = "\n    ".join(source.splitlines())
        source = f"def soft_threshold(w, threshold):\n    {body}"
    bad = Step("bad", source)
    started = time.monotonic()
    result = bounded.run(Job([SETUP, bad, OTHER_GRADED, SOLUTION, GRADED], QUESTIONS))
    assert time.monotonic() - started < SHORT.all_wall_seconds + 5
    if (kind, where) != ("messages without end", "cell"):  # what it says there, it says of its own cells
        assert is_right(result), result.failures
    if where == "function":
        assert "soft_threshold" not in result.recordings


def test_who_speaks_without_end_is_not_listened_to_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should a keeper be fooled: the deadline is the submission's, not one per message."""
    monkeypatch.setattr(attempts, "_GRACE", 0.3)
    limits = replace(SHORT, all_wall_seconds=0.5)
    ours, theirs = socket.socketpair()
    stop = threading.Event()

    def chatter() -> None:
        link = Link(theirs)
        while not stop.wait(0.01):
            try:
                link.send({"nothing": 1})
            except LinkClosed:
                return

    speaker = threading.Thread(target=chatter)
    speaker.start()
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        Attempts(job(), limits)._follow_cells(Link(ours), [])
    assert time.monotonic() - started < 5
    stop.set()
    ours.close()
    speaker.join()


def test_a_message_that_comes_in_pieces_leaves_time_to_look_at_the_clock() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        whole = Link.encode({"a": 1}, b"x" * 5)
        link = Link(ours)
        for part in (whole[:7], whole[7:]):
            theirs.sendall(part)
            got = link.poll()
        assert got == ({"a": 1}, b"x" * 5)
        theirs.sendall(whole + whole[:3])
        assert link.poll() is not None
        assert link.poll() is None


def test_what_is_recorded_twice_has_one_bound() -> None:
    """The second run gets what the first one left."""
    bad = Step("1", f"def soft_threshold(w, threshold):\n    {SHRINK} + 1")
    steps = share_snapshots([PLAIN, bad, Step("a", "", "soft_threshold"), SOLUTION, GRADED])
    notebook = Job(steps, QUESTIONS, spent=Spent(1.0, 2.0))
    assert notebook.steps[2].shares
    seen: list[Job] = []

    def record(job: Job) -> Result:
        seen.append(job)
        return Result(
            {step.id: SimpleNamespace(seconds=0.0, status="ran") for step in job.steps},  # type: ignore[misc]
            seconds=5.0,
            together=["soft_threshold", "linear_scores"],
        )

    settled(replace_seconds(record(notebook)), notebook, EASY, sheet(), record)
    assert seen[1].spent == Spent(4.0, 7.0)


def replace_seconds(result: Result) -> Result:
    return replace(result, seconds=5.0, cpu_seconds=3.0)


def test_what_was_spent_before_is_not_given_again(bounded: Sandbox) -> None:
    result = bounded.run(replace(job("time.sleep(1.5)"), spent=Spent(0.0, 14.0)))
    assert "used up" in result.failures["linear_scores"]


# -- a class -------------------------------------------------------------------------------------------------------

CHAPTER = "10_attention"
SLOW = "a-slow"
QUICK = ("b-quick", "c-quick", "d-quick")


def _class(place: Path) -> ClassFolder:
    folder = new_class(place)
    release(folder, CHAPTER)
    for student in (SLOW, *QUICK):
        notebook = solved(Assignment(folder, CHAPTER).notebook, CHAPTER)
        notebook.cells = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
        code = next(
            cell for cell in notebook.cells if cell.cell_type == "code" and cell.metadata.nbgrader.solution
        )
        code.source += f"\nNAME = '{student}'"
        path = folder.submitted(student, CHAPTER) / f"{CHAPTER}.ipynb"
        archive.write_bytes(path, notebook_bytes(notebook))
    return folder


@pytest.fixture(scope="module")
def class_folder(tmp_path_factory: pytest.TempPathFactory) -> ClassFolder:
    return _class(tmp_path_factory.mktemp("bounds") / "class")


def _is(job: Job, student: str) -> bool:
    return any(f"NAME = '{student}'" in step.source for step in job.steps)


def _nothing(job: Job) -> Result:
    """The result of a sandbox that recorded nothing."""
    names = [step.exercise for step in job.steps if step.exercise]
    cells = {step.id: CellResult(step.id, status="ran") for step in job.steps}
    return Result(cells, failures={name: f"{name} is not defined." for name in names})


def test_whoever_is_done_first_is_booked_first_and_the_others_are_named(class_folder: ClassFolder) -> None:
    release_the_slow = threading.Event()
    named: list[list[str]] = []

    def record(job: Job) -> Result:
        if _is(job, SLOW):
            assert release_the_slow.wait(60)
        return _nothing(job)

    order = []
    for graded in grade_class(
        class_folder,
        [CHAPTER],
        jobs=2,
        again=True,
        record=record,
        watch=lambda names: named.append(list(names)),
    ):
        order.append(graded.student)
        if len(order) == len(QUICK):
            release_the_slow.set()
    assert set(order[:-1]) == set(QUICK)
    assert order[-1] == SLOW
    assert any(SLOW in names for names in named)


def test_the_line_names_a_few_and_counts_the_rest() -> None:
    assert waiting_for([]) == ""
    assert waiting_for(["ada"]) == "waiting for ada"
    assert waiting_for(["ada", "ben\x1b[2J", "cleo", "d", "e"]) == "waiting for ada, ben?[2J, cleo and 2 more"


KILLED = """
import os, signal, sys, time
sys.path[:0] = [{tests!r}, {root!r}]
from pathlib import Path
from test_bounds import CHAPTER, QUICK, SLOW, _is, _nothing
from solutions.classroom.folder import ClassFolder
from solutions.classroom.grading.grade import grade_class
folder = ClassFolder(Path({folder!r}))
def record(job):
    if _is(job, SLOW):
        end = time.time() + 60
        while len(list((folder.hidden / "recordings").glob("*.recording"))) < len(QUICK) and time.time() < end:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGKILL)
    return _nothing(job)
list(grade_class(folder, [CHAPTER], jobs=2, record=record))
"""


def test_a_grader_that_is_killed_while_it_waits_resumes_with_all_that_was_recorded(tmp_path: Path) -> None:
    folder = _class(tmp_path / "class")
    root = Path(__file__).parents[1]
    script = KILLED.format(tests=str(root / "tests"), root=str(root), folder=str(folder.root))
    ended = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": str(root)}, timeout=120
    )
    assert ended.returncode == -signal.SIGKILL
    ran: list[Job] = []

    def record(job: Job) -> Result:
        ran.append(job)
        return _nothing(job)

    graded = {item.student: item.ran for item in grade_class(folder, [CHAPTER], jobs=2, record=record)}
    assert graded == {SLOW: True} | dict.fromkeys(QUICK, False)
    assert all(_is(job, SLOW) for job in ran)


def test_a_limit_is_kept_with_the_class_and_what_it_changes_runs_again(tmp_path: Path) -> None:
    folder = new_class(tmp_path / "class")
    usual, notebook = limits_of(folder), Job([SETUP], b"")
    assert usual == Limits()
    longer = set_limit(folder, 30)
    assert limits_of(folder) == longer
    times = (longer.cpu_seconds, longer.wall_seconds, longer.all_cpu_seconds, longer.all_wall_seconds)
    assert times == (30, 360, 360, 1080)
    assert longer.memory_bytes == usual.memory_bytes
    assert digest_of(notebook, EASY) == digest_of(notebook, EASY, usual)
    assert digest_of(notebook, EASY) != digest_of(notebook, EASY, longer)
    (folder.hidden / "limit.json").write_text("x")
    with pytest.raises(Exception, match="classroom grade --limit"):
        limits_of(folder)


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "ten", "1e9"])
def test_a_limit_that_is_none_is_refused(
    seconds: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["grade", str(tmp_path), "--limit", seconds])
    assert stopped.value.code == 2
    assert "--limit" in capsys.readouterr().err


def test_a_limit_reaches_the_sandbox_and_the_cluster(
    class_folder: ClassFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def none_at_all(folder: ClassFolder, *given: Any, **where: Any) -> Iterator[Any]:
        seen.append(where["limits"])
        return iter([])

    monkeypatch.setattr(grade, "grade_class", none_at_all)
    monkeypatch.setattr(
        "solutions.classroom.submission.cluster.on_cluster", lambda *given: seen.append(given[3]) or {}
    )
    (class_folder.hidden / "limit.json").unlink(missing_ok=True)
    assert main(["grade", str(class_folder.root), "--limit", "20", "--dask", "local"]) == 0
    assert [limits.cpu_seconds for limits in seen] == [20, 20]
    assert json.loads((class_folder.hidden / "limit.json").read_text()) == 20
    (class_folder.hidden / "limit.json").unlink()
