"""Which submissions are built alike? A hint to look at two notebooks side by side, never a verdict.

Compared is structure: copydetect's fingerprints (winnowing, Schleimer et al. 2003) of code in which names and comments
no longer count. What the release itself holds is left out.
"""

import io
import itertools
import logging
from dataclasses import dataclass

import numpy as np
from copydetect import CodeFingerprint, compare_files
from nbformat import NotebookNode

from solutions.classroom.assignment import Assignment
from solutions.classroom.folder import ClassFolder
from solutions.classroom.roster import students as students_of
from solutions.classroom.submission.finding import read_handed_in

TOKENS = 25
"""The shortest run of tokens that counts."""

LONGEST = 200_000
"""Characters of a submission that are looked at."""

LEAST = 60
"""Tokens below which a submission is too short to compare."""


@dataclass(frozen=True)
class Pair:
    """Two students and the share of the shorter one's code that stands in the other's too, by structure."""

    first: str
    second: str
    share: float


def alike(folder: ClassFolder, chapter: str, least: float = 0.8, most: int = 20) -> list[Pair]:
    """The most similar pairs of a chapter's submissions, at most `most`, with at least the share `least`."""
    release = Assignment(folder, chapter).notebook
    texts = {}
    for student in students_of(folder):
        submission = read_handed_in(folder.submitted(student, chapter), chapter, release)
        if not submission.unreadable:
            texts[student] = own_code(submission.notebook, release)
    skeleton = "\n\n".join(cell.source for cell in release.cells if cell.cell_type == "code")
    return pairs(texts, skeleton, least)[:most]


def own_code(notebook: NotebookNode, release: NotebookNode) -> str:
    """What a student wrote: the code cells that are not as they were released."""
    known = {cell.source for cell in release.cells}
    own = (cell.source for cell in notebook.cells if cell.cell_type == "code" and cell.source not in known)
    return "\n\n".join(own)[:LONGEST]


def pairs(texts: dict[str, str], skeleton: str = "", least: float = 0.8) -> list[Pair]:
    """All pairs of these texts that share at least `least`, most alike first."""
    logging.getLogger().setLevel(logging.ERROR)  # copydetect warns at the root of every short text
    boilerplate = np.array(sorted(_prints(skeleton, None).hashes)) if skeleton else np.array([])
    prints = {name: _prints(text, boilerplate) for name, text in sorted(texts.items())}
    long_enough = {name: p for name, p in prints.items() if p.token_coverage >= LEAST}
    found = []
    for (first, a), (second, b) in itertools.combinations(long_enough.items(), 2):
        share = float(max(compare_files(a, b)[1]))
        if share >= least:
            found.append(Pair(first, second, min(share, 1.0)))
    return sorted(found, key=lambda pair: (-pair.share, pair.first, pair.second))


def _prints(text: str, boilerplate: np.ndarray | None) -> CodeFingerprint:
    return CodeFingerprint(
        "submission.py", TOKENS, 1, boilerplate=boilerplate, language="python", fp=io.StringIO(text + "\n")
    )
