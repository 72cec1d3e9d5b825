"""Simpler models by pruning: which weights, cells and inputs can go without the network noticing?

Small weights (magnitude) · weights whose removal the loss hardly feels (Optimal Brain Damage) · whole
cells and inputs, by the sum over what leaves them (Optimal Cell Damage) · weights that an L1 penalty
drives to zero while training.

Source: LeCun, Denker & Solla (1990), "Optimal Brain Damage"; Cibas, Fogelman-Soulié, Gallinari & Raudys
(1994), "Variable selection with Optimal Cell Damage".
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


def magnitude_saliency(w: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Rate each weight by its size: the simplest guess at how much it matters.

    Formula: s_k = |w_k|.

    Returns a tensor shaped like w, ≥ 0: the smaller, the sooner it is deleted.
    Source: the rule that LeCun et al. (1990), section 1, start from and improve.
    """
    return w.abs()


def hessian_diagonal(loss: Float[Tensor, ""], parameters: Sequence[Tensor]) -> list[Tensor]:
    """Measure how curved the loss is along every single weight.

    Formula: h_kk = ∂²L / ∂w_k².

    loss: one number, computed from the parameters and still attached to them (not detached, no .item()).
    parameters: the weight tensors, with requires_grad.
    Returns one tensor per parameter, shaped like it. A parameter along which the loss is straight has zeros, whether
    its slope hangs on other parameters or on nothing.
    Costs one backward pass for every weight: for small networks.
    The parameters' .grad stays as it was.
    Raises ValueError when the loss is not a single number; one of shape (1,) is.
    Source: LeCun et al. (1990), section 2.2.
    """
    if loss.numel() != 1:
        raise ValueError(
            f"the loss must be a single number, not {tuple(loss.shape)}: sum or average it first"
        )
    slopes = torch.autograd.grad(loss, parameters, create_graph=True, materialize_grads=True)
    diagonal = [w.new_zeros(w.numel()) for w in parameters]
    for h, slope, w in zip(diagonal, slopes, parameters, strict=True):
        for k, one in enumerate(slope.flatten() if slope.requires_grad else ()):
            (row,) = torch.autograd.grad(one, [w], retain_graph=True, allow_unused=True)
            if row is not None:  # None: this slope is the same everywhere
                h[k] = row.flatten()[k]
    return [h.view(w.shape) for h, w in zip(diagonal, parameters, strict=True)]


def gauss_newton_diagonal(model: nn.Module, x: Float[Tensor, "batch *input"]) -> list[Tensor]:
    """Estimate how curved a classifier's loss is along every weight, without second derivatives.

    Formula: h_kk ≈ 1/N Σ_n Σ_c p_nc (∂ log p_nc / ∂w_k)², with p_n = softmax(model(x_n)).

    This drops the curvature of the network itself and keeps that of the softmax and its mean
    cross-entropy; exact where the logits are linear in the weights. It is never negative, and needs no
    labels.
    model: maps a batch of inputs to logits; in evaluation mode, without batch statistics.
    Returns one tensor for each of model.parameters(), shaped like it.
    Source: LeCun et al. (1990), section 2.2 (Levenberg–Marquardt approximation); Schraudolph (2002),
    section 3.
    """
    weights = {name: w.detach().requires_grad_() for name, w in model.named_parameters()}
    total = [torch.zeros_like(w) for w in weights.values()]
    for one in x:
        with torch.enable_grad():
            logits = torch.func.functional_call(model, weights, one.unsqueeze(0))
            log_p = logits.log_softmax(-1).squeeze(0)
        for log_p_c in log_p:
            slopes = torch.autograd.grad(log_p_c, list(weights.values()), retain_graph=True)
            for h, slope in zip(total, slopes, strict=True):
                h += log_p_c.detach().exp() * slope**2
    return [h / len(x) for h in total]


def obd_saliency(w: Float[Tensor, "*shape"], h: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Predict how much the loss rises when a weight is deleted.

    Formula: s_k = h_kk w_k² / 2: what is left of the Taylor series at a minimum, where the gradient is
    zero, with everything off the Hessian's diagonal neglected.

    h: the diagonal of the Hessian, shaped like w.
    Returns a tensor shaped like w, in the unit of the loss.
    Source: LeCun et al. (1990), eq. 3 and step 4 of the recipe.
    """
    return h * w**2 / 2


def cell_saliency(
    w: Float[Tensor, "following cells *kernel"], h: Float[Tensor, "following cells *kernel"]
) -> Float[Tensor, " cells"]:
    """Rate a whole cell, or an input, by all the weights that leave it: can it be deleted altogether?

    Formula: S_i = Σ_{j ∈ fan-out(i)} h_ji w_ji² / 2.

    w: the weight of the layer that follows the cells, as torch keeps it: w[j, i] leads from cell i to cell
    j. For a convolution, the cells are its input channels.
    h: the diagonal of the Hessian, shaped like w.
    Returns one number per cell. With the first layer's weight, the cells are the inputs: one number per
    pixel.
    Source: Cibas et al. (1994), the usefulness of a variable.
    """
    return (h * w**2 / 2).transpose(0, 1).flatten(1).sum(1)


def prune_smallest(saliency: Float[Tensor, "*shape"], fraction: float) -> Bool[Tensor, "*shape"]:
    """Decide which weights stay: delete the given share, the least salient first.

    Formula: keep_k = False for the round(fraction · n) smallest saliencies among all n, else True.

    saliency: of any shape; all its entries compete with each other. To let several layers compete, join
    them first.
    fraction: the share to delete, from 0 to 1.
    Returns the keep mask, Boolean and shaped like saliency: w * keep is the pruned weight. Which ones of equal
    saliencies go is up to you, but never more, nor fewer, than asked for.
    Raises ValueError when the fraction does not lie between 0 and 1.
    Source: LeCun et al. (1990), step 5 of the recipe.
    """
    if not 0 <= fraction <= 1:
        raise ValueError(f"the fraction is a share between 0 and 1, not {fraction}")
    order = saliency.flatten().argsort(stable=True)
    keep = torch.ones(saliency.numel()).to(saliency.device) > 0
    keep[order[: round(fraction * saliency.numel())]] = False
    return keep.view(saliency.shape)


def proximal_step(
    w: Float[Tensor, "*shape"], gradient: Float[Tensor, "*shape"], lr: float, l1: float = 0.0, l2: float = 0.0
) -> Float[Tensor, "*shape"]:
    """Train with L1 and L2 penalties so that L1 leaves exact zeros: first walk downhill, then shrink.

    Formula: u = w − lr·(∂L/∂w + 2·l2·w), then w ← sign(u)·max(|u| − lr·l1, 0). It minimises L + l1·Σ|w| +
    l2·Σw².

    gradient: ∂L/∂w, of the loss alone.
    lr: the step size. l1, l2: the strengths of the penalties, ≥ 0.
    Returns the new weight; w itself is not changed.
    Source: Beck & Teboulle (2009), "A fast iterative shrinkage-thresholding algorithm", eq. 1.4 (proximal
    gradient).
    """
    u = w - lr * (gradient + 2 * l2 * w)
    return u.sign() * (u.abs() - lr * l1).clamp_min(0.0)
