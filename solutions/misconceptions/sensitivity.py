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
    if isinstance(model, nn.Module):
        model.eval()
    return input_gradient(model, x, target)


def wipes_the_gradients_of_the_weights(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """The relevance is right, but gradients that stood in the weights are gone afterwards. That is what zero_grad() does, for
    instance: it clears more than backward() has added. Ask autograd for the derivative by x alone."""
    relevance = input_gradient(model, x, target)
    if isinstance(model, nn.Module):
        model.zero_grad()
    return relevance


def explains_only_the_first_image(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """Only the first row has an explanation, all others are zero: the score that was differentiated is the first row's, as
    f[0, target] is. Take one score per row."""
    return _slope(lambda f: target_score(f, target)[0], model, x)


def explains_one_class_for_all_rows(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """All rows are explained as the first row's class. Where target has one class per row, or is None, each row has a class
    of its own."""

    def first(f: Tensor) -> Tensor:
        wanted = f.argmax(1) if target is None else torch.as_tensor(target).expand(len(f))
        return f[:, wanted[0]].sum()

    return _slope(first, model, x)


def takes_class_zero_for_none(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """Asked for class 0, this explains the class that the model predicts, as if there were no target. `if target:` and
    `target or …` do that: 0 counts as false. Compare with None."""
    return input_gradient(model, x, None if isinstance(target, int) and target == 0 else target)


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


def saliency_over_the_colours(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """One number per pixel came back: the largest over the colour channels, as Simonyan takes it for the picture. Here every
    input keeps its own: the relevance has the shape of x."""
    return input_gradient(model, x, target).abs().amax(1)


def saliency_cut_at_zero(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """Negative slopes became zero. A score that falls reacts, too: ask for the size of the slope, whichever way it goes."""
    return input_gradient(model, x, target).clamp(min=0)


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


def sensitivity_in_shares(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """Each row sums to 1 here. The squares themselves are asked for: they sum to ‖∇f‖², and so tell a steep score from a
    flat one."""
    squares = input_gradient(model, x, target) ** 2
    return squares / squares.flatten(1).sum(1).view(-1, *[1] * (x.ndim - 1))


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


def product_with_the_size_of_x(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """The slope was multiplied with |x_i|. An input may be negative, too; then a rising score means that it took something
    away."""
    return x.abs() * input_gradient(model, x, target)


def product_with_sensitivity(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """The input was multiplied with the squared slope. A share of the score is input times slope: look at the units."""
    return x * input_gradient(model, x, target) ** 2


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


def keeps_all_classes(model: nn.Module, target: int, other: int) -> Model:
    """There is a column for every class: each one's lead over the other. Asked is one column, the target's."""
    return lambda x: model(x) - model(x)[:, [other]]


def takes_the_distance(model: nn.Module, target: int, other: int) -> Model:
    """The sign is lost: this says how far apart the two classes are, not which of them leads."""
    return lambda x: (model(x)[:, [target]] - model(x)[:, [other]]).abs()


# --- smooth_grad


def draws_noise_once(
    model: Model, x: Tensor, target: Target, sigma: float, samples: int, generator: torch.Generator
) -> Tensor:
    """What came out is as noisy as the gradient at one disturbed copy, so nothing was averaged out. Perhaps all samples got the
    same noise, or only the last one counts: every sample needs a draw of its own, and all of them enter the mean."""
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
    """Nothing negative is left: up and down no longer cancel, and noise adds to the relevance instead of leaving it. An
    absolute value was taken before the mean, perhaps by averaging saliency instead of the gradient."""
    return _smooth(model, x, target, sigma, samples, generator, torch.abs)


def takes_sigma_for_the_variance(
    model: Model, x: Tensor, target: Target, sigma: float, samples: int, generator: torch.Generator
) -> Tensor:
    """The noise has the wrong strength: its deviation is the root of sigma. But sigma is the standard deviation, not the
    variance. Which of them do you multiply a draw with deviation 1 by?"""
    return _smooth(model, x, target, abs(sigma) ** 0.5, samples, generator)


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
    """The same generator gave something else the second time, so nobody can repeat your result, not even you. Perhaps some of
    the noise came from elsewhere: torch's draws take the generator as an argument."""
    with torch.random.fork_rng():
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
        torch.randn(torch.seed() % 97)  # another start at every call, as global randomness has
        return _smooth(model, x, target, sigma, samples, None)


def seeds_for_itself(
    model: Model, x: Tensor, target: Target, sigma: float, samples: int, generator: torch.Generator
) -> Tensor:
    """Whichever generator comes in, the result is the same. Perhaps a source of your own was seeded, or the generator anew:
    draw from it as it comes; whoever calls decides on the seed."""
    return _smooth(model, x, target, sigma, samples, torch.Generator().manual_seed(42))


def one_noise_for_all_rows(
    model: Model, x: Tensor, target: Target, sigma: float, samples: int, generator: torch.Generator
) -> Tensor:
    """All rows of your batch got the same noise, so what remains of it goes up and down in all of them together. Every
    entry of ε is a draw of its own: give the noise the shape of x, not that of one row."""
    draws = [x + sigma * torch.randn(x.shape[1:], generator=generator) for _ in range(samples)]
    return torch.stack([input_gradient(model, draw, target) for draw in draws]).mean(0)


def draws_uniform_noise_both_ways(
    model: Model, x: Tensor, target: Target, sigma: float, samples: int, generator: torch.Generator
) -> Tensor:
    """The noise is too weak: its deviation is about 0.58 sigma. Uniform noise between −sigma and sigma has that, for instance;
    asked for is normal noise with deviation sigma."""
    target = _at(model, x, target)
    draws = [x + sigma * (2 * torch.rand(x.shape, generator=generator) - 1) for _ in range(samples)]
    return torch.stack([input_gradient(model, draw, target) for draw in draws]).mean(0)


def lets_the_noise_pile_up(
    model: Model, x: Tensor, target: Target, sigma: float, samples: int, generator: torch.Generator
) -> Tensor:
    """The noise grows from sample to sample: each was added to the copy before it. Every sample starts from x itself, so do
    not overwrite it in the loop."""
    target, total, moved = _at(model, x, target), torch.zeros_like(x), x
    for _ in range(samples):
        moved = moved + sigma * torch.randn(x.shape, generator=generator)
        total = total + input_gradient(model, moved, target)
    return total / samples


def takes_sigma_for_a_share_of_the_range(
    model: Model, x: Tensor, target: Target, sigma: float, samples: int, generator: torch.Generator
) -> Tensor:
    """The noise is sigma times max x − min x. That is how the paper gives its noise level, in percent of the range; here sigma
    is in units of x already."""
    return _smooth(model, x, target, sigma * float(x.max() - x.min()), samples, generator)


def multiplies_the_mean_by_the_image(
    model: Model, x: Tensor, target: Target, sigma: float, samples: int, generator: torch.Generator
) -> Tensor:
    """The mean was multiplied by x at the end: a smoothed gradient × input. SmoothGrad is the mean gradient itself."""
    return x * _smooth(model, x, target, sigma, samples, generator)


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


def forgets_to_divide_by_the_steps(
    model: Model, x: Tensor, target: Target = None, baseline: Tensor | float = 0.0, steps: int = 64
) -> Tensor:
    """The gradients along the way were added up, not averaged: with twice the steps the relevance would be twice as
    large."""
    return steps * (x - baseline) * _along(model, x, target, baseline, _middles(steps))


def includes_both_ends(
    model: Model, x: Tensor, target: Target = None, baseline: Tensor | float = 0.0, steps: int = 64
) -> Tensor:
    """The points reach from α = 0 to α = 1, both ends included, as linspace(0, 1, steps) has them. The midpoint rule cuts the
    way into equal steps and looks at the middle of each."""
    return (x - baseline) * _along(model, x, target, baseline, torch.linspace(0, 1, steps).tolist())


def turns_the_way_round(
    model: Model, x: Tensor, target: Target = None, baseline: Tensor | float = 0.0, steps: int = 64
) -> Tensor:
    """The sign is turned: multiplied by b − x. The way goes from the baseline to x, and its shares sum to f(x) − f(b)."""
    return (baseline - x) * _along(model, x, target, baseline, _middles(steps))


def always_takes_64_steps(
    model: Model, x: Tensor, target: Target = None, baseline: Tensor | float = 0.0, steps: int = 64
) -> Tensor:
    """However many steps are asked for, this takes 64. More is more exact; but whoever calls decides."""
    return (x - baseline) * _along(model, x, target, baseline, _middles(64))


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


def rounds_down(model: Model, x: Tensor, relevance: Tensor, target: Tensor, steps: int) -> Tensor:
    """Where k/steps · d is no whole number, too few inputs are deleted: it was rounded down, as int(…) and // do. The brackets
    ⌊ ⌉ mean the nearest whole number."""
    rank, inputs = _rank(relevance), x[0].numel()
    return _curve(model, x, [rank >= int(k / steps * inputs) for k in range(steps + 1)], target)


def deletes_the_last_of_equals_first(
    model: Model, x: Tensor, relevance: Tensor, target: Tensor, steps: int
) -> Tensor:
    """Among equally relevant inputs, the last one goes first here. Sorting upwards and turning the order round does that, for
    instance: it turns equals round, too."""
    order = relevance.flatten(1).argsort(dim=1, stable=True).flip(1)
    rank = order.argsort(1).view_as(relevance)
    return _curve(model, x, [rank >= round(k / steps * x[0].numel()) for k in range(steps + 1)], target)


def follows_the_winner(model: Model, x: Tensor, relevance: Tensor, target: Tensor, steps: int) -> Tensor:
    """These are the highest scores, whichever class has them. The curve stays with the target class, also when another one
    wins."""
    with torch.no_grad():
        return torch.stack([model(x * mask).amax(1) for mask in _kept(x, relevance, steps)], dim=1)


def measures_probabilities(model: Model, x: Tensor, relevance: Tensor, target: Tensor, steps: int) -> Tensor:
    """These are probabilities, after a softmax: they also fall when another class gains. The score is asked for."""
    return _curve(lambda z: model(z).softmax(1), x, _kept(x, relevance, steps), target)


def fills_with_the_mean(model: Model, x: Tensor, relevance: Tensor, target: Tensor, steps: int) -> Tensor:
    """Deleted inputs were set to their row's mean. Here they become 0, so that the last column is the score of zeros."""
    mean = x.flatten(1).mean(1).view(-1, *[1] * (x.ndim - 1))
    with torch.no_grad():
        return torch.stack(
            [target_score(model(torch.where(mask, x, mean)), target) for mask in _kept(x, relevance, steps)],
            dim=1,
        )


def _kept(x: Tensor, relevance: Tensor, steps: int) -> list[Tensor]:
    rank = _rank(relevance)
    return [rank >= round(k / steps * x[0].numel()) for k in range(steps + 1)]


def _rank(relevance: Tensor) -> Tensor:
    order = relevance.flatten(1).argsort(dim=1, descending=True, stable=True)
    return order.argsort(1).view_as(relevance)


def _delete(model: Model, x: Tensor, relevance: Tensor, target: Tensor, steps: int) -> Tensor:
    return _curve(model, x, _kept(x, relevance, steps), target)


def _curve(model: Model, x: Tensor, kept: list[Tensor], target: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.stack([target_score(model(x * mask), target) for mask in kept], dim=1)


# --- right, but written differently


def _at_least(allowed: bool) -> None:
    if not allowed:
        raise ValueError


def points_between_the_two(
    model: Model, x: Tensor, target: Target = None, baseline: Tensor | float = 0.0, steps: int = 64
) -> Tensor:
    """Every point is a mixture of baseline and x, and every share a step's."""
    _at_least(steps >= 1)
    shares, b = torch.zeros_like(x), torch.as_tensor(baseline).expand_as(x)
    for alpha in _middles(steps):
        shares += (x - b) / steps * input_gradient(model, (1 - alpha) * b + alpha * x, _at(model, x, target))
    return shares


def deletion_one_by_one(model: Model, x: Tensor, relevance: Tensor, target: Tensor, steps: int) -> np.ndarray:
    """In NumPy: a stable order of the negated relevance, and one copy of x that loses more and more."""
    order = np.argsort(-relevance.flatten(1).numpy(), axis=1, kind="stable")
    left, curve = x.clone().flatten(1), []
    for k in range(steps + 1):
        for row, places in zip(left, order, strict=True):
            row[places[: int(np.rint(k * left.shape[1] / steps))].tolist()] = 0.0
        with torch.no_grad():
            scores = model(left.view_as(x))
        curve.append(scores[torch.arange(len(x)), target].numpy())
    return np.stack(curve, axis=1)


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
    return torch.einsum("...,...->...", input_gradient(model, x, target), x)


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
    _at_least(samples >= 1 and sigma >= 0)
    noise = sigma * torch.randn((*x.shape, samples), generator=generator)
    many = (x.unsqueeze(-1) + noise).movedim(-1, 0).flatten(0, 1)
    wanted = torch.as_tensor(_at(model, x, target)).expand(len(x)).repeat(samples)
    return input_gradient(model, many, wanted).unflatten(0, (samples, len(x))).mean(0)


def normal_noise(
    model: Model, x: Tensor, target: Target, sigma: float, samples: int, generator: torch.Generator
) -> Tensor:
    """With torch.normal, and a running mean."""
    _at_least(samples >= 1 and sigma >= 0)
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
    _at_least(samples >= 1 and sigma >= 0)
    rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
    target = _at(model, x, target)
    noisy = [x + torch.from_numpy(rng.normal(0, sigma, x.shape)).float() for _ in range(samples)]
    return np.mean([input_gradient(model, each, target).numpy() for each in noisy], axis=0)


def all_points_at_once(
    model: Model, x: Tensor, target: Target = None, baseline: Tensor | float = 0.0, steps: int = 64
) -> Tensor:
    """All points of the way as one batch."""
    _at_least(steps >= 1)
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
        wipes_the_gradients_of_the_weights,
        explains_only_the_first_image,
        explains_one_class_for_all_rows,
        takes_class_zero_for_none,
    ],
    "saliency": [
        saliency_with_sign,
        saliency_squared,
        saliency_up_to_one,
        saliency_over_the_colours,
        saliency_cut_at_zero,
    ],
    "sensitivity": [
        sensitivity_without_square,
        sensitivity_times_input,
        sensitivity_as_one_number,
        sensitivity_in_shares,
    ],
    "gradient_times_input": [
        product_without_sign,
        product_with_saliency,
        product_summed_up,
        product_with_the_size_of_x,
        product_with_sensitivity,
    ],
    "contrast": [
        the_other_way_round,
        loses_the_class_axis,
        contrasts_probabilities,
        forgets_the_other,
        keeps_all_classes,
        takes_the_distance,
    ],
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
        draws_uniform_noise_both_ways,
        lets_the_noise_pile_up,
        takes_sigma_for_a_share_of_the_range,
        multiplies_the_mean_by_the_image,
    ],
    "integrated_gradients": [
        starts_at_the_baseline,
        ends_at_the_image,
        forgets_the_way,
        multiplies_by_x_itself,
        always_starts_at_zero,
        changes_the_class_on_the_way,
        forgets_to_divide_by_the_steps,
        includes_both_ends,
        turns_the_way_round,
        always_takes_64_steps,
    ],
    "deletion_curve": [
        deletes_the_least_relevant,
        deletes_by_size,
        keeps_only_the_relevant,
        ranks_over_the_batch,
        explains_with_order_as_rank,
        rounds_down,
        deletes_the_last_of_equals_first,
        follows_the_winner,
        measures_probabilities,
        fills_with_the_mean,
    ],
}

ALTERNATIVES = {
    "input_gradient": [gradient_row_by_row, gradient_by_weighted_scores],
    "saliency": [saliency_as_root],
    "sensitivity": [sensitivity_as_product],
    "gradient_times_input": [product_by_einsum],
    "contrast": [contrast_as_module, contrast_by_product],
    "smooth_grad": [all_noise_at_once, normal_noise, noise_in_numpy],
    "integrated_gradients": [all_points_at_once, points_between_the_two],
    "deletion_curve": [deletion_by_loops, deletion_one_by_one],
}
