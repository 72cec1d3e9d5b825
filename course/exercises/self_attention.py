"""Exercises of chapter 13: every word looks at every word."""

import numpy as np
import torch
from torch import Tensor

from course.judging.exercise import Case, Exercise
from course.models.transformer import BlockWeights


def _numbers(rng: np.random.Generator, *size: int) -> Tensor:
    return torch.from_numpy(rng.normal(size=size)).float()


def _coins(rng: np.random.Generator, *size: int) -> Tensor:
    return torch.from_numpy(rng.random(size) < 0.6)


def _attention_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    mask = _coins(rng, 2, 3, 5)
    mask[0, 1] = False
    mask[1, 2, :2], mask[1, 2, 2] = True, False
    return [
        {
            "q": 2 * _numbers(rng, 2, 3, 4),
            "k": _numbers(rng, 2, 5, 4),
            "v": _numbers(rng, 2, 5, 6),
            "mask": mask,
        },
        {"q": 2 * _numbers(rng, 2, 3, 4, 9), "k": _numbers(rng, 2, 3, 4, 9), "v": _numbers(rng, 2, 3, 4, 9)},
        {"q": 2 * _numbers(rng, 3, 4), "k": _numbers(rng, 6, 4), "v": _numbers(rng, 6, 5)},
    ]


def _mask_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [{"n": int(rng.integers(3, 6))}, {"n": int(rng.integers(6, 10))}, {"n": 1}]


def _split_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {"x": _numbers(rng, 2, 5, 12), "heads": 3},
        {"x": _numbers(rng, 2, 4, 16), "heads": 4},
        {"x": _numbers(rng, 3, 10), "heads": 2},
    ]


def _merge_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [{"x": _numbers(rng, 2, 3, 5, 4)}, {"x": _numbers(rng, 2, 4, 4, 4)}, {"x": _numbers(rng, 2, 3, 5)}]


def _multi_head_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    cases = []
    for batch, n, dim, heads in (((2,), 4, 12, 3), ((3,), 4, 8, 2), ((), 5, 6, 2)):
        matrices = {name: _numbers(rng, dim, dim) * dim**-0.5 for name in ("wq", "wk", "wv", "wo")}
        mask = _coins(rng, *batch, n, n) | torch.eye(n, dtype=torch.bool)
        mask[..., 0, 0], mask[..., 0, 1:] = False, True
        cases.append({"x": 1.5 * _numbers(rng, *batch, n, dim), **matrices, "heads": heads, "mask": mask})
    del cases[1]["mask"]
    return cases


def _position_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {"n": int(rng.integers(7, 12)), "dim": 6},
        {"n": 8, "dim": 8},
        {"n": int(rng.integers(3, 6)), "dim": 10},
    ]


def _block_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    cases = []
    for batch, n, dim, heads, inner in ((2, 5, 8, 2, 10), (3, 4, 6, 3, 9)):
        square = [_numbers(rng, dim, dim) * dim**-0.5 for _ in range(4)]
        thinking = [
            _numbers(rng, dim, inner),
            _numbers(rng, inner),
            _numbers(rng, inner, dim),
            _numbers(rng, dim),
        ]
        block = BlockWeights(*square, *thinking)
        mask = _coins(rng, batch, n, n) | torch.eye(n, dtype=torch.bool)
        cases.append(
            {"x": 1.5 * _numbers(rng, batch, n, dim) + 0.5, "block": block, "heads": heads, "mask": mask}
        )
    del cases[1]["mask"]
    return cases


def _rollout_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {"weights": torch.softmax(2 * _numbers(rng, 3, 2, 4, 5, 5), dim=-1)},
        {"weights": torch.softmax(2 * _numbers(rng, 2, 3, 4, 4), dim=-1)},
    ]


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
    ),
    Exercise(
        "positional_encoding",
        cases=_position_cases,
        points=2,
        minutes=15,
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
    ),
    Exercise(
        "attention_rollout",
        cases=_rollout_cases,
        points=2,
        minutes=15,
        hints=(
            "First one matrix per layer: mean over the heads, then half of it plus half the identity.",
            "Start with the layer next to the input. From which side does the next layer's matrix come?",
        ),
    ),
]
