"""Cells that have to be stopped cost themselves and nothing else: not the notebook, and not their neighbours."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from small_jobs import LIMITS, is_right, job, timeless

from course.sandbox import confine
from solutions.classroom.submission.sandbox import Sandbox

pytestmark = pytest.mark.skipif(not confine.LINUX, reason="the walls are Linux's")


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
