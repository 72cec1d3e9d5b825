"""Exercises of chapter 13: every word looks at every word."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course.exercises.masked import returned_with_finite_slopes
from course.exercises.random_arguments import distinct, drawn, near_each_other
from course.judging.exercise import NO_SLOPE, SLOPE, Case, Exercise, Values, returned
from course.models.transformer import BlockWeights


def _coins(rng: np.random.Generator, *size: int) -> Tensor:
    return torch.from_numpy(rng.random(size) < 0.6)


def _attention_cases(seed: int) -> list[Case]:
    """A mask for each sentence, with a query that may look at nothing; one for all; a single query; two axes, large scores."""
    rng = np.random.default_rng(seed)
    batch, n, m, d, e = distinct(rng, 5, 3, 8)
    mask = _coins(rng, batch, n, m)
    mask[..., 0], mask[..., -1] = True, False
    mask[0, 1] = False
    shared = _coins(rng, n, m)
    shared[:, 0], shared[:, 1] = False, True
    query, key = near_each_other(rng, (1, batch, n), m, 4)
    query[..., :1] *= 2  # √d is 2 here
    names = ("q", "k", "v", "mask")
    cases = [
        (2 * drawn(rng, batch, n, d), drawn(rng, batch, m, d), drawn(rng, batch, m, e), mask),
        (2 * drawn(rng, batch, n, d), drawn(rng, batch, m, d), drawn(rng, batch, m, e), shared),
        (drawn(rng, 1, d, scale=0.5), drawn(rng, m, d), drawn(rng, m, e)),  # no hard choice: it has no slope
        (query, key[..., 0, :, :], drawn(rng, 1, batch, m, e)),
    ]
    return [dict(zip(names, arguments, strict=False)) for arguments in cases]


def _mask_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [{"n": int(rng.integers(2, 8))}, {"n": int(rng.integers(8, 40))}, {"n": 1}]


def _split_cases(seed: int) -> list[Case]:
    """With one axis, none and two in front; one head; as many as there are numbers; a number that does not divide."""
    rng = np.random.default_rng(seed)
    batch, n, heads, d = distinct(rng, 4)
    return [
        {"x": drawn(rng, batch, n, heads * d), "heads": heads},
        {"x": drawn(rng, n, heads * heads), "heads": heads},
        {"x": drawn(rng, 1, batch, n, d), "heads": 1},
        {"x": drawn(rng, batch, n, d), "heads": d},
        {"x": drawn(rng, batch, n, heads * d + 1), "heads": heads},
    ]


def _merge_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    batch, n, heads, d = distinct(rng, 4)
    sizes = ((batch, heads, n, d), (heads, n, d), (1, batch, n, n, n), (batch, 1, n, d), (batch, heads, n, 1))
    return [{"x": drawn(rng, *size)} for size in sizes]


def _multi_head_cases(seed: int) -> list[Case]:
    """A mask for each sentence; no mask; one head, no batch and a mask; one mask for all sentences."""
    rng = np.random.default_rng(seed)
    (heads, d), (batch, n) = rng.permutation([2, 3, 4])[:2].tolist(), distinct(rng, 2, 2, 4)
    dim = heads * d
    cases: list[Case] = []
    for front, masked in (((batch,), (batch,)), ((1, batch), None), ((), ()), ((batch,), ())):
        matrices = {name: drawn(rng, dim, dim, scale=dim**-0.5) for name in ("wq", "wk", "wv", "wo")}
        case: Case = {"x": 1.5 * drawn(rng, *front, n, dim), **matrices, "heads": heads if front else 1}
        if masked is not None:
            case["mask"] = _coins(rng, *masked, n, n) | torch.eye(n, dtype=torch.bool)
            case["mask"][..., 0, 0], case["mask"][..., 0, 1:] = False, True
        cases.append(case)
    nowhere = {**cases[0], "mask": cases[0]["mask"].clone()}
    nowhere["mask"][0, 1] = False  # a word that may look at nothing
    return [*cases, nowhere]


def _position_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    half = int(rng.integers(4, 33))
    return [
        {"n": int(rng.integers(3, 8)), "dim": 2 * half},
        {"n": int(rng.integers(20, 60)), "dim": int(rng.integers(2, 5)) * 2},
        {"n": half, "dim": half // 2 * 2},
        {"n": 1, "dim": 2},
        {"n": int(rng.integers(3, 8)), "dim": 2 * half + 1},
    ]


def _block_cases(seed: int) -> list[Case]:
    """A mask for each sentence; no mask and two axes in front; one head, no batch and small numbers; one mask for all."""
    rng = np.random.default_rng(seed)
    (heads, d), (batch, n) = rng.permutation([2, 3, 4])[:2].tolist(), distinct(rng, 2, 2, 4)
    dim, inner = heads * d, int(rng.integers(5, 14))
    cases: list[Case] = []
    for front, masked in (((batch,), (batch,)), ((1, batch), None), ((), None), ((batch,), ())):
        square = [drawn(rng, dim, dim, scale=dim**-0.5) for _ in range(4)]
        thinking = drawn(rng, dim, inner), drawn(rng, inner), drawn(rng, inner, dim), drawn(rng, dim)
        block = BlockWeights(*(weight.requires_grad_() for weight in (*square, *thinking)))
        case: Case = {
            "x": 1.5 * drawn(rng, *front, n, dim) + 0.5,
            "block": block,
            "heads": heads if front else 1,
        }
        if not front:
            case["x"] *= 0.002  # numbers so small that ε counts
        if masked is not None:
            case["mask"] = _coins(rng, *masked, n, n) | torch.eye(n, dtype=torch.bool)
        cases.append(case)
    return cases


def _observe_block(fn: Callable[..., Any], case: Case) -> Values:
    """What is returned, and a number for the gradient that arrives at each of the block's weights: the chapter trains them."""
    values = returned(fn, case)
    parts = [value for value in values.values() if isinstance(value, Tensor) and value.requires_grad]
    found: list[Tensor | None] = [None]
    if parts:
        one_number = torch.stack([_in_one_number(part) for part in parts]).sum()
        found = list(torch.autograd.grad(one_number, [*case["block"]], retain_graph=True, allow_unused=True))
    slopes = [_in_one_number(slope) for slope in found if slope is not None]
    return {**values, f"{SLOPE}block": torch.stack(slopes) if len(slopes) == len(found) else NO_SLOPE}


