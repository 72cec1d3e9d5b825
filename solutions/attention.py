"""Attention as a smooth argmax: from "take the best match" to a look-up that gradients can flow through.

Hard attention answers a query with the one stored item that matches it best. Soft attention blends all items
by how well they match; a sharpness turns the blend gradually into the hard choice. The same softmax, put on
a network's own inputs, lets the network say which of them it looks at. Whether it means what it says is
another question, and `leave_one_out` asks it.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor


def hard_attention(
    query: Float[Tensor, "*batch d"], memory: Float[Tensor, "*batch n d"]
) -> tuple[Int[Tensor, "*batch"], Float[Tensor, "*batch d"]]:
    """Find the item in memory that matches the query best.

    Formula: i* = argmax_i ⟨u_i, q⟩,  u* = u_{i*}

    query: q. memory: the n items u_i; each query of the batch has a memory of its own.
    Returns (i*, u*): the index of the best item, and the item. Between equal matches the first wins.
    Raises ValueError when query and memory differ in their dimension d, even if one of them is 1.

    Source: the lecture; Weston, Chopra & Bordes (2015), Memory networks, eq. 2.
    """
    if query.shape[-1] != memory.shape[-1]:
        raise ValueError(f"query has {query.shape[-1]} dimensions, the memory's items {memory.shape[-1]}")
    scores = (memory @ query.unsqueeze(-1)).squeeze(-1)
    index = scores.argmax(dim=-1)
    return index, torch.take_along_dim(memory, index[..., None, None], dim=-2).squeeze(-2)


def soft_attention(
    query: Float[Tensor, "*batch d"], memory: Float[Tensor, "*batch n d"], sharpness: float = 1.0
) -> tuple[Float[Tensor, "*batch n"], Float[Tensor, "*batch d"]]:
    """Blend the items in memory, each by how well it matches the query.

    Formula: p_i = exp(β ⟨u_i, q⟩) / Σ_j exp(β ⟨u_j, q⟩),  read = Σ_i p_i u_i

    query: q. memory: the n items u_i. sharpness: β ≥ 0; 0 gives the plain mean of the items, β → ∞ the hard
    choice.
    Returns (weights p, read); each row of weights sums to 1. β ⟨u_i, q⟩ may be several hundred: nothing may overflow.
    Gradients flow through, to the query and to the memory.
    Raises ValueError when query and memory differ in their dimension d, even if one of them is 1, or when β is negative.

    Source: the lecture; Sukhbaatar, Szlam, Weston & Fergus (2015), End-to-end memory networks, eqs. 1–2.
    """
    if query.shape[-1] != memory.shape[-1]:
        raise ValueError(f"query has {query.shape[-1]} dimensions, the memory's items {memory.shape[-1]}")
    if sharpness < 0:
        raise ValueError(f"sharpness must not be negative (is {sharpness}): the worst match would win")
    scores = (memory @ query.unsqueeze(-1)).squeeze(-1)
    weights = torch.softmax(sharpness * scores, dim=-1)
    return weights, (weights.unsqueeze(-2) @ memory).squeeze(-2)


def soft_lookup(
    query: Float[Tensor, "*batch d"],
    keys: Float[Tensor, "*batch n d"],
    values: Float[Tensor, "*batch n v"],
    sharpness: float = 1.0,
) -> Float[Tensor, "*batch v"]:
    """Look a query up in a table, differentiably: match it with the keys, answer with the values.

    Formula: p = softmax_i(−β ‖k_i − q‖²),  answer = Σ_i p_i v_i

    query: q. keys: where the n entries lie. values: what they say, of any width v. sharpness: β > 0, in
    units of 1 / distance²; large β answers like the nearest entry, small β like the mean of all.
    Unlike ⟨k_i, q⟩, the distance does not favour long keys. Gradients flow through, to query, keys and values.
    Raises ValueError when there is not one value per key, also where torch would use one value for all keys.

    Source: Nadaraya (1964), Watson (1964): kernel regression with a Gaussian kernel, which attention is.
    """
    if keys.shape[-2] != values.shape[-2]:
        raise ValueError(f"{keys.shape[-2]} keys need as many values, not {values.shape[-2]}")
    distance = (keys - query.unsqueeze(-2)).square().sum(dim=-1)
    p = torch.softmax(-sharpness * distance, dim=-1)
    return (p.unsqueeze(-2) @ values).squeeze(-2)


def items_read(weights: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
    """Count, in effect, how many items an attention looks at: 1 when it is hard, n when it is uniform.

    Formula: exp(entropy) = exp(−Σ_i p_i log p_i), where an item with p_i = 0 adds nothing

    weights: p, each row sums to 1.
    Returns a number between 1 and n per row.

    Source: the perplexity of a distribution, Jelinek et al. (1977).
    """
    return torch.exp(-torch.special.xlogy(weights, weights).sum(dim=-1))


def feature_attention(
    x: Float[Tensor, "*batch features"],
    weight: Float[Tensor, "features features"],
    bias: Float[Tensor, "features"],
) -> tuple[Float[Tensor, "*batch features"], Float[Tensor, "*batch features"]]:
    """Let a network weigh its own inputs before it uses them.

    Formula: a = softmax(W x + b),  gated = a ⊙ x

    x: inputs, one row each. weight: W, one row per feature that is weighed. bias: b.
    Returns (a, gated): the attention, each row summing to 1, and the inputs multiplied by it.
    Gradients flow through, to x, weight and bias: the network learns where to look.
    In Keras this is `multiply([inputs, Dense(features, activation="softmax")(inputs)])`.

    Source: the lecture's Keras example.
    """
    attention = torch.softmax(x @ weight.mT + bias, dim=-1)
    return attention, attention * x


def leave_one_out(
    f: Callable[[Tensor], Tensor], x: Float[Tensor, "batch features"], baseline: Float[Tensor, "features"]
) -> Float[Tensor, "batch features"]:
    """Measure what each feature does: how much the answer changes when that feature alone is taken away.

    Formula: effect_i = |f(x) − f(x with x_i replaced by baseline_i)|

    f: a batch of inputs to one number each. x: inputs. baseline: what a feature is replaced by, for example
    its mean.
    Returns one effect per input and feature, never negative. x itself stays as it is.

    Source: Li, Monroe & Jurafsky (2016), Understanding neural networks through representation erasure; used
    to question attention by Jain & Wallace (2019), Attention is not explanation.
    """
    before = f(x)
    effects = []
    for i in range(x.shape[-1]):
        without = x.clone()
        without[:, i] = baseline[i]
        effects.append((before - f(without)).abs())
    return torch.stack(effects, dim=-1)
