"""From chapter texts to what students get: nbgrader's release, the notebooks for the lab, and the kit."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import torch

from course.judging import archive
from course.judging.sheets import sheet_name
from solutions.classroom.assignment import Assignment
from solutions.classroom.folder import ClassFolder, ClassFolderError, InUseError, locked
from solutions.classroom.gradebook import path_to_programs, released_before
from solutions.classroom.release.changes import Change, change_of, refuse_what_loses_marks
from solutions.classroom.release.kept_answers import is_current, make_answers
from solutions.classroom.release.nbgrader_release import RefusedError, generate_files, save_cells
from solutions.classroom.release.source_notebook import build_assignment, notebook_bytes, source_notebook

MAKING, READY = "releasing", "ready"
"""Where a release is made, inside `.course`, and what it is called when nothing is missing but to take the old one's place."""

REPOSITORY = Path(__file__).resolve().parents[3]
_CHECKPOINTS = shutil.ignore_patterns(".ipynb_checkpoints")


def nbgrader(folder: ClassFolder, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One of nbgrader's own commands in the class folder. Raises ClassFolderError with its last words when it fails."""
    command = [sys.executable, "-m", "nbgrader", *arguments]
    done = subprocess.run(
        command, cwd=folder.root, capture_output=True, text=True, env=environment(), check=False
    )
    if done.returncode:
        raise ClassFolderError(
            f"`nbgrader {' '.join(arguments)}` failed:\n{_last_words(done.stdout + done.stderr)}"
        )
    return done


def environment() -> dict[str, str]:
    """For nbgrader's processes."""
    return os.environ | {"PATH": path_to_programs(), "PYTHONWARNINGS": "ignore", "JUPYTER_PLATFORM_DIRS": "1"}


def import_path() -> str:
    """PYTHONPATH for a process that runs elsewhere and imports this course."""
    return os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))


def _last_words(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-8:])


def release(folder: ClassFolder, chapter: str, force: bool = False, wait: bool = False) -> list[str]:
    """Build the chapter, let nbgrader make the release of it, and keep the answers by which the class will be graded.

    Everything is made beside the old release and put in its place at the end: what fails or is killed leaves the old
    one whole. Returns what else is to be known, in sentences. Raises ClassFolderError when the source notebook was
    edited by hand since, or when people handed in what is now asked differently (both only unless `force`), and when
    the gradebook cannot take the change. wait: for another command on the folder to end, instead of refusing.
    """
    torch.set_num_threads(
        1
    )  # answers are many tiny operations, on which more threads only wait for each other
    assignment = Assignment(folder, chapter)
    with locked(folder, "released", wait):
        _put_in_place(folder)
        notebook = source_notebook(chapter)
        data = notebook_bytes(notebook)
        _refuse_an_edited_source(assignment, data, force)
        if _is_made(assignment, data):
            return []
        change = change_of(assignment, notebook)
        refuse_what_loses_marks(change, force)
        known = _to_be_known(change)
        _make(assignment, data)
        try:
            _put_in_place(folder)
        except ClassFolderError:  # the gradebook is in use
            shutil.rmtree(folder.hidden / READY, ignore_errors=True)
            raise
        return known


def finish_what_was_killed(folder: ClassFolder) -> None:
    """Put in place what a release that was killed had made, and clear what it had not; unless another command is at it."""
    if not any((folder.hidden / name).exists() for name in (MAKING, READY)):
        return
    with suppress(InUseError), locked(folder, "released"):
        _put_in_place(folder)
        shutil.rmtree(folder.hidden / MAKING, ignore_errors=True)


