"""Self-attention, held against PyTorch's own attention, transformer layers, loops and closed forms."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course.models.transformer import BlockWeights
from solutions.self_attention import (
    attention_rollout,
    causal_mask,
    encoder_block,
    merge_heads,
    multi_head_attention,
    positional_encoding,
    scaled_dot_product_attention,
    split_heads,
)

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")),
]
few = settings(max_examples=15, deadline=None)


def numbers(seed: int, *size: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=size)).to(dtype)


def coins(seed: int, *size: int, share: float = 0.5) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random(size) < share)


def block_of(seed: int, dim: int, inner: int) -> BlockWeights:
    sizes = [(dim, dim)] * 4 + [(dim, inner), (inner,), (inner, dim), (dim,)]
    return BlockWeights(*(numbers(seed + place, *size) for place, size in enumerate(sizes)))


# scaled_dot_product_attention


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("masked", [False, True])
def test_attention_agrees_with_pytorch_fully_masked_rows_included(device, dtype, tolerance, masked):
    q, k, v = (
        numbers(i, 2, 3, n, d, dtype=dtype).to(device) for i, n, d in [(0, 5, 4), (1, 7, 4), (2, 7, 6)]
    )
    mask = coins(3, 2, 3, 5, 7).to(device) if masked else None
    if mask is not None:
        mask[0, 1, 2] = False
    output, weights = scaled_dot_product_attention(q, k, v, mask)
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    torch.testing.assert_close(output, expected, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(weights @ v, output)
    if mask is not None:
        assert (output[0, 1, 2] == 0).all()
        assert (weights[0, 1, 2] == 0).all()


def test_a_query_that_may_look_nowhere_has_finite_gradients():
    q, k, v = (numbers(i, 3, 4).requires_grad_() for i in range(3))
    mask = torch.tensor([[True, False, True], [False, False, False], [True, True, True]])
    scaled_dot_product_attention(q, k, v, mask)[0].square().sum().backward()
    assert all(torch.isfinite(x.grad).all() for x in (q, k, v))
    assert (q.grad[1] == 0).all()


@few
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 6))
def test_attention_weights_are_a_distribution_and_hidden_keys_do_not_matter(seed, n, m):
    q, k, v, mask = numbers(seed, n, 4), numbers(seed + 1, m, 4), numbers(seed + 2, m, 3), coins(seed, n, m)
    _, weights = scaled_dot_product_attention(q, k, v, mask)
    assert (weights >= 0).all()
    assert (weights[~mask] == 0).all()
    torch.testing.assert_close(weights.sum(-1), mask.any(-1).double())
    hidden = ~mask.any(0)
    again, _ = scaled_dot_product_attention(q, k + 50 * hidden[:, None], v + 50 * hidden[:, None], mask)
    torch.testing.assert_close(again, scaled_dot_product_attention(q, k, v, mask)[0])


def test_dividing_by_the_root_of_d_keeps_the_scores_at_unit_spread():
    q, k = numbers(0, 400, 256), numbers(1, 400, 256)
    _, weights = scaled_dot_product_attention(q, k, k)
    logits = weights.log() - weights.log().mean(-1, keepdim=True)
    assert logits.std().item() == pytest.approx(1, abs=0.05)


def test_shuffling_the_words_shuffles_the_output():
    x = numbers(0, 6, 4)
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    output, _ = scaled_dot_product_attention(x, x, x)
    shuffled, _ = scaled_dot_product_attention(x[order], x[order], x[order])
    torch.testing.assert_close(shuffled, output[order])


@pytest.mark.parametrize("front", [(), (2,), (2, 3)])
def test_attention_works_on_the_last_two_axes_whatever_stands_in_front(front):
    q, k, v = numbers(0, *front, 4, 5), numbers(1, *front, 6, 5), numbers(2, *front, 6, 3)
    output, weights = scaled_dot_product_attention(q, k, v)
    assert weights.shape == (*front, 4, 6)
    torch.testing.assert_close(output, F.scaled_dot_product_attention(q, k, v))


# causal_mask


@pytest.mark.parametrize("n", [1, 2, 5])
def test_causal_mask_agrees_with_pytorch_and_lets_every_word_see_itself(n):
    mask = causal_mask(n)
    assert mask.dtype == torch.bool
    assert mask.diagonal().all()
    assert torch.equal(~mask, nn.Transformer.generate_square_subsequent_mask(n) == float("-inf"))


def test_under_the_causal_mask_the_future_does_not_matter():
    x = numbers(0, 6, 4)
    y = x.clone()
    y[4:] += 10
    before, after = (scaled_dot_product_attention(z, z, z, causal_mask(6))[0] for z in (x, y))
    torch.testing.assert_close(before[:4], after[:4])


def test_causal_mask_agrees_with_pytorchs_causal_attention():
    q, k, v = (numbers(i, 2, 5, 4) for i in range(3))
    expected = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    torch.testing.assert_close(scaled_dot_product_attention(q, k, v, causal_mask(5))[0], expected)


# split_heads, merge_heads


@few
@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 3), st.integers(1, 3))
def test_merging_undoes_splitting(heads, n, d, batch):
    x = numbers(0, batch, n, heads * d)
    parts = split_heads(x, heads)
    assert parts.shape == (batch, heads, n, d)
    for h in range(heads):
        assert torch.equal(parts[:, h], x[..., h * d : (h + 1) * d])
    assert torch.equal(merge_heads(parts), x)


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="evenly"):
        split_heads(numbers(0, 2, 6), 4)


# multi_head_attention


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("masked", [False, True])
def test_multi_head_attention_agrees_with_pytorch(dtype, tolerance, masked):
    dim, heads = 12, 3
    peer = nn.MultiheadAttention(dim, heads, bias=False, batch_first=True).to(dtype)
    wq, wk, wv = (w.T.detach() for w in peer.in_proj_weight.chunk(3))
    wo = peer.out_proj.weight.T.detach()
    x = numbers(0, 2, 5, dim, dtype=dtype)
    mask = (coins(3, 2, 5, 5) | torch.eye(5, dtype=torch.bool)) if masked else None
    theirs_mask = None if mask is None else ~mask.repeat_interleave(heads, 0)
    expected, expected_weights = peer(x, x, x, attn_mask=theirs_mask, average_attn_weights=False)
    output, weights = multi_head_attention(x, wq, wk, wv, wo, heads, mask)
    torch.testing.assert_close(output, expected, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(weights, expected_weights, rtol=tolerance, atol=tolerance)


def test_multi_head_attention_of_a_word_that_may_look_nowhere_is_zero_where_pytorch_gives_nan():
    x, ws = numbers(0, 2, 4, 6), [numbers(i, 6, 6) for i in range(1, 5)]
    mask = torch.ones(2, 4, 4, dtype=torch.bool)
    mask[1, 2] = False
    output, weights = multi_head_attention(x, *ws, 3, mask)
    assert (output[1, 2] == 0).all()
    assert (weights[1, :, 2] == 0).all()
    assert torch.isfinite(output).all()
    peer = nn.MultiheadAttention(6, 3, bias=False, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        peer.in_proj_weight.copy_(torch.cat([w.T for w in ws[:3]]))
        peer.out_proj.weight.copy_(ws[3].T)
        expected, _ = peer(x, x, x, attn_mask=~mask.repeat_interleave(3, 0))
    nowhere = ~mask.any(-1)
    assert expected[nowhere].isnan().all()
    torch.testing.assert_close(output[~nowhere], expected[~nowhere])


def test_one_head_is_plain_attention_between_projections():
    x, ws = numbers(0, 4, 6), [numbers(i, 6, 6) for i in range(1, 5)]
    output, _ = multi_head_attention(x, *ws, heads=1)
    plain, _ = scaled_dot_product_attention(x @ ws[0], x @ ws[1], x @ ws[2])
    torch.testing.assert_close(output, plain @ ws[3])


def test_multi_head_attention_passes_a_numeric_gradient_check():
    x, ws = numbers(0, 3, 4).requires_grad_(), [numbers(i, 4, 4).requires_grad_() for i in range(1, 5)]
    assert torch.autograd.gradcheck(lambda *a: multi_head_attention(*a, 2, causal_mask(3))[0], (x, *ws))


# positional_encoding


def test_positional_encoding_is_the_formula_written_as_loops():
    found = positional_encoding(7, 6)
    for i in range(7):
        for k in range(3):
            angle = i / 10000 ** (2 * k / 6)
            assert found[i, 2 * k].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert found[i, 2 * k + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)


def test_products_of_two_positions_depend_on_their_distance_only():
    p = positional_encoding(20, 16)
    products = p @ p.T
    for distance in (0, 1, 5):
        along = products.diagonal(distance)
        torch.testing.assert_close(along, along[:1].expand_as(along), rtol=1e-4, atol=1e-4)


def test_positional_encoding_refuses_an_odd_width():
    with pytest.raises(ValueError, match="even"):
        positional_encoding(3, 5)


# encoder_block


@pytest.mark.parametrize("masked", [False, True])
def test_encoder_block_agrees_with_pytorchs_layer(masked):
    dim, heads, inner = 8, 2, 12
    block = block_of(4, dim, inner)
    peer = nn.TransformerEncoderLayer(dim, heads, inner, dropout=0.0, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        peer.self_attn.in_proj_weight.copy_(torch.cat([block.wq.T, block.wk.T, block.wv.T]))
        peer.self_attn.in_proj_bias.zero_()
        peer.self_attn.out_proj.weight.copy_(block.wo.T)
        peer.self_attn.out_proj.bias.zero_()
        peer.linear1.weight.copy_(block.w1.T)
        peer.linear1.bias.copy_(block.b1)
        peer.linear2.weight.copy_(block.w2.T)
        peer.linear2.bias.copy_(block.b2)
    x = numbers(0, 3, 5, dim)
    mask = causal_mask(5) if masked else None
    with torch.no_grad():
        expected = peer(x, src_mask=None if mask is None else ~mask)
    output, weights = encoder_block(x, block, heads, mask)
    torch.testing.assert_close(output, expected, rtol=1e-9, atol=1e-9)
    assert weights.shape == (3, heads, 5, 5)


def test_encoder_block_gives_words_of_mean_zero_and_variance_one():
    output, _ = encoder_block(numbers(0, 2, 5, 8), block_of(1, 8, 12), 2)
    torch.testing.assert_close(output.mean(-1), torch.zeros(2, 5, dtype=torch.float64), atol=1e-9, rtol=0)
    torch.testing.assert_close(
        output.var(-1, correction=0), torch.ones(2, 5, dtype=torch.float64), atol=1e-3, rtol=0
    )


# attention_rollout


@few
@given(st.integers(0, 1000), st.integers(1, 4), st.integers(1, 3), st.integers(1, 5))
def test_rollout_rows_sum_to_one(seed, layers, heads, n):
    weights = torch.softmax(numbers(seed, layers, 2, heads, n, n), -1)
    rollout = attention_rollout(weights)
    assert rollout.shape == (2, n, n)
    torch.testing.assert_close(rollout.sum(-1), torch.ones(2, n, dtype=torch.float64))


def test_rollout_of_two_layers_by_hand():
    low, high = torch.tensor([[0.5, 0.5], [0.0, 1.0]]), torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    rollout = attention_rollout(torch.stack([low, high])[:, None])
    half = torch.tensor([[0.75, 0.25], [0.0, 1.0]])
    torch.testing.assert_close(rollout, torch.tensor([[0.5, 0.5], [0.5, 0.5]]) @ half)


def test_rollout_is_the_influence_of_inputs_in_a_network_that_only_averages():
    weights = torch.softmax(numbers(0, 3, 2, 4, 4), -1)
    x = numbers(1, 4, 5).requires_grad_()
    y = x
    for layer in weights:
        y = (y + layer.mean(0) @ y) / 2
    influence = torch.stack(
        [torch.autograd.grad(y[i].sum(), x, retain_graph=True)[0][:, 0] for i in range(4)]
    )
    torch.testing.assert_close(attention_rollout(weights), influence)


def test_rollout_of_causal_attention_never_looks_ahead():
    weights = torch.softmax(numbers(0, 3, 2, 5, 5).masked_fill(~causal_mask(5), float("-inf")), -1)
    assert (attention_rollout(weights)[~causal_mask(5)] == 0).all()
