"""What the class found hard: per exercise who solved it, which misconceptions occurred, what grading took."""

import html
import itertools
import math
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from course.exercises import exercises_of
from course.judging import archive
from course.judging.exercise import Exercise
from course.judging.verdict import Answers, compare
from solutions.classroom.assignment import Assignment
from solutions.classroom.faults import NobodyReads
from solutions.classroom.feedback.answer_guides import MINUTES_PER_ANSWER
from solutions.classroom.feedback.marks import (
    ABSENT,
    ALL_RIGHT,
    GRADED,
    NOT_YET,
    UNREADABLE,
    WAITS,
    counted,
    marks,
    verdicts_of,
    with_blank,
)
from solutions.classroom.folder import ClassFolder
from solutions.classroom.plain_text import plain
from solutions.classroom.release.source_notebook import assignment_title
from solutions.classroom.roster import unmatched


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
    """One student's chapter, for people. points: after the late penalty. why: what it waits for, or what was wrong; or "".

    waiting: how many answers in words await a reader.
    """

    student: str
    chapter: str
    points: float
    of: float
    state: str
    sentence: str
    why: str = ""
    notes: tuple[str, ...] = ()
    waiting: int = 0


def rows(folder: ClassFolder, chapters: Sequence[str]) -> list[Row]:
    """A row for every student and chapter, also for those who handed in nothing."""
    verdicts = {chapter: verdicts_of(folder, chapter) for chapter in chapters}
    found = []
    for mark in marks(folder, chapters):
        verdict = verdicts[mark.chapter].get(mark.student)
        sentence, why, notes = _SAID.get(mark.state, ""), mark.why, ()
        if verdict and mark.state in (GRADED, WAITS, UNREADABLE):
            sentence = verdict["unreadable"] or with_blank(_feedback(verdict), verdict, mark)
            why = verdict["unreadable"] or why
            notes = tuple(verdict["notes"])
        waiting = mark.answers if mark.state == WAITS else 0
        found.append(
            Row(mark.student, mark.chapter, mark.points, mark.of, mark.state, sentence, why, notes, waiting)
        )
    return found


_SAID = {ABSENT: "Nothing was handed in.", NOT_YET: "This notebook has not been graded yet."}


def _feedback(verdict: dict[str, Any]) -> str:
    """The first sentence that the student reads, and which other exercises are not right."""
    open_ = [(name, item) for name, item in verdict["exercises"].items() if item["kind"] != "right"]
    if not open_:
        given = [item["message"] for item in verdict["exercises"].values() if item["follows"]]
        return given[0] if given else ALL_RIGHT
    (first, item), *rest = open_
    others = f" Also: {', '.join(name for name, _ in rest)}." if rest else ""
    number = f"{len(open_)} of {len(verdict['exercises'])} not right yet. "
    return f"{number}{first}: {item['message']}{others}"


def to_read(found: Sequence[Row]) -> str:
    """How many answers in words await a reader, and about how long reading them takes; "" for none."""
    waiting = sum(row.waiting for row in found)
    minutes = waiting * MINUTES_PER_ANSWER
    return (
        f"{counted(waiting, 'answer')} in words {'awaits' if waiting == 1 else 'await'} a reader: about {minutes} minutes."
        if waiting
        else ""
    )


def summary(found: Sequence[Row], ran: int) -> str:
    """What a grading run did, in a sentence or two. ran: how many submissions the sandbox ran."""
    students = len({row.student for row in found})
    absent = sum(row.state == ABSENT for row in found)
    unreadable = sum(row.state == UNREADABLE for row in found)
    handed_in = len(found) - absent
    unchanged = max(0, handed_in - ran - unreadable)
    done = [f"{_were(ran)} run", f"{unchanged} had not changed" if unchanged or not ran else ""]
    done += [f"{unreadable} could not be read" if unreadable else ""]
    said = f"{counted(handed_in, 'submission')} of {counted(students, 'student')}: {', '.join(filter(None, done))}."
    if not handed_in:
        said = f"{counted(students, 'student')}, and nothing was handed in."
    elif absent and len({row.chapter for row in found}) == 1:
        said += f" {counted(absent, 'student')} handed in nothing."
    elif absent:
        said += f" {counted(absent, 'notebook')} {'was' if absent == 1 else 'were'} not handed in."
    return said


def _were(number: int) -> str:
    return f"{number} {'was' if number == 1 else 'were'}"


