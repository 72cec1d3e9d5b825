"""All memory counts, and all processor time, whoever's it is: by control groups where they can be had, and without."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from attacks import (
    children_nobody_waits_for,
    memory_in_page_tables,
    memory_in_sockets,
    memory_that_was_let_go,
)
from small_jobs import LIMITS, is_right, job

from course.sandbox import confine
from course.sandbox.usage import Counters
from solutions.classroom.submission import control_group as cgroup
from solutions.classroom.submission.sandbox import Sandbox

pytestmark = [
    pytest.mark.promise("P16"),
    pytest.mark.skipif(not confine.LINUX, reason="the walls are Linux's"),
]

TREE = cgroup.find_tree()
SLOWLY = replace(LIMITS, cpu_seconds=10, wall_seconds=40)


def _closed(kind: str) -> str:
    """Why this way of counting is not possible here; empty when it is."""
    if kind == "without":
        return ""
    if TREE is None:
        return "no control group here counts memory and lets us make groups"
    found = "version 1" if TREE.most == cgroup.V1[0] else "version 2"
    return "" if kind == found else f"memory is counted by control groups of {found} on this machine"


@pytest.fixture(scope="module", params=["version 1", "version 2", "without"])
def counting(request: pytest.FixtureRequest) -> Iterator[tuple[str, Sandbox]]:
    """A sandbox that counts by control groups, or one that has none."""
    if reason := _closed(request.param):
        pytest.skip(reason)
    with pytest.MonkeyPatch.context() as patched:
        if request.param == "without":
            patched.setattr(cgroup, "find_tree", lambda: None)
        sandbox = Sandbox(SLOWLY)
        sandbox.isolation  # noqa: B018 - starts the server
    with sandbox:
        yield request.param, sandbox


@pytest.mark.parametrize(
    "attack",
    [memory_that_was_let_go, memory_in_page_tables],
    ids=lambda attack: attack.__name__.split(".")[-1],
)
def test_memory_that_no_process_has_counts(counting: tuple[str, Sandbox], attack: object) -> None:
    result = counting[1].run(job(attack.CELL))  # type: ignore[attr-defined]
    assert result.cells["0"].status in ("killed: memory", "raised"), result.cells["0"]
    assert "SURVIVED" not in result.cells["0"].text
    assert is_right(result), result.failures


def test_what_sockets_hold_counts_where_the_kernel_says_it(counting: tuple[str, Sandbox]) -> None:
    kind, sandbox = counting
    result = sandbox.run(job(memory_in_sockets.CELL))
    assert is_right(result), result.failures
    if kind != "without":
        assert result.cells["0"].status == "killed: memory", result.cells["0"]


def test_children_that_nobody_waits_for_count(
    counting: tuple[str, Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting[1], "limits", replace(LIMITS, cpu_seconds=2, wall_seconds=60))
    result = counting[1].run(job(children_nobody_waits_for.CELL))
    assert result.cells["0"].status == "killed: time", result.cells["0"]
    assert is_right(result), result.failures


def test_files_that_were_only_read_do_not_count(counting: tuple[str, Sandbox]) -> None:
    """What the kernel remembers of a file is taken back when it is needed; the scratch folder has a limit of its own."""
    read = (
        "data = bytes(1 << 20)\nwith open('big', 'wb') as f:\n    for _ in range(14): f.write(data)\n"
        "held = bytearray(300 << 20)\nheld[::4096] = b'x' * len(held[::4096])\ntime.sleep(0.5)\nprint('fine')"
    )
    result = counting[1].run(job(read))
    assert result.cells["0"].text == "fine\n", result.cells["0"]


def test_threads_and_allocators_have_the_addresses_that_they_need(counting: tuple[str, Sandbox]) -> None:
    busy = (
        "import threading\ntorch.set_num_threads(4)\nx = torch.ones(500, 500)\n"
        "def work():\n    for _ in range(3): x @ x\n    held.append(bytearray(1 << 20))\nheld = []\n"
        "threads = [threading.Thread(target=work) for _ in range(12)]\n"
        "for t in threads: t.start()\nfor t in threads: t.join()\nprint(len(held))"
    )
    result = counting[1].run(job(busy))
    assert result.cells["0"].text == "12\n", result.cells["0"]


def _groups() -> list[Path]:
    return [
        left
        for folder in (TREE.folders if TREE else ())
        for left in folder.glob(f"classroom-{os.getpid()}-*")
    ]


def test_no_group_is_left(counting: tuple[str, Sandbox]) -> None:
    counting[1].run(job("1"))
    assert not _groups()


def test_groups_of_a_grader_that_was_killed_are_cleared_by_the_next(tmp_path: Path) -> None:
    if TREE is None:
        pytest.skip(_closed("version 1"))
    source = (
        "import os, signal\nfrom solutions.classroom.submission import control_group as cgroup\n"
        "cgroup.new_group(cgroup.find_tree(), 1 << 30)\nprint(os.getpid(), flush=True)\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    root = str(Path(__file__).parents[1])
    killed = subprocess.run(
        [sys.executable, "-c", source],
        env=os.environ | {"PYTHONPATH": root},
        stdout=subprocess.PIPE,
        text=True,
    )
    left = [path for folder in TREE.folders for path in folder.glob(f"classroom-{killed.stdout.strip()}-*")]
    assert left
    cgroup.clear_old_groups(TREE)
    assert not [path for path in left if path.exists()]


def test_the_memory_of_a_group_is_the_kernel_s_to_end(tmp_path: Path) -> None:
    """Should the one who watches be too slow, the limit of the group holds."""
    group = cgroup.new_group(TREE, 64 << 20)
    if group is None:
        pytest.skip(_closed("version 1"))
    source = "import sys\nsys.stdin.read(1)\nx = b'x' * (200 << 20)\nprint('SURVIVED')"
    hog = subprocess.Popen(
        [sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    group.add(hog.pid)
    said, _ = hog.communicate("x", timeout=60)
    group.remove()
    assert "SURVIVED" not in said
    assert hog.returncode == -9
    assert not any(folder.exists() for folder in group.folders)


# -- both versions, as they look on a disk ---------------------------------------------------------------------------


def _write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        folder.joinpath(name.replace("__", ".")).write_text(text)
    return folder


def test_version_2_is_found_where_a_group_around_ours_hands_memory_down(tmp_path: Path) -> None:
    root = tmp_path / "cgroup"
    app = _write(root / "user.slice/app.slice", cgroup__subtree_control="memory pids\n")
    _write(app / "terminal.scope", cgroup__subtree_control="")
    mounts = (
        _write(tmp_path, mounts=f"35 24 0:30 / {root} rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n")
        / "mounts"
    )
    own = _write(tmp_path, own="0::/user.slice/app.slice/terminal.scope\n") / "own"
    assert cgroup.find_tree(mounts, own) == cgroup.Tree([app], *cgroup.V2)
    app.joinpath("cgroup.subtree_control").write_text("pids\n")
    assert cgroup.find_tree(mounts, own) is None


def test_version_1_is_found_in_a_container_that_sees_only_its_own_part(tmp_path: Path) -> None:
    memory = _write(tmp_path / "memory/inner")
    mounts = (
        _write(tmp_path, mounts=f"35 31 0:32 /docker/abc {tmp_path}/memory rw - cgroup cgroup rw,memory\n")
        / "mounts"
    )
    own = _write(tmp_path, own="4:memory:/docker/abc/inner\n2:cpuacct:/docker/abc\n0::/\n") / "own"
    assert cgroup.find_tree(mounts, own) == cgroup.Tree([memory], *cgroup.V1)


def test_where_nothing_can_be_found_there_is_no_group(tmp_path: Path) -> None:
    nothing = _write(tmp_path, mounts="", own="garbage\n")
    assert cgroup.find_tree(nothing / "mounts", nothing / "own") is None
    assert cgroup.find_tree(tmp_path / "no", tmp_path / "no") is None
    assert cgroup.new_group(None, 1) is None


@pytest.mark.parametrize(
    ("files", "memory", "seconds"),
    [
        (
            {
                "a": "1000\n",
                "b": "cache 10\ntotal_inactive_file 100\ntotal_active_file 50\ninactive_file 1\n",
                "c": "2500000000\n",
            },
            850,
            2.5,
        ),
        (
            {
                "a": "1000\n",
                "b": "anon 10\ninactive_file 100\nactive_file 50\n",
                "c": "usage_usec 2500000\nuser_usec 1\n",
            },
            850,
            2.5,
        ),
    ],
    ids=["version 1", "version 2"],
)
def test_both_versions_are_read(tmp_path: Path, files: dict[str, str], memory: int, seconds: float) -> None:
    _write(tmp_path, **files)
    counters = Counters([os.open(tmp_path / name, os.O_RDONLY) for name in "abc"])
    assert counters
    assert (counters.memory(), counters.memory(above=800), counters.memory(above=900)) == (memory, 50, 0)
    assert counters.cpu() == seconds
    counters.close()
    assert not counters
    assert (counters.memory(), counters.cpu()) == (0, 0)


def test_a_group_costs_little() -> None:
    group = cgroup.new_group(TREE, 1 << 30)
    if group is None:
        pytest.skip(_closed("version 1"))
    group.remove()
    started = time.process_time()
    for _ in range(20):
        again = cgroup.new_group(TREE, 1 << 30)
        assert again is not None
        again.remove()
    assert time.process_time() - started < 1
