"""How answers in words are read: a model answer, what earns each point, typical answers with the sentence to send back.

They lie in `solutions/answers_in_words.toml`, with the instructor; formgrader shows them beside a student's answer.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ANSWERS = Path(__file__).resolve().parents[2] / "answers_in_words.toml"

MINUTES_PER_ANSWER = 2
"""What reading one answer, with the scheme beside it, takes: an estimate."""


@dataclass(frozen=True)
class Earns:
    """What earns so many points."""

    points: float
    earns: str


@dataclass(frozen=True)
class Typical:
    """An answer as students write it, its points, and what to send back."""

    points: float
    answer: str
    say: str


@dataclass(frozen=True)
class Guide:
    """How one question is read."""

    model: str
    scheme: tuple[Earns, ...]
    typical: tuple[Typical, ...]


@cache
def guides() -> dict[str, Guide]:
    """The question's grade id → how its answers are read."""
    return {
        name: Guide(
            facts["model"],
            tuple(Earns(**part) for part in facts["scheme"]),
            tuple(Typical(**part) for part in facts["typical"]),
        )
        for name, facts in tomllib.loads(ANSWERS.read_text("utf-8")).items()
    }
