"""From a chapter's text to the nbgrader source notebook.

An exercise cell becomes: a heading, what the body needs (locked), signature and docstring with the body between
nbgrader's solution marks, and a locked, graded `check(…)`. The same text gives the same bytes.
"""

import ast
import hashlib
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course.exercises import exercises_of, topic
from course.judging import archive
from course.judging.archive import Tree
from course.judging.sheets import OPEN, TEXT, Plan, fingerprint, sheet_name
from course.notebook.saved import ANSWER as ANSWER
from course.notebook.saved import DEMO_TAG as DEMO_TAG
from course.notebook.saved import grade_id as grade_id
from solutions.classroom.release.answers import PUBLIC_SEEDS, answer_sheet, sheet_tree
from solutions.classroom.release.chapter_text import Cell, ChapterError, read_chapter
from solutions.classroom.release.reference_source import definition, home_of, needs, source_of

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
GRADED_TAG = "raises-exception"
SET_UP = "set-up"
KERNEL = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
"""The metadata of every notebook that we write."""
SET_UP_WORDS = """\
# Run this cell first, and again after every restart of the kernel.
# For each exercise: write your code, run its cell, then the cell check(…) below it.
# hint(…) helps when you are stuck; progress() shows how far you are.
"""
STUB = ("# Your code here.", "raise NotImplementedError()")

_SOLUTION = re.compile(rf"^( *){BEGIN}\n.*?^ *{END}$", re.MULTILINE | re.DOTALL)


def build_assignment(chapter: str, folder: Path) -> Path:
    """Write the chapter's notebook and its public answer sheet into `folder`; return the notebook's path."""
    path = folder / f"{chapter}.ipynb"
    notebook = source_notebook(chapter)
    archive.write_bytes(path, notebook_bytes(notebook))
    archive.write(folder / sheet_name(chapter), public_sheet(chapter, notebook))
    return path


def public_sheet(chapter: str, notebook: NotebookNode) -> Tree:
    """The answer sheet that goes with a chapter's notebook: what `check` needs of both."""
    return sheet_tree(answer_sheet(chapter, PUBLIC_SEEDS)) | {"plan": asdict(plan_of(notebook))}


def plan_of(notebook: NotebookNode) -> Plan:
    """What `check` has to know of how a chapter is released."""
    cells, questions = {}, {}
    for cell in notebook.cells:
        facts = cell.metadata.get("nbgrader", {})
        if not facts:
            continue
        name, is_code = facts["grade_id"], cell.cell_type == "code"
        cells[name] = TEXT if not is_code else OPEN if facts["solution"] else fingerprint(cell.source)
        if facts["grade"] and not is_code:
            questions[name] = float(facts["points"])
    return Plan(cells, questions)


def notebook_bytes(notebook: NotebookNode) -> bytes:
    """A notebook as it is written to disk."""
    return (nbformat.writes(notebook, version=4) + "\n").encode()


def source_notebook(chapter: str) -> NotebookNode:
    """The nbgrader source notebook of a chapter, solutions included."""
    text = read_chapter(chapter)
    cells: list[NotebookNode] = []
    provided: set[tuple[str, str]] = set()
    tainted = set(exercises_of(chapter))
    set_up: NotebookNode | None = _set_up(text)
    for cell in text:
        if cell.kind != "text" and set_up is not None:
            cells.append(set_up)
            set_up = None
        if cell.kind == "exercise":
            cells += _exercise(chapter, cell, provided)
        elif cell.kind == "given":
            for name in cell.names:
                cells += _given(cell.module, name, provided, taken=tainted)
        elif cell.kind == "question":
            cells += _question(cell)
        elif cell.kind == "code":
            cells.append(_code(cell, tainted))
        else:
            cells.append(new_markdown_cell(cell.source))
    _identify(cells, chapter)
    return new_notebook(cells=cells, metadata=nbformat.from_dict(KERNEL))


def without_marks(source: str) -> str:
    """A cell without nbgrader's solution marks."""
    return "\n".join(line for line in source.split("\n") if line.strip() not in (BEGIN, END))


def student_notebook(chapter: str) -> NotebookNode:
    """The same with every gap open, as nbgrader's release has it."""
    notebook = source_notebook(chapter)
    for cell in notebook.cells:
        if BEGIN in cell.source:
            cell.source = _SOLUTION.sub(
                lambda found: f"{found[1]}{STUB[0]}\n{found[1]}{STUB[1]}", cell.source
            )
    return notebook


def _set_up(text: list[Cell]) -> NotebookNode:
    """The first code cell: check, hint, progress, and the imports of all bodies that the notebook holds."""
    imports: set[str] = set()
    for cell in text:
        for name in cell.names:
            imports |= _imports(cell.module, name, set())
    plain = sorted(line for line in imports if line.startswith("import "))
    named: dict[str, set[str]] = {}
    for line in imports - set(plain):
        origin, _, what = line.removeprefix("from ").partition(" import ")
        named.setdefault(origin, set()).add(what)
    froms = [f"from {origin} import {', '.join(sorted(what))}" for origin, what in sorted(named.items())]
    lines = [SET_UP_WORDS, *plain, *froms, "", "from course.check import check, hint, progress"]
    return _locked("\n".join(lines).strip(), SET_UP)


def _imports(module: str, name: str, seen: set[tuple[str, str]]) -> set[str]:
    if (module, name) in seen:
        return set()
    seen.add((module, name))
    wanted = needs(module, name)
    found = set(wanted.imports)
    for other_module, other in wanted.functions:
        found |= _imports(other_module, other, seen)
    return found


