"""A chapter's answer sheet: what is answered in it, and reading the one that lies beside the student's notebook."""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from course.judging import archive
from course.judging.archive import Tree
from course.judging.exercise import Case, Exercise
from course.judging.recording import Outcome, fresh_cases

FORMAT = 1


@dataclass
class Answers:
    """One exercise's part of an answer sheet.

    wrong: misconception → (its sentence, what it returns). given: (dependency, misconception of it) → what the
    reference returns when the dependency has that misconception. axes: value name → axis names of its shape.
    parts: value name → what the docstring calls this part of what comes back.
    """

    seeds: list[int]
    inputs: list[Tree]
    expected: list[Outcome]
    wrong: dict[str, tuple[str, list[Outcome]]] = field(default_factory=dict)
    given: dict[tuple[str, str], list[Outcome]] = field(default_factory=dict)
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
            axes=tree["axes"],
            uses=tree["uses"],
            parts=tree.get("parts", {}),  # older sheets have none
        )


def sheet_name(chapter: str) -> str:
    """The file name of a chapter's public answer sheet."""
    return f"{chapter}.answers"


def read_sheet(path: Path) -> dict[str, Answers]:
    """exercise → answers. Raises ArchiveError with the remedy."""
    stamp = path.stat().st_mtime_ns if path.exists() else 0
    return _read(path, stamp)


@lru_cache(maxsize=8)
def _read(path: Path, stamp: int) -> dict[str, Answers]:
    return read_tree(archive.read(path), path.name)


def read_tree(tree: Tree, name: str) -> dict[str, Answers]:
    """exercise → answers, of a sheet that was unpacked. Raises ArchiveError with the remedy."""
    if not isinstance(tree, dict) or tree.get("format") != FORMAT:
        raise archive.ArchiveError(
            f"{name} belongs to another version of the course. Copy it again from the released assignment."
        )
    return {name: Answers.of(part) for name, part in tree["exercises"].items()}
