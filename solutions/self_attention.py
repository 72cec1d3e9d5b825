"""Self-attention: every word looks at every word, several heads at once, and what that explains.

Vaswani et al. (2017), arXiv 1706.03762; rollout: Abnar & Zuidema (2020), arXiv 2005.00928.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from course.models.transformer import BlockWeights


def scaled_dot_product_attention(
    q: Float[Tensor, "*batch n d"],
    k: Float[Tensor, "*batch m d"],
    v: Float[Tensor, "*batch m e"],
    mask: Bool[Tensor, "*#batch n m"] | None = None,
) -> tuple[Float[Tensor, "*batch n e"], Float[Tensor, "*batch n m"]]:
    """Each of n queries reads the m values whose keys it matches.

        weights = softmax over the keys of q kᵀ / √d,   output = weights · v

    d is the length of a query. *batch: any number of axes in front, or none. mask is True where a query may look; what
    it may not look at gets weight 0. A query that may look at nothing at all gets zeros, weights and output. Scores may
    go into the hundreds. Gradients flow through. Returns (output, weights).

    Source: Vaswani et al. (2017), eq. 1.
    """
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    weights = torch.softmax(scores, dim=-1)
    if mask is not None:
        weights = weights.masked_fill(~mask, 0.0)
    return weights @ v, weights


def causal_mask(n: int) -> Bool[Tensor, "n n"]:
    """Who may look at whom when words are written one after the other: at yourself and at what came before.

        mask[i, j] = True where j ≤ i

    Row i is the word that looks, column j the word that is looked at. A tensor of booleans.

    Source: Vaswani et al. (2017), section 3.2.3.
    """
    return torch.ones(n, n, dtype=torch.bool).tril()


def split_heads(x: Float[Tensor, "*batch n dim"], heads: int) -> Float[Tensor, "*batch heads n d"]:
    """Deal every word's numbers out to the heads, so that each head has a few numbers of each word.

        result[…, h, i, :] = x[…, i, h·d : (h+1)·d],   d = dim / heads

    Head h gets the h-th block of d neighbouring numbers of every word. Gradients flow through. Raises ValueError when
    heads does not divide dim.

    Source: Vaswani et al. (2017), section 3.2.2.
    """
    if x.shape[-1] % heads:
        raise ValueError(f"{x.shape[-1]} numbers cannot be dealt out evenly to {heads} heads.")
    return x.unflatten(-1, (heads, -1)).transpose(-3, -2)


def merge_heads(x: Float[Tensor, "*batch heads n d"]) -> Float[Tensor, "*batch n dim"]:
    """Put the heads' words together again: the inverse of split_heads.

        result[…, i, h·d : (h+1)·d] = x[…, h, i, :],   dim = heads · d

    Gradients flow through.

    Source: Vaswani et al. (2017), section 3.2.2 (Concat).
    """
    return x.transpose(-3, -2).flatten(-2)


def multi_head_attention(
    x: Float[Tensor, "*batch n dim"],
    wq: Float[Tensor, "dim dim"],
    wk: Float[Tensor, "dim dim"],
    wv: Float[Tensor, "dim dim"],
    wo: Float[Tensor, "dim dim"],
    heads: int,
    mask: Bool[Tensor, "*#batch n n"] | None = None,
) -> tuple[Float[Tensor, "*batch n dim"], Float[Tensor, "*batch heads n n"]]:
    """Every word asks every word, once per head, and each head may ask about something else.

        head_h = attention(h-th block of x wq, of x wk, of x wv),   output = [head_1, …, head_H] wo

    Words are rows, so the matrices stand on the right: x wq. The mask (True = may look) is the same for all heads.
    Gradients flow through. Returns (output, weights), the weights of every head. Built from
    scaled_dot_product_attention, split_heads and merge_heads.

    Source: Vaswani et al. (2017), section 3.2.2.
    """
    q, k, v = (split_heads(x @ w, heads) for w in (wq, wk, wv))
    if mask is not None:
        mask = mask.unsqueeze(-3)
    output, weights = scaled_dot_product_attention(q, k, v, mask)
    return merge_heads(output) @ wo, weights


def positional_encoding(n: int, dim: int) -> Float[Tensor, "n dim"]:
    """Give every position its own pattern of waves, because attention itself does not know about order.

        P[i, 2k] = sin(i / 10000^(2k/dim)),   P[i, 2k+1] = cos(i / 10000^(2k/dim))

    Row i is the position, counted from 0; sines and cosines alternate along dim. Raises ValueError when dim is odd.

    Source: Vaswani et al. (2017), section 3.5.
    """
    if dim % 2:
        raise ValueError(f"Sines and cosines come in pairs: dim must be even, not {dim}.")
    i = torch.arange(n, dtype=torch.get_default_dtype()).unsqueeze(-1)
    wavelength = 10000 ** (torch.arange(0, dim, 2) / dim)
    angle = i / wavelength
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)


def encoder_block(
    x: Float[Tensor, "*batch n dim"],
    block: BlockWeights,
    heads: int,
    mask: Bool[Tensor, "*#batch n n"] | None = None,
) -> tuple[Float[Tensor, "*batch n dim"], Float[Tensor, "*batch heads n n"]]:
    """One layer of a transformer: words first look at each other, then each thinks for itself.

        y = norm(x + attention(x)),   output = norm(y + relu(y w1 + b1) w2 + b2)

    attention is multi_head_attention with block.wq, wk, wv, wo and mask; norm brings every word to mean 0 and variance 1
    over its dim numbers (layer norm with ε = 1e-5, without gain and bias). Gradients flow through. Returns
    (output, weights).

    Source: Vaswani et al. (2017), section 3.1 and eq. 2.
    """
    attended, weights = multi_head_attention(x, block.wq, block.wk, block.wv, block.wo, heads, mask)
    y = F.layer_norm(x + attended, x.shape[-1:])
    thought = torch.relu(y @ block.w1 + block.b1) @ block.w2 + block.b2
    return F.layer_norm(y + thought, x.shape[-1:]), weights


def attention_rollout(weights: Float[Tensor, "layers *batch heads n n"]) -> Float[Tensor, "*batch n n"]:
    """Follow attention down through all layers: how much of each input word is in each output word?

        A_l = ½ (mean over heads of W_l) + ½ I,   rollout = A_L ⋯ A_2 A_1

    W_l are the weights of layer l, the first being next to the input. The identity stands for the residual
    connection, which keeps the word itself. Row i of the result is output word i, column j input word j; where the
    rows of all W_l sum to 1, those of the result do, too.

    Source: Abnar & Zuidema (2020), section 3 (attention rollout).
    """
    n = weights.shape[-1]
    layers = weights.mean(dim=-3) / 2 + torch.eye(n).to(weights) / 2
    rollout = layers[0]
    for layer in layers[1:]:
        rollout = layer @ rollout
    return rollout
