"""Exercises of chapter 9: soft targets, trees, and a weighted automaton from a black box."""

import itertools
from collections.abc import Callable
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


# a small network


def _soft_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {"logits": 3 * _numbers(rng, 3, 5), "temperature": 4.0},
        {"logits": _numbers(rng, 6), "temperature": 0.5},
    ]


def _loss_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)

    def case(rows: int, classes: int, temperature: float, alpha: float) -> Case:
        labels = torch.from_numpy(rng.integers(0, classes, size=rows))
        student, teacher = 2 * _numbers(rng, rows, classes), 3 * _numbers(rng, rows, classes)
        return {
            "student": student,
            "teacher": teacher,
            "labels": labels,
            "temperature": temperature,
            "alpha": alpha,
        }

    return [case(5, 4, 3.0, 0.7), case(6, 3, 2.0, 1.0), case(4, 5, 4.0, 0.2)]


def _observe_loss(fn: Callable[..., Any], case: Case) -> Values:
    """The loss, and its gradient at the student's logits: it is there to be trained on."""
    leaf = case["student"].clone().requires_grad_()
    others = [value for name, value in case.items() if name != "student"]
    loss = fn(leaf * 1, *others)
    slope: Tensor | str = "none: no gradient leads back to the student"
    if isinstance(loss, Tensor) and loss.requires_grad:
        (found,) = torch.autograd.grad(loss.sum(), leaf, allow_unused=True)
        slope = torch.zeros_like(leaf) if found is None else found
    return {**flatten(loss), "gradient at the student's logits": slope}


def _bias_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {"logits": 3 * _numbers(rng, 21, 4) - 2 * torch.eye(4)[2], "target": 2, "share": 0.25},  # 5.25 rows
        {"logits": 2 * _numbers(rng, 29, 5), "target": 0, "share": 0.1},  # 2.9 rows
    ]


# trees


def _fidelity_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    cases = []
    for rows, classes in ((12, 3), (20, 5)):
        a = 2 * _numbers(rng, rows, classes)
        b = torch.softmax(a + 1.5 * _numbers(rng, rows, classes), dim=-1)
        b[0] = a[0]  # they agree on one row at least,
        b[1] = torch.eye(classes)[int(a[1].argmin())]  # and differ on one
        cases.append({"a": a, "b": b})
    return cases


def _tree_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [{"predict": _rule(rng, 6, 3), "x": _numbers(rng, 400, 2, 3), "depth": 5}]


def _rule(rng: np.random.Generator, features: int, classes: int) -> Callable[[Tensor], Tensor]:
    """A network for the tree to imitate: one layer whose largest weights are on different features."""
    weight = 0.3 * _numbers(rng, features, classes)
    weight[:classes] += 3 * torch.eye(classes)[torch.from_numpy(rng.permutation(classes))]

    def predict(x: Tensor) -> Tensor:
        if x.dim() != 3:
            raise ValueError(f"this network takes inputs of shape (batch, 2, 3), not {tuple(x.shape)}")
        return x.flatten(1) @ weight

    return predict


def _observe_tree(fn: Callable[..., Any], case: Case) -> Values:
    """The tree's depth, its answers to inputs that it was not grown on, and the tree itself, for these to be checked:
    anything can say that it is a tree. One row per node: left child, right child, feature, threshold."""
    tree = fn(case["predict"], case["x"], case["depth"])
    answers = tree.predict(_unseen().flatten(1).numpy())
    inside = tree.tree_
    columns = (inside.children_left, inside.children_right, inside.feature, inside.threshold)
    best = inside.value[:, 0].argmax(axis=1)
    return {
        "depth of the tree": torch.tensor(int(tree.get_depth())),
        "answers": torch.as_tensor(answers),
        "nodes": torch.from_numpy(np.stack(columns, axis=1).astype(float)),
        "classes of the nodes": torch.as_tensor(
            getattr(tree, "classes_", np.arange(inside.value.shape[2]))[best]
        ),
    }


def _unseen() -> Tensor:
    return _numbers(np.random.default_rng(0), 500, 2, 3)


def _agreement(case: Case, values: Values) -> float:
    """How often the tree says what the network says, when one walks down from its root, `depth` questions at most."""
    answers, nodes, classes = (values[name] for name in ("answers", "nodes", "classes of the nodes"))
    if isinstance(answers, str) or isinstance(nodes, str) or isinstance(classes, str) or answers.ndim != 1:
        return -1.0
    x = _unseen()
    rows, place = x.flatten(1).double(), torch.zeros(len(x), dtype=torch.long)
    for _ in range(case["depth"]):
        left, right, feature = nodes[place, :3].long().unbind(dim=1)
        asked = rows.gather(1, feature.clamp(min=0).unsqueeze(1)).squeeze(1)
        child = torch.where(asked <= nodes[place, 3], left, right)
        place = torch.where(left < 0, place, child)
    return float((classes[place] == case["predict"](x).argmax(dim=-1)).double().mean())


def _path_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {"x": _numbers(rng, 4, 5), "w": _numbers(rng, 7, 5), "b": _numbers(rng, 7)},
        {"x": _numbers(rng, 3, 2), "w": _numbers(rng, 3, 2), "b": _numbers(rng, 3)},
    ]


