"""What the class found hard: per exercise who solved it, which misconceptions occurred, what grading took."""

import html
import json
import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from course import archive
from course.exercises import exercises_of
from solutions.classroom.answers import PUBLIC_SEEDS
from solutions.classroom.build import assignment_title
from solutions.classroom.folder import ClassFolder
from solutions.classroom.gradebook import open_gradebook
from solutions.classroom.prove import prove

FOLLOWING = "follows"


@dataclass
class Item:
    """One exercise over the whole class.

    difficulty: share of the graded who solved it. discrimination: correlation of solving it with the points on the
    chapter's other exercises (None when it cannot be computed). killed, wrong: the exercise's own wrong solutions
    that the judge rejects by name, and how many there are.
    """

    exercise: str
    minutes: int
    points: float
    outcomes: Counter[str] = field(default_factory=Counter)
    misconceptions: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    discrimination: float | None = None
    killed: int = 0
    wrong: int = 0

    @property
    def graded(self) -> int:
        return sum(self.outcomes.values())

    @property
    def solved(self) -> int:
        return self.outcomes["right"]

    @property
    def difficulty(self) -> float:
        return self.solved / self.graded if self.graded else 0.0


@dataclass(frozen=True)
class Row:
    """One student's chapter. state: "graded", "answer awaits a reader", "nothing handed in", "unreadable"."""

    student: str
    chapter: str
    points: float
    of: float
    state: str
    sentence: str
    notes: tuple[str, ...] = ()


def verdicts_of(folder: ClassFolder, chapter: str) -> dict[str, Any]:
    """student → what grading left about this chapter."""
    place = folder.hidden / "verdicts" / chapter
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(place.glob("*.json"))}


def rows(folder: ClassFolder, chapters: Sequence[str]) -> list[Row]:
    """A row for every student and chapter, also for those who handed in nothing."""
    found = []
    for chapter in chapters:
        verdicts = verdicts_of(folder, chapter)
        scores = _scores(folder, chapter)
        of = sum(exercise.points for exercise in exercises_of(chapter).values())
        for student in folder.students():
            verdict = verdicts.get(student)
            points, most, pending = scores.get(student, (0.0, float(of), False))
            if verdict is None:
                state, sentence = "nothing handed in", "Nothing was handed in."
            elif verdict["unreadable"]:
                missing = verdict["unreadable"].startswith("Nothing was handed in")
                state, sentence = "nothing handed in" if missing else "unreadable", verdict["unreadable"]
            else:
                state = "answer awaits a reader" if pending else "graded"
                sentence = _first_sentence(verdict)
            notes = tuple(verdict["notes"]) if verdict else ()
            found.append(Row(student, chapter, points, most, state, sentence, notes))
    return found


def _scores(folder: ClassFolder, chapter: str) -> dict[str, tuple[float, float, bool]]:
    with open_gradebook(folder) as book:
        if chapter not in [assignment.name for assignment in book.assignments]:
            return {}
        return {
            submission.student_id: (
                float(submission.score),
                float(submission.max_score),
                bool(submission.needs_manual_grade),
            )
            for submission in book.assignment_submissions(chapter)
        }


def _first_sentence(verdict: dict[str, Any]) -> str:
    for name, item in verdict["exercises"].items():
        if item["kind"] != "right":
            return f"{name}: {item['message']}"
    given = [item["message"] for item in verdict["exercises"].values() if item["follows"]]
    return given[0] if given else "All right."


def items(folder: ClassFolder, chapter: str, kill_scores: bool = True) -> list[Item]:
    """Every exercise of a chapter over the whole class."""
    verdicts = [v for v in verdicts_of(folder, chapter).values() if not v["unreadable"]]
    found = []
    for name, exercise in exercises_of(chapter).items():
        item = Item(name, exercise.minutes, exercise.points)
        mine, others = [], []
        for verdict in verdicts:
            part = verdict["exercises"].get(name)
            if part is None:
                continue
            item.outcomes[part["kind"]] += 1
            if part["misconception"]:
                item.misconceptions[part["misconception"]] += 1
            item.seconds.append(part["seconds"])
            mine.append(part["points"])
            others.append(sum(p["points"] for p in verdict["exercises"].values()) - part["points"])
        item.discrimination = _correlation(mine, others)
        if kill_scores:
            proof = prove(chapter, exercise, PUBLIC_SEEDS)
            item.killed, item.wrong = proof.rejected, proof.wrong
        found.append(item)
    return found


def _correlation(a: Sequence[float], b: Sequence[float]) -> float | None:
    if len(a) < 3 or len(set(a)) == 1 or len(set(b)) == 1:
        return None
    value = statistics.correlation(a, b)
    return None if math.isnan(value) else value


def wide_console() -> Console:
    """The terminal; wide where there is none, so that a log is readable."""
    console = Console()
    return console if console.is_terminal else Console(width=180)


