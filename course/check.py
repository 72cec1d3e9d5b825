"""check(fn), hint(fn) and progress(): what a student types.

Everything works offline, from the answer sheet beside the notebook. A wrong answer raises, so that nbgrader's
Validate sees it, an exception that shows itself as one line.
"""

import io
import sys
import textwrap
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from course.exercises import UnknownNameError, chapter_named, exercises_of, find, topic
from course.judging import gaps
from course.judging.archive import ArchiveError
from course.judging.exercise import Exercise
from course.judging.recording import own_line
from course.judging.sheets import Answers, read_plan, read_sheet, sheet_name
from course.judging.verdict import Verdict
from course.notebook import kernel, saved, ticks
from course.notebook.here_and_graded import look_at

__all__ = ["CheckError", "check", "hint", "progress"]

_verdicts: dict[str, Verdict] = {}
_hints_given: dict[str, int] = {}


MOST_PRINTED = 2_000
"""Characters that a function may print while it is checked, so that the verdict stays in sight."""


class CheckError(gaps.OneLine):
    """A wrong answer, or a question that cannot be answered. Jupyter shows its one line instead of a traceback."""


def check(fn: Callable[..., Any]) -> None:
    """Say whether `fn` is right, and if not, what is wrong with it; and what grading will find otherwise."""
    names = sys._getframe(1).f_globals
    chapter, exercise = _exercise_of(fn, names, "check")
    path = Path.cwd() / sheet_name(chapter)
    try:
        sheet, plan = read_sheet(path), read_plan(path)
    except ArchiveError as error:
        raise CheckError(f"✘ {error}") from None
    if exercise.name not in sheet:
        raise CheckError(
            f"✘ {sheet_name(chapter)} does not know {exercise.name}: copy it again from the release."
        )
    try:
        with redirect_stdout(_Brief(sys.stdout)):
            seen = look_at(exercise, fn, sheet, names, saved.find(path.parent, exercise.name, plan, names))
    except KeyboardInterrupt as error:
        _, line, _, text = own_line(error.__traceback__)
        where = f" in your line {line} ({text})" if text else ""
        raise CheckError(f"✘ {exercise.name}: interrupted{where}.") from None
    verdict = seen.here
    _verdicts[exercise.name] = replace(verdict, message=verdict.message + seen.remark)
    ticks.keep(path.parent, chapter, {exercise.name: _verdicts[exercise.name]})
    if verdict.right:
        _say(f"✔ {exercise.name}: {verdict.message}{seen.remark} ({_points(exercise)})")
        return
    left = verdict.kind == "open" and hasattr(fn, "__code__") and not gaps.is_gap(fn)
    still = " The line `raise NotImplementedError()` is still there." if left else ""
    raise CheckError(f"{_mark(verdict)} {exercise.name}: {verdict.message}{still}{seen.remark}") from None


def judge(
    exercise: Exercise, fn: Callable[..., Any], sheet: Mapping[str, Answers], names: Mapping[str, Any]
) -> Verdict:
    """What `check` would say of `fn`, given these names."""
    return look_at(exercise, fn, sheet, dict(names), None).here


def hint(fn: Callable[..., Any] | str) -> None:
    """Give the next hint; each says more than the one before."""
    name = fn if isinstance(fn, str) else _exercise_of(fn, sys._getframe(1).f_globals, "hint")[1].name
    try:
        _, exercise = find(name)
    except UnknownNameError as error:
        raise CheckError(f"✘ {error}") from None
    given = min(_hints_given.get(name, 0) + 1, len(exercise.hints))
    _hints_given[name] = given
    if not exercise.hints:
        print(f"{name} has no hints: the docstring says it all.")
        return
    _say(f"Hint {given} of {len(exercise.hints)} for {name}: {exercise.hints[given - 1]}")


