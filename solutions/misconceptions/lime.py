"""What people write in chapter 7, and what helps them."""

import itertools
import math

import numpy as np
import torch
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from torch.nn import functional as F

from solutions.lime import apply_masks, fit_surrogate, locality_weights, sample_masks

# sample_masks


def forgets_the_image_itself(segments, samples, generator):
    """Row 0 is a random mask like all the others here. The surrogate then never sees the image that it is meant to
    explain: the one sample that is sure to be local is missing."""
    n = int(segments.max()) + 1
    return torch.randint(0, 2, (samples, n), generator=generator).float()


def adds_the_image_on_top(segments, samples, generator):
    """That is one mask too many: the row of ones came on top of all the others. It is one of the samples that were
    asked for."""
    masks = torch.randint(0, 2, (samples, int(segments.max()) + 1), generator=generator).float()
    return torch.cat([torch.ones_like(masks[:1]), masks])


def hides_one_segment_at_a_time(segments, samples, generator):
    """Each of your masks hides a single segment, all the others stay. That is occlusion: it never shows what two
    segments do together. Every segment should get a coin of its own."""
    n = int(segments.max()) + 1
    masks = torch.ones(samples, n)
    masks[torch.arange(samples), torch.randint(0, n, (samples,), generator=generator)] = 0
    masks[0] = 1
    return masks


def tosses_one_coin_per_sample(segments, samples, generator):
    """All segments of a sample share one coin here: an image is either whole or gone. No segment can be told from
    another then. Look at the size that you ask random numbers for."""
    n = int(segments.max()) + 1
    masks = torch.randint(0, 2, (samples, 1), generator=generator).float().expand(-1, n).clone()
    masks[0] = 1
    return masks


def ignores_the_generator(segments, samples, generator):
    """The same generator state gives you other masks each time: these numbers come from torch's global source. Hand
    the generator on, or nobody can ever repeat your explanation."""
    masks = torch.randint(0, 2, (samples, int(segments.max()) + 1)).float()
    masks[0] = 1
    return masks


def seeds_a_generator_of_its_own(segments, samples, generator):
    """You get the same masks however often you ask: the coins come from a generator that you made anew, with a fixed
    seed. Nobody can ask twice then. Draw from the one that you are given."""
    own = torch.Generator().manual_seed(0)
    masks = torch.randint(0, 2, (samples, int(segments.max()) + 1), generator=own).float()
    masks[0] = 1
    return masks


def returns_probabilities(segments, samples, generator):
    """These are uniform numbers between 0 and 1, not coins: a segment is visible or it is not. There is one
    comparison missing."""
    masks = torch.rand(samples, int(segments.max()) + 1, generator=generator)
    masks[0] = 1
    return masks


def forgets_the_last_segment(segments, samples, generator):
    """One column is missing. Segments are numbered from 0, so there is one more of them than the largest number says."""
    masks = torch.randint(0, 2, (samples, int(segments.max())), generator=generator).float()
    masks[0] = 1
    return masks


def begins_with_an_empty_image(segments, samples, generator):
    """Row 0 is all zeros here: everything hidden. The first sample is the image itself, with everything visible."""
    masks = torch.randint(0, 2, (samples, int(segments.max()) + 1), generator=generator).float()
    masks[0] = 0
    return masks


def ends_with_the_image(segments, samples, generator):
    """The row of ones stands last. It belongs first: who needs the image itself looks for it in row 0."""
    masks = torch.randint(0, 2, (samples, int(segments.max()) + 1), generator=generator).float()
    masks[-1] = 1
    return masks


def tosses_for_every_pixel(segments, samples, generator):
    """Every pixel has a column of its own here. A column is a segment: all its pixels share one coin."""
    masks = torch.randint(0, 2, (samples, segments.numel()), generator=generator).float()
    masks[0] = 1
    return masks


def _refuse(segments, samples):
    if samples < 1 or sorted(set(segments.flatten().tolist())) != list(range(int(segments.max()) + 1)):
        raise ValueError("segments 0, 1, … and at least one sample, please")


def coins_from_uniform_numbers(segments, samples, generator):
    _refuse(segments, samples)
    masks = torch.rand(samples, len(segments.unique()), generator=generator) < 0.5
    masks[0] = True
    return masks


def coins_from_numpy(segments, samples, generator):
    _refuse(segments, samples)
    masks = (torch.rand(samples, len(segments.unique()), generator=generator) > 0.5).numpy().astype(float)
    masks[0] = 1
    return masks


def coins_by_bernoulli(segments, samples, generator):
    _refuse(segments, samples)
    n = int(segments.max()) + 1
    rest = torch.bernoulli(torch.full((samples - 1, n), 0.5), generator=generator)
    return torch.cat([torch.ones(1, n), rest])


# apply_masks


def hides_what_should_stay(image, segments, masks, fill=0.0):
    """Here 1 hides and 0 shows, the other way round. The row of ones must give the image itself."""
    return apply_masks(image, segments, 1 - masks, fill)


def paints_black(image, segments, masks, fill=0.0):
    """Hidden segments are always black here: multiplying by the mask forgets the fill. Black is a colour like any
    other, and on some images the loudest one."""
    return apply_masks(image, segments, masks, 0.0)


def adds_the_fill_everywhere(image, segments, masks, fill=0.0):
    """The fill also brightens what should be visible: it was added to the whole image instead of only where the
    mask is 0."""
    return apply_masks(image, segments, masks, 0.0) + fill


def counts_segments_from_one(image, segments, masks, fill=0.0):
    """Each segment obeys the coin of its left neighbour in the table: column 0 belongs to segment 0, so nothing is
    to be subtracted from the segment's number."""
    return apply_masks(image, (segments - 1) % masks.shape[1], masks, fill)


def paints_on_one_copy(image, segments, masks, fill=0.0):
    """Each picture also lacks what the samples before it hid: all of them are painted on one copy, or on the image itself. Every sample begins
    with a fresh copy of the image."""
    pictures = apply_masks(image, segments, masks, fill)
    hidden = (1 - masks).cumsum(0).clamp_max(1)
    return apply_masks(image, segments, 1 - hidden, fill) + 0 * pictures