def print_report(folder: ClassFolder, chapters: Sequence[str], console: Console | None = None) -> None:
    """The tables in the terminal."""
    console = console or wide_console()
    for chapter in chapters:
        table = Table(title=assignment_title(chapter), title_justify="left")
        for column in (
            "exercise",
            "solved",
            "discrimination",
            "misconceptions",
            "kill score",
            "seconds",
            "minutes planned",
        ):
            table.add_column(column, justify="left" if column in ("exercise", "misconceptions") else "right")
        for item in items(folder, chapter):
            table.add_row(
                item.exercise,
                f"{item.solved}/{item.graded}",
                "–" if item.discrimination is None else f"{item.discrimination:+.2f}",
                ", ".join(f"{name} {count}×" for name, count in item.misconceptions.most_common()) or "–",
                f"{item.killed}/{item.wrong}",
                f"{statistics.median(item.seconds):.2f}" if item.seconds else "–",
                str(item.minutes),
            )
        console.print(table)


def print_class(found: Sequence[Row], console: Console | None = None) -> None:
    """Student × chapter: points and the first sentence of feedback."""
    table = Table()
    for column in ("student", "chapter", "points", "state", "feedback"):
        table.add_column(column, justify="right" if column == "points" else "left", overflow="fold")
    for row in found:
        table.add_row(row.student, row.chapter, f"{row.points:g}/{row.of:g}", row.state, row.sentence)
    (console or wide_console()).print(table)


def write_page(folder: ClassFolder, chapters: Sequence[str]) -> Path:
    """The same as one HTML page with a chart per chapter; needs no network to be looked at."""
    parts = [_chapter_page(folder, chapter) for chapter in chapters]
    waiting = [row for row in rows(folder, chapters) if row.state != "graded"]
    listed = "".join(
        f"<tr><td>{html.escape(row.student)}</td><td>{html.escape(row.chapter)}</td><td>{html.escape(row.state)}</td>"
        f"<td>{html.escape(row.sentence)}</td></tr>"
        for row in waiting
    )
    page = _PAGE.format(
        title=html.escape(f"Report: {folder.root.name}"),
        chapters="\n".join(parts),
        waiting=f"<table><tr><th>student</th><th>chapter</th><th>state</th><th>why</th></tr>{listed}</table>"
        if waiting
        else "<p>Nobody: everything is graded.</p>",
    )
    path = folder.root / "report.html"
    archive.write_bytes(path, page.encode())
    return path


_SHOWN = {
    "right": ("solved", "#0072b2"),
    "misconception": ("a named misconception", "#d55e00"),
    "different": ("other wrong values", "#e69f00"),
    "raised": ("an exception", "#cc79a7"),
    "other": ("shape, type, killed …", "#999999"),
    "follows": ("waits for another exercise", "#bbd4e8"),
    "open": ("not done yet", "#e8e8e8"),
}


def _chapter_page(folder: ClassFolder, chapter: str) -> str:
    found = items(folder, chapter)
    lines = []
    for item in found:
        shares: Counter[str] = Counter()
        for kind, count in item.outcomes.items():
            shares[kind if kind in _SHOWN else "other"] += count
        said = ", ".join(f"{count} {_SHOWN[kind][0]}" for kind, count in shares.items())
        bars = "".join(
            f'<span style="width:{100 * shares[kind] / item.graded:.2f}%;background:{colour}" title="{shares[kind]} {text}"></span>'
            for kind, (text, colour) in _SHOWN.items()
            if shares[kind]
        )
        wrong = (
            "<br>".join(
                f"{html.escape(name)}&nbsp;{count}×" for name, count in item.misconceptions.most_common()
            )
            or "–"
        )
        discrimination = "–" if item.discrimination is None else f"{item.discrimination:+.2f}"
        seconds = f"{statistics.median(item.seconds):.2f}" if item.seconds else "–"
        lines.append(
            f"<tr><th scope=row><code>{html.escape(item.exercise)}</code></th>"
            f'<td class=bar role=img aria-label="{html.escape(said)}">{bars}</td>'
            f"<td>{item.solved}/{item.graded}</td><td>{discrimination}</td><td>{wrong}</td>"
            f"<td>{item.killed}/{item.wrong}</td><td>{seconds}</td><td>{item.minutes}</td></tr>"
        )
    legend = "".join(
        f'<span><i style="background:{colour}"></i>{text}</span>' for text, colour in _SHOWN.values()
    )
    return (
        f"<h2>{html.escape(assignment_title(chapter))}</h2><p class=legend>{legend}</p><table>"
        "<tr><th>exercise</th><th>how it ended</th><th>solved</th><th>discrimination</th><th>misconceptions</th>"
        "<th>kill score</th><th>seconds</th><th>minutes planned</th></tr>" + "".join(lines) + "</table>"
    )


_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>
body{{font:15px/1.45 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#222}}
table{{border-collapse:collapse;width:100%}}th,td{{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}}
.bar{{width:18rem;white-space:nowrap;font-size:0}}.bar span{{display:inline-block;height:1.1rem}}
.legend span{{margin-right:1rem;white-space:nowrap}}.legend i{{display:inline-block;width:.9rem;height:.9rem;margin-right:.3rem;vertical-align:-.1rem;border:1px solid #ccc}}
</style><h1>{title}</h1>
<p>Solved: of those whose notebook could be read. Discrimination: correlation between solving the exercise and the points on the
chapter's others. Kill score: how many of the exercise's own wrong solutions the judge rejects by name. Seconds: median of running one
submission's function on the hidden cases.</p>
{chapters}
<h2>Who waits, and for what</h2>{waiting}</html>
"""
