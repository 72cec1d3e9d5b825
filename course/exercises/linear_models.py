"""Chapter 1, linear models: what is tried of each exercise."""

import numpy as np
import torch
from torch import Tensor

from course.exercises.random_arguments import distinct, drawn, drawn_uniformly
from course.judging.exercise import Case, Exercise


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).float()


def _features(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    """n examples of d features that depend on each other, but not so much that the arithmetic would suffer."""
    examples, mixed = (np.linalg.qr(rng.normal(size=(rows, d)))[0] for rows in (n, d))
    return examples * np.linspace(1.5, 3.5, d) @ mixed.T


def _clear_weights(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Weights of both signs, none near 0 or 1: their squares are larger than they are."""
    return rng.uniform(1.3, 3, size=shape) * rng.choice([-1, 1], size=shape)


def _scores(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    n, d, classes = distinct(rng, 3, high=8)
    alone = int(rng.integers(2, 7))
    return [
        {"x": drawn(rng, n, d), "w": drawn(rng, d)},
        {"x": drawn(rng, n, d), "w": drawn(rng, d, classes)},
        {
            "x": drawn_uniformly(rng, 1, alone, low=0.5, high=2),
            "w": drawn_uniformly(rng, alone, 1, low=0.5, high=2),
        },
    ]


def _cost(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    n, d, alone = distinct(rng, 3, high=9)
    cases = []
    for rows, columns, penalty in (
        (n, d, 0.0),
        (n, d, rng.uniform(1.5, 4)),
        (1, alone, rng.uniform(1.5, 4)),
    ):
        x, w = rng.normal(size=(rows, columns)), _clear_weights(rng, columns)
        y = x @ rng.normal(size=columns) + rng.normal(size=rows)
        cases.append({"w": _tensor(w), "x": _tensor(x), "y": _tensor(y), "penalty": float(penalty)})
    alone_in_double: Case = cases[-1]
    cases[-1] = {name: v.double() if isinstance(v, Tensor) else v for name, v in alone_in_double.items()}
    return cases


def _fit(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    d, targets = distinct(rng, 2, high=6)
    n = d + int(rng.integers(3, 9))
    x, y = _tensor(_features(rng, n, d)), drawn(rng, n)
    never_there = x.clone()
    never_there[:, int(rng.integers(d))] = 0
    penalty = float(rng.uniform(1, 4))
    return [
        {"x": x, "y": y, "penalty": 0.0},
        {"x": x.double(), "y": drawn(rng, n, targets).double(), "penalty": penalty},
        {"x": never_there, "y": y, "penalty": penalty},
        {"x": never_there, "y": y, "penalty": 0.0},
        {"x": x, "y": y, "penalty": -float(rng.uniform(0.1, 0.9))},
    ]


def _threshold(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    rows, columns, alone = distinct(rng, 3, low=3, high=9)
    cases = []
    for shape in ((rows, columns), (alone,)):
        threshold = int(rng.integers(5, 14)) / 8  # exact in any precision
        w = threshold * rng.uniform(1.2, 3, size=shape) * rng.choice([-1, 1], size=shape)
        w.flat[:5] = threshold * np.array([0.4, -0.6, 1, -1, 0])[: w.size]
        cases.append({"w": _tensor(rng.permutation(w.flat).reshape(shape)), "threshold": threshold})
    return [*cases, {"w": drawn(rng, columns, alone), "threshold": 0.0}]


def _lasso(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    cases = []
    for d in distinct(rng, 3, low=3, high=8):
        x = _features(rng, d + int(rng.integers(4, 12)), d)
        y = x @ (_clear_weights(rng, d) * (np.arange(d) % 3 != 2)) + 0.1 * rng.normal(size=len(x))
        cases.append({"x": _tensor(x), "y": _tensor(y), "penalty": 0.0})
    few, more, thorough = cases
    few |= {"penalty": _biting(rng, few), "steps": int(rng.integers(2, 5))}
    more |= {"steps": int(rng.integers(5, 9))}
    thorough |= {"penalty": _biting(rng, thorough)}
    negative = {**few, "penalty": -float(rng.uniform(0.1, 0.9)), "steps": 2}
    return [few, more, thorough, negative]


def _biting(rng: np.random.Generator, case: Case) -> float:
    """A penalty that shows: a good part of the smallest one at which all weights are zero."""
    return float(rng.uniform(0.15, 0.35) * (case["x"].T @ case["y"]).abs().max())


def _columns(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    n, d, alone = distinct(rng, 3, low=3, high=9)
    spread_out = rng.permuted(np.tile(np.linspace(-1.7, 1.7, n), (d + 1, 1)), axis=1).T
    spread_out += rng.uniform(-0.2, 0.2, size=(n, d + 1))
    x = (spread_out[:, :d] + rng.uniform(-4, 4, size=d)) * rng.uniform(0.3, 20, size=d)
    constant = spread_out + 2
    constant[:, int(rng.integers(d + 1))] = rng.integers(2, 9)
    one_person = rng.integers(1, 9, size=(1, alone))
    return [{"x": _tensor(x)}, {"x": _tensor(constant)}, {"x": _tensor(one_person)}]


def _weights(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    d, rows, columns = distinct(rng, 3, low=3, high=9)
    some, more = _clear_weights(rng, d), 3 * rng.normal(size=(rows, columns))
    some[:2] = [2.5, -2.5]
    more[int(rng.integers(rows)), 0] = 0
    return [{"w": _tensor(rng.permutation(some))}, {"w": _tensor(more)}]


def _labelled(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    cases: list[Case] = []
    for absent, penalty in ((0, 0.0), (1, rng.uniform(0.4, 0.9))):
        d, classes = distinct(rng, 2, low=3, high=6)
        n = int(rng.integers(7, 12))
        labels = torch.from_numpy(rng.permutation(np.arange(n) % (classes - absent)))
        w = drawn(rng, d, classes)
        cases.append({"w": w, "x": drawn(rng, n, d), "labels": labels, "penalty": float(penalty)})
    at_the_start = {**cases[1], "w": torch.zeros_like(cases[1]["w"]), "penalty": 0.0}
    return [*cases, at_the_start]


EXERCISES = [
    Exercise(
        "linear_scores",
        cases=_scores,
        points=1,
        minutes=4,
        hints=(
            "Each score is one sum over the features. Which axis of x holds the features?",
            "Multiply every feature with its weight and add up: that is a matrix product of x and w.",
        ),
    ),
    Exercise(
        "regularized_cost",
        cases=_cost,
        points=2,
        minutes=6,
        hints=(
            "Two terms. First the error of each example, squared, then added over the examples.",
            "‖w‖² needs no square root: it is the sum of the squared weights.",
        ),
    ),
    Exercise(
        "fit_ridge",
        cases=_fit,
        points=2,
        minutes=10,
        hints=(
            "Write the cost as ‖Xw − y‖² + λ‖w‖², differentiate by w, and set the result to zero.",
            "You arrive at a square system of d linear equations for w: (XᵀX + λ·1) w = Xᵀy. What is the 1?",
            "torch.linalg.solve solves it; the 1 is the identity matrix, torch.eye(d).",
        ),
    ),
    Exercise(
        "feature_relevance",
        cases=_weights,
        points=1,
        minutes=2,
        hints=("A weight of −3 matters as much as a weight of 3.",),
    ),
    Exercise(
        "standardize",
        cases=_columns,
        points=2,
        minutes=7,
        hints=(
            "Each column has its own mean and its own deviation: both are taken along the axis of the examples.",
            "The docstring divides by n. torch.std divides by n − 1 unless you say correction=0.",
            "A constant column has deviation 0, and 0/0 is NaN: divide by 1 there instead.",
        ),
    ),
    Exercise(
        "cost_gradient",
        cases=_cost,
        points=2,
        minutes=8,
        hints=(
            "Start with one weight: what is the derivative of (wᵀx_i − y_i)² by w_j? The chain rule leaves an x_ij.",
            "Σ_i 2 (wᵀx_i − y_i) x_ij is a product of Xᵀ with the errors. The penalty adds its own derivative.",
        ),
    ),
    Exercise(
        "soft_threshold",
        cases=_threshold,
        points=2,
        minutes=8,
        hints=(
            "Do it for one number first: with a threshold of 1, what becomes of 3, of −3, of 0.5?",
            "Work with |w|: take the threshold away, but stop at zero. Then give the sign back.",
        ),
    ),
    Exercise(
        "fit_lasso",
        cases=_lasso,
        points=3,
        minutes=15,
        level="stretch",
        hints=(
            "The gradient of ½ Σ (wᵀx_i − y_i)² is Xᵀ(Xw − y): the ½ has eaten the 2.",
            "L is torch.linalg.matrix_norm(x, 2) ** 2. Both the step and the threshold are divided by it.",
            "One round: w = soft_threshold(w − gradient / L, penalty / L). Repeat `steps` times from zeros.",
        ),
    ),
    Exercise(
        "softmax_gradient",
        cases=_labelled,
        points=3,
        minutes=15,
        hints=(
            "First the scores (n, classes), then the probabilities: softmax along which axis?",
            "The derivative of −log p_label by the score of class k is p_k, minus 1 where k is the label.",
            "With P the probabilities and Y the labels as zeros and ones: Xᵀ(P − Y)/n, plus the penalty's part.",
        ),
    ),
]
