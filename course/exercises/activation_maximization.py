"""Chapter 3: activation maximization, plain and with a learned prior."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course.exercises.filters_and_activations import history, small_cnn
from course.exercises.random_arguments import drawn
from course.judging.exercise import Case, Exercise, Values, flatten


class Reader(nn.Module):
    """A small network and the images to show it; both travel with the answer sheet.

    sharpness: the factor on its logits. Far above 1 some p are too small for a float; below 1 none is almost 0 or 1.
    """

    probe: Tensor

    def __init__(self, rng: np.random.Generator, sharpness: float = 1.0) -> None:
        super().__init__()
        self.body = small_cnn(rng)
        dense = self.body.get_submodule("dense")
        dense.load_state_dict({name: sharpness * value for name, value in dense.state_dict().items()})
        self.register_buffer("probe", drawn(rng, 4, 2, 6, 4))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.body(x)
        return logits


class Hill(nn.Module):
    """An objective f(x), one number per row: a curved hill with weights of its own, and points to try it at."""

    probe: Tensor
    summit: Tensor

    def __init__(self, rng: np.random.Generator, *shape: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(drawn(rng, *shape))
        self.register_buffer("summit", drawn(rng, *shape))
        self.register_buffer("probe", drawn(rng, 3, *shape))

    def forward(self, x: Tensor) -> Tensor:
        slope: Tensor = (self.weight * x).flatten(1).sum(1)
        return slope.sin() - 0.3 * (x - self.summit).flatten(1).square().sum(1)


class Painter(nn.Module):
    """A generator: two latent numbers become an image of 1 × 3 × 4."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 12)
        self.layer.load_state_dict({"weight": drawn(rng, 12, 2), "bias": drawn(rng, 12)})

    def forward(self, z: Tensor) -> Tensor:
        image: Tensor = self.layer(z).sigmoid().reshape(-1, 1, 3, 4)
        return image


def _values_and_slopes(f: Callable[[Tensor], Tensor], probe: Tensor) -> Values:
    """f at the probe, and its gradient there: an objective is something to climb."""
    x = probe.clone().requires_grad_()
    value = f(x)
    slope: Tensor | str = "f knows nothing of x"
    if isinstance(value, Tensor) and value.requires_grad:
        (found,) = torch.autograd.grad(value.sum(), x, allow_unused=True)
        slope = torch.zeros_like(x) if found is None else found
    return {**flatten(value, "f(x)"), "gradient of f": slope}


def _class_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    each = torch.from_numpy(rng.permutation(5)[:4])
    one = int(rng.integers(5))
    return [
        {
            "model": Reader(rng, sharpness=400).double(),
            "target": each,
        },  # p rounds to 0 even in double precision
        {"model": Reader(rng, sharpness=0.1), "target": one},
        {"model": Reader(rng, sharpness=0.1), "target": None},
    ]


def _unit_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {"model": Reader(rng), "layer": layer, "unit": unit}
        for layer, unit in (("body.conv", 2), ("body.dense", 4))
    ]


def _observe_objective(fn: Callable[..., Any], case: Case) -> Values:
    f = fn(**case)
    seen = _values_and_slopes(f, case["model"].probe)
    return seen


def _penalized_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [{"objective": Hill(rng, 2, 3), "penalty": 0.3}, {"objective": Hill(rng, 1, 3, 4), "penalty": 0.0}]


def _observe_penalized(fn: Callable[..., Any], case: Case) -> Values:
    return _values_and_slopes(fn(**case), case["objective"].probe)


def _ascent_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {"objective": Hill(rng, 5), "start": drawn(rng, 3, 5), "steps": 3, "lr": 0.2, "penalty": 0.4},
        {
            "objective": Hill(rng, 1, 3, 4),
            "start": drawn(rng, 2, 1, 3, 4),
            "steps": 4,
            "lr": 0.1,
            "penalty": 0.15,
        },
    ]


