"""Pruning held against autograd's full Hessian, closed forms and torch's own pruning."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from torch.nn.utils import prune as torch_prune

from course.judging.traces import watch
from course.models.simpler import (
    accuracy,
    delete,
    dense_network,
    descend,
    join,
    separate,
    train,
    weights_of,
)
from solutions.binarization import binarize_weights
from solutions.pruning import (
    cell_saliency,
    gauss_newton_diagonal,
    hessian_diagonal,
    magnitude_saliency,
    obd_saliency,
    proximal_step,
    prune_smallest,
)

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")),
]
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-9}


def normal(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).to(dtype)


def small_network(seed: int = 0, activation: type[nn.Module] = nn.Tanh) -> nn.Sequential:
    model = nn.Sequential(nn.Linear(6, 5), activation(), nn.Linear(5, 3)).double()
    vector = parameters_to_vector(model.parameters())
    vector_to_parameters(normal(seed, len(vector)), model.parameters())
    return model


def cross_entropy(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(model(x), y)


class TestHessian:
    @pytest.mark.parametrize("device", DEVICES)
    @pytest.mark.parametrize("dtype", TOLERANCE)
    def test_the_diagonal_is_that_of_autograds_full_hessian(self, dtype, device):
        model = small_network().to(device, dtype)
        x, y = normal(1, 8, 6, dtype=dtype).to(device), torch.arange(8).to(device) % 3
        names = [name for name, _ in model.named_parameters()]

        def loss(*weights):
            logits = torch.func.functional_call(model, dict(zip(names, weights, strict=True)), x)
            return nn.functional.cross_entropy(logits, y)

        parameters = list(model.parameters())
        full = torch.autograd.functional.hessian(loss, tuple(p.detach() for p in parameters))
        for k, h in enumerate(hessian_diagonal(cross_entropy(model, x, y), parameters)):
            n = parameters[k].numel()
            expected = full[k][k].reshape(n, n).diagonal().view_as(parameters[k])
            torch.testing.assert_close(h, expected, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])

    def test_a_polynomial_has_the_curvature_known_from_school(self):
        w, v = normal(0, 3, 4).requires_grad_(), normal(1, 2).requires_grad_()
        loss = (w**4).sum() + (v[0] * v[1]) + w.sum() * v.sum()
        of_w, of_v = hessian_diagonal(loss, [w, v])
        torch.testing.assert_close(of_w, 12 * w.detach() ** 2)
        assert torch.equal(of_v, torch.zeros(2).double())

    def test_weights_along_which_the_loss_is_straight_or_absent_have_none(self):
        w, v, unused = (normal(seed, 3).requires_grad_() for seed in range(3))
        of_w, of_v, of_unused = hessian_diagonal((w**2).sum() + 5 * v.sum(), [w, v, unused])
        assert torch.equal(of_w, torch.full((3,), 2.0).double())
        assert torch.equal(of_v, torch.zeros(3).double())
        assert torch.equal(of_unused, torch.zeros(3).double())

    def test_weights_in_any_memory_layout_keep_their_places(self):
        w = normal(0, 4, 3).T.requires_grad_()
        (h,) = hessian_diagonal((w**3).sum(), [w])
        torch.testing.assert_close(h, 6 * w.detach())

    def test_gradients_stay_as_they_were(self):
        model, x, y = small_network(), normal(1, 8, 6), torch.arange(8) % 3
        model[0].weight.grad = torch.ones(5, 6).double()
        left = watch({"model": model})
        for h in hessian_diagonal(cross_entropy(model, x, y), list(model.parameters())):
            assert not h.requires_grad
        assert left() == []

    def test_a_loss_that_is_not_one_number_is_refused(self):
        w = torch.ones(3, requires_grad=True)
        with pytest.raises(ValueError, match="single number"):
            hessian_diagonal(w**2, [w])


class TestGaussNewton:
    @pytest.mark.parametrize("device", DEVICES)
    @pytest.mark.parametrize("dtype", TOLERANCE)
    def test_it_agrees_with_the_jacobian_sandwich(self, dtype, device):
        model = small_network().to(device, dtype)
        x = normal(1, 20, 6, dtype=dtype).to(device)
        weights = {name: p.detach() for name, p in model.named_parameters()}
        jacobian = torch.func.jacrev(lambda w: torch.func.functional_call(model, w, x))(weights)
        p = model(x).detach().softmax(1)
        middle = torch.diag_embed(p) - p.unsqueeze(2) * p.unsqueeze(1)  # the Hessian of the softmax's loss
        for (name, w), h in zip(weights.items(), gauss_newton_diagonal(model, x), strict=True):
            j = jacobian[name].flatten(2)
            expected = torch.einsum("nak,nab,nbk->k", j, middle, j).view_as(w) / 20
            torch.testing.assert_close(h, expected, atol=TOLERANCE[dtype], rtol=100 * TOLERANCE[dtype])

    def test_it_is_the_exact_hessian_where_the_logits_are_linear_in_the_weights(self):
        model, x = small_network(), normal(1, 20, 6)
        exact = hessian_diagonal(cross_entropy(model, x, torch.arange(20) % 3), list(model.parameters()))
        estimate = gauss_newton_diagonal(model, x)
        torch.testing.assert_close(estimate[2:], exact[2:])
        assert not torch.allclose(estimate[0], exact[0])

    def test_it_is_never_negative_while_the_exact_one_is(self):
        model, x = small_network(), normal(1, 20, 6)
        exact = hessian_diagonal(cross_entropy(model, x, torch.arange(20) % 3), list(model.parameters()))
        assert min(h.min() for h in exact) < 0
        assert min(h.min() for h in gauss_newton_diagonal(model, x)) >= 0

    def test_it_reads_convolutions_and_leaves_the_network_untouched(self):
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 4)
        ).eval()
        left = watch({"model": model})
        diagonal = gauss_newton_diagonal(model, torch.rand(5, 1, 6, 6))
        assert [h.shape for h in diagonal] == [p.shape for p in model.parameters()]
        assert left() == []


class TestSaliency:
    def test_magnitude_ranks_as_torchs_own_pruning_does(self):
        layer = nn.Linear(8, 6)
        keep = prune_smallest(magnitude_saliency(layer.weight.detach()), 0.25)
        torch_prune.l1_unstructured(layer, "weight", amount=0.25)
        assert torch.equal(keep, layer.weight_mask.bool())

    @given(st.integers(0, 10**6))
    @settings(max_examples=20, deadline=None)
    def test_obd_predicts_a_separable_quadratic_loss_exactly(self, seed):
        target, curvature = normal(seed, 9), normal(seed + 1, 9).abs() + 0.1
        w = target.clone().requires_grad_()  # at the minimum

        def loss(weights):
            return (curvature * (weights - target) ** 2).sum()

        (h,) = hessian_diagonal(loss(w), [w])
        keep = prune_smallest(obd_saliency(w.detach(), h), 1 / 3)
        predicted = obd_saliency(w.detach(), h)[~keep].sum()
        torch.testing.assert_close(loss(w.detach() * keep), predicted)

    def test_obd_is_the_second_order_taylor_term_of_a_network(self):
        model, x, y = small_network(), normal(1, 8, 6), torch.arange(8) % 3
        weight = model[0].weight
        (h,) = hessian_diagonal(cross_entropy(model, x, y), [weight])
        w, place, step = weight.detach().clone(), (1, 2), 1e-3
        values = []
        for shift in (-step, 0, step):
            with torch.no_grad():
                weight.copy_(w)
                weight[place] += shift
                values.append(cross_entropy(model, x, y).item())
        curvature = (values[0] - 2 * values[1] + values[2]) / step**2
        assert obd_saliency(w, h)[place].item() == pytest.approx(
            curvature * w[place].item() ** 2 / 2, rel=1e-4
        )

    def test_a_cell_is_the_sum_over_what_leaves_it(self):
        w, h = normal(0, 4, 3), normal(1, 4, 3).abs()
        expected = [sum(0.5 * h[j, i] * w[j, i] ** 2 for j in range(4)) for i in range(3)]
        torch.testing.assert_close(cell_saliency(w, h), torch.stack(expected))

    def test_a_channel_is_a_cell_whose_fan_out_is_all_its_kernels(self):
        w, h = normal(0, 4, 3, 2, 5), normal(1, 4, 3, 2, 5).abs()
        torch.testing.assert_close(cell_saliency(w, h), obd_saliency(w, h).sum((0, 2, 3)))

    def test_an_input_that_is_always_zero_is_useless(self):
        model, x = small_network(), normal(1, 20, 6)
        x[:, [1, 4]] = 0
        saliency = cell_saliency(model[0].weight.detach(), gauss_newton_diagonal(model, x)[0])
        assert saliency.nonzero().flatten().tolist() == [0, 2, 3, 5]


class TestPruning:
    @given(st.integers(0, 10**6), st.integers(1, 40), st.floats(0, 1))
    @settings(max_examples=40, deadline=None)
    def test_just_the_least_salient_share_goes(self, seed, n, fraction):
        saliency = normal(seed, n)
        keep = prune_smallest(saliency, fraction)
        assert int((~keep).sum()) == round(fraction * n)
        if keep.any() and not keep.all():
            assert saliency[~keep].max() <= saliency[keep].min()

    @pytest.mark.parametrize("device", DEVICES)
    def test_ties_are_cut_at_the_exact_share_first_come_first_deleted(self, device):
        keep = prune_smallest(torch.zeros(2, 5).to(device), 0.3)
        assert keep.tolist() == [[False, False, False, True, True], [True] * 5]

    @pytest.mark.parametrize("fraction", [-0.1, 1.5, 60, math.nan])
    def test_a_share_outside_0_and_1_is_refused(self, fraction):
        with pytest.raises(ValueError, match="between 0 and 1"):
            prune_smallest(torch.ones(4), fraction)


class TestPenalties:
    def test_the_step_minimises_its_own_quadratic_model_on_a_fine_grid(self):
        w, gradient, lr, l1 = torch.tensor(0.3).double(), torch.tensor(-0.7).double(), 0.2, 0.9
        grid = torch.linspace(-1, 1, 200_001).double()
        cost = (grid - (w - lr * gradient)) ** 2 / (2 * lr) + l1 * grid.abs()
        assert proximal_step(w, gradient, lr, l1).item() == pytest.approx(
            grid[cost.argmin()].item(), abs=1e-5
        )

    def test_repeated_it_solves_the_lasso_as_scikit_learn_does(self):
        from sklearn.linear_model import ElasticNet

        x, noise = normal(0, 60, 5), normal(1, 60)
        y = x @ torch.tensor([2.0, 0, -1, 0, 0]).double() + 0.1 * noise
        w = torch.zeros(5).double()
        for _ in range(400):
            w = proximal_step(w, x.T @ (x @ w - y) / 60, 0.2, l1=0.2, l2=0.15)
        theirs = ElasticNet(alpha=0.5, l1_ratio=0.4, fit_intercept=False, tol=1e-12, max_iter=100_000).fit(
            x, y
        )
        np.testing.assert_allclose(w.numpy(), theirs.coef_, atol=1e-8)
        assert (w == 0).sum() == (theirs.coef_ == 0).sum() > 0

    def test_without_penalties_it_is_gradient_descent(self):
        w, gradient = normal(0, 4, 3), normal(1, 4, 3)
        torch.testing.assert_close(proximal_step(w, gradient, 0.1), w - 0.1 * gradient)


class TestSmallNetworks:
    """The helpers that the chapter and the numbers train with."""

    def data(self) -> tuple[torch.Tensor, torch.Tensor]:
        x = normal(0, 200, 6, dtype=torch.float32)
        return x, (x[:, 0] + x[:, 1] > 0).long()

    def test_deleted_weights_stay_zero_through_training_and_the_others_learn(self):
        x, y = self.data()
        model = dense_network([6, 8, 2], torch.Generator().manual_seed(0))
        keep = {name: prune_smallest(w.abs(), 0.5) for name, w in weights_of(model).items()}
        before = accuracy(model, x, y)
        train(model, x, y, 20, torch.Generator().manual_seed(0), lr=1e-2, keep=keep)
        for name, w in weights_of(model).items():
            assert (w[~keep[name]] == 0).all()
            assert (w[keep[name]] != 0).all()
        assert accuracy(model, x, y) > max(before, 85)

    def test_training_through_signs_and_limits_changes_real_weights_within_the_limits(self):
        x, y = self.data()
        model = dense_network([6, 8, 2], torch.Generator().manual_seed(0), normalize=True)
        train(
            model,
            x,
            y,
            5,
            torch.Generator().manual_seed(0),
            lr=0.3,
            decay=0.0,
            view=binarize_weights,
            limit=1.0,
        )
        for w in weights_of(model).values():
            assert w.abs().max() <= 1
            assert w.abs().unique().numel() > 1

    def test_the_seed_alone_decides(self):
        x, y = self.data()
        runs = []
        for noise in (1, 2):
            torch.manual_seed(noise)
            model = dense_network([6, 4, 2], torch.Generator().manual_seed(3))
            train(model, x, y, 2, torch.Generator().manual_seed(3))
            runs.append(parameters_to_vector(model.parameters()).detach())
        assert torch.equal(*runs)

    def test_joining_and_separating_are_inverse(self):
        weights = {"a": normal(0, 3, 4), "b": normal(1, 2, 2, 5)}
        again = separate(join(weights), weights)
        assert all(torch.equal(again[name], w) for name, w in weights.items())

    def test_obds_forecast_is_right_on_a_smooth_network_at_its_minimum(self):
        x, y = normal(0, 120, 5), torch.from_numpy(np.random.default_rng(1).integers(0, 3, 120))

        def loss(model: nn.Module) -> torch.Tensor:
            return cross_entropy(model, x, y) + 5e-4 * sum(p.square().sum() for p in model.parameters())

        model = dense_network([5, 8, 3], torch.Generator().manual_seed(0), nn.Tanh).double()
        descend(model, loss)
        gradient = torch.autograd.grad(loss(model), list(model.parameters()))
        assert max(g.abs().max() for g in gradient) < 1e-6
        named = {name: p for name, p in model.named_parameters() if p.ndim > 1}
        h = hessian_diagonal(loss(model), list(named.values()))
        saliency = {name: obd_saliency(w.detach(), c) for (name, w), c in zip(named.items(), h, strict=True)}
        keep = prune_smallest(join(saliency), 0.1)
        pruned = copy.deepcopy(model)
        delete(pruned, separate(keep, saliency))
        actual = (loss(pruned) - loss(model)).item()
        assert join(saliency)[~keep].sum().item() == pytest.approx(actual, rel=0.25)