def items(folder: ClassFolder, chapter: str, kill_scores: bool = True) -> list[Item]:
    """Every exercise of a chapter over the whole class."""
    verdicts = [v for v in verdicts_of(folder, chapter).values() if not v["unreadable"]]
    sheet = Assignment(folder, chapter).public_answers if kill_scores else {}
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
        if name in sheet:
            item.killed, item.wrong = _kill_score(exercise, sheet[name])
        found.append(item)
    return found


def _kill_score(exercise: Exercise, answers: Answers) -> tuple[int, int]:
    """How many of an exercise's own wrong solutions the judge rejects by name, by the sheet that students have; and how many there are."""
    verdicts = {name: compare(exercise, outcomes, answers) for name, (_, outcomes) in answers.wrong.items()}
    killed = [name for name, verdict in verdicts.items() if verdict.misconception == name]
    return len(killed), len(verdicts)


def _correlation(a: Sequence[float], b: Sequence[float]) -> float | None:
    if len(a) < 3 or len(set(a)) == 1 or len(set(b)) == 1:
        return None
    value = statistics.correlation(a, b)
    return None if math.isnan(value) else value


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise NobodyReads  # rich would leave with exit code 1, as if it were a mistake


def wide_console() -> Console:
    """The terminal; wide where there is none, so that a log is readable."""
    console = _Console()
    return console if console.is_terminal else _Console(width=180)


def print_report(folder: ClassFolder, chapters: Sequence[str], console: Console | None = None) -> None:
    """The tables in the terminal."""
    console = console or wide_console()
    for chapter in chapters:
        table = Table(title=Text(assignment_title(chapter)), title_justify="left")
        for column in _COLUMNS:
            table.add_column(
                column,
                justify="left" if column in ("exercise", "misconceptions") else "right",
                overflow="fold",
            )
        for item in items(folder, chapter):
            table.add_row(
                *_texts(
                    item.exercise,
                    f"{item.solved}/{item.graded}",
                    "–" if item.discrimination is None else f"{item.discrimination:+.2f}",
                    ", ".join(f"{name} {count}×" for name, count in item.misconceptions.most_common()) or "–",
                    f"{item.killed}/{item.wrong}",
                    f"{statistics.median(item.seconds):.2f}" if item.seconds else "–",
                    item.minutes,
                )
            )
        console.print(table)
    found = rows(folder, chapters)
    if waiting := to_read(found):
        console.print(Text(waiting))
    for title, lines in _lists(folder, found):
        console.print(Text(title, style="bold"))
        for line in _shortened(lines):
            console.print(Text("  " + " · ".join(plain(part) for part in line if part)))


def _shortened(lines: Sequence[tuple[str, ...]], most: int = 2) -> Iterator[tuple[str, ...]]:
    """At most so many lines that begin alike, and how many more the page has."""
    for start, many in itertools.groupby(lines, key=lambda line: line[:2]):
        group = list(many)
        yield from group[:most]
        if len(group) > most:
            yield (*start, f"{len(group) - most} more in report.html")


_COLUMNS = (
    "exercise",
    "solved",
    "discrimination",
    "misconceptions",
    "kill score",
    "seconds",
    "minutes planned",
)


def _texts(*cells: object) -> list[Text]:
    """Table cells that are shown as they are: rich would read [b] and :fire: as its own markup."""
    return [Text(plain(cell)) for cell in cells]


def _lists(folder: ClassFolder, found: Sequence[Row]) -> list[tuple[str, list[tuple[str, ...]]]]:
    """What an instructor has to know beside the figures: title → lines; only those that have any."""
    lists: list[tuple[str, list[tuple[str, ...]]]] = [
        ("To look into", [(r.student, r.chapter, r.state, r.why) for r in found if r.state != GRADED]),
        ("Noticed on reading", [(r.student, r.chapter, note) for r in found for note in r.notes]),
        ("Folders that were left out", [(name, said) for name, said in unmatched(folder).items()]),
    ]
    return [(title, lines) for title, lines in lists if lines]


def print_class(found: Sequence[Row], console: Console | None = None) -> None:
    """Student × chapter: points and the first sentence of feedback."""
    table = Table()
    for column in ("student", "chapter", "points", "state", "feedback"):
        table.add_column(column, justify="right" if column == "points" else "left", overflow="fold")
    for row in found:
        points = f"{row.points:g}/{row.of:g}"
        table.add_row(*_texts(row.student, row.chapter, points, row.state, row.sentence))
    (console or wide_console()).print(table)


