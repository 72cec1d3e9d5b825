"""Chapter 14: general reasoning in several steps."""

import numpy as np
import torch
from torch import Tensor

from course.exercises.random_arguments import drawn
from course.judging.exercise import Case, Exercise


def _sizes(rng: np.random.Generator, count: int, low: int = 2, high: int = 7) -> list[int]:
    """So many sizes from low to high, no two of them alike."""
    return [low + int(size) for size in rng.permutation(high - low + 1)[:count]]


def _pair_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    batch, n, d, q = _sizes(rng, 4)
    few, alone, wide = _sizes(rng, 3)
    return [
        {"objects": drawn(rng, batch, n, d), "question": drawn(rng, batch, q)},
        {"objects": drawn(rng, few, 1, alone), "question": drawn(rng, few, wide)},
        {"objects": drawn(rng, 1, n, q), "question": drawn(rng, 1, q)},
    ]


def _relate_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [_relate_case(rng, *_sizes(rng, 4)), _relate_case(rng, 1, *_sizes(rng, 3))]


def _relate_case(rng: np.random.Generator, batch: int, n: int, d: int, q: int) -> Case:
    """g bends the sum of the two things, f the sum of the judgements: neither may be put in the other's place."""
    hidden, answers = _sizes(rng, 2, low=5, high=8)
    judge, conclude = drawn(rng, 2 * d + q, hidden), drawn(rng, hidden, answers)
    gentle = 0.6 / (n * n * hidden**0.5)

    def g(pairs: Tensor) -> Tensor:
        return (pairs @ judge).relu()

    def f(total: Tensor) -> Tensor:
        return torch.tanh(gentle * total @ conclude + 0.2)

    return {"objects": drawn(rng, batch, n, d), "question": drawn(rng, batch, q), "g": g, "f": f}


def _mask(rng: np.random.Generator, batch: int, longest: int) -> Tensor:
    """Questions of different lengths: the first one fills its row, the second one does not."""
    lengths = rng.integers(1, longest + 1, size=batch)
    lengths[0], lengths[1:2] = longest, longest - 1
    return torch.arange(longest) < torch.from_numpy(lengths)[:, None]


def _control_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    cases = []
    for empty in (False, True):
        batch, longest, d = _sizes(rng, 3, low=3)
        mask = _mask(rng, batch, longest)
        mask[-1] &= not empty
        cases.append(
            {
                "control": drawn(rng, batch, d),
                "question": drawn(rng, batch, d),
                "words": drawn(rng, batch, longest, d),
                "mask": mask,
                "w_question": drawn(rng, d, 2 * d, scale=0.5),
                "w_attend": drawn(rng, d, scale=0.7),
            }
        )
    return cases


def _read_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    batch, n, d = _sizes(rng, 3)
    alone, wide = _sizes(rng, 2)
    return [_read_case(rng, batch, n, d), _read_case(rng, 1, 4, d), _read_case(rng, alone, 1, wide)]


def _read_case(rng: np.random.Generator, batch: int, n: int, d: int) -> Case:
    return {
        "memory": drawn(rng, batch, d),
        "knowledge": drawn(rng, batch, n, d),
        "control": drawn(rng, batch, d),
        "w_memory": drawn(rng, d, d, scale=0.7),
        "w_knowledge": drawn(rng, d, d, scale=0.7),
        "w_merge": drawn(rng, d, 2 * d, scale=0.5),
        "w_attend": drawn(rng, d, scale=0.7),
    }


def _write_unit_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    batch, d, wide = _sizes(rng, 3)
    return [
        {
            "memory": drawn(rng, rows, size),
            "read": drawn(rng, rows, size),
            "w_write": drawn(rng, size, 2 * size),
        }
        for rows, size in ((batch, d), (1, wide))
    ]


def _reason_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    many = int(rng.integers(2, 5))
    return [_reason_case(rng, many, *_sizes(rng, 6)), _reason_case(rng, 1, 1, *_sizes(rng, 5))]


def _reason_case(
    rng: np.random.Generator, steps: int, batch: int, longest: int, n: int, d: int, h: int, answers: int
) -> Case:
    gentle = d**-0.5  # keeps all numbers near 1, however many steps there are
    weights = {
        "control": drawn(rng, d),
        "memory": drawn(rng, d),
        "steps": drawn(rng, steps, d, d, scale=gentle),
        "w_question": drawn(rng, d, 2 * d, scale=gentle),
        "w_word": drawn(rng, d, scale=gentle),
        "w_memory": drawn(rng, d, d, scale=gentle),
        "w_knowledge": drawn(rng, d, d, scale=gentle),
        "w_merge": drawn(rng, d, 2 * d, scale=gentle),
        "w_thing": drawn(rng, d, scale=gentle),
        "w_write": drawn(rng, d, 2 * d, scale=gentle),
        "v": drawn(rng, h, 2 * d),
        "u": drawn(rng, answers, h),
    }
    return {
        "question": drawn(rng, batch, d),
        "words": drawn(rng, batch, longest, d),
        "mask": _mask(rng, batch, longest),
        "knowledge": drawn(rng, batch, n, d),
        "weights": weights,
    }


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
            "Padding gets a very low score before the softmax over the words, and exactly 0 after it: so a row without words has "
            "zeros. What you return is a mixture of the words.",
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
        minutes=20,
        level="stretch",
        hints=(
            "Expand the first control and the first memory to the batch, then loop over weights['steps'].",
            "In each step: control_unit with question @ Q_t.T, read_unit with the new control, write_unit with what was read.",
            "Collect both attentions of every step and stack them along axis 1; conclude with [q, m] after the loop.",
        ),
    ),
]
