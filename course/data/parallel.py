"""Real sentences in two languages: Multi30k and every other corpus with one sentence per line and language.

A folder holds one file per part and language, plain or packed: train.en, train.de, val.en.gz … Line i of one language
is the translation of line i of the other. Nothing is downloaded here: `course.data.download.fetch("multi30k")` does it.
"""

import gzip
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from course.data import DataError
from course.data.download import cache_folder
from course.data.vocabulary import Vocabulary


class SentencePair(NamedTuple):
    """The words of a sentence and of its translation."""

    source: list[str]
    target: list[str]


def words_of(line: str) -> list[str]:
    """Return a line's words in lower case, with every punctuation mark as a word of its own."""
    return re.findall(r"\w+(?:['’]\w+)*|[^\w\s]", line.lower())


def load_parallel(
    part: str = "train",
    source: str = "en",
    target: str = "de",
    folder: Path | str | None = None,
) -> list[SentencePair]:
    """Return all pairs of one part of the corpus; a pair with an empty side is left out.

    Without a folder, Multi30k is looked for where `fetch("multi30k")` puts it.
    Raises DataError when a file is missing, damaged, or the two files do not have the same number of lines.
    """
    home = Path(folder) if folder is not None else cache_folder() / "multi30k"
    sides = [_lines(home, f"{part}.{language}") for language in (source, target)]
    if len(sides[0]) != len(sides[1]):
        raise DataError(
            f"{part}.{source} has {len(sides[0])} lines and {part}.{target} has {len(sides[1])}: they must "
            f"correspond line by line. Fetch both files again, of the same version."
        )
    pairs = [SentencePair(words_of(a), words_of(b)) for a, b in zip(*sides, strict=True)]
    return [pair for pair in pairs if pair.source and pair.target]


def vocabulary_of(sentences: Iterable[list[str]], at_least: int = 2) -> Vocabulary:
    """Return the words that occur `at_least` times, the most frequent first; all others will be <unknown>."""
    counts = Counter(word for words in sentences for word in words)
    return Vocabulary(
        word
        for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        if count >= at_least
    )


def _lines(folder: Path, name: str) -> list[str]:
    plain, packed = folder / name, folder / f"{name}.gz"
    try:
        if plain.is_file():
            text = plain.read_bytes()
        elif packed.is_file():
            text = gzip.decompress(packed.read_bytes())
        else:
            raise DataError(
                f"There is no {name} or {name}.gz in {folder}. With a network, this fetches Multi30k: "
                f'from course.data.download import fetch; fetch("multi30k")'
            )
        return text.decode("utf-8").removesuffix("\n").split("\n")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"{name} in {folder} cannot be read ({error}): fetch it again.") from None
