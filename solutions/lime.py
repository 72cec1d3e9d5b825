"""LIME: explain one answer of any model by a linear model fitted around it.

The decision boundary may be twisted; seen from close by, it is straight. So: perturb the input, ask the
model, weigh each answer by how near its question was, fit a straight line, read its coefficients.

Images are perturbed by hiding segments (superpixels), rows of a table by adding noise. `predict` is any
function from a batch to scores, one column per class; it is only ever called, never differentiated.

Source: Ribeiro, Singh & Guestrin (2016), "Why should I trust you?", sections 3.2 to 3.4.
"""

import itertools
import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

BATCH = 64  # perturbed images that are in memory at the same time


def sample_masks(
    segments: Int[Tensor, "height width"], samples: int, generator: Generator
) -> Float[Tensor, "samples segments"]:
    """Decide at random, for every sample, which segments of an image stay visible.

    Formula: z'_is = 1 or 0, each with probability ½, independently; the first row is all ones: the image
    itself.

    segments: the number of the segment that each pixel belongs to; n segments are numbered 0, 1, …, n−1.
    samples: how many masks, the first row included.
    generator: all random numbers come from here.
    Returns one row per sample and one column per segment: 1 = stays visible, 0 = hidden.
    Raises ValueError when the numbering of the segments has holes, or samples < 1.
    Source: Ribeiro et al. (2016), section 3.3; a fair coin per segment is what their package tosses for images.
    """
    numbers = torch.unique(segments)
    n = len(numbers)
    if not torch.equal(numbers, torch.arange(n).to(numbers)):
        raise ValueError(
            f"number the segments 0, 1, …, {n - 1} without holes: "
            "torch.unique(segments, return_inverse=True)[1] does that"
        )
    if samples < 1:
        raise ValueError(f"samples must be at least 1, the image itself, not {samples}")
    masks = torch.randint(0, 2, (samples, n), generator=generator).to(segments.device) * 1.0
    masks[0] = 1.0
    return masks


def apply_masks(
    image: Float[Tensor, "channels height width"],
    segments: Int[Tensor, "height width"],
    masks: Float[Tensor, "samples segments"],
    fill: float | Float[Tensor, "#channels #height #width"] = 0.0,
) -> Float[Tensor, "samples channels height width"]:
    """Turn every row of masks into a picture: hidden segments are painted over with the fill.

    Formula: x'_i[c, h, w] = x[c, h, w] where z'_i[segment of (h, w)] = 1, else fill[c, h, w].

    fill: one number for every pixel, or an image of the same size (a blurred one, the mean colours …).
    Returns one image per row of masks.
    Source: Ribeiro et al. (2016), section 3.3 and figure 4.
    """
    visible = masks[:, segments].unsqueeze(1) > 0.5
    return torch.where(visible, image, torch.as_tensor(fill).to(image))


def segment_means(
    image: Float[Tensor, "channels height width"], segments: Int[Tensor, "height width"]
) -> Float[Tensor, "channels height width"]:
    """Paint every segment in its own mean colour: a fill that hides detail but leaves no hole.

    Formula: m[c, h, w] = mean of x[c, ·] over the pixels of the segment that (h, w) belongs to.

    segments: the number of the segment that each pixel belongs to, 0, 1, …, n−1.
    Source: the default fill of the lime package (Ribeiro et al., 2016).
    """
    places = segments.flatten()
    size = torch.bincount(places)
    total = image.new_zeros(len(image), len(size)).index_add(1, places, image.flatten(1))
    return (total / size)[:, segments]


def locality_weights(
    masks: Float[Tensor, "*batch samples features"], width: float
) -> Float[Tensor, "*batch samples"]:
    """Weigh each sample by how much of the image is still there.

    Formula: π_i = exp(−d_i² / width²), with d_i = 1 − cos(z'_i, 1) the cosine distance to the row of ones.

    masks: 1 = visible, 0 = hidden. Nothing visible at all counts as distance 1.
    width: how far "local" reaches, in the same unit as the distance, which runs from 0 to 1.
    Returns one weight per sample, in (0, 1].
    Raises ValueError when the width is not positive.
    Source: Ribeiro et al. (2016), section 3.4: exponential kernel; the cosine distance between masks is their
    package's choice for images.
    """
    if width <= 0:
        raise ValueError(f"the width must be positive, not {width}")
    length = masks.square().sum(-1).sqrt()
    cosine = masks.sum(-1) / (length * math.sqrt(masks.shape[-1])).clamp_min(1e-12)
    return torch.exp(-((1 - cosine) ** 2) / width**2)


