"""Chapter 4, sensitivity: what is tried of each exercise."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course.judging.exercise import Case, Exercise, Values, equal, flatten, repeated, within


class Curved(nn.Module):
    """Scores of a smooth model on many features; the gradient is x² for the first third, x for the second, 1 + x² for the third.

    The other class has −½ times that score. Made for watching averages over noise.
    """

    def forward(self, x: Tensor) -> Tensor:
        first, second, third = x.chunk(3, dim=1)
        score = (first**3 / 3).sum(1) + (second**2 / 2).sum(1) + (third + third**3 / 3).sum(1)
        return torch.stack([-score / 2, score], dim=1)


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).float()


def bent(x: Tensor) -> Tensor:
    """Three scores (batch, 3) of x (batch, features): a model that is a plain function, as the chapter's own ones."""
    return torch.stack([x.clamp(max=1).sum(1), x.sin().sum(1) - x[:, 0], (x**2 / 2).sum(1)], dim=1)


def _sizes(rng: np.random.Generator) -> tuple[int, tuple[int, int, int], int]:
    """How many rows; channels, rows and columns of an image; how many classes."""
    rows, height, width, classes = (int(n) for n in rng.permutation([4, 5, 6, 7]))
    return rows, (int(rng.integers(1, 4)), height, width), classes


def _network(rng: np.random.Generator, image: tuple[int, int, int], classes: int) -> nn.Sequential:
    """A small network on images: convolution, ReLU, dense."""
    channels, height, width = image
    dense = nn.Linear(4 * (height - 2) * (width - 2), classes)
    network = nn.Sequential(nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.Flatten(), dense)
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(_tensor(rng.normal(size=tuple(weight.shape)) * 0.7))
    return network.eval()


def _explained(seed: int) -> list[Case]:
    """A class per row; one class for all rows; the predicted classes; and a model that is a plain function."""
    rng = np.random.default_rng(seed)
    rows, image, classes = _sizes(rng)
    weights = int(rng.integers(2**31))
    x = _tensor(rng.normal(size=(rows, *image)))
    predicted = _network(np.random.default_rng(weights), image, classes)(x).argmax(1)
    others = (predicted + 1 + torch.arange(rows) % (classes - 1)) % classes
    targets: list[Tensor | int | None] = [others, int(rng.integers(1, classes)), None]
    cases: list[Case] = [
        {
            "model": _network(np.random.default_rng(weights), image, classes),
            "x": x.clone(),
            "target": target,
        }
        for target in targets
    ]
    x = _tensor(rng.normal(size=(1, int(rng.integers(2, 9)))) * 1.5)
    x[0, 0] = -3 - x[0, 0].abs()  # so that class 0 is not the one that wins
    return [*cases, {"model": bent, "x": x, "target": 0}]


def _met_in_training(seed: int) -> list[Case]:
    """The same; the first model comes with gradients in its weights, the second in training mode."""
    cases = _explained(seed)
    for weight in cases[0]["model"].parameters():
        weight.grad = torch.full_like(weight, 0.5)
    cases[1]["model"].train()
    return cases


def _way(seed: int) -> list[Case]:
    """From an image, from a number, from zero in one step, and as the defaults have it; with few steps the rule for the
    points matters. No way has no step."""
    rng = np.random.default_rng([seed, 4])
    per_row, one_class, predicted, function = _explained(seed)
    few, number = int(rng.integers(2, 5)), round(float(rng.uniform(0.3, 0.8)), 2)
    baseline = _another_class(rng, predicted["model"], predicted["x"], few + 1)
    short = {"model": one_class["model"], "x": one_class["x"][:2].clone(), "target": one_class["target"]}
    return [
        predicted | {"baseline": baseline, "steps": few + 1},
        per_row | {"baseline": number, "steps": few},
        function | {"baseline": -number, "steps": 1},
        short,
        function | {"x": function["x"].clone(), "baseline": 0.0, "steps": 0},
    ]


def _another_class(rng: np.random.Generator, model: nn.Module, x: Tensor, steps: int) -> Tensor:
    """A baseline from which some way to x begins in another class than it ends in."""
    baseline = x[0]
    with torch.no_grad():
        for _ in range(20):
            baseline = _tensor(rng.normal(size=tuple(x.shape[1:])) * 1.5)
            begins = model(baseline + (x - baseline) / (2 * steps)).argmax(1)
            if bool((begins != model(x).argmax(1)).any()):
                break
    return baseline


