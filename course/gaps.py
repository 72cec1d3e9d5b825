"""Cells that use an exercise which is still open say so in one line, instead of showing a traceback."""

import ast
import builtins
from types import TracebackType
from typing import Any

_unmade: dict[str, str] = {}
"""Names that a stopped cell would have made → the exercise that stopped it."""


def install() -> None:
    """Have IPython show open gaps kindly. Outside IPython this does nothing."""
    shell = getattr(builtins, "get_ipython", lambda: None)()
    if shell is not None:
        shell.set_custom_exc((NotImplementedError, NameError), _explain)


def _explain(
    shell: Any, kind: type, error: BaseException, trace: TracebackType, tb_offset: int | None = None
) -> None:
    """IPython's handler for these two kinds of exception; what is no open gap gets its ordinary traceback."""
    missing = _open_exercise(error, trace)
    if missing is None:
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
        return
    for name in _assigned(_cell_source(shell)):
        _unmade[name] = missing
    print(f"○ {missing} is not done yet: this cell comes to life as soon as it is.")


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
