"""What the start page says: whether everything is installed, and how far its reader is, chapter by chapter."""

import html
import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from course.exercises import CHAPTERS, exercises_of, topic
from course.judging.archive import ArchiveError
from course.judging.sheets import read_plan, sheet_name
from course.notebook import ticks
from course.show import in_notebook

OLDEST = (3, 11)
"""The oldest Python that the course runs on."""

LIBRARIES = {
    "torch": "torch",
    "torchvision": "torchvision",
    "numpy": "numpy",
    "matplotlib": "matplotlib",
    "ipywidgets": "ipywidgets",
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "safetensors": "safetensors",
    "jaxtyping": "jaxtyping",
    "tqdm": "tqdm",
}
"""What chapters import → how it is installed."""


@dataclass(frozen=True)
class Standing:
    """How far somebody is in a chapter. done, of: points, as the mark counts them; the question in words is a person's to grade."""

    chapter: str
    done: float
    of: float
    right: int
    exercises: int
    minutes: int


def self_test() -> None:
    """Say whether this installation runs the course, and if not, what is missing and how to get it."""
    for trouble in (missing := troubles()):
        print(f"✘ {trouble}")
    if not missing:
        print(
            f"✔ Everything is here: Python {sys.version.split()[0]}, PyTorch {version('torch')}. No network is needed from here on."
        )


def troubles() -> list[str]:
    """What keeps this installation from running the course, each in a sentence with the remedy."""
    found = []
    if sys.version_info < OLDEST:
        found.append(
            f"Python {sys.version.split()[0]} is too old: the course needs {'.'.join(map(str, OLDEST))} or newer."
        )
    found += [said for module, name in LIBRARIES.items() if (said := _trouble_with(module, name))]
    for name, ask in _FILES.items():
        try:
            ask()
        except Exception as error:  # whatever a damaged file makes of its reader
            found.append(
                f"{name} cannot be read ({type(error).__name__}): copy the folders course and datasets again."
            )
    return found


def _trouble_with(module: str, name: str) -> str:
    try:
        importlib.import_module(module)
        version(name)
    except (ImportError, PackageNotFoundError) as error:
        return f"{name} is missing or broken ({error}): `pip install -c constraints.txt -e .` in the folder of the course brings it."
    except Exception as error:  # a library that was built for another machine
        return f"{name} does not start ({type(error).__name__}: {error}). Install it again: `pip install --force-reinstall {name}`."
    return ""


def _digits() -> object:
    from course.data.digits import load_digits

    return load_digits()


def _network() -> object:
    from course.models.digits import load_digits_cnn

    return load_digits_cnn()


_FILES: dict[str, Callable[[], object]] = {"The digits": _digits, "The network that reads them": _network}


def standings(place: Path | None = None) -> list[Standing]:
    """How far somebody is in each chapter whose folder lies here."""
    place = place or Path.cwd()
    found = []
    for chapter in CHAPTERS:
        folder = place / chapter
        if not (folder / sheet_name(chapter)).exists():
            continue
        exercises = exercises_of(chapter)
        verdicts = ticks.kept(folder, chapter)
        right = [name for name, verdict in verdicts.items() if verdict.right]
        found.append(
            Standing(
                chapter,
                float(sum(exercises[name].points for name in right)),
                float(
                    sum(exercise.points for exercise in exercises.values())
                    + _in_words(folder / sheet_name(chapter))
                ),
                len(right),
                len(exercises),
                sum(exercise.minutes for exercise in exercises.values()),
            )
        )
    return found


def _in_words(sheet: Path) -> float:
    try:
        return float(sum(read_plan(sheet).questions.values()))
    except ArchiveError:
        return 0.0


def overview(place: Path | None = None) -> None:
    """Show the map of the chapters that lie here, with links, and how far you are in each."""
    found = standings(place)
    if not found:
        print(
            "○ No chapter lies beside this notebook: keep START.ipynb in the folder that holds the chapters' folders."
        )
        return
    if in_notebook():
        from IPython.display import HTML, display

        display(HTML(_table(found)))
        return
    for one in found:
        print(
            f"{one.chapter[:2]} {topic(one.chapter).replace('_', ' '):<28} {one.done:g} of {one.of:g} points"
        )


def _table(found: list[Standing]) -> str:
    rows = []
    for one in found:
        name = html.escape(topic(one.chapter).replace("_", " "))
        path = f"{one.chapter}/{one.chapter}.ipynb"
        rows.append(
            f'<tr><td style="text-align:right">{int(one.chapter[:2])}</td><td style="text-align:left"><a href="{path}">{name}</a></td>'
            f'<td><progress max="{one.exercises}" value="{one.right}" aria-label="{one.right} of {one.exercises} exercises"></progress></td>'
            f"<td>{one.right} of {one.exercises}</td><td>{one.done:g} of {one.of:g}</td><td>{one.minutes}</td></tr>"
        )
    head = "".join(
        f"<th>{name}</th>" for name in ("", "chapter", "", "exercises right", "points", "minutes (estimated)")
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
