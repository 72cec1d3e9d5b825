"""The sandbox keeps its promises: honest code is recorded, hostile or broken code harms only itself.

Everything runs behind bubblewrap, with Landlock alone, and with neither, wherever the machine has them.
"""

import contextlib
import functools
import inspect
import os
import pickle
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import solutions.linear
from course.exercises import exercises_of
from course.judging import archive
from course.judging.recording import frozen_inputs, record
from course.judging.verdict import Answers
from course.sandbox import confine
from solutions.classroom.grading.judge import judge
from solutions.classroom.grading.settle import settled
from solutions.classroom.release.answers import answer_sheet
from solutions.classroom.submission.sandbox import (
    CellResult,
    Job,
    Limits,
    Result,
    Sandbox,
    SandboxError,
    Step,
    _Run,
)
from solutions.classroom.submission.sharing import share_snapshots

pytestmark = pytest.mark.skipif(not confine.LINUX, reason="the walls are Linux's")

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

WAYS = ["bubblewrap", "landlock", "none"]


def _works(way: str) -> str:
    """Why this way is not possible here; empty when it is."""
    if way == "bubblewrap" and shutil.which("bwrap") is None:
        return "bubblewrap is not installed"
    if way == "landlock" and not confine.landlock_version():
        return "the kernel has no Landlock"
    return ""


@pytest.fixture(scope="module", params=WAYS)
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """One warm sandbox per way of isolating."""
    if reason := _works(request.param):
        pytest.skip(reason)
    with Sandbox(LIMITS, isolation=request.param) as warm:
        try:
            warm.isolation  # noqa: B018 - starts the server
        except SandboxError as error:
            if request.param == "bubblewrap" and os.environ.get("CLASSROOM_REQUIRE_BUBBLEWRAP") is None:
                pytest.skip(f"bubblewrap does not work here: {error}")
            raise
        yield warm


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
    return {name: replace(cell, seconds=0) for name, cell in result.cells.items()}


