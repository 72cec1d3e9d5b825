"""The notebook is a symbolic link to a file that the grader can read and the student cannot.

Must happen: links are not followed; 0 points and the reason.
"""

from pathlib import Path

from nbformat import NotebookNode

LOSES = "everything"
SAYS = "link"
NEVER_SHOWS = "root:"


def hand_in(notebook: NotebookNode, place: Path, name: str) -> None:
    place.joinpath(name).symlink_to("/etc/passwd")
