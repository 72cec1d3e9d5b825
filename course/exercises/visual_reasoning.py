"""Chapter 14: general reasoning in several steps."""

import numpy as np
import torch
from torch import Tensor

from course.exercises.random_arguments import drawn
from course.judging.exercise import Case, Exercise


def _pair_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {"objects": drawn(rng, 2, 3, 4), "question": drawn(rng, 2, 5)},
        {"objects": drawn(rng, 3, 1, 2), "question": drawn(rng, 3, 2)},
    ]


def _relate_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    judge, conclude = drawn(rng, 11, 6), drawn(rng, 6, 4)

    def g(pairs: Tensor) -> Tensor:
        return (pairs @ judge).relu()

    def f(total: Tensor) -> Tensor:
        return torch.tanh(0.05 * total @ conclude)

    return [{"objects": drawn(rng, 3, 4, 4), "question": drawn(rng, 3, 3), "g": g, "f": f}]


def _control_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    mask = torch.tensor([[True, True, True, False, False], [True] * 5, [True, True, False, False, False]])
    return [
        {
            "control": drawn(rng, 3, 4),
            "question": drawn(rng, 3, 4),
            "words": drawn(rng, 3, 5, 4),
            "mask": mask,
            "w_question": drawn(rng, 4, 8),
            "w_attend": drawn(rng, 4),
        }
    ]


def _read_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {
            "memory": drawn(rng, 3, 4),
            "knowledge": drawn(rng, 3, 6, 4),
            "control": drawn(rng, 3, 4),
            "w_memory": drawn(rng, 4, 4, scale=0.7),
            "w_knowledge": drawn(rng, 4, 4, scale=0.7),
            "w_merge": drawn(rng, 4, 8, scale=0.5),
            "w_attend": drawn(rng, 4),
        }
    ]


def _write_unit_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [{"memory": drawn(rng, 3, 4), "read": drawn(rng, 3, 4), "w_write": drawn(rng, 4, 8)}]


def _reason_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    batch, d, steps = 3, 6, 2
    weights = {
        "control": drawn(rng, d),
        "memory": drawn(rng, d),
        "steps": drawn(rng, steps, d, d),
        "w_question": drawn(rng, d, 2 * d, scale=0.6),
        "w_word": drawn(rng, d),
        "w_memory": drawn(rng, d, d),
        "w_knowledge": drawn(rng, d, d, scale=0.7),
        "w_merge": drawn(rng, d, 2 * d, scale=0.5),
        "w_thing": drawn(rng, d),
        "w_write": drawn(rng, d, 2 * d, scale=0.7),
        "v": drawn(rng, 5, 2 * d),
        "u": drawn(rng, 7, 5),
    }
    mask = torch.tensor([[True, True, False, False], [True] * 4, [True, True, True, False]])
    return [
        {
            "question": drawn(rng, batch, d),
            "words": drawn(rng, batch, 4, d),
            "mask": mask,
            "knowledge": drawn(rng, batch, 5, d),
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
