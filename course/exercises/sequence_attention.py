"""Exercises of chapter 12: look back at words, places and sounds."""

import numpy as np
import torch
from torch import Tensor

from course.exercises.masked import returned_with_finite_slopes
from course.exercises.random_arguments import distinct, drawn
from course.judging.exercise import Case, Exercise


def _score_weights(rng: np.random.Generator, s: int, h: int, a: int) -> Case:
    return {"W": drawn(rng, a, s), "U": drawn(rng, a, h), "v": drawn(rng, a)}


def _additive_cases(seed: int) -> list[Case]:
    """All sizes different; state and annotations alike in size; no batch, and all square; two axes in front."""
    rng = np.random.default_rng(seed)
    batch, n, s, h, a = distinct(rng, 5)
    return [
        {
            "state": drawn(rng, *front, s),
            "annotations": drawn(rng, *front, n, h),
            **_score_weights(rng, s, h, a),
        }
        for front, s, h, a in (((batch,), s, h, a), ((batch,), s, s, a), ((), a, a, a), ((1, batch), s, h, a))
    ]


def _attend_cases(seed: int) -> list[Case]:
    """With padding, and one row that is nothing else; without a mask; one sentence alone; two axes in front."""
    rng = np.random.default_rng(seed)
    batch, n, s, h, a = distinct(rng, 5, 3, 8)
    cases = []
    for front, masked in (((batch,), True), ((batch,), False), ((), True), ((1, batch), True)):
        case = {
            "state": drawn(rng, *front, s),
            "annotations": drawn(rng, *front, n, h),
            **_score_weights(rng, s, h, a),
        }
        if masked:
            mask = torch.from_numpy(rng.random((*front, n)) < 0.6)
            mask[..., 0], mask[..., 1], mask[..., -1] = True, False, True
            case["mask"] = mask
        if not front:
            case["v"] *= 0.3  # no hard choice: it has no slope
        cases.append(case)
    cases[0]["mask"][1] = False
    return cases


def _loss_cases(seed: int) -> list[Case]:
    """Sentences of different lengths; another number for padding; one real word; large logits; none at all."""
    rng = np.random.default_rng(seed)
    batch, steps, vocabulary = distinct(rng, 3, 3, 8)
    tokens = torch.from_numpy(rng.integers(1, vocabulary, size=(batch, steps)))
    tokens[1, 1:], tokens[2, 2:] = 0, 0
    pad = int(rng.integers(1, vocabulary))
    others = torch.from_numpy(rng.integers(0, vocabulary - 1, size=(batch, steps)))
    others = others + (others >= pad)  # anything but padding, 0 among it
    others[0, 1:], others[1, 0] = pad, 0
    one = torch.full((1, steps), pad)
    one[0, int(rng.integers(steps))] = 0
    whole = torch.from_numpy(rng.integers(1, vocabulary, size=(2, batch)))
    unlikely = 150 * torch.from_numpy(rng.integers(-1, 2, size=(2, batch, vocabulary)))
    unlikely[0, 0, whole[0, 0]], unlikely[0, 0, 0] = -150, 150
    return [
        {"logits": 2 * drawn(rng, batch, steps, vocabulary), "tokens": tokens},
        {"logits": 2 * drawn(rng, batch, steps, vocabulary), "tokens": others, "pad": pad},
        {"logits": 2 * drawn(rng, 1, steps, vocabulary), "tokens": one, "pad": pad},
        {"logits": unlikely.float(), "tokens": whole},
        {"logits": drawn(rng, 1, steps, vocabulary), "tokens": torch.full_like(one, pad), "pad": pad},
    ]


