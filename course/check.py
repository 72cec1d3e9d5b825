"""check(fn), hint(fn) and progress(): what a student types.

Everything works offline, from the answer sheet beside the notebook. A wrong answer raises, so that nbgrader's
Validate sees it, an exception that shows itself as one line.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from course import gaps
from course.archive import ArchiveError
from course.exercise import Exercise
from course.exercises import UnknownNameError, exercises_of, find, topic
from course.judging import Answers, Verdict, compare
from course.recording import record
from course.sheets import read_sheet, sheet_name

__all__ = ["CheckError", "check", "hint", "progress"]

_verdicts: dict[str, Verdict] = {}
_hints_given: dict[str, int] = {}


class CheckError(Exception):
    """A wrong answer, or a question that cannot be answered. Jupyter shows its one line instead of a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def check(fn: Callable[..., Any]) -> None:
    """Say whether `fn` is right, and if not, what is wrong with it."""
    names = sys._getframe(1).f_globals
    chapter, exercise = _exercise_of(fn, names)
    try:
        sheet = read_sheet(Path.cwd() / sheet_name(chapter))
    except ArchiveError as error:
        raise CheckError(f"✘ {error}") from None
    if exercise.name not in sheet:
        raise CheckError(
            f"✘ {sheet_name(chapter)} does not know {exercise.name}: copy it again from the release."
        )
    verdict = judge(exercise, fn, sheet, names)
    _verdicts[exercise.name] = verdict
    if not verdict.right:
        mark = "○" if verdict.kind in ("open", "follows") else "✘"
        raise CheckError(f"{mark} {exercise.name}: {verdict.message}") from None
    print(f"✔ {exercise.name}: {verdict.message} ({_points(exercise)})")


def judge(
    exercise: Exercise, fn: Callable[..., Any], sheet: Mapping[str, Answers], names: Mapping[str, Any]
) -> Verdict:
    """Record `fn` on the public cases and compare; the exercises that it calls are judged first."""
    answers = sheet[exercise.name]
    dependencies = {}
    for name in answers.uses:
        theirs = exercises_by_name(sheet, name)
        if name in names:
            dependencies[name] = judge(theirs, names[name], sheet, names)
        else:
            dependencies[name] = Verdict(name, "open", 0, theirs.points, "Not done yet.")
    outcomes = record(fn, exercise, answers.seeds, answers.inputs)
    return compare(exercise, outcomes, answers, dependencies)


def exercises_by_name(sheet: Mapping[str, Answers], name: str) -> Exercise:
    """The exercise that a sheet's dependency names."""
    return find(name)[1]


def hint(fn: Callable[..., Any] | str) -> None:
    """Give the next hint; each says more than the one before."""
    name = fn if isinstance(fn, str) else _exercise_of(fn, sys._getframe(1).f_globals)[1].name
    try:
        _, exercise = find(name)
    except UnknownNameError as error:
        raise CheckError(f"✘ {error}") from None
    given = min(_hints_given.get(name, 0) + 1, len(exercise.hints))
    _hints_given[name] = given
    if not exercise.hints:
        print(f"{name} has no hints: the docstring says it all.")
        return
    print(f"Hint {given} of {len(exercise.hints)} for {name}: {exercise.hints[given - 1]}")


def progress(chapter: str | None = None) -> None:
    """Show the chapter's map: every exercise with its level, minutes, points and how the last check ended."""
    chapter = chapter or _chapter_here()
    done, total, lines = 0.0, 0.0, []
    for exercise in exercises_of(chapter).values():
        verdict = _verdicts.get(exercise.name)
        mark = (
            "·"
            if verdict is None
            else "✔"
            if verdict.right
            else "○"
            if verdict.kind in ("open", "follows")
            else "✘"
        )
        state = "not checked yet" if verdict is None else verdict.message
        done += verdict.points if verdict else 0
        total += exercise.points
        lines.append(
            f"{mark} {exercise.name:<28} {exercise.level:<8} {exercise.minutes:>3} min {exercise.points:>3} points   {state}"
        )
    print(
        f"{topic(chapter).replace('_', ' ').capitalize()}: {done:g} of {total:g} points\n" + "\n".join(lines)
    )


def _exercise_of(fn: Callable[..., Any] | str, names: Mapping[str, Any]) -> tuple[str, Exercise]:
    """The exercise that a function stands for: by the name it is bound to, else by its own."""
    bound = [name for name, value in names.items() if value is fn and not name.startswith("_")]
    own = fn if isinstance(fn, str) else getattr(fn, "__name__", "")
    for name in dict.fromkeys([own, *bound]):
        try:
            return find(name)
        except UnknownNameError:
            continue
    if not own:
        raise CheckError(
            "✘ check needs the function itself: check(saliency), without parentheses after its name."
        )
    try:
        return find(own)
    except UnknownNameError as error:
        raise CheckError(f"✘ {error}") from None


def _chapter_here() -> str:
    sheets = sorted(Path.cwd().glob("*.answers"))
    if not sheets:
        raise CheckError(
            "✘ No answer sheet lies beside this notebook: say progress('04_sensitivity'), for example."
        )
    return sheets[0].stem


def _points(exercise: Exercise) -> str:
    return f"{exercise.points} point{'s' if exercise.points != 1 else ''}"


gaps.install()