def processes(mark: str) -> list[int]:
    """Processes of this machine whose command line holds a mark."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and mark.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return [pid for pid in found if pid != os.getpid()]


# -- honest notebooks ---------------------------------------------------------------------------------------------


def test_a_right_function_is_recorded_like_the_reference(sandbox: Sandbox) -> None:
    result = sandbox.run(job("print('hello')\n6 * 7"))
    assert is_right(result)
    assert result.cells["0"].text == "hello\nOut[2]: 42\n"
    assert result.cells["0"].status == "ran"
    assert not result.failures


def test_a_cell_that_raises_says_what_and_where_and_stops_nothing(sandbox: Sandbox) -> None:
    result = sandbox.run(job("x = 1\ny = x / 0", "def f(:", "raise SystemExit(1)", "raise KeyboardInterrupt"))
    assert [result.cells[key].error for key in "0123"] == [
        "ZeroDivisionError",
        "SyntaxError",
        "SystemExit",
        "KeyboardInterrupt",
    ]
    assert [result.cells[key].line for key in "01"] == [2, 1]
    assert "division by zero" in result.cells["0"].text
    assert is_right(result)


def test_a_snapshot_is_the_notebook_as_it_stood_at_the_graded_cell(sandbox: Sandbox) -> None:
    steps = [
        SETUP,
        Step("a", "scale = 1.0\ndef linear_scores(x, w):\n    return scale * (x @ w)"),
        GRADED,
        Step("b", "scale = 100.0"),
    ]
    assert is_right(sandbox.run(Job(steps, QUESTIONS)))


def test_a_missing_function_is_said_to_be_missing(sandbox: Sandbox) -> None:
    result = sandbox.run(
        Job([SETUP, GRADED, Step("a", "soft_threshold = 3"), Step("b", "", "soft_threshold")], QUESTIONS)
    )
    assert result.failures == {
        "linear_scores": "linear_scores is not defined.",
        "soft_threshold": "soft_threshold is not a function.",
    }


def test_the_notebook_finds_its_files_magics_and_a_quiet_display(sandbox: Sandbox) -> None:
    cell = (
        "%matplotlib inline\nimport matplotlib.pyplot as plt\n_ = plt.plot([1, 2])\nplt.show()\n"
        "from IPython.display import display, HTML\ndisplay(HTML('<b>x</b>'))\n"
        "print(open('sheet.answers').read(), torch.get_num_threads(), os.environ['COURSE_FAST'])\nexit"
    )
    result = sandbox.run(job(cell, files={"sheet.answers": b"sheet"}))
    assert result.cells["0"].status == "ran"
    assert "sheet 1 1" in result.cells["0"].text
    assert is_right(result)


def test_an_open_gap_is_not_a_traceback(sandbox: Sandbox) -> None:
    result = sandbox.run(job("def f():\n    raise NotImplementedError\nf()", "import course.check\nf()"))
    assert result.cells["0"].text == "○ f is not done yet: this cell comes to life as soon as it is.\n"
    assert result.cells["0"].error == "NotImplementedError"


def test_strange_sources_run_or_raise_but_break_nothing(sandbox: Sandbox) -> None:
    result = sandbox.run(
        job("x = '\ud800'", "print('\0')", "# " + "x" * 3_000_000, "", "print('é' * 3)", "await 3")
    )
    assert is_right(result)
    assert result.cells["4"].text == "ééé\n"


def test_a_notebook_without_cells_has_a_result(sandbox: Sandbox) -> None:
    assert sandbox.run(Job([], QUESTIONS)).cells == {}


def test_several_at_a_time_get_what_they_get_alone(sandbox: Sandbox) -> None:
    jobs = [job(f"print({number})\nimport random\nprint(random.random())") for number in range(8)]
    alone = [timeless(sandbox.run(one)) for one in jobs]
    with ThreadPoolExecutor(4) as pool:
        together = [timeless(result) for result in pool.map(sandbox.run, jobs)]
    assert alone == together


def test_job_and_result_travel_to_other_machines(sandbox: Sandbox) -> None:
    sent = pickle.loads(pickle.dumps(job("1")))
    received: Result = pickle.loads(pickle.dumps(sandbox.run(sent)))
    assert is_right(received)


# -- cells that have to be stopped ---------------------------------------------------------------------------------

TIME = {"killed: time"}
MEMORY = {"killed: memory", "raised"}
HOSTILE: dict[str, tuple[str, set[str]]] = {
    "endless loop": ("while True:\n    pass", TIME),
    "endless loop that catches everything": (
        "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass",
        TIME,
    ),
    "endless loop in C": ("sum(iter(int, 1))", TIME),
    "endless loop in a regular expression": ("import re\nre.match('(a+)+$', 'a' * 64 + 'b')", TIME),
    "memory hog": ("hog = [bytearray(1 << 20) for _ in range(10**6)]", MEMORY),
    "memory hog in torch": ("hog = [torch.ones(1 << 22) for _ in range(10**6)]", MEMORY),
    "memory hog in shared pages": (
        "import mmap\nhog = [mmap.mmap(-1, 1 << 24) for _ in range(60)]\nfor m in hog:\n    m.write(b'x' * (1 << 24))\ntime.sleep(30)",
        MEMORY,
    ),
    "memory hog of many processes": (
        "for _ in range(6):\n    if os.fork() == 0:\n        hog = bytearray(200 << 20)\n        for i in range(0, len(hog), 4096):\n"
        "            hog[i] = 1\n        time.sleep(60)\ntime.sleep(60)",
        MEMORY,
    ),
    "too much output": ("while True:\n    print('x' * 100_000)", {"killed: output"}),
    "too much output from C": ("import subprocess\nsubprocess.run(['yes'])", {"killed: output"}),
    "a million files": (
        "for i in range(10**6):\n    open(f'{i}', 'w').close()\n",
        {"raised", "killed: disk"},
    ),
    "a huge file": (
        "with open('big', 'wb') as f:\n    for _ in range(10_000):\n        f.write(bytes(1 << 20))",
        {"raised", "killed: disk", "died"},
    ),
    "fork bomb": (
        "while True:\n    os.fork()",
        {"raised", "killed: processes", "killed: time", "killed: memory"},
    ),
    "thread bomb": (
        "import threading\nfor _ in range(10_000):\n    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
        {"raised"},
    ),
    "leaves at once": ("os._exit(0)", {"died"}),
    "crashes": ("import ctypes\nctypes.string_at(0)", {"died"}),
    "aborts": ("os.abort()", {"died"}),
    "replaces itself": ("os.execv('/bin/sleep', ['sleep', '0'])", {"died"}),
    "closes every file": ("os.closerange(0, 1000)", {"died", "killed: time"}),
    "writes garbage into every file": (
        "for fd in range(3, 100):\n    try:\n        os.write(fd, b'garbage!' * 1000)\n    except OSError:\n        pass",
        {"died", "killed: recording", "ran", "raised"},
    ),
    "stops itself": ("import signal\nos.kill(os.getpid(), signal.SIGSTOP)", TIME),
    "traces everything": (
        "sys.settrace(lambda *a: 1 / 0)\nsys.setprofile(lambda *a: None)",
        {"ran", "raised", "died"},
    ),
    "breaks the shell": ("get_ipython().run_cell = None\nget_ipython().showtraceback = None", {"ran"}),
    "breaks builtins": (
        "import builtins\nbuiltins.isinstance = lambda *a: False",
        {"ran", "raised", "died", "killed: recording"},
    ),
    "deletes its folder": ("import shutil\nshutil.rmtree(os.getcwd(), ignore_errors=True)", {"ran"}),
    "recurses": ("def f():\n    f()\nsys.setrecursionlimit(10**9)\nf()", {"died", "raised"} | MEMORY | TIME),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_must_be_stopped_costs_itself_and_nothing_else(
    sandbox: Sandbox, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, allowed = HOSTILE[name]
    if "memory" in name:  # however slowly this machine hands it out
        monkeypatch.setattr(sandbox, "limits", replace(LIMITS, cpu_seconds=20, wall_seconds=60))
    result = sandbox.run(job("print('before')", source, "print('after')"))
    assert result.cells["1"].status in allowed, result.cells["1"]
    assert result.cells["0"].text == "before\n"
    if name not in ("breaks the shell", "breaks builtins", "traces everything"):
        assert "after\n" in result.cells["2"].text  # a forked sibling may still have spoken
        assert is_right(result), result.failures
    assert is_right(sandbox.run(job()))


def test_sleeping_is_stopped_by_the_clock() -> None:
    with Sandbox(replace(LIMITS, wall_seconds=1)) as sandbox:
        result = sandbox.run(job("import time; time.sleep(1000)"))
        assert result.cells["0"].status == "killed: time"
        assert is_right(result)


def test_several_cells_that_hang_are_all_stopped_within_twice_the_limit(sandbox: Sandbox) -> None:
    result = sandbox.run(job(*["while True: pass"] * 4, "print('after')"))
    assert [result.cells[str(number)].status for number in range(4)] == ["killed: time"] * 4
    assert result.cells["4"].text == "after\n"
    assert is_right(result)


def test_ordinary_noise_is_cut_off_and_not_punished(sandbox: Sandbox) -> None:
    result = sandbox.run(job("print('x' * 100_000)"))
    assert result.cells["0"].status == "ran"
    assert len(result.cells["0"].text) == LIMITS.text_bytes


# -- functions that have to be stopped, and recordings that lie -----------------------------------------------------


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


@pytest.mark.parametrize("shares", [False, True], ids=["apart", "together"])
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("while True: pass", "soft_threshold took longer than 1 s and was stopped."),
        ("os._exit(0)", "soft_threshold ended its own process."),
        ("os.kill(os.getpid(), 9)", "soft_threshold ended its own process."),
        (
            "return {str(i): torch.ones(500_000) for i in range(5)}",
            "soft_threshold returned more than 8 MB and was stopped.",
        ),
        ("raise KeyboardInterrupt", "soft_threshold interrupted its own recording."),
        ("hog = [bytearray(1 << 20) for _ in range(10**6)]", ""),
        ("os.fork(); return w", ""),
        ("import subprocess; subprocess.Popen(['sleep', '424242']); return w", ""),
        ("[os.write(fd, b'x' * 99999) for fd in range(3, 64) if os.path.exists(f'/proc/self/fd/{fd}')]", ""),
        (
            "import course.judging.archive; course.judging.archive.pack = lambda tree: b'nonsense'; return w",
            "What soft_threshold returned could not be recorded.",
        ),
    ],
)
def test_a_function_that_must_be_stopped_costs_its_own_exercise(
    sandbox: Sandbox, body: str, said: str, shares: bool
) -> None:
    result = sandbox.run(graded(body, shares))
    assert is_right(result), result.failures
    if said:
        assert result.failures == {"soft_threshold": said}
        assert "soft_threshold" not in result.recordings
    assert not processes("424242")


@pytest.mark.parametrize("last", [True, False], ids=["nothing follows", "a cell follows"])
def test_exercises_that_share_a_process_get_what_they_get_alone(sandbox: Sandbox, last: bool) -> None:
    results = []
    for shares in (False, True):
        notebook = graded("return torch.sign(w) * (w.abs() - threshold).clamp(min=0)", shares)
        notebook.steps += [] if last else [Step("last", "del linear_scores\nprint('end')")]
        results.append(sandbox.run(notebook))
    alone, together = results
    assert is_right(alone)
    assert is_right(together)
    assert timeless(alone) == timeless(together)
    for name, outcomes in alone.recordings.items():
        mine = [outcome.values for outcome in together.recordings[name]]
        assert str(mine) == str([outcome.values for outcome in outcomes])


@functools.cache
def sheet() -> dict[str, Answers]:
    return answer_sheet(CHAPTER, SEEDS)


PLAIN = Step("setup", "import os, time\nimport torch\nfrom torch import Tensor\nfrom jaxtyping import Float")
SHRINK = "return torch.sign(w) * (w.abs() - threshold).clamp(min=0)"
ENTANGLED = {
    "numpy raises from now on": (
        "import numpy as np",
        f"def soft_threshold(w, threshold):\n    np.seterr(all='raise')\n    {SHRINK}",
        "def linear_scores(x, w):\n    np.ones(1) / np.zeros(1)\n    return x @ w",
    ),
    "a class is changed": (
        "class Config:\n    scale = 1.0\n    @classmethod\n    def off(cls):\n        cls.scale = 0.0",
        f"def soft_threshold(w, threshold):\n    Config.off()\n    {SHRINK}",
        "def linear_scores(x, w):\n    return x @ w * Config.scale",
    ),
}


@pytest.mark.parametrize("name", ENTANGLED)
def test_functions_that_get_into_each_others_way_are_right_all_the_same(sandbox: Sandbox, name: str) -> None:
    setup, first, second = ENTANGLED[name]
    steps = [PLAIN, Step("0", setup), Step("1", first), Step("a", "", "soft_threshold")]
    steps = share_snapshots([*steps, Step("2", second), GRADED])
    notebook = Job(steps, QUESTIONS)
    together = sandbox.run(notebook)
    assert [step.shares for step in steps] == [False] * 3 + [True] + [
        False
    ] * 2  # nothing to be seen in the source
    marked = judge(CHAPTER, together, notebook, sheet())
    assert not all(marked[step.exercise].verdict.right for step in steps if step.exercise)
    final = settled(together, notebook, CHAPTER, sheet(), sandbox.run)
    marked = judge(CHAPTER, final, notebook, sheet())
    assert all(marked[step.exercise].verdict.right for step in steps if step.exercise)


def test_what_is_right_or_open_is_not_recorded_twice(sandbox: Sandbox) -> None:
    steps = [PLAIN, Step("1", "def soft_threshold(w, threshold):\n    raise NotImplementedError")]
    steps += [Step("a", "", "soft_threshold"), SOLUTION, GRADED]
    notebook = Job(share_snapshots(steps), QUESTIONS)
    assert notebook.steps[2].shares

    def never(job: Job) -> Result:
        raise AssertionError

    result = sandbox.run(notebook)
    assert settled(result, notebook, CHAPTER, sheet(), never) is result


@pytest.mark.promise("P11")
def test_nobody_reads_what_a_notebook_says_after_it_was_asked(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function may leave a sign that the notebook, when it has to run again, could find and print."""
    runs: list[dict[str, CellResult]] = []
    ask = _Run._ask

    def watched(run: _Run, *given: Any) -> None:
        runs.append(dict(run.outcome.cells))
        ask(run, *given)

    monkeypatch.setattr(_Run, "_ask", watched)
    notebook = graded("os._exit(0)", True)
    notebook.steps.insert(1, Step("spy", "print(os.urandom(8).hex(), time.time())"))
    result = sandbox.run(notebook)
    assert len(runs) == 2
    assert is_right(result)
    said = {id: cell for id, cell in runs[0].items() if id in ("setup", "spy", "bad", "solution")}
    assert len(said) == 4
    assert said.items() <= result.cells.items()