def _pair(seed: int) -> list[Case]:
    """Three classes of one network, each against the next: whatever the scores, not all of them lead."""
    rng = np.random.default_rng(seed)
    _, image, classes = _sizes(rng)
    weights = int(rng.integers(2**31))
    three = rng.permutation(classes)[:3].tolist()
    cases: list[Case] = []
    for target, other in zip(three, [*three[1:], three[0]], strict=True):
        network = _network(np.random.default_rng(weights), image, classes)
        network.image = image  # type: ignore[assignment]
        cases.append({"model": network, "target": target, "other": other})
    return cases


def _noise(seed: int) -> list[Case]:
    """A given class; the predicted one, where the first image's disturbed copies are taken for the other class; one
    sample without noise. Then no sample, and less noise than none."""
    rng = np.random.default_rng(seed)
    alike, samples = int(rng.integers(1800, 2200)), int(rng.integers(60, 80))
    more: list[Case] = [
        {"third": -float(rng.uniform(0.8, 1.2)), "target": 1, "samples": samples},
        {"third": -0.15, "target": None, "samples": 20},
    ]
    cases: list[Case] = []
    for each in more:
        x = torch.tensor([0.0, 0.5, each["third"]]).repeat_interleave(alike).repeat(2, 1)
        x[1] *= -1
        sigma, generator = float(rng.uniform(0.4, 0.6)), torch.Generator().manual_seed(seed)
        fixed = {"sigma": sigma, "samples": each["samples"], "generator": generator}
        cases.append({"model": Curved(), "x": x, "target": each["target"]} | fixed)
    _, image, classes = _sizes(rng)
    for sigma, samples in ((0.0, 1), (0.5, 0), (-0.5, 3)):
        x, network = _tensor(rng.normal(size=(1, *image))), _network(rng, image, classes)
        with torch.no_grad():
            list(network.parameters())[-1][0] -= 50  # class 0 does not win
        fixed = {"sigma": sigma, "samples": samples, "generator": torch.Generator().manual_seed(seed)}
        cases.append({"model": network, "x": x, "target": 0} | fixed)
    return cases


