"""`check` and grading say the same of the same notebook: the kind of verdict, the misconception's name, and the points.

A varied class goes both ways. On the one a kernel runs the notebook and every function is checked, beside the saved file; on
the other the file is handed in and graded on secret cases. Where `check` says more than "right here", grading must differ
from the kernel in just that; where it does not, in nothing.
"""

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain, combinations, product
from pathlib import Path
from typing import Any

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from course import settings
from course.exercises import chapters, exercises_of
from course.judging import archive
from course.judging.recording import fresh_cases
from course.judging.sheets import Answers, Plan, read_tree, sheet_name
from course.notebook import kernel, saved
from course.notebook.here_and_graded import look_at
from course.sandbox import confine
from solutions.classroom.grading.judge import judge
from solutions.classroom.grading.settle import settled
from solutions.classroom.proof.simulated_class import gaps_of, solved, standalone
from solutions.classroom.release.answers import answer_sheet
from solutions.classroom.release.source_notebook import (
    grade_id,
    notebook_bytes,
    public_sheet,
    source_notebook,
    student_notebook,
)
from solutions.classroom.submission.reading import read_submission
from solutions.classroom.submission.running_once import steps_of
from solutions.classroom.submission.sandbox import Job, Limits, Sandbox
from solutions.misconceptions import alternatives_of, misconceptions_of

pytestmark = pytest.mark.skipif(not confine.LINUX, reason="the walls are Linux's")

EVERYDAY = ("01_linear_models", "13_self_attention")
SECRET = [1_011, 1_012]
LIMIT = 1.0
FEW = 3
"""Of misconceptions and of pairs in an everyday chapter; all of every chapter are long."""


@dataclass
class Person:
    """functions: exercise → the source in its gap. before, after, demo: cells around the exercise `at`. gone: cells that ran
    and were deleted. kernel: cells that ran last, wherever they stand. moved: the check cell of `at` stands at the top.
    """

    who: str
    functions: dict[str, str] = field(default_factory=dict)
    at: str = ""
    before: Sequence[str] = ()
    after: Sequence[str] = ()
    demo: Sequence[str] = ()
    gone: Sequence[str] = ()
    kernel: Sequence[str] = ()
    moved: bool = False
    open: Sequence[str] = ()

    @property
    def kind(self) -> str:
        """What is the matter, without the exercise's name."""
        return self.who.partition(" ")[2]

    def notebook(self, chapter: str) -> NotebookNode:
        release = released(chapter)
        gaps = gaps_of(release)
        undone = {name: gaps[grade_id(name)] for name in self.open}
        notebook = nbformat.from_dict(everything_solved(chapter))
        for name, source in (undone | self.functions).items():
            notebook.cells[_place(notebook, f"{grade_id(name)}-gap")].source = source
        if self.at:
            place = _place(notebook, f"{grade_id(self.at)}-gap")
            tagged = [new_code_cell(source, metadata={"tags": ["demo"]}) for source in self.demo]
            notebook.cells[place:place] = [*map(new_code_cell, self.before), *tagged]
            place = _place(notebook, grade_id(self.at)) + 1
            notebook.cells[place:place] = map(new_code_cell, self.after)
        if self.moved:
            check = notebook.cells.pop(_place(notebook, grade_id(self.at)))
            notebook.cells.insert(_place(notebook, "set-up") + 1, check)
        return notebook


def _place(notebook: NotebookNode, name: str) -> int:
    return [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in notebook.cells].index(name)


@cache
def released(chapter: str) -> NotebookNode:
    return student_notebook(chapter)


@cache
def everything_solved(chapter: str) -> NotebookNode:
    return solved(released(chapter), chapter)


@cache
def answers(chapter: str) -> tuple[dict[str, Answers], Plan]:
    tree = archive.unpack(public(chapter))
    return read_tree(tree, chapter), Plan(**tree["plan"])


@cache
def public(chapter: str) -> bytes:
    return archive.pack(public_sheet(chapter, source_notebook(chapter)))


@cache
def secret(chapter: str) -> dict[str, Answers]:
    return answer_sheet(chapter, SECRET)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    limits = Limits(cpu_seconds=LIMIT, wall_seconds=30)
    with Sandbox(limits, isolation="bubblewrap" if shutil.which("bwrap") else "auto") as warm:
        yield warm


@pytest.fixture(autouse=True)
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SECONDS_EACH", LIMIT)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)


Said = dict[str, tuple[str, str, float]]
"""exercise → kind, misconception, points."""


