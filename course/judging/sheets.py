"""A chapter's answer sheet: what is answered in it, and reading the one that lies beside the student's notebook."""

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from course.judging import archive
from course.judging.archive import Tree
from course.judging.exercise import Case, Exercise
from course.judging.recording import Outcome, fresh_cases

FORMAT = 1

OPEN, TEXT = "", "text"
"""What a plan says of cells in which students write code, and of cells without code."""


@dataclass
class Answers:
    """One exercise's part of an answer sheet.

    wrong: misconception → (its sentence, what it returns). given: (dependency, misconception of it) → what the
    reference returns when the dependency has that misconception. given_both: the same for two dependencies at once.
    axes: value name → axis names of its shape. parts: value name → what the docstring calls this part of what comes back.
    """

    seeds: list[int]
    inputs: list[Tree]
    expected: list[Outcome]
    wrong: dict[str, tuple[str, list[Outcome]]] = field(default_factory=dict)
    given: dict[tuple[str, str], list[Outcome]] = field(default_factory=dict)
    given_both: dict[tuple[tuple[str, str], tuple[str, str]], list[Outcome]] = field(default_factory=dict)
    axes: dict[str, str] = field(default_factory=dict)
    uses: list[str] = field(default_factory=list)
    parts: dict[str, str] = field(default_factory=dict)
    _cases: list[Case] = field(default_factory=list, repr=False, compare=False)

    def cases(self, exercise: Exercise) -> list[Case]:
        """The cases that are answered here; made once, for comparing changes nothing in them."""
        if not self._cases:
            inputs = zip(self.seeds, self.inputs, strict=True)
            self._cases = [case for seed, ice in inputs for case in fresh_cases(exercise, seed, ice)]
        return self._cases

    def tree(self) -> Tree:
        return {
            "seeds": self.seeds,
            "inputs": self.inputs,
            "expected": [outcome.tree() for outcome in self.expected],
            "wrong": [
                [name, text, [o.tree() for o in outcomes]] for name, (text, outcomes) in self.wrong.items()
            ],
            "given": [[*pair, [o.tree() for o in outcomes]] for pair, outcomes in self.given.items()],
            "given_both": [
                [*one, *two, [o.tree() for o in outcomes]] for (one, two), outcomes in self.given_both.items()
            ],
            "axes": self.axes,
            "uses": self.uses,
            "parts": self.parts,
        }

    @classmethod
    def of(cls, tree: Tree) -> "Answers":
        return cls(
            seeds=tree["seeds"],
            inputs=tree["inputs"],
            expected=[Outcome.of(o) for o in tree["expected"]],
            wrong={name: (text, [Outcome.of(o) for o in outcomes]) for name, text, outcomes in tree["wrong"]},
            given={(name, bad): [Outcome.of(o) for o in outcomes] for name, bad, outcomes in tree["given"]},
            given_both={
                ((one, bad), (two, worse)): [Outcome.of(o) for o in outcomes]
                for one, bad, two, worse, outcomes in tree.get("given_both", [])
            },
            axes=tree["axes"],
            uses=tree["uses"],
            parts=tree.get("parts", {}),  # older sheets have none
        )


@dataclass(frozen=True)
class Plan:
    """How a chapter was released. cells: grade id → OPEN, TEXT, or the `fingerprint` of locked code; in order.

    questions: grade id → points, of what is to be answered in words.
    """

    cells: dict[str, str] = field(default_factory=dict)
    questions: dict[str, float] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Tells one release of a chapter from another."""
        return hashlib.sha256(repr((self.cells, self.questions)).encode()).hexdigest()[:16]


def fingerprint(text: str) -> str:
    """The same for texts that differ only in what editors change by themselves."""
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\xa0", " ").strip().split("\n")]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "replace")).hexdigest()[:12]


def sheet_name(chapter: str) -> str:
    """The file name of a chapter's public answer sheet."""
    return f"{chapter}.answers"


def read_sheet(path: Path) -> dict[str, Answers]:
    """exercise → answers. Raises ArchiveError with the remedy."""
    return _read(path, _stamp(path))[0]


def read_plan(path: Path) -> Plan:
    """How the chapter was released whose sheet this is; nothing where an older sheet does not say. Raises ArchiveError."""
    return _read(path, _stamp(path))[1]


def _stamp(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


@lru_cache(maxsize=8)
def _read(path: Path, stamp: int) -> tuple[dict[str, Answers], Plan]:
    tree = archive.read(path)
    return read_tree(tree, path.name), Plan(**tree.get("plan", {}))


def read_tree(tree: Tree, name: str) -> dict[str, Answers]:
    """exercise → answers, of a sheet that was unpacked. Raises ArchiveError with the remedy."""
    try:
        if tree["format"] == FORMAT:
            return {name: Answers.of(part) for name, part in tree["exercises"].items()}
    except (AttributeError, KeyError, TypeError, ValueError):  # an archive, and no sheet
        pass
    raise archive.ArchiveError(
        f"{name} belongs to another version of the course. Copy it again from the released assignment."
    )
