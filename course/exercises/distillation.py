"""Exercises of chapter 9: soft targets, trees, and a weighted automaton from a black box."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course.judging.exercise import Case, Exercise, Values, at_least, equal, flatten

Automaton = tuple[Tensor, Tensor, Tensor]


def _numbers(rng: np.random.Generator, *size: int) -> Tensor:
    return torch.from_numpy(rng.normal(size=size)).float()


def _doubles(rng: np.random.Generator, *size: int) -> Tensor:
    return torch.from_numpy(rng.normal(size=size))


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """A number to two decimals, for a sentence may tell it."""
    return round(float(rng.uniform(low, high)), 2)


def _sizes(rng: np.random.Generator, low: int, high: int, count: int) -> list[int]:
    """Different sizes from low to high."""
    return [low + int(size) for size in rng.permutation(high - low + 1)[:count]]


# a small network


def _soft_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    rows, classes, some, more = _sizes(rng, 3, 8, 4)
    hundreds = torch.from_numpy(np.stack([1 + rng.permutation(classes) for _ in range(rows)])) * 100.0
    return [
        {"logits": 3 * _numbers(rng, rows, classes), "temperature": _between(rng, 2, 6)},
        {"logits": _numbers(rng, classes), "temperature": _between(rng, 0.3, 0.8)},
        {"logits": 2 * _numbers(rng, some, more, classes), "temperature": _between(rng, 1.3, 3)},
        {"logits": hundreds.float() + _numbers(rng, rows, classes), "temperature": _between(rng, 0.4, 1.5)},
        {"logits": _numbers(rng, rows, classes), "temperature": 0.0},
        {"logits": _numbers(rng, rows, classes), "temperature": -_between(rng, 0.5, 3)},
    ]


def _loss_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)

    def case(temperature: float, alpha: float) -> Case:
        rows, classes = _sizes(rng, 3, 9, 2)
        student, teacher = 2 * _numbers(rng, rows, classes), 3 * _numbers(rng, rows, classes)
        labels = torch.from_numpy(rng.integers(0, classes, size=rows))
        labels[0] = teacher[0].argmin()  # a teacher may be wrong
        return {
            "student": student,
            "teacher": teacher,
            "labels": labels,
            "temperature": temperature,
            "alpha": alpha,
        }

    hot, warm, cold = _between(rng, 3, 6), _between(rng, 1.5, 2.5), _between(rng, 0.6, 0.8)
    return [
        case(hot, _between(rng, 0.6, 0.9)),
        case(warm, 1.0),
        case(cold, 0.0),
        case(warm, _between(rng, 0.1, 0.4)),
        case(hot, -_between(rng, 0.05, 0.5)),
        case(hot, 1 + _between(rng, 0.05, 0.5)),
        case(0.0, _between(rng, 0.2, 0.8)),
        case(-warm, _between(rng, 0.2, 0.8)),
    ]


def _bias_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)

    def case(rows: int, classes: int, won: float, lowest: float) -> Case:
        """Margins one step apart, from `lowest` up, and `won` rows to win: a fraction is there to be rounded."""
        target, logits = int(rng.integers(classes)), 2 * _numbers(rng, rows, classes)
        margins = lowest + 0.3 * (rng.permutation(rows) + rng.uniform(-0.2, 0.2, size=rows))
        others = logits.clone()
        others[:, target] = -torch.inf
        logits[:, target] = others.amax(dim=-1) - torch.from_numpy(margins).float()
        return {"logits": logits, "target": target, "share": won / rows}

    few, some, many = _sizes(rng, 13, 29, 3)
    won = 2 + int(rng.integers(3))
    return [
        case(few, 4 + int(rng.integers(3)), won + 0.3, 0.2),  # the class has to be raised
        case(some, 3, won + 0.7, -2.5),  # or lowered
        case(many, 2, 1.0, -1.0),
        case(few, 3, few - 1.0, -2.0),
        case(some, 4, 0.3, -1.0),
        case(many, 5, many - 0.2, -1.0),
    ]


# trees


def _fidelity_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)

    def case(rows: int, classes: int) -> Case:
        a = 2 * _numbers(rng, rows, classes)
        b = torch.softmax(a + 1.5 * _numbers(rng, rows, classes), dim=-1)
        b[0] = a[0]  # they agree on one row to the number,
        b[1] = torch.eye(classes)[int(a[1].argmin())]  # differ on one,
        low = a[2].topk(2, largest=False).indices
        b[2] = a[2]
        b[2, low] = a[2, low.flip(0)]  # and agree on one in the best class only
        return {"a": a, "b": b}

    few, many = (int(rows) for rows in rng.permutation([11, 13, 17, 19, 23])[:2])
    classes, more = _sizes(rng, 3, 8, 2)
    one = {"a": _numbers(rng, 1, classes), "b": _numbers(rng, 1, classes)}
    one["b"][0, int(one["a"].argmax())] += 9
    wide, long = case(few, classes), case(few, classes)
    wide["b"] = torch.cat([wide["b"], wide["b"][:, :1] - 1], dim=1)
    long["b"] = long["b"][:1]
    return [case(few, classes), case(many, more), one, wide, long]


def _tree_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    features, more, rows = *_sizes(rng, 4, 7, 2), 600 + int(rng.integers(90))

    def case(depth: int, classes: int, *shape: int) -> Case:
        return {"predict": _rule(rng, shape, classes), "x": _inputs(rng, rows, shape), "depth": depth}

    return [
        case(5 + int(rng.integers(3)), 3, 2, 2 + int(rng.integers(3))),
        case(2 + int(rng.integers(2)), 2, features),
        case(1, 2, 1, more, 1),
        case(0, 2, features),
    ]


def _inputs(rng: np.random.Generator, rows: int, shape: Sequence[int]) -> Tensor:
    """The last feature repeats the first: a question about either is as good, and chance decides which."""
    x = _numbers(rng, rows, *shape)
    x.view(rows, -1)[:, -1] = x.view(rows, -1)[:, 0]
    return x


def _rule(rng: np.random.Generator, shape: tuple[int, ...], classes: int) -> Callable[[Tensor], Tensor]:
    """A network for the tree to imitate: one layer whose largest weights are on different features, or for two classes on one."""
    features = int(np.prod(shape))
    weight = 0.3 * _numbers(rng, features, classes)
    large = [0, *(1 + rng.permutation(features - 2)[: classes - 1])] if classes > 2 else [0]
    weight[large] += 3 * torch.eye(classes)[torch.from_numpy(rng.permutation(classes)[: len(large)])]

    def predict(x: Tensor) -> Tensor:
        if tuple(x.shape[1:]) != shape:
            asked = ", ".join(map(str, ("batch", *shape)))
            raise ValueError(f"this network takes inputs of shape ({asked}), not {tuple(x.shape)}")
        return x.flatten(1) @ weight.to(x)

    return predict


def _observe_tree(fn: Callable[..., Any], case: Case) -> Values:
    """The tree's depth, its answers to inputs that it was not grown on, and the tree itself, for these to be checked:
    anything can say that it is a tree. One row per node: left child, right child, feature, threshold."""
    tree = fn(*case.values())
    answers = tree.predict(_unseen(case).flatten(1).numpy())
    inside = tree.tree_
    best = inside.value[:, 0].argmax(axis=1)
    again = np.array_equal(_nodes(tree), _nodes(fn(*case.values())))
    return {
        "depth of the tree": torch.tensor(int(tree.get_depth())),
        "answers": torch.as_tensor(answers),
        "tree of a second call": "the same" if again else "another one",
        "nodes": torch.from_numpy(_nodes(tree)),
        "classes of the nodes": torch.as_tensor(
            getattr(tree, "classes_", np.arange(inside.value.shape[2]))[best]
        ),
    }


def _nodes(tree: Any) -> np.ndarray:
    inside = tree.tree_
    columns = (inside.children_left, inside.children_right, inside.feature, inside.threshold)
    return np.stack(columns, axis=1).astype(float)


def _unseen(case: Case) -> Tensor:
    return _inputs(np.random.default_rng(0), 500, case["x"].shape[1:])


def _agreement(case: Case, values: Values) -> float:
    """How often the tree says what the network says, when one walks down from its root, `depth` questions at most."""
    answers, nodes, classes = (values[name] for name in ("answers", "nodes", "classes of the nodes"))
    if isinstance(answers, str) or isinstance(nodes, str) or isinstance(classes, str) or answers.ndim != 1:
        return -1.0
    x = _unseen(case)
    rows, place = x.flatten(1).double(), torch.zeros(len(x), dtype=torch.long)
    for _ in range(case["depth"]):
        left, right, feature = nodes[place, :3].long().unbind(dim=1)
        asked = rows.gather(1, feature.clamp(min=0).unsqueeze(1)).squeeze(1)
        child = torch.where(asked <= nodes[place, 3], left, right)
        place = torch.where(left < 0, place, child)
    return float((classes[place] == case["predict"](x).argmax(dim=-1)).double().mean())


def _path_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)

    def case(nodes: int, alone: bool = False) -> Case:
        rows, features = _sizes(rng, 2, 8, 2)
        rows = 1 if alone else rows
        return {
            "x": _numbers(rng, rows, features),
            "w": _numbers(rng, nodes, features),
            "b": _numbers(rng, nodes),
        }

    deep, flat = 2 ** int(rng.integers(3, 5)) - 1, 2 ** int(rng.integers(1, 3)) - 1
    return [case(deep), case(flat, alone=True), case(0), case(int(rng.choice([2, 4, 5, 6]))), case(deep + 1)]


def _soft_tree_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)

    def with_leaves(case: Case, more: int) -> Case:
        return {**case, "leaves": 2 * _numbers(rng, len(case["w"]) + more, int(rng.integers(2, 7)))}

    deep, flat = _path_cases(seed)[:2]
    return [
        with_leaves(deep, 1),
        with_leaves(flat, 1),
        with_leaves(flat, 0),
        with_leaves(deep, 2),
    ]


# automata


def _automaton(rng: np.random.Generator, states: int, letters: int, size: float = 0.7) -> Automaton:
    """Weights of both signs, the negative ones small, so that no value is a difference of large numbers.

    size: of the largest eigenvalue of all letters' matrices together; below 1 the values of all words add up.
    """

    def weights(*shape: int) -> Tensor:
        positive, negative = rng.uniform(0.3, 1, size=shape), -rng.uniform(0.02, 0.1, size=shape)
        return torch.from_numpy(np.where(rng.uniform(size=shape) < 0.8, positive, negative))

    transitions = weights(letters, states, states)
    radius = torch.linalg.eigvals(transitions.sum(dim=0)).abs().max()
    return weights(states), weights(states), size * transitions / radius


def _two_signed_automaton(rng: np.random.Generator, states: int, letters: int) -> Automaton:
    transitions = _doubles(rng, letters, states, states)
    radius = torch.linalg.eigvals(transitions.sum(dim=0)).abs().max()
    return _doubles(rng, states), _doubles(rng, states), 0.7 * transitions / radius


def _word(rng: np.random.Generator, letters: int, length: int) -> tuple[int, ...]:
    """A word that is another one when it is read from behind."""
    word = tuple(int(letter) for letter in rng.integers(letters, size=length))
    return word if word != word[::-1] else (0, *word[1:-1], 1)


def _word_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    lengths = _sizes(rng, 2, 6, 2)
    cases = []
    for length in lengths:
        states, letters = _sizes(rng, 2, 5, 2)
        cases.append(
            {"automaton": _automaton(rng, states, letters), "word": _word(rng, letters, length)},
        )
    states, letters = _sizes(rng, 2, 5, 2)
    return [*cases, {"automaton": _automaton(rng, states, letters), "word": ()}]


def _prefix_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)

    def case(size: float, length: int) -> Case:
        states, letters = _sizes(rng, 2, 5, 2)
        prefix = _word(rng, letters, length) if length else ()
        return {"automaton": _automaton(rng, states, letters, size), "prefix": prefix}

    long, stretched, short = case(0.7, 2 + int(rng.integers(3))), case(0.9, 2), case(0.6, 0)
    initial, final, transitions = stretched["automaton"]
    axes = torch.linspace(1, 9, len(initial), dtype=torch.float64)  # large entries, the same eigenvalues
    stretched["automaton"] = initial / axes, axes * final, axes[:, None] * transitions / axes
    too_large, negative = case(_between(rng, 1.2, 1.6), 2), case(_between(rng, 1.2, 1.6), 2)
    initial, final, transitions = negative["automaton"]
    negative["automaton"] = initial, final, -transitions
    eighth = int(rng.integers(1, 8)) / 8
    exactly = torch.tensor([[[eighth]], [[1 - eighth]]], dtype=torch.float64)
    just = {"automaton": (_doubles(rng, 1), _doubles(rng, 1), exactly), "prefix": (0,)}
    return [long, short, stretched, too_large, negative, just]


def _basis_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)

    def case(size: float) -> Case:
        states, letters = _sizes(rng, 2, 5, 2)
        q = 2 * np.eye(states) + rng.uniform(-0.4, 0.4, size=(states, states))  # far from singular
        return {
            "automaton": _two_signed_automaton(rng, states, letters),
            "q": size * torch.from_numpy(q[[*range(1, states), 0]]),
        }

    singular = case(1.0)
    singular["q"][int(rng.integers(len(singular["q"])))] = (
        0  # exactly, whoever asks: no rounding turns it into an inverse
    )
    return [case(1.0), case(_between(rng, 0.1, 0.2)), singular]


def _hankel_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)

    def box(kind: Callable[[float], Any]) -> Callable[[tuple[int, ...]], Any]:
        table = rng.normal(size=(8, 5))

        def value(word: tuple[int, ...]) -> Any:
            if not isinstance(word, tuple):
                raise TypeError(f"a word is a tuple of letters, not a {type(word).__name__}")
            letters = sum(table[place, letter] for place, letter in enumerate(word))
            return kind(float(letters - len(word) ** 2 / 7))

        return value

    def case(prefixes: int, suffixes: int, alphabet: int | list[int], kind: Callable[[float], Any]) -> Case:
        rows, columns = (
            [words[place] for place in rng.permutation(len(words))[:count]]
            for words, count in ((_words(2, 3), prefixes), (_words(2, 3), suffixes))
        )
        return {"f": box(kind), "prefixes": rows, "suffixes": columns, "alphabet": alphabet}

    def number(value: float) -> Tensor:
        return torch.tensor(value, dtype=torch.float64)

    square, rows, columns = _sizes(rng, 3, 6, 3)
    letters = [int(letter) for letter in rng.permutation(4)[: int(rng.integers(2, 4))]]
    return [
        case(square, square, 2 + int(rng.integers(3)), float),
        case(rows, columns, 2 + int(rng.integers(2)), number),
        case(columns, square, letters, float),
        {"f": box(float), "prefixes": [()], "suffixes": [()], "alphabet": 1},
        case(rows, 0, 2, float),
        case(0, columns, 2, float),
    ]


def _spectral_cases(seed: int) -> list[Case]:
    few, some = _sizes(np.random.default_rng(seed), 3, 6, 2)
    rng = np.random.default_rng([seed, 9])
    letters, states = _sizes(rng, 2, 3, 2)

    def case(states: int, rank: int, rows: int, columns: int, letters: int, place: int) -> Case:
        """Tables that have a clear rank, and a clear gap where they are cut: rounding decides nothing."""
        rng = np.random.default_rng([seed, place])
        while True:
            prefixes, suffixes = (
                [_words(2, letters)[i] for i in rng.permutation(7)[:count]] for count in (rows, columns)
            )
            automaton = _two_signed_automaton(rng, states, letters)
            blocks = _blocks(automaton, prefixes, suffixes)
            d = torch.linalg.svdvals(blocks[0])
            if d[states - 1] > 0.05 * d[0] and (rank >= states or rank < 1 or d[rank] < 0.6 * d[rank - 1]):
                return {"blocks": blocks, "rank": rank}

    silent = case(states, states, some, few, 2, 7)  # a black box that gives every word a 0
    silent = {"blocks": tuple(torch.zeros_like(table) for table in silent["blocks"]), "rank": 1}
    return [
        case(states, states, few, few, letters, 0),
        case(states, states, few, some, 2, 1),
        case(3, 2 - int(rng.integers(2)), some, some + 1, 2, 2),
        case(1, 1, 1, 1, letters, 3),
        case(states, 0, few, some, 2, 4),
        case(states, states + 1, some, some, letters, 5),
        case(1, 2, 3, some, 2, 6),
        silent,
    ]


def _blocks(
    automaton: Automaton, prefixes: list[tuple], suffixes: list[tuple]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    count = len(automaton[2])
    value = dict(zip(_words(5, count), _values_of_words(automaton, 5), strict=True))

    def table(middle: tuple) -> Tensor:
        return torch.stack([torch.stack([value[(*p, *middle, *s)] for s in suffixes]) for p in prefixes])

    letters = torch.stack([table((letter,)) for letter in range(count)])
    h_p, h_s = (torch.stack([value[word] for word in side]) for side in (prefixes, suffixes))
    return table(()), letters, h_p, h_s


def _words(longest: int, letters: int) -> list[tuple[int, ...]]:
    """All words up to this length, short ones first."""
    return [
        word for length in range(longest + 1) for word in itertools.product(range(letters), repeat=length)
    ]


def _values_of_words(automaton: Automaton, longest: int) -> Tensor:
    """The values of all these words at once, one length after the other."""
    initial, final, transitions = automaton
    states = [initial.unsqueeze(0)]
    for _ in range(longest):
        states.append(torch.einsum("wi,aij->waj", states[-1], transitions).flatten(0, 1))
    return torch.cat(states) @ final


def _observe_words(fn: Callable[..., Any], case: Case) -> Values:
    """An automaton is unique only up to a change of basis: its size and the values of all words up to length 6."""
    parts = fn(case["blocks"], case["rank"])
    if not isinstance(parts, tuple | list) or len(parts) != 3:
        return flatten(parts)
    shapes = {"α₀": "(states,)", "α∞": "(states,)", "A": "(letters, states, states)"}
    for part, (called, shape) in zip(parts, shapes.items(), strict=True):
        if not isinstance(part, Tensor | np.ndarray):
            raise TypeError(f"{called} should be one tensor {shape}, but is a {type(part).__name__}")
        if part.ndim != len(shape.split()):
            raise RuntimeError(f"{called} should have the shape {shape}, but has {tuple(part.shape)}")
    initial, final, transitions = (torch.as_tensor(part).double() for part in parts)
    values = _values_of_words((initial, final, transitions), 6)
    return {"number of states": torch.tensor(len(initial)), "values of all words up to length 6": values}


def _ndcg_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    rows, some, more = _sizes(rng, 2, 5, 3)
    symbols, others = _sizes(rng, 5, 8, 2)

    def case(k: int, *size: int) -> Case:
        expected, predicted = torch.softmax(1.5 * _numbers(rng, *size), dim=-1), _numbers(rng, *size)
        first = (0,) * (len(size) - 1)
        predicted[first] = -expected[first].log()  # the worst order of all
        return {"expected": expected, "predicted": predicted, "k": k}

    nothing = case(int(rng.integers(2, others)), rows, others)
    nothing["expected"][int(rng.integers(1, rows))] = 0
    return [
        case(int(rng.integers(2, symbols)), rows, symbols),
        case(others, others),
        case(1, some, more, symbols),
        nothing,
        case(0, some, symbols),
        case(symbols + 1, more, symbols),
    ]


EXERCISES = [
    Exercise(
        "soft_targets",
        cases=_soft_cases,
        points=2,
        minutes=8,
        hints=(
            "It is a softmax, of logits that have been changed before.",
            "A hot network is undecided: should its logits lie closer together or farther apart?",
            "Divide first, then softmax; and mind along which axis the classes lie.",
        ),
    ),
    Exercise(
        "distillation_loss",
        cases=_loss_cases,
        points=4,
        minutes=25,
        hints=(
            "Two terms, weighted by alpha and 1 − alpha. Only one of them knows the temperature.",
            "KL asks for probabilities of the teacher and log-probabilities of the student, both at the temperature T.",
            "`F.kl_div(log_q, p, reduction=…)`: which reduction sums over classes and averages over the batch? Then T², then `F.cross_entropy`.",
        ),
        slope=("student",),
    ),
    Exercise(
        "bias_for_share",
        cases=_bias_cases,
        points=3,
        minutes=15,
        level="stretch",
        hints=(
            "For each row: how much is class c behind the best of the others? That is its margin.",
            "Set column c of a copy to −∞ before you take the maximum over the others.",
            "Sort the margins. Python counts from 0: the r-th smallest is at place r − 1.",
        ),
    ),
    Exercise(
        "fidelity",
        cases=_fidelity_cases,
        points=1,
        minutes=5,
        hints=(
            "What does each model answer to each input? And how often is it the same?",
            "`argmax` over the classes, of both; then compare.",
            "A mean needs numbers: turn True and False into 1.0 and 0.0.",
        ),
    ),
    Exercise(
        "distill_tree",
        cases=_tree_cases,
        points=2,
        minutes=10,
        hints=(
            "Ask the network first, without gradients: its answers are the tree's labels.",
            "scikit-learn wants NumPy arrays, one flat row per input, one class per row.",
            "`DecisionTreeClassifier(max_depth=…, random_state=0).fit(rows, answers)` returns the tree itself.",
        ),
        observe=_observe_tree,
        compare={
            "depth of the tree": equal(),
            "answers": at_least(_agreement, slack=0.065),
            "tree of a second call": equal(),
        },
    ),
    Exercise(
        "path_probabilities",
        cases=_path_cases,
        points=4,
        minutes=25,
        hints=(
            "Compute all p_i at once, one column per node. Then go down level by level.",
            "Keep one column per node of the level you have reached. Each splits into two: times 1 − p (left), times p (right).",
            "Level l's nodes are 2^l − 1 to 2^(l+1) − 2. `torch.stack([left, right], dim=-1).flatten(1)` keeps children side by side.",
        ),
        slope=("w", "b"),
    ),
    Exercise(
        "soft_tree_probabilities",
        cases=_soft_tree_cases,
        points=2,
        minutes=8,
        hints=(
            "Two things you have: the chance of each leaf, and each leaf's logits.",
            "Make the leaves' logits into probabilities, each leaf for itself.",
            "A sum over leaves of (batch, leaves) times (leaves, classes): that is one matrix product.",
        ),
        slope=("w", "b", "leaves"),
    ),
    Exercise(
        "word_value",
        cases=_word_cases,
        points=2,
        minutes=10,
        hints=(
            "Begin with the initial weights and let one letter after the other act on them.",
            "A row vector times a matrix is again a row vector: `state @ transitions[letter]`.",
            "After the last letter, the final weights turn the state into a number. The empty word has no letters, but still an end.",
        ),
    ),
    Exercise(
        "hankel_blocks",
        cases=_hankel_cases,
        points=3,
        minutes=15,
        hints=(
            "Four tables: with nothing between prefix and suffix, with each letter between, prefixes alone, suffixes alone.",
            "Tuples are joined by +: `p + (a,) + s`. Rows are prefixes.",
            "Build nested lists, turn them into float64 tensors, and stack the letters' tables along a new first axis.",
        ),
        dtype=True,
    ),
    Exercise(
        "spectral_automaton",
        cases=_spectral_cases,
        points=5,
        minutes=35,
        hints=(
            "`torch.linalg.svd(H, full_matrices=False)` returns U, d and Vᵀ (not V), largest singular values first.",
            "Cut V to its first `rank` columns. F = H V has one column per state; `torch.linalg.pinv` gives F⁺.",
            "The initial weights come from the row of suffixes, the final weights from the column of prefixes; F⁺ stands left, V right.",
        ),
        observe=_observe_words,
    ),
    Exercise(
        "change_basis",
        cases=_basis_cases,
        points=3,
        minutes=15,
        level="stretch",
        hints=(
            "Whatever you do, α₀ᵀ A_a A_b α∞ must stay the same. Insert Q⁻¹Q where nothing is between two factors.",
            "α₀ᵀ (Q⁻¹ Q) A_a (Q⁻¹ Q) α∞: now put the brackets differently.",
            "Each new matrix has Q on its left and Q⁻¹ on its right.",
        ),
    ),
    Exercise(
        "prefix_value",
        cases=_prefix_cases,
        points=3,
        minutes=15,
        level="stretch",
        hints=(
            "The sum over all continuations does not depend on the prefix: it is one vector, in place of the final weights.",
            "That vector r solves (I − A) r = α∞, with A the sum of the letters' matrices.",
            "`torch.linalg.solve`, then word_value with r as final weights. Check the eigenvalues of A before.",
        ),
    ),
    Exercise(
        "ndcg",
        cases=_ndcg_cases,
        points=3,
        minutes=15,
        level="stretch",
        hints=(
            "The candidate only decides the order. What is gained at each place are the reference's probabilities.",
            "`argsort(descending=True)` of predicted, then `gather` from expected. The best order is expected's own.",
            "The discount of place j = 1 … k is 1 / log₂(j + 1). Divide what was gained by the best that can be gained.",
        ),
    ),
]
