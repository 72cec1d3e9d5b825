"""How exercises that call others are judged: one rule, for `check` and for every grade."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from course.exercises import find
from course.judging.exercise import Exercise
from course.judging.recording import Outcome
from course.judging.sheets import Answers
from course.judging.verdict import Kind, Verdict, compare, first_unfinished


@dataclass(frozen=True)
class Nothing:
    """In place of a recording: why there is none. stopped: for it had to be stopped."""

    reason: str
    stopped: bool = False


Recorded = Sequence[Outcome] | Nothing


def in_turn(names: Iterable[str], sheet: Mapping[str, Answers]) -> list[str]:
    """These exercises and those that they call, each behind those that it calls."""
    found: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in found or name not in sheet:
            return
        for other in sheet[name].uses:
            visit(other)
        found[name] = None

    for name in names:
        visit(name)
    return list(found)


def judged(
    recorded: Mapping[str, Recorded],
    sheet: Mapping[str, Answers],
    hidden: bool = False,
    where: str = "On a hidden case",
) -> dict[str, Verdict]:
    """exercise → verdict, for all that were asked. hidden, where: as in `compare`."""
    verdicts: dict[str, Verdict] = {}
    for name in in_turn(recorded, sheet):
        if name in recorded:
            verdicts[name] = verdict_of(find(name)[1], recorded[name], sheet[name], verdicts, hidden, where)
    return verdicts


def verdict_of(
    exercise: Exercise,
    recorded: Recorded,
    answers: Answers,
    earlier: Mapping[str, Verdict],
    hidden: bool,
    where: str,
) -> Verdict:
    """One exercise's verdict. earlier: at least those of the exercises that it calls."""
    dependencies = {name: earlier[name] for name in answers.uses if name in earlier}
    if not isinstance(recorded, Nothing):
        return compare(exercise, recorded, answers, dependencies, hidden, where)
    if first := first_unfinished(dependencies):
        return finish_first(exercise, first)
    kind: Kind = "killed" if recorded.stopped else "undefined"
    return Verdict(exercise.name, kind, 0, exercise.points, recorded.reason)


def finish_first(exercise: Exercise, other: str) -> Verdict:
    """What can only be judged when another exercise is right."""
    sentence = f"Finish {other} first: this one calls it."
    return Verdict(exercise.name, "follows", 0, exercise.points, sentence, follows=other)
