"""The notebook and its snapshots: from here on, the student's code is in the same process.

Whatever a notebook or a snapshot sends is passed on unread; it is judged outside.
"""

import contextlib
import os
import random
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

from course.sandbox import confine
from course.sandbox.link import Link, LinkClosed, Message


@dataclass(frozen=True)
class Step:
    """One cell of a job, as it arrives. shares: this graded cell is answered by the next one's snapshot."""

    id: str
    source: str
    exercise: str
    shares: bool


@dataclass(frozen=True)
class Moment:
    """What a notebook had at a graded cell that a later one answers for: its names, and how many modules were loaded."""

    names: dict[str, Any]
    modules: int

    @contextlib.contextmanager
    def again(self, names: dict[str, Any]) -> Iterator[None]:
        """The notebook's names as they were then, whoever looks them up; never without those that are in both."""
        now = dict(names)
        _turn_into(names, self.names)
        try:
            yield
        finally:
            _turn_into(names, now)


def _turn_into(names: dict[str, Any], wanted: dict[str, Any]) -> None:
    names.update(wanted)
    for name in names.keys() - wanted.keys():
        del names[name]


@dataclass
class Notebook:
    """The student's cells in a shell, on the keeper's orders.

    far: for each graded cell the socket on which its questions come. moments: what there was at graded cells that
    later ones answer for.
    """

    shell: Any
    steps: list[Step]
    keeper: Link
    far: dict[str, socket.socket]
    device: str
    moments: dict[str, Moment] = field(default_factory=dict)

    def run(self, missing: list[str]) -> NoReturn:
        """Do what the keeper says, step by step, until it hangs up. missing: what the kernel has refused."""
        own = os.getpid()
        random.seed(0)  # Python seeds it anew in every fork
        self.keeper.send({"missing": missing})
        with contextlib.suppress(LinkClosed):
            while True:
                order = self.keeper.wait()[0]
                step = self._step(order["do"])
                for passed in self._shared_before(step):
                    self.moments[passed.id] = Moment(dict(self.shell.user_ns), len(sys.modules))
                if not step.exercise:
                    said = run_cell(self.shell, step.source, step.id)
                    if os.getpid() != own:  # the cell has forked; only one of the two is the notebook
                        break
                    self.keeper.send(said)
                elif (
                    order["stay"] or self.device != "cpu"
                ):  # all that is left to do; and CUDA survives no fork
                    self.keeper.send({"pid": own})
                    self._be_snapshot(step)
                else:
                    self.keeper.send({"pid": self._fork_snapshot(step)})
        os._exit(0)

    def _step(self, id: str) -> Step:
        return {step.id: step for step in self.steps}[id]

    def _shared_before(self, step: Step) -> list[Step]:
        """The graded cells right before this one that leave their answer to a later one; nothing has run since."""
        place = end = next(place for place, other in enumerate(self.steps) if other is step)
        while place and self.steps[place - 1].shares:
            place -= 1
        return self.steps[place:end]

    def _fork_snapshot(self, step: Step) -> int:
        confine.use_reserve("NPROC")
        try:
            pid = os.fork()
        except OSError:
            return 0
        if pid:
            return pid
        self._be_snapshot(step)

    def _be_snapshot(self, step: Step) -> NoReturn:
        """Fall silent, wait for questions, answer each, and end when nobody asks any more.

        Each function is asked with the names that the notebook had at its graded cell. A module that was loaded since
        cannot be taken away again: then that function has to be asked elsewhere.
        """
        try:
            self.keeper.close()
            for id, sock in self.far.items():
                if id != step.id:
                    sock.close()
            nothing = os.open(os.devnull, os.O_RDWR)
            for target in (0, 1, 2):
                os.dup2(nothing, target)
            sys.stdout = sys.stderr = open(os.devnull, "w")
            link = Link(self.far[step.id])
            restore, own, loaded = _settings(), os.getpid(), len(sys.modules)
            while os.getpid() == own:  # a function may have forked
                asked, questions = link.wait()
                restore()
                names = self.shell.user_ns
                exercise = self._step(asked["question"]).exercise
                moment = self.moments.get(asked["question"]) or Moment(dict(names), loaded)
                if moment.modules == len(sys.modules):
                    with moment.again(names):
                        header, answer = answers_to(names, exercise, questions, self.device)
                else:
                    header, answer = {"failure": "late"}, b""
                if os.getpid() == own:
                    link.send(header, answer)
        finally:
            os._exit(0)


