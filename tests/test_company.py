"""A mark never depends on company: a function is asked with what the notebook has at its graded cell, and nothing later.

Each notebook is graded with its exercises sharing a process, each in its own, and beside one that has to be killed.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import product

import pytest

from course.judging import archive
from course.judging.sheets import Answers
from course.sandbox import confine
from solutions.classroom.grading.judge import decide
from solutions.classroom.grading.settle import settled
from solutions.classroom.release.answers import answer_sheet
from solutions.classroom.submission.sandbox import Job, Limits, Sandbox, Step
from solutions.classroom.submission.sharing import share_snapshots

pytestmark = pytest.mark.skipif(not confine.LINUX, reason="the walls are Linux's")

CHAPTER = "01_linear_models"
SEEDS = [11, 12]
LIMITS = Limits(cpu_seconds=1.0, wall_seconds=10, memory_bytes=400 << 20)
SETUP = Step(
    "setup", "import os, pickle\nimport torch, email\nfrom torch import Tensor\nHERE = __name__\nBOX = []\n"
)
BY_NAME = "pickle.loads(b'c__main__\\n{}\\n.')"
"""A look into __main__ that no reader of the source takes for one."""

SCORES = "x @ w"
SHRINK = "torch.sign(w) * (w.abs() - threshold).clamp(min=0)"
FIRST = {
    "plain": f"def linear_scores(x, w):\n    return {SCORES}",
    "needs a helper by its name": f"def linear_scores(x, w):\n    return {BY_NAME.format('product')}(x, w)",
    "needs that no helper is there": "def linear_scores(x, w):\n    try:\n"
    f"        return {BY_NAME.format('product')}(x, w)\n    except AttributeError:\n        return {SCORES}",
    "needs a module that others load": f"def linear_scores(x, w):\n    email.generator\n    return {SCORES}",
    "needs that nobody loads a module": "def linear_scores(x, w):\n"
    f"    return {SCORES} if not hasattr(email, 'generator') else x",
    "needs what a decorator leaves": f"def linear_scores(x, w):\n    return {SCORES} if BOX else x",
    "leaves a module": f"def linear_scores(x, w):\n    from email import generator\n    return {SCORES}",
    "leaves a setting": "def linear_scores(x, w):\n"
    f"    torch.use_deterministic_algorithms(False, warn_only=True)\n    return {SCORES}",
    "leaves something in a box": f"def linear_scores(x, w):\n    BOX.append(x)\n    return {SCORES}",
    "wrong": f"def linear_scores(x, w):\n    return {SCORES} + 1",
    "crashes": "def linear_scores(x, w):\n    return 1 / 0",
    "leaves a setting and is wrong": f"def linear_scores(x, w):\n    torch.set_grad_enabled(False)\n    return {SCORES} + 1",
    "is right where it was defined": f"def linear_scores(x, w):\n    return {SCORES} if HERE == '__main__' else x",
}
BETWEEN = {
    "nothing": "y = 1",
    "a helper": "def product(x, w):\n    return x @ w",
    "a wrong helper": "def product(x, w):\n    return w",
    "a module": "import email.generator as eg",
    "a module by the way": "import mailbox",
    "a class with a hook": "class Base:\n    def __init_subclass__(cls):\n        BOX.append(cls)\nclass Later(Base):\n    pass",
    "a decorator": "def keep(f):\n    BOX.append(f)\n    return f\n@keep\ndef more(x):\n    return x",
    "a helper that goes": "def product(x, w):\n    return x @ w\ndel product",
}
SECOND = {
    "plain": f"def soft_threshold(w, threshold):\n    return {SHRINK}",
    "needs a module that others load": "def soft_threshold(w, threshold):\n    email.generator\n    return "
    + SHRINK,
    "needs a full box": f"def soft_threshold(w, threshold):\n    return {SHRINK} if BOX else w",
    "wrong": f"def soft_threshold(w, threshold):\n    return {SHRINK} + 1",
    "needs a setting": f"def soft_threshold(w, threshold):\n    return {SHRINK} if torch.is_deterministic_algorithms_warn_only_enabled() else w",
    "replaces the first's helper": "def product(x, w):\n    return w * 0\n"
    f"def soft_threshold(w, threshold):\n    return {SHRINK}",
}
DYING = "def regularized_cost(x, w, y, penalty):\n    os._exit(0)"


@cache
def sheet() -> dict[str, Answers]:
    return answer_sheet(CHAPTER, SEEDS)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(LIMITS, isolation="bubblewrap" if shutil.which("bwrap") else "auto") as warm:
        yield warm


def _marks(sandbox: Sandbox, sources: list[Step], shared: bool) -> dict[str, bool]:
    """exercise → whether it is right, by the way that grading takes."""
    questions = {name: {"seeds": part.seeds, "inputs": part.inputs} for name, part in sheet().items()}
    steps = share_snapshots(sources) if shared else sources
    job = Job([replace(step) for step in steps], archive.pack(questions))
    result = settled(sandbox.run(job), job, CHAPTER, sheet(), sandbox.run)
    decided = decide(CHAPTER, result, job, sheet())
    return {name: decided[name].right for name in ("linear_scores", "soft_threshold")}


EVERYTHING = list(product(FIRST, BETWEEN, SECOND))
TELLING = [
    ("needs a helper by its name", "a helper", "plain"),
    ("needs a helper by its name", "a helper that goes", "plain"),
    ("needs a helper by its name", "nothing", "replaces the first's helper"),
    ("needs that no helper is there", "a helper", "plain"),
    ("needs that no helper is there", "a wrong helper", "plain"),
    ("needs a module that others load", "a module", "plain"),
    ("needs a module that others load", "a module by the way", "plain"),
    ("needs that nobody loads a module", "a module by the way", "plain"),
    ("needs what a decorator leaves", "a class with a hook", "plain"),
    ("needs what a decorator leaves", "a decorator", "plain"),
    ("leaves a module", "nothing", "needs a module that others load"),
    ("leaves something in a box", "nothing", "needs a full box"),
    ("leaves a setting", "nothing", "needs a setting"),
    ("wrong", "nothing", "plain"),
    ("wrong", "a helper", "wrong"),
    ("crashes", "nothing", "wrong"),
    ("plain", "a class with a hook", "wrong"),
]
"""Those in which the one cell is there for the other; of the rest, every eleventh, or all with COURSE_COMPANY=1."""


@pytest.mark.promise("P4")
@pytest.mark.parametrize(
    ("first", "between", "second"),
    EVERYTHING if os.environ.get("COURSE_COMPANY") else [*TELLING, *EVERYTHING[::11]],
)
def test_a_mark_is_the_same_together_apart_and_beside_one_that_dies(
    sandbox: Sandbox, first: str, between: str, second: str
) -> None:
    cells = [
        SETUP,
        Step("a", FIRST[first]),
        Step("?a", "", "linear_scores"),
        Step("b", BETWEEN[between]),
        Step("c", SECOND[second]),
        Step("?c", "", "soft_threshold"),
    ]
    dying = [Step("d", DYING), Step("?d", "", "regularized_cost")]
    alone = _marks(sandbox, cells, shared=False)
    assert _marks(sandbox, cells, shared=True) == alone
    if (first, second) != ("plain", "plain"):
        assert _marks(sandbox, [SETUP, *dying, *cells[1:]], shared=True) == alone
        assert _marks(sandbox, [*cells, *dying], shared=True) == alone
