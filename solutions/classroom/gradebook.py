"""nbgrader's gradebook of a class, and what it is asked for."""

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook
from sqlalchemy import text

from solutions.classroom.folder import ClassFolder

IN_USE = (
    "The gradebook is in use by another program, formgrader perhaps. Close it and start again: nothing is lost,"
    " and what has been recorded is not run again."
)


def url(folder: ClassFolder) -> str:
    """The gradebook's address."""
    return f"sqlite:///{folder.gradebook}"


def path_to_programs() -> str:
    """PATH with this environment's programs first: nbgrader calls `alembic` and others by name."""
    programs = str(Path(sys.executable).parent)
    others = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder != programs]
    return os.pathsep.join([programs, *others])


def open_gradebook(folder: ClassFolder) -> Gradebook:
    """nbgrader's gradebook of this class, to be used in a `with`."""
    os.environ["PATH"] = path_to_programs()
    return Gradebook(url(folder), course_id_of(folder))


def course_id_of(folder: ClassFolder) -> str:
    """The id under which the exchange knows the class: its folder's name."""
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in folder.root.name) or "course"


def enrolled(folder: ClassFolder) -> set[str]:
    """The students whom the gradebook knows."""
    if not folder.gradebook.exists():
        return set()
    with open_gradebook(folder) as book:
        return {student.id for student in book.students}


def assignments(folder: ClassFolder) -> list[str]:
    """The assignments that the gradebook knows."""
    if not folder.gradebook.exists():
        return []
    with open_gradebook(folder) as book:
        return [assignment.name for assignment in book.assignments]


def released_before(folder: ClassFolder) -> set[str]:
    """The assignments of which the gradebook knows a notebook, so that a release of them was once made."""
    if not folder.gradebook.exists():
        return set()
    with open_gradebook(folder) as book:
        return {assignment.name for assignment in book.assignments if assignment.notebooks}


@contextmanager
def at_once(session: Any) -> Iterator[None]:
    """One transaction for what nbgrader would commit row by row; none of it when anything fails."""
    commit, session.commit = session.commit, session.flush
    try:
        session.execute(text("update assignment set name = name where 0"))  # fails at once where it is locked
        yield
    except BaseException:
        session.rollback()
        raise
    finally:
        session.commit = commit
    session.commit()


def is_busy(error: BaseException | None) -> bool:
    """Whether this is SQLite's word for a database that another program is using."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
