"""Attention in sequence models: a decoder looks back at what it translates, sees or hears, once per word.

Translation: Bahdanau, Cho & Bengio (2015), arXiv 1409.0473. Captions: Xu et al. (2015), arXiv 1502.03044.
Speech: Chan et al. (2015), arXiv 1508.01211.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor


def additive_scores(
    state: Float[Tensor, "*batch s"],
    annotations: Float[Tensor, "*batch n h"],
    W: Float[Tensor, "a s"],
    U: Float[Tensor, "a h"],
    v: Float[Tensor, "a"],
) -> Float[Tensor, "*batch n"]:
    """How well each place of the source fits what the decoder is about to say.

        e_j = vᵀ tanh(W s + U h_j)

    s, the decoder's state before the next word, and every annotation h_j are both mapped into one common
    space of a numbers; v turns what meets there into a score. The scores are not normalized. Gradients flow through.

    Source: Bahdanau, Cho & Bengio (2015), appendix A.1.2.
    """
    meeting = (state @ W.T).unsqueeze(-2) + annotations @ U.T
    return torch.tanh(meeting) @ v


def attend_source(
    state: Float[Tensor, "*batch s"],
    annotations: Float[Tensor, "*batch n h"],
    W: Float[Tensor, "a s"],
    U: Float[Tensor, "a h"],
    v: Float[Tensor, "a"],
    mask: Bool[Tensor, "*batch n"] | None = None,
) -> tuple[Float[Tensor, "*batch h"], Float[Tensor, "*batch n"]]:
    """Read the source where it fits: the context for the next word, and how much came from where.

        α_j = exp(e_j) / Σ_k exp(e_k),   c = Σ_j α_j h_j,   e = additive_scores(state, annotations, W, U, v)

    mask is True at real words and False at padding, which gets weight 0 and takes no part in the sums. Where a
    row's mask is False throughout, there is nothing to read: its weights and its context are zeros.
    Gradients flow through. Returns (context, weights).

    Source: Bahdanau, Cho & Bengio (2015), eq. 5 and 6.
    """
    e = additive_scores(state, annotations, W, U, v)
    if mask is not None:
        e = e.masked_fill(~mask, torch.finfo(e.dtype).min)
    alpha = torch.softmax(e, dim=-1)
    if mask is not None:
        alpha = alpha.masked_fill(~mask, 0.0)
    context = (alpha.unsqueeze(-2) @ annotations).squeeze(-2)
    return context, alpha


def translation_loss(
    logits: Float[Tensor, "batch steps vocabulary"],
    tokens: Int[Tensor, "batch steps"],
    pad: int = 0,
) -> Float[Tensor, ""]:
    """The price of the right translation: mean −log p of its words, padding not counted.

        L = − (1/T) Σ over real words (b, t) of log softmax(logits_bt)[token_bt]

    T is the number of real words in the whole batch: those whose token is not `pad`. Each real word counts the
    same, in a short sentence and in a long one. Logits may go into the hundreds. Gradients flow through. Raises
    ValueError when there is no real word.

    Source: maximum likelihood, as in Bahdanau, Cho & Bengio (2015), section 2, and Chan et al. (2015), section 3.3.
    """
    real = tokens != pad
    if not real.any():
        raise ValueError("Every token is padding: there is nothing to learn from.")
    log_p = torch.log_softmax(logits, dim=-1)
    chosen = log_p.gather(-1, tokens.unsqueeze(-1)).squeeze(-1)
    return -chosen[real].mean()


def greedy_decode(
    step: Callable[[Tensor, Any], tuple[Tensor, Any, Tensor]],
    state: Any,
    start: Int[Tensor, "batch"],
    end: int,
    steps: int,
) -> tuple[Int[Tensor, "batch length"], Float[Tensor, "batch length n"]]:
    """Write one word after the other, always the likeliest, and keep where the decoder looked.

        y_t = argmax_y p(y | y_{t−1}, s_{t−1})

    step(token, state) → (logits (batch, vocabulary), next state, weights (batch, n)): one step of a decoder.
    The first token is `start`; each next one is the one just written. A sentence is over once it has written
    `end`: from then on its tokens are `end` and its alignment is zero (the step that wrote `end` is kept).
    Stops when all sentences are over, or after `steps` steps. Returns (tokens, alignment).
    Raises ValueError when steps < 1.

    Source: Bahdanau, Cho & Bengio (2015), section 3.1; greedy where the paper searches with a beam.
    """
    if steps < 1:
        raise ValueError("Decode at least one step: steps >= 1.")
    token, running = start, torch.ones_like(start, dtype=torch.bool)
    tokens, alignment = [], []
    for _ in range(steps):
        logits, state, weights = step(token, state)
        token = torch.where(running, logits.argmax(dim=-1), end)
        tokens.append(token)
        alignment.append(weights * running.unsqueeze(-1))
        running = running & (token != end)
        if not running.any():
            break
    return torch.stack(tokens, dim=1), torch.stack(alignment, dim=1)


def spatial_attention(
    state: Float[Tensor, "*batch s"],
    features: Float[Tensor, "*batch h height width"],
    W: Float[Tensor, "a s"],
    U: Float[Tensor, "a h"],
    v: Float[Tensor, "a"],
) -> tuple[Float[Tensor, "*batch h"], Float[Tensor, "*batch height width"]]:
    """Look at a picture where the next word is: attend_source with places instead of words.

        α = softmax over all places p of vᵀ tanh(W s + U h_p),   c = Σ_p α_p h_p

    h_p are the features (channels of a convolutional network) at place p = (row, column). One softmax runs
    over all height × width places. Returns (context, weights), the weights laid out as a picture again.

    Source: Xu et al. (2015), sections 3.1.2 and 4.2 (soft attention, without the gate β).
    """
    annotations = features.flatten(-2).transpose(-1, -2)
    context, alpha = attend_source(state, annotations, W, U, v)
    return context, alpha.unflatten(-1, features.shape[-2:])


def doubly_stochastic_penalty(weights: Float[Tensor, "batch steps height width"]) -> Float[Tensor, ""]:
    """The price of leaving places unseen: over a whole caption, every place should get about one look.

        mean over the batch of Σ_p (1 − Σ_t α_tp)²

    The weights of one step sum to 1 over the places already; the penalty asks for 1 over the steps as well.

    Source: Xu et al. (2015), section 4.2.1 (doubly stochastic attention), without the factor λ.
    """
    looks = weights.sum(dim=1)
    return (1 - looks).square().sum(dim=(-2, -1)).mean()


def pyramid(frames: Float[Tensor, "batch time h"]) -> Float[Tensor, "batch half 2*h"]:
    """Halve time: each pair of frames becomes one frame of twice the width.

        row i of the result is [frame_2i, frame_2i+1], one behind the other, i = 0, 1, …

    A last frame without a partner is paired with zeros, so half = ⌈time / 2⌉. Nothing is averaged and nothing is
    lost; stacked three times, a listener has eight times fewer places to attend to.

    Source: Chan et al. (2015), section 3.1 (the pyramid of the listener).
    """
    if frames.shape[1] % 2:
        frames = F.pad(frames, (0, 0, 0, 1))
    return frames.unflatten(1, (-1, 2)).flatten(-2)


def monotonicity(alignment: Float[Tensor, "batch steps n"]) -> Float[Tensor, "batch"]:
    """How steadily attention moves forward: 1 when it never steps back, as a listener's should not.

        the share of steps t with peak_t ≥ peak_{t−1},   peak_t = argmax_j α_tj

    A step whose weights are all zero is over (see greedy_decode) and not counted. With fewer than two steps left,
    nothing can step back: 1.

    Source: the monotonic alignments that Chan et al. (2015) show in figure 2, made a number.
    """
    peak = alignment.argmax(dim=-1)
    written = (alignment != 0).any(dim=-1)
    counted = written[:, 1:] & written[:, :-1]
    forward = (peak[:, 1:] >= peak[:, :-1]) & counted
    moves = counted.sum(dim=1)
    return torch.where(moves > 0, forward.sum(dim=1) / moves.clamp_min(1), 1.0).to(alignment.dtype)
