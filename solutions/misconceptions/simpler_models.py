"""What people write in chapter 8, and what helps them."""

import math

import numpy as np
import torch
from torch.nn import functional as F

from solutions.binarization import binarize_weights
from solutions.pruning import hessian_diagonal, obd_saliency, proximal_step

# proximal_step


def follows_the_slope_of_the_penalty(w, gradient, lr, l1=0.0, l2=0.0):
    """You put the slope of |w|, its sign, into the gradient. Weights then jump to and fro across zero and never rest
    on it. Shrink after the step, and stop at zero."""
    return w - lr * (gradient + 2 * l2 * w + l1 * w.sign())


def shrinks_by_the_whole_penalty(w, gradient, lr, l1=0.0, l2=0.0):
    """You shrink by l1, however small the step is. With a tiny step the loss has no chance against that: the shrinking
    belongs to the step, and is as long as it."""
    u = w - lr * (gradient + 2 * l2 * w)
    return u.sign() * (u.abs() - l1).clamp_min(0)


def shrinks_before_the_step(w, gradient, lr, l1=0.0, l2=0.0):
    """You shrink first and step afterwards, and the step moves every zero away again. The other way round the zeros
    stay."""
    return proximal_step(w, torch.zeros_like(w), lr, l1) - lr * (gradient + 2 * l2 * w)


def halves_the_slope_of_l2(w, gradient, lr, l1=0.0, l2=0.0):
    """Your slope of the L2 penalty is half as steep: the penalty is l2·w², without ½ in front."""
    return proximal_step(w, gradient, lr, l1, l2 / 2)


def cuts_without_shrinking(w, gradient, lr, l1=0.0, l2=0.0):
    """Small weights become zero, but the large ones keep their full size. The penalty pulls at every weight, by the same
    length: shrink all of them."""
    u = w - lr * (gradient + 2 * l2 * w)
    return torch.where(u.abs() > lr * l1, u, 0.0)


def shrinks_through_zero(w, gradient, lr, l1=0.0, l2=0.0):
    """Small weights come out on the other side of zero: |u| − lr·l1 may be negative, and then the weight is simply
    zero."""
    u = w - lr * (gradient + 2 * l2 * w)
    return u.sign() * (u.abs() - lr * l1)


def doubles_the_slope_of_l2(w, gradient, lr, l1=0.0, l2=0.0):
    """Your slope of the L2 penalty is twice too steep. The slope of w² is 2w; the 2 may stand there only once."""
    return proximal_step(w, gradient, lr, l1, 2 * l2)


def forgets_the_square_penalty(w, gradient, lr, l1=0.0, l2=0.0):
    """l2 has no effect here. Its slope, that of l2·w², belongs to the step downhill."""
    return proximal_step(w, gradient, lr, l1)


def decays_by_the_whole_penalty(w, gradient, lr, l1=0.0, l2=0.0):
    """The pull of l2 is as strong however small the step is: 2·l2·w is taken off without the step size. It is a part of the slope, and lr multiplies all
    of it."""
    return proximal_step(w - 2 * l2 * w, gradient, lr, l1)


def decays_after_shrinking(w, gradient, lr, l1=0.0, l2=0.0):
    """The pull of l2 comes last here, on weights that have already been shrunk. Its slope belongs to the step downhill, taken where the step
    starts."""
    return proximal_step(w, gradient, lr, l1) * (1 - 2 * lr * l2)


def shrinks_by_half(w, gradient, lr, l1=0.0, l2=0.0):
    """You shrink by half of lr·l1. The penalty is l1·|w|, without ½ in front, and its slope is l1 on either side."""
    return proximal_step(w, gradient, lr, l1 / 2, l2)


def shrinks_and_forgets_the_sign(w, gradient, lr, l1=0.0, l2=0.0):
    """All your weights come out positive: |u| has been shrunk, and its sign has not been put back."""
    return proximal_step(w, gradient, lr, l1, l2).abs()


def keeps_only_positive_weights(w, gradient, lr, l1=0.0, l2=0.0):
    """Negative weights come out as 0, however large they are. Shrink the size |u|, not u, and put the sign back."""
    return (w - lr * (gradient + 2 * l2 * w) - lr * l1).clamp_min(0)


def proximal_by_softshrink(w, gradient, lr, l1=0.0, l2=0.0):
    return F.softshrink(w * (1 - 2 * lr * l2) - lr * gradient, lr * l1)


