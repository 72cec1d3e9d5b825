"""Make the site: execute the chapters (what has not changed is kept), write the pages' sources, let Sphinx build them."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from course.judging import archive
from solutions.classroom.folder import ClassFolderError
from solutions.classroom.lecture.executed import executed
from solutions.classroom.release.publish import REPOSITORY, import_path
from solutions.classroom.release.source_notebook import notebook_bytes, source_notebook
from solutions.classroom.site import pages

HERE = Path(__file__).parent / "templates"
DOCUMENTS = {
    "grading": "docs/grading.md",
    "architecture": "docs/architecture.md",
    "datasets": "datasets/README.md",
}
"""Pages that are documents of the repository."""

TEACH = "docs/teaching/README.md"


def make_site(place: Path, chapters: Sequence[str], work: Path) -> Path:
    """Write the site into `place`; returns its first page. work: where executed chapters and sources are kept.

    Raises ClassFolderError where Sphinx is not installed, complains, or a chapter does not run.
    """
    found: dict[str, list[pages.Picture]] = {}
    sources = work / "sources"
    shutil.rmtree(sources, ignore_errors=True)
    for chapter in chapters:
        ran = _executed_before(chapter, work / "executed")
        found[chapter] = pages.pictures(ran)
        notebook = notebook_bytes(pages.open_chapter(chapter, ran))
        archive.write_bytes(sources / "chapters" / f"{chapter}.ipynb", notebook)
    _documents(sources, list(chapters), found)
    shutil.rmtree(place, ignore_errors=True)
    _sphinx(sources, place)
    return place / "index.html"


def _executed_before(chapter: str, kept: Path) -> NotebookNode:
    """The executed chapter; not run again while neither its text nor anything it imports has changed."""
    digest = hashlib.sha256(
        notebook_bytes(source_notebook(chapter)) + os.environ.get("COURSE_FAST", "").encode()
    )
    for path in sorted((REPOSITORY / "course").rglob("*.py")):
        if "chapters" not in path.parts:
            digest.update(path.read_bytes())
    path = kept / f"{chapter}-{digest.hexdigest()[:16]}.ipynb"
    if path.exists():
        return nbformat.read(path, as_version=4)
    ran = executed(chapter)
    for old in kept.glob(f"{chapter}-*.ipynb"):
        old.unlink()
    archive.write_bytes(path, notebook_bytes(ran))
    return ran


def _documents(sources: Path, chapters: list[str], found: dict[str, list[pages.Picture]]) -> None:
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    questions = pages.questions_in(readme)
    asked = {chapter: questions.get(str(int(chapter[:2])), "") for chapter in chapters}
    static = sources / "_static"
    texts = {
        "index": pages.front_page(readme, chapters),
        "map": pages.map_page(chapters, asked),
        "gallery": pages.gallery_page(found, static / "gallery"),
        "teach": _text(TEACH)
        if (REPOSITORY / TEACH).exists()
        else "# How to teach with it\n\n" + _part(readme, "For instructors"),
    }
    texts |= {name: _text(path) for name, path in DOCUMENTS.items()}
    for name, text in texts.items():
        archive.write_bytes(sources / f"{name}.md", text.encode())
    for path in [*(REPOSITORY / "docs").glob("*.png"), *(REPOSITORY / "docs").glob("*.svg")]:
        shutil.copy(path, sources)
    static.mkdir(exist_ok=True)
    shutil.copy(HERE / "site.css", static)
    shutil.copy(HERE / "conf.py", sources)


def _text(path: str) -> str:
    return pages.public_text((REPOSITORY / path).read_text("utf-8"))


def _part(readme: str, heading: str) -> str:
    return pages.public_text(readme.partition(f"\n## {heading}\n")[2].partition("\n## ")[0])


def _sphinx(sources: Path, place: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-b",
        "html",
        "-q",
        "--keep-going",
        "-d",
        str(sources / ".doctrees"),
    ]
    done = subprocess.run(
        [*command, str(sources), str(place)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": import_path()},
        check=False,
    )
    if done.returncode:
        raise ClassFolderError(f"Sphinx could not build the site:\n{(done.stdout + done.stderr)[-2000:]}")
    if done.stderr.strip():
        print(done.stderr.strip(), file=sys.stderr)
    shutil.rmtree(place / ".doctrees", ignore_errors=True)
    (place / ".nojekyll").touch()
