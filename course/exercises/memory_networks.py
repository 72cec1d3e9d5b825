"""Chapter 11: memory networks and baby stories."""

import numpy as np
import torch
from torch import Tensor

from course.exercises.random_arguments import drawn
from course.judging.exercise import Case, Exercise


def _write_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    full = torch.from_numpy(rng.permutation(5))
    oldest = int(full.argmax())
    full = full.roll(2 - oldest)  # the oldest memory is neither the first nor the last
    half = torch.tensor([1, 0, -1, -1])
    return [
        {"memory": drawn(rng, 5, 3), "age": full, "x": drawn(rng, 3)},
        {"memory": torch.cat([drawn(rng, 2, 3), torch.zeros(2, 3)]), "age": half, "x": drawn(rng, 3)},
    ]


def _lookup_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    query, memory = drawn(rng, 4, 6), drawn(rng, 4, 5, 6)
    scores = torch.einsum("bd,bsd->bs", query, memory)
    mask = torch.ones(4, 5, dtype=torch.bool)
    mask[torch.arange(3), scores[:3].argmax(1)] = False  # the best match of three rows is an empty slot
    # In the last row a long memory wins over one that points the same way as the query.
    memory[3, 1], memory[3, 2] = 0.9 * query[3], 3 * query[3] + 2 * drawn(rng, 6)
    memory[3, 2] += query[3] * (6 - (memory[3, 2] @ query[3])).clamp(min=0) / (query[3] @ query[3])
    return [{"query": query, "memory": memory, "mask": mask}]


def _margin_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    correct = torch.from_numpy(rng.integers(4, size=5))
    return [
        {"scores": drawn(rng, 5, 4), "correct": correct, "margin": 0.7},
        {"scores": 0.2 * drawn(rng, 3, 6), "correct": torch.tensor([5, 0, 2]), "margin": 0.1},
    ]


def _position_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [{"words": int(rng.integers(3, 6)), "dim": int(rng.integers(7, 11))}, {"words": 6, "dim": 6}]


def _embed_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    tokens = torch.from_numpy(rng.integers(1, 9, size=(2, 3, 4)))
    tokens[0, 0, 2:] = 0
    tokens[1, 1, 3:] = 0
    tokens[1, 2] = 0
    return [
        {"tokens": tokens, "embedding": drawn(rng, 9, 5), "encoding": drawn(rng, 4, 5)},
        {"tokens": tokens[0, 0], "embedding": drawn(rng, 9, 5), "encoding": drawn(rng, 4, 5)},
    ]


def _hop_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    query, memory_in, memory_out = drawn(rng, 3, 4), drawn(rng, 3, 5, 4), drawn(rng, 3, 5, 4)
    mask = torch.tensor([[True, True, True, False, False], [True, False, True, True, True], [False] * 5])
    return [
        {"query": query, "memory_in": memory_in, "memory_out": memory_out},
        {"query": query, "memory_in": memory_in, "memory_out": memory_out, "mask": mask},
    ]


def _stand_in_hop(
    query: Tensor, memory_in: Tensor, memory_out: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor]:
    """Some hop, so that `repeat_hops` can be judged by itself: not the one that you are to write."""
    weights = (memory_in - query[..., None, :]).square().mean(-1).neg().exp() * mask
    return torch.einsum("...n,...nd->...d", weights, memory_out), weights


def _repeat_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    mask = torch.tensor([[True, True, False, False], [True, True, True, True], [True, False, True, True]])
    return [
        {
            "hop": _stand_in_hop,
            "query": drawn(rng, 3, 5),
            "memories_in": drawn(rng, hops, 3, 4, 5),
            "memories_out": drawn(rng, hops, 3, 4, 5),
            "mask": mask,
            "transfer": transfer,
        }
        for hops, transfer in ((3, torch.eye(5)), (2, 0.6 * drawn(rng, 5, 5)))
    ]


def _clip_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    gradients = [3 * drawn(rng, 4, 6), 0.01 * drawn(rng, 3, 2), 20 * drawn(rng, 2, 2)]
    return [{"gradients": gradients, "limit": 4.0}]


EXERCISES = [
    Exercise(
        "write_memory",
        cases=_write_cases,
        points=2,
        minutes=12,
        hints=(
            "Two questions, in this order: is any slot empty? If not, which one was written longest ago?",
            "An empty slot has age -1. Only slots that hold something grow older.",
            "Work on copies: clone the memory, and make the new ages with torch.where.",
        ),
    ),
    Exercise(
        "hard_lookup",
        cases=_lookup_cases,
        points=2,
        minutes=10,
        hints=(
            "One score per slot: the inner product of the slot's vector with the query.",
            "A slot that holds nothing must not win, however its numbers look: give it the score −∞.",
            "torch.take_along_dim picks one slot per row, once the index has as many axes as the memory.",
        ),
    ),
    Exercise(
        "margin_ranking_loss",
        cases=_margin_cases,
        points=2,
        minutes=12,
        hints=(
            "Make a matrix of γ − s_c + s_i first; scores.gather gives s_c for every row.",
            "What stands in the column of the right candidate itself? The sum runs over the others.",
            "Clamp each entry at zero before you sum; average over the batch last.",
        ),
    ),
    Exercise(
        "position_encoding",
        cases=_position_cases,
        points=2,
        minutes=10,
        hints=(
            "j counts words and k dimensions; both begin at 1 and end at J and d.",
            "Make j a column and k a row, and let broadcasting fill the table.",
            "The last row (j = J) is k/d: ask your table whether it is so.",
        ),
    ),
    Exercise(
        "embed_sentences",
        cases=_embed_cases,
        points=2,
        minutes=10,
        hints=(
            "embedding[tokens] looks all words up at once; it has one axis more than tokens.",
            "Weight each word by the row of its place, dimension by dimension, then sum over the words.",
            "Padding has a row in the embedding too. tokens != 0 says where there are words.",
        ),
    ),
    Exercise(
        "memory_hop",
        cases=_hop_cases,
        points=3,
        minutes=15,
        hints=(
            "Compare with one memory, read from the other: m gives the weights, c gives the output.",
            "Take the softmax over the memories. An empty slot gets the score −∞ before it, not the weight 0 after it.",
            "Where all slots are empty the softmax is NaN: torch.where(mask, p, 0).",
        ),
    ),
    Exercise(
        "repeat_hops",
        cases=_repeat_cases,
        points=3,
        minutes=15,
        hints=(
            "A loop over the pairs of memories; inside, one call of hop and one line that makes the next query.",
            "The next query still knows the old one: H u plus what was read.",
            "H acts on column vectors; rows u of a batch become u @ H.T. Stack the weights just before the last axis.",
        ),
    ),
    Exercise(
        "clip_each_matrix",
        cases=_clip_cases,
        points=2,
        minutes=8,
        level="stretch",
        hints=(
            "g.norm() of a matrix is the root of the sum of its squares.",
            "Each matrix is looked at by itself; a short one stays as it is.",
            "The factor is limit / norm where the norm is larger than limit, else 1.",
        ),
    ),
]