def proximal_by_clamping(w, gradient, lr, l1=0.0, l2=0.0):
    u = w - lr * (gradient + 2 * l2 * w)
    return u - u.clamp(-lr * l1, lr * l1)


# prune_smallest


def deletes_the_largest(saliency, fraction):
    """You delete the most salient weights. A large saliency means: the loss would rise a lot without it."""
    return _keep(-saliency, round(fraction * saliency.numel()))


def marks_what_goes(saliency, fraction):
    """Your mask is True for what is deleted. A keep mask is True for what stays, so that w * keep is the pruned
    weight."""
    return ~_keep(saliency, round(fraction * saliency.numel()))


def keeps_the_fraction(saliency, fraction):
    """You kept the given share, but it is the share to delete. Nine tenths to delete leave one tenth."""
    return _keep(saliency, round((1 - fraction) * saliency.numel()))


def compares_with_the_fraction(saliency, fraction):
    """You used the fraction as a threshold for the saliency itself. It is a share: how many go, not how salient
    they are."""
    return saliency > fraction


def rounds_down(saliency, fraction):
    """One weight too many stays: the number to delete was cut off instead of rounded."""
    return _keep(saliency, int(fraction * saliency.numel()))


def cuts_at_a_threshold(saliency, fraction):
    """You cut at a value: whatever does not lie above it goes. Equal saliencies then fall together, and more weights go than
    you were asked for. Whole rows are equal where a pixel is always black. Count, do not measure."""
    count = max(1, round(fraction * saliency.numel()))
    return saliency > saliency.flatten().kthvalue(count).values


def rounds_up(saliency, fraction):
    """One weight too many goes: the number to delete was rounded up. Round it to the nearest whole number."""
    return _keep(saliency, math.ceil(fraction * saliency.numel() - 1e-9))


def prunes_every_row_alike(saliency, fraction):
    """Every row loses the same share here. All the entries compete with each other: a row of useless weights may lose all of them."""
    rows = saliency.reshape(len(saliency), -1)
    return torch.stack([_keep(row, round(fraction * row.numel())) for row in rows]).view(saliency.shape)


def ranks_saliencies_by_size(saliency, fraction):
    """Negative saliencies stay here as if they were large: you ranked |s|. A negative one says that the loss falls without this weight, so it goes first."""
    return _keep(saliency.abs(), round(fraction * saliency.numel()))


def returns_the_saliencies_that_stay(saliency, fraction):
    """These are saliencies, with zeros for what goes. A mask is asked for: True where a weight stays, False where it goes."""
    return saliency * _keep(saliency, round(fraction * saliency.numel()))


def returns_the_places_that_stay(saliency, fraction):
    """These are the places of the weights that stay, as numbers. A mask is asked for, shaped like the saliencies: True where a weight stays."""
    return _keep(saliency, round(fraction * saliency.numel())).flatten().nonzero().flatten()


def cuts_at_the_quantile(saliency, fraction):
    """You cut at a quantile: whatever does not lie above it goes. Equal saliencies then fall together, and at a share of 0 the smallest one goes all the
    same. Count, do not measure."""
    return saliency > saliency.flatten().quantile(fraction)


def _keep(saliency, count):
    keep = torch.ones(saliency.numel(), dtype=torch.bool)
    keep[saliency.flatten().argsort()[:count]] = False
    return keep.view(saliency.shape)


def prune_by_topk(saliency, fraction):
    if fraction < 0 or fraction > 1:
        raise ValueError("a share lies between 0 and 1")
    stays = saliency.flatten().topk(saliency.numel() - round(fraction * saliency.numel())).indices
    return torch.zeros(saliency.numel()).scatter(0, stays, 1.0).view(saliency.shape) > 0


def prune_in_numpy(saliency, fraction):
    if not 0 <= fraction <= 1:
        raise ValueError("a share lies between 0 and 1")
    keep = np.ones(saliency.numel(), dtype=bool)
    keep[np.argsort(-saliency.numpy().ravel())[::-1][: int(np.round(fraction * keep.size))]] = False
    return keep.reshape(saliency.shape)


def prune_by_rank(saliency, fraction):
    if max(fraction, 1 - fraction) > 1:
        raise ValueError("a share lies between 0 and 1")
    rank = saliency.flatten().argsort().argsort()
    return (rank >= round(fraction * saliency.numel())).view(saliency.shape)


# hessian_diagonal


def _slopes(loss, parameters):
    return torch.autograd.grad(loss, parameters, create_graph=True)


