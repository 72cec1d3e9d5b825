"""`make demo`: chapters, a simulated class, and nbgrader's own commands from release to feedback."""

import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.text import Text
from tqdm import tqdm

from solutions.classroom.feedback.report import Row, print_class, print_report, rows, wide_console, write_page
from solutions.classroom.folder import ClassFolder, new_class
from solutions.classroom.gradebook import open_gradebook
from solutions.classroom.plain_text import plain
from solutions.classroom.proof.simulated_class import Student, hand_in, simulated_class
from solutions.classroom.release.publish import environment, nbgrader, release


def demo(place: Path, chapters: Sequence[str]) -> int:
    """Run everything; 0 when every simulated student got what they deserve."""
    console = wide_console()
    start = time.monotonic()
    folder = new_class(place)
    for chapter in _watched(chapters, "build and release"):
        release(folder, chapter)
    students = simulated_class(folder, list(chapters))
    hand_in(folder, students)
    with open_gradebook(folder) as book:
        for student in students:
            book.update_or_create_student(student.name)
    console.print(f"{len(students)} simulated students handed in {len(chapters)} chapters.")
    for chapter in chapters:
        _autograde(folder, chapter, sum(student.handed_in[chapter] is not None for student in students))
    for chapter in _watched(chapters, "nbgrader generate_feedback"):
        nbgrader(folder, "generate_feedback", chapter)
    nbgrader(folder, "export")
    found = rows(folder, chapters)
    print_class(found, console)
    print_report(folder, chapters, console)
    page = write_page(folder, chapters)
    wrong = _undeserved(students, found)
    console.print(
        f"\nFeedback pages: {folder.root / 'feedback'}\nGradebook:      {folder.root / 'gradebook.db'}",
        markup=False,
    )
    console.print(f"Scores as CSV:  {folder.root / 'grades.csv'}\nReport:         {page}", markup=False)
    console.print(f"{time.monotonic() - start:.0f} s for everything.")
    for complaint in wrong:
        console.print(Text(f"✘ {plain(complaint)}", style="bold red"))
    if not wrong:
        console.print(f"[bold green]✔ All {len(found)} scores are the expected ones.")
    return 1 if wrong else 0


def _watched(chapters: Sequence[str], what: str) -> "tqdm[str]":
    return tqdm(chapters, desc=f"{what:<26}", unit="chapter", leave=True)


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
