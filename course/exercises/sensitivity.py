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


def _network(rng: np.random.Generator) -> nn.Sequential:
    """A small network on images (1, 5, 4) with five classes: convolution, ReLU, dense."""
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 3 * 2, 5))
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(_tensor(rng.normal(size=tuple(weight.shape)) * 0.7))
    return network.eval()


def _explained(seed: int) -> list[Case]:
    """A class per row; one class for all rows; and the predicted classes."""
    rng = np.random.default_rng(seed)
    network, cases = _network(rng), []
    predicted = network(x := _tensor(rng.normal(size=(6, 1, 5, 4)))).argmax(1)
    targets: list[Tensor | int | None] = [(predicted + torch.tensor([1, 2, 3, 4, 1, 2])) % 5, 3, None]
    for target in targets:
        cases.append({"model": _network(np.random.default_rng(seed)), "x": x.clone(), "target": target})
    return cases


def _met_in_training(seed: int) -> list[Case]:
    """The same; the second model comes in training mode."""
    cases = _explained(seed)
    cases[1]["model"].train()
    return cases


def _way(seed: int) -> list[Case]:
    """From zero, from an image, and from a number, with few steps so that the rule for the points matters."""
    rng = np.random.default_rng(seed)
    baseline = _tensor(rng.normal(size=(1, 5, 4)))
    more: list[Case] = [
        {"baseline": 0.0, "steps": 3},
        {"baseline": baseline, "steps": 4},
        {"baseline": 0.5, "steps": 2},
    ]
    return [case | extra for case, extra in zip(_explained(seed), more, strict=True)]


def _pair(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    target, other = rng.permutation(5)[:2].tolist()
    return [{"model": _network(rng), "target": target, "other": other}]


def _noise(seed: int) -> list[Case]:
    """A given class; and the predicted one, where the first image's disturbed copies are taken for the other class."""
    rng = np.random.default_rng(seed)
    more: list[Case] = [
        {"third": -float(rng.uniform(0.8, 1.2)), "target": 1, "samples": 70},
        {"third": -0.15, "target": None, "samples": 20},
    ]
    cases = []
    for each in more:
        x = torch.tensor([0.0, 0.5, each["third"]]).repeat_interleave(2000).repeat(2, 1)
        x[1] *= -1
        sigma, generator = float(rng.uniform(0.4, 0.6)), torch.Generator().manual_seed(seed)
        fixed = {"sigma": sigma, "samples": each["samples"], "generator": generator}
        cases.append({"model": Curved(), "x": x, "target": each["target"]} | fixed)
    return cases


def _deleted(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    x = _tensor(rng.normal(size=(3, 1, 5, 4)))
    relevance = _tensor(rng.permutation(60).reshape(3, 1, 5, 4) - 30.0)
    target = torch.from_numpy(rng.permutation(5)[:3])
    return [
        {"model": _network(rng), "x": x, "relevance": relevance, "target": target, "steps": steps}
        for steps in (4, 10)
    ]


def _compared(fn: Callable[..., Any], case: Case) -> Values:
    """The scores of the model that comes back, on a batch, and their slope."""
    x = torch.linspace(-1, 1, 60).view(3, 1, 5, 4).sin().requires_grad_()
    model = fn(*case.values())
    if not callable(model):
        raise TypeError(f"a function of x should come back, not a {type(model).__name__}")
    scores = model(x)
    slope = torch.autograd.grad(scores.sum(), x)[0]
    return {"": scores, "slope": slope}


def _averaged(fn: Callable[..., Any], case: Case) -> Values:
    """Mean and spread over the 2,000 features that are alike, with their standard errors; and whether it repeats."""
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
        minutes=12,
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
            "mean": within(8, error="mean error"),
            "log spread": within(8, error="log spread error"),
            "noise of the rows": equal(),
            "the same generator gives": equal(),
            "another generator gives": equal(),
        },
        points=3,
        minutes=12,
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
        minutes=15,
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
