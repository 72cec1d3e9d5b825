"""Slides of an executed chapter: one folder that opens in any browser, with no network.

A section of the chapter is a stack of slides. How much fits on one is measured in the browser (`slides.js`); formulas are
MathML. reveal.js comes with the package sphinx-revealjs.
"""

import importlib.util
import shutil
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter

from course.judging import archive
from solutions.classroom.feedback import sanitize
from solutions.classroom.folder import ClassFolderError
from solutions.classroom.lecture.executed import executed
from solutions.classroom.lecture.live_typing import short_definition
from solutions.classroom.lecture.notes import notes_of
from solutions.classroom.release.source_notebook import assignment_title

HERE = Path(__file__).parent / "templates"
WIDTH, HEIGHT = 1280, 720
"""Of a slide, in pixels."""

LONGEST_DEMONSTRATION = 10
"""Lines of code that a slide shows beside what they bring forth; longer ones are on the notebook's side of the lecture."""


def make_slides(chapter: str, place: Path) -> Path:
    """Write a chapter's slides into a folder; returns the page to open.

    Raises ClassFolderError where reveal.js is not installed, or the chapter does not run.
    """
    reveal = _reveal()
    notebook = executed(chapter)
    folder = place / chapter
    for part in ("dist", "plugin/notes"):
        ignored = shutil.ignore_patterns("*.map", "*.esm.js", "*.py", "theme")
        shutil.copytree(reveal / part, folder / "reveal.js" / part, dirs_exist_ok=True, ignore=ignored)
    page = folder / "index.html"
    archive.write_bytes(page, slides_page(chapter, notebook).encode())
    return page


def _reveal() -> Path:
    found = importlib.util.find_spec("sphinx_revealjs")
    if found is None or found.origin is None:
        raise ClassFolderError("Slides need reveal.js: `pip install sphinx-revealjs` brings it.")
    return Path(found.origin).parent / "_static" / "revealjs"


def slides_page(chapter: str, notebook: NotebookNode) -> str:
    """The page of an executed chapter's slides."""
    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True)
    colours = HtmlFormatter(style="friendly", cssclass="code").get_style_defs(".code")
    return environment.get_template("slides.html.j2").render(
        title=assignment_title(chapter),
        sections=sections(chapter, notebook),
        css=(HERE / "slides.css").read_text("utf-8") + colours,
        js=(HERE / "slides.js").read_text("utf-8"),
        width=WIDTH,
        height=HEIGHT,
    )


def sections(chapter: str, notebook: NotebookNode) -> list[dict[str, Any]]:
    """The chapter's sections: heading, parts in their order as markup, and the lecturer's notes."""
    notes = notes_of(chapter)
    found: list[dict[str, Any]] = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith(("# ", "## ")):
            heading = cell.source.split("\n")[0].lstrip("# ").strip()
            found.append(
                {"heading": heading, "notes": sanitize.markdown(notes.get(heading, "")), "parts": []}
            )
        if found:
            found[-1]["parts"] += _parts(cell)
    return found


def _parts(cell: NotebookNode) -> list[Any]:
    """What of a cell is on the slides: text by its paragraphs, an exercise's function, a short demonstration, what came out."""
    facts = cell.metadata.get("nbgrader", {})
    if cell.cell_type == "markdown":
        answer = facts.get("solution")
        return [] if answer else [sanitize.markdown(part) for part in _paragraphs(cell.source)]
    if facts.get("grade") or facts.get("locked"):
        return []
    outputs = [
        sanitize.output(out.output_type, _joined(out)) for out in cell.outputs if out.get("name") != "stderr"
    ]
    if facts.get("solution"):
        return [sanitize.code(short_definition(cell.source))]
    short = cell.source.count("\n") < LONGEST_DEMONSTRATION
    return [*([sanitize.code(cell.source)] if short else []), *outputs]


def _joined(output: NotebookNode) -> dict[str, Any]:
    return {"traceback": "\n".join(output.get("traceback", []))} | {
        key: value for key, value in output.items() if key != "traceback"
    }


def _paragraphs(source: str) -> list[str]:
    """Markdown between blank lines; a heading stays with what follows it, and what is fenced stays whole."""
    parts: list[str] = []
    for part in source.split("\n\n"):
        whole = parts and (
            (parts[-1].lstrip().startswith("#") and "\n" not in parts[-1]) or parts[-1].count("```") % 2
        )
        if whole:
            parts[-1] += f"\n\n{part}"
        elif part.strip():
            parts.append(part)
    return parts