def returns_one_picture_many_times(image, segments, masks, fill=0.0):
    """All your pictures are the same one, without everything that any of the masks hides: for example when one picture is painted again and again,
    and put into the list each time. Every sample begins with a fresh copy of the image."""
    return apply_masks(image, segments, masks.amin(0, keepdim=True).expand_as(masks), fill)


def paints_the_first_channel_only(image, segments, masks, fill=0.0):
    """Only the first channel is painted over; the others still show what should be hidden. All channels of a hidden pixel get the fill."""
    pictures = image.expand(len(masks), *image.shape).clone()
    pictures[:, 0] = apply_masks(image, segments, masks, fill)[:, 0]
    return pictures


def paints_all_channels_alike(image, segments, masks, fill=0.0):
    """Every channel gets the first channel's fill. A fill may have a number of its own for each channel."""
    return apply_masks(image, segments, masks, fill[:1] if isinstance(fill, torch.Tensor) else fill)


def multiplies_the_fill(image, segments, masks, fill=0.0):
    """Hidden pixels are dimmed here: they are the image times the fill. A hidden pixel shows the fill and nothing of the image."""
    return apply_masks(image, segments, masks, image * fill)


def apply_masks_by_painting(image, segments, masks, fill=0.0):
    pictures = image.expand(len(masks), *image.shape).clone()
    paint = torch.as_tensor(fill).expand(image.shape)
    for row, mask in enumerate(masks):
        for number in range(len(mask)):
            if mask[number] == 0:
                pictures[row][:, segments == number] = paint[:, segments == number].to(pictures)
    return pictures


def apply_masks_by_arithmetic(image, segments, masks, fill=0.0):
    visible = masks[:, None, segments]
    return visible * image + (1 - visible) * fill


# locality_weights


def weighs_by_similarity(masks, width):
    """The kernel got the cosine itself, not the distance: whatever is most like the image gets the smallest weight.
    The full image must weigh 1."""
    cosine = F.cosine_similarity(masks, torch.ones_like(masks), dim=-1)
    return torch.exp(-(cosine**2) / width**2)


def forgets_to_square_the_distance(masks, width):
    """This is exp(−d/width²): the distance has not been squared, and near samples lose weight much too soon."""
    distance = 1 - F.cosine_similarity(masks, torch.ones_like(masks), dim=-1)
    return torch.exp(-distance / width**2)


def forgets_to_square_the_width(masks, width):
    """This is exp(−d²/width): the width has not been squared. It is measured like the distance, and d/width should be squared as a
    whole."""
    distance = 1 - F.cosine_similarity(masks, torch.ones_like(masks), dim=-1)
    return torch.exp(-(distance**2) / width)


def forgets_both_squares(masks, width):
    """This is exp(−d/width), without any square. Such a kernel has a peak at the image itself instead of a bell: the formula squares both."""
    distance = 1 - F.cosine_similarity(masks, torch.ones_like(masks), dim=-1)
    return torch.exp(-distance / width)


def lets_the_weights_sum_to_one(masks, width):
    """Your weights sum to 1. The formula does not divide by their sum: the full image weighs exactly 1."""
    weights = _weights(masks, width)
    return weights / weights.sum(-1, keepdim=True)


def gives_an_empty_image_no_weight(masks, width):
    """A mask that shows nothing at all gets the weight 0 here. It counts as distance 1: far away, but not infinitely far."""
    return torch.where(masks.sum(-1) == 0, 0.0, _weights(masks, width))


def takes_an_empty_image_for_a_full_one(masks, width):
    """A mask that shows nothing at all gets the weight 1 here, as if it were the image itself. It counts as distance 1."""
    return torch.where(masks.sum(-1) == 0, 1.0, _weights(masks, width))


def divides_nothing_by_nothing(masks, width):
    """A mask that shows nothing at all gives NaN here: its length is 0, and its cosine 0/0. It counts as distance 1."""
    return torch.where(masks.sum(-1) == 0, math.nan, _weights(masks, width))


def returns_the_distances(masks, width):
    """These are the distances: 0 for the full image, and more the more is hidden. A weight falls with the distance; the kernel is missing."""
    return 1 - F.cosine_similarity(masks, torch.ones_like(masks), dim=-1)


def _weights(masks, width):
    distance = 1 - F.cosine_similarity(masks, torch.ones_like(masks), dim=-1)
    return torch.exp(-(distance**2) / width**2)


def takes_the_root_of_the_kernel(masks, width):
    """This is the square root of the kernel in the formula: half of d²/width² stands in your exponent, as with the 2σ² of the normal
    distribution. The lime package does so, too; the two agree once width has been divided by √2."""
    return _weights(masks, width).sqrt()


def measures_the_share_that_is_hidden(masks, width):
    """You used the share of hidden segments as the distance. It is close, but the formula has the cosine: half of
    the segments hidden is a distance of 1 − √½ = 0.29, not of 0.5."""
    return torch.exp(-((1 - masks.mean(-1)) ** 2) / width**2)


def measures_euclidean_distance(masks, width):
    """You used the Euclidean distance, the root of the number of hidden segments. It grows with the number of
    segments, and almost all weights vanish; the cosine distance stays between 0 and 1."""
    return torch.exp(-((1 - masks) ** 2).sum(-1) / width**2)


def weights_by_cosine_similarity(masks, width):
    if not width > 0:
        raise ValueError("a positive width, please")
    distance = 1 - F.cosine_similarity(masks, torch.ones_like(masks), dim=-1)
    return torch.exp(-((distance / width) ** 2))


def weights_by_counting(masks, width):
    if width <= 0:
        raise ValueError(width)
    share = masks.mean(-1)  # of a 0/1 row: its cosine with the row of ones is √share
    return torch.exp(-((1 - share.sqrt()) ** 2) / width**2)


# fit_surrogate


def forgets_the_weights(masks, y, weights, penalty=1.0):
    """All samples count alike here, the ones with everything hidden too. This is a global explanation: the weights
    do not occur in your fit."""
    return fit_surrogate(masks, y, torch.ones_like(weights), penalty)


