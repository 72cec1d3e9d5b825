"""Chapter 4, sensitivity: what people really write."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from solutions.sensitivity import Model, Target, input_gradient, target_score

# --- input_gradient


def leaves_gradients_in_the_weights(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """The relevance is right, but backward() has also written into .grad of every weight: whoever trains next starts
    with your explanation in it. Ask autograd for the derivative by x alone."""
    x = x.detach().clone().requires_grad_()
    target_score(model(x), target).sum().backward()
    assert x.grad is not None
    return x.grad


def explains_all_classes_at_once(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """This is the slope of the sum of all scores. Asked is one score per row: that of its target class."""
    return _slope(lambda f: f.sum(), model, x)


def explains_the_probability(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """A softmax came between: this is the slope of the probability, which is nearly flat wherever the model is sure.
    The score, before the softmax, is asked for."""
    return _slope(lambda f: target_score(f.softmax(1), target).sum(), model, x)


def explains_the_log_probability(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """A log-softmax came between, as in a training loss: it mixes all the other classes in. The score, before it, is
    asked for."""
    return _slope(lambda f: target_score(f.log_softmax(1), target).sum(), model, x)


def averages_over_the_batch(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """All values are too small, by the number of rows: the slope of the mean over the batch. A row's explanation must
    not depend on how many others are explained with it."""
    return _slope(lambda f: target_score(f, target).mean(), model, x)


def always_explains_the_winner(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """Whatever target says, this explains the class that the model predicts. Try asking why a 4 is a 9."""
    return _slope(lambda f: f.max(1).values.sum(), model, x)


def takes_all_targets_for_every_row(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """f[:, target] takes, with one class per row, the columns of all these classes for every row, and with None every
    column. Each row should be asked for its own class alone."""
    return _slope(lambda f: f[:, target].sum(), model, x)


def returns_the_tuple(model: nn.Module, x: Tensor, target: Target = None) -> tuple[Tensor]:
    """A tuple came back, with the right gradient inside: autograd.grad has one entry for every tensor that you ask about,
    also when that is only one."""
    return (input_gradient(model, x, target),)


def leaves_evaluation_mode_on(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """The relevance is right, but one model came in training mode and went home in evaluation mode: whoever trains on will
    do so without dropout, and wonder. The docstring says in which mode it comes back."""
    model.eval()
    return input_gradient(model, x, target)


def _slope(number: Callable[[Tensor], Tensor], model: Model, x: Tensor) -> Tensor:
    x = x.detach().clone().requires_grad_()
    return torch.autograd.grad(number(model(x)), x)[0]


# --- saliency


def saliency_with_sign(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """This is the gradient itself, with its sign. Saliency asks how strongly the score reacts, whichever way."""
    return input_gradient(model, x, target)


def saliency_squared(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """These are the squares: strong inputs look stronger than they are. Look at the bars around ∂f/∂x_i."""
    return input_gradient(model, x, target) ** 2


def saliency_up_to_one(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """Scaled so that the largest is 1. For a picture that is fine, but the unit, score per unit of x, is gone, and two
    images can no longer be compared."""
    relevance = input_gradient(model, x, target).abs()
    return relevance / relevance.max()


# --- sensitivity


def sensitivity_without_square(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """These are the absolute values. They do not sum to ‖∇f‖²: try it with a gradient of (3, 4)."""
    return input_gradient(model, x, target).abs()


def sensitivity_times_input(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """The input was multiplied in. Sensitivity looks at the slope only: it may be large where the input is zero."""
    return (x * input_gradient(model, x, target)) ** 2


def sensitivity_as_one_number(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """This is ‖∇f‖² of each row, one number. Asked is how it spreads over the inputs: one number per input."""
    return input_gradient(model, x, target).flatten(1).square().sum(1)


# --- gradient_times_input


def product_without_sign(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """The sign is lost, so that what speaks against the class seems to speak for it, and the sum is no longer a
    score."""
    return (x * input_gradient(model, x, target)).abs()


def product_with_saliency(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """The input was multiplied with |∂f/∂x_i|. Whether more of it is good or bad for the score sits in the sign of the
    gradient."""
    return x * input_gradient(model, x, target).abs()


def product_summed_up(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """The products were added up: that is (nearly) the score again. The explanation is how it spreads over the
    inputs."""
    return (x * input_gradient(model, x, target)).flatten(1).sum(1)


# --- contrast


def the_other_way_round(model: nn.Module, target: int, other: int) -> Model:
    """The sign is turned: this asks why it is the other class rather than the target."""
    return lambda x: model(x)[:, [other]] - model(x)[:, [target]]


def loses_the_class_axis(model: nn.Module, target: int, other: int) -> Model:
    """The values are right, but the axis of the classes is gone. Every model here returns (batch, classes), also when
    there is only one class."""
    return lambda x: model(x)[:, target] - model(x)[:, other]


def contrasts_probabilities(model: nn.Module, target: int, other: int) -> Model:
    """These are differences of probabilities, after a softmax; they depend on all the other classes too. Compare the
    scores."""
    return lambda x: model(x).softmax(1)[:, [target]] - model(x).softmax(1)[:, [other]]


def forgets_the_other(model: nn.Module, target: int, other: int) -> Model:
    """This is the score of the target class alone: it says why this class, not why rather this one than the other."""
    return lambda x: model(x)[:, [target]]


# --- smooth_grad


def draws_noise_once(
    model: Model, x: Tensor, target: Target, sigma: float, samples: int, generator: torch.Generator
) -> Tensor:
    """All samples got the same noise, so nothing is averaged out: every sample needs a draw of its own."""
    target = _at(model, x, target)
    return input_gradient(model, x + sigma * torch.randn(x.shape, generator=generator), target)


def adds_without_dividing(
    model: Model, x: Tensor, target: Target, sigma: float, samples: int, generator: torch.Generator
) -> Tensor:
    """The gradients were added up but not divided by their number: twice the samples would give twice the relevance."""
    return samples * _smooth(model, x, target, sigma, samples, generator)


def averages_sizes(
    model: Model, x: Tensor, target: Target, sigma: float, samples: int, generator: torch.Generator
) -> Tensor:
    """The sign went before the averaging, so that up and down no longer cancel: noise adds to the relevance instead of
    leaving it."""
    return _smooth(model, x, target, sigma, samples, generator, torch.abs)


def takes_sigma_for_the_variance(
    model: Model, x: Tensor, target: Target, sigma: float, samples: int, generator: torch.Generator
) -> Tensor:
    """The noise has the wrong strength: sigma is its standard deviation, not its variance. Which of them do you
    multiply a draw with deviation 1 by?"""
    return _smooth(model, x, target, sigma**0.5, samples, generator)


def draws_uniform_noise(
    model: Model, x: Tensor, target: Target, sigma: float, samples: int, generator: torch.Generator
) -> Tensor:
    """The noise is uniform between 0 and sigma: it makes every pixel darker, none lighter. Normal noise goes both ways:
    look at the name of the function that draws."""
    target = _at(model, x, target)
    draws = [x + sigma * torch.rand(x.shape, generator=generator) for _ in range(samples)]
    return torch.stack([input_gradient(model, draw, target) for draw in draws]).mean(0)


def chooses_a_class_for_every_copy(
    model: Model, x: Tensor, target: Target, sigma: float, samples: int, generator: torch.Generator
) -> Tensor:
    """With target None, every disturbed copy explained the class that wins there, so different questions were averaged.
    Decide once, at x itself."""
    draws = [x + sigma * torch.randn(x.shape, generator=generator) for _ in range(samples)]
    return torch.stack([input_gradient(model, draw, target) for draw in draws]).mean(0)


def averages_the_noise_first(
    model: Model, x: Tensor, target: Target, sigma: float, samples: int, generator: torch.Generator
) -> Tensor:
    """Here the disturbed images were averaged, and one gradient taken: the noise is gone before the model has seen it.
    First the gradients, then the mean."""
    noise = torch.randn((samples, *x.shape), generator=generator).mean(0)
    return input_gradient(model, x + sigma * noise, _at(model, x, target))


def ignores_the_generator(
    model: Model, x: Tensor, target: Target, sigma: float, samples: int, generator: torch.Generator
) -> Tensor:
    """The noise did not come from the generator, so nobody can repeat your result, not even you. torch's draws take it
    as an argument."""
    with torch.random.fork_rng():
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
        torch.randn(torch.seed() % 97)  # another start at every call, as global randomness has
        return _smooth(model, x, target, sigma, samples, None)


def seeds_for_itself(
    model: Model, x: Tensor, target: Target, sigma: float, samples: int, generator: torch.Generator
) -> Tensor:
    """Whichever generator comes in, your noise is the same: you seeded a source of your own. Draw from the generator;
    whoever calls decides on the seed."""
    return _smooth(model, x, target, sigma, samples, torch.Generator().manual_seed(42))


def one_noise_for_all_rows(
    model: Model, x: Tensor, target: Target, sigma: float, samples: int, generator: torch.Generator
) -> Tensor:
    """All rows of your batch got the same noise, so what remains of it goes up and down in all of them together. Every
    entry of ε is a draw of its own: give the noise the shape of x, not that of one row."""
    draws = [x + sigma * torch.randn(x.shape[1:], generator=generator) for _ in range(samples)]
    return torch.stack([input_gradient(model, draw, target) for draw in draws]).mean(0)


def _smooth(
    model: Model,
    x: Tensor,
    target: Target,
    sigma: float,
    samples: int,
    generator: torch.Generator | None,
    change: Callable[[Tensor], Tensor] = lambda gradient: gradient,
) -> Tensor:
    target = _at(model, x, target)
    draws = [x + sigma * torch.randn(x.shape, generator=generator) for _ in range(samples)]
    return torch.stack([change(input_gradient(model, draw, target)) for draw in draws]).mean(0)


def _at(model: Model, x: Tensor, target: Target) -> Target:
    """The class that wins at x itself, where none is given."""
    return model(x).argmax(1) if target is None else target


# --- integrated_gradients


def starts_at_the_baseline(
    model: Model, x: Tensor, target: Target = None, baseline: Tensor | float = 0.0, steps: int = 64
) -> Tensor:
    """The points start at the baseline itself, α = 0, and never reach x. Each step should be seen in its middle: that
    is more exact with the same number of gradients."""
    return (x - baseline) * _along(model, x, target, baseline, [k / steps for k in range(steps)])


def ends_at_the_image(
    model: Model, x: Tensor, target: Target = None, baseline: Tensor | float = 0.0, steps: int = 64
) -> Tensor:
    """The points are at the end of each step, α = 1 included: the way near the baseline counts too little. Each step
    should be seen in its middle."""
    return (x - baseline) * _along(model, x, target, baseline, [(k + 1) / steps for k in range(steps)])


def forgets_the_way(
    model: Model, x: Tensor, target: Target = None, baseline: Tensor | float = 0.0, steps: int = 64
) -> Tensor:
    """This is the mean gradient along the way: score per unit of x. It becomes a share of the score when multiplied by
    how far each input has gone."""
    return _along(model, x, target, baseline, _middles(steps))


def multiplies_by_x_itself(
    model: Model, x: Tensor, target: Target = None, baseline: Tensor | float = 0.0, steps: int = 64
) -> Tensor:
    """Multiplied by x. That is the way only if it starts at zero: with any other baseline the shares do not add up to
    f(x) − f(b)."""
    return x * _along(model, x, target, baseline, _middles(steps))


def always_starts_at_zero(
    model: Model, x: Tensor, target: Target = None, baseline: Tensor | float = 0.0, steps: int = 64
) -> Tensor:
    """The baseline plays no part: the points are α · x. The way should lead from b to x."""
    return (x - baseline) * _along(model, x, target, 0.0, _middles(steps))


def changes_the_class_on_the_way(
    model: Model, x: Tensor, target: Target = None, baseline: Tensor | float = 0.0, steps: int = 64
) -> Tensor:
    """With target None, every point of the way explained the class that wins there. Decide once, at x, and stay with
    it."""
    points = [baseline + alpha * (x - baseline) for alpha in _middles(steps)]
    return (x - baseline) * torch.stack([input_gradient(model, point, target) for point in points]).mean(0)


def _middles(steps: int) -> list[float]:
    return [(k + 0.5) / steps for k in range(steps)]


def _along(model: Model, x: Tensor, target: Target, baseline: Tensor | float, alphas: list[float]) -> Tensor:
    target = _at(model, x, target)
    points = [baseline + alpha * (x - baseline) for alpha in alphas]
    return torch.stack([input_gradient(model, point, target) for point in points]).mean(0)


# --- deletion_curve


def deletes_the_least_relevant(
    model: Model, x: Tensor, relevance: Tensor, target: Tensor, steps: int
) -> Tensor:
    """The least relevant inputs went first: sorting goes from small to large unless told otherwise."""
    return _delete(model, x, -relevance, target, steps)


def deletes_by_size(model: Model, x: Tensor, relevance: Tensor, target: Tensor, steps: int) -> Tensor:
    """Sorted by |R|, so that inputs that speak strongly against the class are deleted among the first. Negative
    relevance is the least, not the most."""
    return _delete(model, x, relevance.abs() + 1e-3 * relevance, target, steps)


def keeps_only_the_relevant(model: Model, x: Tensor, relevance: Tensor, target: Tensor, steps: int) -> Tensor:
    """It runs backwards: the image appears, the most relevant first. That is the insertion game; here the image
    vanishes."""
    rank = _rank(relevance)
    return _curve(model, x, [rank < round(k / steps * x[0].numel()) for k in range(steps + 1)], target)


def ranks_over_the_batch(model: Model, x: Tensor, relevance: Tensor, target: Tensor, steps: int) -> Tensor:
    """The inputs of all rows were sorted together, so that one row loses much and another nothing. Each row has a
    ranking of its own."""
    rank = _rank(relevance.reshape(1, *relevance.shape)).view_as(x) // len(x)
    return _curve(model, x, [rank >= round(k / steps * x[0].numel()) for k in range(steps + 1)], target)


def explains_with_order_as_rank(
    model: Model, x: Tensor, relevance: Tensor, target: Tensor, steps: int
) -> Tensor:
    """argsort says which input comes k-th; you used it as if it said which place an input has. One is the inverse of the
    other."""
    order = relevance.flatten(1).argsort(dim=1, descending=True, stable=True).view_as(x)
    return _curve(model, x, [order >= round(k / steps * x[0].numel()) for k in range(steps + 1)], target)


def _rank(relevance: Tensor) -> Tensor:
    order = relevance.flatten(1).argsort(dim=1, descending=True, stable=True)
    return order.argsort(1).view_as(relevance)


def _delete(model: Model, x: Tensor, relevance: Tensor, target: Tensor, steps: int) -> Tensor:
    rank = _rank(relevance)
    return _curve(model, x, [rank >= round(k / steps * x[0].numel()) for k in range(steps + 1)], target)


def _curve(model: Model, x: Tensor, kept: list[Tensor], target: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.stack([target_score(model(x * mask), target) for mask in kept], dim=1)


# --- right, but written differently


def gradient_row_by_row(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """One image at a time, in double precision, with the model's own chain of calls."""
    rows = []
    for i in range(len(x)):
        row = x[i : i + 1].detach().clone().requires_grad_()
        scores = model(row)[0]
        wanted = scores.argmax() if target is None else target if isinstance(target, int) else target[i]
        rows.append(torch.autograd.grad(scores[wanted], row)[0])
    return torch.cat(rows).double()


