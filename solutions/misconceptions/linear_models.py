"""Chapter 1, linear models: what people really write."""

import numpy as np
import torch
from torch import Tensor

from solutions.linear import soft_threshold

# --- linear_scores


def multiplies_without_adding(x: Tensor, w: Tensor) -> Tensor:
    """Every feature has met its weight, but the products are still apart: x * w is entry by entry. A score is one
    number per example, so something has to be added up."""
    return x * w


def adds_everything_up(x: Tensor, w: Tensor) -> Tensor:
    """Added up over the features and over the examples too: one number for all. Every example should have a score of its
    own: along which axis do you add?"""
    return (x * w).sum()


def classes_before_examples(x: Tensor, w: Tensor) -> Tensor:
    """The numbers are right but lie on their side: each row should be an example and each column a class, as in x."""
    return (x @ w).t()


def averages_the_features(x: Tensor, w: Tensor) -> Tensor:
    """This is the mean of w_j x_j over the features. A score is their sum: a further feature must not make the
    others count less."""
    return x @ w / x.shape[1]


def knows_one_column_of_weights(x: Tensor, w: Tensor) -> Tensor:
    """Right where w is one column of weights; with a column per class it fails. If you multiply entry by entry, the shapes
    of x and w do not fit there: one operation of linear algebra does both."""
    return (x * w).sum(dim=1)


# --- regularized_cost