def graded(sandbox: Sandbox, chapter: str, path: Path) -> Said:
    submission = read_submission(path, released(chapter))
    steps = steps_of(chapter, submission.notebook, released(chapter))
    asked = {name: {"seeds": part.seeds, "inputs": part.inputs} for name, part in secret(chapter).items()}
    job = Job(steps, archive.pack(asked), {sheet_name(chapter): public(chapter)})
    result = settled(sandbox.run(job), job, chapter, secret(chapter), sandbox.run)
    marked = judge(chapter, result, job, secret(chapter))
    return {name: _short(item.verdict) for name, item in marked.items()}


def _short(verdict: Any) -> tuple[str, str, float]:
    return verdict.kind, verdict.misconception, verdict.points


def checked(
    chapter: str, path: Path, person: Person, monkeypatch: pytest.MonkeyPatch
) -> tuple[Said, Said, dict[str, str]]:
    """What check says of every function in the kernel, what it foresees of grading, and its remarks."""
    shell = InteractiveShell()
    monkeypatch.setattr("builtins.get_ipython", lambda: shell, raising=False)
    kernel._ran.clear()
    kernel.watch()
    told = {cell.source for cell in released(chapter).cells if "nbgrader" not in cell.metadata}
    run = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    sources = [
        cell.source
        for cell in run
        if cell.source not in told and not cell.metadata.get("nbgrader", {}).get("grade")
    ]
    with capture_output():
        for source in [*sources[:1], *person.gone, *sources[1:], *person.kernel]:
            shell.run_cell(source, store_history=True)
    os.utime(path, (time.time() + 60,) * 2)
    sheet, plan = answers(chapter)
    here, foreseen, remarks = {}, {}, {}
    for name, exercise in exercises_of(chapter).items():
        notebook = saved.find(path.parent, name, plan, shell.user_ns)
        assert notebook is not None
        with capture_output():
            seen = look_at(exercise, shell.user_ns.get(name), sheet, shell.user_ns, notebook)
        here[name], foreseen[name], remarks[name] = _short(seen.here), _short(seen.graded), seen.remark
    return here, foreseen, remarks


def _callers(chapter: str) -> dict[str, list[str]]:
    return {name: part.uses for name, part in secret(chapter).items() if part.uses}


def believers(chapter: str) -> list[Person]:
    """One for every misconception and for every other right answer."""
    return [
        Person(function.__name__, {name: standalone(chapter, name, function)})
        for catalogue in (misconceptions_of(chapter), alternatives_of(chapter))
        for name, functions in catalogue.items()
        for function in functions
    ]


