"""What chapter 10's attention promises."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from solutions.attention import (
    feature_attention,
    hard_attention,
    items_read,
    leave_one_out,
    soft_attention,
    soft_lookup,
)

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=needs_cuda)]
DTYPES = [torch.float32, torch.float64]
few = settings(max_examples=25, deadline=None)


def drawn(*shape, seed=0, dtype=torch.float64, device="cpu"):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).to(device, dtype)


# ---- hard


@few
@given(st.integers(0, 1000))
def test_hard_attention_finds_the_best_match_of_each_batch_row(seed):
    query, memory = drawn(2, 3, 4, seed=seed), drawn(2, 3, 7, 4, seed=seed + 1)
    index, item = hard_attention(query, memory)
    for row in np.ndindex(2, 3):
        best = int(np.argmax(memory[row].numpy() @ query[row].numpy()))
        assert int(index[row]) == best
        assert torch.equal(item[row], memory[row][best])


def test_hard_attention_takes_the_first_of_equals():
    index, item = hard_attention(torch.tensor([1.0, 0.0]), torch.tensor([[0.0, 1.0], [1.0, 2.0], [1.0, 3.0]]))
    assert int(index) == 1
    assert item.tolist() == [1.0, 2.0]


# ---- soft


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_soft_attention_agrees_with_torchs(dtype, device):
    query = drawn(2, 4, dtype=dtype, device=device)
    memory = drawn(2, 5, 4, seed=1, dtype=dtype, device=device)
    weights, read = soft_attention(query, memory, 1.7)
    theirs = F.scaled_dot_product_attention(query.unsqueeze(1), memory, memory, scale=1.7).squeeze(1)
    assert weights.dtype == read.dtype == dtype
    torch.testing.assert_close(read, theirs)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, dtype=dtype, device=device))


def test_soft_attention_goes_from_the_mean_to_the_hard_choice():
    query, memory = drawn(3, 4), drawn(3, 6, 4, seed=1)
    weights, read = soft_attention(query, memory, 0.0)
    torch.testing.assert_close(weights, torch.full((3, 6), 1 / 6).double())
    torch.testing.assert_close(read, memory.mean(dim=1))
    torch.testing.assert_close(soft_attention(query, memory, 1e4)[1], hard_attention(query, memory)[1])


def test_sharper_attention_reads_fewer_items_and_matches_better():
    query, memory = drawn(4), drawn(6, 4, seed=1)
    blends = [soft_attention(query, memory, beta) for beta in (0.0, 0.5, 1.0, 2.0, 8.0)]
    counts = [float(items_read(weights)) for weights, _ in blends]
    matches = [float(read @ query) for _, read in blends]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == pytest.approx(6)
    assert matches == sorted(matches)


def test_gradients_flow_through_soft_attention():
    query, memory = drawn(2, 3).requires_grad_(), drawn(2, 4, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda q, u: soft_attention(q, u, 1.3), (query, memory))


def test_attention_names_what_does_not_fit():
    for attend in (hard_attention, soft_attention):
        with pytest.raises(ValueError, match="dimensions"):
            attend(drawn(3), drawn(5, 4))
    with pytest.raises(ValueError, match="sharpness"):
        soft_attention(drawn(4), drawn(5, 4), -1.0)


# ---- the look-up table


def test_a_sharp_lookup_answers_like_the_nearest_entry_and_a_blunt_one_like_the_mean():
    keys, values = drawn(5, 2), drawn(5, 3, seed=1)
    for i in range(5):
        torch.testing.assert_close(soft_lookup(keys[i] + 1e-3, keys, values, 1e4), values[i])
    torch.testing.assert_close(soft_lookup(keys[0], keys, values, 1e-9), values.mean(dim=0))


def test_a_lookup_is_nadaraya_and_watsons_regression():
    query, keys, values = drawn(3, 2), drawn(3, 5, 2, seed=1), drawn(3, 5, 4, seed=2)
    kernel = torch.exp(-0.8 * torch.cdist(query.unsqueeze(1), keys) ** 2)
    expected = ((kernel / kernel.sum(-1, keepdim=True)) @ values).squeeze(1)
    torch.testing.assert_close(soft_lookup(query, keys, values, 0.8), expected)


def test_a_lookup_can_be_differentiated_in_its_query_keys_and_values():
    inputs = (
        drawn(3).requires_grad_(),
        drawn(4, 3, seed=1).requires_grad_(),
        drawn(4, 2, seed=2).requires_grad_(),
    )
    assert torch.autograd.gradcheck(lambda q, k, v: soft_lookup(q, k, v, 0.7), inputs)


def test_a_lookup_needs_one_value_per_key():
    with pytest.raises(ValueError, match="keys"):
        soft_lookup(drawn(2), drawn(5, 2), drawn(4, 3))


# ---- how many items


@few
@given(st.integers(1, 12))
def test_items_read_counts_equal_shares(n):
    weights = torch.zeros(12, dtype=torch.float64)
    weights[:n] = 1 / n
    assert float(items_read(weights)) == pytest.approx(n)


def test_items_read_is_torchs_entropy_exponentiated():
    weights = drawn(4, 6).softmax(-1)
    torch.testing.assert_close(items_read(weights), torch.distributions.Categorical(weights).entropy().exp())


# ---- attention on features


@pytest.mark.parametrize("dtype", DTYPES)
def test_feature_attention_is_a_dense_softmax_layer_times_its_input(dtype):
    dense = nn.Sequential(nn.Linear(5, 5), nn.Softmax(dim=-1)).to(dtype)
    x = drawn(7, 5, dtype=dtype)
    attention, gated = feature_attention(x, dense[0].weight, dense[0].bias)
    torch.testing.assert_close(attention, dense(x))
    torch.testing.assert_close(gated, dense(x) * x)


def test_leave_one_out_of_a_linear_model_is_weight_times_change():
    w, x, baseline = drawn(4), drawn(6, 4, seed=1), drawn(4, seed=2)
    before = x.clone()
    effects = leave_one_out(lambda rows: rows @ w, x, baseline)
    torch.testing.assert_close(effects, (w * (x - baseline)).abs())
    assert torch.equal(x, before)


def test_leave_one_out_sees_through_an_attention_that_points_elsewhere():
    """All attention on feature 0, but the answer comes from feature 1: attention and effect disagree."""
    weight, bias = torch.zeros(2, 2), torch.tensor([4.0, 0.0])

    def f(x):
        attention, gated = feature_attention(x, weight, bias)
        return gated[:, 1] / attention[:, 1]

    x = drawn(5, 2, dtype=torch.float32)
    assert feature_attention(x, weight, bias)[0][:, 0].min() > 0.95
    effects = leave_one_out(f, x, torch.zeros(2))
    assert effects[:, 0].max() < 1e-6
    torch.testing.assert_close(effects[:, 1], x[:, 1].abs())