def run_cell(shell: Any, source: str, name: str) -> dict[str, Any]:
    """One cell in the shell; what went wrong, and in which line of it. Tracebacks call its file "cell:NAME"."""
    shell.compile.cell = name
    sys.stdout = open(1, "w", encoding="utf-8", errors="replace", closefd=False)
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)
    result = shell.run_cell(source, store_history=True)
    error = result.error_before_exec or result.error_in_exec
    if error is not None:
        traceback.clear_frames(error.__traceback__)  # what a failed cell held must not burden those after it
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close("all")
    return {"error": type(error).__name__, "line": _line(error)} if error is not None else {}


def _line(error: BaseException) -> int:
    if isinstance(error, SyntaxError):
        return error.lineno or 0
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename.startswith("cell:"):
            return line
    return 0


def _settings() -> Callable[[], None]:
    """What one function may have left changed for the next that answers in the same process; call it to change it back."""
    import numpy as np
    import torch

    dtype, grad = torch.get_default_dtype(), torch.is_grad_enabled()
    drawn = torch.get_rng_state(), np.random.get_state(), random.getstate()

    def restore() -> None:
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(grad)
        torch.set_rng_state(drawn[0])
        np.random.set_state(drawn[1])
        random.setstate(drawn[2])

    return restore


def answers_to(names: dict[str, Any], exercise: str, questions: bytes, device: str) -> Message:
    """The recording of one exercise's function, or the sentence why there is none."""
    from course.exercises import find
    from course.judging import archive
    from course.judging.recording import record

    if exercise not in names:
        return {"failure": "missing"}, b""
    fn = names[exercise]
    if not callable(fn):
        return {"failure": "no function"}, b""
    asked = archive.unpack(questions)
    try:
        outcomes = record(fn, find(exercise)[1], asked["seeds"], asked["inputs"], device)
        return {}, archive.pack({"outcomes": [dict(vars(outcome)) for outcome in outcomes]})
    except KeyboardInterrupt:
        return {"failure": "interrupted"}, b""
    except MemoryError:
        return {"failure": "memory"}, b""


def new_shell() -> Any:
    """An IPython shell without history, colours, widgets or windows."""
    from IPython.core.compilerop import CachingCompiler
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    from course.judging import gaps

    class Quiet(DisplayPublisher):  # type: ignore[misc]
        """Shows text; pictures and widgets are for people."""

        def publish(self, data: dict[str, Any], *args: Any, **kwargs: Any) -> None:
            pictures = ("image/", "application/")
            if not any(kind.startswith(pictures) for kind in data) and "text/plain" in data:
                print(data["text/plain"])

    class Cells(CachingCompiler):  # type: ignore[misc]
        """Names a cell's code after the cell, so that the judge finds the line that a traceback means."""

        cell = ""

        def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
            return f"cell:{self.cell}"

    class Shell(InteractiveShell):  # type: ignore[misc]
        compiler_class = Cells

        def init_display_pub(self) -> None:
            self.display_pub = Quiet(parent=self)

        def enable_gui(self, gui: Any = None) -> None:
            """There are no windows here."""

        def enable_matplotlib(self, gui: Any = None) -> tuple[str, str]:
            return "agg", "agg"

        def ask_exit(self) -> None:
            """`exit` in a notebook leaves nothing."""

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.xmode = "Plain"
    shell = Shell.instance(config=config)
    with shell.builtin_trap:
        gaps.install()
    return shell