def _make(assignment: Assignment, notebook: bytes) -> None:
    """Source, release, the gradebook's cells and the secret answers in `.course`; complete when it is called READY."""
    folder, chapter = assignment.folder, assignment.chapter
    place = folder.hidden / MAKING
    shutil.rmtree(place, ignore_errors=True)
    try:
        source = place / "source" / chapter
        if assignment.source.is_dir():  # what lies beside the notebook belongs to the assignment
            shutil.copytree(assignment.source, source, symlinks=True, ignore=_CHECKPOINTS)
        build_assignment(chapter, source)
        generate_files(assignment, place)
        if not is_current(assignment):
            make_answers(assignment, place / "answers")
        facts = {"chapter": chapter, "notebook": _digest(notebook)}
        archive.write_bytes(place / "facts.json", json.dumps(facts).encode())
        place.rename(folder.hidden / READY)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _put_in_place(folder: ClassFolder) -> None:
    """Let a release that is ready take the old one's place. Stopped anywhere, it is taken up here by the next command.

    Raises ClassFolderError when the gradebook does not take it; nothing was put in place then.
    """
    ready = folder.hidden / READY
    if not ready.exists():
        return
    facts = json.loads((ready / "facts.json").read_text("utf-8"))
    assignment = Assignment(folder, facts["chapter"])
    chapter = assignment.chapter
    try:
        save_cells(assignment, ready / "cells")
    except RefusedError:  # somebody was graded since it was made
        shutil.rmtree(ready)
        raise
    _swap(ready / "release" / chapter, assignment.release, ready / "old-release")
    _swap(ready / "source" / chapter, assignment.source, ready / "old-source")
    if (ready / "answers").exists():
        assignment.answers_path.parent.mkdir(exist_ok=True)
        (ready / "answers").replace(assignment.answers_path)
    known = _built(folder) | {chapter: facts["notebook"]}
    built = {name: {"notebook": digest} for name, digest in known.items()}
    archive.write_bytes(folder.hidden / "built.json", json.dumps(built, indent=1).encode())
    done = folder.hidden / MAKING
    shutil.rmtree(done, ignore_errors=True)
    ready.rename(done)
    shutil.rmtree(done, ignore_errors=True)


def _swap(new: Path, place: Path, old: Path) -> None:
    """`new` becomes `place`, and what was there becomes `old`; done again after a stop, it goes on where it was."""
    if new.exists():
        if place.exists():
            place.rename(old)
        place.parent.mkdir(exist_ok=True)
        new.rename(place)


def _refuse_an_edited_source(assignment: Assignment, data: bytes, force: bool) -> None:
    chapter = assignment.chapter
    path = assignment.source / f"{chapter}.ipynb"
    old = _digest(path.read_bytes()) if path.exists() else ""
    if old and old not in (_built(assignment.folder).get(chapter), _digest(data)) and not force:
        raise ClassFolderError(
            f"{path} was edited since it was built. Keep your edit elsewhere, or build over it with --force."
        )


def _to_be_known(change: Change) -> list[str]:
    """What a new release asks of the instructor, in sentences."""
    folder, chapter = change.assignment.folder, change.chapter
    if change.before is None:
        return []
    said = []
    if change.booked and (change.worth or not is_current(change.assignment)):
        why = ", ".join(change.worth) or "the course changed"
        said.append(f"{chapter}: {why}. `classroom grade {folder.root} {chapter}` gives all marks anew.")
    if change.worth or change.cells:
        said.append(
            f"{chapter}: students need the new notebook. If it went out through the exchange:"
            f" `nbgrader release_assignment {chapter} --force`."
        )
    return said


def _is_made(assignment: Assignment, data: bytes) -> bool:
    """Whether source, release and answers are those that would be made now."""
    folder, chapter = assignment.folder, assignment.chapter
    path = assignment.source / f"{chapter}.ipynb"
    made = [assignment.release / name for name in (f"{chapter}.ipynb", sheet_name(chapter))]
    return (
        path.exists()
        and _digest(path.read_bytes()) == _built(folder).get(chapter) == _digest(data)
        and all(one.exists() for one in made)
        and is_current(assignment)
        and chapter in released_before(folder)
    )


def _built(folder: ClassFolder) -> dict[str, str]:
    """chapter → the digest of the source notebook as it was built."""
    path = folder.hidden / "built.json"
    try:
        known = json.loads(path.read_text("utf-8")) if path.exists() else {}
        return {name: was["notebook"] for name, was in known.items()}
    except (ValueError, AttributeError, KeyError, TypeError):  # damaged: then nobody can say who edited what
        return {}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