def test_an_earlier_snapshot_holds_up_nobody(sandbox: Sandbox) -> None:
    """It ends as a child of a notebook that is still there; waiting for that took five seconds a question."""
    steps = [PLAIN, SOLUTION, GRADED, Step("look", "print(linear_scores)")]
    steps += [Step("b", f"def soft_threshold(w, threshold):\n    {SHRINK}"), Step("c", "", "soft_threshold")]
    steps += [
        Step("d", "def other(x):\n    return x"),
        Step("e", "", "other"),
        Step("f", "", "soft_threshold"),
    ]
    result = sandbox.run(Job(share_snapshots(steps), QUESTIONS))
    assert is_right(result)
    assert result.cells["look"].status == "ran"
    assert result.seconds < 10


def test_settings_that_one_function_leaves_do_not_reach_the_next(sandbox: Sandbox) -> None:
    untidy = "torch.set_grad_enabled(False); torch.set_default_dtype(torch.float64); torch.manual_seed(len(w)); return w"
    watched = Step(
        "solution",
        "drawn = torch.rand(3)\ntorch.manual_seed(0)\nfirst = torch.rand(3)\ntorch.manual_seed(0)\n"
        "def linear_scores(x, w):\n"
        "    if linear_scores.__dict__.setdefault('new', True):\n"
        "        assert torch.is_grad_enabled() and torch.rand(3).equal(first)\n"
        "    linear_scores.new = False\n"
        "    return x @ w",
    )
    assert is_right(sandbox.run(graded(untidy, True, watched)))


