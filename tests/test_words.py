"""What is said of a wrong answer: the hidden recording decides right, open or wrong, the public one says the rest."""

from functools import cache

import pytest

from course.judging import archive
from course.judging.recording import Outcome
from course.judging.sheets import Answers, sheet_name
from course.judging.verdict import Verdict
from solutions.classroom.grading.judge import NOT_RIGHT, ONLY_HIDDEN, judge
from solutions.classroom.grading.settle import settled
from solutions.classroom.release.answers import PUBLIC_SEEDS, answer_sheet, sheet_tree
from solutions.classroom.submission.sandbox import CellResult, Job, Result, Step

CHAPTER, NAME = "13_self_attention", "split_heads"
SOURCE = "def split_heads(x, heads):\n    raise KeyError  # [/b]\x1b[31m\n    raise OSError"


@cache
def sheet(secret: bool) -> dict[str, Answers]:
    return answer_sheet(CHAPTER, [12_345, 67_890] if secret else PUBLIC_SEEDS)


def raised(kind: str, line: int = 2, message: str = "LEAK", function: str = NAME) -> list[Outcome]:
    outcome = Outcome(
        raised=kind, message=message, file="cell:gap", line=line, function=function, text=f"LEAK {kind}"
    )
    return [outcome] * len(sheet(True)[NAME].expected)


def job(source: str = SOURCE, with_sheet: bool = True) -> Job:
    files = {sheet_name(CHAPTER): archive.pack(sheet_tree(sheet(False)))} if with_sheet else {}
    return Job([Step("gap", source), Step("check", "", NAME)], b"", files)


def said(
    hidden: list[Outcome] | str, public: list[Outcome] | str | None, asked: Job | None = None
) -> Verdict:
    """The verdict over these recordings; a text is the reason why there is none."""

    def result(given: list[Outcome] | str) -> Result:
        if isinstance(given, str):
            return Result(failures={NAME: given})
        return Result(recordings={NAME: given})

    whole = result(hidden)
    whole.public = None if public is None else result(public)
    return judge(CHAPTER, whole, asked or job(), sheet(True))[NAME].verdict


def test_of_an_exception_the_public_line_and_type_are_told() -> None:
    verdict = said(raised("OSError", 3), raised("KeyError", 2))
    assert verdict.kind == "raised"
    assert (
        verdict.message
        == "On a public case it stopped with KeyError in your line 2: raise KeyError # [/b][31m"
    )


@pytest.mark.parametrize(
    "hidden", [raised("OSError"), [], "It took longer than 10 s and was stopped.", "It is gone."]
)
def test_however_it_went_wrong_on_hidden_cases_the_words_are_the_same(hidden: list[Outcome] | str) -> None:
    assert said(hidden, sheet(False)[NAME].expected).message == ONLY_HIDDEN
    assert said(hidden, None).message == NOT_RIGHT
    assert said(hidden, raised("KeyError")) == said(raised("KeyError"), raised("KeyError"))


def test_points_come_from_the_hidden_cases_alone() -> None:
    right = said(sheet(True)[NAME].expected, raised("KeyError"))
    assert (right.kind, right.points, right.message) == ("right", right.of, "Right.")
    assert said(raised("KeyError"), sheet(False)[NAME].expected).points == 0
    assert said(sheet(False)[NAME].expected, sheet(False)[NAME].expected).points == 0


def test_a_misconception_is_named_when_the_public_cases_show_it() -> None:
    name, (sentence, outcomes) = next(iter(sheet(False)[NAME].wrong.items()))
    other = list(sheet(True)[NAME].wrong.values())[-1][1]
    verdict = said(other, outcomes)
    assert (verdict.misconception, verdict.message) == (name, sentence)


def test_what_is_open_is_read_in_the_source_and_not_in_the_recording() -> None:
    gap = "def split_heads(x, heads):\n    raise NotImplementedError()"
    for function in ("split_heads", "merge_heads", "anything"):
        hidden = raised("NotImplementedError", 2, "", function)
        assert said(hidden, None, job(gap)).message == "Not done yet."


def test_a_type_of_one_s_own_is_not_named_and_a_line_that_is_not_there_is_not_quoted() -> None:
    assert (
        said(raised("OSError"), raised("LEAK", 99)).message
        == "On a public case it stopped with an exception."
    )


def test_a_quoted_line_is_cut() -> None:
    long = job("def split_heads(x, heads):\n    raise KeyError('" + "y" * 30_000 + "')")
    assert len(said(raised("KeyError"), raised("KeyError"), long).message) < 300


def test_the_public_cases_are_asked_in_a_run_that_is_told_nothing_of_the_other() -> None:
    asked: list[Job] = []

    def record(again: Job) -> Result:
        asked.append(again)
        return Result(recordings={NAME: raised("KeyError")}, seconds=1)

    first = Result(recordings={name: part.expected for name, part in sheet(True).items()}, seconds=2)
    first.recordings[NAME] = raised("OSError")
    done = settled(first, job(), CHAPTER, sheet(True), record)
    assert [set(archive.unpack(one.questions)) for one in asked] == [set(sheet(False))]
    assert archive.unpack(asked[0].questions)[NAME]["seeds"] == PUBLIC_SEEDS
    assert done.public is not None
    assert done.public.recordings[NAME][0].raised == "KeyError"
    assert done.recordings is first.recordings
    assert settled(first, job(with_sheet=False), CHAPTER, sheet(True), record) is first


def test_whoever_is_right_is_asked_no_second_time() -> None:
    def never(again: Job) -> Result:
        raise AssertionError

    first = Result(recordings={name: part.expected for name, part in sheet(True).items()})
    assert settled(first, job(), CHAPTER, sheet(True), never) is first


@pytest.mark.parametrize(
    ("source", "runs"),
    [
        ("def split_heads(x, heads):\n    raise KeyError", 1),
        ("def split_heads(x, heads):\n    open('note')", 2),
    ],
    ids=["plain", "not plain"],
)
def test_what_shared_a_process_is_recorded_again_unless_its_functions_only_compute(
    source: str, runs: int
) -> None:
    asked: list[Job] = []

    def record(again: Job) -> Result:
        asked.append(again)
        cells = {"check": CellResult("check", status="ran")}
        return Result(cells=cells, recordings={NAME: raised("KeyError")})

    first = Result(recordings={name: part.expected for name, part in sheet(True).items()})
    first.recordings[NAME] = raised("OSError")
    first.together = [NAME, "merge_heads"]
    settled(first, job(source), CHAPTER, sheet(True), record)
    assert len(asked) == runs
    assert [archive.unpack(one.questions)[NAME]["seeds"] for one in asked[-1:]] == [PUBLIC_SEEDS]
    first.together = []  # it was recorded apart in the first place
    asked.clear()
    settled(first, job(source), CHAPTER, sheet(True), record)
    assert len(asked) == 1
