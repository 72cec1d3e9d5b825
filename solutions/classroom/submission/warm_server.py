"""The server that forks the notebooks, seen from outside: starting it behind walls, connecting to it, ending it.

Inside runs course/sandbox/server.py.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import count

from course.sandbox import confine
from course.sandbox.link import Link, LinkClosed, Overflow
from solutions.classroom.submission import control_group as cgroup
from solutions.classroom.submission.leftovers import own_folder, remove
from solutions.classroom.submission.limits import Limits
from solutions.classroom.submission.walls import (
    COURSE,
    DEVICES,
    SCRATCH,
    WAYS,
    SandboxError,
    bubblewrap_arguments,
    check_that_others_can_read,
    environment,
    packages,
    readable_with_landlock,
    shared_folders,
    what_is_not_isolated,
)

_BOOT = """
import importlib.util, json, site, sys
site.setquit(), site.sethelper()
settings = json.loads(sys.argv[1])
sys.path += settings["packages"]
spec = importlib.util.spec_from_file_location(
    "course", settings["course"] + "/__init__.py", submodule_search_locations=[settings["course"]])
sys.modules["course"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["course"])
from course.sandbox.server import main
main(sys.argv[1])
"""
"""Start Python without `site`: no .pth file and no editable install makes `solutions` importable."""


class Server:
    """The process that forks, its control socket and its folder."""

    def __init__(
        self, kind: str, device: str, modules: Sequence[str], limits: Limits, patience: float = 180
    ) -> None:
        self.kind, self.device = kind, device
        if kind == "bubblewrap" and os.getuid() == 0:
            check_that_others_can_read()
        self.folder = own_folder()
        self.folder.chmod(0o711)
        self._log = self.folder / "log"
        self._lock = threading.Lock()
        self._jobs = count(1)
        self._tree = cgroup.find_tree()
        cgroup.clear_old_groups(self._tree)
        self._control, inside = socket.socketpair()
        try:
            with inside, self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    self._command(device, modules, inside.fileno()),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=environment(self._home(), device),
                    cwd=self.folder,
                    pass_fds=[inside.fileno()],
                    start_new_session=True,
                )
            self._control.settimeout(patience)
            if self._control.recv(1) != b"r":
                raise SandboxError(f"The sandbox did not start: {self._last_words()}")
            self._control.settimeout(None)
            self.isolation = what_is_not_isolated(kind, self._trial(limits))
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise SandboxError(f"The sandbox did not start: {error}") from error
            raise

    def gone(self, within: float = 0) -> bool:
        """Whether the server has ended, or does so within these seconds."""
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired:
            return False
        return True

    @contextlib.contextmanager
    def connect(self, limits: Limits) -> Iterator[Link]:
        """A link to a keeper of one's own; closing it ends the keeper and everything below it."""
        number = next(self._jobs)
        ours, theirs = socket.socketpair()
        link = Link(ours)
        group = cgroup.new_group(self._tree, _most_memory(limits)) if self.device == "cpu" else None
        counters: list[int] = []
        try:
            counters = group.open() if group else []
            with theirs:
                _ask_for_sender(ours)
                self._order(b"j", number, [theirs.fileno(), *counters])
            keeper = _sender(ours)
            if group and keeper:
                group.add(keeper)
            yield link
        except (TimeoutError, SandboxError):
            with contextlib.suppress(SandboxError):
                self._order(b"k", number, [])
            raise
        finally:
            _hang_up(link)
            for counter in counters:
                os.close(counter)
            if group:
                group.remove()

    @contextlib.contextmanager
    def scratch(self) -> Iterator[str]:
        """A notebook's folder, as seen from inside."""
        if self.kind == "bubblewrap":
            yield SCRATCH
            return
        folder = tempfile.mkdtemp(prefix="notebook-", dir=self.folder)
        try:
            yield folder
        finally:
            remove(folder)

    def close(self) -> None:
        """End the server, whatever still runs in it, and its folder."""
        self._control.close()
        process = getattr(self, "_process", None)
        if process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        remove(self.folder)

    def _order(self, kind: bytes, number: int, handles: list[int]) -> None:
        with self._lock:
            try:
                socket.send_fds(self._control, [kind + number.to_bytes(8, "little")], handles)
            except OSError as error:
                raise SandboxError(f"The sandbox has ended: {self._last_words()}") from error

    def _trial(self, limits: Limits) -> list[str]:
        """A job without cells, which only says what the kernel refused it."""
        with self.scratch() as scratch, self.connect(limits) as link:
            told = asdict(limits) | {"cells": (60.0, 60.0), "answers": (60.0, 60.0)}
            header = {"steps": [], "limits": told, "files": {}, "scratch": scratch, "trial": True}
            try:
                link.send(header)
                said, _ = link.wait(60)
            except (LinkClosed, Overflow, TimeoutError) as error:
                raise SandboxError(f"The sandbox does not run anything: {self._last_words()}") from error
            return [str(word) for word in said["missing"]]

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            lines = self._log.read_text(errors="replace").strip().splitlines()
            return lines[-1][:300] if lines else "it said nothing"
        return "it said nothing"

    def _home(self) -> str:
        return "/home/server" if self.kind == "bubblewrap" else str(self.folder)

    def _command(self, device: str, modules: Sequence[str], control: int) -> list[str]:
        walled = self.kind == "bubblewrap"
        place = {
            "isolation": self.kind,
            "readable": [str(path) for path in readable_with_landlock()] if self.kind == "landlock" else [],
            "shared": shared_folders() if walled else [],
            "read_only": ["/", "/dev", *(f"/dev/{name}" for name in DEVICES)] if walled else [],
            "device": device,
        }
        settings = {
            "place": place,
            "control": control,
            "modules": list(modules),
            "packages": [str(path) for path in packages()],
            "course": str(COURSE),
        }
        python = [os.path.realpath(sys.executable), "-s", "-S", "-P", "-c", _BOOT, json.dumps(settings)]
        return [*bubblewrap_arguments(device), *python] if walled else python