def _soft_tree_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {**case, "leaves": 2 * _numbers(rng, len(case["w"]) + 1, classes)}
        for case, classes in zip(_path_cases(seed), (3, 4), strict=True)
    ]


# automata


def _automaton(rng: np.random.Generator, states: int, letters: int) -> Automaton:
    """Weights of both signs whose values shrink with the length of the word."""
    transitions = _doubles(rng, letters, states, states)
    size = torch.linalg.eigvals(transitions.sum(dim=0)).abs().max()
    return _doubles(rng, states), _doubles(rng, states), 0.7 * transitions / size


def _word_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {"automaton": _automaton(rng, 3, 2), "word": (0, 1, 1)},
        {"automaton": _automaton(rng, 2, 3), "word": (2, 0, 1, 1)},
        {"automaton": _automaton(rng, 3, 2), "word": ()},
    ]


def _prefix_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {"automaton": _automaton(rng, 3, 2), "prefix": (0, 1)},
        {"automaton": _automaton(rng, 2, 3), "prefix": ()},
    ]


def _basis_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {
            "automaton": _automaton(rng, n, letters),
            "q": _doubles(rng, n, n) + 2 * torch.eye(n, dtype=torch.float64),
        }
        for n, letters in ((3, 2), (2, 3))
    ]


def _hankel_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)

    def f() -> Callable[[tuple[int, ...]], float]:
        table = rng.normal(size=(8, 3))

        def value(word: tuple[int, ...]) -> float:
            if not isinstance(word, tuple):
                raise TypeError(f"a word is a tuple of letters, not a {type(word).__name__}")
            letters = sum(table[place, letter] for place, letter in enumerate(word))
            return float(letters - len(word) ** 2 / 7)

        return value

    return [
        {"f": f(), "prefixes": [(), (0,), (1, 0)], "suffixes": [(), (1,), (0, 1)], "alphabet": 2},
        {"f": f(), "prefixes": [(), (2,), (0, 1), (1, 1, 2)], "suffixes": [(0,), (1, 2)], "alphabet": 3},
    ]


def _spectral_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    words = [(), (0,), (1,), (0, 0), (0, 1), (1, 0)]
    return [
        {"blocks": _blocks(_automaton(rng, states, 2), words[:rows], words[:columns]), "rank": rank}
        for states, rows, columns, rank in ((2, 3, 3, 2), (3, 6, 6, 3), (3, 6, 5, 2))
    ]


def _blocks(
    automaton: Automaton, prefixes: list[tuple], suffixes: list[tuple]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    value = dict(zip(_words(5), _values_of_words(automaton, 5), strict=True))

    def table(middle: tuple) -> Tensor:
        return torch.stack([torch.stack([value[(*p, *middle, *s)] for s in suffixes]) for p in prefixes])

    letters = torch.stack([table((letter,)) for letter in range(len(automaton[2]))])
    return table(()), letters, table(())[:, 0].clone(), table(())[0].clone()


def _words(longest: int) -> list[tuple[int, ...]]:
    """All words of two letters up to this length, short ones first."""
    return [word for length in range(longest + 1) for word in itertools.product(range(2), repeat=length)]


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
            raise ValueError(f"{called} should have the shape {shape}, but has {tuple(part.shape)}")
    initial, final, transitions = map(torch.as_tensor, parts)
    values = _values_of_words((initial, final, transitions), 6)
    return {"number of states": torch.tensor(len(initial)), "values of all words up to length 6": values}


def _ndcg_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {
            "expected": torch.softmax(1.5 * _numbers(rng, 4, 6), dim=-1),
            "predicted": _numbers(rng, 4, 6),
            "k": 3,
        },
        {"expected": torch.softmax(_numbers(rng, 5), dim=-1), "predicted": _numbers(rng, 5), "k": 4},
    ]


EXERCISES = [
    Exercise(
        "soft_targets",
        cases=_soft_cases,
        points=2,
        minutes=5,
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
        minutes=15,
        hints=(
            "Two terms, weighted by alpha and 1 − alpha. Only one of them knows the temperature.",
            "KL asks for probabilities of the teacher and log-probabilities of the student, both at the temperature T.",
            "`F.kl_div(log_q, p, reduction=…)`: which reduction sums over classes and averages over the batch? Then T², then `F.cross_entropy`.",
        ),
        observe=_observe_loss,
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
        compare={"depth of the tree": equal(), "answers": at_least(_agreement, slack=0.05)},
    ),
    Exercise(
        "path_probabilities",
        cases=_path_cases,
        points=4,
        minutes=20,
        hints=(
            "Compute all p_i at once, one column per node. Then go down level by level.",
            "Keep one column per node of the level you have reached. Each splits into two: times 1 − p (left), times p (right).",
            "Level l's nodes are 2^l − 1 to 2^(l+1) − 2. `torch.stack([left, right], dim=-1).flatten(1)` keeps children side by side.",
        ),
    ),
    Exercise(
        "soft_tree_probabilities",
        cases=_soft_tree_cases,
        points=2,
        minutes=5,
        hints=(
            "Two things you have: the chance of each leaf, and each leaf's logits.",
            "Make the leaves' logits into probabilities, each leaf for itself.",
            "A sum over leaves of (batch, leaves) times (leaves, classes): that is one matrix product.",
        ),
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
        minutes=25,
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
