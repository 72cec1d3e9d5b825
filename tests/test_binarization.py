"""Binarization held against closed forms, exhaustive search and autograd's own functions."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from solutions.binarization import (
    binarize_weights,
    binary_activation,
    binaryconnect_step,
    scaled_binary,
    stochastic_binarize,
)

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")),
]
DTYPES = [torch.float32, torch.float64]


def normal(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).to(dtype)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gradient_through(fn, x: torch.Tensor, upstream: torch.Tensor) -> torch.Tensor:
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(fn(x), x, upstream)
    return gradient


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "binarize", [binarize_weights, binary_activation, lambda w: stochastic_binarize(w, generator())]
)
def test_only_minus_one_and_plus_one_come_out_exactly(binarize, dtype, device):
    w = torch.cat([normal(0, 999, dtype=dtype), torch.zeros(1, dtype=dtype)]).to(device)
    b = binarize(w)
    assert b.dtype == dtype
    assert b.device == w.device
    assert set(b.tolist()) == {-1.0, 1.0}


class TestWeights:
    def test_the_sign_of_zero_is_plus_one(self):
        assert binarize_weights(torch.tensor([-2.0, -0.0, 0.0, 1e-30])).tolist() == [-1, 1, 1, 1]

    @given(st.integers(0, 10**6))
    @settings(max_examples=15, deadline=None)
    def test_the_gradient_passes_straight_through_however_large_the_weight(self, seed):
        w, upstream = 3 * normal(seed, 4, 5), normal(seed + 1, 4, 5)
        torch.testing.assert_close(gradient_through(binarize_weights, w, upstream), upstream, rtol=0, atol=0)

    def test_a_layer_behind_signs_gets_the_gradient_of_the_binary_layer(self):
        w, x, y = normal(0, 3, 4).requires_grad_(), normal(1, 6, 4), torch.arange(6) % 3
        nn.functional.cross_entropy(x @ binarize_weights(w).T, y).backward()
        signs = w.detach().sign().requires_grad_()
        nn.functional.cross_entropy(x @ signs.T, y).backward()
        torch.testing.assert_close(w.grad, signs.grad)


class TestStochasticWeights:
    def test_the_mean_over_many_tosses_is_the_clipped_weight(self):
        w = torch.tensor([-3.0, -1, -0.6, 0, 0.25, 0.9, 1, 2]).double()
        tosses = stochastic_binarize(w.expand(20_000, -1), generator(1))
        assert (tosses.mean(0) - w.clamp(-1, 1)).abs().max() < 6 / math.sqrt(20_000)

    @pytest.mark.parametrize("seed", range(3))
    def test_weights_at_the_edges_are_certain(self, seed):
        w = torch.tensor([-1.0, -5.0, 1.0, 5.0]).repeat(1000, 1)
        b = stochastic_binarize(w, generator(seed))
        assert torch.equal(b, w.sign())

    def test_each_weight_has_a_coin_of_its_own(self):
        b = stochastic_binarize(torch.zeros(4000, 2), generator(2))
        assert b.prod(1).mean().abs() < 6 / math.sqrt(4000)

    def test_the_gradient_passes_straight_through(self):
        w, upstream = 3 * normal(0, 4, 5), normal(1, 4, 5)
        assert torch.equal(
            gradient_through(lambda v: stochastic_binarize(v, generator()), w, upstream), upstream
        )

    def test_the_generator_alone_decides(self):
        w = torch.zeros(50)
        torch.manual_seed(1)
        one = stochastic_binarize(w, generator(5))
        torch.manual_seed(2)
        assert torch.equal(one, stochastic_binarize(w, generator(5)))
        assert not torch.equal(one, stochastic_binarize(w, generator(6)))


class TestActivations:
    def test_the_gradient_is_that_of_the_hard_tanh(self):
        x, upstream = 2 * normal(0, 50), normal(1, 50)
        torch.testing.assert_close(
            gradient_through(binary_activation, x, upstream),
            gradient_through(nn.functional.hardtanh, x, upstream),
            rtol=0,
            atol=0,
        )

    def test_the_edges_still_learn_and_what_lies_beyond_does_not(self):
        x = torch.tensor([-1.001, -1.0, 0.0, 1.0, 1.001])
        assert gradient_through(binary_activation, x, torch.ones(5)).tolist() == [0, 1, 1, 1, 0]


class TestScaledWeights:
    def test_no_other_signs_and_scale_come_nearer(self):
        w = normal(0, 3, 6)
        ours = (w - scaled_binary(w)).square().sum(1)
        for row, distance in zip(w, ours, strict=True):
            best = math.inf
            for signs in itertools.product((-1.0, 1.0), repeat=6):
                b = torch.tensor(signs).double()
                scale = (row @ b) / 6
                best = min(best, float((row - scale * b).square().sum()))
            assert distance.item() == pytest.approx(best)

    @pytest.mark.parametrize("shape", [(4, 7), (4, 3, 5, 5)])
    def test_each_cell_has_its_own_scale_the_mean_magnitude(self, shape):
        w = normal(1, *shape)
        b = scaled_binary(w)
        for row, values in zip(w, b, strict=True):
            assert values.abs().unique().numel() == 1
            assert values.abs().max().item() == pytest.approx(row.abs().mean().item())
            assert torch.equal(values.sign(), row.sign())

    def test_the_gradient_passes_straight_through(self):
        w, upstream = 3 * normal(0, 4, 5), normal(1, 4, 5)
        assert torch.equal(gradient_through(scaled_binary, w, upstream), upstream)

    def test_a_weight_without_an_axis_of_cells_is_refused(self):
        with pytest.raises(ValueError, match="two axes"):
            scaled_binary(torch.ones(5))


class TestStep:
    def test_real_weights_add_up_small_gradients_until_the_sign_turns(self):
        w, signs = torch.tensor([0.05]), []
        for _ in range(10):
            signs.append(binarize_weights(w).item())
            w = binaryconnect_step(w, torch.tensor([1.0]), 0.01)
        assert signs == [1.0] * 5 + [1.0] * signs[5:].count(1.0) + [-1.0] * signs.count(-1.0)
        assert signs.count(-1.0) >= 4

    def test_weights_stay_between_minus_one_and_plus_one(self):
        w, gradient = normal(0, 30).clamp(-1, 1), 40 * normal(1, 30)
        new = binaryconnect_step(w, gradient, 0.1)
        assert new.abs().max() == 1
        inside = (w - 0.1 * gradient).abs() < 1
        torch.testing.assert_close(new[inside], (w - 0.1 * gradient)[inside])

    def test_the_old_weight_is_not_changed(self):
        w = torch.ones(3)
        binaryconnect_step(w, torch.ones(3), 0.5)
        assert torch.equal(w, torch.ones(3))