def weighs_only_y(masks, y, weights, penalty=1.0):
    """The weights multiply y, but not the masks: that asks the line to reach a smaller score, not to care less. A
    weight belongs to the whole squared error of its sample."""
    return fit_surrogate(masks, weights * y, torch.ones_like(weights), penalty)


def weighs_twice(masks, y, weights, penalty=1.0):
    """The weights count squared here. Multiplying both sides by π before least squares squares it, because the error
    is squared afterwards: multiply by √π."""
    return fit_surrogate(masks, y, weights**2, penalty)


def fits_without_an_intercept(masks, y, weights, penalty=1.0):
    """Your line is forced through zero: the model would have to answer 0 when nothing is visible. Give it an
    intercept."""
    z = masks * weights.sqrt().unsqueeze(-1)
    gram = z.mT @ z + penalty * torch.eye(z.shape[-1])
    c = torch.linalg.solve(gram, z.mT @ (y * weights.sqrt()).unsqueeze(-1)).squeeze(-1)
    return c, torch.zeros_like(c[..., 0])


def penalises_the_intercept(masks, y, weights, penalty=1.0):
    """The penalty also pulls the intercept towards zero. A column of ones is convenient, but its entry in the
    penalty must be 0: only the coefficients are shrunk."""
    z = torch.cat([masks, torch.ones_like(masks[..., :1])], dim=-1) * weights.sqrt().unsqueeze(-1)
    gram = z.mT @ z + penalty * torch.eye(z.shape[-1])
    c = torch.linalg.solve(gram, z.mT @ (y * weights.sqrt()).unsqueeze(-1)).squeeze(-1)
    return c[..., :-1], c[..., -1]


def centres_without_weights(masks, y, weights, penalty=1.0):
    """The means that you subtract are plain means. For the intercept to come out right they have to be weighted,
    too: Σ π_i z'_i / Σ π_i."""
    z, rest = masks - masks.mean(-2, keepdim=True), y - y.mean(-1, keepdim=True)
    weighted = z * weights.unsqueeze(-1)
    gram = weighted.mT @ z + penalty * torch.eye(z.shape[-1])
    c = torch.linalg.solve(gram, weighted.mT @ rest.unsqueeze(-1)).squeeze(-1)
    return c, y.mean(-1) - (masks.mean(-2) * c).sum(-1)


def normalises_the_weights(masks, y, weights, penalty=1.0):
    """You divided the weights by their sum before the fit. That shrinks all the errors and leaves the penalty as it is,
    so that the penalty wins. Divide for the means only."""
    return fit_surrogate(masks, y, weights / weights.sum(-1, keepdim=True), penalty)


def forgets_the_penalty(masks, y, weights, penalty=1.0):
    """The penalty has no effect here: this is plain weighted least squares. Without it, segments that are often hidden
    together get huge coefficients of opposite sign."""
    return fit_surrogate(masks, y, weights, 0.0)


def halves_the_penalty(masks, y, weights, penalty=1.0):
    """The penalty pulls half as much as it should. Both squares have the factor 2 in their slope, and it cancels: c solves an equation with the
    whole penalty in it."""
    return fit_surrogate(masks, y, weights, penalty / 2)


def doubles_the_penalty(masks, y, weights, penalty=1.0):
    """The penalty pulls twice as much as it should, for example because the errors were given a ½, or the slope of ‖c‖² alone its 2. In the formula both
    squares count whole."""
    return fit_surrogate(masks, y, weights, 2 * penalty)


def squares_the_penalty(masks, y, weights, penalty=1.0):
    """The penalty counts squared here. Rows that are added for the penalty are squared afterwards, like errors: they must hold its root."""
    return fit_surrogate(masks, y, weights, penalty**2)


def averages_over_the_samples(masks, y, weights, penalty=1.0):
    """Your errors are averaged over the samples, the penalty is not: it wins the more, the more samples there are. The formula has a
    sum."""
    return fit_surrogate(masks, y, weights / y.shape[-1], penalty)


def returns_the_mean_as_intercept(masks, y, weights, penalty=1.0):
    """The coefficients are right; your intercept is the weighted mean of y. That is the line's height at the mean of the masks. At 0, it is ȳ − c·z̄."""
    c, _ = fit_surrogate(masks, y, weights, penalty)
    return c, (weights * y).sum(-1) / weights.sum(-1)


def returns_the_intercept_first(masks, y, weights, penalty=1.0):
    """The values are right, but they come in the wrong order: (c, b), the coefficients first."""
    c, b = fit_surrogate(masks, y, weights, penalty)
    return b, c


def _refuse_lines(masks, weights, penalty):
    """What nobody can fit a single best line to."""
    if penalty < 0:
        raise ValueError("penalty")
    if (weights.sum(-1) == 0).any():
        raise ValueError("weights")
    z = torch.cat([masks, torch.ones_like(masks[..., :1])], dim=-1) * weights.sqrt().unsqueeze(-1)
    if penalty == 0 and (torch.linalg.matrix_rank(z) < z.shape[-1]).any():
        raise ValueError("many lines")


def surrogate_by_column_of_ones(masks, y, weights, penalty=1.0):
    _refuse_lines(masks, weights, penalty)
    z = torch.cat([masks, torch.ones_like(masks[..., :1])], dim=-1).double()
    weighted = z * weights.double().unsqueeze(-1)
    shrink = penalty * torch.ones(z.shape[-1]).double()
    shrink[-1] = 0
    both = torch.linalg.solve(
        weighted.mT @ z + shrink.diag(), weighted.mT @ y.double().unsqueeze(-1)
    ).squeeze(-1)
    return both[..., :-1], both[..., -1]


def surrogate_by_scikit_learn(masks, y, weights, penalty=1.0):
    _refuse_lines(masks, weights, penalty)
    if masks.ndim == 3:
        parts = [surrogate_by_scikit_learn(*part, penalty) for part in zip(masks, y, weights, strict=True)]
        return torch.stack([c for c, _ in parts]), torch.stack([b for _, b in parts])
    ridge = Ridge(alpha=penalty).fit(masks.numpy(), y.numpy().T, weights.numpy())
    return torch.from_numpy(np.asarray(ridge.coef_)), torch.from_numpy(np.asarray(ridge.intercept_))


# lime_image