def twice_wrong(chapter: str, most: int) -> list[Person]:
    """Two mistakes at once, where one exercise calls another or both are called by a third; about so many."""
    wrong = misconceptions_of(chapter)
    pairs = {
        pair
        for name, uses in _callers(chapter).items()
        for pair in chain(combinations(uses, 2), ((other, name) for other in uses))
    }
    both = [
        (one, bad, two, worse) for one, two in sorted(pairs) for bad, worse in product(wrong[one], wrong[two])
    ]
    return [
        Person(
            f"{one}/{bad.__name__} and {two}/{worse.__name__}",
            {one: standalone(chapter, one, bad), two: standalone(chapter, two, worse)},
        )
        for one, bad, two, worse in both[:: len(both) // most or 1]
    ]


_TEXT = "def {}(*inputs):\n    return {}"
_BURN = "\n    import time\n    end = time.process_time() + {}\n    while time.process_time() < end:\n        pass\n    return "


def troubled(chapter: str) -> list[Person]:
    """All other kinds of trouble, in the first exercise, in one that others call, and in one that calls others."""
    callers = _callers(chapter)
    names = dict.fromkeys(
        [next(iter(exercises_of(chapter))), *list(callers)[:1], *(u[0] for u in callers.values())]
    )
    return [person for name in names for person in _troubled(chapter, name)]


def _troubled(chapter: str, name: str) -> Iterator[Person]:
    right = standalone(chapter, name, alternatives_of(chapter)[name][0])
    by_helper = _TEXT.format(name, "helper(*inputs)")
    helper = right.replace(f"\n{name} = _written()", "\nhelper = _written()")
    wrong_helper = _TEXT.format("helper", "inputs[0]")
    texts = {
        "raises": "[][1]",
        "nothing": "None",
        "text": "'text'",
        "a number": "0.25",
        "nan": "torch.tensor(float('nan'))",
        "itself": "inputs[0]",
        "two": "inputs[:2]",
        "open again": "helper_that_is_nowhere(*inputs)",
    }
    for who, text in texts.items():
        yield Person(f"{name} returns {who}", {name: _TEXT.format(name, text)})
    yield Person(f"{name} is broken", {name: f"def {name}(:"})
    yield Person(f"{name} is a number", {name: f"{name} = 3"})
    yield Person(f"{name} is open", open=[name])
    yield Person(
        f"everything from {name} on is open",
        open=list(exercises_of(chapter))[list(exercises_of(chapter)).index(name) :],
    )
    yield Person(
        f"{name} changes its input",
        {name: f"def {name}(*inputs):\n    inputs[0].zero_()\n    return inputs[0]"},
    )
    if not any(name in uses for uses in _callers(chapter).values()):  # nobody else becomes slow by it
        calls = len(fresh_cases(exercises_of(chapter)[name], SECRET[0]))
        burn = _BURN.format(LIMIT / calls)  # for two seeds: twice the limit
        yield Person(f"{name} is slow", {name: f"{helper}\ndef {name}(*inputs):{burn}helper(*inputs)"})
        yield Person(f"{name} is slow and wrong", {name: f"def {name}(*inputs):{burn}inputs[0]"})
    at: dict[str, Any] = {"functions": {name: by_helper}, "at": name}
    yield Person(f"{name}: helper before", **at, before=[helper])
    yield Person(f"{name}: helper after", **at, after=[helper])
    yield Person(
        f"{name}: helper far below", {name: by_helper}, at=list(exercises_of(chapter))[-1], after=[helper]
    )
    yield Person(f"{name}: helper in a demonstration", **at, demo=[helper])
    yield Person(f"{name}: helper deleted", **at, gone=[helper])
    yield Person(
        f"{name}: another helper before",
        **at,
        before=[wrong_helper],
        after=[helper],
        kernel=[helper],
    )
    yield Person(
        f"{name}: itself below, a gap above",
        open=[name],
        at=name,
        after=[_of(name, helper)],
        kernel=[_of(name, helper)],
    )
    yield Person(f"{name}: check at the top", **at, before=[helper], moved=True)
    yield Person(
        f"{name}: helper imported",
        {name: by_helper},
        at=name,
        before=[helper, "import math, json as helper_of_json"],
    )


def _of(name: str, helper: str) -> str:
    return f"{helper}\n{_TEXT.format(name, 'helper(*inputs)')}"


def agree(
    sandbox: Sandbox, chapter: str, person: Person, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """In what check and grading do not agree on this person's notebook."""
    folder.mkdir()
    path = folder / f"{chapter}.ipynb"
    path.write_bytes(notebook_bytes(person.notebook(chapter)))
    (folder / sheet_name(chapter)).write_bytes(public(chapter))
    here, foreseen, remarks = checked(chapter, path, person, monkeypatch)
    mark = graded(sandbox, chapter, path)
    wrong = [
        f"{person.who}: {name}: check {foreseen[name]}, grade {mark[name]}"
        for name in mark
        if foreseen[name] != mark[name]
    ]
    unsaid = [
        name for name in mark if here[name][0] == "right" and mark[name][0] != "right" and not remarks[name]
    ]
    alarms = [name for name in mark if here[name] == mark[name] and remarks[name]]
    return (
        wrong
        + [f"{person.who}: {name}: nothing said" for name in unsaid]
        + [f"{person.who}: {name}: {remarks[name]}" for name in alarms]
    )


def _spread(people: Sequence[Person], most: int) -> list[Person]:
    """So many of them, from all over the list."""
    return [people[place * len(people) // most] for place in range(min(most, len(people)))]


def _one_of_each(people: Sequence[Person]) -> list[Person]:
    """Every kind of trouble once, each in another exercise than the one before."""
    kinds: dict[str, list[Person]] = {}
    for person in people:
        kinds.setdefault(person.kind, []).append(person)
    return [some[place % len(some)] for place, some in enumerate(kinds.values())]


@pytest.mark.promise("P4")
@pytest.mark.parametrize("chapter", EVERYDAY)
def test_a_varied_class_hears_the_same_from_check_and_grade(
    sandbox: Sandbox, chapter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [
        Person("right everywhere"),
        *_spread(believers(chapter), FEW),
        *_spread(twice_wrong(chapter, FEW), FEW),
    ]
    people += _one_of_each(troubled(chapter)) if chapter == EVERYDAY[0] else []
    found = [
        agree(sandbox, chapter, person, tmp_path / str(n), monkeypatch) for n, person in enumerate(people)
    ]
    assert not [line for lines in found for line in lines]


@pytest.mark.parametrize("chapter", chapters())
def test_the_whole_course_hears_the_same_from_check_and_grade(
    sandbox: Sandbox, chapter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [
        Person("right everywhere"),
        *believers(chapter),
        *twice_wrong(chapter, 60),
        *troubled(chapter),
    ]
    found = [
        agree(sandbox, chapter, person, tmp_path / str(n), monkeypatch) for n, person in enumerate(people)
    ]
    assert not [line for lines in found for line in lines]
