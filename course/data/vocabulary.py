"""Words to numbers and back, for every sequence that the course translates, captions or hears."""

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Int
from torch import Tensor

PAD, START, END, UNKNOWN = 0, 1, 2, 3
MARKERS = ("<pad>", "<start>", "<end>", "<unknown>")


class Vocabulary:
    """A fixed list of words, each with its number. Numbers 0 to 3 are the markers."""

    def __init__(self, words: Iterable[str]):
        self.words = (*MARKERS, *dict.fromkeys(words))
        self._number = {word: number for number, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, words: Iterable[str]) -> list[int]:
        """Return the number of each word; a word that is not on the list becomes <unknown>."""
        return [self._number.get(word, UNKNOWN) for word in words]

    def decode(self, numbers: Iterable[int] | Tensor) -> list[str]:
        """Return the words up to the first <end>, without markers for start and padding."""
        words = []
        for number in numbers.tolist() if isinstance(numbers, Tensor) else numbers:
            if number == END:
                break
            if number not in (PAD, START):
                words.append(self.words[number])
        return words

    def batch(self, sentences: Sequence[Sequence[str]], end: bool = False) -> Int[Tensor, "batch n"]:
        """Return the sentences as rows of numbers, padded on the right to the longest one."""
        rows = [self.encode(words) + ([END] if end else []) for words in sentences]
        padded = torch.full((len(rows), max(map(len, rows), default=0)), PAD)
        for row, numbers in zip(padded, rows, strict=True):
            row[: len(numbers)] = torch.tensor(numbers)
        return padded
