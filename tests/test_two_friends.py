"""Two submissions that are graded at one time cannot talk: every way in which one could send the other a sign.

Each way is first shown to work between two ordinary processes of this machine, so that the test knows what it looks for;
then both friends try all of them in the sandbox. What is not here (processor, memory, disk: whoever uses them a lot makes
others wait) cannot be closed, and SECURITY.md says so.
"""

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from small_jobs import LIMITS, WAYS, ask, impossible, job

from course.sandbox import confine
from solutions.classroom.submission.sandbox import Sandbox, SandboxError

pytestmark = [
    pytest.mark.promise("P17"),
    pytest.mark.skipif(not confine.LINUX, reason="the walls are Linux's"),
]

TOOLS = """
import contextlib, ctypes, fcntl, os, select, signal, socket, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
lib = os.path.dirname(os.__file__)
def opened(name):
    return open(os.path.join(lib, name), 'rb')
def lock(kind, pid=0):
    return struct.pack('hhqqi4x', kind, 0, 0, 0, pid)
kept = []
"""

TALK: dict[str, tuple[str, str, str]] = {
    # way: what the sender does, what the receiver prepares, whether the receiver has seen it
    "flock": (
        "f = opened('this.py'); kept.append(f); fcntl.flock(f, fcntl.LOCK_EX)",
        "",
        "with opened('this.py') as f:\n    try:\n        fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)\n    except BlockingIOError:\n        seen = True",
    ),
    "flock on a device": (
        "f = open('/dev/null'); kept.append(f); fcntl.flock(f, fcntl.LOCK_EX)",
        "",
        "with open('/dev/null') as f:\n    try:\n        fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)\n    except BlockingIOError:\n        seen = True",
    ),
    "record lock": (
        "f = opened('ast.py'); kept.append(f); fcntl.fcntl(f, 6, lock(0))",
        "",
        "with opened('ast.py') as f:\n    seen = struct.unpack('hhqqi4x', fcntl.fcntl(f, 5, lock(1)))[0] == 0",
    ),
    "lock of an open file": (
        "f = opened('bdb.py'); kept.append(f); fcntl.fcntl(f, 37, lock(0))",
        "",
        "with opened('bdb.py') as f:\n    seen = struct.unpack('hhqqi4x', fcntl.fcntl(f, 36, lock(1)))[0] == 0",
    ),
    "inotify": (
        "opened('cmd.py').close()",
        "watch = libc.inotify_init1(os.O_NONBLOCK)\nif watch >= 0: libc.inotify_add_watch(watch, os.path.join(lib, 'cmd.py').encode(), 0x20)",
        "seen = watch >= 0 and bool(select.select([watch], [], [], 0)[0])",
    ),
    "dnotify": (
        "for name in os.listdir(os.path.join(lib, 'json')):\n    if name.endswith('.py'): opened('json/' + name).read()",
        "told = []\nsignal.signal(signal.SIGIO, lambda *a: told.append(1))\nfolder = os.open(os.path.join(lib, 'json'), os.O_RDONLY)\n"
        "fcntl.fcntl(folder, 1026, 0x80000001)",
        "seen = bool(told)",
    ),
    "time of a device": (
        "os.utime('/dev/full')",
        "before = os.stat('/dev/full').st_mtime_ns",
        "seen = os.stat('/dev/full').st_mtime_ns != before",
    ),
    "shared memory by key": (
        "libc.shmget(0x5e5e5e, 4096, 0o1666)",
        "",
        "seen = libc.shmget(0x5e5e5e, 4096, 0) >= 0",
    ),
    "semaphores by key": (
        "libc.semget(0x5e5e5e, 1, 0o1666)",
        "",
        "seen = libc.semget(0x5e5e5e, 1, 0) >= 0",
    ),
    "messages by key": (
        "libc.msgget(0x5e5e5e, 0o1666)",
        "",
        "seen = libc.msgget(0x5e5e5e, 0) >= 0",
    ),
    "abstract socket": (
        "s = socket.socket(socket.AF_UNIX); kept.append(s); s.bind('\\0two-friends')",
        "",
        "s = socket.socket(socket.AF_UNIX)\ntry:\n    s.bind('\\0two-friends')\nexcept OSError as error:\n    seen = error.errno == 98",
    ),
}
CLEAN = """
for get, control in ((libc.shmget, libc.shmctl), (libc.msgget, libc.msgctl)):
    got = get(0x5e5e5e, 0) if get is libc.msgget else get(0x5e5e5e, 4096, 0)
    if got >= 0: control(got, 0, None)
got = libc.semget(0x5e5e5e, 1, 0)
if got >= 0: libc.semctl(got, 0, 0)
"""


def _sender(start: float) -> str:
    """Does everything, and holds it for a while."""
    parts = [TOOLS, f"while time.time() < {start + 1.5}: time.sleep(0.01)"]
    for send, _, _ in TALK.values():
        parts.append(f"with contextlib.suppress(Exception):\n{textwrap.indent(send, '    ')}")
    return "\n".join([*parts, f"while time.time() < {start + 4}: time.sleep(0.01)", CLEAN])


def _receiver(start: float) -> str:
    """Prepares everything, and says afterwards what it has seen."""
    parts = [TOOLS, f"while time.time() < {start}: time.sleep(0.01)"]
    for _, prepare, _ in TALK.values():
        parts.append(f"with contextlib.suppress(Exception):\n{textwrap.indent(prepare or 'pass', '    ')}")
    parts.append(f"while time.time() < {start + 3}: time.sleep(0.01)")
    for way, (_, _, look) in TALK.items():
        parts.append(f"seen = False\nwith contextlib.suppress(Exception):\n{textwrap.indent(look, '    ')}")
        parts.append(f"if seen: print('seen: {way}.')")
    return "\n".join(parts)