def test_a_patched_recorder_gets_only_what_it_wrote_about_itself(sandbox: Sandbox) -> None:
    forgery = (
        "import course.sandbox.recorder, course.judging.recording, course.judging.archive\n"
        "course.sandbox.recorder.answers_to = lambda names, exercise, questions, device: "
        "({'right': True, 'points': 100}, course.judging.archive.pack({'outcomes': [{'values': {'': torch.zeros(3)}}] * 2}))"
    )
    result = sandbox.run(job(forgery))
    assert not is_right(result)
    assert set(result.recordings) <= {"linear_scores"}
    assert is_right(sandbox.run(job()))


@pytest.mark.parametrize(
    "tree",
    [
        "{'outcomes': 3}",
        "{'outcomes': [1, 'x', None]}",
        "[]",
        "{'outcomes': [{'values': {'': 'text'}, 'raised': 7}] * 1000}",
    ],
)
def test_recordings_of_another_kind_are_survived(sandbox: Sandbox, tree: str) -> None:
    forgery = (
        "import course.sandbox.recorder, course.judging.archive\n"
        f"course.sandbox.recorder.answers_to = lambda *a: ({{}}, course.judging.archive.pack({tree}))"
    )
    assert not is_right(sandbox.run(job(forgery)))


def test_a_pickle_is_no_recording(sandbox: Sandbox, tmp_path: Path) -> None:
    target = tmp_path / "executed"
    forgery = (
        "import course.sandbox.recorder, pickle\nclass Bomb:\n    def __reduce__(self):\n"
        f"        return (os.mkdir, ({str(target)!r},))\n"
        "course.sandbox.recorder.answers_to = lambda *a: ({}, pickle.dumps(Bomb()))"
    )
    result = sandbox.run(job(forgery))
    assert result.failures == {"linear_scores": "What linear_scores returned could not be recorded."}
    assert not target.exists()


