"""Chapter 3: activation maximization, plain and with a learned prior."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course.exercises.filters_and_activations import history, small_cnn
from course.exercises.random_arguments import distinct, drawn
from course.judging.exercise import Case, Exercise, Values, flatten


class Reader(nn.Module):
    """A small network and the images to show it; both travel with the answer sheet.

    sharpness: the factor on its logits. Far above 1 some p are too small for a float; below 1 none is almost 0 or 1.
    """

    probe: Tensor

    def __init__(self, rng: np.random.Generator, sharpness: float = 1.0) -> None:
        super().__init__()
        self.channels, self.units, self.classes, images = distinct(rng, 4, low=3)
        size = distinct(rng, 2, low=4)
        self.body = small_cnn(rng, self.channels, self.units, (size[0], size[1]), self.classes)
        dense = self.body.get_submodule("dense")
        pool = drawn(rng, 60, self.channels, *size)
        with torch.no_grad():
            logits = self.body.eval()(pool)
            middle = logits.mean(dim=0)
            state = {"weight": dense.weight, "bias": dense.bias - middle}
            dense.load_state_dict({name: sharpness * value for name, value in state.items()})
        self.body.train()
        self.register_buffer("probe", pool[_most_different(logits - middle, images)])

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.body(x)
        return logits


def _most_different(logits: Tensor, images: int) -> list[int]:
    """Which images to show: seen as different classes, and clearly so, as long as there are classes left."""
    best = logits.topk(2, dim=1)
    surest = (best.values[:, 1] - best.values[:, 0]).argsort().tolist()
    seen = best.indices[:, 0].tolist()
    first = list({seen[image]: image for image in reversed(surest)}.values())[::-1]
    return [*first, *(image for image in surest if image not in first)][:images]


class Hill(nn.Module):
    """An objective f(x), one number per row: a curved hill with weights of its own, and points to try it at."""

    probe: Tensor
    summit: Tensor

    def __init__(self, rng: np.random.Generator, *shape: int, rows: int = 3) -> None:
        super().__init__()
        weight = drawn(rng, *shape)
        self.weight = nn.Parameter(1.5 * weight / weight.norm())
        self.register_buffer("summit", drawn(rng, *shape))
        self.register_buffer("probe", drawn(rng, rows, *shape))

    def forward(self, x: Tensor) -> Tensor:
        slope: Tensor = (self.weight * x).flatten(1).sum(1)
        return slope.sin() - 0.3 * (x - self.summit).flatten(1).square().sum(1)


class Terrace(nn.Module):
    """A hill that is flat below one height and above another."""

    low: Tensor
    high: Tensor

    def __init__(self, hill: Hill, low: float = -1e6, high: float = 1e6) -> None:
        super().__init__()
        self.hill = hill
        self.register_buffer("low", torch.tensor(low))
        self.register_buffer("high", torch.tensor(high))

    def forward(self, x: Tensor) -> Tensor:
        height: Tensor = self.hill(x)
        return height.clamp(self.low, self.high)


class Painter(nn.Module):
    """A generator: a few latent numbers become an image of one channel."""

    def __init__(self, rng: np.random.Generator, latents: int, height: int, width: int) -> None:
        super().__init__()
        self.size = (height, width)
        self.layer = nn.Linear(latents, height * width)
        weight, bias = drawn(rng, height * width, latents), drawn(rng, height * width)
        self.layer.load_state_dict({"weight": weight, "bias": bias})

    def forward(self, z: Tensor) -> Tensor:
        image: Tensor = self.layer(z).sigmoid().reshape(-1, 1, *self.size)
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
    sharp, calm, other = Reader(rng, sharpness=400).double(), Reader(rng, 0.05), Reader(rng, 0.05)
    with torch.no_grad():
        least = sharp.body.eval()(sharp.probe).argmin(dim=1)
    sharp.body.train()
    each = torch.from_numpy(rng.integers(sharp.classes, size=len(sharp.probe)))
    each[0] = least[0]  # p rounds to 0 there, even in double precision
    each[1] = (each[0] + 1) % sharp.classes
    other.body.get_submodule("norm").eval()  # frozen, as in a network that is being fine-tuned
    return [
        {"model": sharp, "target": each},
        {"model": calm.eval(), "target": int(rng.integers(calm.classes))},
        {"model": other, "target": None},
    ]


def _unit_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    awake, asleep, mixed = Reader(rng), Reader(rng).eval(), Reader(rng)
    mixed.body.get_submodule("norm").eval()
    return [
        {"model": awake, "layer": "body.conv", "unit": int(rng.integers(1, awake.units))},
        {"model": asleep, "layer": "body.dense", "unit": asleep.classes - 1},
        {"model": mixed, "layer": "body.norm", "unit": 0},
        {"model": mixed, "layer": "body.conv", "unit": mixed.units},
        {"model": asleep, "layer": "body.dense", "unit": -1},
    ]


def _observe_objective(fn: Callable[..., Any], case: Case) -> Values:
    """f and its gradient at some images, and f at the same images in another order: an objective is asked again and again."""
    f, probe = fn(**case), case["model"].probe
    seen = _values_and_slopes(f, probe)
    return {**seen, **flatten(f(probe.flip(0)), "f(x) in another order")}


def _penalized_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    few, rows, columns, many = distinct(rng, 4)
    return [
        {"objective": Hill(rng, rows, columns, rows=many), "penalty": float(rng.uniform(0.2, 0.9))},
        {"objective": Hill(rng, 1, columns, many, rows=few), "penalty": 0.0},
    ]


def _observe_penalized(fn: Callable[..., Any], case: Case) -> Values:
    return _values_and_slopes(fn(**case), case["objective"].probe)


def _ascent_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    few, features, height, width = distinct(rng, 4)
    steps, more = distinct(rng, 2, high=5)
    lr, faster = float(rng.uniform(0.1, 0.17)), float(rng.uniform(0.22, 0.3))
    penalty, larger = float(rng.uniform(0.1, 0.2)), float(rng.uniform(0.3, 0.5))
    rows, image = Hill(rng, features, rows=few), Hill(rng, 1, height, width, rows=features)
    capped, silent = _reached_in_one_step(rows, faster), _silent_for_some(image)
    return [
        {"objective": rows, "start": rows.probe, "steps": steps, "lr": lr, "penalty": larger},
        {"objective": image, "start": image.probe, "steps": more, "lr": faster},
        {"objective": capped, "start": rows.probe, "steps": 3, "lr": faster, "penalty": penalty},
        {"objective": image, "start": image.probe, "steps": 0, "lr": lr, "penalty": penalty},
        {"objective": silent, "start": image.probe, "steps": steps, "lr": lr},
    ]


def _reached_in_one_step(hill: Hill, lr: float) -> Terrace:
    """The hill with its top cut off, so that no row starts there and one arrives there with its first step."""
    x = hill.probe.clone().requires_grad_()
    before = hill(x)
    (gradient,) = torch.autograd.grad(before.sum(), x)
    with torch.no_grad():
        highest = before.max() + hill(x + lr * gradient).max()
    return Terrace(hill, high=float(highest) / 2)


def _silent_for_some(hill: Hill) -> Terrace:
    """The hill with its foot filled up, so that some rows start on flat ground and some on a slope."""
    with torch.no_grad():
        height = hill(hill.probe)
    return Terrace(hill, low=float(height.max() + height.min()) / 2)


def _observe_ascent(fn: Callable[..., Any], case: Case) -> Values:
    found = fn(**case)
    return {**flatten(found), "history": history(found)}


def _latent_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    cases: list[Case] = []
    for steps in (int(rng.integers(2, 5)), 1):
        batch, latents, height, width = distinct(rng, 4)
        cases.append(
            {
                "objective": Hill(rng, 1, height, width),
                "generator": Painter(rng, latents, height, width),
                "start": drawn(rng, batch, latents),
                "steps": steps,
                "lr": float(rng.uniform(0.15, 0.35)),
                "penalty": float(rng.uniform(0.3, 0.7)),
            }
        )
    return cases


def _variation_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    images, height, width, other = distinct(rng, 4)
    return [
        {"x": drawn(rng, images, 3, height, width)},
        {"x": drawn(rng, other, 1, width, images)},
        {"x": drawn(rng, height, other, 1, width)},
    ]


def _sure(rng: np.random.Generator, count: int) -> Tensor:
    """Logits of some hundreds, of both signs, and one that is small."""
    logits = rng.uniform(150, 400, size=count) * np.where(np.arange(count) % 2, -1, 1)
    logits[-1] = rng.uniform(0.5, 2)
    return torch.from_numpy(rng.permutation(logits)).float()


def _judged_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    real, fake, height, width = distinct(rng, 4, low=3, high=8)
    return [
        {"real_logits": drawn(rng, real, 1), "fake_logits": drawn(rng, fake, 1) - 0.5},
        {"real_logits": _sure(rng, real), "fake_logits": _sure(rng, fake)},
        {"real_logits": drawn(rng, fake, height, width), "fake_logits": drawn(rng, real, height, width) + 1},
    ]


def _forged_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    fake, height, width = distinct(rng, 3, low=3, high=8)
    return [
        {"fake_logits": drawn(rng, fake, 1) - 0.5},
        {"fake_logits": _sure(rng, height)},
        {"fake_logits": drawn(rng, width, height, fake) + 1},
    ]


EXERCISES = [
    Exercise(
        "class_objective",
        cases=_class_cases,
        observe=_observe_objective,
        points=2,
        minutes=12,
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
        minutes=5,
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
        slope=("x",),
        points=1,
        minutes=5,
        hints=(
            "Neighbours in a column: the rows 1 … end minus the rows 0 … end − 1.",
            "Sum over channels, rows and columns, but not over the batch.",
        ),
    ),
    Exercise(
        "discriminator_loss",
        cases=_judged_cases,
        slope=("real_logits", "fake_logits"),
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
        slope=("fake_logits",),
        points=1,
        minutes=5,
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
        minutes=12,
        hints=(
            "Seen from z, the generator and the network are one network: f(g(z)) is an objective like any other.",
            "`maximize_activation` climbs any objective from any start.",
        ),
    ),
]
