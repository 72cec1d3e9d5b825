"""Chapter 11: memory networks and baby stories."""

import numpy as np
import torch
from torch import Tensor

from course.exercises.masked import returned_with_finite_slopes
from course.exercises.random_arguments import distinct, drawn, near_each_other
from course.judging.exercise import Case, Exercise


def _write_cases(seed: int) -> list[Case]:
    """A full memory, one with gaps, an empty one as the chapter begins with, and one with a single slot."""
    rng = np.random.default_rng(seed)
    (slots, more), d = distinct(rng, 2, 4, 7), int(rng.integers(2, 6))
    full = torch.from_numpy(rng.permutation(slots))
    full = full.roll(
        1 + int(rng.integers(slots - 2)) - int(full.argmax())
    )  # the oldest: neither first nor last
    gaps = torch.full((more,), -1)
    written = [0, *range(2, more - 1)]  # slots 1 and the last are empty
    gaps[written] = torch.from_numpy(rng.permutation(len(written)))
    memory = drawn(
        rng, more, d
    )  # an empty slot may hold anything, a sentence may be zero: age tells which is which
    memory[written[-1]] = 0
    return [
        {"memory": drawn(rng, slots, d), "age": full, "x": drawn(rng, d)},
        {"memory": memory, "age": gaps, "x": drawn(rng, d)},
        {"memory": torch.zeros(slots, 1), "age": torch.full((slots,), -1), "x": drawn(rng, 1)},
        {"memory": drawn(rng, 1, d), "age": torch.tensor([0]), "x": drawn(rng, d)},
    ]


def _lookup_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    batch, slots, d = distinct(rng, 3, 3, 7)
    query, memory = drawn(rng, batch, d), drawn(rng, batch, slots, d)
    mask = torch.ones(batch, slots, dtype=torch.bool)
    scores = torch.einsum("bd,bsd->bs", query, memory)
    memory[1] *= -scores[1].sign()[
        :, None
    ]  # row 1: nothing that is written matches at all, one slot is empty
    mask[1, int(rng.integers(slots))] = False
    empty, cosine, best = rng.permutation(slots)[:3]
    # Row 0: a long memory matches best, a short one lies nearer in direction, and an empty slot would beat both.
    memory[0] *= -scores[0].sign()[:, None]
    length = query[0] @ query[0]
    across = memory[0, best] - (memory[0, best] @ query[0]) / length * query[0]
    memory[0, best] = 2 * query[0] + 3 * (length / (across @ across)).sqrt() * across
    memory[0, cosine], memory[0, empty] = 0.5 * query[0], 4 * query[0]
    mask[0, empty] = False
    mask[2] = False
    mask[2, int(scores[2].argmin())] = True  # row 2: one slot is written, and it is enough
    twice = drawn(rng, 1, batch, d), drawn(rng, 1, batch, slots, d), drawn(rng, 1, batch, slots) > -1
    twice[2][..., 0] = True
    nothing = mask.clone()
    nothing[int(rng.integers(1, batch))] = False
    return [
        {"query": query, "memory": memory, "mask": mask},
        {"query": query[0], "memory": memory[0], "mask": mask[0]},
        dict(zip(("query", "memory", "mask"), twice, strict=True)),
        {"query": query, "memory": memory, "mask": nothing},
    ]


def _margin_cases(seed: int) -> list[Case]:
    """Candidates near each other; some of them ruled out, as the chapter's empty slots are; all content; one alone."""
    rng = np.random.default_rng(seed)
    batch, n, more = distinct(rng, 3, 3, 7)
    correct = torch.from_numpy(rng.integers(n, size=batch))
    correct[:2] = torch.tensor([0, n - 1])
    near = drawn(rng, batch, n)
    near[0] *= 0.05  # here every rival comes too near
    far = drawn(rng, more, n)
    others = torch.from_numpy(rng.integers(n, size=more))
    far[torch.arange(more), (others + 1) % n] = -torch.inf
    won = drawn(rng, batch, more)
    won[torch.arange(batch), correct % more] += 10
    return [
        {"scores": near, "correct": correct, "margin": float(rng.uniform(0.4, 0.9))},
        {"scores": 0.2 * far, "correct": others, "margin": float(rng.uniform(0.1, 0.3))},
        {"scores": won, "correct": correct % more, "margin": float(rng.uniform(0.4, 0.9))},
        {"scores": drawn(rng, 1, 2), "correct": torch.tensor([int(rng.integers(2))]), "margin": 3.5},
    ]


