"""What people write in chapter 8, and what helps them."""

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


def _keep(saliency, count):
    keep = torch.ones(saliency.numel(), dtype=torch.bool)
    keep[saliency.flatten().argsort()[:count]] = False
    return keep.view(saliency.shape)


def prune_by_topk(saliency, fraction):
    stays = saliency.flatten().topk(saliency.numel() - round(fraction * saliency.numel())).indices
    return torch.zeros(saliency.numel()).scatter(0, stays, 1.0).view(saliency.shape)


def prune_by_rank(saliency, fraction):
    rank = saliency.flatten().argsort().argsort()
    return (rank >= round(fraction * saliency.numel())).view(saliency.shape)


# hessian_diagonal


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
    slopes = torch.autograd.grad(loss, parameters, create_graph=True)
    return [
        torch.autograd.grad(g.sum(), w, retain_graph=True)[0] for g, w in zip(slopes, parameters, strict=True)
    ]


def leaves_gradients_behind(loss, parameters):
    """The curvatures are right, but backward() has also written into the parameters' .grad, and the next training step
    will find that there. torch.autograd.grad touches nothing."""
    diagonals = []
    for w in parameters:
        (slope,) = torch.autograd.grad(loss, w, create_graph=True)
        h = torch.zeros(w.numel())
        for k, one in enumerate(slope.flatten()):
            w.grad = None
            one.backward(retain_graph=True)
            h[k] = w.grad.flatten()[k]
        diagonals.append(h.view_as(w))
    return diagonals


def hides_negative_curvature(loss, parameters):
    """Your curvatures are never negative, but away from a minimum some truly are. Return what it is; whoever uses it
    may decide."""
    return [h.clamp_min(0) for h in hessian_diagonal(loss, parameters)]


def hessian_by_loop(loss, parameters):
    slopes = torch.autograd.grad(loss, parameters, create_graph=True)
    diagonals = []
    for slope, w in zip(slopes, parameters, strict=True):
        entries = [
            torch.autograd.grad(one, w, retain_graph=True)[0].flatten()[place]
            for place, one in enumerate(slope.flatten())
        ]
        diagonals.append(torch.stack(entries).view_as(w))
    return diagonals


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


def cell_saliency_by_einsum(w, h):
    return torch.einsum("ji...,ji...->i", w**2, h) / 2


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


def step_by_minimum_and_maximum(w, gradient, lr):
    return torch.minimum(torch.maximum(w - lr * gradient, torch.tensor(-1.0)), torch.tensor(1.0))


# stochastic_binarize


def _toss(w, probability, generator):
    b = torch.where(torch.rand(w.shape, generator=generator) < probability, 1.0, -1.0)
    return b + w - w.detach()


def uses_the_soft_sigmoid(w, generator):
    """You used the logistic sigmoid. It never reaches 0 or 1: a weight of +1 would come out as −1 every fourth time.
    The hard sigmoid is certain there."""
    return _toss(w, w.sigmoid(), generator)


def takes_the_weight_as_probability(w, generator):
    """You used the weight itself as the probability of +1. A weight of 0 should be an even coin, but is always −1
    here: shift and halve first."""
    return _toss(w, w.clamp(0, 1), generator)


def tosses_no_coin(w, generator):
    """There is no chance in it: this is the sign again. Compare the probability with a random number, not with ½."""
    return binarize_weights(w)


def tosses_without_gradient(w, generator):
    """The values are right, but no gradient arrives at w. It passes straight through, as in binarize_weights."""
    return _toss(w, ((w + 1) / 2).clamp(0, 1), generator).detach()


def tosses_from_the_global_source(w, generator):
    """The same generator state gives you other signs each time: these random numbers do not come from it."""
    b = torch.where(torch.rand(w.shape) < (w + 1) / 2, 1.0, -1.0)
    return b + w - w.detach()


def tosses_from_a_seed_of_its_own(w, generator):
    """You get the same signs however often you ask: the coins come from a generator that you made anew, with a fixed seed.
    Draw from the one that you are given."""
    return _toss(w, ((w + 1) / 2).clamp(0, 1), torch.Generator().manual_seed(0))


def tosses_one_coin_for_all(w, generator):
    """All weights share one random number here: they flip together. Each weight needs a coin of its own; look at the size
    that you ask random numbers for."""
    b = torch.where(torch.rand(1, generator=generator) < (w + 1) / 2, 1.0, -1.0)
    return b + w - w.detach()


def tosses_one_coin_per_row(w, generator):
    """The weights of a row share one random number here: each is right on average, but they flip together. Ask for as many
    random numbers as there are weights."""
    b = torch.where(torch.rand(len(w), 1, generator=generator) < (w + 1) / 2, 1.0, -1.0)
    return b + w - w.detach()


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


def activates_without_gradient(x):
    """The values are right, but no gradient arrives: whatever lies below this layer cannot learn."""
    return torch.where(x >= 0, 1.0, -1.0)


def activation_by_hardtanh(x):
    y = F.hardtanh(x)
    return torch.where(x >= 0, 1.0, -1.0) + y - y.detach()


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


def scaled_by_norms(w):
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
    ],
    "prune_smallest": [
        deletes_the_largest,
        marks_what_goes,
        keeps_the_fraction,
        compares_with_the_fraction,
        rounds_down,
        cuts_at_a_threshold,
    ],
    "hessian_diagonal": [
        returns_the_gradient,
        squares_the_gradient,
        sums_whole_rows,
        leaves_gradients_behind,
        hides_negative_curvature,
    ],
    "obd_saliency": [forgets_the_half, forgets_the_square, takes_magnitudes, asks_only_for_the_magnitude],
    "cell_saliency": [
        sums_over_the_fan_in,
        averages_the_fan_out,
        ignores_the_curvature,
        adds_before_squaring,
    ],
    "binarize_weights": [
        sign_of_zero_is_zero,
        lets_no_gradient_through,
        stops_the_gradient_outside,
        binarizes_to_zero_and_one,
        overwrites_the_real_weight,
    ],
    "binaryconnect_step": [forgets_to_clip, steps_from_the_sign, clips_the_gradient, walks_uphill],
    "stochastic_binarize": [
        uses_the_soft_sigmoid,
        takes_the_weight_as_probability,
        tosses_no_coin,
        tosses_without_gradient,
        tosses_from_the_global_source,
        tosses_from_a_seed_of_its_own,
        tosses_one_coin_for_all,
        tosses_one_coin_per_row,
    ],
    "binary_activation": [
        never_stops_the_gradient,
        activates_with_torch_sign,
        borrows_the_slope_of_tanh,
        activates_without_gradient,
    ],
    "scaled_binary": [
        scales_the_layer_as_a_whole,
        scales_by_the_input,
        scales_by_the_largest,
        forgets_the_scale,
        scales_with_torch_sign,
        scales_the_gradient_too,
        lets_alpha_have_a_gradient,
    ],
}

ALTERNATIVES = {
    "proximal_step": [proximal_by_softshrink, proximal_by_clamping],
    "prune_smallest": [prune_by_topk, prune_by_rank],
    "hessian_diagonal": [hessian_by_loop],
    "obd_saliency": [obd_by_product],
    "cell_saliency": [cell_saliency_by_einsum],
    "binarize_weights": [binarize_by_autograd_function, binarize_by_adding_the_difference],
    "binaryconnect_step": [step_by_minimum_and_maximum],
    "stochastic_binarize": [stochastic_by_bernoulli, stochastic_from_above],
    "binary_activation": [activation_by_hardtanh],
    "scaled_binary": [scaled_by_norms],
}
