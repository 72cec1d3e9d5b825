"""Cells that use an exercise which is still open say so in one line, instead of showing a traceback."""

import ast
import builtins
import textwrap
from types import CodeType, TracebackType
from typing import Any

from course.exercises import UnknownNameError, find

_unmade: dict[str, str] = {}
"""Names that a stopped cell would have made → the exercise that stopped it."""

WIDTH = 90
KEEPING: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False, "replace_whitespace": False}


def install() -> None:
    """Have IPython show open gaps kindly. Outside IPython this does nothing."""
    shell = getattr(builtins, "get_ipython", lambda: None)()
    if shell is not None:
        shell.set_custom_exc((NotImplementedError, NameError), _explain)


class OneLine(Exception):
    """An error that Jupyter shows as its sentence alone, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return lines(str(self))


def lines(sentence: str) -> list[str]:
    """The sentence as it is; in a notebook broken between words, for JupyterLab breaks long lines in the middle of one.

    What has a line of its own keeps it, as code does.
    """
    from course.show import in_notebook

    if not in_notebook():
        return [sentence]
    return [line for part in sentence.split("\n") for line in textwrap.wrap(part, WIDTH, **KEEPING) or [""]]


def is_gap(fn: Any) -> bool:
    """Whether a function still does nothing but `raise NotImplementedError()`."""
    code = getattr(fn, "__code__", None)
    return isinstance(code, CodeType) and code.co_names == ("NotImplementedError",)


def _explain(
    shell: Any, kind: type, error: BaseException, trace: TracebackType, tb_offset: int | None = None
) -> None:
    """IPython's handler for these two kinds of exception; what is no open gap gets its ordinary traceback."""
    missing = _open_exercise(error, trace)
    if missing is not None:
        for name in _assigned(_cell_source(shell)):
            _unmade[name] = missing
        print(_told(missing))
        return
    gone = _exercise_named(error)
    if gone is not None:
        error = OneLine(f"✘ {gone} is not defined: run the cell that defines it, then this one again.")
    shell.showtraceback((type(error), error, trace), tb_offset=tb_offset)


def told(error: NotImplementedError | NameError) -> str | None:
    """What a person should hear of an error that an open gap has caused; None for any other error."""
    missing = _open_exercise(error, error.__traceback__)
    return None if missing is None else _told(missing)


def _told(missing: str) -> str:
    shell = getattr(builtins, "get_ipython", lambda: None)()
    if shell is not None and missing in shell.user_ns and not is_gap(shell.user_ns[missing]):
        return f"○ This cell still waits for {missing}: run the cells above it again, from {missing} on."
    return f"○ {missing} is not done yet: this cell comes to life as soon as it is."


def _exercise_named(error: BaseException) -> str | None:
    """The exercise whose definition is missing altogether."""
    if not isinstance(error, NameError):
        return None
    try:
        return find(error.name or "")[1].name
    except UnknownNameError:
        return None


def _open_exercise(error: BaseException, trace: TracebackType | None) -> str | None:
    """The exercise whose gap stopped the cell: directly, or by leaving a name undefined."""
    if isinstance(error, NameError):
        return _unmade.get(error.name or "")
    if str(error):  # torch's own NotImplementedError comes with a message; a gap's does not
        return None
    function = ""
    while trace is not None:
        function, trace = trace.tb_frame.f_code.co_name, trace.tb_next
    return function


def _cell_source(shell: Any) -> str:
    history = getattr(shell, "history_manager", None)
    return history.input_hist_raw[-1] if history and history.input_hist_raw else ""


def _assigned(source: str) -> set[str]:
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return set()
    return {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
