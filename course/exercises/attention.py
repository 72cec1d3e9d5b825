"""Exercises of chapter 10: attention as a smooth argmax, and what it may hide."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course.judging.exercise import Case, Exercise, Values


def _numbers(rng: np.random.Generator, *size: int) -> Tensor:
    return torch.from_numpy(rng.normal(size=size)).float()


def _hard_cases(seed: int) -> list[Case]:
    """The best match is neither the nearest item, nor the best aligned, nor the one that is best matched by −q."""
    rng = np.random.default_rng(seed)
    cases = []
    for batch, n, d in (((3,), 6, 4), ((2, 2), 5, 3)):
        query, memory = _numbers(rng, *batch, d), 0.1 * _numbers(rng, *batch, n, d)
        unit = query / query.norm(dim=-1, keepdim=True)
        aside = _numbers(rng, *batch, d)
        aside = aside - (aside * unit).sum(dim=-1, keepdim=True) * unit
        aside = aside / aside.norm(dim=-1, keepdim=True)
        special = [4 * unit + 3 * aside, 0.1 * query, query + 0.3 * aside, -9 * unit]
        for place, item in zip(rng.permutation(n), special, strict=False):
            memory[..., place, :] = item
        cases.append({"query": query, "memory": memory})
    return cases


def _soft_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {"query": _numbers(rng, 3, 4), "memory": _numbers(rng, 3, 6, 4), "sharpness": 2.5},
        {"query": _numbers(rng, 2, 3), "memory": _numbers(rng, 2, 3, 3), "sharpness": 0.5},
        {"query": _numbers(rng, 4), "memory": _numbers(rng, 4, 4), "sharpness": 0.3},
    ]


def _lookup_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {
            "query": _numbers(rng, *batch, d),
            "keys": _numbers(rng, *batch, n, d),
            "values": _numbers(rng, *batch, n, v),
            "sharpness": sharpness,
        }
        for batch, n, d, v, sharpness in (((3,), 5, 2, 2, 0.7), ((), 4, 3, 2, 0.4))
    ]


def _items_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    weights = torch.softmax(2 * _numbers(rng, 4, 6), dim=-1)
    weights[0] = torch.tensor([0.5, 0.0, 0.25, 0.25, 0.0, 0.0])
    weights[1] = torch.eye(6)[3]
    return [{"weights": weights}, {"weights": torch.softmax(_numbers(rng, 5), dim=-1)}]


def _feature_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {"x": _numbers(rng, rows, n), "weight": _numbers(rng, n, n), "bias": _numbers(rng, n)}
        for rows, n in ((5, 4), (3, 6))
    ]


def _leave_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)

    def case(rows: int, features: int) -> Case:
        w, u = _numbers(rng, features), _numbers(rng, features)
        return {
            "f": lambda x: x @ w + torch.tanh(x @ u) + x[..., 0] * x[..., 1],
            "x": _numbers(rng, rows, features),
            "baseline": 0.5 + _numbers(rng, features),
        }

    return [case(4, 3), case(2, 5)]


def _observe_effects(fn: Callable[..., Any], case: Case) -> Values:
    effects = fn(*case.values())
    return {"effects": torch.as_tensor(effects)}


EXERCISES = [
    Exercise(
        "hard_attention",
        cases=_hard_cases,
        points=2,
        minutes=10,
        hints=(
            "First a score for each item: the inner product with the query.",
            "`(memory * query.unsqueeze(-2)).sum(-1)` has one score per item, for every batch shape.",
            "`argmax` over the items gives the index; `torch.take_along_dim` or `gather` fetches the item.",
        ),
    ),
    Exercise(
        "soft_attention",
        cases=_soft_cases,
        points=3,
        minutes=10,
        hints=(
            "The same scores as before. What turns scores into weights that sum to 1?",
            "The sharpness acts on the scores, before the softmax; the softmax runs over the items.",
            "The read is a sum of items, each times its weight: `weights.unsqueeze(-1) * memory`, summed over the items.",
        ),
    ),
    Exercise(
        "items_read",
        cases=_items_cases,
        points=2,
        minutes=10,
        level="stretch",
        hints=(
            "Entropy first, then its exponential.",
            "0 · log 0 is NaN in floating point, and 0 in the formula.",
            "`torch.special.xlogy(p, p)` is p log p, and 0 where p is 0.",
        ),
    ),
    Exercise(
        "soft_lookup",
        cases=_lookup_cases,
        points=3,
        minutes=10,
        hints=(
            "Score each key by its squared distance to the query: near must mean large.",
            "Keys decide the weights. Values are what is blended.",
            "`(keys - query.unsqueeze(-2)).square().sum(-1)`, times −β, softmax over the entries, then a weighted sum of values.",
        ),
    ),
    Exercise(
        "feature_attention",
        cases=_feature_cases,
        points=2,
        minutes=10,
        hints=(
            "A dense layer computes x Wᵀ + b: row k of W makes score k. Keras' snippet does just that.",
            "The softmax runs over the features of one input, not over the batch.",
            "Return both: the attention, and the attention times x.",
        ),
    ),
    Exercise(
        "leave_one_out",
        cases=_leave_cases,
        points=3,
        minutes=10,
        hints=(
            "One feature at a time: replace its column by the baseline, ask f again, compare.",
            "Begin each time from the whole input, not from what is left after the feature before.",
            "`without = x.clone(); without[:, i] = baseline[i]`: the clone keeps x as it is.",
        ),
        observe=_observe_effects,
    ),
]
