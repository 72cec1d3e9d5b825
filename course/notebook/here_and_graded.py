"""A function asked twice where it has to be: with what the kernel has, and with what grading will have."""

import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch

from course import settings
from course.exercises import find
from course.judging.dependencies import Nothing, Recorded, in_turn, judged
from course.judging.exercise import Exercise
from course.judging.recording import record
from course.judging.sheets import Answers
from course.judging.verdict import Verdict
from course.notebook.foreseen import Otherwise, as_in_grading, otherwise
from course.notebook.saved import Saved

Names = MutableMapping[str, Any]


@dataclass(frozen=True)
class Seen:
    """here: the verdict in this kernel. graded: the one to expect of grading. remark: what to do where they differ, or ""."""

    here: Verdict
    graded: Verdict
    remark: str = ""


def look_at(
    exercise: Exercise,
    fn: Callable[..., Any],
    sheet: Mapping[str, Answers],
    names: Names,
    saved: Saved | None,
) -> Seen:
    """Ask `fn` the public cases, and before it the exercises that it calls. saved: the notebook as it is saved, if known."""
    asked = in_turn([exercise.name], sheet)
    functions = {name: names[name] for name in asked if name in names} | {exercise.name: fn}
    answered = {name: _ask(name, functions, sheet[name]) for name in asked}
    recorded = {name: answer.recorded for name, answer in answered.items()}
    here = judged(recorded, sheet)[exercise.name]
    remark = ""
    if answered[exercise.name].too_slow:
        values = judged(recorded | {exercise.name: answered[exercise.name].values}, sheet)[exercise.name]
        here = replace(here, message=_slowly(answered[exercise.name].seconds, values))
    elif answered[exercise.name].seconds > settings.SECONDS_EACH / 2:
        remark = (
            f" It took {answered[exercise.name].seconds:.0f} s; grading stops at {settings.SECONDS_EACH:g} s."
        )
    if saved is None or names.get(exercise.name) is not fn:
        return Seen(here, here, remark)
    others = {name: otherwise(name, names, saved) for name in asked}
    if not any(others.values()):
        return Seen(here, here, remark)
    then = recorded | {
        name: _ask_then(name, names, sheet[name], found) for name, found in others.items() if found
    }
    graded = judged(then, sheet)[exercise.name]
    if here.right and not graded.right:
        blamed = _to_blame(exercise.name, names, sheet, recorded, others)
        remark = f" But {blamed.told(exercise.name)}" if blamed else remark
    elif graded.right and not here.right:
        own = next((one for found in others.values() for one in found), None)
        remark = (
            f" With the `{own.why}` of the saved notebook, as grading has it, it is right." if own else ""
        )
    return Seen(here, graded, remark)


def _slowly(seconds: float, values: Verdict) -> str:
    took = f"it took {seconds:.3g} s, and grading stops at {settings.SECONDS_EACH:g} s"
    return f"Right, but too slow: {took}." if values.right else f"Too slow: {took}. And: {values.message}"


@dataclass(frozen=True)
class _Answer:
    values: Recorded
    seconds: float = 0.0

    @property
    def too_slow(self) -> bool:
        return self.seconds > settings.SECONDS_EACH

    @property
    def recorded(self) -> Recorded:
        return Nothing("It is too slow.", stopped=True) if self.too_slow else self.values


def _ask(name: str, names: Mapping[str, Any], answers: Answers) -> _Answer:
    fn = names.get(name)
    if not callable(fn):
        return _Answer(Nothing(f"{name} is not {'a function' if name in names else 'defined'}."))
    with _on_one_thread():
        clock, used = time.perf_counter(), time.process_time()
        outcomes = record(fn, find(name)[1], answers.seeds, answers.inputs)
        used, clock = time.process_time() - used, time.perf_counter() - clock
    return _Answer(
        outcomes, min(used, clock)
    )  # other threads of the kernel count in the one, waiting in the other


def _ask_then(name: str, names: Names, answers: Answers, others: list[Otherwise]) -> Recorded:
    """The same with what grading will have."""
    with as_in_grading(names, others):
        return _ask(name, names, answers).recorded


@contextmanager
def _on_one_thread() -> Iterator[None]:
    """As grading computes: what a function takes does not depend on how many cores there are."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _to_blame(
    exercise: str,
    names: Names,
    sheet: Mapping[str, Answers],
    recorded: Mapping[str, Recorded],
    others: Mapping[str, list[Otherwise]],
) -> Otherwise | None:
    """The one name that makes the difference; the first of several that do so only together."""
    for name in (exercise, *others):
        for one in others[name]:
            then = {name: _ask_then(name, names, sheet[name], [one])}
            if not judged({**recorded, **then}, sheet)[exercise].right:
                return one
    return next((one for found in others.values() for one in found), None)