def _position_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    words, dim = int(rng.integers(3, 7)), int(rng.integers(7, 25))
    return [
        {"words": words, "dim": dim},
        {"words": dim, "dim": words},
        {"words": words, "dim": words},
        {"words": 1, "dim": words},
    ]


def _embed_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    (batch, sentences, words, d), vocabulary = distinct(rng, 4), int(rng.integers(8, 14))
    tokens = torch.from_numpy(rng.integers(1, vocabulary, size=(batch, sentences, words)))
    tokens[0, 0, 1:] = 0
    tokens[1, 0, words - 1 :] = 0
    tokens[1, 1] = 0  # no sentence at all
    table, more = drawn(rng, vocabulary, d), int(rng.integers(3, 7))
    return [
        {"tokens": tokens, "embedding": table, "encoding": drawn(rng, words, d)},
        {"tokens": tokens[1:2], "embedding": table, "encoding": drawn(rng, words, d)},
        {"tokens": tokens[0], "embedding": table, "encoding": drawn(rng, words, d)},
        {
            "tokens": torch.from_numpy(
                rng.integers(0, 2, size=more) * rng.integers(1, vocabulary, size=more)
            ),
            "embedding": table,
            "encoding": drawn(rng, more, d),
        },
    ]


def _hop_cases(seed: int) -> list[Case]:
    """Without a mask; with one, and nothing at all in one row; one query alone; two axes in front, and large scores."""
    rng = np.random.default_rng(seed)
    batch, n, d, more = distinct(rng, 4, 3, 7)
    names = ("query", "memory_in", "memory_out", "mask")
    mask = torch.from_numpy(rng.random((batch, n)) < 0.6)
    mask[:, :2], mask[:, -1] = True, False
    mask[1] = False
    query, large = near_each_other(rng, (1, batch), more, d)
    cases = [
        (drawn(rng, batch, d), drawn(rng, batch, n, d), drawn(rng, batch, n, d)),
        (drawn(rng, batch, d), drawn(rng, batch, n, d), drawn(rng, batch, n, d), mask),
        (
            drawn(rng, d, scale=0.3),
            drawn(rng, n, d),
            drawn(rng, n, d),
            mask[0],
        ),  # no hard choice: it has no slope
        (query, large, drawn(rng, 1, batch, more, d)),  # scores of hundreds
    ]
    return [dict(zip(names, arguments, strict=False)) for arguments in cases]


def _stand_in_hop(
    query: Tensor, memory_in: Tensor, memory_out: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor]:
    """Some hop, so that `repeat_hops` can be judged by itself: not the one that you are to write."""
    weights = (memory_in - query[..., None, :]).square().mean(-1).neg().exp() * mask
    return torch.einsum("...n,...nd->...d", weights, memory_out), weights


def _repeat_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    batch, n, d, hops = distinct(rng, 4)
    cases = []
    for front, many, transfer in (
        ((batch,), hops, torch.eye(d)),  # adjacent tying
        ((batch,), hops % 3 + 2, 0.6 * drawn(rng, d, d)),  # layer-wise tying
        ((), 2, 0.6 * drawn(rng, d, d)),
        ((1, batch), 1, 0.6 * drawn(rng, d, d)),
    ):
        mask = torch.from_numpy(rng.random((*front, n)) < 0.6)
        mask[..., 0], mask[..., -1] = False, True
        cases.append(
            {
                "hop": _stand_in_hop,
                "query": drawn(rng, *front, d),
                "memories_in": drawn(rng, many, *front, n, d),
                "memories_out": drawn(rng, many, *front, n, d),
                "mask": mask,
                "transfer": transfer,
            }
        )
    return cases


def _clip_cases(seed: int) -> list[Case]:
    """Matrices that are too long, one that is short, one that is zero, and the chapter's own two."""
    rng = np.random.default_rng(seed)
    rows, columns, more = distinct(rng, 3)
    limit = float(rng.uniform(2, 6))
    gradients = [
        torch.full((rows, columns), 2 * limit) * (0.5 + drawn(rng, rows, columns).abs()),
        0.01 * drawn(rng, columns, more),
        torch.zeros(rows, rows),
        5 * limit * (1 + drawn(rng, more, rows).abs()),
    ]
    order = rng.permutation(len(gradients))
    return [
        {"gradients": [gradients[i] for i in order], "limit": limit},
        {"gradients": [torch.full((2, more), 100.0), torch.full((3, more), 0.1)], "limit": 10 * limit},
    ]


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
        slope=("scores",),
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
        observe=returned_with_finite_slopes,
        slope=("query", "memory_in", "memory_out"),
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
        slope=("query", "memories_in", "memories_out", "transfer"),
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
