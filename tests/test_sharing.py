"""Graded cells are recorded in one process only where that cannot make a difference."""

import pytest

from course.exercises import chapters
from solutions.classroom.release.source_notebook import source_notebook, student_notebook
from solutions.classroom.submission.job_and_result import apart, only
from solutions.classroom.submission.running_once import steps_of
from solutions.classroom.submission.sandbox import Step
from solutions.classroom.submission.sharing import leaves_nothing, share_snapshots

FIRST = "import torch\n\ndef first(x):\n    return x + 1"
SECOND = "def second(x):\n    return first(x) + 1"


def shared(*sources: str) -> list[bool]:
    """`shares` of the graded cells of a notebook; "?name" stands for one."""
    steps = [
        Step(str(place), "" if source[0] == "?" else source, source[1:] if source[0] == "?" else "")
        for place, source in enumerate(sources)
    ]
    return [step.shares for step in share_snapshots(steps) if step.exercise]


def test_definitions_alone_lie_between() -> None:
    third = 'LIMIT = 3\nfrom math import pi\n\nclass Third:\n    """What."""\n    def run(self, x: Float[Tensor, \'n\']) -> int:\n        self.seen = x\n        return second(x)'
    assert shared(FIRST, "?first", SECOND, "?second", third, "?Third") == [True, True, False]


@pytest.mark.parametrize(
    "between",
    [
        "print(first(2))",
        "x = torch.ones(3)",
        "torch.ones",
        "for i in range(3):\n    pass",
        "if True:\n    y = 1",
        "del torch",
        "z = [1]\nz[0] = 2",
        "first.seen = 3",
        "from math import *",
        "@property\ndef f(x=print(3)):\n    pass",
        "class A:\n    print(3)",
        "(n := 3)",
        "def keep(f):\n    return f\n@keep\ndef more(x):\n    return x",
        "class Kind(type):\n    pass\nclass Later(metaclass=Kind):\n    pass",
        "a, *b = 'ab'",
        "y = [n for n in 'ab']",
    ],
)
def test_a_cell_that_runs_something_keeps_them_apart(between: str) -> None:
    expected = between == "torch.ones"  # looking something up runs nothing
    assert shared(FIRST, "?first", between, SECOND, "?second") == [expected, False]


@pytest.mark.parametrize(
    "later",
    [
        "def first(x):\n    return x",
        "helper = 3",
        "from math import pi as helper",
        "def helper():\n    return 3",
        "class helper:\n    pass",
        "torch = None",
    ],
)
def test_a_name_that_was_in_use_keeps_them_apart(later: str) -> None:
    """Before that cell, `first` does something else, or fails because its helper is not there yet."""
    one = FIRST + "\n\ndef other(x):\n    return helper"
    assert shared(one, "?first", later, SECOND, "?second") == [False, False]


def test_a_function_that_comes_after_its_graded_cell_keeps_them_apart() -> None:
    assert shared("import torch", "?first", "def first(x):\n    return x", SECOND, "?second") == [
        False,
        False,
    ]


@pytest.mark.parametrize(
    "line",
    [
        "globals()['first'] = 3",
        "exec('first = 3')",
        "import sys",
        "from importlib import reload",
        "first.__code__ = None",
        "setattr(torch, 'ones', 3)",
        "global first\n    first = 3",
        "torch.ones = 3",
        "torch.nn.functional.relu = 3",
        "import math; math.pi = 3",
        "first.cache[3] = x",
        "torch.set_default_device('cpu')",
        "torch.nn.modules.module.register_module_forward_hook(print)",
        "In[-1]",
    ],
)
def test_a_function_that_could_change_what_others_see_keeps_all_apart(line: str) -> None:
    spy = f"def spy(x):\n    {line}\n    return x"
    assert shared(FIRST, "?first", SECOND, "?second", spy, "?spy") == [False] * 3


@pytest.mark.parametrize(
    "store",
    [
        "BOX = []",
        "BOX = torch.ones(3)",
        "BOX: list = list()",
        "for BOX in [[]]:\n    pass",
        "class BOX:\n    things = []",
        "def BOX(x, things=[]):\n    things.append(x)",
        "def store(f):\n    return f\n@store\ndef BOX(x):\n    return x",
        "class Box:\n    def __iadd__(self, x):\n        return self\nBOX = 3",
        "def make():\n    n = 0\n    def count():\n        nonlocal n\n        n += 1\n    return count\nBOX = 3",
    ],
)
def test_a_store_that_functions_share_keeps_all_apart(store: str) -> None:
    """One exercise's function could leave there what another needs, and would be missed where that one is not asked."""
    lazy = "def second(x):\n    return BOX"
    assert shared(store, FIRST, "?first", lazy, "?second") == [False, False]


@pytest.mark.parametrize(
    "fixed",
    [
        "BOX = 3",
        "BOX = -1e-9",
        "BOX = ('a', 2)",
        "BOX = lambda x: x",
        "def BOX(x=None): pass",
        "BOX = list[int]",
    ],
)
def test_constants_keep_nobody_apart(fixed: str) -> None:
    assert shared(fixed, FIRST, "?first", "def second(x):\n    return BOX", "?second") == [True, False]