def averages_the_errors(w: Tensor, x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """The errors were averaged over the examples. The formula has a plain Σ: with a mean, the same penalty would
    weigh n times as much."""
    return ((x @ w - y) ** 2).mean() + penalty * (w**2).sum()


def halves_the_cost(w: Tensor, x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """There is a ½ before the squares. Many textbooks write it to spare a 2 in the gradient; this cost goes without."""
    return ((x @ w - y) ** 2).sum() / 2 + penalty / 2 * (w**2).sum()


def forgets_to_charge(w: Tensor, x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """These are the squared errors alone. The cost has a second term, so that large weights must be worth their price."""
    return ((x @ w - y) ** 2).sum()


def penalizes_the_unsquared_norm(w: Tensor, x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """The penalty uses ‖w‖ itself, with its square root. The formula has ‖w‖²: look at the small 2."""
    return ((x @ w - y) ** 2).sum() + penalty * w.norm()


def penalizes_absolute_weights(w: Tensor, x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """This penalty adds |w_j|: that is L1, the Lasso's, which comes later in the chapter. Here the weights are
    punished by their squares."""
    return ((x @ w - y) ** 2).sum() + penalty * w.abs().sum()


def squares_the_summed_error(w: Tensor, x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """The errors were added first and squared afterwards, so an error of +5 and one of −5 cancel. Every example's
    error must count for itself."""
    return (x @ w - y).sum() ** 2 + penalty * (w**2).sum()


def halves_the_penalty(w: Tensor, x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """The errors are right, but the weights pay half of what they should. Many textbooks write λ/2; this cost has the
    whole penalty."""
    return ((x @ w - y) ** 2).sum() + penalty / 2 * (w**2).sum()


def adds_absolute_errors(w: Tensor, x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """The errors were added by their size, without a square. One error of 10 then costs as much as ten errors of 1; squared,
    it costs ten times as much."""
    return (x @ w - y).abs().sum() + penalty * (w**2).sum()


def takes_the_length_of_the_errors(w: Tensor, x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """This has the square root of the summed squares, the length of the list of errors: what a norm gives. The formula has
    no root over its Σ."""
    return (x @ w - y).norm() + penalty * (w**2).sum()


# --- fit_ridge


def adds_the_penalty_to_every_entry(x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """XᵀX + λ in code adds λ to all entries of the matrix. On paper, λ stands on the diagonal only: differentiate
    λ Σ w_j² by one w_j and see which other weights appear."""
    return torch.linalg.solve(x.T @ x + penalty, x.T @ y)


def forgets_the_penalty(x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """These are the weights of ordinary least squares: right for penalty 0, and the same for every other penalty."""
    return torch.linalg.pinv(x) @ y


def averages_before_penalizing(x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """This minimizes the mean squared error plus the penalty, so the penalty counts n times too much. The cost above
    has a sum over the examples."""
    n, d = x.shape
    return torch.linalg.solve(x.T @ x / n + penalty * torch.eye(d), x.T @ y / n)


def subtracts_the_penalty(x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """The penalty has the wrong sign: here it makes the weights grow. Check the sign of its derivative when you set
    the gradient to zero."""
    return torch.linalg.solve(x.T @ x - penalty * torch.eye(x.shape[1]), x.T @ y)


def doubles_the_penalty_on_the_diagonal(x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """The penalty counts twice. Perhaps its derivative kept the factor 2 and the error's lost it: both terms are squares, so
    both bring one."""
    return torch.linalg.solve(x.T @ x + 2 * penalty * torch.eye(x.shape[1]), x.T @ y)


def fits_each_feature_alone(x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """Every weight was found as if its feature were the only one. Features that go together then explain the same thing
    twice: they have to be solved for together."""
    squares = x.square().sum(dim=0) + penalty
    return x.T @ y / squares.reshape(-1, *[1] * (y.ndim - 1))


# --- feature_relevance


def keeps_the_sign(w: Tensor) -> Tensor:
    """A weight of −3 moves the score as much as a weight of +3, but here it gets the lowest relevance of all. The
    sign says in which direction, not how much."""
    return w.clone()


def squares_the_weights(w: Tensor) -> Tensor:
    """The order of the features is right, the numbers are not: squared, a feature twice as strong seems four times
    as relevant. R_j should be the change of the score per unit."""
    return w**2


def divides_by_the_largest(w: Tensor) -> Tensor:
    """Scaled so that the largest is 1: good for a picture, but the unit, score per unit of the feature, is lost."""
    return w.abs() / w.abs().max()


def shares_out_the_whole(w: Tensor) -> Tensor:
    """Scaled so that all relevances add up to 1: shares are good for a pie, but the unit, score per unit of the feature, is
    lost."""
    return w.abs() / w.abs().sum()


def ignores_negative_weights(w: Tensor) -> Tensor:
    """Features with a negative weight came out with relevance 0. But the score depends on them as well: it falls when they
    grow."""
    return w.clamp(min=0)


# --- standardize


def divides_by_n_minus_one(x: Tensor) -> Tensor:
    """Almost: torch.std divides by n − 1 unless told otherwise, the formula here divides by n. With few examples the
    difference shows."""
    deviation = x.std(dim=0)
    return (x - x.mean(dim=0)) / deviation.where(deviation > 0, 1)


def leaves_it_to_torch_std(x: Tensor) -> Tensor:
    """Two small things: torch.std divides by n − 1 unless told otherwise, the formula here by n; and a column that never
    changes became 0/0."""
    return (x - x.mean(dim=0)) / x.std(dim=0)


def standardizes_the_whole_table(x: Tensor) -> Tensor:
    """One mean and one deviation for the whole table: years and mg/dl were averaged together. Each column has a scale of
    its own."""
    return (x - x.mean()) / x.std()


def standardizes_each_example(x: Tensor) -> Tensor:
    """Means and deviations were taken along each row, so an example's age was averaged with its blood pressure. The
    scale belongs to a feature: to a column."""
    return (x - x.mean(dim=1, keepdim=True)) / x.std(dim=1, correction=0, keepdim=True)


def divides_by_the_variance(x: Tensor) -> Tensor:
    """σ² was taken for σ. The variance has squared units, so a column in grams and the same column in kilograms would
    come out different."""
    variance = x.var(dim=0, correction=0)
    return (x - x.mean(dim=0)) / variance.where(variance > 0, 1)


def forgets_constant_columns(x: Tensor) -> Tensor:
    """A column that never changes has deviation 0, and 0/0 is not a number. The docstring says what becomes of it."""
    return (x - x.mean(dim=0)) / x.std(dim=0, correction=0)


def squeezes_between_zero_and_one(x: Tensor) -> Tensor:
    """Each column now runs from 0 to 1. That is another common scale, but one unusual example decides it; asked for
    are mean 0 and deviation 1."""
    low, high = x.min(dim=0).values, x.max(dim=0).values
    return (x - low) / (high - low).where(high > low, 1)


def only_centres(x: Tensor) -> Tensor:
    """Every column has mean 0 now, but the old spread: the scales are as different as before. The second half is missing."""
    return x - x.mean(dim=0)


def only_scales(x: Tensor) -> Tensor:
    """The columns were divided by their deviation, and still have a mean of their own: look at what stands above the
    fraction line."""
    deviation = x.std(dim=0, correction=0)
    return torch.where(deviation > 0, x, 0) / deviation.where(deviation > 0, 1)


def leaves_constant_columns_alone(x: Tensor) -> Tensor:
    """Right but for columns that never change: they came out as they were. The docstring says what they become; all on one
    scale means these too."""
    deviation = x.std(dim=0, correction=0)
    return torch.where(deviation > 0, (x - x.mean(dim=0)) / deviation, x)


# --- cost_gradient


def forgets_the_two(w: Tensor, x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """The direction is right, the length is half: the derivative of a square brings a factor down, and there is no ½
    in this cost."""
    return x.T @ (x @ w - y) + penalty * w


def leaves_the_penalty_flat(w: Tensor, x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """This is the gradient of the squared error alone. The penalty has a slope as well, and pulls every weight towards
    zero."""
    return 2 * x.T @ (x @ w - y)


def forgets_the_two_of_the_penalty(w: Tensor, x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """The error's part is right, the penalty's is half: it is a square too, so its derivative brings a factor down as
    well."""
    return 2 * x.T @ (x @ w - y) + penalty * w


def points_downhill(w: Tensor, x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """This is minus the gradient: it points where the cost falls. That is where learning goes, but the gradient
    itself points uphill."""
    return -2 * x.T @ (x @ w - y) - 2 * penalty * w


def averages_over_the_examples(w: Tensor, x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """The first term was divided by n, as for a mean squared error. The cost has a sum over the examples."""
    return 2 * x.T @ (x @ w - y) / len(x) + 2 * penalty * w


def forgets_the_two_of_the_error(w: Tensor, x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """The penalty's part is right, the error's is half: there is no ½ in this cost, so the derivative of each squared error
    keeps its factor 2."""
    return x.T @ (x @ w - y) + 2 * penalty * w


def pulls_every_weight_alike(w: Tensor, x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """The penalty pulls every weight equally hard, large or small. That is the slope of |w|; the slope of a square grows
    with w."""
    return 2 * x.T @ (x @ w - y) + 2 * penalty * w.sign()


# --- soft_threshold


def cuts_off_without_shrinking(w: Tensor, threshold: float) -> Tensor:
    """Small weights became zero, but large ones stayed as they were: that is hard thresholding. Here the large ones
    move towards zero too, all by the same amount."""
    return w * (w.abs() > threshold)


def loses_the_sign(w: Tensor, threshold: float) -> Tensor:
    """The sizes are right, but negative weights came out positive."""
    return (w.abs() - threshold).clamp(min=0)


def walks_through_zero(w: Tensor, threshold: float) -> Tensor:
    """Every weight moved by the full threshold, so small ones crossed zero and came out on the other side. They
    should stop there."""
    return w - threshold * w.sign()


def clips_large_weights(w: Tensor, threshold: float) -> Tensor:
    """This limits the weights to ± threshold: it keeps the small ones and cuts the large ones. It should be the other
    way round."""
    return w.clamp(-threshold, threshold)


def drops_negative_weights(w: Tensor, threshold: float) -> Tensor:
    """Positive weights are right, negative ones all became 0. A weight of −3 should move towards zero by the same amount as
    one of 3."""
    return (w - threshold).clamp(min=0)


def shrinks_by_a_factor(w: Tensor, threshold: float) -> Tensor:
    """Every weight shrank by the same factor, and none became 0: that is what the squared penalty does. |v| charges the same
    for the last unit as for the first."""
    return w / (1 + threshold)


def halves_the_threshold(w: Tensor, threshold: float) -> Tensor:
    """The weights moved by half of what they should. The ½ stands before the square, and differentiating takes it away."""
    return w.sign() * (w.abs() - threshold / 2).clamp(min=0)


# --- fit_lasso


def minimizes_the_whole_error(x: Tensor, y: Tensor, penalty: float, steps: int = 1000) -> Tensor:
    """These weights minimize Σ(wᵀx − y)² + penalty · ‖w‖₁. The cost here has a ½ before the error, so the penalty
    should count twice as much."""
    return _iterate(x, y, penalty / 2, steps)


def thresholds_by_the_whole_penalty(x: Tensor, y: Tensor, penalty: float, steps: int = 1000) -> Tensor:
    """The step was divided by L, the threshold was not. Each round walks only 1/L of the way, so it may take only
    1/L of the penalty."""
    curvature = torch.linalg.matrix_norm(x, 2) ** 2
    return _iterate(x, y, float(penalty * curvature), steps)


def thresholds_once_at_the_end(x: Tensor, y: Tensor, penalty: float, steps: int = 1000) -> Tensor:
    """The weights were learned without penalty and thresholded once at the end. But when one weight goes to zero, the
    others can still adjust: the two moves must alternate."""
    return soft_threshold(_iterate(x, y, 0.0, steps), penalty)


def shrinks_all_weights_alike(x: Tensor, y: Tensor, penalty: float, steps: int = 1000) -> Tensor:
    """No weight is exactly zero: this is the solution with the squared penalty, ‖w‖². The absolute values in ‖w‖₁ ask
    for soft_threshold."""
    return torch.linalg.solve(x.T @ x + penalty * torch.eye(x.shape[1]), x.T @ y)


def starts_at_one(x: Tensor, y: Tensor, penalty: float, steps: int = 1000) -> Tensor:
    """After many rounds the weights are right, after a few they are elsewhere: all of them set out from 1. The docstring
    says where to begin."""
    return _iterate(x, y, penalty, steps, torch.ones_like(x[0]))


def takes_the_frobenius_norm(x: Tensor, y: Tensor, penalty: float, steps: int = 1000) -> Tensor:
    """After many rounds the weights are right, after a few they lag behind: the steps are too short. A matrix has several
    norms; the default of torch's takes all entries together, and that is more than the largest singular value."""
    return _iterate(x, y, penalty, steps, curvature=x.square().sum())


def walks_one_round_less(x: Tensor, y: Tensor, penalty: float, steps: int = 1000) -> Tensor:
    """These are the weights after one round less than asked for: count the rounds."""
    return _iterate(x, y, penalty, steps - 1)


def thresholds_before_the_step(x: Tensor, y: Tensor, penalty: float, steps: int = 1000) -> Tensor:
    """The two moves were made in the other order: first the threshold, then the step downhill. A round that ends with a step
    leaves no weight at exactly zero."""
    curvature = torch.linalg.matrix_norm(x, 2) ** 2
    w = torch.zeros_like(x[0])
    for _ in range(steps):
        w = soft_threshold(w, float(penalty / curvature))
        w = w - x.T @ (x @ w - y) / curvature
    return w


def goes_weight_by_weight(x: Tensor, y: Tensor, penalty: float, steps: int = 1000) -> Tensor:
    """In the end these are the right weights, but after a few rounds they are elsewhere. This is coordinate descent, one
    weight after the other: a good method, and not the one that the docstring describes."""
    w = torch.zeros_like(x[0])
    for _ in range(min(steps, 60)):
        for j in range(len(w)):
            rest = y - x @ w + x[:, j] * w[j]
            w[j] = soft_threshold(x[:, j] @ rest, penalty) / (x[:, j] @ x[:, j])
    return w


def _iterate(
    x: Tensor,
    y: Tensor,
    penalty: float,
    steps: int,
    start: Tensor | None = None,
    curvature: Tensor | None = None,
) -> Tensor:
    curvature = torch.linalg.matrix_norm(x, 2) ** 2 if curvature is None else curvature
    w = torch.zeros_like(x[0]) if start is None else start
    for _ in range(steps):
        w = soft_threshold(w - x.T @ (x @ w - y) / curvature, float(penalty / curvature))
    return w


# --- softmax_gradient


def softmax_over_the_examples(w: Tensor, x: Tensor, labels: Tensor, penalty: float) -> Tensor:
    """The probabilities of one class add up to 1 over all examples. They should add up to 1 over the classes, for
    every example: check the axis of the softmax."""
    return _softmax_step((x @ w).softmax(dim=0), w, x, labels, penalty)


def softmax_twice(w: Tensor, x: Tensor, labels: Tensor, penalty: float) -> Tensor:
    """Softmax was applied twice: torch's cross_entropy does it itself. It wants the scores, not the probabilities."""
    w = w.clone().requires_grad_()
    cost = torch.nn.functional.cross_entropy((x @ w).softmax(1), labels) + penalty / 2 * (w**2).sum()
    return torch.autograd.grad(cost, w)[0]


def uses_the_winner_alone(w: Tensor, x: Tensor, labels: Tensor, penalty: float) -> Tensor:
    """Here the winning class counts 1 and the others 0: that is the perceptron's rule. Softmax regression asks how
    probable each class is, not only which one wins."""
    winner = torch.nn.functional.one_hot((x @ w).argmax(1), w.shape[1]).float()
    return _softmax_step(winner, w, x, labels, penalty)


def adds_over_the_examples(w: Tensor, x: Tensor, labels: Tensor, penalty: float) -> Tensor:
    """The examples were added, but this cost has a 1/n: it is a mean over them."""
    return _softmax_step((x @ w).softmax(1), w, x * len(x), labels, penalty)


def walks_to_the_wrong_class(w: Tensor, x: Tensor, labels: Tensor, penalty: float) -> Tensor:
    """The difference is the wrong way round: a gradient points to where the cost grows, that is, away from the
    label."""
    return 2 * penalty * w - _softmax_step((x @ w).softmax(1), w, x, labels, penalty)


def leaves_the_penalty_out(w: Tensor, x: Tensor, labels: Tensor, penalty: float) -> Tensor:
    """This is the gradient of −log p alone. The cost has a second term, and w stands in it too."""
    return _softmax_step((x @ w).softmax(1), w, x, labels, 0.0)


def doubles_the_penalty(w: Tensor, x: Tensor, labels: Tensor, penalty: float) -> Tensor:
    """The penalty's part is twice too large: this cost has penalty/2 before ‖w‖², to spare you that 2."""
    return _softmax_step((x @ w).softmax(1), w, x, labels, 2 * penalty)


def charges_the_average_weight(w: Tensor, x: Tensor, labels: Tensor, penalty: float) -> Tensor:
    """The penalty's part was divided by n along with the errors'. The 1/n stands before the sum over the examples only."""
    return _softmax_step((x @ w).softmax(1), w, x, labels, penalty / len(x))


def forgets_the_labels(w: Tensor, x: Tensor, labels: Tensor, penalty: float) -> Tensor:
    """The labels change nothing here: the features are weighted by the probabilities alone. What matters is how far each
    probability is from what the label wants."""
    return x.T @ (x @ w).softmax(1) / len(x) + penalty * w


def counts_classes_in_the_labels(w: Tensor, x: Tensor, labels: Tensor, penalty: float) -> Tensor:
    """Right where every class occurs; where no example has the last class, it fails. one_hot, say, counts the classes that
    it sees unless it is told how many there are: w has a column for each."""
    p = (x @ w).softmax(1)
    return x.T @ (p - torch.nn.functional.one_hot(labels)) / len(x) + penalty * w


def _softmax_step(p: Tensor, w: Tensor, x: Tensor, labels: Tensor, penalty: float) -> Tensor:
    return x.T @ (p - torch.nn.functional.one_hot(labels, w.shape[1])) / len(x) + penalty * w


# --- right, but written differently


def scores_by_loops(x: Tensor, w: Tensor) -> Tensor:
    """Loops over examples and features."""
    rows = []
    for example in x:
        rows.append(sum(feature * weight for feature, weight in zip(example, w, strict=True)))
    return torch.stack(rows)  # type: ignore[arg-type]


def cost_in_numpy(w: Tensor, x: Tensor, y: Tensor, penalty: float) -> np.ndarray:
    """In NumPy, in double precision, without coming back."""
    weights, examples, targets = (np.asarray(part, dtype=np.float64) for part in (w, x, y))
    return np.square(examples @ weights - targets).sum() + penalty * np.dot(weights, weights)


def ridge_by_stacking(x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """The penalty as d further examples: least squares of the stacked problem."""
    _refuse_negative(penalty)
    d = x.shape[1]
    more = torch.cat([x, penalty**0.5 * torch.eye(d)]).double()
    if torch.linalg.matrix_rank(more) < d:
        raise ValueError("w is not determined")
    wanted = torch.cat([y, y.new_zeros(d, *y.shape[1:])]).double().reshape(len(more), -1)
    return torch.linalg.lstsq(more, wanted).solution.reshape(d, *y.shape[1:])


def ridge_by_inverse(x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """As it stands on the blackboard."""
    _refuse_negative(penalty)
    try:
        return torch.inverse(x.T @ x + penalty * torch.eye(x.shape[1])) @ x.T @ y
    except torch.linalg.LinAlgError as error:
        raise ValueError("w is not determined") from error


def ridge_by_cholesky(x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """In NumPy, by the square root of the matrix."""
    _refuse_negative(penalty)
    examples, targets = x.numpy().astype(np.float64), y.numpy().astype(np.float64)
    try:
        root = np.linalg.cholesky(examples.T @ examples + penalty * np.identity(x.shape[1]))
    except np.linalg.LinAlgError:
        raise ValueError("w is not determined") from None
    return torch.from_numpy(np.linalg.solve(root.T, np.linalg.solve(root, examples.T @ targets)))


def _refuse_negative(penalty: float) -> None:
    if penalty < 0:
        raise ValueError("a penalty is 0 or more")


def relevance_by_root(w: Tensor) -> Tensor:
    """The absolute value as the root of the square."""
    return (w**2).sqrt()


def standardize_with_a_small_number(x: Tensor) -> Tensor:
    """The common trick against division by zero."""
    return (x - x.mean(0)) / (x.std(0, correction=0) + 1e-8)


def gradient_by_autograd(w: Tensor, x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """Left to autograd."""
    w = w.clone().requires_grad_()
    cost = ((x @ w - y) ** 2).sum() + penalty * (w**2).sum()
    cost.backward()
    assert w.grad is not None
    return w.grad


def threshold_by_cases(w: Tensor, threshold: float) -> Tensor:
    """The three cases, one after the other."""
    shrunk = torch.where(w > threshold, w - threshold, torch.zeros_like(w))
    return torch.where(w < -threshold, w + threshold, shrunk)


def threshold_by_two_ramps(w: Tensor, threshold: float) -> Tensor:
    """As the difference of two rectified lines."""
    return torch.relu(w - threshold) - torch.relu(-w - threshold)


def lasso_in_double(x: Tensor, y: Tensor, penalty: float, steps: int = 1000) -> Tensor:
    """The largest curvature as an eigenvalue, the threshold by cases, all in double precision."""
    if penalty < 0:
        raise ValueError
    examples = x.double()
    squares, towards = examples.T @ examples, examples.T @ y.double()
    rate = 1 / torch.linalg.eigvalsh(squares)[-1]
    w = torch.zeros_like(towards)
    for _ in range(steps):
        w = torch.nn.functional.softshrink(w - rate * (squares @ w - towards), float(penalty * rate))
    return w


def softmax_gradient_by_autograd(w: Tensor, x: Tensor, labels: Tensor, penalty: float) -> Tensor:
    """Left to autograd, with the library's cross-entropy."""
    w = w.clone().requires_grad_()
    cost = torch.nn.functional.cross_entropy(x @ w, labels) + penalty / 2 * (w**2).sum()
    return torch.autograd.grad(cost, w)[0]


MISCONCEPTIONS = {
    "linear_scores": [
        multiplies_without_adding,
        adds_everything_up,
        classes_before_examples,
        averages_the_features,
        knows_one_column_of_weights,
    ],
    "regularized_cost": [
        averages_the_errors,
        halves_the_cost,
        forgets_to_charge,
        penalizes_the_unsquared_norm,
        penalizes_absolute_weights,
        squares_the_summed_error,
        halves_the_penalty,
        adds_absolute_errors,
        takes_the_length_of_the_errors,
    ],
    "fit_ridge": [
        adds_the_penalty_to_every_entry,
        forgets_the_penalty,
        averages_before_penalizing,
        subtracts_the_penalty,
        doubles_the_penalty_on_the_diagonal,
        fits_each_feature_alone,
    ],
    "feature_relevance": [
        keeps_the_sign,
        squares_the_weights,
        divides_by_the_largest,
        shares_out_the_whole,
        ignores_negative_weights,
    ],
    "standardize": [
        divides_by_n_minus_one,
        leaves_it_to_torch_std,
        standardizes_the_whole_table,
        standardizes_each_example,
        divides_by_the_variance,
        forgets_constant_columns,
        squeezes_between_zero_and_one,
        only_centres,
        only_scales,
        leaves_constant_columns_alone,
    ],
    "cost_gradient": [
        forgets_the_two,
        forgets_the_two_of_the_penalty,
        leaves_the_penalty_flat,
        points_downhill,
        averages_over_the_examples,
        forgets_the_two_of_the_error,
        pulls_every_weight_alike,
    ],
    "soft_threshold": [
        cuts_off_without_shrinking,
        loses_the_sign,
        walks_through_zero,
        clips_large_weights,
        drops_negative_weights,
        shrinks_by_a_factor,
        halves_the_threshold,
    ],
    "fit_lasso": [
        minimizes_the_whole_error,
        thresholds_by_the_whole_penalty,
        thresholds_once_at_the_end,
        shrinks_all_weights_alike,
        starts_at_one,
        takes_the_frobenius_norm,
        walks_one_round_less,
        thresholds_before_the_step,
        goes_weight_by_weight,
    ],
    "softmax_gradient": [
        softmax_over_the_examples,
        softmax_twice,
        uses_the_winner_alone,
        adds_over_the_examples,
        walks_to_the_wrong_class,
        leaves_the_penalty_out,
        doubles_the_penalty,
        charges_the_average_weight,
        forgets_the_labels,
        counts_classes_in_the_labels,
    ],
}

ALTERNATIVES = {
    "linear_scores": [scores_by_loops],
    "regularized_cost": [cost_in_numpy],
    "fit_ridge": [ridge_by_stacking, ridge_by_inverse, ridge_by_cholesky],
    "feature_relevance": [relevance_by_root],
    "standardize": [standardize_with_a_small_number],
    "cost_gradient": [gradient_by_autograd],
    "soft_threshold": [threshold_by_cases, threshold_by_two_ramps],
    "fit_lasso": [lasso_in_double],
    "softmax_gradient": [softmax_gradient_by_autograd],
}
