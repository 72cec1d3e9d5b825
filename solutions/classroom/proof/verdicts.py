"""Every verdict as a line of text, to be compared with another machine's, another Python's, or another number of threads."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from course.judging.exercise import Exercise
from course.judging.recording import record
from course.judging.verdict import compare
from solutions.classroom.proof.prove import FIRST_SEED, exercises_named
from solutions.classroom.release.answers import PUBLIC_SEEDS, answers_for
from solutions.classroom.release.reference_source import home_of, load
from solutions.misconceptions import alternatives_of, misconceptions_of

SECRET_SEEDS = range(FIRST_SEED, FIRST_SEED + 20)
"""They stand for those of many classes."""


def write_verdicts(names: Iterable[str], path: Path) -> int:
    """A line for each verdict: exercise, seed, function, and kind, name and points of what it is told."""
    with path.open("w", encoding="utf-8") as file:
        for name in names:
            for chapter, exercise in exercises_named(name):
                file.writelines(f"{line}\n" for line in verdicts(chapter, exercise))
    return 0


def verdicts(chapter: str, exercise: Exercise, seeds: Iterable[int] = SECRET_SEEDS) -> Iterator[str]:
    """The verdicts over reference, misconceptions and alternatives, on the public seeds together and on each secret one."""
    functions = [
        load(home_of()[exercise.name], exercise.name),
        *misconceptions_of(chapter).get(exercise.name, []),
        *alternatives_of(chapter).get(exercise.name, []),
    ]
    for chosen in [PUBLIC_SEEDS, *([seed] for seed in seeds)]:
        answers = answers_for(chapter, exercise, chosen, given=False)
        asked = ",".join(map(str, chosen))
        for function in functions:
            verdict = compare(exercise, record(function, exercise, chosen, answers.inputs), answers)
            told = " ".join(filter(None, (verdict.kind, verdict.misconception, f"{verdict.points:g}")))
            yield f"{exercise.name} {asked} {function.__name__}: {told}"


def differing(one: str, other: str) -> list[str]:
    """The lines in which two such files differ, each with its two verdicts."""
    first, second = (dict(line.rsplit(": ", 1) for line in text.splitlines()) for text in (one, other))
    return [
        f"{key}: {first.get(key, 'nothing')} / {second.get(key, 'nothing')}"
        for key in {**first, **second}
        if first.get(key) != second.get(key)
    ]