def print_unmatched(folder: ClassFolder, console: Console | None = None) -> None:
    """What lies in `submitted` and is nobody's: a sentence each."""
    for sentence in unmatched(folder).values():
        (console or wide_console()).print(Text(plain(sentence)))


def write_page(folder: ClassFolder, chapters: Sequence[str]) -> Path:
    """The same as one HTML page with a chart per chapter; needs no network to be looked at, and runs no script."""
    parts = [_chapter_page(folder, chapter) for chapter in chapters]
    found = rows(folder, chapters)
    lists = dict(_lists(folder, found))
    heads = {
        "To look into": ("student", "chapter", "state", "why"),
        "Noticed on reading": ("student", "chapter", "note"),
        "Folders that were left out": ("folder", "what to do"),
    }
    waiting = to_read(found)
    listed = [f"<p>{_escaped(waiting)}</p>"] if waiting else []
    listed += [
        f"<h2>{title}</h2>{_html_table(heads[title], lines, 'plain')}" for title, lines in lists.items()
    ]
    if "To look into" not in lists:
        listed.insert(0, "<h2>Not settled yet</h2><p>Nothing: everybody’s chapters are graded.</p>")
    page = _PAGE.format(
        title=_escaped(f"Report: {folder.root.name}"), chapters="\n".join(parts), lists="\n".join(listed)
    )
    path = folder.root / "report.html"
    archive.write_bytes(path, page.encode())
    return path


def _html_table(columns: Sequence[str], lines: Sequence[Sequence[str]], kind: str) -> str:
    head = "".join(f"<th scope=col>{name}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(f'<td>{_escaped(cell)}</td>' for cell in line)}</tr>" for line in lines)
    return f"<div class=wide><table class={kind}><tr>{head}</tr>{body}</table></div>"


def _escaped(text: object) -> str:
    return html.escape(plain(text))


_SHOWN = {
    "right": ("solved", "#0072b2"),
    "misconception": ("a named misconception", "#d55e00"),
    "different": ("other wrong values", "#e69f00"),
    "raised": ("an exception", "#cc79a7"),
    "changed": ("left something behind", "#f0e442"),
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
                f"{_escaped(name)}&nbsp;{count}×" for name, count in item.misconceptions.most_common()
            )
            or "–"
        )
        discrimination = "–" if item.discrimination is None else f"{item.discrimination:+.2f}"
        seconds = f"{statistics.median(item.seconds):.2f}" if item.seconds else "–"
        lines.append(
            f"<tr><th scope=row><code>{_escaped(item.exercise)}</code></th>"
            f'<td class=bar role=img aria-label="{_escaped(said)}">{bars}</td>'
            f"<td>{item.solved}/{item.graded}</td><td>{discrimination}</td><td>{wrong}</td>"
            f"<td>{item.killed}/{item.wrong}</td><td>{seconds}</td><td>{item.minutes}</td></tr>"
        )
    legend = "".join(
        f'<span><i style="background:{colour}"></i>{text}</span>' for text, colour in _SHOWN.values()
    )
    return (
        f"<h2>{_escaped(assignment_title(chapter))}</h2><p class=legend>{legend}</p><div class=wide><table>"
        "<tr><th>exercise</th><th>how it ended</th><th>solved</th><th>discrimination</th><th>misconceptions</th>"
        "<th>kill score</th><th>seconds</th><th>minutes planned</th></tr>" + "".join(lines) + "</table></div>"
    )


_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width"><title>{title}</title><style>
body{{font:15px/1.45 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#222}}
.wide{{overflow-x:auto}}table{{border-collapse:collapse;width:100%}}th,td{{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}}
td{{overflow-wrap:anywhere;min-width:2.5rem}}.plain td{{min-width:6rem}}
.bar{{width:18rem;min-width:9rem;white-space:nowrap;font-size:0}}.bar span{{display:inline-block;height:1.1rem}}
.legend span{{margin-right:1rem;white-space:nowrap}}.legend i{{display:inline-block;width:.9rem;height:.9rem;margin-right:.3rem;vertical-align:-.1rem;border:1px solid #ccc}}
</style><h1>{title}</h1>
<p>Solved: out of those whose notebook could be read. Discrimination: the correlation between solving the exercise and the points on the
chapter’s other exercises. Kill score: how many of the exercise’s own wrong solutions the judge rejects by name. Seconds: the median time
that a student’s function took on the hidden cases.</p>
{chapters}
{lists}</html>
"""
