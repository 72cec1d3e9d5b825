"""verdict = compare(recording, answer sheet): the one mechanism behind `check` and behind every grade."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from course.judging.differences import Difference, dtype_not_as_promised, first_difference, short_arguments
from course.judging.exercise import Case, Exercise, Values, is_real
from course.judging.recording import Outcome
from course.judging.sheets import Answers
from course.judging.traces import in_words

RECOGNISED = 3.0
"""In tolerances: how near a recording has to come to a misconception. Who makes a mistake also computes in an order of their own."""

Kind = Literal[Difference, "right", "follows", "open", "misconception", "changed", "undefined", "killed"]


@dataclass(frozen=True)
class Verdict:
    """Points and the one sentence that says why.

    kind: how the diagnosis ended. misconception: its name, where one matched. follows: the exercise to finish first,
    or the one given which this is right.
    """

    exercise: str
    kind: Kind
    points: float
    of: float
    message: str
    misconception: str = ""
    follows: str = ""

    @property
    def right(self) -> bool:
        return self.kind == "right"


def compare(
    exercise: Exercise,
    recorded: Sequence[Outcome],
    answers: Answers,
    dependencies: Mapping[str, Verdict] | None = None,
    hidden: bool = False,
    where: str = "On a hidden case",
) -> Verdict:
    """The verdict over one recording.

    dependencies: the verdicts of the exercises that this one calls. hidden: say nothing of inputs, expected values and
    what came back; where: what is said then in place of the case.
    Order: right · right given a dependency's misconception · not done yet · a misconception · finish the dependency
    first · right but for what was left behind · raised · left behind · type · shape · dtype · device · NaN · first difference.
    """
    cases = answers.cases(exercise)
    dependencies = dependencies or {}

    def verdict(kind: Kind, message: str, points: float = 0, **more: str) -> Verdict:
        return Verdict(exercise.name, kind, points, exercise.points, message, **more)

    def same(
        outcomes: Sequence[Outcome],
        one_sided: bool = False,
        traceless: bool = False,
        but: Collection[int] = (),
        most: float = 1,
    ) -> bool:
        return len(recorded) == len(outcomes) and all(
            distance(exercise, got, want, case, one_sided, traceless) <= most
            for number, (got, want, case) in enumerate(zip(recorded, outcomes, cases, strict=True))
            if number not in but
        )

    if same(answers.expected, one_sided=True):
        promised = dtype_not_as_promised(exercise, recorded, answers)
        if promised:
            return verdict("dtype", promised)
        return verdict("right", "Right.", exercise.points)

    errors = {number for number, want in enumerate(answers.expected) if want.raised}

    def asked(outcomes: Sequence[Outcome]) -> list[Outcome]:
        return [outcome for number, outcome in enumerate(outcomes) if number not in errors]

    kept = {n for n in errors if n < len(recorded) and recorded[n].raised == answers.expected[n].raised}
    for (name, bad), outcomes in answers.given.items():
        theirs = dependencies.get(name)
        believed = theirs is not None and theirs.misconception == bad and prove_something(asked(outcomes))
        if believed and same(outcomes, one_sided=True, but=kept):  # a promise may be kept, whatever is called
            return verdict("right", f"Right, given your {name}.", exercise.points, follows=name)

    for pair, outcomes in answers.given_both.items():
        theirs_too = [dependencies[name].misconception == bad for name, bad in pair if name in dependencies]
        if theirs_too == [True, True] and prove_something(outcomes) and same(outcomes, one_sided=True):
            (one, _), (two, _) = pair
            return verdict("right", f"Right, given your {one} and {two}.", exercise.points, follows=one)

    missing = next((o for o in recorded if o.open), None)
    unfinished = [name for name, theirs in dependencies.items() if not theirs.right]
    first = first_unfinished(dependencies)
    if missing is not None and missing.function in unfinished:
        return verdict(
            "follows", f"Finish {missing.function} first: this one calls it.", follows=missing.function
        )
    if missing is not None:
        return verdict("open", "Not done yet.")

    for but in (
        (set(), errors) if errors else (set(),)
    ):  # who forgot a promised error may have a misconception, too
        for name, (sentence, outcomes) in answers.wrong.items():
            if same(outcomes, but=but, most=RECOGNISED) and not (
                but and same(answers.expected, one_sided=True, but=but)
            ):
                return verdict("misconception", sentence, misconception=name)

    if first:
        return verdict("follows", f"Finish {first} first: this one calls it.", follows=first)

    left = next(filter(None, map(_left, recorded, answers.expected, cases)), "")
    if left and same(answers.expected, one_sided=True, traceless=True):
        return verdict("changed", f"The values are right, but your function {left}.")
    for name, (sentence, outcomes) in answers.wrong.items() if left else ():
        if same(outcomes, traceless=True, most=RECOGNISED):
            return verdict("misconception", sentence, misconception=name)
    if left and not any(outcome.raised for outcome in recorded):
        return verdict("changed", f"Your function {left}.")

    for number, (got, want, case) in enumerate(zip(recorded, answers.expected, cases, strict=False), start=1):
        if distance(exercise, got, want, case, one_sided=True, traceless=True) > 1:
            which = where if hidden else f"On case {number} of {len(cases)}{short_arguments(case)}"
            return verdict(*first_difference(exercise, got, want, case, answers, which, hidden))
    if len(recorded) != len(answers.expected):
        return verdict("undefined", CUT_SHORT)
    return verdict("different", "The recording differs from the answer sheet.")


def first_unfinished(dependencies: Mapping[str, Verdict]) -> str:
    """Of the exercises that one calls, the one to finish first: not one that itself waits for another; "" for none."""
    unfinished = [name for name, theirs in dependencies.items() if not theirs.right]
    return next(
        (name for name in unfinished if dependencies[name].kind != "follows"), next(iter(unfinished), "")
    )


CUT_SHORT = "The recording is incomplete: the function ended the process before all cases were seen."


def _left(got: Outcome, want: Outcome, case: Case) -> str:
    """What a call has left behind that the reference does not, in words; "" for nothing."""
    return next(filter(None, (in_words(left, case) for left in got.left if left not in want.left)), "")


def prove_something(outcomes: Sequence[Outcome]) -> bool:
    """Whether matching these outcomes shows that a function is right: not if they are all exceptions, which anybody can raise."""
    return not all(outcome.raised for outcome in outcomes)


def one_constant(exercise: Exercise, outcomes: Sequence[Outcome]) -> bool:
    """Whether all values of all cases are one and the same number: by such an outcome nobody's mistake can be told."""
    found: set[float | str] = set()
    for outcome in outcomes:
        for name, value in outcome.values.items():
            if isinstance(value, str):
                found.add(value)
            elif exercise.rule(name) is not None:
                found |= {str(number) for number in value.unique()[:2].tolist()}
    return len(found) <= 1


