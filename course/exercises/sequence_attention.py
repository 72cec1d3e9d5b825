"""Exercises of chapter 12: look back at words, places and sounds."""

import numpy as np
import torch
from torch import Tensor

from course.judging.exercise import Case, Exercise


def _numbers(rng: np.random.Generator, *size: int) -> Tensor:
    return torch.from_numpy(rng.normal(size=size)).float()


def _score_weights(rng: np.random.Generator, s: int, h: int, a: int) -> Case:
    return {"W": _numbers(rng, a, s), "U": _numbers(rng, a, h), "v": _numbers(rng, a)}


def _additive_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {"state": _numbers(rng, 3, 4), "annotations": _numbers(rng, 3, 6, 5), **_score_weights(rng, 4, 5, 7)},
        {"state": _numbers(rng, 2, 4), "annotations": _numbers(rng, 2, 3, 4), **_score_weights(rng, 4, 4, 5)},
        {"state": _numbers(rng, 4), "annotations": _numbers(rng, 5, 4), **_score_weights(rng, 4, 4, 4)},
    ]


def _attend_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    mask = torch.from_numpy(rng.random((3, 6)) < 0.6)
    mask[0, :3], mask[0, 3] = True, False
    mask[1] = False
    return [
        {
            "state": _numbers(rng, 3, 4),
            "annotations": _numbers(rng, 3, 6, 5),
            **_score_weights(rng, 4, 5, 7),
            "mask": mask,
        },
        {"state": _numbers(rng, 2, 3), "annotations": _numbers(rng, 2, 4, 2), **_score_weights(rng, 3, 2, 3)},
    ]


def _loss_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    tokens = torch.from_numpy(rng.integers(1, 7, size=(3, 5)))
    tokens[1, 2:] = 0
    tokens[2, 4:] = 0
    others = torch.from_numpy(rng.integers(0, 3, size=(2, 4)))
    others[0, 1:] = 3
    return [
        {"logits": 2 * _numbers(rng, 3, 5, 7), "tokens": tokens},
        {"logits": 2 * _numbers(rng, 2, 4, 4), "tokens": others, "pad": 3},
    ]


class ScriptedDecoder(torch.nn.Module):
    """A decoder for tests: it says what its script says as long as it is fed what it said last.

    Its state is the number of the step. Where the token that it is fed is not the one before in the script, it says
    something else: the token after the right one, modulo 8.
    """

    script: Tensor
    weights: Tensor
    start: Tensor

    def __init__(self, script: Tensor, weights: Tensor, start: Tensor):
        super().__init__()
        self.register_buffer("script", script)
        self.register_buffer("weights", weights)
        self.register_buffer("start", start)

    def forward(self, token: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        now = int(state) % self.script.shape[1]
        before = self.script[:, now - 1] if now > 0 else self.start
        said = torch.where(token == before, self.script[:, now], (self.script[:, now] + 1) % 8)
        return torch.nn.functional.one_hot(said, 8).float(), state + 1, self.weights[:, now]


def _decode_cases(seed: int) -> list[Case]:
    """Three sentences that end at different times, the second time not all of them within the steps allowed."""
    rng = np.random.default_rng(seed)
    cases = []
    for ends, steps in (((2, 4, 5), 9), ((3, 9, 9), 5)):
        script = torch.from_numpy(rng.integers(3, 8, size=(3, 10)))
        for row, place in enumerate(ends):
            script[row, place] = 2
        start = torch.tensor([1, 0, 1])
        decoder = ScriptedDecoder(script, torch.softmax(2 * _numbers(rng, 3, 10, 4), dim=-1), start)
        cases.append({"step": decoder, "state": torch.tensor(0), "start": start, "end": 2, "steps": steps})
    return cases


def _spatial_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {"state": _numbers(rng, 3, 4), "features": _numbers(rng, 3, 5, 2, 6), **_score_weights(rng, 4, 5, 7)},
        {"state": _numbers(rng, 2, 3), "features": _numbers(rng, 2, 4, 3, 3), **_score_weights(rng, 3, 4, 5)},
    ]


