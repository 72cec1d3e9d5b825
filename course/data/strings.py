"""Words and the weighted automata that write them: seeded, or from the PAutomaC competition's files.

A word is a tuple of letters, a letter a number from 0. An automaton is a triple (initial (states),
final (states), transitions (letters, states, states)) in float64; ``transitions[a][i, j]`` is the weight of reading a
and going from state i to state j. It is probabilistic when no weight is negative and when each state's
outgoing weights and its final weight sum to 1: it then writes words, and a word's value is its probability.

PAutomaC (Verwer, Eyraud & de la Higuera, 2014) has 48 problems, each of four files that are read here:
``N.pautomac.train`` and ``N.pautomac.test`` (words), ``N.pautomac_model.txt`` (the automaton that wrote them) and
``N.pautomac_solution.txt`` (the test words' probabilities, which sum to 1 over the test set).
"""

import itertools
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from course.data import DataError
from course.data.download import cache_folder

Word = tuple[int, ...]
Automaton = tuple[Tensor, Tensor, Tensor]


class Problem(NamedTuple):
    """One problem of the competition."""

    train: list[Word]
    test: list[Word]
    letters: int
    automaton: Automaton
    solution: Tensor


def lecture_automaton() -> Automaton:
    """The lecture's automaton: two states, the letters a = 0 and b = 1; it is probabilistic."""
    initial = torch.tensor([1.0, 0.0], dtype=torch.float64)
    final = torch.tensor([0.0, 1 / 4], dtype=torch.float64)
    a = torch.tensor([[1 / 2, 1 / 6], [0.0, 1 / 4]], dtype=torch.float64)
    b = torch.tensor([[0.0, 1 / 3], [1 / 4, 1 / 4]], dtype=torch.float64)
    return initial, final, torch.stack([a, b])


def random_automaton(states: int, letters: int, seed: int, stop: float = 0.15, choices: int = 2) -> Automaton:
    """A probabilistic automaton that starts in state 0.

    Each state ends the word with a chance of about ``stop`` and prefers a few letters; each letter leads to one of
    ``choices`` states. A small ``choices`` makes the states matter, a large one blurs them.
    """
    rng = np.random.default_rng(seed)
    initial = np.eye(states)[0]
    final = rng.uniform(0.5, 1.5, states) * stop
    transitions = np.zeros((letters, states, states))
    for i in range(states):
        preference = rng.dirichlet(np.full(letters, 0.5)) * 0.9 + 0.1 / letters
        for a in range(letters):
            targets = rng.choice(states, min(choices, states), replace=False)
            transitions[a, i, targets] = rng.dirichlet(np.ones(len(targets))) * preference[a]
        transitions[:, i] *= 1 - final[i]
    return torch.from_numpy(initial), torch.from_numpy(final), torch.from_numpy(transitions)


def sample_words(automaton: Automaton, count: int, seed: int, longest: int = 100) -> list[Word]:
    """Words written by a probabilistic automaton; a word that grows beyond ``longest`` letters is written anew."""
    initial, final, transitions = (part.numpy() for part in automaton)
    states, letters = len(initial), len(transitions)
    steps = np.concatenate([transitions.transpose(1, 0, 2).reshape(states, -1), final[:, None]], axis=1)
    if (steps < 0).any() or not np.allclose(steps.sum(1), 1) or not math.isclose(initial.sum(), 1):
        raise ValueError("Only a probabilistic automaton writes words: weights ≥ 0, each state's sum to 1.")
    rng = np.random.default_rng(seed)
    words: list[Word] = []
    while len(words) < count:
        rows = count - len(words)
        state = rng.choice(states, rows, p=initial / initial.sum())
        written = np.full((rows, longest + 1), -1)
        alive = np.arange(rows)
        for place in range(longest + 1):
            draw = rng.random((len(alive), 1))
            step = (draw > steps[state[alive]].cumsum(1)[:, :-1]).sum(1)
            alive, step = alive[step < letters * states], step[step < letters * states]
            written[alive, place], state[alive] = step // states, step % states
        done = (written[:, -1] == -1).nonzero()[0]
        words += [tuple(word[: (word >= 0).sum()].tolist()) for word in written[done]]
    return words