def test_what_a_function_prints_about_its_inputs_reaches_nobody(sandbox: Sandbox) -> None:
    spy = (
        "keep = os.dup(1)\nimport threading\n"
        "def linear_scores(x, w):\n"
        "    text = 'SECRET ' + str(w.tolist())\n    print(text)\n    sys.__stderr__.write(text)\n"
        "    try:\n        os.write(keep, text.encode())\n    except OSError:\n        pass\n"
        "    for folder in ('.', '/tmp', '/dev/shm', '/scratch'):\n        try:\n            open(folder + '/leak', 'w').write(text)\n"
        "        except OSError:\n            pass\n    return x @ w"
    )
    result = sandbox.run(Job([SETUP, Step("spy", spy), GRADED, Step("last", "time.sleep(0.2)")], QUESTIONS))
    assert not any("SECRET" in cell.text for cell in result.cells.values())
    found = sandbox.run(
        job(
            "for folder in ('.', '/tmp', '/dev/shm', '/scratch'):\n    try:\n        print(open(folder + '/leak').read())\n"
            "    except OSError:\n        pass"
        )
    )
    for leak in (Path("/tmp/leak"), Path("/dev/shm/leak")):
        leak.unlink(missing_ok=True)
    if "Landlock is not used" not in sandbox.isolation:
        assert "SECRET" not in found.cells["0"].text


# -- what a student's code can reach --------------------------------------------------------------------------------


def ask(sandbox: Sandbox, source: str) -> str:
    return sandbox.run(job(source)).cells["0"].text.strip()


def closed_to(sandbox: Sandbox) -> None:
    if "Landlock is not used" in sandbox.isolation:
        pytest.skip("without bubblewrap and Landlock the disk can be read; the isolation sentence says so")


def test_the_reference_cannot_be_imported(sandbox: Sandbox) -> None:
    for route in (
        "import solutions",
        "import importlib; importlib.import_module('solutions.linear')",
        "import pkgutil; assert 'solutions' not in [m.name for m in pkgutil.iter_modules()], 1\nimport solutions",
        "import site; site.main()\nimport solutions",
    ):
        assert "ModuleNotFoundError" in ask(sandbox, route), route


