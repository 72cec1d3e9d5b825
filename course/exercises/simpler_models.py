"""Chapter 8: smaller and coarser networks that say the same."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from course.exercises.random_arguments import drawn, drawn_uniformly
from course.judging.exercise import Case, Exercise, Values, equal, flatten, occurring, repeated, within

TOSSES = 30_000  # per weight, for the stochastic signs


def _sizes(rng: np.random.Generator, count: int, low: int = 2, high: int = 7) -> list[int]:
    """So many sizes from low to high, no two of them alike."""
    return [low + int(size) for size in rng.permutation(high - low + 1)[:count]]


# pruning


def _step_cases(seed: int) -> list[Case]:
    """Penalties together, each alone, and left out; some weights that rest on zero, and have no reason to leave."""
    rng = np.random.default_rng(seed)
    lr, l1, l2 = rng.uniform(0.1, 0.3), rng.uniform(1.2, 2.0), rng.uniform(0.4, 0.8)
    penalties: list[dict[str, float]] = [
        {"l1": l1, "l2": l2},
        {"l1": l1, "l2": 0.0},
        {"l1": 0.0, "l2": l2},
        {},
    ]
    cases: list[Case] = []
    for axes, penalty in zip((2, 1, 3, 2), penalties, strict=True):
        shape = _sizes(rng, axes, low=4, high=8)
        w, gradient = 0.5 * drawn(rng, *shape), drawn(rng, *shape)
        w[..., 0] = gradient[..., 0] = 0.0
        w[..., 1] += 2.0  # so large that it stays on its side
        w[..., 2], gradient[..., 2] = 0.05, 3.0  # crosses zero
        w[..., 3], gradient[..., 3] = 0.02, 0.01  # would cross it only by shrinking
        cases.append({"w": w, "gradient": gradient, "lr": lr, **penalty})
    return cases


def _prune_cases(seed: int) -> list[Case]:
    """Shares that are clearly to be rounded up, clearly to be rounded down, and the two ends."""
    rng = np.random.default_rng(seed)
    rows, columns, long = *_sizes(rng, 2, low=4), int(rng.integers(13, 20))
    up, down = int(rng.integers(2, rows * columns // 2 - 1)), long - int(rng.integers(3, 5))
    some = int(rng.integers(2, 5))
    saliency = drawn_uniformly(rng, rows, columns, low=0.1)
    saliency[0] *= 0.3
    signed = 30 * drawn(rng, long)
    signed[0], signed[-1] = -95.0, 0.3
    often_zero = drawn(rng, 2, columns, 3).clamp_min(0)
    often_zero[:, :2] = 0.0
    return [
        {"saliency": saliency.double(), "fraction": (up - 0.35) / saliency.numel()},
        {"saliency": signed, "fraction": (down + 0.3) / long},
        {"saliency": often_zero, "fraction": some / often_zero.numel()},
        {"saliency": drawn(rng, rows), "fraction": 0.0},
        {"saliency": drawn(rng, columns), "fraction": 1.0},
        {"saliency": drawn(rng, rows), "fraction": -0.05},
        {"saliency": drawn(rng, columns), "fraction": 1.05},
    ]


def _observe_keep(fn: Callable[..., Any], case: Case) -> Values:
    """The mask, and how many stay. Which ones of equal saliencies go is left open: sort, argsort and topk differ there."""
    found, saliency = flatten(fn(*case.values())), case["saliency"]
    keep = found.get("")
    if not isinstance(keep, Tensor) or keep.shape != saliency.shape:
        return found
    tied = (saliency.flatten().unsqueeze(1) == saliency.flatten()).sum(1).view(saliency.shape) > 1
    return {"": keep.masked_fill(tied.to(keep.device), 0), "number that stays": keep.double().sum()}


def _hessian_cases(seed: int) -> list[Case]:
    """A small tanh network; "loss" holds its data, because the loss itself must hang on the parameters (see observe)."""
    rng = np.random.default_rng(seed)
    cases: list[Case] = []
    for shape in ((), (1,), (2,)):
        inputs, cells, classes, rows, more = _sizes(rng, 5)
        data = (drawn(rng, rows, inputs), torch.from_numpy(rng.integers(0, classes, rows)), shape)
        matrices = [0.8 * drawn(rng, cells, inputs), 0.8 * drawn(rng, classes, cells)]
        cases.append({"loss": data, "parameters": [*matrices, drawn(rng, cells), drawn(rng, more)]})
    points, labels, shape = cases[-1]["loss"]
    cases[-1] = {
        "loss": (points.double(), labels, shape),
        "parameters": [parameter.double() for parameter in cases[-1]["parameters"]],
    }
    return cases


def _observe_hessian(fn: Callable[..., Any], case: Case) -> Values:
    """Of four parameters the loss is curved along two. Along the third its slope hangs on the others, along the last on nothing.

    What was in .grad before, as after a training step, must be there afterwards.
    """
    x, labels, shape = case["loss"]
    parameters = [w.detach().clone().requires_grad_() for w in case["parameters"]]
    hidden, output, straight, constant = parameters
    for w in parameters:
        w.grad = torch.full_like(w, 0.5)
    cells = torch.tanh(x @ hidden.T)
    loss = F.cross_entropy(cells @ output.T, labels) + hidden.sin().sum()
    loss = loss + (cells @ straight).mean() + (constant * torch.arange(len(constant))).sum()
    diagonal = fn(loss.expand(shape) if shape != (2,) else loss * torch.ones(2), parameters)
    untouched = all(w.grad is not None and bool((w.grad == 0.5).all()) for w in parameters)
    return {**flatten(diagonal), "gradients left alone": torch.tensor(float(untouched))}


def _saliency_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    rows, columns, long, kernel = _sizes(rng, 4)
    return [
        {"w": drawn(rng, rows, columns), "h": drawn_uniformly(rng, rows, columns, low=0.1)},
        {
            "w": 3 * drawn(rng, long).double(),
            "h": (0.2 + drawn(rng, long).abs().double()) * (-1.0) ** torch.arange(long),
        },
        {
            "w": drawn(rng, columns, rows, kernel, 1),
            "h": drawn_uniformly(rng, columns, rows, kernel, 1, low=0.1),
        },
    ]


def _cell_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    following, cells, height, width = _sizes(rng, 4)
    shapes = [(following, cells), (following, cells, height, width), (cells, following, width), (1, cells)]
    return [{"w": drawn(rng, *shape), "h": drawn_uniformly(rng, *shape, low=0.1)} for shape in shapes]


# binarization: the value, and the gradient at fixed points


def _weight_cases(
    parameter: str, edges: tuple[float, ...] = (0.0, 0.0, 2.3, -1.7)
) -> Callable[[int], list[Case]]:
    """Matrices, rows and, as the chapter has them, single numbers; with zeros, and numbers beyond ±1."""

    def cases(seed: int) -> list[Case]:
        rng = np.random.default_rng(seed)
        rows, columns, long = _sizes(rng, 3, low=3)
        shapes = [(rows, columns), (2, long, rows), (long + 4,)]
        return [{parameter: _with(edges, rng, *shape)} for shape in shapes] + [
            {parameter: 0.3 * drawn(rng) - 0.5}
        ]

    return cases


def _with(some: tuple[float, ...], rng: np.random.Generator, *shape: int) -> Tensor:
    """Random numbers, some of which are replaced by these."""
    w = 1.2 * drawn(rng, *shape)
    places = torch.from_numpy(rng.permutation(w.numel())[: len(some)])
    w.view(-1)[places] = torch.tensor(some)
    return w


def _scaled_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    cells, incoming, height, width = _sizes(rng, 4, low=3)
    loud = torch.from_numpy(rng.permutation(cells)).view(-1, 1, 1, 1) + 0.2
    return [
        {"w": _with((0.0, 0.0), rng, cells, incoming)},
        {"w": (loud * drawn(rng, cells, 2, height, width)).float()},
        {"w": _with((0.0, 0.0), rng, 1, incoming + height)},
        {"w": drawn(rng, width)},
        {"w": drawn(rng)},
    ]


def _upstream(like: Tensor) -> Tensor:
    """A gradient that comes back from above, different at every place."""
    return torch.linspace(-1.5, 2.0, like.numel()).view(like.shape)


def _observe_gradient(fn: Callable[..., Any], case: Case) -> Values:
    """What comes out, what arrives at the input when a gradient comes back, and whether the input is still itself.

    The chapter also asks where nothing is learned: then the values are all there is.
    """
    ((name, first),) = case.items()
    x = first.detach().clone().requires_grad_()
    found = flatten(fn(x))
    value = found.get("")
    if not isinstance(value, Tensor):
        return found
    gradient = _gradient(value, x, _upstream(x).to(x)) if value.shape == x.shape else torch.zeros_like(x)
    with torch.no_grad():
        plain = flatten(fn(first), "without gradients")
    return {"": value.detach(), "gradient": gradient, f"{name} afterwards": x.detach(), **plain}


def _gradient(value: Tensor, x: Tensor, upstream: Tensor) -> Tensor:
    """Zeros where nothing is attached."""
    if not value.requires_grad:
        return torch.zeros_like(x)
    (gradient,) = torch.autograd.grad((value * upstream).sum(), x, allow_unused=True)
    return torch.zeros_like(x) if gradient is None else gradient


def _stochastic_cases(seed: int) -> list[Case]:
    """Weights that are certain, one that is an even coin, and some between, different ones each time."""
    rng = np.random.default_rng(seed)
    rows, columns = _sizes(rng, 2)
    certain = torch.tensor([-3.0, -1.0, 0.0, 1.0, 2.0])
    row = torch.cat(
        [certain, *(sign * drawn_uniformly(rng, 1 + rows, low=0.2, high=0.8) for sign in (1, -1))]
    )
    block = 0.8 * drawn_uniformly(rng, 2, columns, low=-1)
    block[0, 0], block[1, 0] = 0.5, -0.6
    return [
        {"w": row[torch.from_numpy(rng.permutation(len(row)))], "generator": Generator().manual_seed(seed)},
        {"w": block, "generator": Generator().manual_seed(seed + 1)},
    ]


def _observe_tosses(fn: Callable[..., Any], case: Case) -> Values:
    w, generator = case.values()
    x = w.detach().clone().requires_grad_()
    many = x.expand(TOSSES, *w.shape)
    start = generator.get_state()
    found = flatten(fn(many, generator), "values that occur")
    tosses = found.get("values that occur")
    if not isinstance(tosses, Tensor) or tosses.shape != many.shape:
        return found
    later = fn(many, generator)
    generator.set_state(start)
    again = fn(many, generator)
    values = tosses.detach().double().flatten(1)
    mean = values.mean(0)
    spread = (1 - mean**2).clamp_min(0).sqrt()
    centred = values - mean
    return {
        "values that occur": occurring(values),
        "mean of many tosses": mean.view_as(w),
        "error": (spread / TOSSES**0.5).view_as(w),
        "two weights together": (centred.T @ centred / TOSSES).fill_diagonal_(0),
        "together error": torch.outer(spread, spread) / TOSSES**0.5,
        "gradient": _gradient(tosses, x, _upstream(x).to(x)) / TOSSES,
        "the same generator gives": repeated(tosses, again),
        "asked again, it gives": repeated(tosses, later),
    }


def _connect_cases(seed: int) -> list[Case]:
    """Steps that lead out of [−1, 1]; a weight that starts outside; a single number, as the chapter has it."""
    rng = np.random.default_rng(seed)
    rows, columns, long = _sizes(rng, 3, low=3)
    lr = float(rng.uniform(0.1, 0.3))
    outside = 1.5 * drawn(rng, long + 3)
    outside[:2] = torch.tensor([1.0, -1.0])
    outside[2], inwards = 1.6, 0.5 * drawn(rng, long + 3)
    inwards[2] = 4.0
    return [
        {
            "w": 0.9 * drawn_uniformly(rng, rows, columns, low=-1),
            "gradient": 5 * drawn(rng, rows, columns),
            "lr": lr,
        },
        {"w": outside, "gradient": inwards, "lr": lr / 2},
        {"w": drawn_uniformly(rng, low=-0.5, high=0.5), "gradient": drawn(rng), "lr": 0.06},
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
        dtype=True,
        hints=(
            "How many are to go? Round, as Python's round does. Which ones? argsort knows.",
            "Work on saliency.flatten(), and give the mask its shape back at the end.",
            "A mask that is all True to begin with: torch.ones(n, dtype=torch.bool).",
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
            "retain_graph=True is fine here. Where the loss is straight there is nothing to differentiate: look at "
            "slope.requires_grad, and ask with allow_unused=True.",
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
        cases=_weight_cases("w", (0.0, 0.0, 1.0, -1.0, 2.3, -1.7)),
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
        minutes=12,
        level="stretch",
        observe=_observe_tosses,
        compare={
            "values that occur": equal(),
            "mean of many tosses": within(14, error="error"),
            "two weights together": within(14, error="together error"),
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
        minutes=12,
        observe=_observe_gradient,
        hints=(
            "One α for each cell: w.abs().mean over all axes but the first, with keepdim=True.",
            "The gradient passes straight through, as if scaled_binary had done nothing: α gets none of its own.",
        ),
    ),
]