def _observe_ascent(fn: Callable[..., Any], case: Case) -> Values:
    found = fn(**case)
    return {**flatten(found), "history": history(found)}


def _latent_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {
            "objective": Hill(rng, 1, 3, 4),
            "generator": Painter(rng),
            "start": drawn(rng, 3, 2),
            "steps": steps,
            "lr": 0.2,
            "penalty": 0.5,
        }
        for steps in (3, 1)
    ]


def _variation_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [{"x": drawn(rng, 3, 2, 5, 7)}, {"x": drawn(rng, 2, 1, 4, 3)}]


def _judged_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    sure = torch.tensor([[300.0], [-250.0], [2.0]])
    return [
        {"real_logits": drawn(rng, 5, 1), "fake_logits": drawn(rng, 4, 1) - 0.5},
        {"real_logits": sure, "fake_logits": -0.5 * sure + drawn(rng, 3, 1)},
    ]


def _forged_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {"fake_logits": drawn(rng, 5, 1) - 0.5},
        {"fake_logits": torch.tensor([[-300.0], [120.0], [0.5]])},
    ]


EXERCISES = [
    Exercise(
        "class_objective",
        cases=_class_cases,
        observe=_observe_objective,
        points=2,
        minutes=15,
        hints=(
            "Write an inner function of x and return it; it may use `model` and `target`.",
            "`F.log_softmax` over the classes is exact where the logarithm of a softmax would round to log 0.",
            "One class per image: row i, column target[i]. `gather`, or indexing with `torch.arange`.",
        ),
    ),
    Exercise(
        "unit_objective",
        cases=_unit_cases,
        observe=_observe_objective,
        points=2,
        minutes=12,
        hints=(
            "`feature_maps` already gives (batch, units, …) with its gradient.",
            "Choose the unit along the second axis, then flatten what is left of each image and take its mean.",
        ),
    ),
    Exercise(
        "penalized",
        cases=_penalized_cases,
        observe=_observe_penalized,
        points=1,
        minutes=8,
        hints=(
            "Each image pays for its own size only: keep one number per row.",
            "`x.flatten(1)` lays every image out in one row of numbers.",
        ),
    ),
    Exercise(
        "maximize_activation",
        cases=_ascent_cases,
        observe=_observe_ascent,
        points=3,
        minutes=20,
        hints=(
            "The objectives of the rows do not touch each other, so the gradient of their sum holds each row's own gradient.",
            "`torch.autograd.grad(value, x)` returns the gradient and leaves nothing on the network's parameters.",
            "Begin each step with a tensor that has no history: `x.detach().requires_grad_()`.",
        ),
    ),
    Exercise(
        "total_variation",
        cases=_variation_cases,
        points=1,
        minutes=8,
        hints=(
            "Neighbours in a column: the rows 1 … end minus the rows 0 … end − 1.",
            "Sum over channels, rows and columns, but not over the batch.",
        ),
    ),
    Exercise(
        "discriminator_loss",
        cases=_judged_cases,
        points=2,
        minutes=12,
        hints=(
            "It is the logistic loss: real images have the label 1, drawn ones the label 0.",
            "−log σ(t) = log(1 + e^(−t)), and 1 − σ(t) = σ(−t).",
            "`F.softplus(t)` is log(1 + eᵗ), exact for large t.",
        ),
    ),
    Exercise(
        "generator_loss",
        cases=_forged_cases,
        points=1,
        minutes=8,
        hints=(
            "The generator wants its images to be given the label of real ones.",
            "Not log(1 − D), which is flat exactly when the generator is found out, but −log D.",
        ),
    ),
    Exercise(
        "maximize_latent",
        cases=_latent_cases,
        observe=_observe_ascent,
        points=2,
        minutes=15,
        hints=(
            "Seen from z, the generator and the network are one network: f(g(z)) is an objective like any other.",
            "`maximize_activation` climbs any objective from any start.",
        ),
    ),
]
