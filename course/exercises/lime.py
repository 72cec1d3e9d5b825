"""Chapter 7: explain one answer of any model by a straight line fitted around it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from course.exercises.random_arguments import drawn, drawn_uniformly
from course.judging.exercise import Case, Exercise, Values, equal, flatten, occurring, repeated, within


def _sizes(rng: np.random.Generator, count: int, low: int = 2, high: int = 7) -> list[int]:
    """So many sizes from low to high, no two of them alike."""
    return [low + int(size) for size in rng.permutation(high - low + 1)[:count]]


def _segments(rng: np.random.Generator, n: int, height: int, width: int) -> Tensor:
    """A patchwork of n segments: every number from 0 to n − 1 occurs, in no order."""
    return torch.from_numpy(rng.permutation(np.resize(np.arange(n), height * width)).reshape(height, width))


def _coins(rng: np.random.Generator, *shape: int) -> Tensor:
    masks = torch.from_numpy(rng.integers(0, 2, size=shape)).float()
    masks[..., 0, :] = 1.0
    return masks


# sample_masks: judged by what makes a good sample, not by one draw


def _sample_cases(seed: int) -> list[Case]:
    """Two cuts of an image to toss for, the least that can be asked for, and what has to be refused."""
    rng = np.random.default_rng(seed)
    many, (few, height, width) = int(rng.integers(6, 10)), _sizes(rng, 3, low=3, high=9)
    cut, other = _segments(rng, many, height, width), _segments(rng, few, width, height)
    hole, late = other.where(other != few - 2, few - 1), other + 1
    asked = [
        (cut, int(rng.integers(36_000, 40_000))),
        (other, int(rng.integers(20_000, 22_000))),
        (cut, 1),
        (cut, 0),
        (hole, 5),
        (late, 5),
    ]
    return [
        {"segments": segments, "samples": samples, "generator": Generator().manual_seed(seed + number)}
        for number, (segments, samples) in enumerate(asked)
    ]


def _observe_masks(fn: Callable[..., Any], case: Case) -> Values:
    segments, samples, generator = case.values()
    start = generator.get_state()
    drawn = flatten(fn(segments, samples, generator), "first row")
    masks = drawn.get("first row")
    if not isinstance(masks, Tensor) or masks.ndim != 2:
        return drawn
    masks = masks.double()
    if len(masks) == 1:
        return {"first row": masks[0], "number of masks": torch.tensor(1)}
    later = fn(segments, samples, generator)
    generator.set_state(start)
    again = fn(segments, samples, generator)
    rest = masks[1:]
    centred = rest - 0.5
    products = (centred.T @ centred / max(len(rest), 1)).fill_diagonal_(0)
    return {
        "first row": masks[:1].flatten(),
        "values that occur": occurring(rest),
        "share of ones": rest.mean(0),
        "share error": torch.full((masks.shape[1],), 0.5 / max(len(rest), 1) ** 0.5),
        "two segments together": products,
        "together error": torch.full(products.shape, 0.25 / max(len(rest), 1) ** 0.5),
        "number of masks": torch.tensor(len(masks)),
        "the same generator gives": repeated(masks, again),
        "asked again, it gives": repeated(masks, later),
    }


# apply_masks, locality_weights, fit_surrogate, local_fidelity: exact


def _apply_cases(seed: int) -> list[Case]:
    """A number for all channels; a picture of one channel; a colour per channel; the fill left out."""
    rng = np.random.default_rng(seed)
    height, width, n, samples = _sizes(rng, 4, low=4)
    segments, image = _segments(rng, n, height, width), 0.1 + drawn_uniformly(rng, 3, height, width)
    other = _segments(rng, n - 1, width, height)
    gray = 0.1 + drawn_uniformly(rng, 1, width, height)
    colours = drawn_uniformly(rng, 3, 1, 1, low=1.2, high=2.0)
    fill = float(rng.uniform(0.2, 0.8))
    return [
        {"image": image, "segments": segments, "masks": _coins(rng, samples, n), "fill": fill},
        {
            "image": gray,
            "segments": other,
            "masks": _coins(rng, samples + 1, n - 1),
            "fill": gray.flip(2) + 0.3,
        },
        {"image": image, "segments": segments, "masks": _coins(rng, samples - 1, n), "fill": colours},
        {"image": gray, "segments": other, "masks": _coins(rng, samples, n - 1)},
    ]


def _weight_cases(seed: int) -> list[Case]:
    """Masks of which one shows nothing at all; a batch of them; widths that are barely positive, and others that are not."""
    rng = np.random.default_rng(seed)
    samples, features, batch, more = _sizes(rng, 4, low=4, high=9)
    masks = torch.cat([_coins(rng, samples, features), torch.zeros(1, features)])
    batched = _coins(rng, batch, 2, more, features + 1)
    return [
        {"masks": masks, "width": float(rng.uniform(0.6, 0.9))},
        {"masks": batched, "width": float(rng.uniform(0.15, 0.25))},
        {"masks": _staircase(features), "width": float(rng.uniform(0.05, 0.07))},
        {"masks": masks, "width": 0.0},
        {"masks": masks, "width": -float(rng.uniform(0.2, 0.4))},
    ]


def _staircase(features: int) -> Tensor:
    """From one segment that is visible to all of them."""
    return torch.ones(features, features).tril()


def _problem(
    rng: np.random.Generator, samples: int, features: int, *classes: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Masks, scores that are not quite linear in them, weights."""
    masks = _coins(rng, samples, features)
    masks[1 : 1 + features] = torch.eye(features)  # so that no two features are always together
    y = masks @ drawn(rng, features, *classes) + 0.5 * drawn(rng, samples, *classes) + 2.0
    return masks, y.movedim(0, -1), drawn_uniformly(rng, samples, low=0.2) ** 2


