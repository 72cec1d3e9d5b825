"""Sensitivity analysis, and what derives from it: explanations made of gradients.

``model`` maps a batch to scores (batch, classes); ``target`` is a class for all rows, a class per row, or None
for the class that the model predicts. An explanation has the shape of ``x``: one relevance R_i per input x_i.
Explaining happens in evaluation mode, and the model is left as it was found. Every function asks for one gradient of
one batch at a time; ``solutions.batched`` has the same explanations with many gradients at a time.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from solutions.filters import evaluation_mode

Model = Callable[[Tensor], Tensor]
Target = Int[Tensor, " batch"] | int | None


def target_score(f: Float[Tensor, "batch classes"], target: Target = None) -> Float[Tensor, " batch"]:
    """The score of each row's target class, out of the scores of all classes.

    f: scores, one column per class. target: a class for all rows, one class per row, or None for the class with
    the highest score in each row. Raises ValueError for anything else.
    """
    return f.gather(1, target_class(f, target).unsqueeze(1)).squeeze(1)


def target_class(f: Float[Tensor, "batch classes"], target: Target = None) -> Int[Tensor, " batch"]:
    """The class of each row that is to be explained, as ``target_score`` takes it; raises what it raises."""
    if f.ndim != 2:
        raise ValueError(f"The model must return scores (batch, classes); it returned {tuple(f.shape)}.")
    if target is None:
        return f.argmax(dim=1)
    rows, classes = f.shape
    target = _of_each_row(target, rows)
    wanted = target.tolist()
    if wanted and not 0 <= min(wanted) <= max(wanted) < classes:
        raise ValueError(f"There is no such class: the model knows the classes 0 to {classes - 1}.")
    return target.to(f.device, torch.long)


def one_hot(f: Float[Tensor, "batch classes"], target: Target = None) -> Float[Tensor, "batch classes"]:
    """Where a backward pass starts that explains the target class: 1 at its score, 0 at all others."""
    return torch.zeros_like(f).scatter_(1, target_class(f, target).unsqueeze(1), 1)


def input_gradient(
    model: Model, x: Float[Tensor, "batch *features"], target: Target = None
) -> Float[Tensor, "batch *features"]:
    """How the score of the target class changes when one input changes a little.

    ∂f/∂x_i for every input of every row,  f = the score (logit) of that row's target class

    target: a class for all rows, one class per row, or None for the class that the model predicts.
    The model comes back as it was: gradients of its weights, training mode and hooks.
    Source: Simonyan, Vedaldi & Zisserman (2014), Deep inside convolutional networks, section 3.
    """
    x = x.detach().requires_grad_()
    with torch.enable_grad(), evaluation_mode(model):
        f = model(x.clone())  # a copy: the first layer may work in place
        slope = torch.autograd.grad(f, x, one_hot(f, target), allow_unused=True)[0]
    return torch.zeros_like(x) if slope is None else slope  # None: nothing depends on x


def sensitivity(
    model: Model, x: Float[Tensor, "batch *features"], target: Target = None
) -> Float[Tensor, "batch *features"]:
    """How strongly the score reacts to each input, whichever way.

    R_i = (∂f/∂x_i)²,  so that Σ_i R_i = ‖∇f‖²

    Source: Montavon, Samek & Müller (2018), Methods for interpreting deep neural networks, section 4.1.
    """
    return input_gradient(model, x, target) ** 2


def saliency(
    model: Model, x: Float[Tensor, "batch *features"], target: Target = None
) -> Float[Tensor, "batch *features"]:
    """How strongly the score reacts to each input, in score per unit of the input.

    R_i = |∂f/∂x_i|

    One number per input, so a colour picture gets three per pixel. (The paper shows the largest of the three.)
    Source: Simonyan, Vedaldi & Zisserman (2014), Deep inside convolutional networks, section 3.1.
    """
    return input_gradient(model, x, target).abs()


def gradient_times_input(
    model: Model, x: Float[Tensor, "batch *features"], target: Target = None
) -> Float[Tensor, "batch *features"]:
    """What each input adds to the score, if the model were linear with the slope it has here.

    R_i = x_i · ∂f/∂x_i

    Unit: that of the score. For a linear model, and for ReLU networks without biases, Σ_i R_i = f(x).
    Source: Shrikumar et al. (2016), Not just a black box: learning important features.
    """
    return x.detach() * input_gradient(model, x, target)


def smooth_grad(
    model: Model,
    x: Float[Tensor, "batch *features"],
    target: Target,
    sigma: float,
    samples: int,
    generator: torch.Generator,
) -> Float[Tensor, "batch *features"]:
    """The gradient with its noise averaged out: its mean over slightly disturbed copies of x.

    R = 1/samples Σ_s ∇f(x + ε_s),  every entry of ε_s drawn from a normal distribution with deviation sigma

    sigma: in units of x. target None: the class predicted for x itself, the same for all its copies.
    generator: where all randomness comes from. Raises ValueError without samples, or for a negative sigma.
    Source: Smilkov et al. (2017), SmoothGrad: removing noise by adding noise.
    """
    if samples < 1 or sigma < 0:
        raise ValueError(f"SmoothGrad needs samples ≥ 1 and sigma ≥ 0, not {samples} and {sigma}.")
    target = _predicted(model, x) if target is None else target
    total = torch.zeros_like(x)
    for _ in range(samples):
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=generator.device)
        total += input_gradient(model, x + sigma * noise.to(x.device), target)
    return total / samples


def integrated_gradients(
    model: Model,
    x: Float[Tensor, "batch *features"],
    target: Target = None,
    baseline: Tensor | float = 0.0,
    steps: int = 64,
) -> Float[Tensor, "batch *features"]:
    """What each input adds to the score on the straight way from a baseline, "nothing to see", to x.

    R_i = (x_i − b_i) · ∫₀¹ ∂f/∂x_i (b + α (x − b)) dα,  so that Σ_i R_i = f(x) − f(b)  (completeness)

    baseline b: a number, or a tensor that fits the shape of x. The integral is a mean over the midpoints
    α = (k + ½) / steps, k = 0 … steps − 1. target None: the class predicted for x, all along the way.
    Raises ValueError for steps < 1.
    Source: Sundararajan, Taly & Yan (2017), Axiomatic attribution for deep networks, eq. 1 and 3.
    """
    if steps < 1:
        raise ValueError(f"The way from baseline to x needs at least one step, not {steps}.")
    target = _predicted(model, x) if target is None else target
    way = x.detach() - baseline
    total = torch.zeros_like(way)
    for k in range(steps):
        alpha = (k + 0.5) / steps
        total += input_gradient(model, baseline + alpha * way, target)
    return way * total / steps


def contrast(model: Model, target: int, other: int) -> Model:
    """A model with one single score: how much more it looks like the target class than like the other.

    g(x) = f_target(x) − f_other(x),  of shape (batch, 1)

    Explaining g answers "why this class rather than that one?", with any method of this chapter.
    """

    def advantage(x: Tensor) -> Tensor:
        f = model(x)
        return f[:, [target]] - f[:, [other]]

    return advantage


def deletion_curve(
    model: Model,
    x: Float[Tensor, "batch *features"],
    relevance: Float[Tensor, "batch *features"],
    target: Int[Tensor, " batch"],
    steps: int,
) -> Float[Tensor, "batch steps+1"]:
    """How fast the score falls when inputs are set to 0, the most relevant first.

    c_k = f(x without its ⌊k/steps · d⌉ most relevant inputs),  k = 0 … steps,  d = inputs per row

    Column 0 is the score of x itself, the last column the score of zeros. Among equally relevant inputs, the
    one that comes first is deleted first.
    Source: Samek et al. (2017), Evaluating the visualization of what a deep neural network has learned.
    """
    order = relevance.flatten(1).argsort(dim=1, descending=True, stable=True)
    rank = order.argsort(dim=1).view_as(x)
    inputs = x[0].numel()
    curve = []
    with torch.no_grad(), evaluation_mode(model):
        for k in range(steps + 1):
            kept = x * (rank >= round(k / steps * inputs))
            curve.append(target_score(model(kept), target))
    return torch.stack(curve, dim=1)


def _predicted(model: Model, x: Float[Tensor, "batch *features"]) -> Int[Tensor, " batch"]:
    """The class that the model predicts for each row."""
    with torch.no_grad(), evaluation_mode(model):
        return model(x.clone()).argmax(dim=1)


def _of_each_row(target: Int[Tensor, " batch"] | int, rows: int) -> Int[Tensor, " batch"]:
    """One class per row, whichever way they were given."""
    target = target if isinstance(target, Tensor) else torch.as_tensor(target)
    target = target if target.ndim else target.expand(rows)
    if target.shape != (rows,) or target.is_floating_point():
        raise ValueError(f"target must be one class, or one class for each of the {rows} rows.")
    return target
