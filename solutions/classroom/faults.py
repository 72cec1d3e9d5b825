"""Every mistake and mishap that can be foreseen, as one sentence that says what to do. Known by its type, never by its text."""

import codecs
import errno
import json
import os
import shutil
import sqlite3
import sys
import tempfile
import traceback
from pathlib import Path

from course.data import DataError
from course.exercises import UnknownNameError
from course.judging.archive import ArchiveError

SCARCE = 1_000_000
"""Bytes: a disk with less is full."""

EXTRAS = {"dask": "cluster", "distributed": "cluster"}
"""Which of the project's extras brings a package; the others come with `instructor`."""


def sentence(error: BaseException, folder: Path | None) -> str | None:
    """What to tell about this error; None when it is a defect of ours. folder: the class folder that it was about."""
    if isinstance(error, UnknownNameError | ArchiveError | DataError):
        return str(error)
    if _ours(error):
        return str(error) or None
    if place := _in_configuration(error):
        return f"{place}: {_kind(error)}. Mend that line and start again."
    if isinstance(error, ModuleNotFoundError):
        return _missing_package(error)
    if isinstance(error, MemoryError):
        return "There is not enough memory. Start again with fewer submissions at a time (--jobs)."
    if isinstance(error, OSError):
        return _refused(error, folder)
    if (sqlite := _sqlite(error)) is not None:
        return _gradebook(sqlite, folder)
    if isinstance(error, ValueError | TypeError | LookupError | AttributeError | RecursionError) and folder:
        return _damaged(folder)
    return None


def _ours(error: BaseException) -> bool:
    """Whether its class is one of this project's, whose messages are sentences for people."""
    if not isinstance(error, Exception):
        return False
    return type(error).__module__.partition(".")[0] in ("course", "solutions")


def _kind(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _in_configuration(error: BaseException) -> str:
    """The line of nbgrader_config.py that stopped, or ""."""
    name = "nbgrader_config.py"
    if isinstance(error, SyntaxError) and Path(error.filename or "").name == name:
        return f"{error.filename}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    mine = [frame for frame in frames if Path(frame.filename).name == name]
    return f"{mine[-1].filename}, line {mine[-1].lineno}" if mine else ""


def _missing_package(error: ModuleNotFoundError) -> str | None:
    package = (error.name or "").partition(".")[0]
    if package in ("course", "solutions", ""):
        return None
    extra = EXTRAS.get(package, "instructor")
    return f"{package} is not installed: pip install 'explaining-deep-networks[{extra}]'"


def _refused(error: OSError, folder: Path | None) -> str | None:
    """What the operating system refused, with the place and the remedy."""
    place = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"No space left on the disk that holds {_fullest(place, folder)}. Make room there and start again:"
            " nothing half-written was left, and what was recorded is kept."
        )
    where = place or (str(folder) if folder else "")
    remedies = {
        errno.EROFS: "The disk is read-only. Work on a copy of it elsewhere, or mount it for writing.",
        errno.EACCES: "Permission denied. Ask its owner, or change its modes.",
        errno.EPERM: "Permission denied. Ask its owner, or change its modes.",
        errno.ENOENT: "There is no such file or folder.",
        errno.ENOTDIR: "A part of this path is a file, not a folder.",
        errno.EEXIST: "There is a file of this name already. Move it away, or choose another place.",
        errno.EISDIR: "There is a folder where a file belongs. Move it away.",
        errno.ENAMETOOLONG: "This name is too long.",
        errno.ELOOP: "These links lead in a circle. Put the file itself there.",
        errno.EMFILE: "Too many files are open. Start again with fewer submissions at a time (--jobs), or raise `ulimit -n`.",
        errno.ENFILE: "Too many files are open on this machine. Close other programs and start again.",
        errno.ENOMEM: "There is not enough memory. Start again with fewer submissions at a time (--jobs).",
        errno.EAGAIN: "There are too many processes. Start again with fewer submissions at a time (--jobs).",
        errno.EIO: "The disk reports a fault. Look at it before anything else.",
        errno.ESTALE: "The network disk has gone. Start again when it is back.",
        errno.ENOSYS: "This system lacks what grading needs.",
    }
    if error.errno is None and not error.strerror:
        return f"{where}: {error}" if where else str(error) or None
    said = remedies.get(error.errno or 0, f"{error.strerror or error}.")
    return f"{where}: {said}" if where else said