def _surrogate_cases(seed: int) -> list[Case]:
    """Single fits and several at once; what can just be fitted, and beside each what cannot."""
    rng = np.random.default_rng(seed)
    features, classes, batch, more = _sizes(rng, 4, low=3)
    samples = int(rng.integers(20, 30))
    masks, y, weights = _problem(rng, samples, features)
    several = _problem(rng, samples + 3, features, classes)
    separate = [
        torch.stack(parts)
        for parts in zip(*(_problem(rng, samples, more) for _ in range(batch)), strict=True)
    ]
    table = drawn(rng, samples, 2) + torch.tensor([2.0, -1.0])
    bent = (table[:, 0] * 1.5).sin() + table[:, 1]
    barely = weights * (torch.arange(samples) < 3)
    without = separate[2].clone()
    without[-1] = 0.0
    hidden, twins = masks.clone(), separate[0].clone()
    hidden[:, 1] = 0.0
    twins[-1, :, 0] = twins[-1, :, 2]
    penalty = float(rng.uniform(0.3, 0.6))
    return [
        {"masks": masks, "y": y, "weights": weights},
        _arguments(several, 4 * penalty),
        _arguments(separate, penalty),
        _arguments((table, bent, weights), 0.01),
        _arguments(_problem(rng, samples, 1), penalty),
        _arguments(separate, 0.0),
        _arguments((hidden, y, barely), penalty),
        _arguments((masks, y, weights), -penalty),
        _arguments((separate[0], separate[1], without), penalty),
        _arguments((hidden, y, weights), 0.0),
        _arguments((twins, separate[1], separate[2]), 0.0),
    ]


def _arguments(problem: Sequence[Tensor], penalty: float) -> Case:
    masks, y, weights = problem
    return {"masks": masks, "y": y, "weights": weights, "penalty": penalty}


def _fidelity_cases(seed: int) -> list[Case]:
    """Lines that are good, worse than the mean, and perfect; several lines at once, on the same samples and on others."""
    rng = np.random.default_rng(seed)
    features, classes, batch, more = _sizes(rng, 4, low=3)
    samples = int(rng.integers(15, 25))
    single = _problem(rng, samples, features)
    several = _problem(rng, samples + 2, features, classes)
    separate = [
        torch.stack(parts)
        for parts in zip(*(_problem(rng, samples, more) for _ in range(batch)), strict=True)
    ]
    slope, height = drawn(rng, features), drawn(rng)
    perfect = (single[0], single[0] @ slope + height, single[2])
    return [
        _line(single, 0.3 * slope, 2 + 0.2 * height),
        _line(several, 0.7 * drawn(rng, classes, features), 2 + 0.2 * drawn(rng, classes)),
        _line(separate, 0.7 * drawn(rng, batch, more), 2 + 0.2 * drawn(rng, batch)),
        _line(single, slope + 1.0, 5 + height.abs()),
        _line(perfect, slope, height),
        _line(_problem(rng, samples, 1), drawn(rng, 1), 2 + 0.2 * height),
    ]


