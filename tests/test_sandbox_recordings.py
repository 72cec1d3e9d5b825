"""Functions that have to be stopped, recordings that lie, and functions that are recorded in one process."""

from pathlib import Path
from typing import Any

import pytest
from small_jobs import (
    CHAPTER,
    GRADED,
    PLAIN,
    QUESTIONS,
    SETUP,
    SHRINK,
    SOLUTION,
    graded,
    is_right,
    job,
    processes,
    sheet,
    timeless,
)

from course.sandbox import confine
from solutions.classroom.grading.judge import judge
from solutions.classroom.grading.settle import settled
from solutions.classroom.submission.attempts import Attempts
from solutions.classroom.submission.sandbox import CellResult, Job, Result, Sandbox, Step
from solutions.classroom.submission.sharing import share_snapshots

pytestmark = pytest.mark.skipif(not confine.LINUX, reason="the walls are Linux's")


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
    ask = Attempts._ask

    def watched(run: Attempts, *given: Any) -> None:
        runs.append(dict(run.outcome.cells))
        ask(run, *given)

    monkeypatch.setattr(Attempts, "_ask", watched)
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
        "import course.sandbox.student, course.judging.recording, course.judging.archive\n"
        "course.sandbox.student.answers_to = lambda names, exercise, questions, device: "
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
        "import course.sandbox.student, course.judging.archive\n"
        f"course.sandbox.student.answers_to = lambda *a: ({{}}, course.judging.archive.pack({tree}))"
    )
    assert not is_right(sandbox.run(job(forgery)))


def test_a_pickle_is_no_recording(sandbox: Sandbox, tmp_path: Path) -> None:
    target = tmp_path / "executed"
    forgery = (
        "import course.sandbox.student, pickle\nclass Bomb:\n    def __reduce__(self):\n"
        f"        return (os.mkdir, ({str(target)!r},))\n"
        "course.sandbox.student.answers_to = lambda *a: ({}, pickle.dumps(Bomb()))"
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
