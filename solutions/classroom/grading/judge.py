"""Outside the sandbox: what was recorded is held against the secret answer sheet, and points are given.

A function that is asked hidden cases knows them, and may put them into anything that its recording says. So the hidden
recording decides one word: right, open or wrong. All that a person reads about a wrong answer comes from the public
cases, which another run of the notebook was asked: it never held anything hidden.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from course.exercises import exercises_of
from course.judging import archive
from course.judging.dependencies import Nothing, Recorded, finish_first, in_turn, judged, verdict_of
from course.judging.exercise import Exercise
from course.judging.recording import Outcome
from course.judging.sheets import Answers, sheet_name
from course.judging.verdict import Verdict, first_unfinished
from course.notebook.names import defined
from solutions.classroom.assignment import public_answers
from solutions.classroom.submission.sandbox import Job, Result

ONLY_HIDDEN = (
    "Every public case is right, but not every hidden one. Try inputs of your own: other sizes, signs and edges."
    " What takes too long is not right either."
)
"""Also for what stopped on a hidden case or had to be stopped there: more would be a word of whoever knows the case."""

NOT_RIGHT = "It is not right on the hidden cases. Run check again, and try inputs of your own."

ON_A_PUBLIC_CASE = "On a public case"

LONGEST_LINE = 120
"""Characters of a student's own line that a sentence quotes."""


@dataclass(frozen=True)
class Marked:
    """One exercise of one submission: its verdict and the seconds it took to run."""

    verdict: Verdict
    seconds: float


def judge(
    chapter: str, result: Result, job: Job, answers: Mapping[str, Answers], hidden: bool = True
) -> dict[str, Marked]:
    """exercise → verdict, in the chapter's order. hidden: the answers are secret ones, of which nothing is said."""
    seconds = {step.exercise: result.cells[step.id].seconds for step in job.steps if step.id in result.cells}
    verdicts = decide(chapter, result, job, answers, hidden)
    if hidden:
        verdicts = _in_public_words(chapter, result, job, verdicts)
    return {name: Marked(_plain(verdict), seconds.get(name, 0.0)) for name, verdict in verdicts.items()}


def nothing_to_judge(chapter: str, reason: str) -> dict[str, Marked]:
    """Verdicts for a submission that could not be read."""
    return {
        name: Marked(Verdict(name, "undefined", 0, exercise.points, reason), 0.0)
        for name, exercise in exercises_of(chapter).items()
    }


def decide(
    chapter: str, result: Result, job: Job, answers: Mapping[str, Answers], hidden: bool = True
) -> dict[str, Verdict]:
    """exercise → what its recording deserves. With hidden cases, only the points are for anybody's eyes."""
    where, sources = "On a hidden case" if hidden else "", _sources(job)
    recorded = {name: _recorded(name, result, sources, hidden) for name in exercises_of(chapter)}
    verdicts = judged(recorded, answers, hidden, where)
    return {name: verdicts[name] for name in recorded}


def needs_words(name: str, verdict: Verdict, result: Result) -> bool:
    """Whether more is to be said of an exercise than "Right." or "Not done yet."."""
    return bool(verdict.follows) if verdict.right else not is_open(name, result)


def is_open(name: str, result: Result) -> bool:
    """Whether a gap has stopped the function."""
    return any(outcome.open for outcome in result.recordings.get(name, []))


def _in_public_words(
    chapter: str, result: Result, job: Job, decided: Mapping[str, Verdict]
) -> dict[str, Verdict]:
    """The same points; every word from the public recording, from the submission's source, or always the same."""
    sheet = public_answers(job.files.get(sheet_name(chapter), b""))
    told: dict[str, Verdict] = {}
    for name in dict.fromkeys([*in_turn(decided, sheet), *decided]):
        told[name] = _told(exercises_of(chapter)[name], decided[name], told, sheet.get(name), result, job)
    return {name: told[name] for name in decided}


def _told(
    exercise: Exercise,
    verdict: Verdict,
    told: Mapping[str, Verdict],
    answers: Answers | None,
    result: Result,
    job: Job,
) -> Verdict:
    """The same points in words that anybody may read. told: what has been said of the exercises that this one calls."""
    name, public = exercise.name, None
    if result.public is not None and answers is not None:
        recorded = _recorded(name, result.public, _sources(job), True)
        public = verdict_of(exercise, recorded, answers, told, True, ON_A_PUBLIC_CASE)
    if not needs_words(name, verdict, result):
        return verdict if verdict.right else _open(exercise, answers.uses if answers else [], told, job)
    if verdict.right:
        plainly = Verdict(name, "right", verdict.points, verdict.of, "Right.")
        return public if public is not None and public.right else plainly
    if public is None:
        return Verdict(name, "different", 0, verdict.of, NOT_RIGHT)
    return Verdict(name, "different", 0, verdict.of, ONLY_HIDDEN) if public.right else public


def _open(exercise: Exercise, uses: list[str], told: Mapping[str, Verdict], job: Job) -> Verdict:
    """Not done yet: itself, as far as its source says, or what it calls."""
    name = exercise.name
    first = first_unfinished({other: told[other] for other in uses if other in told})
    own = [step.source for step in job.steps if not step.exercise and name in defined(step.source)]
    if first and not (own and "NotImplementedError" in own[-1]):
        return finish_first(exercise, first)
    return Verdict(name, "open", 0, exercise.points, "Not done yet.")


@lru_cache(maxsize=4)
def public_questions(sheet: bytes) -> tuple[frozenset[str], bytes]:
    """The exercises that a student's own answer sheet asks for, and its questions, packed for a job."""
    parts = public_answers(sheet)
    asked = {name: {"seeds": part.seeds, "inputs": part.inputs} for name, part in parts.items()}
    return frozenset(asked), archive.pack(asked)


def _recorded(name: str, result: Result, sources: Mapping[str, str], brief: bool) -> Recorded:
    """What a function did, its lines quoted from the submission itself; or why there is nothing."""
    if name not in result.recordings:
        reason = result.failures.get(name, "Nothing was recorded for this exercise.")
        return Nothing(reason, "stopped" in reason)
    return [_own_text(outcome, sources, brief) for outcome in result.recordings[name]]


def _sources(job: Job) -> dict[str, str]:
    return {step.id: step.source for step in job.steps}


def _own_text(outcome: Outcome, sources: Mapping[str, str], brief: bool) -> Outcome:
    """The line that a student's exception points to, taken from the submission itself. brief: no type of their own making."""
    lines = (
        sources.get(outcome.file.removeprefix("cell:"), "").replace("\r\n", "\n").split("\n")
    )  # Python counts no others
    text = lines[outcome.line - 1].strip() if 0 < outcome.line <= len(lines) else ""
    shown = text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]} …"
    known = outcome.raised
    if brief and known not in _EXCEPTIONS:
        known = "an exception" if known else ""
    return replace(outcome, text=shown, line=outcome.line if text else 0, raised=known)


def _plain(verdict: Verdict) -> Verdict:
    """Without control characters: what a student wrote is quoted in terminals, tables and pages."""
    message = " ".join(verdict.message.split())
    return replace(verdict, message="".join(c for c in message if unicodedata.category(c)[0] != "C"))


_EXCEPTIONS = {
    name
    for name, kind in vars(__import__("builtins")).items()
    if isinstance(kind, type) and issubclass(kind, BaseException)
} | {"OutOfMemoryError", "LinAlgError"}