def _line(problem: Sequence[Tensor], coefficients: Tensor, intercept: Tensor) -> Case:
    masks, y, weights = problem
    return {"masks": masks, "y": y, "weights": weights, "coefficients": coefficients, "intercept": intercept}


# explanation_stability and select_features: tables on which the shortcuts go wrong


def _stability_cases(seed: int) -> list[Case]:
    """Explanations that agree in part, the same twice, two only; one feature, and all; and what cannot be compared."""
    rng = np.random.default_rng(seed)
    seeds, few, features, more = _sizes(rng, 4, low=3, high=9)
    k = int(rng.integers(2, more + 1))
    rows = drawn(rng, seeds, 2 * more + features)
    rows[:, :2] = 3.0 * (-1.0) ** torch.arange(2) + 0.2 * drawn(
        rng, seeds, 2
    )  # named by all, one against the class
    half = drawn(rng, 2, 2 * features)
    half[:, 1] = -7.0
    agreed = drawn(rng, few, features)
    agreed[1] = -agreed[0]
    odd_one_out = 0.2 * drawn(
        rng, int(rng.integers(4, 7)), features
    )  # the second explanation names another feature
    odd_one_out[:, 0], odd_one_out[1, 2] = -5.0, 9.0
    return [
        {"coefficients": rows, "k": k + 1},
        {"coefficients": half, "k": int(rng.integers(2, features))},
        {"coefficients": odd_one_out, "k": 1},
        {"coefficients": agreed, "k": features},
        {"coefficients": rows[:1], "k": k},
        {"coefficients": agreed, "k": 0},
        {"coefficients": agreed, "k": features + 1},
    ]


def _selection_cases(seed: int) -> list[Case]:
    """Feature 0 copies the strongest one, 2, with some noise; 7 is mostly 2, too, and holds what else is needed.

    Features 3 and 4 matter in a part of the table only: 3 far away, 4 at a middle distance. From 8 on they are only noise.
    """
    rng = np.random.default_rng(seed)
    cases = []
    for k in (4, 5):
        samples, idle = int(rng.integers(400, 520)), int(rng.integers(0, 4))
        z = drawn(rng, samples, 8 + idle)
        hidden = z[:, 7].clone()
        z[:, 0] = z[:, 2] + 0.4 * z[:, 0]
        z[:, 7] = z[:, 2] - 0.4 * hidden
        z[:, 5] = 8.0 * z[:, 5] + 3.0
        z[:, 6] += 5.0
        place = torch.arange(samples) % 4
        far, middle = place == 0, place % 2 == 1
        everywhere = 3 * z[:, 2] + 0.25 * z[:, 5] + 1.3 * hidden + 0.85 * z[:, 1] - 0.3 * z[:, 6] + 9
        nearness = torch.where(far, 1e-4, torch.where(middle, 0.25, 1.0))
        order = torch.from_numpy(rng.permutation(8 + idle))
        cases.append(
            {
                "masks": z[:, order],
                "y": everywhere + 5 * middle * z[:, 4] + 20 * far * z[:, 3],
                "weights": nearness * drawn_uniformly(rng, samples, low=0.8),
                "k": k,
            }
        )
    return [*cases, *_selections_at_the_limits(rng)]


def _selections_at_the_limits(rng: np.random.Generator) -> list[Case]:
    """One of them, all of them, and what lies beyond. Each feature explains half as much as the one before."""
    features = int(rng.integers(3, 6))
    masks = _coins(rng, 60, features)
    strength = (
        2.0 ** -torch.from_numpy(rng.permutation(features)) * torch.tensor([3.0, -3.0]).repeat(3)[:features]
    )
    y, weights = 0.01 * (masks @ strength + 0.01 * drawn(rng, 60)), drawn_uniformly(rng, 60, low=0.5)
    return [{"masks": masks, "y": y, "weights": weights, "k": k} for k in (1, features, 0, features + 1)]


