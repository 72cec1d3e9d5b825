"""Checking a whole notebook from the command line, with the public cases: what `check` says in every cell."""

from pathlib import Path

from course.exercises import chapter_named
from course.judging import archive
from course.judging.sheets import read_sheet, sheet_name
from solutions.classroom.grading.judge import judge
from solutions.classroom.grading.settle import settled
from solutions.classroom.release.answers import PUBLIC_SEEDS, answer_sheet
from solutions.classroom.release.source_notebook import student_notebook
from solutions.classroom.submission.reading import read_submission
from solutions.classroom.submission.running_once import steps_of
from solutions.classroom.submission.sandbox import Job, Sandbox


def validate(path: Path) -> tuple[list[str], bool]:
    """A line per exercise, and whether everything is right. Raises UnknownNameError for a notebook of no chapter."""
    chapter = chapter_named(path.stem)
    release = student_notebook(chapter)
    submission = read_submission(path, release)
    if submission.unreadable:
        return [f"✘ {submission.unreadable}"], False
    beside = path.parent / sheet_name(chapter)
    answers = read_sheet(beside.resolve()) if beside.exists() else answer_sheet(chapter, PUBLIC_SEEDS)
    steps = steps_of(chapter, submission.notebook, release)
    questions = {name: {"seeds": part.seeds, "inputs": part.inputs} for name, part in answers.items()}
    job = Job(steps=steps, questions=archive.pack(questions), files={})
    with Sandbox() as sandbox:
        result = settled(sandbox.run(job), job, chapter, answers, sandbox.run, hidden=False)
        marked = judge(chapter, result, job, answers, hidden=False)
    verdicts = {name: item.verdict for name, item in marked.items()}
    lines = [f"{'✔' if v.right else '✘'} {name}: {v.message}" for name, v in verdicts.items()]
    notes = [f"· {text}" for text in [result.isolation, *(note.text for note in submission.notes)] if text]
    return notes + lines, all(verdict.right for verdict in verdicts.values())
