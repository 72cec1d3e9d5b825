"""Reading a chapter: the text notebook `course/chapters/NN_topic.py` as a list of cells."""

import ast
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import jupytext

from course.exercises import exercises_of

CHAPTER_FOLDER = Path(__file__).resolve().parents[3] / "course" / "chapters"


class ChapterError(Exception):
    """The text notebook breaks a rule. The message says which cell and what to change."""


@dataclass(frozen=True)
class Cell:
    """One cell of the text notebook.

    kind: exercise = a cell that only imports one function from `solutions`; given = the same with `# given`;
    question = a markdown cell to be answered in words, graded by a person.
    """

    kind: Literal["text", "code", "exercise", "given", "question"]
    source: str
    module: str = ""
    names: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)


def chapter_path(chapter: str) -> Path:
    """Where the chapter's text is."""
    return CHAPTER_FOLDER / f"{chapter}.py"


def read_chapter(chapter: str) -> list[Cell]:
    """The cells of a chapter. Raises ChapterError when its exercises and its exercise module disagree."""
    cells = parse(chapter_path(chapter).read_text(encoding="utf-8"), chapter)
    asked = [name for cell in cells if cell.kind == "exercise" for name in cell.names]
    listed = list(exercises_of(chapter))
    if sorted(asked) != sorted(listed):
        only_text, only_module = sorted(set(asked) - set(listed)), sorted(set(listed) - set(asked))
        raise ChapterError(
            f"{chapter}: the text and its exercise module must name the same exercises, each once"
            f" (only in the text: {only_text or 'none'}; only in the module: {only_module or 'none'})."
        )
    return cells


def parse(text: str, chapter: str) -> list[Cell]:
    """The cells of a text notebook."""
    notebook = jupytext.reads(text, fmt="py:percent")
    return [_cell(raw, chapter) for raw in notebook.cells if raw.source.strip()]


def _cell(raw: Any, chapter: str) -> Cell:
    tags = tuple(raw.metadata.get("tags", ()))
    metadata = dict(raw.metadata)
    if raw.cell_type != "code":
        if "question" in metadata and not {"points", "minutes"} <= set(metadata):
            raise ChapterError(
                f'{chapter}: question "{metadata["question"]}" needs points and minutes in its cell header.'
            )
        return Cell(
            "question" if "question" in metadata else "text", raw.source, tags=tags, metadata=metadata
        )
    imported = _solution_import(raw.source, chapter)
    if imported is None:
        return Cell("code", raw.source, tags=tags, metadata=metadata)
    module, names = imported
    given = "# given" in raw.source
    if not given and len(names) != 1:
        raise ChapterError(
            f"{chapter}: one exercise per cell, please; this cell asks for {', '.join(names)}."
        )
    return Cell("given" if given else "exercise", raw.source, module, names, tags, metadata)


def _solution_import(source: str, chapter: str) -> tuple[str, tuple[str, ...]] | None:
    """module and names when the cell only imports from `solutions`; None when it does not name it at all."""
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise ChapterError(
            f"{chapter}: a cell is no Python ({error.msg}): {source.splitlines()[0]!r}"
        ) from None
    found = [
        node
        for node in ast.walk(tree)
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "solutions")
        or (
            isinstance(node, ast.Import)
            and any(alias.name.split(".")[0] == "solutions" for alias in node.names)
        )
    ]
    if not found:
        return None
    if len(tree.body) != 1 or not isinstance(tree.body[0], ast.ImportFrom):
        raise ChapterError(
            f"{chapter}: `from solutions… import …` stands alone in its cell; see {source.splitlines()[0]!r}"
        )
    node = tree.body[0]
    return str(node.module), tuple(alias.name for alias in node.names)
