"""The sources of the site's pages: a chapter as the world may see it, the front page, the map, the gallery."""

import base64
import html
import io
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from PIL import Image

from course.exercises import exercises_of
from solutions.classroom.feedback.sanitize import SHOWN_PICTURE
from solutions.classroom.release.source_notebook import assignment_title, student_notebook

STILL = "*Here controls are drawn once. In your own notebook they can be moved.*"


@dataclass(frozen=True)
class Picture:
    """A picture of a chapter, in as few bytes as its colours need."""

    words: str
    png: bytes


def open_chapter(chapter: str, executed: NotebookNode) -> NotebookNode:
    """The students' notebook with the pictures of the executed one. What fills a gap is not in it."""
    notebook = student_notebook(chapter)
    ran = {cell.id: cell for cell in executed.cells}
    cells = []
    for cell in notebook.cells:
        facts = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code" and facts.get("locked") and not facts.get("grade"):
            continue  # given code may be what an earlier chapter asks for
        cell.metadata = nbformat.from_dict({})
        if cell.cell_type == "code" and cell.id in ran and not (facts.get("solution") or facts.get("grade")):
            cell.outputs = [
                _smaller(output) for output in ran[cell.id].outputs if output.get("name") != "stderr"
            ]
        cells.append(cell)
        if cell.cell_type == "code" and "explore(" in cell.source:
            cells.append(new_markdown_cell(STILL, id=f"{cell.id}-still"))
    notebook.cells = cells
    return notebook


def pictures(executed: NotebookNode) -> list[Picture]:
    """All pictures of a chapter in their order."""
    found = []
    for cell in executed.cells:
        for output in cell.get("outputs", []):
            shown = SHOWN_PICTURE.fullmatch(output.get("data", {}).get("text/html", "").strip())
            if shown:
                found.append(Picture(html.unescape(shown[1]), _palette(base64.b64decode(shown[4]))))
    return found


def _smaller(output: NotebookNode) -> NotebookNode:
    shown = SHOWN_PICTURE.fullmatch(output.get("data", {}).get("text/html", "").strip())
    if not shown:
        return output
    less = base64.b64encode(_palette(base64.b64decode(shown[4]))).decode()
    made = nbformat.from_dict(output)
    made.data["text/html"] = made.data["text/html"].replace(shown[4], less)
    return made


def _palette(png: bytes) -> bytes:
    """The picture in 256 colours, where that makes it smaller."""
    buffer = io.BytesIO()
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
        buffer, "png", optimize=True
    )
    return min(png, buffer.getvalue(), key=len)


def front_page(readme: str, chapters: list[str]) -> str:
    """The site's first page: what the course is, the ways in, and the table of contents."""
    about = readme.partition("\n## ")[0].partition("\n")[2].strip()
    about = re.sub(r"\]\(docs/", "](", about)
    listed = "\n".join(f"chapters/{chapter}" for chapter in chapters)
    return f"""# Explaining deep networks

{about}

Look at the [map of the chapters](map.md) or at the [gallery](gallery.md), or [teach with it](teach.md).

```{{toctree}}
:hidden:
:caption: Chapters

{listed}
```

```{{toctree}}
:hidden:
:caption: The course

map
gallery
teach
datasets
grading
architecture
```
"""


def map_page(chapters: list[str], questions: dict[str, str]) -> str:
    """What each chapter asks, how long it takes, and its exercises."""
    rows = [
        "# The map",
        "",
        "Minutes are estimates.",
        "",
        "| chapter | asks | exercises | minutes |",
        "|---|---|---|---|",
    ]
    for chapter in chapters:
        exercises = exercises_of(chapter).values()
        minutes = sum(exercise.minutes for exercise in exercises)
        rows.append(
            f"| [{assignment_title(chapter)}](chapters/{chapter}.ipynb) | {questions.get(chapter, '')} | {len(exercises)} | {minutes} |"
        )
    return "\n".join(rows) + "\n"


def questions_in(readme: str) -> dict[str, str]:
    """The README's table of chapters: number → what the chapter asks."""
    return dict(re.findall(r"^\| (\d+) \| [^|]+ \| ([^|]+?) \|$", readme, re.MULTILINE))


def gallery_page(found: dict[str, list[Picture]], place: Path) -> str:
    """One picture of each chapter that leads into it. The pictures are written into `place`."""
    place.mkdir(parents=True, exist_ok=True)
    cards = []
    for chapter, shown in found.items():
        if not shown:
            continue
        best = max(shown, key=lambda picture: len(picture.png))
        (place / f"{chapter}.png").write_bytes(best.png)
        words = html.escape(best.words.partition(". ")[0])
        title = html.escape(assignment_title(chapter))
        cards.append(
            f'<a href="chapters/{chapter}.html"><img src="_static/gallery/{chapter}.png" alt="{words}" loading="lazy"><span>{title}</span></a>'
        )
    return (
        "# Gallery\n\nEach picture leads into its chapter.\n\n"
        + '<div class="gallery">\n'
        + "\n".join(cards)
        + "\n</div>\n"
    )


def public_text(text: str) -> str:
    """A document of the repository as a page of the site: links to files that are not on it become plain words."""
    return re.sub(r"(?<!!)\[([^\]]+)\]\((?!https?:|#)([^)]+)\)", r"\1", text)
