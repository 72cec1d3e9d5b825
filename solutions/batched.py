"""Many gradients at a time: the same answers as the plain functions, in fewer and larger calls of the model.

A function here says what the one that it is named after says, which is the one to read. It sends several copies of a
batch through the model together: quicker on small batches and on a GPU. So the model must take batches of any size,
whose rows do not influence each other; a function that is made for one batch wants the plain version.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from solutions.filters import evaluation_mode
from solutions.sensitivity import Model, Target, input_gradient, target_class

# Numbers that go through the model together. More of them are slower on a CPU: their memory has to be fetched anew.
AT_ONCE = 1 << 16


def smooth_grad_batched(
    model: Model,
    x: Float[Tensor, "batch *features"],
    target: Target,
    sigma: float,
    samples: int,
    generator: torch.Generator,
    at_once: int = AT_ONCE,
) -> Float[Tensor, "batch *features"]:
    """``sensitivity.smooth_grad`` with many disturbed copies of x at a time, disturbed by the same noise.

    at_once: how many numbers go through the model together; one copy of x at least.
    """
    if samples < 1 or sigma < 0:
        raise ValueError(f"SmoothGrad needs samples ≥ 1 and sigma ≥ 0, not {samples} and {sigma}.")
    target = _classes(model, x, target)
    total = torch.zeros_like(x)
    for some in torch.arange(samples).split(_copies(x, at_once)):
        noise = [
            torch.randn(x.shape, generator=generator, dtype=x.dtype, device=generator.device) for _ in some
        ]
        total += _gradients(model, x + sigma * torch.stack(noise).to(x.device), target).sum(dim=0)
    return total / samples


def integrated_gradients_batched(
    model: Model,
    x: Float[Tensor, "batch *features"],
    target: Target = None,
    baseline: Tensor | float = 0.0,
    steps: int = 64,
    at_once: int = AT_ONCE,
) -> Float[Tensor, "batch *features"]:
    """``sensitivity.integrated_gradients`` with many points of the way at a time.

    at_once: how many numbers go through the model together; one copy of x at least.
    """
    if steps < 1:
        raise ValueError(f"The way from baseline to x needs at least one step, not {steps}.")
    target = _classes(model, x, target)
    way = x.detach() - baseline
    total = torch.zeros_like(way)
    midpoints = ((torch.arange(steps, dtype=torch.float64) + 0.5) / steps).to(way)
    for alpha in midpoints.split(_copies(x, at_once)):
        points = baseline + alpha.view(-1, *[1] * x.ndim) * way
        total += _gradients(model, points, target).sum(dim=0)
    return way * total / steps


def _copies(x: Tensor, at_once: int) -> int:
    return max(1, at_once // max(1, x.numel()))


def _classes(model: Model, x: Tensor, target: Target) -> Int[Tensor, " batch"]:
    with torch.no_grad(), evaluation_mode(model):
        return target_class(model(x.clone()), target)


def _gradients(
    model: Model, x: Float[Tensor, "copies batch *features"], target: Int[Tensor, " batch"]
) -> Float[Tensor, "copies batch *features"]:
    """``input_gradient`` of several copies of a batch, as one batch."""
    return input_gradient(model, x.flatten(0, 1), target.repeat(len(x))).view_as(x)
