"""Chapter 8: smaller and coarser networks that say the same."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from course.exercises.random_arguments import drawn, drawn_uniformly
from course.judging.exercise import Case, Exercise, Values, equal, flatten, occurring, repeated, within

TOSSES = 40_000  # per weight, for the stochastic signs


# pruning


def _step_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    cases = []
    for shape, lr, l1, l2 in [((4, 5), 0.2, 1.5, 0.4), ((12,), 0.1, 2.0, 0.0), ((3, 4), 0.3, 0.0, 0.7)]:
        cases.append(
            {"w": 0.5 * drawn(rng, *shape), "gradient": drawn(rng, *shape), "lr": lr, "l1": l1, "l2": l2}
        )
    return cases


def _prune_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {"saliency": drawn_uniformly(rng, 4, 7, low=0.1), "fraction": 0.345},  # 9.66 of 28
        {"saliency": drawn(rng, 19) * 30, "fraction": 0.8},  # 15.2 of 19
        {"saliency": drawn(rng, 4, 6).clamp_min(0), "fraction": 0.25},  # 6 of 24, while about 12 are zero
    ]


def _observe_keep(fn: Callable[..., Any], case: Case) -> Values:
    """The mask, and how many stay. Which ones of equal saliencies go is left open: sort, argsort and topk differ there."""
    found, saliency = flatten(fn(*case.values())), case["saliency"]
    keep = found.get("")
    if not isinstance(keep, Tensor) or keep.shape != saliency.shape:
        return found
    tied = (saliency.flatten().unsqueeze(1) == saliency.flatten()).sum(1).view(saliency.shape) > 1
    return {"": keep.double().masked_fill(tied.to(keep.device), 0), "number that stays": keep.double().sum()}


def _hessian_cases(seed: int) -> list[Case]:
    """A small tanh network; "loss" holds its data, because the loss itself must hang on the parameters (see observe)."""
    rng = np.random.default_rng(seed)
    data = (drawn(rng, 5, 3), torch.from_numpy(rng.integers(0, 2, 5)))
    return [{"loss": data, "parameters": [drawn(rng, 3, 3), drawn(rng, 2, 3)]}]


def _observe_hessian(fn: Callable[..., Any], case: Case) -> Values:
    x, labels = case["loss"]
    hidden, output = (w.detach().clone().requires_grad_() for w in case["parameters"])
    loss = nn.functional.cross_entropy(torch.tanh(x @ hidden.T) @ output.T, labels) + hidden.sin().sum()
    diagonal = fn(loss, [hidden, output])
    untouched = torch.tensor(float(hidden.grad is None and output.grad is None))
    return {**flatten(diagonal), "gradients left alone": untouched}


def _saliency_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {"w": drawn(rng, 3, 5), "h": drawn_uniformly(rng, 3, 5, low=0.1)},
        {"w": 3 * drawn(rng, 8), "h": drawn(rng, 8)},
    ]


def _cell_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {"w": drawn(rng, 3, 5), "h": drawn_uniformly(rng, 3, 5, low=0.1)},
        {"w": drawn(rng, 4, 3, 2, 2), "h": drawn_uniformly(rng, 4, 3, 2, 2, low=0.1)},
    ]


# binarization: the value, and the gradient at fixed points


def _weight_cases(parameter: str) -> Callable[[int], list[Case]]:
    def cases(seed: int) -> list[Case]:
        rng = np.random.default_rng(seed)
        w = 1.2 * drawn(rng, 4, 6)
        w[1, 2] = w[3, 0] = 0.0
        w[0, 0], w[2, 5] = 2.3, -1.7
        return [{parameter: w}]

    return cases


def _scaled_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    sizes = torch.tensor([0.2, 1.0, 4.0]).view(3, 1, 1, 1)
    return [*_weight_cases("w")(seed), {"w": sizes * drawn(rng, 3, 2, 2, 3)}]


def _upstream(like: Tensor) -> Tensor:
    """A gradient that comes back from above, different at every place."""
    return torch.linspace(-1.5, 2.0, like.numel()).view(like.shape)


def _observe_gradient(fn: Callable[..., Any], case: Case) -> Values:
    """What comes out, what arrives at the input when a gradient comes back, and whether the input is still itself."""
    ((name, first),) = case.items()
    x = first.detach().clone().requires_grad_()
    found = flatten(fn(x))
    value = found.get("")
    if not isinstance(value, Tensor):
        return found
    gradient = _gradient(value, x, _upstream(x).to(x)) if value.shape == x.shape else torch.zeros_like(x)
    return {"": value.detach(), "gradient": gradient, f"{name} afterwards": x.detach()}


def _gradient(value: Tensor, x: Tensor, upstream: Tensor) -> Tensor:
    """Zeros where nothing is attached."""
    if not value.requires_grad:
        return torch.zeros_like(x)
    (gradient,) = torch.autograd.grad((value * upstream).sum(), x, allow_unused=True)
    return torch.zeros_like(x) if gradient is None else gradient


def _stochastic_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    w = torch.cat([torch.tensor([-3.0, -1.0, 0.0, 1.0, 2.0]), 1.6 * drawn_uniformly(rng, 4, low=0.1) - 0.8])
    return [{"w": w, "generator": Generator().manual_seed(seed)}]


def _observe_tosses(fn: Callable[..., Any], case: Case) -> Values:
    w, generator = case.values()
    x = w.detach().clone().requires_grad_()
    start = generator.get_state()
    found = flatten(fn(x.expand(TOSSES, -1), generator), "values that occur")
    tosses = found.get("values that occur")
    if not isinstance(tosses, Tensor) or tosses.shape != (TOSSES, len(w)):
        return found
    later = fn(x.expand(TOSSES, -1), generator)
    generator.set_state(start)
    again = fn(x.expand(TOSSES, -1), generator)
    values = tosses.detach().double()
    mean = values.mean(0)
    spread = (1 - mean**2).clamp_min(0).sqrt()
    centred = values - mean
    return {
        "values that occur": occurring(values),
        "mean of many tosses": mean,
        "error": spread / TOSSES**0.5,
        "two weights together": (centred.T @ centred / TOSSES).fill_diagonal_(0),
        "together error": torch.outer(spread, spread) / TOSSES**0.5,
        "gradient": _gradient(tosses, x, _upstream(x).to(x)) / TOSSES,
        "the same generator gives": repeated(tosses, again),
        "asked again, it gives": repeated(tosses, later),
    }


def _connect_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {"w": 0.6 * drawn(rng, 4, 5).clamp(-1.5, 1.5), "gradient": 3 * drawn(rng, 4, 5), "lr": 0.2},
        {"w": 0.3 * drawn(rng, 7), "gradient": drawn(rng, 7), "lr": 0.1},
    ]


EXERCISES = [
    Exercise(
        "proximal_step",
        cases=_step_cases,
        points=3,
        minutes=15,
        hints=(
            "Two moves, one after the other: a step downhill (with the slope of l2·w², too), then a shrinking.",
            "How far does the second move shrink? By lr·l1, and nobody beyond zero.",
            "u.sign() * (u.abs() - …).clamp_min(0)",
        ),
    ),
    Exercise(
        "prune_smallest",
        cases=_prune_cases,
        points=2,
        minutes=10,
        observe=_observe_keep,
        hints=(
            "How many are to go? Round, as Python's round does. Which ones? argsort knows.",
            "Work on saliency.flatten(), and give the mask its shape back at the end.",
        ),
    ),
    Exercise(
        "hessian_diagonal",
        cases=_hessian_cases,
        points=4,
        minutes=30,
        observe=_observe_hessian,
        hints=(
            "torch.autograd.grad(loss, parameters, create_graph=True) gives slopes that can be differentiated once more.",
            "Take one entry of a slope, differentiate it by its weight tensor, keep the entry at the same place. Then the next.",
            "Differentiating the sum of all slopes at once is quick and wrong: it adds up whole rows. A loop with "
            "retain_graph=True is fine here.",
        ),
    ),
    Exercise(
        "obd_saliency",
        cases=_saliency_cases,
        points=1,
        minutes=5,
        hints=("Deleting w moves it by −w. What does ½·h·(move)² become?",),
    ),
    Exercise(
        "cell_saliency",
        cases=_cell_cases,
        points=2,
        minutes=10,
        hints=(
            "First the saliency of every weight, then a sum.",
            "torch keeps w[j, i] for the weight that leads from cell i to cell j. Over which axis do you sum to stay with i?",
            "In a convolution (out, in, height, width) everything that belongs to one input channel is summed.",
        ),
    ),
    Exercise(
        "binarize_weights",
        cases=_weight_cases("w"),
        points=3,
        minutes=15,
        observe=_observe_gradient,
        hints=(
            "torch.where(w >= 0, 1.0, -1.0) has the right values, and no gradient at all.",
            "x.detach() has the value of x, and no gradient. x - x.detach() is zero, with the gradient of x.",
            "Add those two.",
        ),
    ),
    Exercise(
        "binaryconnect_step",
        cases=_connect_cases,
        points=1,
        minutes=5,
        hints=("A usual gradient step, then clamp. Which weight takes the step: the real one or its sign?",),
    ),
    Exercise(
        "stochastic_binarize",
        cases=_stochastic_cases,
        points=2,
        minutes=15,
        level="stretch",
        observe=_observe_tosses,
        compare={
            "values that occur": equal(),
            "mean of many tosses": within(10, error="error"),
            "two weights together": within(10, error="together error"),
            "gradient": equal(),
            "the same generator gives": equal(),
            "asked again, it gives": equal(),
        },
        hints=(
            "A coin with probability p: torch.rand(…, generator=generator) < p.",
            "p is the hard sigmoid, ((w + 1) / 2).clamp(0, 1): 0 at −1, ½ at 0, 1 at +1.",
            "Make −1 and +1 of it, and let the gradient through as in binarize_weights.",
        ),
    ),
    Exercise(
        "binary_activation",
        cases=_weight_cases("x"),
        points=2,
        minutes=10,
        observe=_observe_gradient,
        hints=(
            "Forward as in binarize_weights. Backward, the gradient must end where |x| > 1.",
            "Which function has slope 1 inside [−1, 1] and slope 0 outside? Use it in place of x.",
        ),
    ),
    Exercise(
        "scaled_binary",
        cases=_scaled_cases,
        points=2,
        minutes=15,
        observe=_observe_gradient,
        hints=(
            "One α for each cell: w.abs().mean over all axes but the first, with keepdim=True.",
            "The gradient passes straight through, as if scaled_binary had done nothing: α gets none of its own.",
        ),
    ),
]