@pytest.mark.parametrize(
    "strange", ["%matplotlib inline", "def f(:", "x = '\ud800'", "(" * 5000, "#" * 300_000, "%time 3"]
)
def test_a_cell_that_cannot_be_understood_keeps_all_apart(strange: str) -> None:
    assert shared(FIRST, "?first", SECOND, "?second", strange) == [False, False]


@pytest.mark.parametrize(
    "deep", ["x = 1" + " + 1" * 1_500, "x = a" + ".b" * 1_200, "if x: pass\n" + "elif x: pass\n" * 1_200]
)
def test_deep_code_ends_no_grader(deep: str) -> None:
    """Python's parser takes it; a walk that calls itself does not."""
    assert len(shared(FIRST, "?first", deep, SECOND, "?second")) == 2


def test_what_a_function_does_to_its_own_variables_keeps_nobody_apart() -> None:
    local = "def second(x):\n    y = x.clone()\n    y[0] = 3\n    y.grad = None\n    return y.register_hook(print)"
    assert shared(FIRST, "?first", local, "?second") == [True, False]


@pytest.mark.parametrize("chapter", chapters())
def test_in_every_chapter_most_exercises_share(chapter: str) -> None:
    steps = steps_of(chapter, source_notebook(chapter), student_notebook(chapter))
    graded = [step for step in steps if step.exercise]
    assert not graded[-1].shares
    assert sum(not step.shares for step in graded) <= 3


@pytest.mark.parametrize(
    "line",
    [
        "y = torch.nn.functional.relu(x); y[0] = 3",
        "x.grad = None; x.requires_grad_(); torch.autograd.grad(x.sum(), x)",
        "handle = model.register_forward_hook(print)",
        "with torch.no_grad():\n        y = first(x)",
        "raise ValueError(f'{x:g}')",
        "return 1 / 0",
    ],
)
def test_what_only_computes_leaves_nothing(line: str) -> None:
    assert leaves_nothing(
        [Step("a", FIRST), Step("?", "", "first"), Step("b", f"def f(x, model):\n    {line}")]
    )


@pytest.mark.parametrize(
    "line",
    [
        "torch.set_grad_enabled(False)",
        "setting = torch.set_default_dtype; setting(x)",
        "lib = torch; lib.set_default_dtype(x)",
        "torch.backends.mkldnn.flags()",
        "torch._C._set_grad_enabled(False)",
        "cls = type(x); cls.forward = None",
        "type(x).grad = None",
        "torch.inference_mode()",
        "guard = torch.no_grad(); guard.__enter__()",
        "nn.modules.module.register_module_forward_hook(print)",
        "np.seterr(all='raise')",
        "import warnings",
        "warnings.simplefilter('error')",
        "unknown(x)",
        "open('note', 'w')",
        "check(first)",
    ],
)
def test_what_could_leave_something_is_not_taken_for_plain(line: str) -> None:
    heads = (
        "import torch, warnings\nfrom torch import nn\nimport numpy as np\nfrom course.check import check\n"
    )
    cells = [Step("a", heads), Step("b", FIRST), Step("c", f"def f(x):\n    {line}")]
    assert leaves_nothing(cells[:2])
    assert not leaves_nothing(cells)


@pytest.mark.parametrize(
    "cell",
    [
        "from functools import cache\n@cache\ndef f(x):\n    return x",
        "import functools\n@functools.lru_cache(maxsize=None)\ndef f(x):\n    return x",
        "from torch import set_default_dtype as f\ndef g(x):\n    f(x)",
        "import torch as math\ndef g(x):\n    return math.set_default_dtype(x)",
        "from os import environ\ndef g(x):\n    return environ",
        "%time 3",
        "#" * 300_000,
    ],
)
def test_nor_is_a_cell_that_remembers_or_hides_where_it_reaches(cell: str) -> None:
    assert not leaves_nothing([Step("a", FIRST), Step("b", cell)])


def test_most_chapters_are_plain_when_solved() -> None:
    solved = {chapter: source_notebook(chapter) for chapter in chapters()}
    plain = [leaves_nothing(steps_of(chapter, notebook, notebook)) for chapter, notebook in solved.items()]
    assert sum(plain) >= len(plain) - 3


CHAIN = [
    Step("a", "", "a", True), Step("1", "x"), Step("b", "", "b", True), Step("c", "", "c"),
    Step("d", "", "d", True), Step("e", "", "e"),
]  # fmt: skip


def test_who_is_asked_alone_parts_those_before_from_those_behind() -> None:
    assert [step.shares for step in apart(CHAIN, {"b"})] == [False] * 4 + [True, False]
    assert [step.shares for step in apart(CHAIN, {"e"})] == [True, False, True, False, False, False]
    assert apart(CHAIN, set()) == CHAIN


@pytest.mark.parametrize(
    ("names", "sharing"),
    [("abcde", "abd"), ("ac", "a"), ("ab", "a"), ("be", ""), ("de", "d"), ("ade", "d"), ("", "")],
)
def test_those_that_are_asked_again_share_with_whom_they_shared(names: str, sharing: str) -> None:
    kept = only([*names], CHAIN)
    assert [step.exercise for step in kept if step.exercise] == [*names]
    assert [step.exercise for step in kept if step.shares] == [*sharing]
    assert Step("1", "x") in kept