def _in_one_number(value: Tensor) -> Tensor:
    """The sum of all numbers, each with a weight of its own."""
    flat = value.flatten()
    return (flat * torch.arange(len(flat)).to(flat).cos()).sum()


def _rollout_cases(seed: int) -> list[Case]:
    """Sentences of a batch, one of them with a word that may look at nothing; one sentence; two axes; a single layer."""
    rng = np.random.default_rng(seed)
    batch, heads, n, layers = distinct(rng, 4)
    sizes = ((layers + 1, batch, heads), (3, heads), (2, 1, batch, heads), (1, batch, heads))
    cases = [{"weights": torch.softmax(2 * drawn(rng, *size, n, n), dim=-1)} for size in sizes]
    cases[0]["weights"][:, 0, :, 1] = 0
    return cases


EXERCISES = [
    Exercise(
        "scaled_dot_product_attention",
        cases=_attention_cases,
        points=3,
        minutes=15,
        hints=(
            "q kᵀ compares every query with every key: which two axes of k change places, and which stay?",
            "The mask must act before the softmax. Which score turns into weight 0?",
            "Masking with the lowest finite number keeps a row that may look at nothing free of NaN; then put zeros there.",
        ),
        observe=returned_with_finite_slopes,
        slope=("q", "k", "v"),
    ),
    Exercise(
        "causal_mask",
        cases=_mask_cases,
        points=1,
        minutes=5,
        hints=(
            "Draw it for n = 3: what may word 0 look at, what word 2?",
            "Compare the row's number with the column's number, or keep one triangle of a square of True.",
        ),
        dtype=True,
    ),
    Exercise(
        "split_heads",
        cases=_split_cases,
        points=2,
        minutes=10,
        hints=(
            "Split the last axis in two first. Which of the two new axes is the head?",
            "After the split the axes are (…, n, heads, d). Two of them have to change places.",
        ),
        slope=("x",),
    ),
    Exercise(
        "merge_heads",
        cases=_merge_cases,
        points=1,
        minutes=5,
        hints=(
            "Undo the steps of split_heads, the last one first.",
            "Before you flatten the last two axes, they must be (heads, d).",
        ),
        slope=("x",),
    ),
    Exercise(
        "multi_head_attention",
        cases=_multi_head_cases,
        points=3,
        minutes=20,
        hints=(
            "Project all words first, for all heads at once; then split.",
            "The mask has no axis for the heads. Where does a new one of length 1 go?",
            "Merge the heads, then multiply with wo from the right.",
        ),
        observe=returned_with_finite_slopes,
        slope=("x", "wq", "wk", "wv", "wo"),
    ),
    Exercise(
        "positional_encoding",
        cases=_position_cases,
        points=2,
        minutes=12,
        hints=(
            "Make the table of angles first: one row per position, one column per pair (sine, cosine).",
            "The exponent is 2k/dim for k = 0, 1, …, dim/2 − 1; 2k is 0, 2, 4, …",
            "Stack sines and cosines along a new last axis and flatten: then they alternate.",
        ),
    ),
    Exercise(
        "encoder_block",
        cases=_block_cases,
        points=3,
        minutes=15,
        hints=(
            "Two halves, built alike: do something to x, add x again, normalize.",
            "torch.nn.functional.layer_norm(x, x.shape[-1:]) normalizes every word.",
        ),
        observe=_observe_block,
        slope=("x",),
    ),
    Exercise(
        "attention_rollout",
        cases=_rollout_cases,
        points=2,
        minutes=12,
        hints=(
            "First one matrix per layer: mean over the heads, then half of it plus half the identity.",
            "Start with the layer next to the input. From which side does the next layer's matrix come?",
        ),
    ),
]
