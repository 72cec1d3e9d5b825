"""Running other people's notebooks, quickly and behind walls: the side that is trusted.

`Sandbox.run(job)` gives every submission to a warm server, which forks it a notebook of its own. What comes back is text
for people, and recordings for the judge; a cell or function that must be killed costs itself. Callable from several
threads at once.

This is the door to all of it; behind it stand, in the order in which a job meets them: limits, job_and_result, attempts,
warm_server, walls, control_group.
"""

import os
import threading
import time
from collections.abc import Sequence

from solutions.classroom.submission.attempts import Attempts
from solutions.classroom.submission.job_and_result import CellResult, Job, Result, Spent, Step, sharing
from solutions.classroom.submission.limits import Limits, reason_for
from solutions.classroom.submission.walls import WAYS, SandboxError
from solutions.classroom.submission.warm_server import Server, start

__all__ = [
    "CellResult",
    "Job",
    "Limits",
    "Result",
    "Sandbox",
    "SandboxError",
    "Spent",
    "Step",
    "reason_for",
    "sharing",
]


class Sandbox:
    """A warm server behind walls. Starts at the first job; restarts by itself; `close` ends all that it started.

    isolation: "auto" takes the strongest that works here. modules: imported once, before any submission.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        isolation: str = "auto",
        device: str = "cpu",
        modules: Sequence[str] = (),
    ) -> None:
        if not hasattr(os, "fork"):
            raise SandboxError("Grading needs Linux or macOS; on Windows, grade inside WSL.")
        self.limits, self.device, self.modules = limits or Limits(), device, tuple(modules)
        if isolation not in ("auto", *WAYS):
            raise SandboxError(f"There is no isolation '{isolation}': say auto, {', '.join(WAYS)}.")
        self._wanted = isolation
        self._lock = threading.Lock()
        self._server: Server | None = None
        self._closed = False

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the server and everything that still runs in it."""
        with self._lock:
            self._closed = True
            if self._server is not None:
                self._server.close()
                self._server = None

    @property
    def isolation(self) -> str:
        """One sentence on what is not isolated; empty when everything is."""
        return self._warm().isolation

    def run(self, job: Job) -> Result:
        """Run a submission and record its exercises. Raises SandboxError only when no server can be started.

        A server that dies under it is replaced, and the job repeated once; a second time is the submission's fault.
        """
        started = time.monotonic()
        run = Attempts(job, self.limits)
        for _ in range(2):
            server = self._warm()
            try:
                result = run.result(server)
                break
            except SandboxError:
                server.gone(within=1)
                result = run.given_up()
                if run.late():
                    break
        if self._closed:
            raise SandboxError("The sandbox was closed in the middle of a submission.")
        result.seconds = time.monotonic() - started
        return result

    def _warm(self) -> Server:
        with self._lock:
            if self._closed:
                raise SandboxError("The sandbox is closed.")
            if self._server is None or self._server.gone():
                if self._server is not None:
                    self._server.close()
                self._server = start(self._wanted, self.device, self.modules, self.limits)
            return self._server