def _observe_choice(fn: Callable[..., Any], case: Case) -> Values:
    """A plain list of numbers is as good a choice as a tensor."""
    chosen = fn(*case.values())
    numbers = isinstance(chosen, list) and all(isinstance(j, int | np.integer) for j in chosen)
    return flatten(np.array(chosen) if numbers else chosen)


# lime_image and lime_tabular: random by nature, so judged by their mean over many seeds


class _Twisted(nn.Module):
    """Scores that bend, so that what is near counts otherwise than what is far: tanh of weighted sums."""

    def __init__(self, weight: Tensor, offset: Tensor) -> None:
        super().__init__()
        self.weight, self.offset = nn.Parameter(weight), nn.Parameter(offset)

    def forward(self, x: Tensor) -> Tensor:
        return 5 * torch.tanh(x.flatten(1) @ self.weight + self.offset)


class _OneColumn(_Twisted):
    """A model with a single score per row."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[:, :1]


class _NoColumn(_Twisted):
    """A model that forgets the axis of the classes."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[:, 0]


def _twisted(kind: type[_Twisted], weight: Tensor, idle: int, *offset: float) -> _Twisted:
    """A model that nobody trains. idle: so many classes besides, which are out of the question."""
    more = torch.cat([weight, torch.zeros(len(weight), idle)], dim=1)
    return kind(more, torch.tensor([*offset, *[-3.0] * idle])).requires_grad_(False)


def _image_cases(seed: int) -> list[Case]:
    """One target, several, none; colours; a model with a single score, which is just enough, and one without classes."""
    rng = np.random.default_rng(seed)
    (height, width), idle = _sizes(rng, 2, low=4), int(rng.integers(0, 4))
    segments = _segments(rng, 4, height, width)
    size = segments.flatten().bincount()[segments.flatten()].unsqueeze(1)
    share = drawn_uniformly(rng, 4, 3, low=0.6)[segments.flatten()] * torch.tensor([1.0, -1.0, 1.2])
    weight = 1.2 * share / size
    undecided = weight * torch.tensor([-0.3, -1.4, 0.1])
    image = drawn_uniformly(rng, 1, height, width, low=0.8)
    colours = drawn_uniformly(rng, 3, height, width, low=0.8)
    places = {"image": image, "segments": segments}
    cases = []
    for kind, target, settings in [
        (
            _twisted(_Twisted, weight, idle, -1.0, 1.6, -0.4),
            2,
            (0.1, rng.uniform(25, 35), rng.uniform(0.5, 0.65)),
        ),
        (
            _twisted(_Twisted, weight.repeat(3, 1) / 3, idle, -1.0, 1.6, -0.4),
            torch.tensor([0, 1]),
            (rng.uniform(0.14, 0.16), 50.0, torch.tensor([0.2, 0.3, 0.4]).view(3, 1, 1)),
        ),
        (_twisted(_Twisted, undecided, idle, 1.0, -2.6, 0.2), None, ()),
        (_twisted(_OneColumn, weight, 0, -1.0, 1.6, -0.4), 0, (0.25, 1.0, rng.uniform(0.5, 0.65))),
        (_twisted(_NoColumn, weight, 0, -1.0, 1.6, -0.4), 0, (0.25, 1.0)),
    ]:
        shown = {**places, "image": colours} if isinstance(target, Tensor) else places
        samples = int(rng.integers(700, 900))
        rest = {"target": target, "samples": samples, "generator": Generator().manual_seed(seed)}
        cases.append(
            {
                "predict": kind,
                **shown,
                **rest,
                **dict(zip(("width", "penalty", "fill"), settings, strict=False)),
            }
        )
    return cases