def fit_surrogate(
    masks: Float[Tensor, "*batch samples features"],
    y: Float[Tensor, "*batch samples"],
    weights: Float[Tensor, "*batch samples"],
    penalty: float = 1.0,
) -> tuple[Float[Tensor, "*batch features"], Float[Tensor, "*batch"]]:
    """Fit the straight line that imitates the model around the input: weighted ridge regression.

    Formula: minimise Σ_i π_i (y_i − b − c·z'_i)² + penalty·‖c‖² over c and b; the intercept b is not
    penalised.

    masks: one perturbed sample per row (0/1 for images, real numbers for tables).
    y: the model's score for the class in question, one per sample.
    weights: π, how near each sample is, ≥ 0.
    Leading axes are separate fits, and broadcast: y of shape (classes, samples) explains several classes
    at once.
    Returns (c, b): one coefficient per feature, and the intercept.
    Raises ValueError when the penalty is negative, all the weights are zero, or, without a penalty, several lines fit
    alike because features never change, or always together.
    Source: Ribeiro et al. (2016), eq. 2 and section 3.4, with a ridge penalty.
    """
    if penalty < 0:
        raise ValueError(f"the penalty must be 0 or positive, not {penalty}")
    share = weights / weights.sum(-1, keepdim=True)
    if not torch.isfinite(share).all():
        raise ValueError("all the weights are zero: choose a larger width, or more samples")
    z = masks.to(y.dtype)
    z_mean = (share.unsqueeze(-1) * z).sum(-2)
    y_mean = (share * y).sum(-1)
    z = z - z_mean.unsqueeze(-2)  # a free intercept takes care of the means
    weighted = z * weights.unsqueeze(-1)
    gram = weighted.mT @ z + penalty * torch.eye(z.shape[-1]).to(z)
    right = weighted.mT @ (y - y_mean.unsqueeze(-1)).unsqueeze(-1)
    if penalty == 0 and (torch.linalg.matrix_rank(gram, hermitian=True) < z.shape[-1]).any():
        raise ValueError(
            "many lines fit alike, as if a feature never changed: take a penalty, or more samples"
        )
    c = torch.linalg.solve(gram, right).squeeze(-1)
    return c, y_mean - (z_mean * c).sum(-1)


def local_fidelity(
    masks: Float[Tensor, "*batch samples features"],
    y: Float[Tensor, "*batch samples"],
    weights: Float[Tensor, "*batch samples"],
    coefficients: Float[Tensor, "*batch features"],
    intercept: Float[Tensor, "*batch"],
) -> Float[Tensor, "*batch"]:
    """Ask how well the line imitates the model nearby: the weighted R².

    Formula: R² = 1 − Σ π_i (y_i − ŷ_i)² / Σ π_i (y_i − ȳ)², with ŷ_i = b + c·z'_i and ȳ = Σ π_i y_i / Σ π_i.

    1 = the line says what the model says; 0 = no better than the weighted mean; below 0 = worse than that.
    Leading axes are separate fits, and broadcast, as in fit_surrogate.
    Best judged on fresh samples, which the line was not fitted to.
    Source: Ribeiro et al. (2016), L(f, g, π) of eq. 2, as the share explained.
    """
    z = masks.to(y.dtype)
    predicted = intercept.unsqueeze(-1) + (z * coefficients.unsqueeze(-2)).sum(-1)
    mean = (weights * y).sum(-1, keepdim=True) / weights.sum(-1, keepdim=True)
    unexplained = (weights * (y - predicted) ** 2).sum(-1)
    return 1 - unexplained / (weights * (y - mean) ** 2).sum(-1)


def select_features(
    masks: Float[Tensor, "samples features"],
    y: Float[Tensor, " samples"],
    weights: Float[Tensor, " samples"],
    k: int,
) -> Int[Tensor, " k"]:
    """Choose the k features that together imitate the model best, greedily: a person reads k, not two
    hundred.

    Formula: S = ∅; k times: add the feature j ∉ S for which the weighted least-squares line (with
    intercept) on S ∪ {j} leaves the smallest Σ π_i (y_i − ŷ_i)².

    Every feature is taken to vary, and none to be a copy of others.
    Returns the numbers of the features, in the order in which they were chosen.
    Raises ValueError when k is not between 1 and the number of features.
    Source: Ribeiro et al. (2016), section 3.4, choose K features with the lasso path; forward selection is
    what their package does for few features.
    """
    if not 1 <= k <= masks.shape[-1]:
        raise ValueError(f"k must lie between 1 and the number of features, {masks.shape[-1]}, not {k}")
    share, root = weights / weights.sum(), weights.sqrt()
    z = masks.to(y.dtype)
    z = (z - share @ z) * root.unsqueeze(-1)
    residual = (y - share @ y) * root
    noise = 1e-10 * z.square().sum(0).max()  # what is left of a feature that the chosen ones already say
    chosen: list[int] = []
    for _ in range(k):
        length = z.square().sum(0)
        gain = (residual @ z) ** 2 / length.clamp_min(noise)
        gain[chosen] = -1.0
        chosen.append(int(gain.argmax()))
        q = z[:, chosen[-1]] / length[chosen[-1]].clamp_min(noise).sqrt()
        residual = residual - q * (q @ residual)
        z = z - torch.outer(q, q @ z)  # from every feature, what the chosen one already says
    return torch.tensor(chosen).to(masks.device)


