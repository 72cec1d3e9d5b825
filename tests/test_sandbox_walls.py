"""What a student's code can reach of this machine, of the grader, and of its neighbours."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from small_jobs import LIMITS, ask, closed_to, is_right, job, processes

import solutions.linear
from course.judging import archive
from course.sandbox import confine
from solutions.classroom.submission.sandbox import (
    Result,
    Sandbox,
)

pytestmark = pytest.mark.skipif(not confine.LINUX, reason="the walls are Linux's")


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
    course = Path(archive.__file__).parents[1]
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