def _tabular_cases(seed: int) -> list[Case]:
    """One target, several, none; a single score; a model without classes; scales that are tiny, zero and negative."""
    rng = np.random.default_rng(seed)
    more, idle = int(rng.integers(0, 3)), int(rng.integers(0, 5))
    scale = torch.tensor([0.2, 4.0, 3000.0, 1.0, 2.0])[: 3 + more] * drawn_uniformly(
        rng, 3 + more, low=0.8, high=1.2
    )
    weight = (
        0.8 * drawn_uniformly(rng, 3 + more, 3, low=0.7) / scale[:, None] * torch.tensor([1.0, -1.0, 1.3])
    )
    weight[3:] *= 0.2  # features that hardly matter
    x = scale * drawn_uniformly(rng, 3 + more, low=0.6) * torch.tensor([1.0, 1.0, -0.6, 0.5, 0.5])[: 3 + more]
    decided, other = (
        _twisted(_Twisted, weight, idle, 0.5, 0.6, -0.3),
        _twisted(_Twisted, weight.roll(-1, dims=1), idle, 0.6, 0.3, -0.3),
    )
    tiny, zero, negative = scale.clone(), scale.clone(), scale.clone()
    tiny[0], zero[1], negative[2] = 1e-3, 0.0, -scale[2]
    cases = []
    for predict, spread, target, settings in [
        (decided, scale, 2, (rng.uniform(0.45, 0.55), rng.uniform(8, 12))),
        (decided, scale, torch.tensor([0, 1]), ()),
        (other, scale, None, (rng.uniform(0.9, 1.1), rng.uniform(15, 25))),
        (_twisted(_OneColumn, weight, 0, 0.5, 0.6, -0.3), tiny, 0, (None, 1.0)),
        (_twisted(_NoColumn, weight, 0, 0.5, 0.6, -0.3), scale, 0, (None, 1.0)),
        (decided, zero, 0, ()),
        (decided, negative, 0, ()),
    ]:
        samples = int(rng.integers(1000, 1300))
        rest = {"target": target, "samples": samples, "generator": Generator().manual_seed(seed)}
        cases.append(
            {
                "predict": predict,
                "x": x,
                "scale": spread,
                **rest,
                **dict(zip(("width", "penalty"), settings, strict=False)),
            }
        )
    return cases


def _averaged(seeds: int) -> Callable[[Callable[..., Any], Case], Values]:
    """Observe mean coefficients ("0") and intercept ("1") over many seeds, and their standard errors; what is asked, first and in all."""

    def observe(fn: Callable[..., Any], case: Case) -> Values:
        generator, drawn, asked = case["generator"], [], []
        first = generator.initial_seed()
        listening = case["predict"].register_forward_pre_hook(lambda _, batch: asked.append(batch[0].clone()))
        try:
            for seed in range(seeds):
                generator.manual_seed(1000 * first + seed)
                parts = flatten(fn(*case.values()))
                if set(parts) != {"0", "1"} or any(isinstance(part, str) for part in parts.values()):
                    return parts  # no pair (c, b)
                drawn.append([part.detach().double() for part in parts.values() if isinstance(part, Tensor)])
            generator.manual_seed(1000 * first + seeds - 1)
            again = fn(*case.values())
        finally:
            listening.remove()
        c, b = (torch.stack(rows) for rows in zip(*drawn, strict=True))
        return {
            "0": c.mean(0),
            "1": b.mean(0),
            "error of 0": c.std(0) / seeds**0.5,
            "error of 1": b.std(0) / seeds**0.5,
            "seeds matter": torch.tensor(float(c.std(0).max() > 0)),
            "variant that is asked first": asked[0][0] if asked else "<nothing>",
            "variants asked about": _as_many(
                sum(len(batch) for batch in asked) / (seeds + 1), case["samples"]
            ),
            "the same generator gives": repeated((c[-1], b[-1]), again),
        }

    return observe


def _as_many(asked: float, samples: int) -> str:
    """Whether so many variants are what was ordered, in words. One more may be asked about to find the target."""
    return "samples" if samples <= asked <= samples + 1 else "fewer" if asked < samples else "more"


RANDOM = {
    "0": within(10, error="error of 0"),
    "1": within(10, error="error of 1"),
    "seeds matter": equal(),
    "variant that is asked first": equal(),
    "variants asked about": equal(),
    "the same generator gives": equal(),
}

