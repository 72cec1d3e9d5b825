"""Finding what a student handed in: work is never concluded to be absent from one path.

Browsers, mail programs, file systems and people rename notebooks and put them one folder too deep. The notebook with the chapter's own name counts. Where
it is missing, cannot be used, or nothing was done in it, the one that holds most of this chapter's work does. What was
taken, and why, is a note.
"""

import os
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from nbformat import NotebookNode

from solutions.classroom.submission.handed_in import Note, Submission, Theirs
from solutions.classroom.submission.reading import (
    UnreadableError,
    read_cells,
    read_submission,
    shown,
    unreadable,
)
from solutions.classroom.submission.restoring import done, on_rails

MOST_FILES = 2_000
DEEPEST = 5
MOST_READ = 12
"""Notebooks that are opened, beside the one with the chapter's name."""

MOST_BYTES = 40_000_000
"""What these may have together."""

NOT_WORK = ("__MACOSX", "__pycache__")
"""Folders that programs add; so are all whose name begins with a dot, `.ipynb_checkpoints` for one."""


def read_handed_in(folder: Path, chapter: str, release: NotebookNode) -> Submission:
    """The chapter's submission in a student's `folder`, on the release's rails, wherever in it the notebook lies."""
    right = folder / f"{chapter}.ipynb"
    if os.path.islink(folder):
        return read_submission(folder, release)
    trouble: UnreadableError | None = None
    try:
        theirs = read_cells(right, release)
    except UnreadableError as error:
        theirs, trouble = [], error
    files = [path for path in _files(folder) if path != right]
    if theirs and done(theirs, release):
        submission = on_rails(theirs, release)
        others = sum(1 for path in files if path.suffix.lower() == ".ipynb")
        if others:
            submission.notes.insert(0, Note(f"There were {others + 1} notebooks; {right.name} was taken."))
        return submission
    found = sorted(_candidates(files, right, release), key=lambda candidate: candidate.rank)
    best = found[-1] if found else None
    if best is None or (theirs and not best.done):
        return _nothing(right, trouble, files, release) if trouble else on_rails(theirs, release)
    submission = on_rails(best.cells, release)
    submission.notes.insert(0, Note(_why(best, right, folder, str(trouble or ""), len(found))))
    return submission


@dataclass(frozen=True)
class _Candidate:
    """A notebook of this chapter under another name. rank: the highest is taken."""

    path: Path
    cells: list[Theirs]
    done: int
    rank: tuple[object, ...]


def _candidates(files: list[Path], right: Path, release: NotebookNode) -> Iterator[_Candidate]:
    """The notebooks of this chapter: first among files named like notebooks, and only else among all others.

    The one in which most was done comes first; then the one with most of the chapter's cells; then the one with the
    chapter's name in it, the least deep, and the last of numbered copies.
    """
    files = sorted(files, key=lambda path: right.stem.lower() not in path.name.lower())
    named = [path for path in files if ".ipynb" in path.name.lower()]
    known = {cell.metadata.get("nbgrader", {}).get("grade_id") for cell in release.cells} - {None}
    for group in (named, [path for path in files if path not in set(named) and _may_be_json(path)]):
        some, left = False, MOST_BYTES
        for path in islice(group, MOST_READ):
            try:
                size = path.lstat().st_size
                if size > left:
                    continue
                left -= size
                cells = read_cells(path, release)
            except (OSError, UnreadableError):
                continue
            some = True
            worked = done(cells, release)
            known_here = len({cell.grade_id for cell in cells} & known)
            called = right.stem.lower() in path.name.lower()
            yield _Candidate(
                path, cells, worked, (worked, known_here, called, -len(path.parts), _natural(path.name))
            )
        if some:
            return


def holds_a_notebook(folder: Path) -> bool:
    """Whether there is anything that grading would look at as a notebook."""
    return any(".ipynb" in path.name.lower() for path in _files(folder))


def _files(folder: Path) -> list[Path]:
    """Ordinary files below a folder, the least deep first, by name; links are not followed, giants not walked through."""
    found: list[Path] = []
    waiting = deque([(folder, 1)])
    left = MOST_FILES
    while waiting:
        place, depth = waiting.popleft()
        try:
            with os.scandir(place) as entries:
                inside = sorted(islice(entries, left), key=lambda entry: entry.name)
        except OSError:
            continue
        left -= len(inside)
        for entry in inside:
            if entry.name.startswith(".") or entry.name in NOT_WORK:
                continue
            if entry.is_file(follow_symlinks=False):
                found.append(Path(entry.path))
            elif entry.is_dir(follow_symlinks=False) and depth < DEEPEST:
                waiting.append((Path(entry.path), depth + 1))
    return found


def _may_be_json(path: Path) -> bool:
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            return file.read(100).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
    except OSError:
        return False


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    """Sorts copy 10 behind copy 9."""
    return tuple((int(part[:9]), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name))


def _why(best: _Candidate, right: Path, folder: Path, trouble: str, many: int) -> str:
    taken = shown(str(best.path.relative_to(folder)))
    if not trouble:
        reason = f"in {right.name} nothing had been done"
    elif os.path.lexists(right):
        reason = trouble.split(". ")[0].rstrip(".")
    else:
        reason = f"there was no {right.name}"
    most = (
        f" Of {many} notebooks of this chapter it was the one in which most had been done."
        if many > 1
        else ""
    )
    return f"'{taken}' was taken: {reason}.{most}"


def _nothing(right: Path, trouble: UnreadableError, files: list[Path], release: NotebookNode) -> Submission:
    """The reason why there is nothing to grade, by what there is instead."""
    work = [path for path in files if path.name != "timestamp.txt"]
    notebooks = [path for path in work if ".ipynb" in path.name.lower()]
    if notebooks and not os.path.lexists(right):
        return read_submission(notebooks[0], release)
    if work and not os.path.lexists(right):
        names = ", ".join(shown(path.name) for path in work[:3]) + (", …" if len(work) > 3 else "")
        trouble = UnreadableError(f"No notebook was handed in, only {names}. Hand in {right.name}.")
    return unreadable(release, trouble)
