"""Chapter 7: explain one answer of any model by a straight line fitted around it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from course.exercises.random_arguments import drawn, drawn_uniformly
from course.judging.exercise import Case, Exercise, Values, equal, flatten, occurring, repeated, within

SEGMENTS = torch.tensor(
    [
        [0, 0, 0, 1, 1, 1, 2, 2],
        [0, 0, 1, 1, 1, 2, 2, 2],
        [0, 3, 3, 3, 1, 2, 2, 4],
        [3, 3, 3, 4, 4, 4, 4, 4],
        [3, 3, 5, 5, 5, 5, 4, 4],
        [3, 5, 5, 5, 5, 5, 5, 4],
    ]
)
QUARTERS = torch.tensor([[0, 0, 0, 1, 1], [0, 2, 2, 1, 1], [2, 2, 3, 3, 1], [2, 3, 3, 3, 3]])
SEEDS, SAMPLES = 40, 1500  # random answers are averaged over this many seeds, each from this many samples


def _coins(rng: np.random.Generator, *shape: int) -> Tensor:
    masks = torch.from_numpy(rng.integers(0, 2, size=shape)).float()
    masks[..., 0, :] = 1.0
    return masks


# sample_masks: judged by what makes a good sample, not by one draw


def _sample_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {"segments": segments, "samples": int(rng.integers(low, low + 2000)), "generator": generator}
        for segments, low, generator in (
            (SEGMENTS, 40_000, Generator().manual_seed(seed)),
            (SEGMENTS[:3, :5] // 2, 20_000, Generator().manual_seed(seed + 1)),
        )
    ]


def _observe_masks(fn: Callable[..., Any], case: Case) -> Values:
    segments, samples, generator = case.values()
    start = generator.get_state()
    drawn = flatten(fn(segments, samples, generator), "first row")
    masks = drawn.get("first row")
    if not isinstance(masks, Tensor) or masks.ndim != 2:
        return drawn
    later = fn(segments, samples, generator)
    generator.set_state(start)
    again = fn(segments, samples, generator)
    masks = masks.double()
    rest = masks[1:]
    centred = rest - 0.5
    products = (centred.T @ centred / len(rest)).fill_diagonal_(0)
    return {
        "first row": masks[0],
        "values that occur": occurring(rest),
        "share of ones": rest.mean(0),
        "share error": torch.full((masks.shape[1],), 0.5 / len(rest) ** 0.5),
        "two segments together": products,
        "together error": torch.full(products.shape, 0.25 / len(rest) ** 0.5),
        "number of masks": torch.tensor(len(masks)),
        "the same generator gives": repeated(masks, again),
        "asked again, it gives": repeated(masks, later),
    }


# apply_masks, locality_weights, fit_surrogate, local_fidelity: exact


def _apply_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    image = drawn_uniformly(rng, 3, 6, 8)
    return [
        {"image": image, "segments": SEGMENTS, "masks": _coins(rng, 5, 6), "fill": 0.3},
        {
            "image": image[:1],
            "segments": SEGMENTS,
            "masks": _coins(rng, 4, 6),
            "fill": drawn_uniformly(rng, 1, 6, 8),
        },
    ]


def _weight_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    nothing_visible = torch.zeros(1, 7)
    return [
        {"masks": torch.cat([_coins(rng, 6, 7), nothing_visible]), "width": float(rng.uniform(0.3, 0.6))},
        {"masks": _coins(rng, 2, 5, 9), "width": float(rng.uniform(0.15, 0.25))},
    ]


def _problem(
    rng: np.random.Generator, samples: int, features: int, *classes: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Masks, scores that are not quite linear in them, weights."""
    masks = _coins(rng, samples, features)
    y = masks @ drawn(rng, features, *classes) + 0.5 * drawn(rng, samples, *classes) + 2.0
    return masks, y.movedim(0, -1), drawn_uniformly(rng, samples, low=0.05) ** 2


def _surrogate_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    cases = []
    for classes, penalty in [((), 1.0), ((), 0.2), ((3,), 2.0)]:
        masks, y, weights = _problem(rng, 25, 4, *classes)
        cases.append({"masks": masks, "y": y, "weights": weights, "penalty": penalty})
    return cases


def _fidelity_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    cases = []
    for classes in [(), (2,)]:
        masks, y, weights = _problem(rng, 20, 4, *classes)
        line = {
            "coefficients": 0.7 * drawn(rng, *classes, 4),
            "intercept": 2 + 0.2 * drawn(rng, *classes),
        }
        cases.append({"masks": masks, "y": y, "weights": weights} | line)
    return cases


# select_features: tables on which the shortcuts go wrong


def _selection_cases(seed: int) -> list[Case]:
    """Feature 0 copies the strongest one, 2, with some noise; 7 is mostly 2, too, and holds what else is needed.

    Features 3 and 4 matter in a part of the table only: 3 far away, 4 at a middle distance.
    """
    rng = np.random.default_rng(seed)
    cases = []
    for samples, k in [(400, 4), (500, 5)]:
        z = drawn(rng, samples, 8)
        hidden = z[:, 7].clone()
        z[:, 0] = z[:, 2] + 0.4 * z[:, 0]
        z[:, 7] = z[:, 2] - 0.4 * hidden
        z[:, 5] = 8.0 * z[:, 5] + 3.0
        z[:, 6] += 5.0
        place = torch.arange(samples) % 4
        far, middle = place == 0, place % 2 == 1
        everywhere = 3 * z[:, 2] + 0.25 * z[:, 5] + 1.3 * hidden + 0.85 * z[:, 1] - 0.3 * z[:, 6] + 9
        nearness = torch.where(far, 1e-4, torch.where(middle, 0.25, 1.0))
        order = torch.from_numpy(rng.permutation(8))
        cases.append(
            {
                "masks": z[:, order],
                "y": everywhere + 5 * middle * z[:, 4] + 20 * far * z[:, 3],
                "weights": nearness * drawn_uniformly(rng, samples, low=0.8),
                "k": k,
            }
        )
    return cases


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