@pytest.fixture(scope="module")
def outside() -> str:
    """What two ordinary processes tell each other."""
    start = time.time() + 0.5
    commands = [[sys.executable, "-c", source] for source in (_sender(start), _receiver(start))]
    friends = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    return [friend.communicate(timeout=60)[0] for friend in friends][1]


@pytest.fixture(scope="module", params=WAYS)
def friends(request: pytest.FixtureRequest) -> Iterator[tuple[Sandbox, str]]:
    """A sandbox, and what one submission has seen of another."""
    if reason := impossible(request.param):
        pytest.skip(reason)
    with Sandbox(replace(LIMITS, wall_seconds=30), isolation=request.param) as sandbox:
        try:
            sandbox.isolation  # noqa: B018 - starts the server
        except SandboxError as error:
            pytest.skip(str(error))
        start = time.time() + 1.5
        with ThreadPoolExecutor(2) as pool:
            sender = pool.submit(sandbox.run, job(_sender(start)))
            receiver = pool.submit(sandbox.run, job(_receiver(start) + "\nprint('looked')"))
        assert sender.result().cells["0"].status == "ran", sender.result().cells["0"]
        yield sandbox, receiver.result().cells["0"].text


@pytest.mark.parametrize("way", TALK)
def test_friends_cannot_talk(friends: tuple[Sandbox, str], outside: str, way: str) -> None:
    if f"seen: {way}." not in outside:
        pytest.skip(f"this machine's kernel does not carry it at all: {way}")
    _, said = friends
    assert "looked" in said, said
    assert f"seen: {way}." not in said


CALLS = {
    "fanotify_init": "libc.fanotify_init(0x200, 0)",
    "inotify_init": "libc.inotify_init()",
    "name_to_handle_at": "libc.name_to_handle_at(-100, b'/usr', ctypes.create_string_buffer(256), ctypes.byref(ctypes.c_int()), 0)",
    "mincore": "libc.mincore(0, 0, 0)",
    "vmsplice": "libc.vmsplice(0, 0, 0, 0)",
    "a lease": "libc.fcntl(os.open('own', os.O_RDWR | os.O_CREAT), 1024, 0)",
    "a notice": "libc.fcntl(os.open('.', os.O_RDONLY), 1026, 1)",
    "the kernel's log": "libc.klogctl(10, None, 0)",
    "hints about a file": "libc.fcntl(os.open('own', os.O_RDWR | os.O_CREAT), 1036, ctypes.byref(ctypes.c_uint64(2)))",
}


@pytest.mark.parametrize("call", CALLS)
def test_calls_of_the_kind_are_refused(friends: tuple[Sandbox, str], call: str) -> None:
    sandbox, _ = friends
    source = (
        f"import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nprint({CALLS[call]}, ctypes.get_errno())"
    )
    assert ask(sandbox, source) == "-1 1"


HARMLESS = {
    "a lock on a file of one's own": (
        "import fcntl\nf = open('mine', 'w')\nfcntl.flock(f, fcntl.LOCK_EX)\nfcntl.lockf(f, fcntl.LOCK_EX)\n"
        "fcntl.lockf(f, fcntl.LOCK_UN)\nprint('fine')"
    ),
    "a database": (
        "import sqlite3\nwith sqlite3.connect('mine.db') as db:\n    db.execute('create table t (x)')\n"
        "    db.execute('insert into t values (1)')\nprint('fine' if list(sqlite3.connect('mine.db').execute('select x from t')) == [(1,)] else '')"
    ),
    "a shelf": (
        "import shelve\nwith shelve.open('shelf') as s:\n    s['x'] = 1\nwith shelve.open('shelf') as s:\n    print('fine' if s['x'] == 1 else '')"
    ),
    "reading at a place": "fd = os.open(os.__file__, os.O_RDONLY)\nprint('fine' if os.preadv(fd, [bytearray(4)], 0) == 4 else '')",
    "other settings of a file": (
        "import fcntl\nf = open('mine', 'w')\nfcntl.fcntl(f, fcntl.F_SETFD, fcntl.fcntl(f, fcntl.F_GETFD) | 1)\n"
        "os.set_blocking(f.fileno(), True)\nprint('fine' if os.dup(f.fileno()) > 2 else '')"
    ),
    "threads": "torch.set_num_threads(2)\nx = torch.ones(300, 300) @ torch.ones(300, 300)\nprint('fine' if x[0, 0] == 300 else '')",
}


@pytest.mark.parametrize("use", HARMLESS)
def test_what_libraries_do_goes_on_working(friends: tuple[Sandbox, str], use: str) -> None:
    assert ask(friends[0], HARMLESS[use]) == "fine"


SHARES = """
x = torch.arange(6.0).reshape(2, 3).requires_grad_()
assert x.share_memory_() is x and x.is_shared()
model = torch.nn.Linear(2, 2).share_memory()
if os.fork() == 0:
    with torch.no_grad():
        model.weight.fill_(3)
    os._exit(0)
os.wait()
print(x.tolist(), model.weight.tolist())
"""


def test_shared_tensors_work_the_same_under_every_isolation(friends: tuple[Sandbox, str]) -> None:
    assert ask(friends[0], SHARES) == "[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]] [[3.0, 3.0], [3.0, 3.0]]"


def test_no_right_to_read_everything_is_kept_behind_walls(friends: tuple[Sandbox, str]) -> None:
    sandbox, _ = friends
    if sandbox.isolation and os.getuid() == 0:
        pytest.skip("without walls Python may lie where only root can read")
    held = "print([line.split()[1] for line in open('/proc/self/status') if line[:6] in ('CapInh', 'CapPrm', 'CapEff')])"
    assert ask(sandbox, held) == str(["0" * 16] * 3)
