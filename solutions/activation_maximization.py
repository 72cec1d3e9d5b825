"""Activation maximization: the image that a class or a neuron likes best, plain and with a learned prior.

An *objective* f maps a batch of images to one number per image; every row climbs its own.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from solutions.filters import evaluation_mode, feature_maps

Objective = Callable[[Tensor], Tensor]


def class_objective(
    model: nn.Module, target: int | Int[Tensor, " batch"] | None
) -> Callable[[Tensor], Tensor]:
    """How sure the model is that an image shows one class, as a function f to climb.

    f(x) = log p(target | x), p being the softmax of the model's logits: one number per image, never above 0, and
    exact also where p is so small that it rounds to 0.

    model: maps images (batch, …) to logits (batch, classes); looked at in evaluation mode, left as it was.
    target: one class for all images, one per image, or None for the class that the model sees in each image.
    Source: Simonyan, Vedaldi & Zisserman (2014), sec. 2, climb the logit; the lecture climbs log p.
    """

    def objective(x: Float[Tensor, "batch *image"]) -> Float[Tensor, " batch"]:
        with evaluation_mode(model):
            log_p = F.log_softmax(model(x), dim=1)
        wanted = log_p.argmax(dim=1) if target is None else torch.as_tensor(target, device=log_p.device)
        return log_p.gather(1, wanted.expand(len(log_p)).unsqueeze(1)).squeeze(1)

    return objective


def unit_objective(model: nn.Module, layer: str, unit: int) -> Callable[[Tensor], Tensor]:
    """How strongly one hidden neuron, or one whole map, responds to an image, as a function f to climb.

    f(x) = a_unit(x) for a neuron, the mean of a_unit(x) over rows and columns for a map: one number per image.

    model: any module; looked at in evaluation mode, left as it was.
    layer: a name from ``model.named_modules()``. unit: the neuron's or the map's number.
    Raises ValueError when the layer has no such unit.
    A layer before its ReLU is the better choice: a silent ReLU has no slope to climb.
    Source: Erhan, Bengio, Courville & Vincent (2009) for a neuron; Olah, Mordvintsev & Schubert (2017) for a map.
    """

    def objective(x: Float[Tensor, "batch *image"]) -> Float[Tensor, " batch"]:
        maps = feature_maps(model, layer, x)
        if not 0 <= unit < maps.shape[1]:
            raise ValueError(f"Layer {layer!r} has the units 0 … {maps.shape[1] - 1}, not {unit}.")
        return maps[:, unit].reshape(len(x), -1).mean(dim=1)

    return objective


def penalized(objective: Callable[[Tensor], Tensor], penalty: float) -> Callable[[Tensor], Tensor]:
    """An objective that also asks for a small input.

    f(x) − λ‖x‖², with ‖x‖² the sum of all squared entries of one image: one number per image.

    penalty: λ ≥ 0; 0 leaves the objective as it is.
    Source: Simonyan, Vedaldi & Zisserman (2014), eq. 1.
    """
    return lambda x: objective(x) - penalty * x.flatten(1).square().sum(dim=1)


def maximize_activation(
    objective: Callable[[Tensor], Tensor],
    start: Float[Tensor, "batch *shape"],
    steps: int,
    lr: float,
    penalty: float = 0.0,
) -> Float[Tensor, "batch *shape"]:
    """Climb: change the input, not the network, until the objective is as large as it gets.

    x ← x + η ∇ₓ( f(x) − λ‖x‖² ), ``steps`` times; each row of the batch climbs its own objective.

    objective: f, one number per row. start: the first x, left unchanged. lr: η. penalty: λ ≥ 0.
    Returns the last x (for 0 steps: the first), without history; no parameter of the network receives a gradient.
    Raises ValueError when f is flat at the start of some row (a silent ReLU): no number of steps would help.
    Source: Erhan, Bengio, Courville & Vincent (2009), "Visualizing higher-layer features of a deep network".
    """
    climb = penalized(objective, penalty)
    x = start.clone()
    for step in range(steps):
        x = x.detach().requires_grad_()
        if step == 0:
            _refuse_flat(objective, x)
        (gradient,) = torch.autograd.grad(climb(x).sum(), x)
        x = x + lr * gradient
    return x.detach()


def _refuse_flat(objective: Objective, x: Tensor) -> None:
    value, gradient = objective(x).sum(), torch.zeros_like(x)
    if value.requires_grad:  # or it does not depend on x at all
        (gradient,) = torch.autograd.grad(value, x, materialize_grads=True)
    flat = (gradient.flatten(1) == 0).all(dim=1).nonzero().flatten().tolist()
    if flat:
        raise ValueError(
            f"The objective is flat at the start of rows {flat}: is a ReLU silent there? "
            "Start elsewhere, or climb the layer before the ReLU."
        )


def total_variation(x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, " batch"]:
    """How restless an image is: small for smooth strokes, large for noise.

    TV(x) = Σ |x(i+1, j) − x(i, j)| + Σ |x(i, j+1) − x(i, j)|, over all neighbours inside the image and all
    channels: one number per image. It is a price to climb with, so gradients flow through.

    Source: Rudin, Osher & Fatemi (1992), in its anisotropic form; as a prior Mahendran & Vedaldi (2015).
    """
    down = (x[:, :, 1:] - x[:, :, :-1]).abs()
    right = (x[..., 1:] - x[..., :-1]).abs()
    return down.sum(dim=(1, 2, 3)) + right.sum(dim=(1, 2, 3))


def gaussian_blur(
    x: Float[Tensor, "batch channels height width"], sigma: float
) -> Float[Tensor, "batch channels height width"]:
    """Every pixel becomes the mean of its neighbourhood, weighed by a bell of width ``sigma`` pixels.

    The image's edge is continued outwards. Keeps the shape; one pass along the rows, one along the columns.
    """
    if sigma <= 0:
        raise ValueError(
            f"sigma is {sigma}; the bell needs a width above 0. Leave the image as it is for no blur."
        )
    reach = max(1, round(3 * sigma))
    distance = torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device)
    bell = (-(distance**2) / (2 * sigma**2)).exp()
    bell = (bell / bell.sum()).expand(x.shape[1], 1, 1, -1)
    padded = F.pad(x, (reach,) * 4, mode="replicate")
    across = F.conv2d(padded, bell, groups=x.shape[1])
    return F.conv2d(across, bell.transpose(2, 3), groups=x.shape[1])


def jitter(
    x: Float[Tensor, "batch channels height width"], pixels: int, generator: torch.Generator
) -> Float[Tensor, "batch channels height width"]:
    """Move each image by its own random −pixels … pixels in both directions.

    What leaves on one side comes back on the other. The moves are drawn from ``generator``, on the CPU.
    """
    moves = torch.randint(-pixels, pixels + 1, (len(x), 2), generator=generator).tolist()
    return torch.stack([image.roll(tuple(move), dims=(1, 2)) for image, move in zip(x, moves, strict=True)])


def discriminator_loss(
    real_logits: Float[Tensor, "batch *rest"], fake_logits: Float[Tensor, "batch *rest"]
) -> Float[Tensor, ""]:
    """What the discriminator minimizes: to say "real" of real images and "drawn" of the generator's.

    L_D = − mean log D(x) − mean log(1 − D(g(z))),   D = σ(logit) = 1 / (1 + e^(−logit))

    real_logits, fake_logits: the discriminator's logits for real and for drawn images. Exact also for logits of
    some hundreds, where σ rounds to 0 or 1. Returns one number; gradients flow through.
    Source: Goodfellow et al. (2014), eq. 1, with its sign turned for minimizing.
    """
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def generator_loss(fake_logits: Float[Tensor, "batch *rest"]) -> Float[Tensor, ""]:
    """What the generator minimizes: not to be found out. This form still teaches while it is found out each time.

    L_G = − mean log D(g(z)),   D = σ(logit) = 1 / (1 + e^(−logit))

    fake_logits: the discriminator's logits for drawn images. Exact also for logits of some hundreds.
    Returns one number; gradients flow through.
    Source: Goodfellow et al. (2014), end of sec. 3.
    """
    return F.softplus(-fake_logits).mean()


def maximize_latent(
    objective: Callable[[Tensor], Tensor],
    generator: Callable[[Tensor], Tensor],
    start: Float[Tensor, "batch latent"],
    steps: int,
    lr: float,
    penalty: float,
) -> tuple[Float[Tensor, "batch latent"], Float[Tensor, "batch *image"]]:
    """Climb among the images that a generator can draw: its inputs move, its images are judged.

    ẑ = argmax_z  f(g(z)) − λ‖z‖²  by gradient ascent from ``start``,   x̂ = g(ẑ)

    objective: f, one number per image. generator: g, from latents to images; put it in evaluation mode first.
    start: the first z, left unchanged. lr: the step size η. penalty: λ, on the latent, not on the image.
    Returns (ẑ, x̂), both without history; no parameter of either network receives a gradient.
    Source: Nguyen, Dosovitskiy, Yosinski, Brox & Clune (2016), "Synthesizing the preferred inputs for neurons".
    """
    z = maximize_activation(lambda z: objective(generator(z)), start, steps, lr, penalty)
    with torch.no_grad():
        return z, generator(z)