def _fullest(place: str, folder: Path | None) -> str:
    """The error names the file, or nothing: then it is the first of the places we write to that has no room."""
    if place:
        return place
    places = [*([folder] if folder else []), Path(tempfile.gettempdir()), Path("/dev/shm"), Path.cwd()]
    for one in places:
        try:
            if shutil.disk_usage(one).free < SCARCE:
                return str(one)
        except OSError:
            continue
    return " or ".join(map(str, places[:2])) if folder else "what this writes"


def _sqlite(error: BaseException) -> sqlite3.Error | None:
    """The database's own error, also where SQLAlchemy or nbgrader wrapped it."""
    seen: BaseException | None = error
    while seen is not None:
        inner = getattr(seen, "orig", None)
        for one in (seen, inner):
            if isinstance(one, sqlite3.Error):
                return one
        seen = seen.__cause__ or seen.__context__
    return None


def _gradebook(error: sqlite3.Error, folder: Path | None) -> str:
    """SQLite's error, by its code."""
    from solutions.classroom.gradebook import IN_USE

    path = (folder / "gradebook.db") if folder else Path("gradebook.db")
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return IN_USE
    if code == sqlite3.SQLITE_FULL:
        return (
            f"No space left on the disk that holds {path}. Make room there and start again: nothing is lost."
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return f"{path} cannot be written. Change its modes and its folder's, and start again."
    if code == sqlite3.SQLITE_CANTOPEN:
        return f"{path} cannot be opened: it must be a file, and you must be allowed to read and write it and its folder."
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return f"{path} is damaged or no gradebook. Put back a copy of it, or move it away and grade again."
    if code == sqlite3.SQLITE_IOERR:
        return f"{path} cannot be read or written: the disk reports a fault. Look at it before anything else."
    return (
        f"{path} was not made by this version of nbgrader ({error})."
        " `nbgrader db upgrade` in the class folder brings it up to date."
    )


def _damaged(folder: Path) -> str | None:
    """The first of the class folder's own files that holds no JSON object."""
    for path in sorted((folder / ".course").rglob("*.json")):
        try:
            whole = isinstance(
                json.loads(path.read_text("utf-8")), int | float if path.name == "limit.json" else dict
            )
        except (ValueError, RecursionError):
            whole = False
        except OSError:
            continue
        if not whole:
            return f"{path} is damaged. {_REMEDIES.get(path.name, _REMEDIES[''])}"
    return None


_REMEDIES = {
    "seeds.json": "It says which hidden cases were drawn: put back a copy of it.",
    "built.json": "Remove it, and release again with --force.",
    "": "Remove it and grade again.",
}


def cautious_streams() -> None:
    """No sign that a terminal cannot show, and no closed output, ends a command."""
    codecs.register_error("classroom", _spelt)
    for number in (
        0,
        1,
        2,
    ):  # else the next file that is opened takes the number, and is written to as the output
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed before we came
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="classroom")


def _spelt(error: UnicodeError) -> tuple[str | bytes, int]:
    """What a terminal without this sign shows in its place."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    said = "".join(_SPELT.get(c, c.encode("ascii", "backslashreplace").decode()) for c in missing)
    return said, error.end


_SPELT = {
    "✔": "ok",
    "✘": "wrong",
    "–": "-",
    "—": "-",
    "…": "...",
    "·": "-",
    "×": "x",
    "’": "'",
    "“": '"',
    "”": '"',
}


class NobodyReads(Exception):
    """Whoever read the output has left: `classroom report CLASS | head`."""


def about_output(error: BaseException) -> bool:
    """Whether it was the command's own output that could not be written: the error arose in printing and names no file."""
    if not isinstance(error, OSError) or error.filename is not None:
        return False
    last = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
    return "rich" in last.parts or last.name == "__main__.py"


def nobody_reads() -> None:
    """What is still to be written goes nowhere, so that the interpreter's end is quiet."""
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    os.close(sink)