def all_words(letters: int, longest: int) -> list[Word]:
    """Every word of up to ``longest`` letters, short ones first, then in alphabetical order."""
    return [
        word for length in range(longest + 1) for word in itertools.product(range(letters), repeat=length)
    ]


def spelled(word: Sequence[int]) -> str:
    """A word as one reads it: (0, 1, 1) is abb, the empty word ε."""
    return "".join(chr(ord("a") + a) if a < 26 else f"[{a}]" for a in word) or "ε"


def perplexity(target: Tensor, candidate: Tensor, floor: float = 0.0) -> float:
    """The competition's score of a candidate, over the test words: 2^(−Σ_x P_T(x) log₂ P_C(x)); less is better.

    target, candidate: the words' values, P_T and P_C after each is made to sum to 1 over the test set. The best that
    anyone can reach is perplexity(target, target). floor: candidate values below it are raised to it; learned automata
    need that, as they may give a word nothing or less than nothing, which costs infinitely much.
    """
    if target.shape != candidate.shape:
        raise ValueError(f"{len(target)} words in the solution, {len(candidate)} values of the candidate.")
    raised = candidate.double().clamp(min=floor)
    if not raised.sum() > 0:
        raise ValueError("The candidate gives every word nothing, so its values cannot be made to sum to 1.")
    p, q = target.double() / target.double().sum(), raised / raised.sum()
    return float(2 ** (-torch.special.xlogy(p, q).sum() / math.log(2)))


def load_pautomac(number: int, folder: Path | None = None) -> Problem:
    """Problem ``number`` of the competition, from its four files in ``folder``; else where downloads live."""
    folder = folder or cache_folder() / "pautomac"
    stem = f"{number}.pautomac"
    train, letters = read_words(folder / f"{stem}.train")
    test, letters_there = read_words(folder / f"{stem}.test")
    letters = max(letters, letters_there)
    automaton = read_model(folder / f"{stem}_model.txt", letters)
    solution = read_solution(folder / f"{stem}_solution.txt")
    if len(solution) != len(test):
        raise DataError(
            f"{folder} has {len(test)} test words of problem {number} and {len(solution)} solutions: they do not belong together."
        )
    return Problem(train, test, letters, automaton, solution)


def read_words(path: Path) -> tuple[list[Word], int]:
    """The words of a train or test file, and the number of letters.

    First line: number of words, number of letters. Then one word a line: its length, then its letters.
    """
    lines = _lines(path)
    try:
        count, letters = (int(part) for part in lines[0].split())
        rows = [[int(part) for part in line.split()] for line in lines[1:]]
    except (ValueError, IndexError):
        raise DataError(f"{path} is no PAutomaC word file: it holds something else than numbers.") from None
    if len(rows) != count:
        raise DataError(f"{path} promises {count} words and holds {len(rows)}.")
    for place, row in enumerate(rows, start=2):
        if row[0] != len(row) - 1 or not all(0 <= letter < letters for letter in row[1:]):
            raise DataError(
                f"{path}, line {place}: not a length and as many letters from 0 to {letters - 1}."
            )
    return [tuple(row[1:]) for row in rows], letters


def read_solution(path: Path) -> Tensor:
    """The test words' probabilities. First line: how many; then one number a line."""
    lines = _lines(path)
    try:
        values = torch.tensor([float(line) for line in lines[1:]], dtype=torch.float64)
        count = int(lines[0])
    except (ValueError, IndexError):
        raise DataError(
            f"{path} is no PAutomaC solution file: it holds something else than numbers."
        ) from None
    if len(values) != count:
        raise DataError(f"{path} promises {count} probabilities and holds {len(values)}.")
    return values


_INDICES = {"I": 1, "F": 1, "S": 2, "T": 3}  # how many stand before each number of a model file's part


