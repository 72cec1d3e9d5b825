"""What a lecturer types in a gap's cell: %reveal, %mistake, %check, %reset. An IPython extension of the instructor's installation.

Each of them stands as the last line of the cell, below the function. What it types takes the place of the cell's text, and
is run at once, so that the kernel knows what the hall sees.
"""

import random
from pathlib import Path
from typing import Any

from course.check import CheckError
from course.judging.gaps import lines
from solutions.classroom.lecture.live_typing import (
    LiveError,
    asked_in,
    gap,
    mistaken,
    revealed,
    without_magics,
)


def load_ipython_extension(shell: Any) -> None:
    """Called by `%load_ext`; the notebook's folder holds the chapter's answer sheet, and so says which chapter it is."""
    for name, type_next in _TYPING.items():
        shell.register_magic_function(_in_the_cell(shell, type_next), "line", name)
    shell.register_magic_function(lambda words: _check(shell), "line", "check")


def _reveal(cell: str, chapter: str, words: str) -> str:
    """The next statement of the reference; with a number so many, with `all` the rest."""
    if words not in ("", "all") and not words.isdecimal():
        raise LiveError("%reveal takes a number or `all`.")
    typed = revealed(cell, chapter, None if words == "all" else int(words or 1))
    return f"{typed.source}\n\n\n{'%check' if typed.done else '%reveal'}"


def _mistake(cell: str, chapter: str, words: str) -> str:
    """A wrong version that people really write: any of them, or the one that is named."""
    chosen = mistaken(cell, chapter, lambda names: words or random.SystemRandom().choice(names))
    return f"{chosen.source}\n\n\n%check"


def _reset(cell: str, chapter: str, words: str) -> str:
    """The gap as students get it."""
    return f"{gap(asked_in(cell, chapter))}\n\n\n%reveal"


_TYPING = {"reveal": _reveal, "mistake": _mistake, "reset": _reset}


def _in_the_cell(shell: Any, type_next: Any) -> Any:
    """A magic that replaces its cell's text, and runs the new one without its last line."""

    def magic(words: str) -> None:
        try:
            text = type_next(_this_cell(shell), _chapter(), words.strip())
        except LiveError as error:
            print("\n".join(lines(f"✘ {error}")))
            return
        shell.set_next_input(text, replace=True)
        exec(compile(without_magics(text), "<live>", "exec"), shell.user_ns)

    magic.__doc__ = type_next.__doc__
    return magic


def _check(shell: Any) -> None:
    """What a student would be told of this cell's function."""
    try:
        name = asked_in(_this_cell(shell), _chapter())
    except LiveError as error:
        print("\n".join(lines(f"✘ {error}")))
        return
    try:
        exec(f"from course.check import check\ncheck({name})", shell.user_ns)
    except CheckError as error:
        print("\n".join(lines(str(error))))


def _this_cell(shell: Any) -> str:
    return str(shell.history_manager.input_hist_raw[-1])


def _chapter() -> str:
    sheets = sorted(Path.cwd().glob("*.answers"))
    if len(sheets) != 1:
        raise LiveError("No chapter's answer sheet lies beside this notebook: open it with `classroom live`.")
    return sheets[0].stem
