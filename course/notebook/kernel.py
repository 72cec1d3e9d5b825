"""What the kernel itself says: which names are its own, and when a cell has made one."""

import builtins
import time
from collections import deque
from typing import Any

from course.notebook.names import defined

_ran: deque[tuple[float, str]] = deque(maxlen=2_000)
"""Every cell that has run since `check` was imported: when it began, and its source."""

ITS_OWN = {"In", "Out", "exit", "quit", "get_ipython", "display", "open"}


def shell() -> Any:
    """IPython's shell, or None."""
    return getattr(builtins, "get_ipython", lambda: None)()


def watch() -> None:
    """Note from now on when each cell runs. Outside IPython this does nothing."""
    here = shell()
    if here is not None and not getattr(here, "_course_watches", False):
        here._course_watches = True
        here.events.register("pre_run_cell", _note)


def _note(info: Any) -> None:
    source = getattr(info, "raw_cell", None)
    if isinstance(source, str):
        _ran.append((time.time(), source))


def made_at(name: str) -> float | None:
    """When a cell that makes this name ran last; None where that is not known."""
    return next((when for when, source in reversed(_ran) if name in defined(source)), None)


def is_its_own(name: str) -> bool:
    """Whether a kernel has this name by itself."""
    here = shell()
    hidden = getattr(here, "user_ns_hidden", {})
    dunder = name.startswith("__") and name.endswith("__")
    counted = name.startswith("_") and name.lstrip("_i").isdigit()
    return dunder or counted or name in ITS_OWN or (name.startswith("_") and name in hidden)
