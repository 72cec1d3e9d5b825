"""What nbgrader's exchange leaves beside a notebook, and its later commands read: a time stamp and a secret.

Students can write both. So they are read as plain small files, no link is followed, and what cannot be read never
stops a command: nbgrader's `release_feedback` would end for the whole class at the first one that is missing.
"""

import os
import secrets
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dateutil.parser
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange.default import ExchangeCollect
from nbgrader.exchange.default import exchange as nbgrader_exchange
from nbgrader.utils import parse_utc

STAMP = "timestamp.txt"
SECRET = "submission_secret.txt"
"""Feedback is published under a digest of it; only whoever submitted knows it."""

LARGEST = 1_000
"""Bytes; a secret has 128, a time stamp about 30."""

NO_TIME = (
    f"The time at which this was handed in could not be read from {STAMP}; it was graded without one,"
    " so nothing is deducted for being late."
)


@dataclass(frozen=True)
class Stamp:
    """When something was handed in: the file's text and its time, in UTC. note: why there is no time, although there is a file."""

    text: str = ""
    time: datetime | None = None
    note: str = ""


def read_stamp(place: Path) -> Stamp:
    """The time stamp in a submission's folder."""
    if not os.path.lexists(place / STAMP):
        return Stamp()
    try:
        text = _small_file(place / STAMP).decode("utf-8-sig").strip()
        return Stamp(text, _time(text))
    except Exception:  # dateutil raises many kinds
        return Stamp(note=NO_TIME)


def _time(text: str) -> datetime:
    """nbgrader's own reading. Raises ValueError unless the text names a whole date: dateutil takes "may" for one of today's year."""
    time: datetime = parse_utc(text)
    bare = text.rpartition(" ")[0] if text.count(" ") == 2 else text
    guesses = {
        dateutil.parser.parse(bare, default=datetime(year, month, month)).date()
        for year, month in ((2001, 1), (2002, 2))
    }
    if len(guesses) > 1 or not text.isprintable():
        raise ValueError(text)
    return time


def carry_over(submitted: Path, target: Path) -> None:
    """Lay into `target` what nbgrader's later commands ask for beside the notebook, whatever `submitted` holds.

    Without a secret of its own a submission gets one that nobody knows: its page can be released, and be fetched by nobody.
    """
    stamp, secret = read_stamp(submitted).text.encode(), _secret(submitted) or secrets.token_hex(64).encode()
    for path, data in ((target / STAMP, stamp), (target / SECRET, secret)):
        path.unlink(missing_ok=True)  # nbgrader's copy may not be written to
        path.write_bytes(data)


def _secret(place: Path) -> bytes:
    try:
        secret = _small_file(place / SECRET)
        return secret if secret.decode("ascii").isalnum() else b""
    except (OSError, ValueError):
        return b""


def _small_file(path: Path) -> bytes:
    """The bytes of a plain small file. Raises OSError or ValueError for anything else, a link included."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError(f"{path} is no plain file")
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"{path} is too large")
    return data


def careful_timestamps() -> None:
    """From now on nbgrader reads time stamps as we do; its own way ends the run at one that it cannot read."""

    def existing(_: CourseDirectory, place: str) -> datetime | None:
        return read_stamp(Path(place)).time

    CourseDirectory.get_existing_timestamp = existing


NOT_FOLLOWED = (
    b"What was handed in here was no file, but a link out of the submission or a pipe. It was not followed."
)


class Collect(ExchangeCollect):  # type: ignore[misc]
    """nbgrader's `collect`, which follows no link out of a submission.

    nbgrader copies with the instructor's rights: a link to somebody else's notebook would come back as one's own
    feedback. And it ends for the whole class at a link that leads nowhere, or a pipe.
    """

    def do_copy(self, src: str, dest: str, log: Any = None) -> None:
        usual = nbgrader_exchange.shutil
        nbgrader_exchange.shutil = SimpleNamespace(copytree=_copy_files)
        try:
            super().do_copy(src, dest, log)
        finally:
            nbgrader_exchange.shutil = usual


def _copy_files(source: str, target: str, ignore: Callable[[str, list[str]], list[str]]) -> None:
    """`shutil.copytree` for what a stranger wrote: plain files only, folders that are links left out."""
    home = Path(source).resolve()

    def ignored(place: str, names: list[str]) -> list[str]:
        links = [name for name in names if (path := Path(place, name)).is_symlink() and path.is_dir()]
        return [*ignore(place, names), *links]

    def copy(one: str, to: str) -> None:
        real = Path(one).resolve()
        if real.is_relative_to(home) and real.is_file():
            shutil.copy2(one, to)
        else:
            Path(to).write_bytes(NOT_FOLLOWED)

    shutil.copytree(source, target, ignore=ignored, copy_function=copy)
