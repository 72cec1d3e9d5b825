"""Chapter 14: general reasoning in several steps."""

import numpy as np
import torch
from torch import Tensor

from course.judging.exercise import Case, Exercise


def _normal(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> Tensor:
    return torch.from_numpy(scale * rng.normal(size=shape)).float()


def _pair_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {"objects": _normal(rng, 2, 3, 4), "question": _normal(rng, 2, 5)},
        {"objects": _normal(rng, 3, 1, 2), "question": _normal(rng, 3, 2)},
    ]


def _relate_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    judge, conclude = _normal(rng, 11, 6), _normal(rng, 6, 4)

    def g(pairs: Tensor) -> Tensor:
        return (pairs @ judge).relu()

    def f(total: Tensor) -> Tensor:
        return torch.tanh(0.05 * total @ conclude)

    return [{"objects": _normal(rng, 3, 4, 4), "question": _normal(rng, 3, 3), "g": g, "f": f}]


def _control_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    mask = torch.tensor([[True, True, True, False, False], [True] * 5, [True, True, False, False, False]])
    return [
        {
            "control": _normal(rng, 3, 4),
            "question": _normal(rng, 3, 4),
            "words": _normal(rng, 3, 5, 4),
            "mask": mask,
            "w_question": _normal(rng, 4, 8),
            "w_attend": _normal(rng, 4),
        }
    ]


def _read_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {
            "memory": _normal(rng, 3, 4),
            "knowledge": _normal(rng, 3, 6, 4),
            "control": _normal(rng, 3, 4),
            "w_memory": _normal(rng, 4, 4, scale=0.7),
            "w_knowledge": _normal(rng, 4, 4, scale=0.7),
            "w_merge": _normal(rng, 4, 8, scale=0.5),
            "w_attend": _normal(rng, 4),
        }
    ]


def _write_unit_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [{"memory": _normal(rng, 3, 4), "read": _normal(rng, 3, 4), "w_write": _normal(rng, 4, 8)}]


def _reason_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    batch, d, steps = 3, 6, 2
    weights = {
        "control": _normal(rng, d),
        "memory": _normal(rng, d),
        "steps": _normal(rng, steps, d, d),
        "w_question": _normal(rng, d, 2 * d, scale=0.6),
        "w_word": _normal(rng, d),
        "w_memory": _normal(rng, d, d),
        "w_knowledge": _normal(rng, d, d, scale=0.7),
        "w_merge": _normal(rng, d, 2 * d, scale=0.5),
        "w_thing": _normal(rng, d),
        "w_write": _normal(rng, d, 2 * d, scale=0.7),
        "v": _normal(rng, 5, 2 * d),
        "u": _normal(rng, 7, 5),
    }
    mask = torch.tensor([[True, True, False, False], [True] * 4, [True, True, True, False]])
    return [
        {
            "question": _normal(rng, batch, d),
            "words": _normal(rng, batch, 4, d),
            "mask": mask,
            "knowledge": _normal(rng, batch, 5, d),
            "weights": weights,
        }
    ]


EXERCISES = [
    Exercise(
        "object_pairs",
        cases=_pair_cases,
        points=2,
        minutes=12,
        hints=(
            "Make two views of the objects: one in which the row says who is first, one in which the column does.",
            "objects[:, :, None] and objects[:, None] have n × n places once they are expanded; so has the question.",
            "Concatenate along the last axis, then flatten the two axes of things: row i·n + j.",
        ),
    ),
    Exercise(
        "relate",
        cases=_relate_cases,
        points=2,
        minutes=8,
        hints=(
            "Three steps: pairs, judgements, conclusion. Which of them sees all things at once?",
            "g works on every pair by itself: it can be given all pairs together.",
            "Sum the judgements over the pairs before f.",
        ),
    ),
    Exercise(
        "control_unit",
        cases=_control_cases,
        points=3,
        minutes=15,
        hints=(
            "[c, q] means: the two vectors one behind the other. W then makes one vector of them.",
            "cq meets every word elementwise; w turns each meeting into one number.",
            "Padding gets the score −∞ before the softmax over the words. What you return is a mixture of the words.",
        ),
    ),
    Exercise(
        "read_unit",
        cases=_read_cases,
        points=3,
        minutes=20,
        hints=(
            "Go through the formula from left to right; every line has a name there: I, I', a, p, r.",
            "The memory is one vector per scene, the knowledge one per thing: the memory needs an axis more to meet it.",
            "What you read at the end is k itself, weighted by p; not I and not I'.",
        ),
    ),
    Exercise(
        "write_unit",
        cases=_write_unit_cases,
        points=1,
        minutes=5,
        hints=(
            "Put r and m one behind the other, in the order of the formula.",
            "Rows of a batch are multiplied by the transpose of W from the right.",
        ),
    ),
    Exercise(
        "reason",
        cases=_reason_cases,
        points=3,
        minutes=25,
        level="stretch",
        hints=(
            "Expand the first control and the first memory to the batch, then loop over weights['steps'].",
            "In each step: control_unit with question @ Q_t.T, read_unit with the new control, write_unit with what was read.",
            "Collect both attentions of every step and stack them along axis 1; conclude with [q, m] after the loop.",
        ),
    ),
]