def test_the_reference_cannot_be_found_on_disk(sandbox: Sandbox) -> None:
    closed_to(sandbox)
    root = Path(solutions.linear.__file__).parents[1]
    for path in (root / "solutions/linear.py", Path(__file__), root / "course/chapters/01_linear_models.py"):
        assert "Error" in ask(sandbox, f"print(open({str(path)!r}).read())"), path
    for path in (root / "solutions", root / "course/chapters", root / "tests"):
        answer = ask(sandbox, f"print(os.listdir({str(path)!r}))")
        assert answer == "[]" or "Error" in answer, path
    assert "Error" in ask(
        sandbox, f"sys.path.insert(0, {str(root)!r})\nimport solutions.linear\nprint(solutions.linear)"
    )


def test_other_files_of_the_machine_cannot_be_read(sandbox: Sandbox, tmp_path: Path) -> None:
    closed_to(sandbox)
    secret = tmp_path / "gradebook.db"
    secret.write_text("SECRET")
    for path in (str(secret), f"/proc/{os.getpid()}/root{secret}", f"/proc/1/root{secret}", "/etc/shadow"):
        answer = ask(sandbox, f"print(open({path!r}).read())")
        assert "Error" in answer, path
        assert "SECRET" not in answer, path


def test_nothing_outside_the_scratch_folder_changes(sandbox: Sandbox, tmp_path: Path) -> None:
    if os.getuid() != 0:
        closed_to(sandbox)
    tmp_path.chmod(0o755)
    course = Path(archive.__file__).parent
    targets = [tmp_path / "x", course / "x", Path.home() / "x_of_a_student", Path("/usr/x_of_a_student")]
    for target in targets:
        assert "Error" in ask(sandbox, f"open({str(target)!r}, 'w').write('x')"), target
        assert not target.exists()
    assert "Error" in ask(sandbox, f"open({str(course / 'check.py')!r}, 'a').write('x')")
    assert "Error" in ask(sandbox, f"import shutil\nshutil.rmtree({str(course)!r})")
    assert (course / "check.py").exists()


def test_modes_times_and_labels_of_other_files_stay(sandbox: Sandbox, tmp_path: Path) -> None:
    """Landlock watches what is in a file, not what is written on it: an ordinary user's gradebook was there for chmod."""
    tmp_path.chmod(0o777)
    target = tmp_path / "gradebook.db"
    target.write_text("points")
    target.chmod(0o600)
    course = Path(archive.__file__)
    before = [(path.stat().st_mode, path.stat().st_mtime) for path in (target, course)]
    for path in (target, course):
        for call in (
            f"os.chmod({str(path)!r}, 0o777)",
            f"os.utime({str(path)!r}, (1, 1))",
            f"os.setxattr({str(path)!r}, 'user.note', b'x')",
            f"os.fchmod(os.open({str(path)!r}, os.O_RDONLY), 0o777)",
            f"os.chown({str(path)!r}, os.getuid(), os.getgid())",
        ):
            ask(sandbox, call)
        assert "user.note" not in os.listxattr(path)
    assert [(path.stat().st_mode, path.stat().st_mtime) for path in (target, course)] == before
    own = "import shutil\nopen('mine', 'w').write('x')\nshutil.copy2('mine', 'copy')\nprint(open('copy').read())"
    assert ask(sandbox, own) == "x"


def test_other_programs_keep_their_limits_and_priorities(sandbox: Sandbox) -> None:
    """A processor-time limit of one second ends a program as surely as a signal does."""
    for call in (
        "resource.prlimit(PID, resource.RLIMIT_CPU, (1, 1))",
        "os.sched_setaffinity(PID, [0])",
        "os.setpriority(os.PRIO_PROCESS, PID, 19)",
        "os.sched_setscheduler(PID, os.SCHED_IDLE, os.sched_param(0))",
    ):
        for pid in (os.getpid(), sandbox._warm()._process.pid):
            assert "Error" in ask(sandbox, f"import resource\n{call.replace('PID', str(pid))}"), call
    own = "resource.setrlimit(resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE))"
    assert ask(sandbox, f"import resource\n{own}\nprint('fine')") == "fine"


def test_the_kernel_keeps_no_mail_for_the_next_submission(sandbox: Sandbox) -> None:
    """A message queue outlives its process, and everybody can open it where there is no namespace."""
    call = "ctypes.CDLL('librt.so.1', use_errno=True).mq_open(b'/course-test', os.O_CREAT | os.O_RDWR, 0o666, None)"
    assert ask(sandbox, f"import ctypes\nprint({call})") == "-1"