def gradient_by_weighted_scores(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """A one-hot vector as the upstream gradient."""
    x = x.detach().clone().requires_grad_()
    scores = model(x)
    wanted = scores.argmax(1) if target is None else torch.as_tensor(target).expand(len(x))
    one_hot = nn.functional.one_hot(wanted, scores.shape[1]).to(scores)
    return torch.autograd.grad(scores, x, grad_outputs=one_hot)[0]


def saliency_as_root(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """The root of the square."""
    return input_gradient(model, x, target).square().sqrt()


def sensitivity_as_product(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """The gradient times itself, in NumPy."""
    gradient = input_gradient(model, x, target).numpy()
    return gradient * gradient


def product_by_einsum(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """With an einsum that adds nothing up."""
    return torch.einsum("bchw,bchw->bchw", input_gradient(model, x, target), x)


class _Difference(nn.Module):
    def __init__(self, model: Model, target: int, other: int) -> None:
        super().__init__()
        self.model, self.target, self.other = model, target, other

    def forward(self, x: Tensor) -> Tensor:
        f = self.model(x)
        return (f[:, self.target] - f[:, self.other]).unsqueeze(1)


def contrast_as_module(model: nn.Module, target: int, other: int) -> Model:
    """A module instead of a function."""
    return _Difference(model, target, other)


def contrast_by_product(model: nn.Module, target: int, other: int) -> Model:
    """The scores times a column of +1 and −1."""

    def advantage(x: Tensor) -> Tensor:
        f = model(x)
        column = torch.zeros(f.shape[1], 1)
        column[target], column[other] = 1, -1
        return f @ column

    return advantage


def all_noise_at_once(
    model: Model, x: Tensor, target: Target, sigma: float, samples: int, generator: torch.Generator
) -> Tensor:
    """One big batch: other draws than one sample after the other, and just as right."""
    noise = sigma * torch.randn((*x.shape, samples), generator=generator)
    many = (x.unsqueeze(-1) + noise).movedim(-1, 0).flatten(0, 1)
    wanted = torch.as_tensor(_at(model, x, target)).expand(len(x)).repeat(samples)
    return input_gradient(model, many, wanted).unflatten(0, (samples, len(x))).mean(0)


def normal_noise(
    model: Model, x: Tensor, target: Target, sigma: float, samples: int, generator: torch.Generator
) -> Tensor:
    """With torch.normal, and a running mean."""
    target = _at(model, x, target)
    mean = torch.zeros_like(x)
    for s in range(samples):
        noisy = torch.normal(x, sigma, generator=generator)
        mean = mean + (input_gradient(model, noisy, target) - mean) / (s + 1)
    return mean


def noise_in_numpy(
    model: Model, x: Tensor, target: Target, sigma: float, samples: int, generator: torch.Generator
) -> np.ndarray:
    """Draws of its own, from a NumPy generator that the given one has seeded; and an array comes back."""
    rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
    target = _at(model, x, target)
    noisy = [x + torch.from_numpy(rng.normal(0, sigma, x.shape)).float() for _ in range(samples)]
    return np.mean([input_gradient(model, each, target).numpy() for each in noisy], axis=0)


def all_points_at_once(
    model: Model, x: Tensor, target: Target = None, baseline: Tensor | float = 0.0, steps: int = 64
) -> Tensor:
    """All points of the way as one batch."""
    wanted = torch.as_tensor(_at(model, x, target)).expand(len(x)).repeat(steps)
    alpha = ((torch.arange(steps) + 0.5) / steps).view(-1, *[1] * x.ndim)
    points = (baseline + alpha * (x - baseline)).flatten(0, 1)
    gradients = input_gradient(model, points, wanted).unflatten(0, (steps, len(x)))
    return (x - baseline) * gradients.mean(0)


def deletion_by_loops(model: Model, x: Tensor, relevance: Tensor, target: Tensor, steps: int) -> Tensor:
    """Row by row and pixel by pixel."""
    curves = []
    for row, scores, wanted in zip(x, relevance, target, strict=True):
        order = scores.flatten().sort(descending=True, stable=True).indices
        curve = []
        for k in range(steps + 1):
            left = row.flatten().clone()
            left[order[: round(k / steps * left.numel())]] = 0
            curve.append(model(left.view(1, *row.shape))[0, wanted])
        curves.append(torch.stack(curve))
    return torch.stack(curves).detach()


MISCONCEPTIONS = {
    "input_gradient": [
        leaves_gradients_in_the_weights,
        explains_all_classes_at_once,
        explains_the_probability,
        explains_the_log_probability,
        averages_over_the_batch,
        always_explains_the_winner,
        takes_all_targets_for_every_row,
        returns_the_tuple,
        leaves_evaluation_mode_on,
    ],
    "saliency": [saliency_with_sign, saliency_squared, saliency_up_to_one],
    "sensitivity": [sensitivity_without_square, sensitivity_times_input, sensitivity_as_one_number],
    "gradient_times_input": [product_without_sign, product_with_saliency, product_summed_up],
    "contrast": [the_other_way_round, loses_the_class_axis, contrasts_probabilities, forgets_the_other],
    "smooth_grad": [
        draws_noise_once,
        adds_without_dividing,
        averages_sizes,
        takes_sigma_for_the_variance,
        draws_uniform_noise,
        averages_the_noise_first,
        chooses_a_class_for_every_copy,
        ignores_the_generator,
        seeds_for_itself,
        one_noise_for_all_rows,
    ],
    "integrated_gradients": [
        starts_at_the_baseline,
        ends_at_the_image,
        forgets_the_way,
        multiplies_by_x_itself,
        always_starts_at_zero,
        changes_the_class_on_the_way,
    ],
    "deletion_curve": [
        deletes_the_least_relevant,
        deletes_by_size,
        keeps_only_the_relevant,
        ranks_over_the_batch,
        explains_with_order_as_rank,
    ],
}

ALTERNATIVES = {
    "input_gradient": [gradient_row_by_row, gradient_by_weighted_scores],
    "saliency": [saliency_as_root],
    "sensitivity": [sensitivity_as_product],
    "gradient_times_input": [product_by_einsum],
    "contrast": [contrast_as_module, contrast_by_product],
    "smooth_grad": [all_noise_at_once, normal_noise, noise_in_numpy],
    "integrated_gradients": [all_points_at_once],
    "deletion_curve": [deletion_by_loops],
}