def _image_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    size = QUARTERS.flatten().bincount()[QUARTERS.flatten()].unsqueeze(1)
    share = drawn_uniformly(rng, 4, 3, low=0.6)[QUARTERS.flatten()] * torch.tensor([1.0, -1.0, 1.2])
    predict = _Twisted(1.2 * share / size, torch.tensor([-1.0, 1.6, -0.4])).requires_grad_(False)
    undecided = _Twisted(
        1.2 * share / size * torch.tensor([-1.0, -0.8, 0.3]), torch.tensor([1.6, -1.2, -0.3])
    ).requires_grad_(False)
    image = drawn_uniformly(rng, 1, 4, 5, low=0.8)
    common = {"predict": predict, "image": image, "segments": QUARTERS}
    rest = {"samples": SAMPLES, "generator": Generator().manual_seed(seed)}
    return [
        {**common, "target": 2, **rest, "width": 0.1, "penalty": 30.0, "fill": 0.5},
        {**common, "target": torch.tensor([0, 1]), **rest, "width": 0.15, "penalty": 50.0, "fill": 0.3},
        {**common, "predict": undecided, "target": None, **rest},
    ]


def _tabular_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    scale = torch.tensor([0.2, 4.0, 1.5])
    weight = 0.8 * (drawn_uniformly(rng, 3, 3, low=0.7) / scale.unsqueeze(1)) * torch.tensor([1.0, -1.0, 1.3])
    predict = _Twisted(weight, torch.tensor([0.5, 0.6, -0.3])).requires_grad_(False)
    undecided = _Twisted(weight.roll(-1, dims=1), torch.tensor([0.6, 0.3, -0.3])).requires_grad_(False)
    x = scale * drawn_uniformly(rng, 3, low=0.6) * torch.tensor([1.0, 1.0, -0.6])
    common = {"predict": predict, "x": x, "scale": scale}
    rest = {"samples": SAMPLES, "generator": Generator().manual_seed(seed)}
    return [
        {**common, "target": 2, **rest, "width": 0.5, "penalty": 10.0},
        {**common, "target": torch.tensor([0, 1]), **rest},
        {**common, "predict": undecided, "target": None, **rest, "width": 1.0, "penalty": 3.0},
    ]


def _observe_average(fn: Callable[..., Any], case: Case) -> Values:
    """Mean coefficients ("0") and intercept ("1") over many seeds, and their standard errors; what is asked first."""
    generator, drawn, asked = case["generator"], [], []
    first = generator.initial_seed()
    listening = case["predict"].register_forward_pre_hook(lambda _, batch: asked.append(batch[0][0].clone()))
    try:
        for seed in range(SEEDS):
            generator.manual_seed(1000 * first + seed)
            parts = flatten(fn(*case.values()))
            if set(parts) != {"0", "1"} or any(isinstance(part, str) for part in parts.values()):
                return parts  # no pair (c, b)
            drawn.append([part.detach().double() for part in parts.values() if isinstance(part, Tensor)])
    finally:
        listening.remove()
    c, b = (torch.stack(rows) for rows in zip(*drawn, strict=True))
    return {
        "0": c.mean(0),
        "1": b.mean(0),
        "error of 0": c.std(0) / SEEDS**0.5,
        "error of 1": b.std(0) / SEEDS**0.5,
        "seeds matter": torch.tensor(float(c.std(0).max() > 0)),
        "variant that is asked first": asked[0] if asked else "<nothing>",
    }


RANDOM = {
    "0": within(8, error="error of 0"),
    "1": within(8, error="error of 1"),
    "seeds matter": equal(),
    "variant that is asked first": equal(),
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
            "share of ones": within(10, error="share error"),
            "two segments together": within(10, error="together error"),
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
        minutes=15,
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
        observe=_observe_average,
        compare=RANDOM,
        hints=(
            "Four steps, and you have written a function for each: sample, apply, weigh, fit.",
            "scores = predict(apply_masks(image, segments, masks, fill)), inside torch.no_grad(); y is the target's column.",
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
        cases=lambda seed: [
            {"coefficients": drawn(np.random.default_rng(seed), 5, 9), "k": 4},
            {"coefficients": drawn(np.random.default_rng(seed + 1), 4, 6), "k": 3},
        ],
        points=2,
        minutes=15,
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
        minutes=30,
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
        observe=_observe_average,
        compare=RANDOM,
        hints=(
            "z is noise in standard deviations; the model sees x + scale·z; the line sees z.",
            "The distance is ‖z‖, so that every feature counts in its own unit.",
            "Row 0 of z is zero. width = 0.75·√features where none is given. Then fit_surrogate(z, y, weights, penalty).",
        ),
    ),
]