EXERCISES = [
    Exercise(
        "fit_surrogate",
        cases=_surrogate_cases,
        points=4,
        minutes=30,
        hints=(
            "A free intercept can be got rid of: subtract the weighted means from z' and from y, and put it back at the end.",
            "Then c solves (ZᵀΠZ + penalty·I) c = ZᵀΠy, with Z and y centred and Π the weights on a diagonal.",
            "Let matrices keep their leading axes: .mT, @, unsqueeze(-1) and torch.linalg.solve all do. b = ȳ − c·z̄.",
        ),
    ),
    Exercise(
        "sample_masks",
        cases=_sample_cases,
        points=2,
        minutes=10,
        observe=_observe_masks,
        compare={
            "first row": equal(),
            "values that occur": equal(),
            "share of ones": within(11, error="share error"),
            "two segments together": within(11, error="together error"),
            "number of masks": equal(rtol=0, atol=1e-6),
            "the same generator gives": equal(),
            "asked again, it gives": equal(),
        },
        hints=(
            "One row per sample, one column per segment. How many segments are there?",
            "torch.randint and torch.rand take a size and generator=…; each entry is a coin of its own.",
            "After tossing all the coins, overwrite row 0 with ones.",
        ),
    ),
    Exercise(
        "apply_masks",
        cases=_apply_cases,
        points=2,
        minutes=12,
        hints=(
            "First find out, for every sample and every pixel, whether the pixel is visible.",
            "A tensor can be indexed by a tensor: masks[:, segments] has the shape (samples, height, width).",
            "Give it an axis for the channels, then choose with torch.where between the image and the fill.",
        ),
    ),
    Exercise(
        "locality_weights",
        cases=_weight_cases,
        points=2,
        minutes=10,
        hints=(
            "The cosine of two vectors is their inner product divided by the product of their lengths.",
            "The row of ones has the length √n; its inner product with a mask is the mask's sum.",
            "When a mask is all zeros its length is 0: make sure that the cosine comes out as 0, not as NaN.",
        ),
    ),
    Exercise(
        "lime_image",
        cases=_image_cases,
        points=3,
        minutes=20,
        observe=_averaged(30),
        compare=RANDOM,
        hints=(
            "Four steps, and you have written a function for each: sample, apply, weigh, fit.",
            "scores = predict(apply_masks(image, segments, masks, fill)), in one go or a few masks at a time; y is the target's column.",
            "Several targets give y of shape (samples, targets); fit_surrogate wants the samples last: y.T.",
        ),
    ),
    Exercise(
        "local_fidelity",
        cases=_fidelity_cases,
        points=2,
        minutes=10,
        hints=(
            "It is the R² that you know, with a weight on each square.",
            "The mean below the fraction bar is a weighted mean, too.",
        ),
    ),
    Exercise(
        "explanation_stability",
        cases=_stability_cases,
        points=2,
        minutes=12,
        level="stretch",
        hints=(
            "A large negative coefficient is as important as a large positive one.",
            "row.abs().topk(k).indices.tolist() makes a set; Python's sets know & and |.",
            "itertools.combinations(tops, 2) walks through all the pairs, each once.",
        ),
    ),
    Exercise(
        "select_features",
        cases=_selection_cases,
        points=3,
        minutes=20,
        level="stretch",
        observe=_observe_choice,
        hints=(
            "Two loops: over the k choices, and over the candidates that are still free.",
            "Fit with weighted least squares: multiply every row, the column of ones and y by √π, then torch.linalg.lstsq.",
            "Keep the candidate whose fit leaves the smallest weighted sum of squares; only then look for the next one.",
        ),
    ),
    Exercise(
        "lime_tabular",
        cases=_tabular_cases,
        points=3,
        minutes=20,
        observe=_averaged(150),
        compare=RANDOM,
        hints=(
            "z is noise in standard deviations; the model sees x + scale·z; the line sees z.",
            "The distance is ‖z‖, so that every feature counts in its own unit.",
            "Row 0 of z is zero. width = 0.75·√features where none is given. Then fit_surrogate(z, y, weights, penalty).",
        ),
    ),
]
