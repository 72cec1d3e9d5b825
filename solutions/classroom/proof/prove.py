"""Does the judge work? Every misconception rejected with its own sentence, every right alternative accepted."""

import inspect
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from course.exercises import UnknownNameError, chapter_named, exercises_of, find
from course.judging.exercise import Exercise
from course.judging.recording import fresh_cases, record, record_case
from course.judging.sheets import Answers
from course.judging.verdict import compare
from solutions.classroom.proof import promised_errors
from solutions.classroom.proof.shortcuts import (
    SEEDS_LOOKED_AT,
    SHARE_WITH_NEW_SIZES,
    accepted_constants,
)
from solutions.classroom.release.answers import PUBLIC_SEEDS, answers_for
from solutions.classroom.release.reference_source import home_of, load
from solutions.classroom.release.seed_proof import CLEARLY_APART, apart_from, why_not
from solutions.classroom.release.sizes import new_sizes, public_sizes
from solutions.misconceptions import alternatives_of, misconceptions_of, sentence

LONGEST_CASE = 0.2
FEWEST_MISCONCEPTIONS = 2


@dataclass
class Proof:
    """What was found about one exercise. complaints: empty when everything holds."""

    exercise: str
    wrong: int = 0
    alternatives: int = 0
    slowest_case: float = 0.0
    missed: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    @property
    def rejected(self) -> int:
        """Misconceptions that are told their own sentence, for all seeds."""
        return self.wrong - len(self.missed)

    @property
    def accepted(self) -> int:
        """Right alternatives that are right for all seeds."""
        return self.alternatives - len(self.refused)

    @property
    def too_slow(self) -> str:
        """What to say of a case that takes too long on this machine. No complaint: another machine may be quicker."""
        if self.slowest_case <= LONGEST_CASE:
            return ""
        return f"a case takes {self.slowest_case:.2f} s of processor time; {LONGEST_CASE} s is the most"


def prove_chapter(chapter: str, seeds: list[int] | None = None) -> list[Proof]:
    """A proof per exercise of the chapter, and complaints about misconceptions of exercises that do not exist."""
    proofs = [prove(chapter, exercise, seeds) for exercise in exercises_of(chapter).values()]
    for name in {*misconceptions_of(chapter), *alternatives_of(chapter)} - set(exercises_of(chapter)):
        proofs.append(
            Proof(name, complaints=["has misconceptions or alternatives, but is no exercise of this chapter"])
        )
    return proofs


def prove(chapter: str, exercise: Exercise, seeds: list[int] | None = None) -> Proof:
    """Judge reference, misconceptions and alternatives of one exercise, on the public and on other seeds."""
    wrong = misconceptions_of(chapter).get(exercise.name, [])
    right = alternatives_of(chapter).get(exercise.name, [])
    proof = Proof(exercise.name, wrong=len(wrong), alternatives=len(right))
    if len(wrong) < FEWEST_MISCONCEPTIONS:
        proof.complaints.append(f"has {len(wrong)} misconceptions; {FEWEST_MISCONCEPTIONS} are the least")
    if not right:
        proof.complaints.append("has no alternative right solution")
    if not 1 <= len(exercise.hints) <= 3 or not all(hint.strip() for hint in exercise.hints):
        proof.complaints.append("needs one to three hints")
    _check_cases(exercise, load(home_of()[exercise.name], exercise.name), proof)
    sheets = [
        answers_for(chapter, exercise, chosen)
        for chosen in ([seeds] if seeds else [PUBLIC_SEEDS, [101, 102]])
    ]
    for sheet in sheets:
        _judge_all(exercise, sheet, chapter, proof)
    proof.complaints += _not_separated(exercise, sheets[0])
    module = home_of()[exercise.name]
    looked_at = seeds or [*PUBLIC_SEEDS, *SEEDS_LOOKED_AT[:2]]
    proof.complaints += promised_errors.complaints(exercise, module, looked_at)
    proof.complaints += _shortcuts(exercise, load(module, exercise.name), sheets)
    proof.complaints = list(dict.fromkeys(proof.complaints))
    return proof


@dataclass
class Share:
    """How many of some seeds prove themselves for an exercise. reasons: why not → how many of the others."""

    exercise: str
    seeds: int
    proved: int
    reasons: dict[str, int]


FIRST_SEED = 1001
"""From here on seeds may be a class's."""


def print_shares(names: Iterable[str], many: int) -> int:
    """A line per exercise: how many of so many seeds prove themselves, and why not the others. Returns 1 where none does."""
    shares = []
    for name in names:
        for chapter, exercise in exercises_named(name):
            share = share_that_proves_itself(chapter, exercise.name, range(FIRST_SEED, FIRST_SEED + many))
            print(
                f"{'✔' if share.proved == share.seeds else '·' if share.proved else '✘'} {share.exercise:<30} {share.proved}/{share.seeds}"
            )
            for reason, often in share.reasons.items():
                print(f"      {often} times {reason}")
            shares.append(share)
    proved, of = sum(share.proved for share in shares), sum(share.seeds for share in shares)
    print(f"{proved} of {of} seeds prove themselves ({100 * proved / max(of, 1):.1f} %)")
    return 0 if all(share.proved for share in shares) else 1


