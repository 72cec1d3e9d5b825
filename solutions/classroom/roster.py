"""Who is in a class, and which of its chapters were given out: by its folders and by its gradebook."""

import os
from pathlib import Path

from course.exercises import CHAPTERS
from solutions.classroom.folder import ClassFolder
from solutions.classroom.gradebook import enrolled, released_before


def released_chapters(folder: ClassFolder) -> list[str]:
    """The chapters that have a release, and those of the gradebook whose release is gone: nobody is left out silently."""
    place = folder.root / "release"
    there = {p.name for p in place.iterdir() if p.is_dir()} if place.is_dir() else set()
    return [chapter for chapter in CHAPTERS if chapter in there | released_before(folder)]


def students(folder: ClassFolder) -> list[str]:
    """Everybody who handed anything in, and everybody in the gradebook's list; nobody of `unmatched`."""
    handed_in = {path.name for path in _handed_in(folder)}
    return sorted((handed_in | enrolled(folder)) - set(unmatched(folder)))


def unmatched(folder: ClassFolder) -> dict[str, str]:
    """Folders in `submitted` that nbgrader cannot take for a student's: name → what to rename. Nothing of them is graded."""
    found = {}
    for path in _handed_in(folder):
        trouble, remedy = trouble_with(path.name), "Rename it to the student's id"
        if not trouble and path.is_symlink():
            trouble, remedy = "it is a link", "Put the folder itself there"
        if trouble:
            found[path.name] = (
                f"The folder {path.name!r} in 'submitted' was not graded: {trouble}. {remedy}, and grade again."
            )
    return found


def _handed_in(folder: ClassFolder) -> list[Path]:
    """The folders in `submitted`; hidden ones only where somebody's work lies in them."""
    place = folder.root / "submitted"
    found = [path for path in place.iterdir() if path.is_dir()] if place.is_dir() else []
    return [
        path
        for path in sorted(found)
        if path.name[0] != "." or any(os.path.isdir(path / chapter) for chapter in CHAPTERS)
    ]


LONGEST_ID = 240
"""Bytes: the names of files that are made from an id add 15, and a file's name has 255 at most."""


def trouble_with(student: str) -> str:
    """Why nbgrader cannot use this as a student's id, or ""."""
    if any(sign in student for sign in "*?["):
        return "nbgrader takes *, ? and [ for patterns that match other students' ids"
    if student != student.strip():
        return "nbgrader strips the space at the beginning or the end of an id"
    if not student.isprintable():
        return "it holds a character that cannot be printed"
    if student.startswith("."):
        return "nbgrader leaves out folders that begin with a dot"
    if len(student.encode()) > LONGEST_ID:
        return f"it has {len(student.encode())} bytes, and {LONGEST_ID} is the most"
    return ""
