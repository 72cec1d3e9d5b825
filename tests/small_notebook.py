"""A released notebook of six cells, and what may be handed in of it."""

from copy import deepcopy

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook


def graded_cell(name: str, source: str, **facts: object) -> NotebookNode:
    """A cell as nbgrader marks it. facts: what else nbgrader knows of it; code: whether it is code."""
    cell = new_code_cell(source) if facts.pop("code", True) else new_markdown_cell(source)
    cell.metadata["nbgrader"] = {
        "grade_id": name,
        "grade": False,
        "solution": False,
        "locked": True,
        "task": False,
        "schema_version": 3,
        **facts,
    }
    return cell


SET_UP = "import math\nimport torch"

RELEASE = new_notebook(
    cells=[
        new_markdown_cell("# Title"),
        graded_cell("set-up", SET_UP),
        graded_cell(
            "double-gap", "def double(x):\n    raise NotImplementedError()", solution=True, locked=False
        ),
        graded_cell("double", "check(double)", grade=True, points=2),
        new_code_cell("print(double(2))"),
        graded_cell("why", "Your answer", code=False, grade=True, solution=True, locked=False, points=1),
    ],
    metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
)


def sources(notebook: NotebookNode) -> list[str]:
    """What stands in its cells."""
    return [cell.source for cell in notebook.cells]


def solved() -> NotebookNode:
    """The notebook with its gap filled."""
    notebook = deepcopy(RELEASE)
    notebook.cells[2].source = "def double(x):\n    return 2 * x"
    return notebook


def name_of(cell: NotebookNode) -> str:
    """The name under which nbgrader grades a cell."""
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")