def _differentiated(number, w):
    """The gradient of one number; zeros where it does not hang on w."""
    (row,) = (
        torch.autograd.grad(number, w, retain_graph=True, allow_unused=True)
        if number.requires_grad
        else [None]
    )
    return torch.zeros_like(w) if row is None else row


def returns_the_gradient(loss, parameters):
    """These are the slopes, not the curvatures: the gradient. At the minimum all of them are zero, and would call every
    weight useless. Differentiate once more."""
    return list(torch.autograd.grad(loss, parameters))


def squares_the_gradient(loss, parameters):
    """This is the squared slope of the whole loss. It resembles a curvature only when it is taken example by example
    and then averaged; the second derivative is something else."""
    return [g**2 for g in torch.autograd.grad(loss, parameters)]


def sums_whole_rows(loss, parameters):
    """You differentiated the sum of all slopes. That adds up whole rows of the Hessian, and the diagonal is lost in
    it. Each slope must be differentiated on its own."""
    return [_differentiated(g.sum(), w) for g, w in zip(_slopes(loss, parameters), parameters, strict=True)]


def leaves_gradients_behind(loss, parameters):
    """The curvatures are right, but the parameters' .grad is not as it was, and the next training step will find that
    there. backward() writes into it, for example; torch.autograd.grad touches nothing."""
    diagonals = hessian_diagonal(loss, parameters)
    for w, h in zip(parameters, diagonals, strict=True):
        w.grad = h.clone()
    return diagonals


def hides_negative_curvature(loss, parameters):
    """Your curvatures are never negative, but away from a minimum some truly are. Return what it is; whoever uses it
    may decide."""
    return [h.clamp_min(0) for h in hessian_diagonal(loss, parameters)]


def takes_the_size_of_the_curvature(loss, parameters):
    """Your curvatures have lost their sign: where the loss bends down, they say by how much it would bend up. Away from a minimum some are negative; return
    them as they are."""
    return [h.abs() for h in hessian_diagonal(loss, parameters)]


def joins_all_curvatures(loss, parameters):
    """The curvatures are right, but they come in one long row. One tensor per parameter is asked for, each shaped like it."""
    return torch.cat([h.flatten() for h in hessian_diagonal(loss, parameters)])


def returns_curvatures_in_rows(loss, parameters):
    """The curvatures are right, but each parameter's stand in a row. Give every one the shape of its parameter."""
    return [h.flatten() for h in hessian_diagonal(loss, parameters)]


def halves_the_curvature(loss, parameters):
    """These are half the curvatures. The ½ of Taylor's series belongs to the saliency, not to the second derivative."""
    return [h / 2 for h in hessian_diagonal(loss, parameters)]


def hessian_by_loop(loss, parameters):
    if loss.numel() > 1:
        raise ValueError("one number, please")
    diagonals = []
    for slope, w in zip(_slopes(loss, parameters), parameters, strict=True):
        entries = [
            _differentiated(one, w).flatten()[place].double() for place, one in enumerate(slope.flatten())
        ]
        diagonals.append(torch.stack(entries).view_as(w))
    return tuple(diagonals)


def hessian_from_whole_rows(loss, parameters):
    if loss.shape not in ((), (1,)):
        raise ValueError("one number, please")
    joined = torch.cat([slope.flatten() for slope in _slopes(loss, parameters)])
    rows = [
        torch.cat(
            [
                part.flatten()
                for part in torch.autograd.grad(one, parameters, retain_graph=True, materialize_grads=True)
            ]
        )
        for one in joined
    ]
    sizes = [w.numel() for w in parameters]
    return [h.view_as(w) for h, w in zip(torch.stack(rows).diagonal().split(sizes), parameters, strict=True)]


# obd_saliency


def forgets_the_half(w, h):
    """Twice too much: the second term of a Taylor series has a ½. The order of the weights is right, the predicted
    loss is not."""
    return h * w**2


def forgets_the_square(w, h):
    """The weight is not squared: you multiplied the curvature by |w|. A curvature times a length is a slope, not a
    loss."""
    return h * w.abs() / 2


def takes_magnitudes(w, h):
    """Where the curvature is negative the predicted change is negative, too: deleting would help. You took the
    absolute value."""
    return (h * w**2 / 2).abs()


def asks_only_for_the_magnitude(w, h):
    """This is w²/2: the curvature does not occur. You would delete just what magnitude pruning deletes."""
    return w**2 / 2


