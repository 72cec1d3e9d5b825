"""Answers in words that stand beside their cell: found, and brought to where the person who grades will read them."""

import ast
import re
import warnings
from dataclasses import replace
from itertools import takewhile

from nbformat import NotebookNode

from course.notebook.names import TOO_STRANGE
from solutions.classroom.submission.handed_in import Note, Theirs, alike, changed, is_answer, is_open
from solutions.classroom.submission.washing import visible

LONGEST_LOOKED_AT = 20_000
"""Characters of code in which nobody looks for words: there are some."""


def answers_beside(
    known: dict[str, NotebookNode],
    found: dict[str, Theirs],
    own: dict[str, list[Theirs]],
    prose: dict[str, NotebookNode],
    notes: list[Note],
) -> dict[str, list[Theirs]]:
    """What was written beside an answer cell that was left blank, as that cell's parts: a person has to read it.

    Beside it is: into the question above it, in cells between question and answer, and in cells directly behind the
    answer. Cells of text move into the answer; code in which there may be words is quoted there, and stays. Whoever
    wrote nothing keeps a cell that is, to the letter, as it was released: by that nbgrader knows a blank answer.
    """
    answers: dict[str, list[Theirs]] = {}
    above = ""
    for name, original in known.items():
        question, above = above, name
        if not is_answer(original):
            continue
        cell = found.get(name)
        if cell is not None and visible(cell.text).strip() and changed(cell, original):
            continue
        parts = (
            [replace(cell, kind=original.cell_type, text="")] if cell is not None and cell.attachments else []
        )
        if question and not is_open(known[question]) and known[question].cell_type != "code":
            parts += _added(known[question], found.get(question))
            parts += _taken(own, question, prose, to_the_end=True)
        parts += _taken(own, name, prose, to_the_end=False)
        parts = [part for part in parts if changed(part, original)]
        if any(part.text for part in parts):
            notes.append(
                Note("Your answer was not in the answer cell but beside it; it was taken over.", name)
            )
        if parts:
            answers[name] = parts
        elif cell is not None:
            answers[name] = [replace(cell, kind=original.cell_type, text=original.source)]
    return answers


def _taken(
    own: dict[str, list[Theirs]], anchor: str, prose: dict[str, NotebookNode], to_the_end: bool
) -> list[Theirs]:
    """The student's own cells behind `anchor` that may be an answer. to_the_end: also those behind the chapter's text."""
    cells = own.get(anchor, [])
    near = [c for c in cells if alike(c.text) not in prose]
    if not to_the_end:
        near = list(takewhile(lambda cell: alike(cell.text) not in prose, cells))
    taken = [cell for cell in near if _speaks(cell)]
    moved = {id(cell) for cell in taken if cell.kind != "code"}
    if anchor in own:
        own[anchor] = [cell for cell in cells if id(cell) not in moved]
    return [_quoted(cell) if cell.kind == "code" else replace(cell, kind="markdown") for cell in taken]


def _added(question: NotebookNode, theirs: Theirs | None) -> list[Theirs]:
    """What was written into the question, which is locked, where a notebook is edited elsewhere than in Jupyter."""
    if theirs is None or not changed(theirs, question):
        return []
    asked = {line.strip() for line in alike(question.source).split("\n")}
    text = "\n".join(line for line in theirs.text.split("\n") if line.strip() and line.strip() not in asked)
    return [Theirs("markdown", text, attachments=theirs.attachments)] if text else []


def _speaks(cell: Theirs) -> bool:
    """Whether there may be words for a person in a cell: any text, and code that has comments or is no Python."""
    if cell.kind != "code" or not visible(cell.text).strip():
        return bool(visible(cell.text).strip() or cell.attachments)
    if "#" in cell.text or len(cell.text) > LONGEST_LOOKED_AT:
        return True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(cell.text)
    except (SyntaxError, *TOO_STRANGE):
        return True
    return any(isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant | ast.Name) for s in tree.body)


def _quoted(cell: Theirs) -> Theirs:
    longest = max(map(len, re.findall("`+", cell.text)), default=0)
    fence = "`" * max(3, longest + 1)
    return Theirs("markdown", f"{fence}python\n{cell.text}\n{fence}")
