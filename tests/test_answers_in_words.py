"""What was written beside an answer cell is the answer: a person has to read it."""

import json
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell
from small_notebook import graded_cell, name_of, sources
from test_washing import png

from solutions.classroom.submission.handed_in import Note
from solutions.classroom.submission.reading import read_submission
from solutions.classroom.submission.washing import JOINER

ASKING = new_notebook(
    cells=[
        graded_cell(
            "double-gap", "def double(x):\n    raise NotImplementedError()", solution=True, locked=False
        ),
        graded_cell("double", "check(double)", grade=True, points=2),
        new_markdown_cell("## Think"),
        graded_cell("why-question", "### In your own words\n\nWhy?", code=False),
        graded_cell(
            "why", "*Your answer here.*", code=False, grade=True, solution=True, locked=False, points=1
        ),
        new_markdown_cell("## Next"),
        new_code_cell("print(2)"),
        graded_cell("how-question", "How?", code=False),
        graded_cell(
            "how", "*Your answer here.*", code=False, grade=True, solution=True, locked=False, points=1
        ),
    ],
)
WHY = 4


def _answers(tmp_path: Path, cells: list[NotebookNode]) -> tuple[NotebookNode, dict[str, str], list[Note]]:
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(new_notebook(cells=cells)))
    read = read_submission(path, ASKING)
    nbformat.validate(read.notebook)
    assert read.unreadable == ""
    found = {name_of(cell): cell.source for cell in read.notebook.cells}
    return read.notebook, {name: found[name] for name in ("why", "how")}, read.notes


def _inserted(*cells: NotebookNode, at: int = WHY + 1) -> list[NotebookNode]:
    every = list(deepcopy(ASKING).cells)
    every[at:at] = cells
    return every


BLANK = "*Your answer here.*"


@pytest.mark.parametrize(
    ("cells", "answer"),
    [
        (_inserted(new_markdown_cell("Because.")), "Because."),
        (_inserted(new_raw_cell("Because.")), "Because."),
        (_inserted(new_code_cell("Because of that.")), "```python\nBecause of that.\n```"),
        (_inserted(new_code_cell("# because\nx = 1")), "```python\n# because\nx = 1\n```"),
        (_inserted(new_code_cell("'because ```'")), "````python\n'because ```'\n````"),
        (_inserted(new_code_cell("'\\d because'")), "```python\n'\\d because'\n```"),
        (_inserted(new_markdown_cell("One."), new_markdown_cell(" "), new_markdown_cell("Two.")), "One.\n\nTwo."),
        (_inserted(new_markdown_cell("Because."), at=WHY), "Because."),
        (_inserted(new_markdown_cell("<b>One"), new_code_cell("x = 1"), at=WHY), f"<{JOINER}b>One"),
        ([*ASKING.cells[:WHY], new_markdown_cell("Because."), *ASKING.cells[WHY + 1 :]], "Because."),
        (_inserted(graded_cell("why", "Because.", code=False)), "Because."),
        (_inserted(new_code_cell("print(1)")), BLANK),
        (_inserted(new_markdown_cell(BLANK)), BLANK),
        (_inserted(new_markdown_cell(" \n")), BLANK),
        (_inserted(new_markdown_cell("Far away."), at=WHY + 2), BLANK),
        (_inserted(), BLANK),
    ],
)  # fmt: skip
def test_what_is_written_beside_a_blank_answer_is_the_answer(
    tmp_path: Path, cells: list[NotebookNode], answer: str
) -> None:
    notebook, found, notes = _answers(tmp_path, cells)
    assert found == {"why": answer, "how": BLANK}
    assert [note.cell for note in notes] == ([] if answer == BLANK else ["why"])
    before = [cell.source for cell in cells if cell.cell_type == "code"]
    assert [cell.source for cell in notebook.cells if cell.cell_type == "code"] == before, "code stays"
    if answer != BLANK:
        assert "".join(sources(notebook)).count("ecause") <= 2, "text is not shown twice"


def test_blank_answers_of_a_notebook_without_marks_are_all_recognised(tmp_path: Path) -> None:
    cells = deepcopy(ASKING).cells
    for cell in cells:
        cell.metadata.clear()
        cell.id = f"new-{cell.id}"
    cells[-1].source = "Like that."
    _, found, notes = _answers(tmp_path, cells)
    assert found == {"why": BLANK, "how": "Like that."}
    assert [note.cell for note in notes if "missing" in note.text] == ["why"]


def test_an_answer_that_was_written_into_the_question_is_the_answer(tmp_path: Path) -> None:
    cells = deepcopy(ASKING).cells
    cells[WHY - 1].source += "\n\nBecause."
    cells[-2].source = "Like that."
    _, found, notes = _answers(tmp_path, cells)
    assert found == {"why": "Because.", "how": "Like that."}
    assert {note.cell for note in notes} == {"why", "how", "why-question", "how-question"}


@pytest.mark.parametrize("blank", ["", " \n\n", "*Your answer here.*\r\n", "  *Your answer here.*  "])
def test_a_blank_answer_is_to_the_letter_as_it_was_released(tmp_path: Path, blank: str) -> None:
    cells = deepcopy(ASKING).cells
    cells[WHY].source = blank
    _, found, notes = _answers(tmp_path, cells)
    assert (found["why"], notes) == (BLANK, [])
    cells[WHY] |= {"cell_type": "code", "outputs": [], "execution_count": None}
    assert _answers(tmp_path, cells)[1]["why"] == BLANK


def test_a_written_answer_is_left_alone(tmp_path: Path) -> None:
    cells = _inserted(new_markdown_cell("A cell of my own."))
    cells[WHY].source = "Because."
    notebook, found, notes = _answers(tmp_path, cells)
    assert (found["why"], notes) == ("Because.", [])
    assert "A cell of my own." in sources(notebook)


def test_images_of_answers_are_kept_and_others_leave_a_note(tmp_path: Path) -> None:
    cells = _inserted(
        new_markdown_cell("![a](attachment:image.png)", attachments={"image.png": {"image/png": png()}}),
        new_markdown_cell("![b](attachment:image.png)", attachments={"image.png": {"image/png": png(5)}}),
        new_markdown_cell("![c](attachment:c.svg)", attachments={"c.svg": {"image/svg+xml": "<svg/>"}}),
    )
    notebook, found, notes = _answers(tmp_path, cells)
    cell = next(cell for cell in notebook.cells if name_of(cell) == "why")
    assert cell.attachments == {
        "image-1.png": {"image/png": png()},
        "image-2.png": {"image/png": png(5)},
    }
    assert found["why"].startswith("![a](attachment:image-1.png)\n\n![b](attachment:image-2.png)\n\n!")
    assert [note.cell for note in notes] == ["why", "why"]
    assert "left out" in notes[1].text
    again, _, notes = _answers(tmp_path, notebook.cells)
    assert next(cell for cell in again.cells if name_of(cell) == "why") == cell
    assert notes == []
