"""A submission before anything of it runs: read carefully, and put back on the release's rails.

Whatever a student did to the file, what comes out is a valid notebook with the release's locked cells, metadata and
order, and the student's own code and words in it; or the untouched release with the reason why nothing could be read.
Three steps: `read_cells` believes as little of a file as it can, `on_rails` puts the cells where they belong, and
`_made` writes each anew, washed by the kind that it gets.
"""

import ast
import json
import os
import re
import stat
import warnings
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from solutions.classroom.submission.cells_to_run import TOO_STRANGE
from solutions.classroom.submission.washing import LEFT_OUT, Images, Washed, washed, without_images

LARGEST_NOTEBOOK = 20_000_000
MOST_CELLS = 2_000
MOST_TEXT = 2_000_000
"""Characters in all cells together; a chapter has 50,000."""

MOST_ATTACHMENTS = 100
"""Of a cell; far more than are kept, so that it is noticed where some are left out."""

LONGEST_LOOKED_AT = 20_000
"""Characters of code in which nobody looks for words: there are some."""


@dataclass(frozen=True)
class Note:
    """Something that was put right. cell: the grade id of the cell that it is about, or "" for the whole notebook."""

    text: str
    cell: str = ""


@dataclass
class Submission:
    """A notebook that is safe to handle. unreadable: why the student's file could not be used, or ""."""

    notebook: NotebookNode
    unreadable: str = ""
    notes: list[Note] = field(default_factory=list)


@dataclass(frozen=True)
class Theirs:
    """All that is believed of a student's cell.

    kind: "code", "markdown" or "raw". demo: whether it is tagged as a demonstration. guessed: whether its grade id was
    lost, and found again by other signs.
    """

    kind: str
    text: str
    grade_id: str = ""
    demo: bool = False
    attachments: Any = None
    id: str = ""
    guessed: bool = False


class UnreadableError(Exception):
    """Why a file could not be used, and what to do: a sentence for the student."""


def read_submission(path: Path, release: NotebookNode) -> Submission:
    """The submission at `path` on the release's rails. Never raises for what a student can cause."""
    try:
        return on_rails(read_cells(path, release), release)
    except UnreadableError as error:
        return Submission(deepcopy(release), unreadable=str(error))


# ---- reading -----------------------------------------------------------------------------------------------------


def read_cells(path: Path, release: NotebookNode) -> list[Theirs]:
    """The cells of the notebook at `path`. Raises UnreadableError where it is none, or not this chapter's."""
    name = shown(path.name)
    cells = _recognised(_cells(_tree(_bytes(path, name), name), name), release)
    asked = {name for name, original in _known(release).items() if _is_asked(original)}
    if not any(cell.grade_id in asked for cell in cells):
        raise UnreadableError(
            f"{name} is not this chapter's notebook: none of its cells belong here."
            " Hand in the notebook that you got for this chapter."
        )
    return cells


def shown(name: str) -> str:
    """A file's name as it can be printed anywhere."""
    text = "".join(c if c.isprintable() else "?" for c in name.encode("utf-8", "replace").decode("utf-8"))
    return text if len(text) <= 80 else f"{text[:60]}…{text[-19:]}"


def _bytes(path: Path, name: str) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise UnreadableError(f"Nothing was handed in: there is no {name}.") from None
    except OSError as error:
        if os.path.islink(path):
            raise UnreadableError(f"{name} is a link, not a file. Hand in the notebook itself.") from None
        reason = error.strerror or "unknown reason"
        raise UnreadableError(f"{name} could not be opened ({reason}). Hand it in again.") from None
    facts = os.fstat(handle)
    if not stat.S_ISREG(facts.st_mode):
        os.close(handle)
        raise UnreadableError(f"{name} is no ordinary file. Hand in the notebook itself.")
    with os.fdopen(handle, "rb") as file:
        if facts.st_size > LARGEST_NOTEBOOK:
            raise UnreadableError(
                f"{name} has {facts.st_size / 1e6:.0f} MB; {LARGEST_NOTEBOOK / 1e6:.0f} MB is the most."
                " Clear all outputs and hand it in again."
            )
        try:
            return file.read(LARGEST_NOTEBOOK)
        except OSError as error:
            reason = error.strerror or "unknown reason"
            raise UnreadableError(f"{name} could not be read ({reason}). Hand it in again.") from None