def _exercise(chapter: str, cell: Cell, provided: set[tuple[str, str]]) -> list[NotebookNode]:
    (name,) = cell.names
    exercise = exercises_of(chapter)[name]
    later = [other for _, other in needs(cell.module, name).functions if other in exercises_of(chapter)]
    for other in later:
        if (home_of()[other], other) not in provided:
            raise ChapterError(f"{chapter}: {name} calls {other}, so {other} must be asked for before it.")
    unit = "point" if exercise.points == 1 else "points"
    head = new_markdown_cell(
        f"### Exercise: `{name}`\n\n*{exercise.level} · about {exercise.minutes} minutes · {exercise.points} {unit} · "
        f"stuck? `hint({name})`*"
    )
    given = _given(cell.module, name, provided, taken=set(exercises_of(chapter)), itself=False)
    solution = new_code_cell(_gap(cell.module, name))
    solution.metadata["nbgrader"] = _grader(f"{grade_id(name)}-gap", solution=True)
    check = new_code_cell(f"check({name})")
    check.metadata["nbgrader"] = _grader(grade_id(name), grade=True, locked=True, points=exercise.points)
    check.metadata["tags"] = [GRADED_TAG]
    provided.add((cell.module, name))
    return [head, *given, solution, check]


def _given(
    module: str, name: str, provided: set[tuple[str, str]], taken: set[str], itself: bool = True
) -> list[NotebookNode]:
    """Locked cells with everything that `name` needs and that is not there yet (and `name` itself)."""
    parts: list[str] = []
    _collect(module, name, provided, taken, parts, itself)
    if not parts:
        return []
    text = "\n\n\n".join(parts)
    label = name if itself else f"{name}-needs"
    return [_locked(text, f"{grade_id(label)}-given")]


def _collect(
    module: str, name: str, provided: set[tuple[str, str]], taken: set[str], parts: list[str], itself: bool
) -> None:
    if (module, name) in provided:
        return
    wanted = needs(module, name)
    for other_module, other in wanted.functions:
        if other not in taken:
            _collect(other_module, other, provided, taken, parts, True)
    for helper in wanted.helpers:
        if (module, helper) not in provided:
            provided.add((module, helper))
            parts.append(source_of(module, helper))
    if itself and name not in taken:
        provided.add((module, name))
        parts.append(source_of(module, name))


def _gap(module: str, name: str) -> str:
    """The definition with every body, behind its docstring, between nbgrader's solution marks."""
    source = source_of(module, name).splitlines()
    node = definition(module, name)
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    functions = [node] if isinstance(node, ast.FunctionDef) else []
    if isinstance(node, ast.ClassDef):
        functions = [item for item in node.body if isinstance(item, ast.FunctionDef)]
    for function in sorted(functions, key=lambda item: item.lineno, reverse=True):
        body = function.body
        has_doc = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
        start = (body[0].end_lineno or 0) + 1 if has_doc else body[0].lineno
        end = function.end_lineno or start
        pad = " " * (function.col_offset + 4)
        source[end - first + 1 : end - first + 1] = [f"{pad}{END}"]
        source[start - first : start - first] = [f"{pad}{BEGIN}"]
    return "\n".join(source)


def _question(cell: Cell) -> list[NotebookNode]:
    name, points = cell.metadata["question"], cell.metadata["points"]
    prompt = new_markdown_cell(
        f"### In your own words\n\n{cell.source}\n\n*about {cell.metadata['minutes']} minutes · {points} points · "
        "read and graded by a person*"
    )
    prompt.metadata["nbgrader"] = _grader(f"{name}-question", locked=True)
    answer = new_markdown_cell(ANSWER)
    answer.metadata["nbgrader"] = _grader(name, grade=True, solution=True, points=points)
    return [prompt, answer]


def _code(cell: Cell, tainted: set[str]) -> NotebookNode:
    """A plain cell; where it uses an exercise, Run All goes on although that one may still be open."""
    node = new_code_cell(cell.source)
    tags = list(cell.tags)
    tree = ast.parse(cell.source)
    used = {item.id for item in ast.walk(tree) if isinstance(item, ast.Name)}
    if used & tainted:
        tags.append(GRADED_TAG)
        tainted |= {
            item.id
            for item in ast.walk(tree)
            if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store)
        }
        tainted |= {item.name for item in tree.body if isinstance(item, ast.FunctionDef | ast.ClassDef)}
    if tags:
        node.metadata["tags"] = tags
    return node


def _locked(source: str, name: str) -> NotebookNode:
    cell = new_code_cell(source)
    cell.metadata["nbgrader"] = _grader(name, locked=True)
    return cell


def _grader(
    name: str, grade: bool = False, solution: bool = False, locked: bool = False, points: int | None = None
) -> dict[str, Any]:
    facts = {
        "grade": grade,
        "grade_id": name,
        "locked": locked,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }
    return facts if points is None else facts | {"points": points}


def _identify(cells: list[NotebookNode], chapter: str) -> None:
    """Cell ids that depend on what the cell is, not on where it stands."""
    seen: dict[str, int] = {}
    for cell in cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id") or cell.source
        digest = hashlib.sha256(f"{chapter}\n{name}".encode()).hexdigest()[:12]
        seen[digest] = seen.get(digest, 0) + 1
        cell["id"] = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"


def assignment_title(chapter: str) -> str:
    """A chapter's name for people: "Chapter 4: sensitivity"."""
    number = int(chapter.partition("_")[0])
    return f"Chapter {number}: {topic(chapter).replace('_', ' ')}"
