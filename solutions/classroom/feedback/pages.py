"""Notebooks as pages: what students get as feedback, and what formgrader shows of one submission.

A page is written by a process of its own, with a time limit: some texts take markdown's and Python's own libraries
minutes. What cannot be written in time is shown as plain text.
"""

import multiprocessing
import re
import resource
import signal
import threading
from contextlib import suppress
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import nbformat
from markupsafe import Markup
from nbconvert.exporters import Exporter
from nbformat import NotebookNode
from nbgrader.api import MissingEntry
from pygments.formatters import HtmlFormatter

from solutions.classroom.feedback import sanitize
from solutions.classroom.feedback.answer_guides import guides
from solutions.classroom.feedback.page_templates import HERE, templates

SECONDS = 5.0
"""Processor time that the writing of one page may take; an ordinary one takes a tenth of a second."""

MEMORY = 2 * 1024**3
"""Address space of the process that writes pages, in bytes."""

CSP = "; ".join(
    [
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
)
"""The Content-Security-Policy of every page that we write into a file: it runs nothing and loads nothing."""

SLOW = (
    "This page is plain text: the notebook holds something that takes too long to lay out. Nothing is missing from what was"
    " graded."
)


class FeedbackPage(Exporter):  # type: ignore[misc]
    """What `nbgrader generate_feedback` writes for a student; nbgrader adds scores and comments before."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.file_extension = ".html"

    def from_filename(self, filename: str, resources: Any = None, **options: Any) -> Any:
        notebook, reason = read_notebook(Path(filename))
        return self.from_notebook_node(notebook, resources, reason=reason, **options)

    def from_notebook_node(self, nb: NotebookNode, resources: Any = None, **options: Any) -> Any:
        reason = options.get("reason", "")
        try:
            nb, resources = super().from_notebook_node(nb, resources)
        except MissingEntry:
            reason = reason or "The gradebook does not know this submission. It has to be graded once more."
            resources = self._init_resources(resources)
        except (RecursionError, nbformat.ValidationError):
            nb, reason = nbformat.v4.new_notebook(), DAMAGED
            resources = self._init_resources(resources)
        facts = resources["nbgrader"]
        if reason:
            self.log.error("%s, %s: %s", facts["student"], facts["assignment"], reason)
        names = ("student", "assignment", "notebook", "score", "max_score", "late_penalty")
        return page("feedback", nb, {name: facts.get(name) for name in names} | {"reason": reason}), resources


class SubmissionPage:
    """What formgrader shows of one submission; takes the place of its exporter."""

    def __init__(self, nonce: str) -> None:
        self.nonce = nonce

    def from_filename(self, filename: str, resources: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        notebook, reason = read_notebook(Path(filename))
        facts = {"resources": resources, "nonce": self.nonce, "reason": reason, "guides": guides()}
        return page("formgrade", notebook, facts), resources


DAMAGED = "The graded notebook is damaged. It has to be graded once more."


def read_notebook(path: Path) -> tuple[NotebookNode, str]:
    """A notebook of nbgrader's; an empty one and the reason where the file is damaged."""
    try:
        return nbformat.read(path, as_version=4), ""
    except Exception:  # nbformat raises many kinds for what is no notebook
        return nbformat.v4.new_notebook(), DAMAGED


def _bare_notebook(notebook: NotebookNode) -> dict[str, Any]:
    """Whatever a page shows, in the shapes that pages count on."""
    return {"notes": _notes(notebook.metadata), "cells": [_bare(cell) for cell in notebook.cells]}


def _bare(cell: NotebookNode) -> dict[str, Any]:
    facts = _dict(cell.metadata.get("nbgrader"))
    outputs = [output for output in cell.get("outputs", []) if isinstance(output, dict)]
    return {
        "type": _text(cell.cell_type),
        "source": _text(cell.source),
        "notes": _notes(cell.metadata),
        "graded": {key: value for key, value in facts.items() if isinstance(value, str | int | float)},
        "attachments": {name: _texts(data) for name, data in _dict(cell.get("attachments")).items()},
        "outputs": [_texts(output) | {"data": _texts(output.get("data"))} for output in outputs],
    }


def _notes(metadata: NotebookNode) -> list[str]:
    """What was found when the submission was read."""
    ours = _dict(metadata.get("classroom"))
    notes = ours.get("notes")
    found = [ours.get("unreadable"), *(notes if isinstance(notes, list) else [])]
    return [_text(note) for note in found if _text(note)]


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(value: object) -> dict[str, str]:
    between = {"traceback": "\n"}
    return {key: _text(item, between.get(key, "")) for key, item in _dict(value).items()}


def _text(value: object, between: str = "") -> str:
    """nbformat's text, which may come as a list of lines; no text of anything else. Half characters cannot be written."""
    if isinstance(value, list):
        value = between.join(line for line in value if isinstance(line, str))
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else ""


def page(template: str, notebook: NotebookNode, facts: dict[str, Any]) -> str:
    """The page, or the plain one where that takes too long or fails."""
    bare = _bare_notebook(notebook)
    written = _writer().write(template, bare, facts)
    return written if written is not None else fill(template, bare, facts, plain=True)


def fill(template: str, bare: dict[str, Any], facts: dict[str, Any], plain: bool = False) -> str:
    """Put a notebook into one of our templates. plain: nothing is laid out, and so nothing takes long."""
    cells = [_shown(cell, plain) for cell in bare["cells"]]
    slow = SLOW if plain else ""
    found = templates().get_template(f"{template}.html.j2")
    return found.render(**facts, cells=cells, notes=bare["notes"], slow=slow, csp=CSP, css=_css())


def _shown(cell: dict[str, Any], plain: bool) -> dict[str, Any]:
    """What a page shows of a cell."""
    source, more = sanitize.cut(cell["source"])
    comment, _ = sanitize.cut(str(cell["graded"].get("comment", "")))
    words = sanitize.lines if plain else sanitize.markdown
    if plain or cell["type"] not in ("markdown", "code"):
        body = Markup("<pre>") + sanitize.lines(source) + Markup("</pre>")
    elif cell["type"] == "code":
        body = sanitize.code(source)
    else:
        body = sanitize.markdown(source, cell["attachments"])
    show = sanitize.plain_output if plain else sanitize.output
    kinds = [output.get("output_type", "") for output in cell["outputs"]]
    return cell | {
        "name": _name_of(cell),
        "sentence": _sentence(cell),
        "body": body,
        "more": f"{more} All of it was graded." if more else "",
        "comment": words(comment) if comment else "",
        "outputs": [show(kind, output) for kind, output in zip(kinds, cell["outputs"], strict=True)],
        "right": "error" not in kinds,
        "wrong": "error" in kinds,
    }


def _name_of(cell: dict[str, Any]) -> str:
    """How a graded cell is called: the exercise, by its function; a question by its own name."""
    called = re.fullmatch(r"\s*check\((\w+)\)\s*", cell["source"])
    return called[1] if called else str(cell["graded"].get("grade_id", "")).replace("-", " ")


_VERDICT = re.compile(r"[✔✘○] (.*?)(?: \([-+.e\d]+ of [-+.e\d]+ points\))?", re.DOTALL)


def _sentence(cell: dict[str, Any]) -> str:
    """What was said of a check cell, on one line."""
    if cell["graded"].get("solution"):
        return "Your answer in words."
    said = " ".join(
        " ".join((out.get("text", "") or out.get("traceback", "")).split()) for out in cell["outputs"]
    )
    found = _VERDICT.fullmatch(said)
    return sanitize.cut(found[1] if found else said)[0][:500]


@cache
def _css() -> Markup:
    colours = HtmlFormatter(style="friendly", cssclass="code").get_style_defs(".code")
    return Markup((HERE / "page.css").read_text("utf-8") + colours)


class _Writer:
    """A process that writes pages. It ends itself when one takes too long; then the next page gets a new one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: Any = None

    def write(self, template: str, bare: dict[str, Any], facts: dict[str, Any]) -> str | None:
        with self.lock:
            if self.process is None:
                self._start()
            try:
                self.ours.send((template, bare, facts, SECONDS))
                return self.ours.recv()  # type: ignore[no-any-return]
            except (EOFError, OSError):
                self.ours.close()
                self.process.join()
                self.process = None
                return None

    def _start(self) -> None:
        spawn = multiprocessing.get_context("spawn")  # a server has threads, which a fork would not survive
        self.ours, theirs = spawn.Pipe()
        self.process = spawn.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()


@cache
def _writer() -> _Writer:
    return _Writer()


def _serve(link: Connection) -> None:
    """Inside that process: pages, one after the other; a timer of the kernel's ends it in the midst of anything."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    with suppress(ValueError, OSError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    templates(), _css()
    while True:
        try:
            template, bare, facts, seconds = link.recv()
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            written = fill(template, bare, facts)
        except Exception:  # whatever a library makes of a stranger's text
            written = None
        signal.setitimer(signal.ITIMER_PROF, 0)
        link.send(written)