def progress(chapter: str | int | None = None) -> None:
    """Show the chapter's map: every exercise with its level, minutes, points and how the last check ended."""
    try:
        here = _chapter_here() if chapter is None else chapter_named(str(chapter))
    except UnknownNameError as error:
        raise CheckError(f"✘ {error}") from None
    folder, exercises = Path.cwd(), exercises_of(here)
    kept = ticks.kept(folder, here)
    verdicts = {name: _verdicts.get(name) or kept.get(name) for name in exercises}
    rows = [
        _Row(
            _mark(verdict),
            name,
            f"{exercise.level:<7} {exercise.minutes:>2} min",
            exercise.points,
            _state(verdict),
        )
        for (name, exercise), verdict in zip(exercises.items(), verdicts.values(), strict=True)
    ]
    done, waiting = sum(verdict.points for verdict in verdicts.values() if verdict), 0.0
    for question, points, answered in _questions(folder, here, sys._getframe(1).f_globals):
        state = _ANSWERED[answered].format(points=f"{points:g}")
        rows.append(_Row("◔" if answered else "·", question, "in words".ljust(14), points, state))
        waiting += points if answered else 0
    total = sum(row.points for row in rows)
    waits = f"; {waiting:g} more wait for a reader" if waiting else ""
    print(f"{topic(here).replace('_', ' ').capitalize()}: {done:g} of {total:g} points{waits}")
    width = max(len(row.name) for row in rows)
    for row in rows:
        print(f"{row.mark} {row.name:<{width}}  {row.facts} {_counted(row.points):>8}   {row.state}")


class _Row(NamedTuple):
    """One line of the chapter's map."""

    mark: str
    name: str
    facts: str
    points: float
    state: str


_ANSWERED: dict[bool | None, str] = {
    True: "answered: {points} of {points} wait for a reader",
    False: "not answered yet",
    None: "read and graded by a person",
}


def _questions(folder: Path, chapter: str, names: Mapping[str, Any]) -> list[tuple[str, float, bool | None]]:
    """The questions to be answered in words: grade id, points, and whether the saved notebook answers it, if that is known."""
    try:
        plan = read_plan(folder / sheet_name(chapter))
    except ArchiveError:
        return []
    found = [saved.find(folder, question, plan, names) for question in plan.questions]
    return [
        (question, points, notebook.answered(question) if notebook else None)
        for (question, points), notebook in zip(plan.questions.items(), found, strict=True)
    ]


def _state(verdict: Verdict | None) -> str:
    return "not checked yet" if verdict is None else textwrap.shorten(verdict.message, 42, placeholder=" …")


def _mark(verdict: Verdict | None) -> str:
    if verdict is None:
        return "·"
    return "✔" if verdict.right else "○" if verdict.kind in ("open", "follows") else "✘"


def _exercise_of(fn: object, names: Mapping[str, Any], asking: str) -> tuple[str, Exercise]:
    """The exercise that a function stands for: by its own name, else by the name it is bound to."""
    if not callable(fn):
        raise CheckError(
            f"✘ {asking} needs the function itself: {asking}(saliency), for example, with nothing around or behind its name."
        )
    own = getattr(fn, "__name__", "")
    bound = [name for name, value in names.items() if value is fn and not name.startswith("_")]
    said = "That is no exercise: progress() lists the functions that this chapter asks for."
    for name in dict.fromkeys([own, *bound]):
        try:
            return find(name)
        except UnknownNameError as error:
            said = str(error) if error.nearest else said
    raise CheckError(f"✘ {said}")


def _chapter_here() -> str:
    sheets = sorted(Path.cwd().glob("*.answers"))
    if not sheets:
        raise CheckError(
            "✘ No answer sheet lies beside this notebook: say progress('04_sensitivity'), for example."
        )
    if len(sheets) > 1 and _verdicts:
        return find(list(_verdicts)[-1])[0]
    return sheets[0].stem


def _points(exercise: Exercise) -> str:
    return _counted(exercise.points)


def _counted(points: float) -> str:
    return f"{points:g} point{'s' if points != 1 else ''}"


def _say(sentence: str) -> None:
    print("\n".join(gaps.lines(sentence)))


class _Brief(io.TextIOBase):
    """Passes on what is printed, but not without end."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._left = out, MOST_PRINTED

    def write(self, text: str) -> int:
        if self._left > 0:
            self._out.write(text[: self._left])
            self._left -= len(text)
            if self._left <= 0:
                self._out.write("\n… (it prints more than is shown here)\n")
        return len(text)

    def flush(self) -> None:
        self._out.flush()


gaps.install()
kernel.watch()