def _deleted(seed: int) -> list[Case]:
    """Steps that do not divide the number of inputs, and so that no number of deleted inputs ends in ½; ties; more
    steps than inputs; one row."""
    rng = np.random.default_rng(seed)
    cases: list[Case] = []
    for number in range(3):
        rows, image, classes = _sizes(rng)
        rows = 1 if number == 2 else rows
        inputs = int(np.prod(image))
        odd = [n for n in range(3, 14, 2) if np.gcd(n, inputs) == 1]
        steps = int(rng.choice(odd)) if number < 2 else inputs + 1 + inputs % 2
        target = rng.permutation(np.resize(np.arange(classes), max(rows, classes)))[:rows]
        order = rng.permutation(rows * inputs).reshape(rows, *image) - rows * inputs // 2
        relevance = order.clip(-inputs // 4, inputs // 4) if number == 1 else order
        cases.append(
            {
                "model": _network(rng, image, classes),
                "x": _tensor(rng.normal(size=(rows, *image))),
                "relevance": _tensor(relevance.astype(float)),
                "target": torch.from_numpy(target),
                "steps": steps,
            }
        )
    return cases


def _compared(fn: Callable[..., Any], case: Case) -> Values:
    """The scores of the model that comes back, on a batch, and their slope."""
    image = case["model"].image
    x = torch.linspace(-1, 1, 3 * int(np.prod(image))).view(3, *image).sin()
    x = x.to(case["model"][0].weight.dtype).requires_grad_()
    model = fn(*case.values())
    if not callable(model):
        raise TypeError(f"a function of x should come back, not a {type(model).__name__}")
    scores = model(x)
    slope = torch.autograd.grad(scores.sum(), x)[0]
    return {"": scores, "slope": slope, "shape for one image": str(tuple(model(x[:1]).shape))}


def _averaged(fn: Callable[..., Any], case: Case) -> Values:
    """Mean and spread over the features that are alike, with their standard errors; and whether it repeats."""
    if case["x"].shape[1] < 100:  # too few features for an average
        return {"without noise": flatten(fn(*case.values())).get("", "no tensor")}
    state = case["generator"].get_state()
    relevance = flatten(fn(*case.values())).get("", "no tensor")
    if not isinstance(relevance, Tensor) or relevance.shape != case["x"].shape:
        return {"shape": str(tuple(relevance.shape)) if isinstance(relevance, Tensor) else relevance}
    short = case | {"x": case["x"][:, :6].clone(), "samples": 2}
    once, again = (
        fn(*(short | {"generator": torch.Generator().set_state(state)}).values()) for _ in range(2)
    )
    another = fn(*(short | {"generator": torch.Generator().manual_seed(0)}).values())
    alike = relevance.detach().double().view(2, 3, -1)
    root, spread = alike.shape[-1] ** 0.5, alike.std(dim=-1)
    noise = (relevance.detach() - case["x"]).view(2, 3, -1)[:, 1]  # of the features whose gradient is x
    return {
        "shape": str(tuple(relevance.shape)),
        "mean": alike.mean(dim=-1),
        "mean error": spread / root,
        "log spread": spread.log(),
        "log spread error": torch.full_like(spread, 1 / root),
        "noise of the rows": "the same" if torch.allclose(noise[0], noise[1], atol=1e-4) else "different",
        "the same generator gives": repeated(once, again),
        "another generator gives": repeated(once, another),
    }


EXERCISES = [
    Exercise(
        "input_gradient",
        cases=_met_in_training,
        points=3,
        minutes=15,
        hints=(
            "Work on a copy of x that does not remember where it came from, and ask it to track gradients: "
            "x.detach().clone().requires_grad_().",
            "target_score(model(x), target) gives one score per row. The rows do not influence each other, so their "
            "sum has the right slope for each of them.",
            "torch.autograd.grad(total, x) differentiates by x alone and leaves the weights in peace; it returns a tuple.",
        ),
    ),
    Exercise(
        "saliency",
        cases=_explained,
        points=1,
        minutes=3,
        hints=("One line: the size of what input_gradient gives.",),
    ),
    Exercise(
        "sensitivity",
        cases=_explained,
        points=1,
        minutes=3,
        hints=("One line: each entry of the gradient, squared by itself.",),
    ),
    Exercise(
        "gradient_times_input",
        cases=_explained,
        points=1,
        minutes=4,
        hints=("Entry by entry: the input times its slope. Nothing is added up.",),
    ),
    Exercise(
        "contrast",
        cases=_pair,
        observe=_compared,
        points=2,
        minutes=8,
        hints=(
            "You return a function: define it inside, with a parameter x, and return it without calling it.",
            "model(x)[:, target] has lost its second axis. f[:, [target]] keeps it, and so does unsqueeze(1).",
        ),
    ),
    Exercise(
        "smooth_grad",
        cases=_noise,
        observe=_averaged,
        compare={
            "shape": equal(),
            "without noise": equal(),
            "mean": within(8, error="mean error"),
            "log spread": within(8, error="log spread error"),
            "noise of the rows": equal(),
            "the same generator gives": equal(),
            "another generator gives": equal(),
        },
        points=3,
        minutes=15,
        hints=(
            "Each sample draws noise of its own, adds it to x, and asks input_gradient. In the end: the mean.",
            "torch.randn(x.shape, generator=generator) has deviation 1. Multiply it to get deviation sigma.",
            "With target None, find the predicted class once, for x itself, before you add any noise.",
        ),
    ),
    Exercise(
        "integrated_gradients",
        cases=_way,
        points=4,
        minutes=25,
        hints=(
            "A point of the way is baseline + α (x − baseline). Average the gradients at the points, then multiply by the whole way.",
            "With 4 steps the midpoints are at α = 1/8, 3/8, 5/8, 7/8: (k + ½) / steps.",
            "With target None, find the predicted class once, for x itself: half way to the baseline another one may win.",
        ),
    ),
    Exercise(
        "deletion_curve",
        cases=_deleted,
        points=3,
        minutes=15,
        level="stretch",
        hints=(
            "Sort the relevance of each row from large to small. What you need is the rank of every input: 0 for the most relevant.",
            "order = relevance.flatten(1).argsort(dim=1, descending=True, stable=True); order.argsort(1) turns it into ranks.",
            "In round k keep the inputs whose rank is at least round(k / steps · d), set the others to 0, and ask for the score.",
        ),
    ),
]