def exercises_named(name: str) -> list[tuple[str, Exercise]]:
    """The exercises of a chapter, or the one of this name, each with its chapter."""
    try:
        chapter = chapter_named(name)
    except UnknownNameError:
        return [find(name)]
    return [(chapter, exercise) for exercise in exercises_of(chapter).values()]


def share_that_proves_itself(chapter: str, exercise: str, seeds: range) -> Share:
    """How many seeds could be drawn as secret ones. A release passes over the others, so nearly all should be good."""
    reasons: Counter[str] = Counter()
    proved = 0
    for seed in seeds:
        found = {_NUMBER.sub("…", reason) for reason in why_not(chapter, exercise, seed)}
        reasons.update(found)
        proved += not found
    return Share(exercise, len(seeds), proved, dict(reasons.most_common()))


_NUMBER = re.compile(r"(?<= )(?:[0-9.]+(?:e[-+]?\d+)?|inf)(?= tolerances)")


def _judge_all(exercise: Exercise, answers: Answers, chapter: str, proof: Proof) -> None:
    reference = load(home_of()[exercise.name], exercise.name)
    again = compare(exercise, record(reference, exercise, answers.seeds, answers.inputs), answers)
    if not again.right:
        proof.complaints.append(f"the reference itself is rejected the second time: {again.message}")
    for outcome in answers.expected:
        if outcome.raised and outcome.raised not in ("ValueError", "TypeError", "IndexError", "KeyError"):
            proof.complaints.append(f"the reference raises {outcome.raised}: {outcome.message}")
    for function in misconceptions_of(chapter).get(exercise.name, []):
        verdict = compare(exercise, record(function, exercise, answers.seeds, answers.inputs), answers)
        own = (
            verdict.kind == "misconception"
            and verdict.message == sentence(function)
            and len(verdict.message) > 20
        )
        if not own:
            proof.missed.add(function.__name__)
            if function.__name__ not in answers.wrong:
                proof.complaints.append(
                    f"{function.__name__} gives one constant in every case: let a case show another number, or, where its"
                    " sentence fits whoever returns it, add it to KNOWN_BY_A_CONSTANT"
                )
                continue
            proof.complaints.append(
                f"{function.__name__} is not told its own sentence but: {verdict.kind}: {verdict.message}"
            )
    for function in alternatives_of(chapter).get(exercise.name, []):
        verdict = compare(exercise, record(function, exercise, answers.seeds, answers.inputs), answers)
        if not verdict.right:
            proof.refused.add(function.__name__)
            proof.complaints.append(f"{function.__name__} is right but told: {verdict.message}")


def _shortcuts(exercise: Exercise, reference: Callable[..., Any], sheets: list[Answers]) -> list[str]:
    """What a function may do without being an answer."""
    known = public_sizes(exercise, PUBLIC_SEEDS)
    new = [new_sizes(exercise, seed, known) for seed in SEEDS_LOOKED_AT]
    found = []
    if sum(new) < SHARE_WITH_NEW_SIZES * len(new):
        found.append(f"only {sum(new)} of {len(new)} seeds ask for sizes that the public cases do not have")
    for sheet in sheets:
        found += [
            f"may take {text}, whatever it is given"
            for text in accepted_constants(reference, exercise, sheet)
        ]
    return found


def _check_cases(exercise: Exercise, reference: Callable[..., Any], proof: Proof) -> None:
    parameters = list(inspect.signature(reference).parameters)
    for seed in PUBLIC_SEEDS:
        for case in fresh_cases(exercise, seed):
            if list(case) != parameters[: len(case)]:
                proof.complaints.append(f"a case names {list(case)}; the signature says {parameters}")
        for position in range(len(fresh_cases(exercise, seed))):
            proof.slowest_case = max(proof.slowest_case, _seconds(reference, exercise, seed, position))


def _seconds(reference: Callable[..., Any], exercise: Exercise, seed: int, position: int) -> float:
    """Processor time of one case. What seems too slow is tried twice more: a first call also loads and warms up."""
    best = float("inf")
    for _ in range(3):
        case = fresh_cases(exercise, seed)[position]
        start = time.process_time()
        record_case(reference, exercise, case)
        best = min(best, time.process_time() - start)
        if best <= LONGEST_CASE:
            break
    return best


def _not_separated(exercise: Exercise, answers: Answers) -> list[str]:
    """Pairs among reference and misconceptions that no public case tells apart by ten tolerances."""
    cases = [
        case
        for seed, ice in zip(answers.seeds, answers.inputs, strict=True)
        for case in fresh_cases(exercise, seed, ice)
    ]
    outcomes = {"the reference": answers.expected} | {
        name: recorded for name, (_, recorded) in answers.wrong.items()
    }
    names = list(outcomes)
    found = []
    for position, first in enumerate(names):
        for second in names[position + 1 :]:
            apart = apart_from(exercise, outcomes[second], outcomes[first], answers.expected, cases)
            if apart < CLEARLY_APART:
                found.append(f"{first} and {second} look alike on every public case")
    return found