def distance(
    exercise: Exercise,
    got: Outcome,
    want: Outcome,
    case: Case,
    one_sided: bool = False,
    traceless: bool = False,
) -> float:
    """The largest distance over all compared values, in tolerances, infinite where another thing was left behind.

    one_sided: better than wanted counts as 0, and so does leaving less behind. traceless: whatever was left behind.
    """
    more, less = set(got.left) - set(want.left), set(want.left) - set(got.left)
    if not traceless and (more or (less and not one_sided)):
        return float("inf")
    if got.raised or want.raised:
        return 0.0 if got.raised == want.raised else float("inf")
    names = [name for name in want.values if exercise.rule(name) is not None]
    if any(name not in got.values for name in names):
        return float("inf")
    if not isinstance(exercise.compare, Mapping) and set(got.values) != set(want.values):
        return float("inf")
    worst = 0.0
    for name in names:
        step = _distance_of(exercise, got.values, want.values, name, case)
        worst = max(worst, step if one_sided else abs(step))
    return worst


def _distance_of(exercise: Exercise, got: Values, want: Values, name: str, case: Case) -> float:
    rule = exercise.rule(name)
    assert rule is not None
    mine = got[name]
    if isinstance(mine, Tensor) and not is_real(mine):
        return float("inf")
    return rule(got, want, name, case)