def _column(scores, target):
    return scores.movedim(-1, 0)[int(scores[0].argmax()) if target is None else target]


def forgets_locality(predict, image, segments, target, samples, generator, width=0.25, penalty=1.0, fill=0.0):
    """All samples count alike here, the nearly empty images too: locality_weights is missing, or its result is not
    handed on. What you explain is not this image, but an average over its ruins."""
    masks = sample_masks(segments, samples, generator)
    y = _column(predict(apply_masks(image, segments, masks, fill)), target)
    return fit_surrogate(masks, y, torch.ones(samples), penalty)


def forgets_the_fill(predict, image, segments, target, samples, generator, width=0.25, penalty=1.0, fill=0.0):
    """Hidden segments are black here, whatever fill was asked for: hand fill on to apply_masks."""
    masks = sample_masks(segments, samples, generator)
    y = _column(predict(apply_masks(image, segments, masks)), target)
    return fit_surrogate(masks, y, locality_weights(masks, width), penalty)


def uses_default_settings(
    predict, image, segments, target, samples, generator, width=0.25, penalty=1.0, fill=0.0
):
    """The width and the penalty that were asked for have no effect here: 0.25 and 1 are written into the calls."""
    masks = sample_masks(segments, samples, generator)
    y = _column(predict(apply_masks(image, segments, masks, fill)), target)
    return fit_surrogate(masks, y, locality_weights(masks, 0.25), 1.0)


def explains_the_absence(
    predict, image, segments, target, samples, generator, width=0.25, penalty=1.0, fill=0.0
):
    """The signs are turned round: the masks that were fitted say what is hidden, and not what is visible. The line
    must see the same masks as the model did."""
    masks = sample_masks(segments, samples, generator)
    y = _column(predict(apply_masks(image, segments, masks, fill)), target)
    return fit_surrogate(1 - masks, y, locality_weights(masks, width), penalty)


def explains_the_probability(
    predict, image, segments, target, samples, generator, width=0.25, penalty=1.0, fill=0.0
):
    """The scores went through a softmax before they were fitted. predict already returns what is to be explained;
    take its column as it is."""
    masks = sample_masks(segments, samples, generator)
    y = _column(predict(apply_masks(image, segments, masks, fill)).softmax(1), target)
    return fit_surrogate(masks, y, locality_weights(masks, width), penalty)


def explains_each_variants_own_class(
    predict, image, segments, target, samples, generator, width=0.25, penalty=1.0, fill=0.0
):
    """Without a target, you took for every variant the class that is predicted for *it*. The line then imitates a mixture
    of classes. The class in question is the one predicted for the image itself."""
    masks = sample_masks(segments, samples, generator)
    scores = predict(apply_masks(image, segments, masks, fill))
    y = scores.amax(1) if target is None else scores.movedim(-1, 0)[target]
    return fit_surrogate(masks, y, locality_weights(masks, width), penalty)


def ignores_the_width(
    predict, image, segments, target, samples, generator, width=0.25, penalty=1.0, fill=0.0
):
    """The width that was asked for has no effect here: 0.25 is written into the call, or stands there as the default. Hand width on."""
    masks = sample_masks(segments, samples, generator)
    y = _column(predict(apply_masks(image, segments, masks, fill)), target)
    return fit_surrogate(masks, y, locality_weights(masks, 0.25), penalty)


def ignores_the_penalty(
    predict, image, segments, target, samples, generator, width=0.25, penalty=1.0, fill=0.0
):
    """The penalty that was asked for has no effect here: fit_surrogate takes its default, 1. Hand penalty on."""
    masks = sample_masks(segments, samples, generator)
    y = _column(predict(apply_masks(image, segments, masks, fill)), target)
    return fit_surrogate(masks, y, locality_weights(masks, width))


def draws_the_masks_twice(
    predict, image, segments, target, samples, generator, width=0.25, penalty=1.0, fill=0.0
):
    """The line sees other masks than the model did: they were drawn anew for the fit. Nothing can be learned from such pairs, and all coefficients
    are nearly 0. Draw once, and keep them."""
    masks = sample_masks(segments, samples, generator)
    y = _column(predict(apply_masks(image, segments, masks, fill)), target)
    masks = sample_masks(segments, samples, generator)
    return fit_surrogate(masks, y, locality_weights(masks, width), penalty)


def explains_the_log_probability(
    predict, image, segments, target, samples, generator, width=0.25, penalty=1.0, fill=0.0
):
    """The scores went through a log-softmax before they were fitted: then what speaks for other classes speaks against this one. Take the column of predict
    as it is."""
    masks = sample_masks(segments, samples, generator)
    y = _column(predict(apply_masks(image, segments, masks, fill)).log_softmax(1), target)
    return fit_surrogate(masks, y, locality_weights(masks, width), penalty)


def explains_the_first_class(
    predict, image, segments, target, samples, generator, width=0.25, penalty=1.0, fill=0.0
):
    """Without a target, you explain class 0. It should be the class that is predicted for the image."""
    masks = sample_masks(segments, samples, generator)
    y = predict(apply_masks(image, segments, masks, fill)).movedim(-1, 0)[0 if target is None else target]
    return fit_surrogate(masks, y, locality_weights(masks, width), penalty)


def lime_in_one_large_batch(
    predict, image, segments, target, samples, generator, width=0.25, penalty=1.0, fill=0.0
):
    masks = torch.rand(samples, int(segments.max()) + 1, generator=generator).round()
    masks[0] = 1
    scores = predict(apply_masks(image, segments, masks, fill))
    if scores.dim() != 2:
        raise ValueError("samples and classes, please")
    target = int(scores[0].argmax()) if target is None else target
    several = [target] if isinstance(target, int) else target.tolist()
    lines = [fit_surrogate(masks, scores[:, one], locality_weights(masks, width), penalty) for one in several]
    c, b = torch.stack([line[0] for line in lines]), torch.stack([line[1] for line in lines])
    return (c[0], b[0]) if isinstance(target, int) else (c, b)