_NO_NOTEBOOKS = {
    b"<<<<<<<": "holds a merge conflict (<<<<<<<). Resolve it, open the notebook in Jupyter, and hand it in again.",
    b"PK\x03\x04": "is a ZIP archive. Unpack it, and hand in the notebook that is inside.",
    b"%PDF": "is a PDF. Hand in the notebook itself.",
    b"<": "is a web page. Download the notebook itself (in Jupyter: File, Download), and hand that in.",
}


def _tree(data: bytes, name: str) -> Any:
    """The JSON of a notebook in any of Unicode's encodings, or the reason why it is none."""
    start = data.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n\0")
    if not start:
        raise UnreadableError(
            f"{name} is empty. Open your notebook in Jupyter, save it, and hand it in again."
        )
    for mark, words in _NO_NOTEBOOKS.items():
        if start.startswith(mark):
            raise UnreadableError(f"{name} {words}")
    try:
        return json.loads(data)
    except UnicodeDecodeError:
        raise UnreadableError(
            f"{name} is not UTF-8 text. Open it in Jupyter, save it, and hand it in again."
        ) from None
    except (ValueError, RecursionError):
        raise UnreadableError(
            f"{name} is not a notebook: its JSON is damaged. Open it in Jupyter, save it, and hand it in again."
        ) from None


def _cells(tree: Any, name: str) -> list[Theirs]:
    """The cells of a notebook of any format.

    nbformat only gets what counts of them: a million outputs or keys would keep it busy for minutes.
    """
    try:
        raw = _bare_cells(tree)
        if len(raw) > MOST_CELLS:
            raise UnreadableError(
                f"{name} has {len(raw)} cells; {MOST_CELLS} is the most. Delete what is not yours and hand it in again."
            )
        facts = {key: tree[key] for key in ("nbformat", "nbformat_minor") if isinstance(tree.get(key), int)}
        parts = {"worksheets": [{"cells": raw}]} if "worksheets" in tree else {"cells": raw}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            notebook = nbformat.convert(nbformat.from_dict(facts | {"metadata": {}} | parts), 4)
        cells = [_theirs(cell) for cell in notebook.cells]
    except UnreadableError:
        raise
    except Exception:  # nbformat raises many kinds for what is no notebook
        raise UnreadableError(
            f"{name} is JSON, but no Jupyter notebook. Hand in the notebook that you got for this chapter."
        ) from None
    size = sum(len(cell.text if cell.kind == "code" else without_images(cell.text)) for cell in cells)
    if size > MOST_TEXT:
        raise UnreadableError(
            f"{name} holds {size / 1e6:.1f} MB of text in its cells; {MOST_TEXT / 1e6:.0f} MB is the most."
            " Take out what was pasted in and hand it in again."
        )
    return cells


_TEXT_KEYS = ("source", "input", "code", "text")
"""What a cell's text is called in the formats 4, 3 and 2, and 1."""


def _bare_cells(tree: Any) -> list[dict[str, Any]]:
    """Type, text, grade id, tags and attachments of every cell; or the cells as they are, where there are too many."""
    sheets = tree.get("worksheets", [tree])
    found = [cell for sheet in sheets for cell in sheet["cells"]]
    if len(found) > MOST_CELLS:
        return found
    return [_bare(cell) for cell in found]


