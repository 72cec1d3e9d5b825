"""Attention in sequence models, held against loops, PyTorch's own pieces, limits and closed forms."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from solutions.sequence_attention import (
    additive_scores,
    attend_source,
    doubly_stochastic_penalty,
    greedy_decode,
    monotonicity,
    pyramid,
    spatial_attention,
    translation_loss,
)

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")),
]
few = settings(max_examples=15, deadline=None)


def numbers(seed: int, *size: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=size)).to(dtype)


def weights_of(seed: int, s: int, h: int, a: int, dtype: torch.dtype = torch.float64):
    return (
        numbers(seed, a, s, dtype=dtype),
        numbers(seed + 1, a, h, dtype=dtype),
        numbers(seed + 2, a, dtype=dtype),
    )


# additive_scores


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_additive_scores_are_the_formula_written_as_loops(device, dtype, tolerance):
    state, h = numbers(0, 2, 4, dtype=dtype), numbers(1, 2, 5, 3, dtype=dtype)
    W, U, v = weights_of(2, 4, 3, 6, dtype)
    expected = torch.zeros(2, 5, dtype=dtype)
    for b in range(2):
        for j in range(5):
            for i in range(6):
                inner = sum(W[i, m] * state[b, m] for m in range(4)) + sum(
                    U[i, m] * h[b, j, m] for m in range(3)
                )
                expected[b, j] += v[i] * math.tanh(inner)
    found = additive_scores(*(x.to(device) for x in (state, h, W, U, v)))
    assert found.dtype == dtype
    assert found.device.type == device
    torch.testing.assert_close(found.cpu(), expected, rtol=tolerance, atol=tolerance)


def test_additive_scores_agree_with_linear_layers():
    first, second, last = (
        torch.nn.Linear(4, 6, bias=False),
        torch.nn.Linear(3, 6, bias=False),
        torch.nn.Linear(6, 1),
    )
    state, h = numbers(0, 2, 4).float(), numbers(1, 2, 5, 3).float()
    with torch.no_grad():
        last.bias.zero_()
        expected = last(torch.tanh(first(state)[:, None] + second(h)))[..., 0]
        found = additive_scores(state, h, first.weight, second.weight, last.weight[0])
    torch.testing.assert_close(found, expected)


def test_additive_scores_work_without_a_batch_and_with_two():
    W, U, v = weights_of(2, 4, 3, 6)
    state, h = numbers(0, 2, 5, 4), numbers(1, 2, 5, 7, 3)
    all_at_once = additive_scores(state, h, W, U, v)
    assert all_at_once.shape == (2, 5, 7)
    torch.testing.assert_close(all_at_once[1, 2], additive_scores(state[1, 2], h[1, 2], W, U, v))


# attend_source


@few
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_source_weights_are_a_distribution_over_real_words(seed, n):
    W, U, v = weights_of(seed, 4, 3, 5)
    mask = torch.from_numpy(np.random.default_rng(seed).random((3, n)) < 0.6)
    context, weights = attend_source(numbers(seed, 3, 4), numbers(seed + 9, 3, n, 3), W, U, v, mask)
    assert (weights >= 0).all()
    assert (weights[~mask] == 0).all()
    torch.testing.assert_close(weights.sum(-1), mask.any(-1).double())
    assert context.shape == (3, 3)


def test_padding_changes_nothing():
    W, U, v = weights_of(3, 4, 3, 5)
    state, h = numbers(0, 2, 4), numbers(1, 2, 6, 3)
    short = attend_source(state, h[:, :4], W, U, v)
    mask = (torch.arange(6) < 4).expand(2, 6)
    h = torch.where(mask[..., None], h, torch.tensor(1e6, dtype=h.dtype))
    padded = attend_source(state, h, W, U, v, mask)
    torch.testing.assert_close(padded[0], short[0])
    torch.testing.assert_close(padded[1][:, :4], short[1])


def test_a_source_of_padding_only_gives_zeros_and_finite_gradients():
    W, U, v = weights_of(3, 4, 3, 5)
    state = numbers(0, 2, 4).requires_grad_()
    mask = torch.tensor([[True, True, False], [False, False, False]])
    context, weights = attend_source(state, numbers(1, 2, 3, 3), W, U, v, mask)
    assert (context[1] == 0).all()
    assert (weights[1] == 0).all()
    context.sum().backward()
    assert torch.isfinite(context).all()
    assert torch.isfinite(state.grad).all()


def test_equal_annotations_are_read_as_they_are():
    W, U, v = weights_of(3, 4, 3, 5)
    h = numbers(1, 1, 1, 3).expand(2, 6, 3)
    context, weights = attend_source(numbers(0, 2, 4), h, W, U, v)
    torch.testing.assert_close(weights, torch.full((2, 6), 1 / 6, dtype=torch.float64))
    torch.testing.assert_close(context, h[:, 0])


def test_source_attention_passes_a_numeric_gradient_check():
    W, U, v = (w.requires_grad_() for w in weights_of(3, 2, 3, 4))
    inputs = (numbers(0, 2, 2).requires_grad_(), numbers(1, 2, 4, 3).requires_grad_(), W, U, v)
    assert torch.autograd.gradcheck(attend_source, inputs)


# translation_loss


def test_translation_loss_agrees_with_cross_entropy_that_ignores_padding():
    logits, tokens = numbers(0, 3, 5, 7), torch.from_numpy(np.random.default_rng(1).integers(0, 7, (3, 5)))
    tokens[1, 2:] = 0
    expected = F.cross_entropy(logits.flatten(0, 1), tokens.flatten(), ignore_index=0)
    torch.testing.assert_close(translation_loss(logits, tokens), expected)


def test_translation_loss_of_a_clueless_decoder_is_the_logarithm_of_the_vocabulary():
    tokens = torch.tensor([[4, 5, 6, 0], [1, 0, 0, 0]])
    assert translation_loss(torch.zeros(2, 4, 8), tokens).item() == pytest.approx(math.log(8))


def test_more_padding_does_not_change_the_translation_loss():
    logits, tokens = numbers(0, 2, 3, 7), torch.tensor([[1, 2, 3], [4, 0, 0]])
    longer = translation_loss(F.pad(logits, (0, 0, 0, 4)), F.pad(tokens, (0, 4)))
    torch.testing.assert_close(longer, translation_loss(logits, tokens))


def test_translation_loss_refuses_a_batch_of_padding():
    with pytest.raises(ValueError, match="padding"):
        translation_loss(torch.zeros(1, 2, 3), torch.zeros(1, 2, dtype=torch.long))


# greedy_decode


def script_step(script: torch.Tensor, weights: torch.Tensor):
    """A decoder that says what the script says; its state is the number of the step."""

    def step(token, state):
        return F.one_hot(script[:, state], 6).double(), state + 1, weights[:, state]

    return step


def test_greedy_decoding_follows_the_decoder_and_stops_at_the_end():
    script = torch.tensor([[3, 4, 2, 5, 5, 5], [5, 2, 3, 3, 3, 3]])
    weights = torch.softmax(numbers(0, 2, 6, 3), -1)
    tokens, alignment = greedy_decode(script_step(script, weights), 0, torch.tensor([1, 1]), end=2, steps=6)
    assert tokens.tolist() == [[3, 4, 2], [5, 2, 2]]
    torch.testing.assert_close(alignment[0], weights[0, :3])
    torch.testing.assert_close(alignment[1, :2], weights[1, :2])
    assert (alignment[1, 2] == 0).all()


def test_greedy_decoding_gives_up_after_the_allowed_steps():
    script = torch.full((2, 9), 4)
    weights = torch.full((2, 9, 3), 1 / 3)
    tokens, alignment = greedy_decode(script_step(script, weights), 0, torch.tensor([1, 1]), end=2, steps=5)
    assert tokens.tolist() == [[4] * 5] * 2
    assert alignment.shape == (2, 5, 3)


def test_greedy_decoding_feeds_back_what_it_wrote():
    def successor(token, state):
        return F.one_hot((token + 1) % 6, 6).double(), None, torch.ones(len(token), 1)

    tokens, _ = greedy_decode(successor, None, torch.tensor([2, 4]), end=1, steps=10)
    assert tokens.tolist() == [[3, 4, 5, 0, 1], [5, 0, 1, 1, 1]]


def test_greedy_decoding_refuses_no_steps_at_all():
    with pytest.raises(ValueError, match="at least one step"):
        greedy_decode(lambda token, state: None, None, torch.tensor([1]), end=2, steps=0)


# spatial_attention and doubly_stochastic_penalty


def test_spatial_attention_is_attention_over_places_row_by_row():
    W, U, v = weights_of(3, 4, 3, 5)
    state, features = numbers(0, 2, 4), numbers(1, 2, 3, 2, 6)
    context, weights = spatial_attention(state, features, W, U, v)
    assert context.shape == (2, 3)
    assert weights.shape == (2, 2, 6)
    places = torch.stack([features[:, :, row, col] for row in range(2) for col in range(6)], dim=1)
    flat_context, flat = attend_source(state, places, W, U, v)
    torch.testing.assert_close(context, flat_context)
    torch.testing.assert_close(weights.reshape(2, -1), flat)
    torch.testing.assert_close(weights.sum((-2, -1)), torch.ones(2, dtype=torch.float64))


def test_a_moved_picture_moves_the_weights_and_keeps_the_context():
    W, U, v = weights_of(3, 4, 3, 5)
    state, features = numbers(0, 2, 4), numbers(1, 2, 3, 4, 5)
    context, weights = spatial_attention(state, features, W, U, v)
    moved_context, moved = spatial_attention(state, features.roll((1, 2), (-2, -1)), W, U, v)
    torch.testing.assert_close(moved_context, context)
    torch.testing.assert_close(moved, weights.roll((1, 2), (-2, -1)))


def test_doubly_stochastic_penalty_vanishes_exactly_when_every_place_gets_one_look():
    looks = torch.eye(6, dtype=torch.float64).reshape(1, 6, 2, 3)
    assert doubly_stochastic_penalty(looks).item() == 0
    assert doubly_stochastic_penalty(looks[:, [0, 0, 2, 3, 4, 5]]).item() == pytest.approx(2)


@pytest.mark.parametrize("steps", [1, 4, 12])
def test_doubly_stochastic_penalty_of_even_weights_has_a_closed_form(steps):
    even = torch.full((3, steps, 2, 3), 1 / 6, dtype=torch.float64)
    assert doubly_stochastic_penalty(even).item() == pytest.approx(6 * (1 - steps / 6) ** 2)


# pyramid


@few
@given(st.integers(0, 1000), st.integers(1, 9), st.integers(1, 4))
def test_pyramid_halves_time_and_loses_nothing(seed, time, width):
    frames = numbers(seed, 2, time, width)
    short = pyramid(frames)
    assert short.shape == (2, -(-time // 2), 2 * width)
    torch.testing.assert_close(short.reshape(2, -1, width)[:, :time], frames)
    assert (short.reshape(2, -1, width)[:, time:] == 0).all()


def test_pyramid_puts_neighbours_side_by_side():
    assert pyramid(torch.tensor([[[1.0], [2.0], [3.0]]])).tolist() == [[[1, 2], [3, 0]]]


# monotonicity


def test_monotonicity_counts_steps_that_do_not_go_back():
    forward = torch.eye(4)[[0, 0, 1, 3]]
    backward = torch.eye(4)[[3, 2, 1, 0]]
    mixed = torch.eye(4)[[0, 2, 1, 3]]
    found = monotonicity(torch.stack([forward, backward, mixed]))
    torch.testing.assert_close(found, torch.tensor([1, 0, 2 / 3]))


def test_monotonicity_follows_the_peak_and_not_the_mean():
    alignment = torch.tensor([[[0.6, 0.0, 0.0, 0.4], [0.0, 1.0, 0.0, 0.0]]])
    assert monotonicity(alignment).item() == 1


def test_monotonicity_does_not_count_what_comes_after_the_end():
    alignment = torch.cat([torch.eye(4)[[1, 2, 3]], torch.zeros(2, 4)])[None]
    assert monotonicity(alignment).item() == 1
    assert monotonicity(torch.zeros(1, 3, 4)).item() == 1
    assert monotonicity(torch.eye(3)[None, :1]).item() == 1
