"""The secret seeds of a class: each exercise's own, from one secret by a keyed hash, so that one tells nothing of another.

`.course/secret` holds 32 random bytes; `.course/seeds.json` says, per chapter and exercise, which numbers were drawn
with it. What has been drawn stays: grading again gives the same. Older class folders have a chapter's seeds
themselves in `seeds.json`, the same for all its exercises; they go on using them.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from pathlib import Path

from course.judging import archive
from solutions.classroom.assignment import Assignment
from solutions.classroom.folder import ClassFolderError
from solutions.classroom.release.seed_proof import proves_itself

SEEDS = 2
"""Secret seeds per exercise."""

TRIES = 12
"""Seeds that are looked at before one is taken that does not prove itself."""

SMALLEST, END = 1_000, 2**31
"""Seeds lie in this range: the public ones do not, and every random number generator takes them."""


class SeedsError(ClassFolderError):
    """The class's secret is missing or damaged. The message says what to do."""


def secret_seeds(assignment: Assignment) -> dict[str, list[int]]:
    """exercise → its seeds in this class. Drawn once per class folder, and kept: grading again gives the same."""
    judges = partial(proves_itself, assignment.chapter)
    return seeds_of(assignment.folder.hidden, assignment.chapter, assignment.exercises, judges)


def seeds_of(
    hidden: Path, chapter: str, exercises: Iterable[str], proves_itself: Callable[[str, int], bool]
) -> dict[str, list[int]]:
    """exercise → its secret seeds in the class whose secrets lie in `hidden`; drawn now where there are none yet.

    proves_itself: whether an exercise's cases from a seed can tell right from wrong; seeds that cannot are passed over.
    """
    path = hidden / "seeds.json"
    known = _read(path)
    kept = known.get(chapter, {})
    if isinstance(kept, list):
        return {name: list(kept) for name in exercises}
    names = list(exercises)
    secret = class_secret(hidden, make=not any(isinstance(one, dict) and one for one in known.values()))
    new = {name: _drawn(secret, chapter, name, proves_itself) for name in names if name not in kept}
    if new:
        known[chapter] = kept | new
        write_private(path, json.dumps(known, indent=1).encode())
    counters = kept | new
    return {name: [seed_of(secret, chapter, name, number) for number in counters[name]] for name in names}


def _drawn(secret: bytes, chapter: str, name: str, proves_itself: Callable[[str, int], bool]) -> list[int]:
    """The first numbers whose seeds prove themselves; where there are too few, the first of the others."""
    proved = (n for n in range(TRIES) if proves_itself(name, seed_of(secret, chapter, name, n)))
    good = list(islice(proved, SEEDS))
    others = [number for number in range(TRIES) if number not in good]
    return sorted([*good, *others[: SEEDS - len(good)]])


def seed_of(secret: bytes, chapter: str, exercise: str, counter: int) -> int:
    """The seed with this number. Without the secret, seeds of other exercises tell nothing of it."""
    digest = hmac.digest(secret, f"{chapter}/{exercise}/{counter}".encode(), hashlib.sha256)
    return SMALLEST + int.from_bytes(digest, "big") % (END - SMALLEST)


def class_secret(hidden: Path, make: bool = True) -> bytes:
    """The class's secret. make: whether a missing one may be made, since nothing was drawn with it yet."""
    path = hidden / "secret"
    if make and not path.exists():
        write_private(path, secrets.token_bytes(32))
    secret = path.read_bytes() if path.exists() else b""
    if len(secret) != 32:
        raise SeedsError(
            f"{path} is {'damaged' if path.exists() else 'missing'}, and hidden cases were drawn with it:"
            " put it back from your backup."
        )
    return secret


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only the folder's owner may read, and the group where the folder is the group's."""
    archive.write_bytes(path, data, private=True)


def _read(path: Path) -> dict[str, dict[str, list[int]] | list[int]]:
    try:
        return dict(json.loads(path.read_text("utf-8"))) if path.exists() else {}
    except ValueError:
        raise SeedsError(f"{path} is damaged: put it back from your backup.") from None