def read_model(path: Path, letters: int | None = None) -> Automaton:
    """The automaton of a model file, which has four parts with one ``(indices) number`` a line.

    I: (state) chance to start there. F: (state) chance to end there. S: (state,symbol) chance of the symbol,
    given that the word goes on. T: (state,symbol,state) chance of the next state, given state and symbol. So
    the weight from i to j by a is (1 − F(i)) S(i, a) T(i, a, j). What is not listed is 0.
    """
    parts: dict[str, dict[tuple[int, ...], float]] = {name: {} for name in _INDICES}
    current = ""
    for line in _lines(path):
        if line[0] in parts and line[1:2] == ":":
            current = line[0]
            continue
        entry = re.fullmatch(r"\((\d+(?:,\s*\d+)*)\)\s*(\d+\.?\d*(?:[eE][-+]?\d+)?)", line)
        index = tuple(int(part) for part in entry[1].split(",")) if entry else ()
        if entry is None or not current or len(index) != _INDICES[current]:
            raise DataError(
                f"{path} is no PAutomaC model file: {line!r} is not '(indices) number', as its part asks."
            )
        parts[current][index] = float(entry[2])
    if not parts["I"] or not parts["S"] or not parts["T"]:
        raise DataError(f"{path} is no PAutomaC model file: its parts I:, S: or T: are missing or empty.")
    states = 1 + max(*(key[0] for part in parts.values() for key in part), *(key[2] for key in parts["T"]))
    found = 1 + max(key[1] for name in "ST" for key in parts[name])
    if letters is not None and found > letters:
        raise DataError(f"{path} has {found} letters; the words that belong to it have {letters}.")
    letters = letters or found
    start, end = torch.zeros(2, states, dtype=torch.float64)
    symbol = torch.zeros(states, letters, dtype=torch.float64)
    move = torch.zeros(states, letters, states, dtype=torch.float64)
    for tensor, part in ((start, "I"), (end, "F"), (symbol, "S"), (move, "T")):
        for index, number in parts[part].items():
            tensor[index] = number
    weights = (1 - end)[:, None, None] * symbol[:, :, None] * move
    return start, end, weights.transpose(0, 1).contiguous()


def write_words(path: Path, words: Iterable[Word], letters: int) -> None:
    """A train or test file, as read_words reads it."""
    rows = [" ".join(map(str, (len(word), *word))) for word in words]
    path.write_text("\n".join([f"{len(rows)} {letters}", *rows]) + "\n")


def write_solution(path: Path, values: Tensor) -> None:
    """A solution file, as read_solution reads it: the values are made to sum to 1."""
    rows = [repr(value) for value in (values.double() / values.double().sum()).tolist()]
    path.write_text("\n".join([str(len(rows)), *rows]) + "\n")


def write_model(path: Path, automaton: Automaton) -> None:
    """A model file of a probabilistic automaton, as read_model reads it."""
    initial, final, transitions = automaton
    weights = transitions.transpose(0, 1)
    symbol = weights.sum(-1) / (1 - final).clamp_min(1e-300)[:, None]
    move = weights / weights.sum(-1, keepdim=True).clamp_min(1e-300)
    parts = {"I: (state)": initial, "F: (state)": final, "S: (state,symbol) ": symbol}
    lines = []
    for title, part in [*parts.items(), ("T: (state,symbol,state) ", move)]:
        lines.append(title)
        for index in part.nonzero().tolist():
            lines.append(f"\t({','.join(map(str, index))}) {float(part[tuple(index)])!r}")
    path.write_text("\n".join(lines) + "\n")


def _lines(path: Path) -> list[str]:
    if not Path(path).is_file():
        raise DataError(
            f"There is no file {path}. Download the PAutomaC competition's data sets and put their files into "
            f"{Path(path).parent}, or use random_automaton and sample_words, which need no file."
        )
    try:
        return [line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError:
        raise DataError(f"{path} is no PAutomaC file: it is no text. Unpack it first?") from None