def start(wanted: str, device: str, modules: Sequence[str], limits: Limits) -> Server:
    """The strongest server that works here, or the one that is asked for."""
    possible = list(WAYS) if wanted == "auto" else [wanted]
    if "bubblewrap" in possible and shutil.which("bwrap") is None:
        if wanted == "bubblewrap":
            raise SandboxError("bubblewrap is not installed: install the package that has the command bwrap.")
        possible.remove("bubblewrap")
    if "landlock" in possible and not confine.landlock_version():
        if wanted == "landlock":
            raise SandboxError("This system's kernel has no Landlock; --isolation auto takes what there is.")
        possible.remove("landlock")
    for kind in possible:
        try:
            return Server(kind, device, modules, limits)
        except SandboxError:
            if kind == possible[-1]:
                raise
    raise AssertionError


def _hang_up(link: Link) -> None:
    """Tell the keeper that this is all, and wait until it has ended everything."""
    end = time.monotonic() + 20
    with contextlib.suppress(OSError, LinkClosed, Overflow, TimeoutError):
        link.sock.shutdown(socket.SHUT_WR)
        while True:
            link.wait(min(10, end - time.monotonic()))
    link.close()


def _ask_for_sender(sock: socket.socket, wanted: bool = True) -> None:
    """Have the kernel note on every message which process sends it."""
    if hasattr(socket, "SO_PASSCRED"):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, wanted)


def _sender(sock: socket.socket) -> int:
    """The process that sends the first byte, by its number out here; 0 where the system does not say."""
    sock.settimeout(60)
    try:
        _, attached, _, _ = sock.recvmsg(1, socket.CMSG_SPACE(12))
    except OSError as error:
        raise SandboxError("The sandbox does not answer.") from error
    sock.settimeout(None)
    _ask_for_sender(sock, False)
    return int.from_bytes(attached[0][2][:4], sys.byteorder) if attached else 0


def _most_memory(limits: Limits) -> int:
    """Where the kernel itself steps in: well above the limit, at which the keeper does, in words."""
    return limits.memory_bytes + limits.memory_bytes // 4 + limits.scratch_bytes + (256 << 20)
