"""Outside the sandbox: what was recorded is held against the secret answer sheet, and points are given."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from course.exercise import Exercise
from course.exercises import exercises_of
from course.judging import Answers, Verdict, compare
from course.recording import Outcome
from solutions.classroom.sandbox import Job, Result


@dataclass(frozen=True)
class Marked:
    """One exercise of one submission: its verdict and the seconds it took to run."""

    verdict: Verdict
    seconds: float


def judge(
    chapter: str, result: Result, job: Job, answers: Mapping[str, Answers], hidden: bool = True
) -> dict[str, Marked]:
    """exercise → verdict, in the chapter's order. hidden: say nothing of inputs and expected values."""
    sources = {step.id: step.source for step in job.steps}
    seconds = {step.exercise: result.cells[step.id].seconds for step in job.steps if step.id in result.cells}
    verdicts: dict[str, Verdict] = {}
    for exercise in exercises_of(chapter).values():
        verdicts[exercise.name] = _verdict(
            exercise, result, answers[exercise.name], verdicts, sources, hidden
        )
    return {name: Marked(verdict, seconds.get(name, 0.0)) for name, verdict in verdicts.items()}


def nothing_to_judge(chapter: str, reason: str) -> dict[str, Marked]:
    """Verdicts for a submission that could not be read."""
    return {
        name: Marked(Verdict(name, "undefined", 0, exercise.points, reason), 0.0)
        for name, exercise in exercises_of(chapter).items()
    }


def _verdict(
    exercise: Exercise,
    result: Result,
    answers: Answers,
    earlier: Mapping[str, Verdict],
    sources: Mapping[str, str],
    hidden: bool,
) -> Verdict:
    name = exercise.name
    dependencies = {other: earlier[other] for other in answers.uses if other in earlier}
    if name not in result.recordings:
        reason = result.failures.get(name, "Nothing was recorded for this exercise.")
        unfinished = [other for other, theirs in dependencies.items() if not theirs.right]
        if unfinished:
            first = f"Finish {unfinished[0]} first: this one calls it."
            return Verdict(name, "follows", 0, exercise.points, first, follows=unfinished[0])
        return Verdict(name, "killed" if "stopped" in reason else "undefined", 0, exercise.points, reason)
    outcomes = [_own_text(outcome, sources, hidden) for outcome in result.recordings[name]]
    return compare(exercise, outcomes, answers, dependencies, hidden)


def _own_text(outcome: Outcome, sources: Mapping[str, str], hidden: bool) -> Outcome:
    """The line that a student's exception points to, taken from the submission itself.

    What a recording says about text and message comes from the student's process, which knew the hidden inputs.
    """
    lines = sources.get(outcome.file.removeprefix("cell:"), "").splitlines()
    text = lines[outcome.line - 1].strip() if 0 < outcome.line <= len(lines) else ""
    if not hidden:
        return replace(outcome, text=text, line=outcome.line if text else 0)
    known = outcome.raised if outcome.raised in _EXCEPTIONS else "an exception" if outcome.raised else ""
    return replace(outcome, text=text, line=outcome.line if text else 0, message="", raised=known)


_EXCEPTIONS = {
    name
    for name, kind in vars(__import__("builtins")).items()
    if isinstance(kind, type) and issubclass(kind, BaseException)
} | {"OutOfMemoryError", "LinAlgError"}
