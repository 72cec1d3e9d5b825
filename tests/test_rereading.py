"""What a person's score stands on: the answer and the cells behind it, or the code since the graded cell before."""

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from solutions.classroom.grading.rereading import texts_of


def _cell(name: str, source: str, *, grade: bool, solution: bool, code: bool = True) -> NotebookNode:
    make = new_code_cell if code else new_markdown_cell
    facts = {"grade_id": name, "grade": grade, "solution": solution}
    return make(source, metadata={"nbgrader": facts})


def _notebook() -> NotebookNode:
    return new_notebook(
        cells=[
            _cell("first-gap", "def first(): ...", grade=False, solution=True),
            new_code_cell("helper = 1"),
            _cell("first", "check(first)", grade=True, solution=False),
            _cell("second-gap", "def second(): ...", grade=False, solution=True),
            _cell("second", "check(second)", grade=True, solution=False),
            _cell("question", "Why?", grade=False, solution=False, code=False),
            _cell("answer", "Because.", grade=True, solution=True, code=False),
            new_markdown_cell("And therefore."),
            _cell("end", "The end.", grade=False, solution=False, code=False),
            new_code_cell("scratch = 1"),
        ]
    )


@pytest.mark.parametrize(
    ("position", "changed"),
    [
        (0, {"first"}),
        (1, {"first"}),
        (2, set()),
        (3, {"second"}),
        (6, {"answer"}),
        (7, {"answer"}),
        (9, set()),
    ],
)
def test_a_score_stands_on_what_was_written_for_it(position: int, changed: set[str]) -> None:
    before, notebook = texts_of(_notebook()), _notebook()
    notebook.cells[position].source += " Changed."
    after = texts_of(notebook)
    assert set(before) == {"first", "second", "answer"}
    assert {name for name in after if after[name] != before[name]} == changed


def test_a_picture_in_an_answer_is_part_of_it() -> None:
    notebook = _notebook()
    notebook.cells[6]["attachments"] = {"plot.png": {"image/png": "AAAA"}}
    assert texts_of(notebook)["answer"] != texts_of(_notebook())["answer"]


def test_what_a_cell_printed_is_no_part_of_it() -> None:
    notebook = _notebook()
    notebook.cells[2].outputs = [{"output_type": "stream", "name": "stdout", "text": "right"}]
    assert texts_of(notebook) == texts_of(_notebook())