def _bare(cell: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {"metadata": _believed(cell.get("metadata")), "outputs": []}
    kept |= {key: cell[key] for key in ("cell_type", "level", "id") if isinstance(cell.get(key), str | int)}
    for key in _TEXT_KEYS:
        if key in cell:
            kept[key] = cell[key] if isinstance(cell[key], str) else "".join(cell[key])
    if isinstance(attachments := cell.get("attachments"), dict):
        kept["attachments"] = {n: _images(a) for n, a in islice(attachments.items(), MOST_ATTACHMENTS)}
    return kept


def _images(attachment: object) -> dict[str, str]:
    """What may be an image of one attachment, as plain text: whatever else is in it nobody looks through."""
    attachment = attachment if isinstance(attachment, dict) else {}
    found = {
        kind: attachment[kind] for kind in ("image/png", "image/jpeg", "image/jpg") if kind in attachment
    }
    lines = {kind: [data] if isinstance(data, str) else data for kind, data in found.items()}
    return {
        kind: "".join(data)
        for kind, data in lines.items()
        if isinstance(data, list) and all(isinstance(line, str) for line in data)
    }


def _believed(metadata: object) -> dict[str, Any]:
    """What is believed of a cell's metadata: its grade id, and the tag of demonstrations."""
    metadata = metadata if isinstance(metadata, dict) else {}
    kept: dict[str, Any] = {}
    grader, tags = metadata.get("nbgrader"), metadata.get("tags")
    if isinstance(grader, dict) and isinstance(grader.get("grade_id"), str):
        kept["nbgrader"] = {"grade_id": grader["grade_id"]}
    if isinstance(tags, list) and "demo" in tags:
        kept["tags"] = ["demo"]
    return kept


def _theirs(cell: NotebookNode) -> Theirs:
    """Lines end as in Unix: what Windows and old Macs write is no change."""
    text = cell.get("source", "").encode("utf-8", "replace").decode("utf-8")
    kind = cell.get("cell_type")
    return Theirs(
        kind=kind if kind in ("code", "raw") else "markdown",
        text=text.replace("\r\n", "\n").replace("\r", "\n"),
        grade_id=_grade_id(cell),
        demo="tags" in cell.metadata,
        attachments=cell.get("attachments"),
        id=str(cell.get("id", "")),
    )


_DEFINES = re.compile(r"^(?:def|class) (\w+)", re.MULTILINE)


def _recognised(cells: list[Theirs], release: NotebookNode) -> list[Theirs]:
    """The cells of a notebook whose metadata some tool dropped: known by their id, their text, or what they define."""
    if any(cell.grade_id for cell in cells):
        return cells
    known = _known(release)
    ids = {original["id"]: name for name, original in known.items() if "id" in original}
    texts = {_alike(original.source): name for name, original in known.items() if not _is_open(original)}
    gaps = {n: _DEFINES.search(o.source) for n, o in known.items() if _is_open(o) and o.cell_type == "code"}
    defined = {found[1]: name for name, found in gaps.items() if found}
    recognised = []
    for cell in cells:
        made = _DEFINES.search(cell.text) if cell.kind == "code" else None
        name = ids.get(cell.id) or texts.get(_alike(cell.text)) or (defined.get(made[1]) if made else None)
        recognised.append(replace(cell, grade_id=name, guessed=True) if name else cell)
    return recognised


# ---- back on the rails -------------------------------------------------------------------------------------------


def on_rails(theirs: Sequence[Theirs], release: NotebookNode) -> Submission:
    """The release's cells in the release's order; the student's own cells behind the known cell they followed."""
    notes: list[Note] = []
    if any(cell.guessed for cell in theirs):
        notes.append(
            Note("The cells had lost their marks for grading; they were recognised by what they hold.")
        )
    known, prose = _known(release), _prose(release)
    found, own = _sorted(theirs, known, prose, notes)
    answers = _answers(known, found, own, prose, notes)
    images = Images()
    cells = [_own(cell, "", prose, images, notes) for cell in own[""]]
    for name, original in known.items():
        parts = answers.get(name, [found[name]] if name in found else [])
        cells.append(_restored(name, original, parts, images, notes))
        cells += [_own(cell, name, prose, images, notes) for cell in own.get(name, [])]
    notebook = deepcopy(release)
    notebook.cells = cells
    _give_ids(cells)
    return Submission(notebook, notes=list(dict.fromkeys(notes)))


def done(theirs: Sequence[Theirs], release: NotebookNode) -> int:
    """How much somebody has worked in these cells: gaps and answers that changed, and cells of their own."""
    known, prose = _known(release), _prose(release)
    first = {cell.grade_id: cell for cell in reversed(theirs) if cell.grade_id in known}
    filled = [name for name, cell in first.items() if _is_open(known[name]) and _changed(cell, known[name])]
    own = [cell for cell in theirs if cell.grade_id not in known and _alike(cell.text) not in prose]
    return len(filled) + sum(1 for cell in own if cell.text.strip())


def _grade_id(cell: NotebookNode) -> str:
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


def _known(release: NotebookNode) -> dict[str, NotebookNode]:
    """grade id → the cell as it was released, in order."""
    return {_grade_id(cell): cell for cell in release.cells if _grade_id(cell)}


def _prose(release: NotebookNode) -> dict[str, NotebookNode]:
    """text → the cell, for all that is told and shown between the exercises."""
    return {_alike(cell.source): cell for cell in release.cells if not _grade_id(cell)}


def _is_open(original: NotebookNode) -> bool:
    return bool(original.metadata.nbgrader.get("solution"))


def _is_asked(original: NotebookNode) -> bool:
    """Something that only this chapter asks for; set-ups and given functions stand in other chapters too."""
    return _is_open(original) or bool(original.metadata.nbgrader.get("grade"))


def _is_answer(original: NotebookNode) -> bool:
    """An answer in words: a person grades what is written into it."""
    return (
        _is_open(original) and bool(original.metadata.nbgrader.get("grade")) and original.cell_type != "code"
    )


def _alike(text: str) -> str:
    """Equal for texts that differ only in what editors change by themselves.

    That is: how lines end, white space at their ends, empty lines around the text, and spaces that do not break.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\xa0", " ")
    return "\n".join(line.rstrip() for line in text.strip().split("\n"))


def _changed(theirs: Theirs, original: NotebookNode) -> bool:
    return _alike(theirs.text) != _alike(original.source)


def _sorted(
    theirs: Iterable[Theirs],
    known: dict[str, NotebookNode],
    prose: dict[str, NotebookNode],
    notes: list[Note],
) -> tuple[dict[str, Theirs], dict[str, list[Theirs]]]:
    """Which cell is which: the known ones by grade id, and the others by the known one that they followed."""
    found: dict[str, Theirs] = {}
    own: dict[str, list[Theirs]] = {"": []}
    anchor = ""
    for cell in theirs:
        name = cell.grade_id
        if name in known and name not in found:
            found[name], anchor = cell, name
            own.setdefault(name, [])
        elif name not in found:
            own[anchor].append(cell)
        elif not _is_open(known[name]) or not _changed(cell, known[name]):
            notes.append(Note(f"The cell '{name}' was there twice; the copy was left out.", name))
        elif _is_answer(known[name]) and not _changed(found[name], known[name]):
            notes.append(
                Note(f"The cell '{name}' was there twice; the one with your answer was taken.", name)
            )
            found[name] = cell
        else:
            notes.append(
                Note(
                    f"The cell '{name}' was there twice; the second one was taken as a cell of your own.",
                    name,
                )
            )
            own[anchor].append(cell)
    if list(found) != [name for name in known if name in found]:
        notes.append(Note("Cells had changed places; they were put back in order."))
    return found, own


def _restored(
    name: str, original: NotebookNode, parts: list[Theirs], images: Images, notes: list[Note]
) -> NotebookNode:
    """A known cell as it was released, with the student's text where there is room for it."""
    cell = deepcopy(original)
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
    if not parts:
        notes.append(Note(f"The cell '{name}' was missing; it was put back as it was released.", name))
    elif not _is_open(original):
        if _changed(parts[0], original) or parts[0].kind != cell.cell_type:
            notes.append(
                Note(f"The locked cell '{name}' had been changed; it was put back as it was released.", name)
            )
    elif _is_answer(original) and not any(_changed(part, original) for part in parts):
        pass  # to the letter as it was released: by that nbgrader knows a blank answer
    else:
        if parts[0].kind != cell.cell_type:
            notes.append(
                Note(
                    f"The cell '{name}' had become a {parts[0].kind} cell; it was made a {cell.cell_type} cell again.",
                    name,
                )
            )
        _fill(cell, [_made(cell.cell_type, part, images, name, notes) for part in parts])
        cell.source = cell.source if cell.source.strip() else original.source
    return cell


def _own(
    cell: Theirs, anchor: str, prose: dict[str, NotebookNode], images: Images, notes: list[Note]
) -> NotebookNode:
    """A cell that is not graded: the chapter's own as it was released, anything else written anew."""
    if _alike(cell.text) in prose:
        told = deepcopy(prose[_alike(cell.text)])
        if told.cell_type == "code":
            told.outputs, told.execution_count = [], None
        return told
    new = new_code_cell() if cell.kind == "code" else new_markdown_cell()
    new.metadata = NotebookNode({"tags": ["demo"]} if cell.demo else {})
    _fill(new, [_made(new.cell_type, cell, images, anchor, notes)])
    return new


def _made(kind: str, theirs: Theirs, images: Images, name: str, notes: list[Note]) -> Washed:
    """A cell's text by the kind that it gets: code as it is, anything else washed."""
    if kind == "code":
        return Washed(theirs.text if theirs.kind == "code" else without_images(theirs.text))
    made = washed(theirs.text, theirs.attachments, images)
    if made.left_out:
        notes.append(Note(LEFT_OUT, name))
    return made


def _fill(cell: NotebookNode, parts: Iterable[Washed]) -> None:
    parts = list(parts)
    cell.source = "\n\n".join(part.text for part in parts)
    cell.pop("attachments", None)
    if attachments := {name: data for part in parts for name, data in part.attachments.items()}:
        cell.attachments = nbformat.from_dict(attachments)


def _give_ids(cells: Iterable[NotebookNode]) -> None:
    seen: set[str] = set()
    for position, cell in enumerate(cells):
        if "id" not in cell or cell["id"] in seen or not _grade_id(cell):
            cell["id"] = f"cell-{position}"
        seen.add(cell["id"])


# ---- answers in words --------------------------------------------------------------------------------------------


def _answers(
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
        if not _is_answer(original):
            continue
        cell = found.get(name)
        if cell is not None and cell.text.strip() and _changed(cell, original):
            continue
        parts = (
            [replace(cell, kind=original.cell_type, text="")] if cell is not None and cell.attachments else []
        )
        if question and not _is_open(known[question]) and known[question].cell_type != "code":
            parts += _added(known[question], found.get(question))
            parts += _taken(own, question, prose, to_the_end=True)
        parts += _taken(own, name, prose, to_the_end=False)
        parts = [part for part in parts if _changed(part, original)]
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
    near = [c for c in cells if _alike(c.text) not in prose]
    if not to_the_end:
        near = list(takewhile(lambda cell: _alike(cell.text) not in prose, cells))
    taken = [cell for cell in near if _speaks(cell)]
    moved = {id(cell) for cell in taken if cell.kind != "code"}
    if anchor in own:
        own[anchor] = [cell for cell in cells if id(cell) not in moved]
    return [_quoted(cell) if cell.kind == "code" else replace(cell, kind="markdown") for cell in taken]


def _added(question: NotebookNode, theirs: Theirs | None) -> list[Theirs]:
    """What was written into the question, which is locked, where a notebook is edited elsewhere than in Jupyter."""
    if theirs is None or not _changed(theirs, question):
        return []
    asked = {line.strip() for line in _alike(question.source).split("\n")}
    text = "\n".join(line for line in theirs.text.split("\n") if line.strip() and line.strip() not in asked)
    return [Theirs("markdown", text, attachments=theirs.attachments)] if text else []


def _speaks(cell: Theirs) -> bool:
    """Whether there may be words for a person in a cell: any text, and code that has comments or is no Python."""
    if cell.kind != "code" or not cell.text.strip():
        return bool(cell.text.strip() or cell.attachments)
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