def lime_through_numpy(
    predict, image, segments, target, samples, generator, width=0.25, penalty=1.0, fill=0.0
):
    own = predict(image[None])
    if own.ndim != 2:
        raise ValueError("samples and classes, please")
    if target is None:
        target = own.argmax().item()
    masks = sample_masks(segments, samples, generator)
    y = predict(apply_masks(image, segments, masks, fill))[:, target]
    ridge = Ridge(alpha=penalty).fit(masks, y, locality_weights(masks, width))
    return ridge.coef_, ridge.intercept_


# local_fidelity


def fidelity_without_weights(masks, y, weights, coefficients, intercept):
    """Far samples count as much as near ones here: this is the ordinary R². A local line may be wrong far away."""
    return _r2(y, _line(masks, coefficients, intercept), torch.ones_like(weights))


def fidelity_around_the_plain_mean(masks, y, weights, coefficients, intercept):
    """Below the fraction bar you compare with the plain mean of y. The best constant, when samples are weighted, is
    the weighted mean."""
    left = (weights * (y - _line(masks, coefficients, intercept)) ** 2).sum(-1)
    return 1 - left / (weights * (y - y.mean(-1, keepdim=True)) ** 2).sum(-1)


def fidelity_as_correlation(masks, y, weights, coefficients, intercept):
    """This is the squared correlation. It forgives a line with the wrong slope or the wrong height; R² does not."""
    line = _line(masks, coefficients, intercept)
    share = weights / weights.sum(-1, keepdim=True)
    one = y - (share * y).sum(-1, keepdim=True)
    two = line - (share * line).sum(-1, keepdim=True)
    return (share * one * two).sum(-1) ** 2 / ((share * one**2).sum(-1) * (share * two**2).sum(-1))


def fidelity_without_the_intercept(masks, y, weights, coefficients, intercept):
    """Your line goes through zero: the intercept is missing in ŷ. Even a perfect slope looks bad then."""
    return _r2(y, _line(masks, coefficients, 0 * intercept), weights)


def returns_the_unexplained_share(masks, y, weights, coefficients, intercept):
    """This is the share that the line does not explain. A perfect line should get 1."""
    return 1 - _r2(y, _line(masks, coefficients, intercept), weights)


def fidelity_as_the_lines_own_spread(masks, y, weights, coefficients, intercept):
    """This is the spread of the line's answers, as a share of the spread of y. It equals R² for the least-squares line on its own samples only; a line that
    swings widely and is wrong would get a high mark."""
    line = _line(masks, coefficients, intercept)
    mean = (weights * y).sum(-1, keepdim=True) / weights.sum(-1, keepdim=True)
    return (weights * (line - mean) ** 2).sum(-1) / (weights * (y - mean) ** 2).sum(-1)


def fidelity_upside_down(masks, y, weights, coefficients, intercept):
    """Your fraction stands on its head: the line's errors belong above the bar, the spread of y below it."""
    return 1 - 1 / (1 - _r2(y, _line(masks, coefficients, intercept), weights))


def fidelity_never_below_zero(masks, y, weights, coefficients, intercept):
    """You never return less than 0. A line that is worse than the mean has a negative R², and one should see it."""
    return _r2(y, _line(masks, coefficients, intercept), weights).clamp_min(0)


def fidelity_as_mean_error(masks, y, weights, coefficients, intercept):
    """This is the weighted mean of the squared errors: 0 for a perfect line, and in the unit of y². R² compares it with the spread of y."""
    return (weights * (y - _line(masks, coefficients, intercept)) ** 2).sum(-1) / weights.sum(-1)


def fidelity_with_squared_weights(masks, y, weights, coefficients, intercept):
    """The weights count squared in both sums. A weight multiplies a squared error; it stands outside of the square."""
    mean = (weights * y).sum(-1, keepdim=True) / weights.sum(-1, keepdim=True)
    left = ((weights * (y - _line(masks, coefficients, intercept))) ** 2).sum(-1)
    return 1 - left / ((weights * (y - mean)) ** 2).sum(-1)


def _line(masks, coefficients, intercept):
    return (masks * coefficients.unsqueeze(-2)).sum(-1) + intercept.unsqueeze(-1)


def _r2(y, line, weights):
    mean = (weights * y).sum(-1, keepdim=True) / weights.sum(-1, keepdim=True)
    return 1 - (weights * (y - line) ** 2).sum(-1) / (weights * (y - mean) ** 2).sum(-1)


def fidelity_in_doubles(masks, y, weights, coefficients, intercept):
    parts = (part.double() for part in (masks, coefficients, intercept))
    return _r2(y.double(), _line(*parts), weights.double())


def fidelity_fit_by_fit(masks, y, weights, coefficients, intercept):
    if y.ndim > 1:
        rows = zip(y, coefficients, intercept, strict=True)
        shared = masks.ndim == 2
        return np.array(
            [
                float(
                    fidelity_fit_by_fit(
                        *((masks, row, weights) if shared else (masks[k], row, weights[k])), c, b
                    )
                )
                for k, (row, c, b) in enumerate(rows)
            ]
        )
    return r2_score(y.numpy(), (masks @ coefficients + intercept).numpy(), sample_weight=weights.numpy())


# explanation_stability


def keeps_the_sign(coefficients, k):
    """You took the k largest coefficients, not the k largest magnitudes: a segment that speaks strongly against the
    class belongs to the explanation, too."""
    return _mean_overlap([set(row.topk(k).indices.tolist()) for row in coefficients])


def divides_by_k(coefficients, k):
    """You divided by k. The formula divides by the size of the union, which is larger unless both sets agree."""
    tops = [set(row.abs().topk(k).indices.tolist()) for row in coefficients]
    shares = [len(a & b) / k for a, b in itertools.combinations(tops, 2)]
    return sum(shares) / len(shares)


def compares_with_the_first_only(coefficients, k):
    """Only pairs with the first seed are counted here. The first one may be the odd one out: take all the pairs."""
    first, *rest = (set(row.abs().topk(k).indices.tolist()) for row in coefficients)
    return sum(len(first & b) / len(first | b) for b in rest) / len(rest)


def compares_each_with_itself(coefficients, k):
    """Each explanation is also compared with itself, which always gives 1 and flatters the mean. Pairs are of two
    different seeds."""
    tops = [set(row.abs().topk(k).indices.tolist()) for row in coefficients]
    shares = [len(a & b) / len(a | b) for a, b in itertools.product(tops, tops)]
    return sum(shares) / len(shares)


