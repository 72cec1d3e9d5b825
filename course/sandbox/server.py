"""Inside the sandbox: one warm server that runs other people's notebooks, each in processes of its own.

    server     imports torch once and forks; never runs a student's code           (server.py)
    └ keeper   one per submission: furnishes its room, watches it, ends it         (keeper.py, watch.py)
      └ notebook    the student's cells, one after the other, in an IPython shell  (room.py, student.py)
        └ snapshot  the notebook as it stood at a graded cell; waits until the notebook has ended, then gets its
                    questions, answers, and ends. Graded cells between which nothing but definitions lies share one

The questions reach the sandbox only when the notebook's output is closed: what a person may see was written by a
process that never held them.
"""

import contextlib
import ctypes
import gc
import importlib
import io
import json
import os
import random
import secrets
import select
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from course.sandbox import confine
from course.sandbox.keeper import Keeper
from course.sandbox.link import Link, LinkClosed
from course.sandbox.processes import children, end_with_descendants
from course.sandbox.room import Place
from course.sandbox.student import new_shell
from course.sandbox.usage import Counters

MODULES = (
    "torch.fx.experimental.symbolic_shapes",  # torch loads it at the first gradient that starts from a tensor
    "torch.nested._internal.nested_tensor",  # and this with a network; what is loaded late cannot be shared
    "matplotlib.pyplot",
    "IPython.core.interactiveshell",
    "course.check",
    "course.judging.recording",
    "course.show",
)
"""Imported once, before any submission; what else a notebook imports, it imports itself."""

GATHER_AFTER = 8
"""Submissions after which laying the memory into large pages (half a second) pays off."""


def serve(control: socket.socket, place: Place, modules: list[str]) -> None:
    """Fork a keeper for every socket that arrives over `control`, until `control` closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the grader, which then closes `control`
    shell = _warm_up(modules)
    confine.adopt_orphans()
    own_processes = os.open("/proc/self/ns/pid", os.O_RDONLY) if place.walled else -1
    keepers: dict[int, int] = {}
    jobs = 0
    some = secrets.randbelow(10_000)  # two graders on one machine do not use the same users
    control.sendall(b"r")
    while True:
        ready, _, _ = select.select([control], [], [], 0.2 if keepers else None)
        if ready:
            order, handles, _, _ = socket.recv_fds(control, 9, 1 + Counters.FILES)
            if not order:
                break
            number = int.from_bytes(order[1:], "little")
            if order[:1] == b"k":
                end_with_descendants([pid for pid, job in keepers.items() if job == number])
            else:
                jobs += 1
                if jobs == GATHER_AFTER:
                    _gather_memory()
                pid = _fork_keeper(control, own_processes, handles, place, shell, some + jobs)
                keepers[pid] = number
                for handle in handles:
                    os.close(handle)
        _reap(keepers)
    end_with_descendants(list(keepers))
    end_with_descendants(children(os.getpid()))


def _warm_up(modules: list[str]) -> Any:
    """Import what every notebook needs, with one thread only: a fork copies no other."""
    for name in (*MODULES, *modules):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    import numpy as np
    import torch

    from course.exercises import chapters, exercises_of

    torch.set_num_threads(1)
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    for chapter in chapters():
        try:
            exercises_of(chapter)
        except Exception:  # one chapter's trouble is not another's
            traceback.print_exc()
    torch.Tensor.share_memory_ = _share_memory  # type: ignore[method-assign]
    shell = new_shell()
    _rehearse(shell)
    gc.collect()
    gc.freeze()
    return shell


def _share_memory(tensor: Any) -> Any:
    """What torch.Tensor.share_memory_ does, in a file of the notebook's own: not every isolation has a /dev/shm."""
    import torch

    if tensor.device.type != "cpu" or tensor.is_shared() or not tensor.untyped_storage().nbytes():
        return tensor
    held: Any = tensor.untyped_storage()
    with tempfile.NamedTemporaryFile() as file:
        os.posix_fallocate(file.fileno(), 0, held.nbytes())
        shared: Any = torch.UntypedStorage.from_file(file.name, True, held.nbytes())
    shared.copy_(held)
    view = torch.empty(0, dtype=tensor.dtype)
    view.set_(shared, tensor.storage_offset(), tensor.size(), tensor.stride())
    tensor.data = view
    return tensor


def _rehearse(shell: Any) -> None:
    """Do once what every notebook does first, so that what it loads and fills is there already."""
    import torch

    from course.judging import archive
    from course.judging.exercise import Exercise
    from course.judging.recording import record

    with contextlib.redirect_stdout(io.StringIO()):
        for source in ("x = 1\nx", "1 / 0", "def f(:"):
            shell.run_cell(source, store_history=True)
    shell.reset(new_session=False)
    shell.execution_count = 1
    shell.history_manager.reset(new_session=False)
    names = {"x": torch.ones(2, 2)}
    recorded = record(lambda x: x @ x, Exercise("rehearsal", lambda seed: [names]), [0], [[names]])
    archive.unpack(archive.pack({"outcomes": [outcome.tree() for outcome in recorded]}))


def _fork_keeper(
    control: socket.socket, own_processes: int, handles: list[int], place: Place, shell: Any, job: int
) -> int:
    alone = place.walled and confine.next_child_is_init()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        if alone:
            confine.back_to(own_processes)
        return pid
    code = 1
    try:
        control.close()
        confine.die_with_parent()
        grader = socket.socket(fileno=handles[0])
        grader.sendall(b"k")  # from whom this comes tells the grader whom to put into a control group
        keeper = Keeper(Link(grader), place, shell, job, alone, Counters(handles[1:]))
        keeper.run()
        code = 0
    except LinkClosed:  # the grader has gone or has heard enough
        code = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _reap(keepers: dict[int, int]) -> None:
    """Bury ended keepers; end what a keeper that was killed has left behind."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid == 0:
            break
        keepers.pop(pid, None)
    if confine.LINUX:
        end_with_descendants([pid for pid in children(os.getpid()) if pid not in keepers])


def _gather_memory() -> None:
    """Lay this process's memory into large pages: forking it then costs a third."""
    if not confine.LINUX:
        return
    large, collapse = 2 << 20, 25
    libc = ctypes.CDLL(None)
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for line in Path("/proc/self/maps").read_text().splitlines():
        words = line.split()
        if words[1] != "rw-p" or words[5:] not in ([], ["[heap]"]):
            continue
        start, end = (int(address, 16) for address in words[0].split("-"))
        start, end = (start + large - 1) // large * large, end // large * large
        if end > start:
            libc.madvise(start, end - start, collapse)


def _read_settings(text: str) -> Iterator[Any]:
    settings = json.loads(text)
    yield socket.socket(fileno=settings["control"])
    yield Place(**settings["place"])
    yield settings["modules"]


def main(settings: str) -> None:
    """Called by the command line that solutions/classroom/submission/warm_server.py puts together."""
    serve(*_read_settings(settings))