def test_there_is_no_network(sandbox: Sandbox) -> None:
    server = torch.distributed  # noqa: F841 - torch's own sockets are refused just so
    for call in (
        "socket.create_connection(('1.1.1.1', 80), 2)",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
        "socket.socket(socket.AF_INET6)",
        "socket.socket(40, socket.SOCK_STREAM)",
        "__import__('urllib.request').request.urlopen('http://127.0.0.1', timeout=2)",
    ):
        assert "Error" in ask(sandbox, f"import socket\n{call}"), call


def test_unix_sockets_of_the_machine_are_out_of_reach(sandbox: Sandbox, tmp_path: Path) -> None:
    import socket

    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as abstract:
        server.bind(path)
        server.listen()
        abstract.bind("\0course-test-socket")
        abstract.listen()
        for address in (path, "\0course-test-socket"):
            assert "Error" in ask(
                sandbox, f"import socket\nsocket.socket(socket.AF_UNIX).connect({address!r})"
            )


def test_the_graders_environment_is_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_OF_THE_INSTRUCTOR", "SECRET")
    with Sandbox(LIMITS) as sandbox:
        text = ask(sandbox, "print(sorted(os.environ.items()), open('/proc/self/environ').read())")
    assert "COURSE_FAST" in text
    assert "SECRET" not in text


def test_privileges_are_gone(sandbox: Sandbox) -> None:
    text = ask(sandbox, "print(open('/proc/self/status').read())")
    status = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Uid"].split()[0] != "0"
    assert int(status["CapEff"], 16) & ~(1 << 2) == 0  # at most: read what root may read
    assert status["Seccomp"].strip() == "2"
    for call in (
        "unshare(0x10000000)",
        "ptrace(0, 0, 0, 0)",
        "mount(b'none', b'/', b'tmpfs', 0, None)",
        "memfd_create(b'x', 0)",
    ):
        assert ask(sandbox, f"import ctypes\nprint(ctypes.CDLL(None).{call})") == "-1", call


def test_signals_do_not_reach_the_grader_or_the_server(sandbox: Sandbox) -> None:
    if "Landlock is not used" in sandbox.isolation and os.getuid() != 0:
        pytest.skip(
            "without walls, an ordinary user's processes can be stopped; the isolation sentence says so"
        )
    before = sandbox._warm()._process.pid
    hit = f"""
import signal
for pid in [os.getppid(), {os.getpid()}, {before}, 1, -1, 0]:
    if pid == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        os.kill(pid, signal.SIGTERM)
        if pid > 0:
            os.kill(pid, signal.SIGKILL)
    except OSError as error:
        print(error)
print('alive')
"""
    neighbour = threading.Thread(
        target=lambda: results.append(sandbox.run(job("time.sleep(1)\nprint('slept')")))
    )
    results: list[Result] = []
    neighbour.start()
    sandbox.run(job(hit))
    neighbour.join()
    assert sandbox._warm()._process.pid == before
    assert results[0].cells["0"].text == "slept\n"
    assert is_right(results[0])


def test_nothing_outlives_its_submission(sandbox: Sandbox) -> None:
    daemon = """
import subprocess
subprocess.Popen(['sleep', '535353'])
subprocess.Popen(['sleep', '535353'], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp('sleep', ['sleep', '535353'])
    os._exit(0)
print('started')
"""
    result = sandbox.run(job(daemon))
    assert "started" in result.cells["0"].text
    assert is_right(result)
    end = time.monotonic() + 5
    while processes("535353") and time.monotonic() < end:
        time.sleep(0.05)
    assert not processes("535353")


def test_submissions_do_not_see_each_other(sandbox: Sandbox) -> None:
    closed_to(sandbox)
    spy = "time.sleep(0.4)\nimport glob\nprint(sorted(glob.glob('/tmp/**/left', recursive=True) + glob.glob('**/left', recursive=True)))"
    with ThreadPoolExecutor(2) as pool:
        writer = pool.submit(
            sandbox.run,
            job(
                "for p in ('left', '/tmp/left', '/dev/shm/left'):\n    try:\n        open(p, 'w').write('x')\n    except OSError:\n        pass\ntime.sleep(1)"
            ),
        )
        reader = pool.submit(sandbox.run, job(spy))
    assert reader.result().cells["0"].text == "[]\n"
    assert is_right(writer.result())


def test_attackers_change_nothing_for_their_neighbours(sandbox: Sandbox) -> None:
    honest = [job(f"print({number})") for number in range(4)]
    quiet = [timeless(sandbox.run(one)) for one in honest]
    attackers = [
        job(HOSTILE[name][0]) for name in ("fork bomb", "memory hog", "too much output", "leaves at once")
    ]
    with ThreadPoolExecutor(4) as pool:
        busy = list(
            pool.map(sandbox.run, [one for pair in zip(attackers, honest, strict=True) for one in pair])
        )
    assert [timeless(result) for result in busy[1::2]] == quiet
    assert all(is_right(result) for result in busy[1::2])