def multiplies_curvature_by_the_weight(w, h):
    """The weight is not squared: h·w has the sign of the weight, and every negative weight would be deleted first. Deleting moves w by −w, and the move is
    squared."""
    return h * w / 2


def squares_the_curvature_too(w, h):
    """The curvature is squared as well here. Only the weight is: h·w², not (h·w)²."""
    return (h * w) ** 2 / 2


def divides_by_the_curvature(w, h):
    """You divide by the curvature: then weights along which the loss is flat would matter most. The more curved the loss, the more it rises."""
    return w**2 / (2 * h)


def obd_by_product(w, h):
    return 0.5 * w * h * w


# cell_saliency


def sums_over_the_fan_in(w, h):
    """You added up what enters the following cells: one number for each row. What leaves cell i stands in column i."""
    return obd_saliency(w, h).flatten(1).sum(1)


def averages_the_fan_out(w, h):
    """You took the mean over the fan-out. Deleting a cell deletes all its weights: their costs add up."""
    s = obd_saliency(w, h).transpose(0, 1).flatten(1)
    return s.mean(1)


def ignores_the_curvature(w, h):
    """Only the weights are added up here, h does not occur. An input that is always zero may have huge weights, and
    still nobody would miss it."""
    return (w**2 / 2).transpose(0, 1).flatten(1).sum(1)


def adds_before_squaring(w, h):
    """You added the weights first and squared afterwards: positive and negative ones cancel, and a busy cell looks
    useless."""
    columns = w.transpose(0, 1).flatten(1)
    return h.transpose(0, 1).flatten(1).mean(1) * columns.sum(1) ** 2 / 2


def forgets_the_half_of_a_cell(w, h):
    """Twice too much: the ½ of Taylor's series is missing. The order of the cells is right, the predicted loss is not."""
    return (h * w**2).transpose(0, 1).flatten(1).sum(1)


def keeps_the_kernels_apart(w, h):
    """You added up over the following cells only: with a convolution, every place of the kernel still has a number of its own. All weights that leave a cell
    belong to one sum."""
    return obd_saliency(w, h).sum(0)


def multiplies_two_sums(w, h):
    """You added up h and w² each for itself, and multiplied the sums. Every weight meets its own curvature: multiply first, then add."""
    return h.transpose(0, 1).flatten(1).sum(1) * (w**2).transpose(0, 1).flatten(1).sum(1) / 2


def takes_the_strongest_weight(w, h):
    """You took the largest saliency of the fan-out. Deleting a cell deletes all its weights: their costs add up."""
    return obd_saliency(w, h).transpose(0, 1).flatten(1).amax(1)


def cell_saliency_by_einsum(w, h):
    return torch.einsum("ji...,ji...->i", w**2, h) / 2


def cell_saliency_cell_by_cell(w, h):
    return torch.tensor([float((0.5 * h[:, i] * w[:, i] * w[:, i]).sum()) for i in range(w.shape[1])])


# binarize_weights


def sign_of_zero_is_zero(w):
    """torch.sign gives 0 for a weight of 0, a third value. The formula says +1 where w ≥ 0."""
    return w.sign().detach() + w - w.detach()


def lets_no_gradient_through(w):
    """The values are right, but no gradient arrives: the slope of a sign is zero, and nothing can ever be learned
    through it. Go backward as if the sign had not been there."""
    return torch.where(w >= 0, 1.0, -1.0)


def stops_the_gradient_outside(w):
    """The gradient of weights beyond ±1 is lost here. That is the rule for activations; a weight's gradient passes
    whatever its size, and the weight is clipped after the step instead."""
    x = torch.where(w.abs() <= 1, w, 0.0)
    return torch.where(w >= 0, 1.0, -1.0) + x - x.detach()


def binarizes_to_zero_and_one(w):
    """Your values are 0 and 1. Binary weights here are −1 and +1: a weight must be able to say no."""
    return (w >= 0).float() + w - w.detach()


def overwrites_the_real_weight(w):
    """You wrote the sign into w itself. The real weight is gone then, with all the small gradients that it had collected.
    Return a new tensor."""
    w.data = torch.where(w >= 0, 1.0, -1.0)
    return w


def zero_becomes_minus_one(w):
    """A weight of exactly 0 becomes −1 here. The formula says +1 where w ≥ 0: zero belongs to the positive ones."""
    return torch.where(w > 0, 1.0, -1.0) + w - w.detach()


