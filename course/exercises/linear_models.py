"""Chapter 1, linear models: what is tried of each exercise."""

import numpy as np
import torch
from torch import Tensor

from course.judging.exercise import Case, Exercise


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).float()


def _problem(seed: int, n: int, d: int) -> tuple[Tensor, Tensor, Tensor]:
    """Examples x (n, d), weights w (d), and targets y (n) that other weights would predict better."""
    rng = np.random.default_rng(seed)
    x, w = rng.normal(size=(n, d)), rng.normal(size=d)
    y = x @ rng.normal(size=d) + 0.3 * rng.normal(size=n)
    return _tensor(x), _tensor(w), _tensor(y)


def _scores(seed: int) -> list[Case]:
    x, w, _ = _problem(seed, n=6, d=4)
    columns = np.random.default_rng(seed + 1000).normal(size=(4, 3))
    return [{"x": x, "w": w}, {"x": x, "w": _tensor(columns)}]


def _cost(seed: int) -> list[Case]:
    x, w, y = _problem(seed, n=7, d=4)
    return [{"w": w, "x": x, "y": y, "penalty": 0.0}, {"w": w, "x": x, "y": y, "penalty": 2.5}]


def _fit(seed: int) -> list[Case]:
    x, _, y = _problem(seed, n=12, d=4)
    return [{"x": x, "y": y, "penalty": penalty} for penalty in (0.0, 3.0)]


def _threshold(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    w = rng.uniform(0.2, 3, size=(3, 5)) * rng.choice([-1, 1], size=(3, 5))
    w[0, :2] = [0.3, -0.4]
    return [{"w": _tensor(w), "threshold": 0.8}, {"w": _tensor(w[1:]), "threshold": 0.0}]


def _lasso(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    x = np.linalg.qr(rng.normal(size=(20, 5)))[0] * np.array([2, 2.5, 3, 3.5, 4])
    y = x @ np.array([2.0, -1.5, 0.0, 1.0, 0.05]) + 0.1 * rng.normal(size=20)
    return [{"x": _tensor(x), "y": _tensor(y), "penalty": penalty, "steps": 300} for penalty in (1.0, 4.0)]


def _columns(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(8, 3)) * np.array([1, 20, 0.3]) + np.array([5, -40, 0.2])
    constant = np.concatenate([x, np.full((8, 1), 7.0)], axis=1)
    return [{"x": _tensor(x)}, {"x": _tensor(constant)}]


def _weights(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [{"w": _tensor(rng.normal(size=6))}, {"w": _tensor(3 * rng.normal(size=(4, 3)))}]


def _labelled(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    x, w = _tensor(rng.normal(size=(7, 4))), _tensor(rng.normal(size=(4, 3)))
    labels = torch.from_numpy(rng.permutation([0, 1, 2, 0, 1, 2, 1]))
    return [{"w": w, "x": x, "labels": labels, "penalty": penalty} for penalty in (0.0, 0.7)]


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
        minutes=12,
        hints=(
            "First the scores (n, classes), then the probabilities: softmax along which axis?",
            "The derivative of −log p_label by the score of class k is p_k, minus 1 where k is the label.",
            "With P the probabilities and Y the labels as zeros and ones: Xᵀ(P − Y)/n, plus the penalty's part.",
        ),
    ),
]
