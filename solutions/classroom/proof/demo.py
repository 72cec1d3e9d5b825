"""`make demo`: chapters, a simulated class, and nbgrader's own commands from release to feedback."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.text import Text
from tqdm import tqdm

from solutions.classroom.feedback.report import Row, print_class, print_report, rows, wide_console, write_page
from solutions.classroom.folder import ClassFolder, new_class
from solutions.classroom.gradebook import open_gradebook
from solutions.classroom.grading.grade import grade_class, waiting_for
from solutions.classroom.plain_text import plain
from solutions.classroom.proof.simulated_class import Student, hand_in, one_by_one
from solutions.classroom.release.publish import environment, nbgrader, release
from solutions.classroom.submission.running_once import set_limit

MOST = 24
"""Students in the short demo: they show every kind of trouble between them."""

BRIEF = 2.0
"""Seconds of processor time that a cell may take in the short demo, so that nobody has to wait for endless loops."""


def demo(place: Path, chapters: Sequence[str], everybody: bool = False) -> int:
    """Run everything; 0 when every simulated student got what they deserve.

    everybody: one student for every misconception, and nbgrader's own autograde. Otherwise two dozen, graded as `classroom
    grade` does.
    """
    torch.set_num_threads(
        1
    )  # answers are many tiny operations, on which more threads would only wait for each other
    console = wide_console()
    start = time.monotonic()
    folder = new_class(place)
    for chapter in _watched(chapters, "build and release"):
        release(folder, chapter)
    students = []
    for student in tqdm(
        one_by_one(folder, list(chapters), None if everybody else MOST),
        desc=f"{'hand in':<26}",
        unit="student",
    ):
        hand_in(folder, [student])
        students.append(student)
    _enrol(folder, students)
    if everybody:
        for chapter in chapters:
            _autograde(folder, chapter, sum(student.handed_in[chapter] is not None for student in students))
    else:
        _grade(folder, chapters, len(students))
    for chapter in _watched(chapters, "nbgrader generate_feedback"):
        nbgrader(folder, "generate_feedback", chapter)
    console.print("nbgrader export, and the report …")
    nbgrader(folder, "export")
    page = write_page(folder, chapters)
    found = rows(folder, chapters)
    print_class(found, console)
    print_report(folder, chapters, console)
    wrong = _undeserved(students, found)
    _print_where_to_look(folder, students, page, console)
    console.print(f"{time.monotonic() - start:.0f} s for everything.")
    for complaint in wrong:
        console.print(Text(f"✘ {plain(complaint)}", style="bold red"))
    if not wrong:
        console.print(f"[bold green]✔ All {len(found)} scores are the expected ones.")
    return 1 if wrong else 0


def _print_where_to_look(
    folder: ClassFolder, students: Sequence[Student], page: Path, console: Console
) -> None:
    """What a newcomer opens next."""
    believer = next(
        (student for student in students if student.says and student.name.startswith("believes")), None
    )
    lines = [f"Report: {page}", f"Scores: {folder.root / 'grades.csv'}"]
    if believer:
        chapter = next(iter(believer.says))
        lines.insert(0, f"A student's feedback: {folder.feedback(believer.name, chapter) / chapter}.html")
    console.print("\nLook at", *lines, sep="\n  ", markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"and grade an answer in words: source .venv/bin/activate && classroom formgrader {folder.root}",
        markup=False,
    )


def _enrol(folder: ClassFolder, students: Sequence[Student]) -> None:
    with open_gradebook(folder) as book:
        for student in students:
            book.update_or_create_student(student.name)


def _watched(chapters: Sequence[str], what: str) -> Iterator[str]:
    """The chapters, with a bar that says what is done, and to which of them."""
    bar = tqdm(chapters, desc=f"{what:<26}", unit="chapter")
    for chapter in bar:
        bar.set_postfix_str(chapter)
        yield chapter


def _grade(folder: ClassFolder, chapters: Sequence[str], students: int) -> None:
    """`classroom grade`, with a bar that names whom it waits for."""
    limits = set_limit(folder, BRIEF)
    jobs = 2 * (os.cpu_count() or 1)
    with tqdm(total=len(chapters) * students, desc=f"{'classroom grade':<26}", unit="submission") as bar:

        def watch(names: Sequence[str]) -> None:
            bar.set_postfix_str(waiting_for(names))

        for graded in grade_class(folder, list(chapters), jobs=jobs, limits=limits, watch=watch):
            bar.update()
            if graded.trouble:
                bar.write(f"{graded.student}, {graded.chapter}: {graded.trouble}")
        bar.set_postfix_str("")


def _autograde(folder: ClassFolder, chapter: str, submissions: int) -> None:
    """`nbgrader autograde CHAPTER`, with a bar that follows its log."""
    command = [sys.executable, "-m", "nbgrader", "autograde", chapter]
    process = subprocess.Popen(
        command,
        cwd=folder.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
    )
    assert process.stdout is not None
    log: list[str] = []
    with tqdm(total=submissions, desc=f"nbgrader autograde {chapter[:7]}", unit="notebook") as bar:
        for line in process.stdout:
            log.append(line)
            if re.search(r"Autograding|Skipping existing", line):
                bar.update()
    if process.wait():
        raise RuntimeError(f"nbgrader autograde {chapter} failed:\n" + "".join(log[-12:]))


def _undeserved(students: Sequence[Student], found: Sequence[Row]) -> list[str]:
    """What is not as it should be: points, or the words that the feedback must contain."""
    by_name = {(row.student, row.chapter): row for row in found}
    complaints = []
    for student in students:
        for chapter, points in student.expected.items():
            row = by_name[student.name, chapter]
            if row.points != points:
                complaints.append(f"{student.name}, {chapter}: {row.points:g} points; {points:g} expected")
            if student.says.get(chapter, "") not in row.sentence:
                complaints.append(
                    f"{student.name}, {chapter}: told “{row.sentence}”; “{student.says[chapter]}” expected"
                )
    return complaints