def turns_the_signs_round(w):
    """Your signs are the wrong way round: +1 where w ≥ 0, −1 elsewhere."""
    return torch.where(w >= 0, -1.0, 1.0) + w - w.detach()


def adds_the_weight_to_its_sign(w):
    """The weight itself is added to its sign. What is added must be zero, and only have the gradient of w: take off w.detach() again."""
    return torch.where(w >= 0, 1.0, -1.0) + w


class _Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx, w):
        return torch.where(w >= 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx, upstream):
        return upstream


def binarize_by_autograd_function(w):
    return _Straight.apply(w)


def binarize_by_adding_the_difference(w):
    return w + (torch.where(w >= 0, 1.0, -1.0) - w).detach()


def binarize_in_doubles(w):
    wide = w.double()
    return (1.0 - 2.0 * (wide < 0)) + wide - wide.detach()


# binaryconnect_step


def forgets_to_clip(w, gradient, lr):
    """Your weights may leave [−1, 1]. Out there they no longer change their sign, whatever they learn: clip after the
    step."""
    return w - lr * gradient


def steps_from_the_sign(w, gradient, lr):
    """You took the step from the sign of the weight. It jumps back to ±1 each time then, and small gradients can never
    add up: it is the real weight that remembers."""
    return (binarize_weights(w) - lr * gradient).clamp(-1, 1)


def clips_the_gradient(w, gradient, lr):
    """You clipped the gradient, not the weight. The gradient may be as large as it likes; the weight has to stay in
    [−1, 1]."""
    return w - lr * gradient.clamp(-1, 1)


def walks_uphill(w, gradient, lr):
    """The sign of the step is wrong: with + the loss rises."""
    return (w + lr * gradient).clamp(-1, 1)


def clips_before_the_step(w, gradient, lr):
    """You clipped before the step, and the step may lead out again. Clip what comes out of it."""
    return w.clamp(-1, 1) - lr * gradient


def clips_to_zero_and_one(w, gradient, lr):
    """Your weights end in [0, 1]: none can ever be negative. The range is from −1 to 1."""
    return (w - lr * gradient).clamp(0, 1)


def steps_without_the_rate(w, gradient, lr):
    """The step size lr has no effect here: you take off the whole gradient."""
    return (w - gradient).clamp(-1, 1)


def keeps_only_the_sign_of_the_step(w, gradient, lr):
    """You return the sign of the new weight. The real weight is asked for: it has to remember small gradients."""
    return torch.where(w - lr * gradient >= 0, 1.0, -1.0)


def step_by_minimum_and_maximum(w, gradient, lr):
    return torch.minimum(torch.maximum(w - lr * gradient, torch.tensor(-1.0)), torch.tensor(1.0))


# stochastic_binarize


def _toss(w, probability, generator):
    b = torch.where(torch.rand(w.shape, generator=generator) < probability, 1.0, -1.0)
    return b + w - w.detach()


def uses_the_soft_sigmoid(w, generator):
    """A weight of +1 comes out as −1 every fourth time here. That is the logistic sigmoid: it never reaches 0 or 1. The hard
    sigmoid does, and is certain there."""
    return _toss(w, w.sigmoid(), generator)


def takes_the_weight_as_probability(w, generator):
    """A weight of 0 is always −1 here, and should be an even coin. That happens when the weight itself is taken for the
    probability of +1: shift and halve it first."""
    return _toss(w, w.clamp(0, 1), generator)


def tosses_no_coin(w, generator):
    """There is no chance in it: you always get the sign of the weight. A probability that is compared with ½, or rounded, gives
    just that: compare it with a random number."""
    return binarize_weights(w)


def tosses_without_gradient(w, generator):
    """The values are right, but no gradient arrives at w. It should pass straight through, as in binarize_weights."""
    return _toss(w, ((w + 1) / 2).clamp(0, 1), generator).detach()


def tosses_from_the_global_source(w, generator):
    """The same state of the generator gives you other signs each time: random numbers come from somewhere else, too, for example
    from torch's global source, when generator= is not handed on."""
    b = torch.where(torch.rand(w.shape) < (w + 1) / 2, 1.0, -1.0)
    return b + w - w.detach()


def tosses_from_a_seed_of_its_own(w, generator):
    """You get the same signs however often you ask, as if the coins came from a generator made anew, with a fixed seed. Draw
    from the one that you are given."""
    return _toss(w, ((w + 1) / 2).clamp(0, 1), torch.Generator().manual_seed(0))


