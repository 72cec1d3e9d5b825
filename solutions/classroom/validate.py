"""Checking a whole notebook from the command line, with the public cases: what `check` says in every cell."""

from pathlib import Path

from course import archive
from course.exercises import chapter_named, exercises_of
from course.judging import Verdict, compare
from course.sheets import read_sheet, sheet_name
from solutions.classroom.answers import PUBLIC_SEEDS, answer_sheet
from solutions.classroom.build import student_notebook
from solutions.classroom.engine import steps_of
from solutions.classroom.sandbox import Job, Sandbox
from solutions.classroom.submission import read_submission


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
    with Sandbox() as sandbox:
        result = sandbox.run(Job(steps=steps, questions=archive.pack(questions), files={}))
    verdicts: dict[str, Verdict] = {}
    for exercise in exercises_of(chapter).values():
        part = answers[exercise.name]
        if exercise.name in result.recordings:
            earlier = {name: verdicts[name] for name in part.uses if name in verdicts}
            verdict = compare(exercise, result.recordings[exercise.name], part, earlier)
        else:
            reason = result.failures.get(exercise.name, "Nothing was recorded for this exercise.")
            verdict = Verdict(exercise.name, "undefined", 0, exercise.points, reason)
        verdicts[exercise.name] = verdict
    lines = [f"{'✔' if v.right else '✘'} {name}: {v.message}" for name, v in verdicts.items()]
    notes = [f"· {note}" for note in submission.notes]
    return notes + lines, all(verdict.right for verdict in verdicts.values())