def _penalty_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    cases = []
    for batch, steps, height, width in ((3, 4, 2, 5), (2, 7, 3, 3)):
        scores = _numbers(rng, batch, steps, height * width)
        weights = torch.softmax(scores, dim=-1).reshape(batch, steps, height, width)
        cases.append({"weights": weights})
    return cases


def _pyramid_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [{"frames": _numbers(rng, 2, 6, 3)}, {"frames": _numbers(rng, 3, 7, 4)}]


def _monotonicity_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    scores = 3 * _numbers(rng, 4, 6, 5)
    scores[0] += 6 * torch.eye(6)[:, [0, 0, 1, 2, 3]]  # goes forward, standing still twice or so
    alignment = torch.softmax(scores, dim=-1)
    alignment[1, 4:] = 0
    alignment[2, 1:] = 0
    alignment[3] = torch.softmax(8 * torch.eye(5)[[4, 3, 2, 2, 1, 0]], dim=-1)
    return [{"alignment": alignment}, {"alignment": torch.softmax(3 * _numbers(rng, 3, 8, 4), dim=-1)}]


EXERCISES = [
    Exercise(
        "additive_scores",
        cases=_additive_cases,
        points=2,
        minutes=10,
        hints=(
            "There is one state and there are n annotations. What is mapped once, and what n times?",
            "With rows as vectors, W s is state @ W.T. It needs one more axis before it can be added to n rows.",
            "tanh of the sum has shape (…, n, a). Its product with v removes the last axis.",
        ),
    ),
    Exercise(
        "attend_source",
        cases=_attend_cases,
        points=3,
        minutes=15,
        hints=(
            "Scores first, then weights, then the mean of the annotations with these weights.",
            "Padding must be out of the way before the softmax: what score turns into weight 0?",
            "A row without any real word has no softmax. Compute it anyhow with finite numbers, then put zeros there.",
        ),
    ),
    Exercise(
        "translation_loss",
        cases=_loss_cases,
        points=2,
        minutes=10,
        hints=(
            "How many terms has the sum? Count the real words by hand in a small batch.",
            "log_softmax over the vocabulary, then pick the right word's entry at every place.",
            "A Boolean index keeps the real places of the whole batch in one row; then take one mean.",
        ),
    ),
    Exercise(
        "greedy_decode",
        cases=_decode_cases,
        points=3,
        minutes=20,
        hints=(
            "Keep three things from step to step: the last token, the state, and who is still writing.",
            "Update who is still writing after you have stored the token and the weights of this step.",
            "torch.where(running, chosen, end) writes `end` for whoever is over; weights times running writes the zeros.",
        ),
    ),
    Exercise(
        "spatial_attention",
        cases=_spatial_cases,
        points=3,
        minutes=15,
        hints=(
            "attend_source wants a row of annotations. Which axis of the features counts places, which one channels?",
            "Flatten height and width first, then bring the channels to the end. A reshape alone would mix them.",
            "unflatten(-1, (height, width)) lays the weights out as a picture again.",
        ),
    ),
    Exercise(
        "doubly_stochastic_penalty",
        cases=_penalty_cases,
        points=1,
        minutes=5,
        hints=(
            "Which axis is summed inside the square, which ones outside?",
            "Inside: over the steps, so that one number per place is left.",
        ),
    ),
    Exercise(
        "pyramid",
        cases=_pyramid_cases,
        points=2,
        minutes=10,
        hints=(
            "Write down frames 0 to 4 with two numbers each, and the result below.",
            "Take care of an odd number of frames first.",
            "Two neighbouring frames lie next to each other in memory: splitting the time axis in (half, 2) is most of it.",
        ),
    ),
    Exercise(
        "monotonicity",
        cases=_monotonicity_cases,
        points=2,
        minutes=10,
        level="stretch",
        hints=(
            "First the place of the peak at every step, then compare every step with the one before.",
            "Standing still is not stepping back.",
            "A comparison counts only where both steps have any weight at all.",
        ),
    ),
]
