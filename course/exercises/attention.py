"""Exercises of chapter 10: attention as a smooth argmax, and what it may hide."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course.judging.exercise import Case, Exercise, Values


def _numbers(rng: np.random.Generator, *size: int) -> Tensor:
    return torch.from_numpy(rng.normal(size=size)).float()


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """A number to two decimals, for a sentence may tell it."""
    return round(float(rng.uniform(low, high)), 2)


def _sizes(rng: np.random.Generator, low: int, high: int, count: int) -> list[int]:
    """Different sizes from low to high."""
    return [low + int(size) for size in rng.permutation(high - low + 1)[:count]]


def _hard_cases(seed: int) -> list[Case]:
    """The best match is neither the nearest item, nor the best aligned, nor the one that is best matched by −q."""
    rng = np.random.default_rng(seed)
    rows, some, more = _sizes(rng, 2, 5, 3)
    cases = []
    for batch in ((rows,), (some, more), ()):
        n, d = 5 + int(rng.integers(4)), 2 + int(rng.integers(3))
        query, memory = _numbers(rng, *batch, d), 0.1 * _numbers(rng, *batch, n, d)
        unit = query / query.norm(dim=-1, keepdim=True)
        aside = _numbers(rng, *batch, d)
        aside = aside - (aside * unit).sum(dim=-1, keepdim=True) * unit
        aside = aside / aside.norm(dim=-1, keepdim=True)
        special = [4 * unit + 3 * aside, 0.1 * query, query + 0.3 * aside, -9 * unit]
        for place, item in zip(rng.permutation(n), special, strict=False):
            memory[..., place, :] = item
        cases.append({"query": query, "memory": memory})
    d = 2 + int(rng.integers(3))
    short = {"query": _numbers(rng, more, 1), "memory": _numbers(rng, more, 4, d)}
    long = {"query": _numbers(rng, rows, d + 1), "memory": _numbers(rng, rows, 5, d)}
    return [*cases, _equal_matches(rng, some), short, long]


def _equal_matches(rng: np.random.Generator, rows: int) -> Case:
    """Two best items for every query, in whole numbers: their scores are equal to the last bit, however they are added up."""
    n, d = 5 + int(rng.integers(3)), 2 + int(rng.integers(3))
    query = torch.from_numpy(rng.integers(1, 4, size=(rows, d))).float()
    memory = torch.from_numpy(rng.integers(-1, 2, size=(rows, n, d))).float()
    first, second = sorted(rng.permutation(n)[:2])
    memory[:, first] = 3
    memory[:, second] = 3
    memory[:, second, 0] += query[:, 1]
    memory[:, second, 1] -= query[:, 0]
    return {"query": query, "memory": memory}


def _scores(query: Tensor, memory: Tensor) -> Tensor:
    return torch.einsum("...nd,...d->...n", memory, query)


def _soft_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    rows, some, more = _sizes(rng, 2, 5, 3)

    def case(*batch: int, sharpness: float | None, wider: int = 0) -> Case:
        n, d = _sizes(rng, 2, 6, 2)
        query, memory = _numbers(rng, *batch, d), _numbers(rng, *batch, n, d)
        query = query / _scores(query, memory).abs().amax(dim=-1, keepdim=True)  # nothing is decided yet
        query = torch.cat([query, _numbers(rng, *batch, wider)], dim=-1)
        found = {"query": query, "memory": memory}
        return found if sharpness is None else {**found, "sharpness": sharpness}

    sharp = case(rows, sharpness=200.0)  # one item wins by far: exp(200 · difference) is 0 to the last bit
    query, memory = sharp["query"], 0.2 * sharp["memory"]
    size = query.norm(dim=-1, keepdim=True)
    memory[:, int(rng.integers(memory.shape[1]))] = 0.85 * query / size.square()
    sharp["query"], sharp["memory"] = 1.3 * query / size, memory * size[..., None] / 1.3
    narrow = case(some, sharpness=_between(rng, 0.5, 2))
    narrow["query"] = narrow["query"][:, :1]
    return [
        case(rows, sharpness=_between(rng, 1.5, 3)),
        case(some, more, sharpness=_between(rng, 0.3, 0.7)),
        case(sharpness=_between(rng, 0.3, 0.7)),
        case(more, sharpness=None),
        case(some, sharpness=0.0),
        sharp,
        case(rows, sharpness=_between(rng, 0.5, 2), wider=1),
        narrow,
        case(more, sharpness=-_between(rng, 0.1, 1)),
    ]


def _lookup_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    rows, some, more = _sizes(rng, 2, 5, 3)

    def case(*batch: int, d: int, v: int, sharpness: float | None, values: int | None = None) -> Case:
        n = 3 + int(rng.integers(4))
        found = {
            "query": _numbers(rng, *batch, d) / d**0.5,
            "keys": _numbers(rng, *batch, n, d) / d**0.5,
            "values": _numbers(rng, *batch, n + 1 if values is None else values or n, v),
        }
        return found if sharpness is None else {**found, "sharpness": sharpness}

    wide, wider = _sizes(rng, 2, 4, 2)
    sharp = case(some, d=wider, v=wide, sharpness=_between(rng, 80, 120), values=0)
    n = sharp["keys"].shape[1]
    sharp["keys"] = 0.1 * sharp["keys"]  # one step apart at least, and the query beside one of them
    sharp["keys"][..., 0] = 2 * torch.from_numpy(np.stack([rng.permutation(n) for _ in range(some)])).float()
    sharp["query"] = sharp["keys"][:, int(rng.integers(n))] + 0.05 * sharp["query"].clamp(-2, 2)
    return [
        case(rows, d=wide, v=wide, sharpness=_between(rng, 0.5, 0.9), values=0),
        case(d=wider, v=wide, sharpness=_between(rng, 0.2, 0.5), values=0),
        case(some, more, d=1, v=wider, sharpness=_between(rng, 1.5, 3), values=0),
        case(more, d=wide, v=1, sharpness=None, values=0),
        sharp,
        case(rows, d=wide, v=wider, sharpness=_between(rng, 0.5, 2)),
        case(some, d=wider, v=wide, sharpness=_between(rng, 0.5, 2), values=1),
    ]


def _items_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    rows, some, more, n = *_sizes(rng, 3, 6, 3), 4 + int(rng.integers(5))
    weights = torch.softmax(2 * _numbers(rng, rows, n), dim=-1)
    weights[0] = torch.zeros(n)
    weights[0, torch.from_numpy(rng.permutation(n)[:3])] = torch.tensor([0.5, 0.25, 0.25])
    weights[1] = torch.eye(n)[int(rng.integers(n))]
    return [
        {"weights": weights},
        {"weights": torch.softmax(_numbers(rng, n + 1), dim=-1)},
        {"weights": torch.softmax(_numbers(rng, some, more, n), dim=-1)},
        {"weights": torch.ones(some, 1)},
    ]


def _feature_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    rows, some, more = _sizes(rng, 2, 5, 3)
    cases = []
    for batch in ((rows,), (some, more), ()):
        n = 3 + int(rng.integers(5))
        weight = _numbers(rng, n, n) / n**0.5
        cases.append({"x": _numbers(rng, *batch, n), "weight": weight, "bias": _numbers(rng, n)})
    return cases


def _leave_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)

    def case(rows: int, features: int) -> Case:
        w, u = _numbers(rng, features), _numbers(rng, features)
        return {
            "f": lambda x: x @ w.to(x) + torch.tanh(x @ u.to(x)) + x[..., 0] * x[..., 1],
            "x": _numbers(rng, rows, features),
            "baseline": 0.5 + _numbers(rng, features),
        }

    rows, features, more = _sizes(rng, 2, 7, 3)
    return [case(rows, features), case(features, more), case(1, rows)]


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
        minutes=15,
        hints=(
            "The same scores as before. What turns scores into weights that sum to 1?",
            "The sharpness acts on the scores, before the softmax; the softmax runs over the items.",
            "The read is a sum of items, each times its weight: `weights.unsqueeze(-1) * memory`, summed over the items.",
        ),
        slope=("query", "memory"),
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
        minutes=15,
        hints=(
            "Score each key by its squared distance to the query: near must mean large.",
            "Keys decide the weights. Values are what is blended.",
            "`(keys - query.unsqueeze(-2)).square().sum(-1)`, times −β, softmax over the entries, then a weighted sum of values.",
        ),
        slope=("query", "keys", "values"),
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
        slope=("x", "weight", "bias"),
    ),
    Exercise(
        "leave_one_out",
        cases=_leave_cases,
        points=3,
        minutes=15,
        hints=(
            "One feature at a time: replace its column by the baseline, ask f again, compare.",
            "Begin each time from the whole input, not from what is left after the feature before.",
            "`without = x.clone(); without[:, i] = baseline[i]`: the clone keeps x as it is.",
        ),
        observe=_observe_effects,
    ),
]
