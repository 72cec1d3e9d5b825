"""What a recording still lacks: doubtful ones are made again apart, and what is wrong is asked the public cases too.

Several exercises may be recorded in one process (submission/sharing.py). Whatever comes out of one neither right nor
simply still open is recorded again in a process of its own, and that counts.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from course.judging.sheets import sheet_name
from course.judging.verdict import Answers, Verdict
from solutions.classroom.grading.judge import decide, is_open, needs_words, public_questions
from solutions.classroom.submission.sandbox import Job, Result, Spent, sharing


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
    together = {step.exercise: step.id for step in sharing(job.steps)}
    doubtful = {
        name: id for name, id in together.items() if not decided[name].right and not is_open(name, result)
    }
    if not doubtful:
        return result
    spent = Spent(job.spent.cpu + result.cpu_seconds, job.spent.wall + result.seconds)
    again = record(replace(_only(doubtful, job), spent=spent))
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
    public = record(replace(_only(wrong, job), questions=questions))
    said = Result(recordings=public.recordings, failures=public.failures)  # its cells, nobody may read
    return replace(
        result,
        public=said,
        seconds=result.seconds + public.seconds,
        cpu_seconds=result.cpu_seconds + public.cpu_seconds,
    )


def _only(names: Collection[str], job: Job) -> Job:
    """The same notebook, asked for these exercises only, each in a process of its own."""
    steps = [step for step in job.steps if not step.exercise or step.exercise in names]
    return replace(job, steps=[replace(step, shares=False) for step in steps])
