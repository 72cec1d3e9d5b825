"""Reading a chapter's answer sheet: the file that lies beside the student's notebook."""

from functools import lru_cache
from pathlib import Path

from course.judging import archive
from course.judging.verdict import Answers

FORMAT = 1


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


def read_tree(tree: archive.Tree, name: str) -> dict[str, Answers]:
    """exercise → answers, of a sheet that was unpacked. Raises ArchiveError with the remedy."""
    if not isinstance(tree, dict) or tree.get("format") != FORMAT:
        raise archive.ArchiveError(
            f"{name} belongs to another version of the course. Copy it again from the released assignment."
        )
    return {name: Answers.of(part) for name, part in tree["exercises"].items()}
