"""Grading runs what a student wrote and what that leans on, and no other of the chapter's cells."""

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from course.notebook.names import defined, used
from solutions.classroom.submission.cells_to_run import needed_cells

CHAPTER = [
    "import torch.nn.functional as F",
    "digits = load()",
    "heavy = train(digits)",
    "show(heavy)",
    "digits.cache = 3",
]


def _cells(*sources: str) -> list[NotebookNode]:
    cells = [new_code_cell(source) for source in sources]
    for position, cell in enumerate(cells):
        cell["id"] = str(position)
    return cells


def _run(*own: str) -> list[str]:
    release = _cells(*CHAPTER)
    return [cell.source for cell in needed_cells(_cells(*CHAPTER, *own), release)][: -len(own)]


@pytest.mark.parametrize(
    ("own", "runs"),
    [
        ("def f(digits):\n    return digits", []),
        ("def f(x):\n    return F.relu(x)", [CHAPTER[0]]),
        ("def f(x):\n    return digits[x]", [CHAPTER[1], CHAPTER[4]]),
        ("print(heavy)", [CHAPTER[1], CHAPTER[2], CHAPTER[4]]),
        ("def f(", []),
        ("%timeit f()", CHAPTER),
        ("x = " + "-" * 50_000 + "1", CHAPTER),
        ("1 + " * 20_000 + "1", CHAPTER),
        ("x = '\ud800'", CHAPTER),
        ("f = lambda heavy: [digits for digits in heavy]", []),
    ],
)
def test_only_what_the_student_s_cells_lean_on_runs(own: str, runs: list[str]) -> None:
    assert _run(own) == runs


def test_an_edited_cell_of_the_chapter_is_the_student_s() -> None:
    cells = _cells(*CHAPTER)
    cells[3].source = "show(heavy, mine=True)"
    ran = [cell.source for cell in needed_cells(cells, _cells(*CHAPTER))]
    assert ran == [CHAPTER[1], CHAPTER[2], "show(heavy, mine=True)", CHAPTER[4]]


def test_names_are_global_ones() -> None:
    assert used("def f(a, *b, c=d):\n    e = a\n    global g\n    return e + h + [i for i in j][0]") >= {
        "d",
        "h",
        "j",
    }
    assert not used("def f(a):\n    e = a\n    return e") & {"a", "e"}
    assert defined(
        "import a.b as c\nfrom d import e\nf, (g, h) = 1, (2, 3)\nclass I: pass\nj += 1\nwith k as l: pass"
    ) == {*"cefghIjl"}