class ScriptedDecoder(torch.nn.Module):
    """A decoder for tests: it says what its script says as long as it is fed what it said last.

    Its state is the number of the step. Where the token that it is fed is not the one before in the script, it says
    something else: the token after the right one, modulo the number of words.
    """

    script: Tensor
    weights: Tensor
    start: Tensor

    def __init__(self, script: Tensor, weights: Tensor, start: Tensor, vocabulary: int):
        super().__init__()
        self.vocabulary = vocabulary
        self.register_buffer("script", script)
        self.register_buffer("weights", weights)
        self.register_buffer("start", start)

    def forward(self, token: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        now = int(state) % self.script.shape[1]
        before = self.script[:, now - 1] if now > 0 else self.start
        said = torch.where(token == before, self.script[:, now], (self.script[:, now] + 1) % self.vocabulary)
        return torch.nn.functional.one_hot(said, self.vocabulary).float(), state + 1, self.weights[:, now]


def _decode_cases(seed: int) -> list[Case]:
    """Sentences that end at different times, the second time not all within the steps allowed; a single step; none."""
    rng = np.random.default_rng(seed)
    cases = []
    many, n, vocabulary = distinct(rng, 3, 3, 9)
    vocabulary += 3
    for ends, steps in (
        ((2, 4, 5), int(rng.integers(8, 10))),
        ((int(rng.integers(1, 4)), 9, 9), int(rng.integers(4, 8))),
        ((0,), 1),
        ((0, 1, 2), 0),
    ):
        batch = 1 if steps == 1 else many
        end = int(rng.integers(2, vocabulary))
        words = torch.tensor([word for word in range(2, vocabulary) if word != end])
        script = words[torch.from_numpy(rng.integers(len(words), size=(batch, 10)))]
        for row, place in enumerate(ends):
            script[row, place] = end
        script[3:, ends[0] + 1] = end
        start = torch.from_numpy(rng.integers(2, size=batch))
        looks = torch.softmax(2 * drawn(rng, batch, 10, n), dim=-1)
        decoder = ScriptedDecoder(script, looks, start, vocabulary)
        cases.append({"step": decoder, "state": torch.tensor(0), "start": start, "end": end, "steps": steps})
    return cases


def _spatial_cases(seed: int) -> list[Case]:
    """A wide picture; a square one; one picture alone; two axes in front."""
    rng = np.random.default_rng(seed)
    s, h, a, height, width = distinct(rng, 5)
    return [
        {
            "state": drawn(rng, *front, s),
            "features": drawn(rng, *front, h, *size),
            **_score_weights(rng, s, h, a),
        }
        for front, size in (
            ((3,), (height, width)),
            ((2,), (height, height)),
            ((), (width, height)),
            ((1, 3), (1, height)),
        )
    ]


def _penalty_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    batch, steps, height, width = distinct(rng, 4)
    cases = []
    for size in ((batch, steps, height, width), (steps, batch, width, width), (1, 1, height, steps)):
        scores = drawn(rng, *size[:2], size[2] * size[3])
        cases.append({"weights": torch.softmax(scores, dim=-1).reshape(size)})
    return cases


def _pyramid_cases(seed: int) -> list[Case]:
    """An even number of frames, an odd one, a single frame."""
    rng = np.random.default_rng(seed)
    batch, half, h = distinct(rng, 3)
    return [{"frames": drawn(rng, batch, time, h)} for time in (2 * half, 2 * half + 1, 1)]


def _monotonicity_cases(seed: int) -> list[Case]:
    """Forward and standing still; over after three steps and after one; back. Then over after two steps, and one each."""
    rng = np.random.default_rng(seed)
    batch, steps, n = distinct(rng, 3, 4, 8)
    alignment = torch.softmax(3 * drawn(rng, batch, steps, n), dim=-1)
    eye = 20 * torch.eye(n)
    alignment[0] = torch.softmax(eye[[min(max(t - 1, 0), n - 1) for t in range(steps)]], dim=-1)
    alignment[1] = torch.softmax(eye[[min(t, n - 1) for t in range(steps)]], dim=-1)
    alignment[1, 0] = torch.softmax(eye[n - 1], dim=-1)  # one step back, and then forward
    alignment[1, 3:] = 0
    alignment[2, 1:] = 0
    # The peak goes back where the mean goes forward.
    alignment[3] = 0.02
    alignment[3, 0, 1], alignment[3, 0, 0] = 0.5, 0.4
    alignment[3, 1:, 0], alignment[3, 1:, -1] = 0.5, 0.4
    padded = torch.softmax(3 * drawn(rng, batch, n, steps), dim=-1)
    padded[:2, :2], padded[:2, 2:] = 0.1, 0
    padded[0, 0, 1], padded[0, 1, 0], padded[1, 0, 0], padded[1, 1, 1] = 0.9, 0.9, 0.9, 0.9
    padded[..., -1] = 0  # the source is shorter than others
    return [
        {"alignment": alignment},
        {"alignment": padded},
        {"alignment": torch.softmax(3 * drawn(rng, batch, 1, n), dim=-1)},
    ]


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
        slope=("state", "annotations", "W", "U", "v"),
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
        observe=returned_with_finite_slopes,
        slope=("state", "annotations", "W", "U", "v"),
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
        slope=("logits",),
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