def lime_image(
    predict: Callable[[Tensor], Tensor],
    image: Float[Tensor, "channels height width"],
    segments: Int[Tensor, "height width"],
    target: int | Int[Tensor, " targets"] | None,
    samples: int,
    generator: Generator,
    width: float = 0.25,
    penalty: float = 1.0,
    fill: float | Float[Tensor, "#channels #height #width"] = 0.0,
) -> tuple[Float[Tensor, "*targets segments"], Float[Tensor, "*targets"]]:
    """Explain a classifier's answer on one image by its segments.

    Formula: sample masks z', ask y = predict(x')[target] for the masked images x', weigh by π, fit b + c·z'.

    predict: a batch of images (samples, channels, height, width) → scores (samples, classes).
    target: one class; or several, which all share the same samples; None = the class predicted for the image.
    samples: how many variants predict is asked about, the untouched image included.
    generator: all random numbers come from here.
    width, penalty, fill: as in locality_weights, fit_surrogate, apply_masks.
    Returns (c, b): a coefficient per segment, how much the score rises when that segment is shown, and the
    intercept; with several targets, one row for each.
    Raises ValueError when predict does not return one row per sample and one column per class.
    Source: Ribeiro et al. (2016), algorithm 1 and section 3.6.
    """
    masks = sample_masks(segments, samples, generator)
    with torch.no_grad():
        scores = torch.cat([predict(apply_masks(image, segments, some, fill)) for some in masks.split(BATCH)])
    y = scores.movedim(-1, 0)[_target(scores, target)]
    weights = locality_weights(masks.to(y), width)
    return fit_surrogate(masks, y, weights, penalty)


def _target(scores: Tensor, target: int | Tensor | None) -> int | Tensor:
    """The class asked for; the one predicted for the first sample when there is none."""
    if scores.ndim != 2:
        raise ValueError(
            f"predict must return one row per sample and one column per class, not {tuple(scores.shape)}"
        )
    return int(scores[0].argmax()) if target is None else target


def lime_tabular(
    predict: Callable[[Tensor], Tensor],
    x: Float[Tensor, " features"],
    scale: Float[Tensor, " features"],
    target: int | Int[Tensor, " targets"] | None,
    samples: int,
    generator: Generator,
    width: float | None = None,
    penalty: float = 1.0,
) -> tuple[Float[Tensor, "*targets features"], Float[Tensor, "*targets"]]:
    """Explain a classifier's answer on one row of a table by its features.

    Formula: z ~ N(0, 1), the first z = 0; y = predict(x + scale·z)[target]; π = exp(−‖z‖²/width²); fit b +
    c·z.

    predict: rows (samples, features) → scores (samples, classes).
    scale: one standard deviation of each feature; without it, metres and millimetres would not be equally
    near.
    target: one class; or several, which all share the same samples; None = the class predicted for x.
    samples: how many rows predict is asked about, x itself included.
    generator: all random numbers come from here.
    width: how far "local" reaches, in standard deviations; None = 0.75·√features.
    Returns (c, b): how much the score changes per standard deviation of each feature, and the line's value
    at x.
    Raises ValueError when a scale is not positive (a feature that never varies: leave it out), and when predict does not
    return one row per sample and one column per class.
    Source: Ribeiro et al. (2016), algorithm 1, sampling around x.
    """
    if not (scale > 0).all():
        raise ValueError("every scale must be positive: leave out the features that never vary")
    width = 0.75 * math.sqrt(len(x)) if width is None else width
    z = torch.randn(samples, len(x), generator=generator).to(x)
    z[0] = 0.0
    with torch.no_grad():
        scores = predict(x + scale * z)
    y = scores.movedim(-1, 0)[_target(scores, target)]
    weights = torch.exp(-z.square().sum(-1) / width**2)
    return fit_surrogate(z, y, weights.to(y), penalty)


def explanation_stability(coefficients: Float[Tensor, "seeds features"], k: int) -> Float[Tensor, ""]:
    """Ask whether explanations of the same answer, made with other seeds, name the same k features.

    Formula: the mean over all pairs of seeds of |A ∩ B| / |A ∪ B|, where A and B are the sets of the k
    features with the largest |coefficient| of the two.

    1 = the same k features every time; 0 = never a feature in common.
    Raises ValueError with fewer than two seeds: there is no pair then; and when k is not between 1 and the number of
    features.
    Source: the Jaccard overlap, used for LIME by Zafar & Khan (2019), "DLIME".
    """
    if len(coefficients) < 2:
        raise ValueError("stability compares explanations: give two seeds or more")
    if not 1 <= k <= coefficients.shape[1]:
        raise ValueError(f"k must lie between 1 and the number of features, {coefficients.shape[1]}, not {k}")
    tops = [set(row.abs().topk(k).indices.tolist()) for row in coefficients]
    overlaps = [len(a & b) / len(a | b) for a, b in itertools.combinations(tops, 2)]
    return torch.tensor(sum(overlaps) / len(overlaps)).to(coefficients)