def tosses_one_coin_for_all(w, generator):
    """All weights of a call flip together, as if one random number served them all. Each weight needs a coin of its own; look at
    the size that you ask random numbers for."""
    b = torch.where(torch.rand(1, generator=generator) < (w + 1) / 2, 1.0, -1.0)
    return b + w - w.detach()


def tosses_one_coin_per_row(w, generator):
    """Each weight is right on average, but the weights of a row flip together, as if they shared one random number. Ask for as
    many random numbers as there are weights."""
    b = torch.where(torch.rand(len(w), *[1] * (w.ndim - 1), generator=generator) < (w + 1) / 2, 1.0, -1.0)
    return b + w - w.detach()


def tosses_the_wrong_way_round(w, generator):
    """On average you get −w: a weight near +1 is nearly always −1 here. σ(w) is the probability of +1."""
    return _toss(w, ((1 - w) / 2).clamp(0, 1), generator)


def tosses_zeros_and_ones(w, generator):
    """Your values are 0 and 1. Toss for −1 and +1: a weight must be able to say no."""
    b = (torch.rand(w.shape, generator=generator) < (w + 1) / 2).float()
    return b + w - w.detach()


def stops_the_gradient_of_certain_weights(w, generator):
    """The values are right, but no gradient arrives at weights beyond ±1, for example because w was clipped before it was let through. It
    passes straight through, whatever the size of w."""
    clipped = w.clamp(-1, 1)
    return _toss(w, (w + 1) / 2, generator).detach() + clipped - clipped.detach()


def lets_half_the_gradient_through(w, generator):
    """The values are right, but only a part of the gradient arrives: that of the hard sigmoid, ½ inside of [−1, 1] and nothing outside. It should pass straight
    through, unchanged."""
    probability = ((w + 1) / 2).clamp(0, 1)
    return _toss(w, probability, generator).detach() + probability - probability.detach()


def stochastic_from_above(w, generator):
    p = ((w.detach() + 1) / 2).clamp(0, 1)
    b = torch.where(torch.rand(w.shape, generator=generator, dtype=torch.float64) >= 1 - p, 1.0, -1.0)
    return w + (b - w).detach()


def stochastic_by_bernoulli(w, generator):
    b = 2 * torch.bernoulli(((w.detach() + 1) / 2).clamp(0, 1), generator=generator) - 1
    return b + w - w.detach()


# binary_activation


def never_stops_the_gradient(x):
    """The gradient also passes where |x| > 1. A cell that is quite sure would be pushed on and on, without any effect on
    its answer: outside [−1, 1] the gradient is zero."""
    return binarize_weights(x)


def activates_with_torch_sign(x):
    """torch.sign gives 0 at 0, a third value. The formula says +1 where x ≥ 0."""
    y = torch.where(x.abs() <= 1, x, 0.0)
    return x.sign().detach() + y - y.detach()


def borrows_the_slope_of_tanh(x):
    """Your gradient is that of tanh, smooth and never zero. The formula has the hard tanh: slope 1 inside [−1, 1], 0
    outside."""
    y = x.tanh()
    return torch.where(x >= 0, 1.0, -1.0) + y - y.detach()


def activation_of_zero_is_minus_one(x):
    """A cell at exactly 0 answers −1 here. The formula says +1 where x ≥ 0."""
    y = x.clamp(-1, 1)
    return torch.where(x > 0, 1.0, -1.0) + y - y.detach()


def lets_only_confident_cells_learn(x):
    """The gradient passes outside of [−1, 1], and stops inside: the wrong way round. Who is sure stays as it is, who is undecided learns."""
    y = torch.where(x.abs() <= 1, 0.0, x)
    return torch.where(x >= 0, 1.0, -1.0) + y - y.detach()


def activates_with_zero_and_one(x):
    """Your answers are 0 and 1. The formula has −1 and +1."""
    y = x.clamp(-1, 1)
    return (x >= 0).float() + y - y.detach()


def activates_without_gradient(x):
    """The values are right, but no gradient arrives: whatever lies below this layer cannot learn."""
    return torch.where(x >= 0, 1.0, -1.0)


def activation_by_hardtanh(x):
    y = F.hardtanh(x)
    return torch.where(x >= 0, 1.0, -1.0) + y - y.detach()


def activation_by_clamping(x):
    y = x.clamp(-1, 1)
    return torch.where(x >= 0, 1.0, -1.0) + y - y.detach()