def puts_tensors_into_sets(coefficients, k):
    """No two explanations ever share a feature here, not even two equal ones. That happens when sets hold tensors, for example:
    Python tells tensors apart by where they lie in memory. Make plain numbers of them first: .tolist()."""
    return 0.0 * _mean_overlap([set(row.abs().topk(k).indices.tolist()) for row in coefficients])


def counts_what_is_shared(coefficients, k):
    """This is how many features two explanations share, on average. Divide by how many occur in the one or the other."""
    tops = [set(row.abs().topk(k).indices.tolist()) for row in coefficients]
    shares = [len(a & b) for a, b in itertools.combinations(tops, 2)]
    return sum(shares) / len(shares)


def demands_the_same_rank(coefficients, k):
    """A feature only counts here if it has the same rank both times. A and B are sets: the order within them does not matter."""
    tops = coefficients.abs().topk(k).indices
    shares = []
    for a, b in itertools.combinations(tops, 2):
        same = int((a == b).sum())
        shares.append(same / (2 * k - same))
    return sum(shares) / len(shares)


def overlaps_all_at_once(coefficients, k):
    """You took what *all* explanations share over what any of them names. The formula takes two at a time, and the mean over the pairs."""
    tops = [set(row.abs().topk(k).indices.tolist()) for row in coefficients]
    return len(set.intersection(*tops)) / len(set.union(*tops))


def compares_neighbours_only(coefficients, k):
    """Only neighbouring seeds are compared here, the first with the second, the second with the third … The mean runs over all pairs."""
    tops = [set(row.abs().topk(k).indices.tolist()) for row in coefficients]
    shares = [len(a & b) / len(a | b) for a, b in itertools.pairwise(tops)]
    return sum(shares) / len(shares)


def takes_the_weakest(coefficients, k):
    """You compare the k *smallest* |coefficients|: argsort, for example, sorts upwards. The explanation is made of the largest."""
    return _mean_overlap([set((-row.abs()).topk(k).indices.tolist()) for row in coefficients])


def _mean_overlap(tops):
    shares = [len(a & b) / len(a | b) for a, b in itertools.combinations(tops, 2)]
    return sum(shares) / len(shares)


def stability_by_numpy(coefficients, k):
    seeds, features = coefficients.shape
    if seeds < 2 or k < 1 or k > features:
        raise ValueError("two seeds, and some features")
    tops = np.argsort(-np.abs(coefficients.numpy()), axis=1)[:, :k]
    pairs = [(a, b) for a in range(seeds) for b in range(a)]
    return np.mean(
        [len(np.intersect1d(tops[a], tops[b])) / len(np.union1d(tops[a], tops[b])) for a, b in pairs]
    )


def stability_by_counting(coefficients, k):
    if len(coefficients) < 2 or not 0 < k <= coefficients.shape[1]:
        raise ValueError("two seeds, and some features")
    chosen = torch.zeros_like(coefficients).scatter(
        1, coefficients.abs().argsort(1, descending=True)[:, :k], 1.0
    )
    both = chosen @ chosen.T
    overlap = both / (2 * k - both)
    rows, columns = torch.triu_indices(len(coefficients), len(coefficients), offset=1)
    return overlap[rows, columns].mean()


# select_features


def ranks_each_feature_alone(masks, y, weights, k):
    """Each feature was judged on its own. A feature that only repeats what another one already says looks strong
    then, although it adds nothing: after each choice, look at what is still unexplained."""
    z, rest = _weighted_centred(masks, y, weights)
    return ((rest @ z) ** 2 / z.square().sum(0)).argsort(descending=True)[:k]


def takes_the_largest_coefficients(masks, y, weights, k):
    """You fitted all features at once and took the largest coefficients. A coefficient depends on the unit of its
    feature: measured in millimetres instead of metres, it shrinks a thousandfold."""
    c, _ = fit_surrogate(masks, y, weights, 1e-6)
    return c.abs().argsort(descending=True)[:k]


def selects_without_weights(masks, y, weights, k):
    """Far samples count as much as near ones here: the weights do not occur. The features that matter somewhere
    else win."""
    return _forward(masks, y, torch.ones_like(weights), k)


def selects_with_squared_weights(masks, y, weights, k):
    """The weights count squared here: rows and y were multiplied by π, and least squares squares that again. Multiply
    both by √π."""
    return _forward(masks, y, weights**2, k)


def fits_only_what_is_left(masks, y, weights, k):
    """You fitted each new feature to the rest that the chosen ones left, and never fitted all of them together again. A
    feature that overlaps with a chosen one is underrated then: the others must be free to give way."""
    z, rest = _weighted_centred(masks, y, weights)
    chosen = []
    for _ in range(k):
        gain = (rest @ z) ** 2 / z.square().sum(0)
        gain[chosen] = -1
        chosen.append(int(gain.argmax()))
        best = z[:, chosen[-1]]
        rest = rest - best * (best @ rest) / best.square().sum()
    return torch.tensor(chosen)


def selects_without_intercept(masks, y, weights, k):
    """The lines that you compare have no intercept: features with a large mean win, only because they can play the
    part of a constant."""
    z = masks * weights.sqrt().unsqueeze(-1)
    return _greedy(z, y * weights.sqrt(), k)


def sorts_what_was_chosen(masks, y, weights, k):
    """These are the right features, sorted by their numbers. They are asked for in the order in which they were chosen, the best one first."""
    return torch.tensor(sorted(_forward(masks, y, weights, k).tolist()))


def chooses_the_worst_feature(masks, y, weights, k):
    """You add the feature that leaves the *largest* sum of squares. The one that leaves the least explains most."""
    z, rest = _weighted_centred(masks, y, weights)
    chosen = []
    for _ in range(k):
        free = [j for j in range(z.shape[1]) if j not in chosen]
        left = {}
        for j in free:
            some = z[:, [*chosen, j]].double()
            fitted = some @ torch.linalg.lstsq(some, rest.double().unsqueeze(-1)).solution
            left[j] = (rest.double() - fitted.squeeze(-1)).square().sum().item()
        chosen.append(max(free, key=left.__getitem__))
    return torch.tensor(chosen)


