"""Linear models: the only ones whose weights are their own explanation.

A row of ``x`` is an example, a column a feature. Nothing here has an intercept: centre the data instead.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def linear_scores(x: Float[Tensor, "n d"], w: Float[Tensor, "d *classes"]) -> Float[Tensor, "n *classes"]:
    """The weighted sum of the features, for every example.

    f(x) = wᵀx = Σ_j w_j x_j

    x: one row per example, one column per feature. w: one weight per feature; or one column of weights per
    class, and then there is a score per class. Unit of w_j: score per unit of feature j.
    """
    return x @ w


def regularized_cost(
    w: Float[Tensor, " d"], x: Float[Tensor, "n d"], y: Float[Tensor, " n"], penalty: float
) -> Float[Tensor, ""]:
    """How badly w predicts y, plus what large weights cost.

    C(w) = Σ_i (wᵀx_i − y_i)² + penalty · ‖w‖²,  ‖w‖² = Σ_j w_j²

    A sum over the n examples, not a mean: with more examples the penalty counts less.
    Source: Hoerl & Kennard (1970), Ridge regression.
    """
    return ((x @ w - y) ** 2).sum() + penalty * (w**2).sum()


def cost_gradient(
    w: Float[Tensor, " d"], x: Float[Tensor, "n d"], y: Float[Tensor, " n"], penalty: float
) -> Float[Tensor, " d"]:
    """The direction in which the regularized cost grows fastest; learning walks the other way.

    ∇C(w) = (∂C/∂w_1, …, ∂C/∂w_d)  of  C(w) = Σ_i (wᵀx_i − y_i)² + penalty · ‖w‖²

    Work it out on paper first; autograd is for checking it.
    """
    return 2 * x.T @ (x @ w - y) + 2 * penalty * w


def fit_ridge(
    x: Float[Tensor, "n d"], y: Float[Tensor, "n *targets"], penalty: float
) -> Float[Tensor, "d *targets"]:
    """The weights at which the regularized cost is smallest, in closed form.

    w* = argmin_w Σ_i (wᵀx_i − y_i)² + penalty · ‖w‖²,  found where the gradient is zero

    y: one number per example, or one column per target, each fitted on its own.
    Raises ValueError for a negative penalty, and where the data leave w open and no penalty decides: with a
    feature that is always 0, say, or one that repeats others.
    Source: Hoerl & Kennard (1970), Ridge regression, eq. 2.1.
    """
    _check_penalty(penalty)
    if penalty == 0 and torch.linalg.matrix_rank(x) < x.shape[1]:
        raise ValueError("Some features repeat others, so that w is not determined: use a penalty > 0.")
    identity = torch.eye(x.shape[1]).to(x)
    return torch.linalg.solve(x.T @ x + penalty * identity, x.T @ y)


def soft_threshold(w: Float[Tensor, "*shape"], threshold: float) -> Float[Tensor, "*shape"]:
    """Every weight moved towards zero by the threshold; those that would cross zero stay there.

    S(w) = argmin_v ½ (v − w)² + threshold · |v|,  for each entry on its own

    Source: Tibshirani (1996), Regression shrinkage and selection via the lasso, section 2.2.
    """
    return w.sign() * (w.abs() - threshold).clamp(min=0)


def fit_lasso(
    x: Float[Tensor, "n d"], y: Float[Tensor, " n"], penalty: float, steps: int = 1000
) -> Float[Tensor, " d"]:
    """Weights that predict y while as few as possible of them differ from zero.

    w* = argmin_w ½ Σ_i (wᵀx_i − y_i)² + penalty · ‖w‖₁,  ‖w‖₁ = Σ_j |w_j|

    Starts at zero and makes two moves, ``steps`` times: a step of length 1/L down the gradient of the halved squared
    error, then soft_threshold by penalty/L. L is the largest curvature of that error: the square of the largest
    singular value of x.
    Raises ValueError for a negative penalty.
    Source: Daubechies, Defrise & De Mol (2004), An iterative thresholding algorithm.
    """
    _check_penalty(penalty)
    curvature = torch.linalg.matrix_norm(x, ord=2) ** 2
    w = x.new_zeros(x.shape[1])
    for _ in range(steps):
        w = soft_threshold(w - x.T @ (x @ w - y) / curvature, penalty / curvature)
    return w


def standardize(x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """All features on one scale: each column with mean 0 and standard deviation 1.

    x_ij → (x_ij − μ_j) / σ_j,  μ_j and σ_j over the examples (dividing by n);  a constant column becomes 0

    Afterwards the unit of every weight is the same: score per standard deviation.
    """
    shifted = x - x[:1]  # a constant column is exactly 0 now, whatever its mean would have been rounded to
    centred = shifted - shifted.mean(dim=0)
    deviation = centred.square().mean(dim=0).sqrt()
    return centred / deviation.where(deviation > 0, 1)


def feature_relevance(w: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """How much the score of a linear model depends on each feature.

    R_j = |w_j|,  the change of the score when feature j changes by one unit

    Features can be compared only when they are on one scale.
    """
    return w.abs()


def softmax_gradient(
    w: Float[Tensor, "d classes"], x: Float[Tensor, "n d"], labels: Int[Tensor, " n"], penalty: float
) -> Float[Tensor, "d classes"]:
    """The gradient of softmax regression's cost: a linear model with one column of weights per class.

    C(w) = −1/n Σ_i log p_i,labels_i + penalty/2 · ‖w‖²,  p_ik = exp(s_ik) / Σ_l exp(s_il),  s_ik = w_kᵀx_i

    Worked out on paper, it says: features, weighted by how far each probability is from what the label wants.
    """
    p = linear_scores(x, w).softmax(dim=1)
    wanted = torch.nn.functional.one_hot(labels, w.shape[1])
    return x.T @ (p - wanted) / len(x) + penalty * w


def fit_softmax(
    x: Float[Tensor, "n d"], labels: Int[Tensor, " n"], classes: int, penalty: float, steps: int, rate: float
) -> Float[Tensor, "d classes"]:
    """Softmax regression, learned by going down its gradient with momentum (Nesterov), from zero.

    w ← v − rate · ∇C(v),  v ← w + momentum · (w − w before),  momentum = (step − 1) / (step + 2)
    """
    w = ahead = x.new_zeros(x.shape[1], classes)
    for step in range(1, steps + 1):
        before, w = w, ahead - rate * softmax_gradient(ahead, x, labels, penalty)
        ahead = w + (step - 1) / (step + 2) * (w - before)
    return w


def _check_penalty(penalty: float) -> None:
    if not penalty >= 0:
        raise ValueError(f"The penalty must be 0 or more; it is {penalty}.")
