"""The sandbox keeps its promises: honest code is recorded, and whatever ends the server costs only who did it.

Everything runs behind bubblewrap, with Landlock alone, and with neither, wherever the machine has them.
"""

import contextlib
import inspect
import os
import pickle
import shutil
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import torch
from small_jobs import (
    EXPECTED,
    GRADED,
    LIMITS,
    QUESTIONS,
    SETUP,
    SOLUTION,
    ask,
    is_right,
    job,
    processes,
    timeless,
)

import solutions.linear
from course.sandbox import confine
from solutions.classroom.submission.sandbox import (
    Job,
    Result,
    Sandbox,
    SandboxError,
    Step,
)

pytestmark = pytest.mark.skipif(not confine.LINUX, reason="the walls are Linux's")


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


# -- the server ---------------------------------------------------------------------------------------------------


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
    from course.sandbox import link

    with monkeypatch.context() as patched:
        patched.setattr(link.Link, "wait", lambda *a: (_ for _ in ()).throw(link.LinkClosed))
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