def _weighted_centred(masks, y, weights):
    share = weights / weights.sum()
    root = weights.sqrt()
    return (masks - share @ masks) * root.unsqueeze(-1), (y - share @ y) * root


def _forward(masks, y, weights, k):
    return _greedy(*_weighted_centred(masks, y, weights), k)


def _greedy(z, y, k):
    chosen = []
    for _ in range(k):
        best, least = -1, math.inf
        for j in set(range(z.shape[1])) - set(chosen):
            some = z[:, [*chosen, j]].double()
            c = torch.linalg.lstsq(some, y.double().unsqueeze(-1)).solution
            left = (y.double().unsqueeze(-1) - some @ c).square().sum().item()
            if left < least:
                best, least = j, left
        chosen.append(best)
    return torch.tensor(chosen)


def selection_by_refitting(masks, y, weights, k):
    if k < 1 or k > masks.shape[1]:
        raise ValueError(k)
    return _forward(masks, y, weights, k)


def selection_as_a_list(masks, y, weights, k):
    if k not in range(1, masks.shape[1] + 1):
        raise ValueError(k)
    chosen = []
    for _ in range(k):
        free = [j for j in range(masks.shape[1]) if j not in chosen]
        fits = {j: Ridge(alpha=0).fit(masks[:, [*chosen, j]], y, weights) for j in free}
        chosen.append(max(free, key=lambda j: fits[j].score(masks[:, [*chosen, j]], y, weights)))
    return chosen


# lime_tabular


def _tabular(predict, x, noise, z, target, weights, penalty):
    return fit_surrogate(z, _column(predict(x + noise), target), weights, penalty)


def _noise(x, samples, generator):
    z = torch.randn(samples, len(x), generator=generator)
    z[0] = 0
    return z


def _width(x, width):
    return 0.75 * math.sqrt(len(x)) if width is None else width


def ignores_the_scale(predict, x, scale, target, samples, generator, width=None, penalty=1.0):
    """Every feature got noise of the same size, whatever its unit: a step of 1 is a giant leap for one feature and
    unnoticeable for another. The model should see x + scale·z."""
    z = _noise(x, samples, generator)
    weights = torch.exp(-z.square().sum(1) / _width(x, width) ** 2)
    return _tabular(predict, x, z, z, target, weights, penalty)


def explains_per_raw_unit(predict, x, scale, target, samples, generator, width=None, penalty=1.0):
    """The line was fitted to scale·z, so each coefficient is per unit of its feature: metres and millimetres cannot
    be compared. Fit it to z, in standard deviations."""
    z = _noise(x, samples, generator)
    weights = torch.exp(-z.square().sum(1) / _width(x, width) ** 2)
    return _tabular(predict, x, scale * z, scale * z, target, weights, penalty)


def measures_distance_in_raw_units(predict, x, scale, target, samples, generator, width=None, penalty=1.0):
    """The distance was measured in the features' own units: the feature with the largest numbers alone decides what
    is near. Measure ‖z‖, in standard deviations."""
    z = _noise(x, samples, generator)
    weights = torch.exp(-(scale * z).square().sum(1) / _width(x, width) ** 2)
    return _tabular(predict, x, scale * z, z, target, weights, penalty)


def samples_around_zero(predict, x, scale, target, samples, generator, width=None, penalty=1.0):
    """The samples lie around the origin, not around x: you explain an average row of the table, not this one."""
    z = _noise(x, samples, generator)
    weights = torch.exp(-z.square().sum(1) / _width(x, width) ** 2)
    return _tabular(predict, torch.zeros_like(x), scale * z, z, target, weights, penalty)


def counts_all_rows_alike(predict, x, scale, target, samples, generator, width=None, penalty=1.0):
    """All samples count alike here, however far away they lie: the weights are missing, and so is all that is local."""
    z = _noise(x, samples, generator)
    return _tabular(predict, x, scale * z, z, target, torch.ones(samples), penalty)


def reuses_the_image_kernel(predict, x, scale, target, samples, generator, width=None, penalty=1.0):
    """You weighed with locality_weights. It asks how much of an image is visible, and calls a row of zeros the farthest of
    all; here the row of zeros is x itself. Near means that ‖z‖ is small."""
    z = _noise(x, samples, generator)
    return _tabular(predict, x, scale * z, z, target, locality_weights(z, _width(x, width)), penalty)


def never_asks_about_the_row_itself(predict, x, scale, target, samples, generator, width=None, penalty=1.0):
    """All of your variants are shaken, the first one too: x itself, the one row that is to be explained, is never asked
    about."""
    z = torch.randn(samples, len(x), generator=generator)
    weights = torch.exp(-z.square().sum(1) / _width(x, width) ** 2)
    target = int(predict(x[None]).argmax()) if target is None else target
    return fit_surrogate(z, predict(x + scale * z).movedim(-1, 0)[target], weights, penalty)


def ignores_the_penalty_of_the_table(predict, x, scale, target, samples, generator, width=None, penalty=1.0):
    """The penalty that was asked for has no effect here: fit_surrogate takes its default, 1. Hand penalty on."""
    z = _noise(x, samples, generator)
    weights = torch.exp(-z.square().sum(1) / _width(x, width) ** 2)
    return _tabular(predict, x, scale * z, z, target, weights, 1.0)


def ignores_the_width_of_the_table(predict, x, scale, target, samples, generator, width=None, penalty=1.0):
    """The width that was asked for has no effect here: it is always 0.75·√features. That is only for width = None."""
    return _weighed(predict, x, scale, target, samples, generator, _width(x, None), penalty)


def forgets_to_square_the_length(predict, x, scale, target, samples, generator, width=None, penalty=1.0):
    """This is exp(−‖z‖/width²): the length of z has not been squared, and near samples lose weight too soon."""
    z = _noise(x, samples, generator)
    weights = torch.exp(-z.norm(dim=1) / _width(x, width) ** 2)
    return _tabular(predict, x, scale * z, z, target, weights, penalty)