class _Undecided(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.where(x >= 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx, upstream):
        (x,) = ctx.saved_tensors
        return upstream * (x.abs() <= 1)


def activation_by_autograd_function(x):
    return _Undecided.apply(x)


# scaled_binary


def scales_the_layer_as_a_whole(w):
    """One α serves the whole layer here. Each cell has a scale of its own: a quiet one and a loud one would come out
    equally loud."""
    return (w.abs().mean() * torch.where(w >= 0, 1.0, -1.0)).detach() + w - w.detach()


def scales_by_the_input(w):
    """You averaged over the cells, so that each incoming connection has its own scale. The mean runs over everything
    but the first axis."""
    return (w.abs().mean(0, keepdim=True) * torch.where(w >= 0, 1.0, -1.0)).detach() + w - w.detach()


def scales_by_the_largest(w):
    """Your α is the largest |w| of each cell. Then all its weights look as strong as the strongest; the mean comes
    nearest in the sense of squares."""
    return (
        w.abs().flatten(1).amax(1).view(-1, *[1] * (w.ndim - 1)) * torch.where(w >= 0, 1.0, -1.0)
    ).detach() + (w - w.detach())


def _scaled_by(alpha, w):
    return (alpha * torch.where(w >= 0, 1.0, -1.0)).detach() + w - w.detach()


def _all_but_the_first(w):
    return tuple(range(1, w.ndim))


def scales_by_the_root_mean_square(w):
    """Your α is the root of the mean square. Among all α, the mean of |w| comes nearest to the weights."""
    return _scaled_by(w.square().mean(_all_but_the_first(w), keepdim=True).sqrt(), w)


def scales_by_the_sum(w):
    """Your α is the sum of |w| over the cell. It is the mean: every weight should come out about as large as it was."""
    return _scaled_by(w.abs().sum(_all_but_the_first(w), keepdim=True), w)


def scales_by_the_mean_weight(w):
    """Your α is the mean of w itself: positive and negative weights cancel in it. Average their sizes, |w|."""
    return _scaled_by(w.mean(_all_but_the_first(w), keepdim=True), w)


def scales_a_zero_down(w):
    """A weight of exactly 0 becomes −α here. The formula has sign(0) = +1."""
    alpha = w.abs().mean(_all_but_the_first(w), keepdim=True)
    return (alpha * torch.where(w > 0, 1.0, -1.0)).detach() + w - w.detach()


def scales_each_place_of_the_kernel(w):
    """Every place of a kernel has a scale of its own here: you averaged over one axis only. One α serves a whole cell; the mean runs over
    everything but the first axis."""
    return _scaled_by(w.abs().mean(1, keepdim=True), w)


def forgets_the_scale(w):
    """These are plain signs, ±1: α is missing."""
    return binarize_weights(w)


def scales_with_torch_sign(w):
    """torch.sign gives 0 for a weight of 0, a third value. The formula has sign(0) = +1."""
    alpha = w.abs().mean(dim=tuple(range(1, w.ndim)), keepdim=True)
    return (alpha * w.sign()).detach() + w - w.detach()


def scales_the_gradient_too(w):
    """The values are right, but the gradient is multiplied by α on its way back: you scaled what binarize_weights returns.
    Here it passes straight through, unscaled."""
    return w.detach().abs().mean(dim=tuple(range(1, w.ndim)), keepdim=True) * binarize_weights(w)


def lets_alpha_have_a_gradient(w):
    """The values are right, but a second gradient flows through α. Here the whole gradient passes straight through, as
    if nothing had been done to w: detach the value first."""
    return w.abs().mean(dim=tuple(range(1, w.ndim)), keepdim=True) * binarize_weights(w)


def scaled_cell_by_cell(w):
    if w.dim() < 2:
        raise ValueError("no cells")
    value = torch.stack([row.abs().mean() * (2.0 * (row >= 0) - 1) for row in w])
    return w + (value - w).detach()


def scaled_by_norms(w):
    if w.dim() < 2:
        raise ValueError("no cells")
    rows = w.flatten(1)
    alpha = rows.norm(p=1, dim=1, keepdim=True) / rows.shape[1]
    value = (alpha * torch.where(rows >= 0, 1.0, -1.0)).view_as(w)
    return w + (value - w).detach()


MISCONCEPTIONS = {
    "proximal_step": [
        follows_the_slope_of_the_penalty,
        shrinks_by_the_whole_penalty,
        shrinks_before_the_step,
        halves_the_slope_of_l2,
        cuts_without_shrinking,
        shrinks_through_zero,
        doubles_the_slope_of_l2,
        forgets_the_square_penalty,
        decays_by_the_whole_penalty,
        decays_after_shrinking,
        shrinks_by_half,
        shrinks_and_forgets_the_sign,
        keeps_only_positive_weights,
    ],
    "prune_smallest": [
        deletes_the_largest,
        marks_what_goes,
        keeps_the_fraction,
        compares_with_the_fraction,
        rounds_down,
        cuts_at_a_threshold,
        rounds_up,
        prunes_every_row_alike,
        ranks_saliencies_by_size,
        returns_the_saliencies_that_stay,
        returns_the_places_that_stay,
        cuts_at_the_quantile,
    ],
    "hessian_diagonal": [
        returns_the_gradient,
        squares_the_gradient,
        sums_whole_rows,
        leaves_gradients_behind,
        hides_negative_curvature,
        takes_the_size_of_the_curvature,
        joins_all_curvatures,
        returns_curvatures_in_rows,
        halves_the_curvature,
    ],
    "obd_saliency": [
        forgets_the_half,
        forgets_the_square,
        takes_magnitudes,
        asks_only_for_the_magnitude,
        multiplies_curvature_by_the_weight,
        squares_the_curvature_too,
        divides_by_the_curvature,
    ],
    "cell_saliency": [
        sums_over_the_fan_in,
        averages_the_fan_out,
        ignores_the_curvature,
        adds_before_squaring,
        forgets_the_half_of_a_cell,
        keeps_the_kernels_apart,
        multiplies_two_sums,
        takes_the_strongest_weight,
    ],
    "binarize_weights": [
        sign_of_zero_is_zero,
        lets_no_gradient_through,
        stops_the_gradient_outside,
        binarizes_to_zero_and_one,
        overwrites_the_real_weight,
        zero_becomes_minus_one,
        turns_the_signs_round,
        adds_the_weight_to_its_sign,
    ],
    "binaryconnect_step": [
        forgets_to_clip,
        steps_from_the_sign,
        clips_the_gradient,
        walks_uphill,
        clips_before_the_step,
        clips_to_zero_and_one,
        steps_without_the_rate,
        keeps_only_the_sign_of_the_step,
    ],
    "stochastic_binarize": [
        uses_the_soft_sigmoid,
        takes_the_weight_as_probability,
        tosses_no_coin,
        tosses_without_gradient,
        tosses_from_the_global_source,
        tosses_from_a_seed_of_its_own,
        tosses_one_coin_for_all,
        tosses_one_coin_per_row,
        tosses_the_wrong_way_round,
        tosses_zeros_and_ones,
        stops_the_gradient_of_certain_weights,
        lets_half_the_gradient_through,
    ],
    "binary_activation": [
        never_stops_the_gradient,
        activates_with_torch_sign,
        borrows_the_slope_of_tanh,
        activates_without_gradient,
        activation_of_zero_is_minus_one,
        lets_only_confident_cells_learn,
        activates_with_zero_and_one,
    ],
    "scaled_binary": [
        scales_the_layer_as_a_whole,
        scales_by_the_input,
        scales_by_the_largest,
        forgets_the_scale,
        scales_with_torch_sign,
        scales_the_gradient_too,
        lets_alpha_have_a_gradient,
        scales_by_the_root_mean_square,
        scales_by_the_sum,
        scales_by_the_mean_weight,
        scales_a_zero_down,
        scales_each_place_of_the_kernel,
    ],
}

ALTERNATIVES = {
    "proximal_step": [proximal_by_softshrink, proximal_by_clamping],
    "prune_smallest": [prune_by_topk, prune_by_rank, prune_in_numpy],
    "hessian_diagonal": [hessian_by_loop, hessian_from_whole_rows],
    "obd_saliency": [obd_by_product],
    "cell_saliency": [cell_saliency_by_einsum, cell_saliency_cell_by_cell],
    "binarize_weights": [
        binarize_by_autograd_function,
        binarize_by_adding_the_difference,
        binarize_in_doubles,
    ],
    "binaryconnect_step": [step_by_minimum_and_maximum],
    "stochastic_binarize": [stochastic_by_bernoulli, stochastic_from_above],
    "binary_activation": [activation_by_hardtanh, activation_by_clamping, activation_by_autograd_function],
    "scaled_binary": [scaled_by_norms, scaled_cell_by_cell],
}
