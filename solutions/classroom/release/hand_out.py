"""What students get without nbgrader: the start page and the notebooks, laid out in a folder, and the kit."""

import os
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import nbformat
import torch
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from tqdm import tqdm

from course.judging import archive
from course.judging.sheets import sheet_name
from solutions.classroom.release.course_version import course_version
from solutions.classroom.release.publish import REPOSITORY
from solutions.classroom.release.source_notebook import (
    KERNEL,
    notebook_bytes,
    public_sheet,
    source_notebook,
    student_notebook,
)

KEPT = REPOSITORY / "build" / "students"
"""Notebooks and answer sheets as they were last made, by the version of the course that made them."""

START = "START.ipynb"


def lay_out_notebooks(place: Path, chapters: Sequence[str], quiet: bool = False) -> list[Path]:
    """The start page, and per chapter a folder with the student's notebook and its answer sheet.

    A notebook that is there already stays. Returns the new ones.
    """
    laid = []
    for chapter, kept in _made(chapters, quiet):
        target = place / chapter / f"{chapter}.ipynb"
        archive.write_bytes(target.parent / sheet_name(chapter), (kept / sheet_name(chapter)).read_bytes())
        if not target.exists():
            archive.write_bytes(target, (kept / target.name).read_bytes())
            laid.append(target)
    if not (place / START).exists():
        archive.write_bytes(place / START, notebook_bytes(start_notebook()))
    return laid


def _made(chapters: Sequence[str], quiet: bool) -> Iterator[tuple[str, Path]]:
    """Each chapter with the folder in which its files are kept; several are made at a time where they are not there yet."""
    missing = [chapter for chapter in chapters if not (KEPT / _name(chapter) / "done").exists()]
    if missing:
        workers = min(len(missing), os.cpu_count() or 1)
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            made = pool.map(_make, missing)
            list(tqdm(made, total=len(missing), unit="chapter", desc="laying out", disable=quiet, delay=1))
    for chapter in chapters:
        yield chapter, KEPT / _name(chapter)


def _name(chapter: str) -> str:
    return f"{chapter}-{course_version(chapter)[:16]}"


def _make(chapter: str) -> None:
    torch.set_num_threads(1)
    place = KEPT / _name(chapter)
    for old in KEPT.glob(f"{chapter}-*"):
        if old != place:
            shutil.rmtree(old, ignore_errors=True)
    archive.write(place / sheet_name(chapter), public_sheet(chapter, source_notebook(chapter)))
    archive.write_bytes(place / f"{chapter}.ipynb", notebook_bytes(student_notebook(chapter)))
    archive.write_bytes(place / "done", b"")


def start_notebook() -> NotebookNode:
    """The page on which students begin."""
    about, after = (new_markdown_cell(text, id=name) for name, text in (("about", _ABOUT), ("how", _HOW)))
    cells = [about, new_code_cell(_TEST, id="test"), new_code_cell(_MAP, id="map"), after]
    return new_notebook(cells=cells, metadata=nbformat.from_dict(KERNEL))


_ABOUT = """\
# Explaining deep networks

What does a network look at? What is a neuron looking for? Would a simpler model say the same? Fourteen notebooks open deep networks up, and each asks
you to write the methods yourself.

Run the two cells below (click into one and press Shift + Enter): the first says whether everything is installed, the second shows the chapters and how far you are.
Then open a chapter. Chapter 1 is the place to begin; 10, 13 and 14 need none of 2 to 9."""

_TEST = """\
from course.start import overview, self_test

self_test()"""

_MAP = "overview()"

_HOW = """\
## How it works

In a chapter, functions wait to be written. Write one where it says *Your code here*, run its cell, then the cell `check(…)` below it:

- **✔** it is right.
- **✘** it is not, and the sentence says what came out, or what you did instead.
- **○** it is not done yet, or it waits for another function.

`hint(…)` gives a hint, up to three, each saying more. `progress()` shows how far you are in the chapter. One question in each chapter is answered in words, and a person reads it.
Checking needs no network, and nothing is sent anywhere.

After a restart of the kernel, run the chapter's first cell again. The points of your mark come from other inputs than those that `check` tries; a function that does what
its docstring says is right for both.

## If something is wrong

- *A name is not defined*: run the chapter's first cell, then those above the one that failed.
- *A cell does not end*: the square in the toolbar stops it.
- *The self-test names something that is missing*: do what it says, then restart the kernel.
- *A question about the course*: ask whoever gave you these notebooks."""


def make_kit(place: Path, chapters: Sequence[str]) -> Path:
    """What a student installs and works in: `course` without its chapter texts, `datasets`, and the notebooks.

    Written into the folder `place`, and as one zip beside it, whose path is returned.
    """
    ignored = shutil.ignore_patterns("chapters", "__pycache__", "*.pyc")
    shutil.copytree(REPOSITORY / "course", place / "course", ignore=ignored, dirs_exist_ok=True)
    recipes = shutil.ignore_patterns("recipes", "__pycache__")  # some use the reference
    shutil.copytree(REPOSITORY / "datasets", place / "datasets", ignore=recipes, dirs_exist_ok=True)
    for name in ("constraints.txt", "LICENSE", "LICENSE-TEXTS"):
        shutil.copy(REPOSITORY / name, place / name)
    archive.write_bytes(place / "pyproject.toml", _kit_project().encode())
    archive.write_bytes(place / "README.md", _KIT_README.encode())
    lay_out_notebooks(place / "notebooks", chapters)
    return _zipped(place)


def _zipped(place: Path) -> Path:
    """The kit as one file, everything in a folder of its name; what students leave behind in a folder is not in it."""
    path = place.with_name(f"{place.name}.zip")
    left = {".venv", "__pycache__", ".ipynb_checkpoints"}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(place.rglob("*")):
            inside = file.relative_to(place)
            egg = any(part.endswith(".egg-info") for part in inside.parts)
            if file.is_file() and not left & set(inside.parts) and not egg:
                packed.write(file, Path(place.name) / inside)
    return path


def _kit_project() -> str:
    """The project file without what only instructors and developers need."""
    head = (REPOSITORY / "pyproject.toml").read_text("utf-8").partition("[project.optional-dependencies]")[0]
    exchange = '[project.optional-dependencies]\nexchange = ["nbgrader>=0.9.5"]\n\n'
    return head + exchange + '[tool.setuptools.packages.find]\ninclude = ["course*"]\n'


_KIT_README = """# Explaining deep networks: your notebooks

You need Python 3.11 or newer, 6 GB of disk (1.5 GB with PyTorch's CPU build), a network for the installation, and for it some five minutes. Open a terminal in this folder.

## Install, once

Linux and macOS:

    python3 -m venv .venv
    source .venv/bin/activate

Windows:

    py -m venv .venv
    .venv\\Scripts\\activate

On a Linux computer without an NVIDIA card, this line first: it fetches 0.3 GB instead of 3.

    pip install -c constraints.txt torch torchvision --index-url https://download.pytorch.org/whl/cpu

Then, everywhere:

    pip install -c constraints.txt -e .

If your course hands notebooks out and in through nbgrader's exchange: `pip install -c constraints.txt -e ".[exchange]"`.

## Work

Each time, after the line with `activate`:

    jupyter lab notebooks/START.ipynb

The start page says whether everything is there, shows the chapters and how far you are. Everything works without a network once it is installed.
"""
