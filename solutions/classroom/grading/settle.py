"""What a recording still lacks: doubtful ones are made again apart, and what is wrong is asked the public cases too.

Several exercises may be recorded in one process (submission/sharing.py). Whatever comes out of one neither right nor
simply still open is recorded again in a process of its own, and that counts; unless its functions leave nothing for each
other to find, so that the same would come of it. With hidden cases, what is wrong is then asked the public ones. That is
another run of the notebook, and not a question before the hidden ones in the same run: most of a class is right, and
asking everybody everything twice would take longer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from course.judging.sheets import sheet_name
from course.judging.verdict import Answers, Verdict
from solutions.classroom.grading.judge import decide, is_open, needs_words, public_questions
from solutions.classroom.submission.job_and_result import apart, only
from solutions.classroom.submission.sandbox import Job, Result, Spent, Step
from solutions.classroom.submission.sharing import leaves_nothing


def settled(
    result: Result,
    job: Job,
    chapter: str,
    answers: Mapping[str, Answers],
    record: Callable[[Job], Result],
    hidden: bool = True,
) -> Result:
    """The result with all that counts: doubtful recordings made again, and with hidden cases the public ones beside them."""
    decided = decide(chapter, result, job, answers)
    final = _apart(result, job, decided, record)
    if final is not result:
        decided = decide(chapter, final, job, answers)
    return _with_public(final, job, chapter, decided, record) if hidden else final


def _apart(
    result: Result, job: Job, decided: Mapping[str, Verdict], record: Callable[[Job], Result]
) -> Result:
    """Record again, each in its own process, what shared one and came out neither right nor open."""
    certain = result.recordings if leaves_nothing(job.steps) else {}
    doubtful = {
        step.exercise: step.id
        for step in job.steps
        if step.exercise in result.together
        and step.exercise not in certain
        and not decided[step.exercise].right
        and not is_open(step.exercise, result)
    }
    if not doubtful:
        return result
    spent = Spent(job.spent.cpu + result.cpu_seconds, job.spent.wall + result.seconds)
    again = record(replace(job, steps=_each_alone(only(doubtful, job.steps)), spent=spent))
    kept = {name: outcomes for name, outcomes in result.recordings.items() if name not in doubtful}
    reasons = {name: reason for name, reason in result.failures.items() if name not in doubtful}
    return replace(
        result,
        cells=result.cells | {id: again.cells[id] for id in doubtful.values()},
        recordings=kept | again.recordings,
        failures=reasons | again.failures,
        seconds=result.seconds + again.seconds,
        cpu_seconds=result.cpu_seconds + again.cpu_seconds,
    )


def _with_public(
    result: Result, job: Job, chapter: str, decided: Mapping[str, Verdict], record: Callable[[Job], Result]
) -> Result:
    """Run the notebook once more and ask it the public cases of those exercises that need a word on what is wrong.

    That run begins as if there had been no other: what the hidden cases took, in time or anything else, must not count in it.
    """
    known, questions = public_questions(job.files.get(sheet_name(chapter), b""))
    wrong = {name for name, verdict in decided.items() if needs_words(name, verdict, result)} & known
    if not wrong:
        return result
    steps = only(wrong, job.steps)
    alone = {step.id for step in steps if step.exercise not in result.recordings}  # it would not stop alone
    steps = apart(steps, alone) if leaves_nothing(job.steps) else _each_alone(steps)
    public = record(replace(job, steps=steps, questions=questions))
    said = Result(recordings=public.recordings, failures=public.failures)  # its cells, nobody may read
    return replace(
        result,
        public=said,
        seconds=result.seconds + public.seconds,
        cpu_seconds=result.cpu_seconds + public.cpu_seconds,
    )


def _each_alone(steps: Sequence[Step]) -> list[Step]:
    return apart(steps, {step.id for step in steps if step.exercise})
