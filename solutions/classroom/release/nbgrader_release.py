"""nbgrader's `generate_assignment` in two halves: first the files, beside the old release; then the gradebook, at once.

nbgrader itself removes the old release, then finds out whether the gradebook can take the new one, and writes it there
cell by cell.
"""

import logging
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.converters import GenerateAssignment
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import SaveCells
from sqlalchemy.exc import OperationalError

from course.judging import archive
from solutions.classroom.assignment import Assignment
from solutions.classroom.folder import ClassFolderError, configuration
from solutions.classroom.gradebook import at_once, is_busy, open_gradebook, url
from solutions.classroom.release.source_notebook import notebook_bytes

IN_USE = "The gradebook is in use by another program, formgrader perhaps. Close it and start again: the old release is as it was."


class RefusedError(ClassFolderError):
    """nbgrader cannot change the gradebook to what a release asks; nothing was changed."""


def generate_files(assignment: Assignment, place: Path) -> None:
    """nbgrader's release of `place`/source/CHAPTER in `place`/release/CHAPTER; what the gradebook is to know in `place`/cells."""
    folder, chapter = assignment.folder, assignment.chapter
    config = configuration(folder)
    coursedir = CourseDirectory(config=config)
    inside = place.relative_to(folder.root)
    coursedir.assignment_id = chapter
    coursedir.source_directory, coursedir.release_directory = f"{inside}/source", f"{inside}/release"
    log, said = _listening()
    generator = GenerateAssignment(coursedir=coursedir, config=config, log=log)
    generator.force, generator.no_database = True, True

    def to_be_saved(notebook: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        path = place / "cells" / f"{resources['nbgrader']['notebook']}.ipynb"
        archive.write_bytes(path, notebook_bytes(notebook))
        return notebook, resources

    generator.preprocessors = [
        to_be_saved if one in (SaveCells, "nbgrader.preprocessors.SaveCells") else one
        for one in generator.preprocessors
    ]
    try:
        generator.start()
    except NbGraderException as error:
        raise ClassFolderError(
            f"nbgrader could not make the release of {chapter}: {_reason(said) or error}"
        ) from None


def save_cells(assignment: Assignment, cells: Path) -> None:
    """Tell the gradebook what a release asks: each notebook in one transaction. Doing it again changes nothing."""
    folder, chapter = assignment.folder, assignment.chapter
    notebooks = {path.stem: nbformat.read(path, as_version=4) for path in sorted(cells.glob("*.ipynb"))}
    try:
        with open_gradebook(folder) as book:
            with at_once(book.db):
                known = book.update_or_create_assignment(chapter)
            for gone in {notebook.name for notebook in known.notebooks} - set(notebooks):
                with at_once(book.db):
                    book.remove_notebook(gone, chapter)
        for name, notebook in notebooks.items():
            facts = {"notebook": name, "assignment": chapter, "db_url": url(folder)}
            _SaveCellsAtOnce().preprocess(notebook, {"nbgrader": facts})
    except OperationalError as error:
        raise ClassFolderError(IN_USE if is_busy(error.orig) else f"The gradebook: {error.orig}") from None
    except RuntimeError as error:  # how SaveCells refuses
        raise RefusedError(f"nbgrader: {error}. The old release is as it was.") from None


class _SaveCellsAtOnce(SaveCells):  # type: ignore[misc]
    def _create_notebook(self, nb: NotebookNode) -> None:
        with at_once(self.gradebook.db):
            super()._create_notebook(nb)


def _listening() -> tuple[logging.Logger, list[str]]:
    """A logger for nbgrader, and the list to which its errors go."""
    said: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("classroom.generate")
    log.handlers, log.propagate = [handler], False
    return log, said


def _reason(said: list[str]) -> str:
    """The last line of the traceback that nbgrader logged, or its last word."""
    traces = [one for one in said if one.startswith("Traceback")]
    lines = (traces or said or [""])[-1].strip().splitlines()
    return lines[-1] if lines else ""