# -- the server -----------------------------------------------------------------------------------------------------


def test_a_server_that_dies_is_replaced_and_the_job_repeated(sandbox: Sandbox) -> None:
    results: list[Result] = []
    worker = threading.Thread(target=lambda: results.append(sandbox.run(job("time.sleep(1)"))))
    before = sandbox._warm()._process.pid
    worker.start()
    time.sleep(0.3)
    os.killpg(before, signal.SIGKILL)
    worker.join()
    assert is_right(results[0])
    assert sandbox._warm()._process.pid != before


def test_a_submission_that_ends_every_sandbox_costs_itself(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    from course.sandbox import recorder

    with monkeypatch.context() as patched:
        patched.setattr(recorder.Link, "wait", lambda *a: (_ for _ in ()).throw(recorder.LinkClosed))
        result = sandbox.run(job("1"))
    assert "ended the sandbox" in result.failures["linear_scores"]
    assert result.cells["0"].status == "skipped"
    assert is_right(sandbox.run(job()))


def test_only_bubblewrap_promises_everything(sandbox: Sandbox) -> None:
    assert (sandbox.isolation == "") == (sandbox._wanted == "bubblewrap")


def test_closing_leaves_neither_process_nor_file() -> None:
    sandbox = Sandbox(LIMITS)
    server = sandbox._warm()
    worker = threading.Thread(target=_quietly, args=(sandbox,))
    worker.start()
    time.sleep(0.3)
    sandbox.close()
    worker.join()
    assert server.gone()
    assert not server.folder.exists()
    assert not processes(str(server.folder))
    with pytest.raises(SandboxError, match="closed"):
        sandbox.run(job())


def _quietly(sandbox: Sandbox) -> None:
    with contextlib.suppress(SandboxError):
        sandbox.run(job("import time; time.sleep(5)"))


def test_the_server_has_one_thread_before_it_forks(sandbox: Sandbox) -> None:
    assert ask(sandbox, "print(len(os.listdir('/proc/self/task')))") == "1"


def test_a_way_that_does_not_exist_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with (
        pytest.raises(SandboxError, match="bubblewrap is not installed"),
        Sandbox(isolation="bubblewrap") as sandbox,
    ):
        sandbox.run(job())


def test_unwelcome_file_names_are_refused() -> None:
    with Sandbox(LIMITS) as sandbox, pytest.raises(ValueError, match="no plain file name"):
        sandbox.run(job(files={"../x": b""}))


def test_limits_speak_plainly(sandbox: Sandbox) -> Any:
    from solutions.classroom.submission.sandbox import reason_for

    assert reason_for("killed: memory", LIMITS) == "used more than 400 MB of memory and was stopped"
    assert (
        reason_for("killed: time", replace(LIMITS, cpu_seconds=10.0))
        == "took longer than 10 s and was stopped"
    )


def test_where_a_device_survives_no_fork_the_same_is_recorded() -> None:
    """The way that CUDA goes: "cpu:0" takes it too, and is there on every machine."""
    steps = [
        SETUP,
        Step("other", inspect.getsource(solutions.linear.soft_threshold)),
        Step("other graded", "", "soft_threshold"),
        SOLUTION,
        Step("backward", "torch.ones(3, requires_grad=True).sum().backward()\nprint('ran')"),
        GRADED,
        Step("last", "print('last')"),
    ]
    everything = Job(steps, QUESTIONS)
    with Sandbox(LIMITS) as forking, Sandbox(LIMITS, device="cpu:0") as alone:
        forked, single = forking.run(everything), alone.run(everything)
    assert is_right(single)
    assert timeless(single) == timeless(forked)
    for name in ("linear_scores", "soft_threshold"):
        theirs = [outcome.values.get("") for outcome in forked.recordings[name]]
        mine = [outcome.values.get("") for outcome in single.recordings[name]]
        assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))  # type: ignore[arg-type]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_records_what_the_processor_records() -> None:
    with Sandbox(LIMITS, device="cuda") as sandbox:
        result = sandbox.run(job("x = torch.ones(3, device='cuda').requires_grad_()\nx.sum().backward()"))
    got = result.recordings["linear_scores"]
    assert all(torch.allclose(a.values[""], b.values[""]) for a, b in zip(got, EXPECTED, strict=True))  # type: ignore[arg-type]
