"""Linear models against scikit-learn, autograd and closed forms."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Lasso, LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from solutions.linear import (
    cost_gradient,
    feature_relevance,
    fit_lasso,
    fit_ridge,
    fit_softmax,
    linear_scores,
    regularized_cost,
    soft_threshold,
    softmax_gradient,
    standardize,
)

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")),
]
DTYPES = [torch.float32, torch.float64]
CLOSE = {torch.float32: 1e-5, torch.float64: 1e-9}

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=25, deadline=None)


def problem(seed: int, n: int = 30, d: int = 5, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Examples, and targets that only some features decide."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    y = x @ np.where(np.arange(d) % 2 == 0, rng.normal(size=d), 0) + 0.1 * rng.normal(size=n)
    return torch.from_numpy(x).to(dtype), torch.from_numpy(y).to(dtype)


def near(mine: Tensor, theirs: object, tolerance: float) -> None:
    expected = torch.as_tensor(np.asarray(theirs), dtype=torch.float64)
    torch.testing.assert_close(mine.double().cpu(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_ridge_is_scikit_learns(dtype: torch.dtype, device: str) -> None:
    for seed, penalty in [(0, 0.5), (1, 7.0), (2, 100.0)]:
        x, y = problem(seed, dtype=dtype)
        theirs = Ridge(alpha=penalty, fit_intercept=False).fit(x.double(), y.double()).coef_
        mine = fit_ridge(x.to(device), y.to(device), penalty)
        assert mine.dtype == dtype
        assert mine.device.type == device
        near(mine, theirs, CLOSE[dtype])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_lasso_is_scikit_learns(dtype: torch.dtype, device: str) -> None:
    for seed, penalty in [(0, 0.5), (1, 3.0), (2, 10.0)]:
        x, y = problem(seed, dtype=dtype)
        model = Lasso(alpha=penalty / len(x), fit_intercept=False, tol=1e-12, max_iter=100_000)
        theirs = model.fit(x.double(), y.double()).coef_
        mine = fit_lasso(x.to(device), y.to(device), penalty, steps=1000)
        assert mine.dtype == dtype
        assert mine.device.type == device
        near(mine, theirs, CLOSE[dtype])
        assert ((mine == 0).cpu() == torch.from_numpy(theirs == 0)).all()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_regression_is_scikit_learns(dtype: torch.dtype, device: str) -> None:
    x, _ = problem(3, n=60, d=4, dtype=dtype)
    labels = torch.from_numpy(np.random.default_rng(4).integers(0, 3, 60))
    penalty = 0.05
    model = LogisticRegression(C=1 / (penalty * len(x)), fit_intercept=False, tol=1e-12, max_iter=10_000)
    theirs = model.fit(x.double(), labels).coef_.T
    w = fit_softmax(x.to(device), labels.to(device), 3, penalty, steps=800, rate=0.3)
    assert w.dtype == dtype
    assert w.device.type == device
    near(w, theirs, max(CLOSE[dtype], 1e-6))


def test_standardize_is_scikit_learns() -> None:
    x = problem(5)[0] * torch.tensor([1.0, 1e3, 1e-3, 2.0, 5.0]) + torch.arange(5)
    near(standardize(x), StandardScaler().fit_transform(x), 1e-9)


def test_standardize_turns_a_constant_feature_into_zeros() -> None:
    x = torch.tensor([[1.0, 7.0], [3.0, 7.0]])
    assert standardize(x).tolist() == [[-1, 0], [1, 0]]


@few
@given(seed=seeds, penalty=st.floats(0, 50))
def test_the_gradient_is_autograds(seed: int, penalty: float) -> None:
    x, y = problem(seed)
    w = torch.from_numpy(np.random.default_rng(seed).normal(size=5)).requires_grad_()
    theirs = torch.autograd.grad(regularized_cost(w, x, y, penalty), w)[0]
    near(cost_gradient(w.detach(), x, y, penalty), theirs, 1e-9)


@few
@given(seed=seeds, penalty=st.floats(0.01, 50))
def test_at_the_ridge_solution_the_gradient_is_zero(seed: int, penalty: float) -> None:
    x, y = problem(seed)
    near(cost_gradient(fit_ridge(x, y, penalty), x, y, penalty), torch.zeros(5), 1e-9)


@few
@given(seed=seeds, small=st.floats(0.01, 10), factor=st.floats(1.5, 10))
def test_a_larger_penalty_makes_ridge_weights_smaller_but_never_zero(
    seed: int, small: float, factor: float
) -> None:
    x, y = problem(seed)
    w, w_more = fit_ridge(x, y, small), fit_ridge(x, y, small * factor)
    assert w_more.norm() < w.norm()
    assert (w_more != 0).all()


@few
@given(seed=seeds)
def test_lasso_is_zero_exactly_from_the_penalty_on_that_no_feature_can_pay(seed: int) -> None:
    x, y = problem(seed)
    largest = (x.T @ y).abs().max().item()
    assert (fit_lasso(x, y, largest * 1.001) == 0).all()
    assert (fit_lasso(x, y, largest * 0.9) != 0).any()


@few
@given(seed=seeds, penalty=st.floats(0.1, 10))
def test_no_nearby_weights_cost_less_than_the_lasso_solution(seed: int, penalty: float) -> None:
    x, y = problem(seed)
    cost = lambda w: 0.5 * ((x @ w - y) ** 2).sum() + penalty * w.abs().sum()  # noqa: E731
    w = fit_lasso(x, y, penalty, steps=3000)
    nearby = w + 0.01 * torch.from_numpy(np.random.default_rng(seed).normal(size=(50, 5)))
    assert all(cost(w) <= cost(other) for other in nearby)


def test_ridge_fits_each_target_on_its_own() -> None:
    x, y = problem(6)
    both = fit_ridge(x, torch.stack([y, -2 * y], dim=1), 1.0)
    near(both[:, 0], fit_ridge(x, y, 1.0), 1e-9)
    near(both[:, 1], -2 * both[:, 0], 1e-9)


def test_ridge_decides_where_the_data_leave_the_weights_open() -> None:
    x, y = problem(7)
    twice = torch.cat([x, x], dim=1)
    w = fit_ridge(twice, y, 2.0)
    near(w[:5], w[5:], 1e-9)
    near(w[:5] + w[5:], fit_ridge(x, y, 1.0), 1e-9)
    with pytest.raises(ValueError, match="penalty > 0"):
        fit_ridge(torch.ones(3, 2), torch.ones(3), 0.0)


def test_a_negative_or_undefined_penalty_is_refused() -> None:
    x, y = problem(8)
    for fit in (fit_ridge, fit_lasso):
        for penalty in (-1.0, float("nan")):
            with pytest.raises(ValueError, match="must be 0 or more"):
                fit(x, y, penalty)


@few
@given(seed=seeds, threshold=st.floats(0, 2))
def test_soft_threshold_is_the_minimum_that_its_docstring_names(seed: int, threshold: float) -> None:
    w = torch.from_numpy(np.random.default_rng(seed).normal(size=20))
    v = torch.linspace(-5, 5, 10_001, dtype=torch.float64)
    costs = 0.5 * (v[:, None] - w) ** 2 + threshold * v[:, None].abs()
    torch.testing.assert_close(soft_threshold(w, threshold), v[costs.argmin(0)], rtol=0, atol=6e-4)


def test_scores_work_for_one_example_for_batches_and_for_classes() -> None:
    x = torch.arange(6.0).view(2, 3)
    w = torch.tensor([1.0, 10.0, 100.0])
    assert linear_scores(x[0], w).item() == 210
    assert linear_scores(x, w).tolist() == [210, 543]
    assert linear_scores(x, torch.stack([w, -w], 1)).tolist() == [[210, -210], [543, -543]]


def test_relevance_of_a_linear_model_is_what_one_unit_of_a_feature_changes() -> None:
    x, _ = problem(9)
    w = torch.tensor([2.0, -3.0, 0.0, 0.5, -0.1], dtype=torch.float64)
    for j in range(5):
        moved = x.clone()
        moved[:, j] += 1
        change = (linear_scores(moved, w) - linear_scores(x, w)).abs()
        near(change, feature_relevance(w)[j].expand(30), 1e-9)


@few
@given(seed=seeds, penalty=st.floats(0, 2))
def test_the_softmax_gradient_is_autograds(seed: int, penalty: float) -> None:
    rng = np.random.default_rng(seed)
    x, _ = problem(seed)
    labels = torch.from_numpy(rng.integers(0, 3, 30))
    w = torch.from_numpy(rng.normal(size=(5, 3))).requires_grad_()
    cost = torch.nn.functional.cross_entropy(x @ w, labels) + penalty / 2 * (w**2).sum()
    near(softmax_gradient(w.detach(), x, labels, penalty), torch.autograd.grad(cost, w)[0], 1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_constant_column_becomes_zero_also_where_its_mean_is_rounded(dtype: torch.dtype) -> None:
    for n in range(1, 40):
        x = torch.full((n, 2), 0.1, dtype=dtype)
        x[:, 1] = torch.arange(n)
        assert (standardize(x)[:, 0] == 0).all(), n


def test_ridge_without_penalty_refuses_features_that_follow_from_others() -> None:
    x, y = problem(10)
    for redundant in (torch.cat([x, x[:, :1]], 1), torch.cat([x, x[:, :1] + x[:, 1:2]], 1), x[:3]):
        with pytest.raises(ValueError, match="penalty > 0"):
            fit_ridge(redundant.float(), y[: len(redundant)].float(), 0.0)