def explains_the_tables_first_class(predict, x, scale, target, samples, generator, width=None, penalty=1.0):
    """Without a target, you explain class 0. It should be the class that is predicted for x."""
    return _weighed(
        predict, x, scale, 0 if target is None else target, samples, generator, _width(x, width), penalty
    )


def shakes_by_uniform_noise(predict, x, scale, target, samples, generator, width=None, penalty=1.0):
    """Your noise is uniform between 0 and 1: it only ever adds, and x lies in a corner of its samples. z ~ N(0, 1) is torch.randn's."""
    z = torch.rand(samples, len(x), generator=generator)
    z[0] = 0
    weights = torch.exp(-z.square().sum(1) / _width(x, width) ** 2)
    return _tabular(predict, x, scale * z, z, target, weights, penalty)


def shakes_from_another_source(predict, x, scale, target, samples, generator, width=None, penalty=1.0):
    """The same state of the generator gives you other explanations each time: random numbers come from somewhere else, too, for example from torch's global
    source, when generator= is not handed on. Nobody can repeat them then."""
    return _weighed(predict, x, scale, target, samples, None, _width(x, width), penalty)


def _weighed(predict, x, scale, target, samples, generator, width, penalty):
    z = _noise(x, samples, generator)
    weights = torch.exp(-z.square().sum(1) / width**2)
    return _tabular(predict, x, scale * z, z, target, weights, penalty)


def tabular_feature_by_feature(predict, x, scale, target, samples, generator, width=None, penalty=1.0):
    if min(scale.tolist()) <= 0 or predict(x[None]).shape[:-1] != (1,):
        raise ValueError("positive scales, and a row of scores per row, please")
    columns = [torch.randn(samples, generator=generator) for _ in x]
    z = torch.stack(columns, dim=1)
    z[0] = 0
    distance = z.norm(dim=1)
    weights = torch.exp(-((distance / _width(x, width)) ** 2))
    return _tabular(predict, x, scale * z, z, target, weights, penalty)


MISCONCEPTIONS = {
    "sample_masks": [
        forgets_the_image_itself,
        adds_the_image_on_top,
        hides_one_segment_at_a_time,
        tosses_one_coin_per_sample,
        ignores_the_generator,
        seeds_a_generator_of_its_own,
        returns_probabilities,
        forgets_the_last_segment,
        begins_with_an_empty_image,
        ends_with_the_image,
        tosses_for_every_pixel,
    ],
    "apply_masks": [
        hides_what_should_stay,
        paints_black,
        adds_the_fill_everywhere,
        counts_segments_from_one,
        paints_on_one_copy,
        returns_one_picture_many_times,
        paints_the_first_channel_only,
        paints_all_channels_alike,
        multiplies_the_fill,
    ],
    "locality_weights": [
        weighs_by_similarity,
        forgets_to_square_the_distance,
        takes_the_root_of_the_kernel,
        measures_the_share_that_is_hidden,
        measures_euclidean_distance,
        forgets_to_square_the_width,
        forgets_both_squares,
        lets_the_weights_sum_to_one,
        gives_an_empty_image_no_weight,
        takes_an_empty_image_for_a_full_one,
        divides_nothing_by_nothing,
        returns_the_distances,
    ],
    "fit_surrogate": [
        forgets_the_weights,
        weighs_only_y,
        weighs_twice,
        fits_without_an_intercept,
        penalises_the_intercept,
        centres_without_weights,
        normalises_the_weights,
        forgets_the_penalty,
        halves_the_penalty,
        doubles_the_penalty,
        squares_the_penalty,
        averages_over_the_samples,
        returns_the_mean_as_intercept,
        returns_the_intercept_first,
    ],
    "lime_image": [
        forgets_locality,
        forgets_the_fill,
        uses_default_settings,
        explains_the_absence,
        explains_the_probability,
        explains_each_variants_own_class,
        ignores_the_width,
        ignores_the_penalty,
        explains_the_log_probability,
        explains_the_first_class,
        draws_the_masks_twice,
    ],
    "local_fidelity": [
        fidelity_without_weights,
        fidelity_around_the_plain_mean,
        fidelity_as_correlation,
        fidelity_without_the_intercept,
        returns_the_unexplained_share,
        fidelity_as_the_lines_own_spread,
        fidelity_upside_down,
        fidelity_never_below_zero,
        fidelity_as_mean_error,
        fidelity_with_squared_weights,
    ],
    "explanation_stability": [
        keeps_the_sign,
        divides_by_k,
        compares_with_the_first_only,
        compares_each_with_itself,
        puts_tensors_into_sets,
        counts_what_is_shared,
        demands_the_same_rank,
        overlaps_all_at_once,
        compares_neighbours_only,
        takes_the_weakest,
    ],
    "select_features": [
        ranks_each_feature_alone,
        takes_the_largest_coefficients,
        selects_without_weights,
        selects_with_squared_weights,
        selects_without_intercept,
        fits_only_what_is_left,
        sorts_what_was_chosen,
        chooses_the_worst_feature,
    ],
    "lime_tabular": [
        ignores_the_scale,
        explains_per_raw_unit,
        measures_distance_in_raw_units,
        samples_around_zero,
        counts_all_rows_alike,
        reuses_the_image_kernel,
        never_asks_about_the_row_itself,
        ignores_the_penalty_of_the_table,
        ignores_the_width_of_the_table,
        forgets_to_square_the_length,
        explains_the_tables_first_class,
        shakes_by_uniform_noise,
        shakes_from_another_source,
    ],
}

ALTERNATIVES = {
    "sample_masks": [coins_from_uniform_numbers, coins_from_numpy, coins_by_bernoulli],
    "apply_masks": [apply_masks_by_painting, apply_masks_by_arithmetic],
    "locality_weights": [weights_by_cosine_similarity, weights_by_counting],
    "fit_surrogate": [surrogate_by_column_of_ones, surrogate_by_scikit_learn],
    "lime_image": [lime_in_one_large_batch, lime_through_numpy],
    "local_fidelity": [fidelity_in_doubles, fidelity_fit_by_fit],
    "explanation_stability": [stability_by_counting, stability_by_numpy],
    "select_features": [selection_by_refitting, selection_as_a_list],
    "lime_tabular": [tabular_feature_by_feature],
}
