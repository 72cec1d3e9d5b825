"""Reasoning in several steps about what is seen: relation networks and multi-step attention.

A relation network (Santoro et al., 2017) looks at all pairs of things at once. MAC (Hudson & Manning, 2018) takes one
step after the other: the control unit decides what the step is about, the read unit looks it up among the things, the
write unit keeps what was found. Left out of MAC: the biases (the things' vectors can hold a constant instead), and the write
unit's two options, attention to earlier steps and a gate (eqs. w2 and w3).
"""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def object_pairs(
    objects: Float[Tensor, "batch n d"], question: Float[Tensor, "batch q"]
) -> Float[Tensor, "batch n*n 2*d+q"]:
    """Set every thing beside every thing (itself too), and the question beside both.

    Row i·n + j holds [o_i, o_j, q].

    objects: one vector per thing. question: one vector per scene.

    Source: Santoro et al. (2017), section 2, with the question appended as in section 4.
    """
    n = objects.shape[1]
    first = objects[:, :, None].expand(-1, n, n, -1)
    second = objects[:, None].expand(-1, n, n, -1)
    asked = question[:, None, None].expand(-1, n, n, -1)
    return torch.cat([first, second, asked], dim=-1).flatten(1, 2)


def relate(
    objects: Float[Tensor, "batch n d"], question: Float[Tensor, "batch q"], g: Callable, f: Callable
) -> Float[Tensor, "batch answers"]:
    """A relation network: judge each pair, add the judgements up, conclude.

    RN = f(Σ_ij g([o_i, o_j, q]))

    g: a network for pairs, f: a network for what they add up to; both work on the last axis.

    Source: Santoro et al. (2017), eq. 1.
    """
    return f(g(object_pairs(objects, question)).sum(1))


def control_unit(
    control: Float[Tensor, "batch d"],
    question: Float[Tensor, "batch d"],
    words: Float[Tensor, "batch s d"],
    mask: Bool[Tensor, "batch s"],
    w_question: Float[Tensor, "d 2*d"],
    w_attend: Float[Tensor, "d"],
) -> tuple[Float[Tensor, "batch d"], Float[Tensor, "batch s"]]:
    """Decide what this step is about: attend to the words, given what the step before was about.

    cq = W [c, q],  a_s = w · (cq ∘ x_s),  p = softmax_s(a),  c' = Σ_s p_s x_s

    control: c, of the step before. question: q, as this step sees it. words: x, one vector per word. mask: True where
    there is a word; padding gets attention 0. A question without any word gets zeros, c' and p. w_question: W. w_attend: w.
    Returns the new control c' and the attention p to the words.

    Source: Hudson & Manning (2018), eqs. c1 to c2.3.
    """
    cq = torch.cat([control, question], dim=-1) @ w_question.mT
    scores = (cq[:, None] * words) @ w_attend
    p = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1).masked_fill(~mask, 0.0)
    return (p[..., None] * words).sum(1), p


def read_unit(
    memory: Float[Tensor, "batch d"],
    knowledge: Float[Tensor, "batch n d"],
    control: Float[Tensor, "batch d"],
    w_memory: Float[Tensor, "d d"],
    w_knowledge: Float[Tensor, "d d"],
    w_merge: Float[Tensor, "d 2*d"],
    w_attend: Float[Tensor, "d"],
) -> tuple[Float[Tensor, "batch d"], Float[Tensor, "batch n"]]:
    """Look up what this step needs: attend to the things, given what is known and what the step is about.

    I_i = (W_m m) ∘ (W_k k_i),  I'_i = W_I [I_i, k_i],  a_i = w · (c ∘ I'_i),  p = softmax_i(a),  r = Σ_i p_i k_i

    memory: m, what is known so far. knowledge: k, one vector per thing. control: c. w_memory, w_knowledge, w_merge,
    w_attend: W_m, W_k, W_I, w. Returns what was read, r, and the attention p to the things.

    Source: Hudson & Manning (2018), eqs. r1 to r3.3.
    """
    meeting = (memory @ w_memory.mT)[:, None] * (knowledge @ w_knowledge.mT)
    merged = torch.cat([meeting, knowledge], dim=-1) @ w_merge.mT
    p = ((control[:, None] * merged) @ w_attend).softmax(-1)
    return (p[..., None] * knowledge).sum(1), p


def write_unit(
    memory: Float[Tensor, "batch d"], read: Float[Tensor, "batch d"], w_write: Float[Tensor, "d 2*d"]
) -> Float[Tensor, "batch d"]:
    """Keep what was found together with what was known: m' = W [r, m].

    memory: m, known so far. read: r, just read. w_write: W.

    Source: Hudson & Manning (2018), eq. w1.
    """
    return torch.cat([read, memory], dim=-1) @ w_write.mT


def reason(
    question: Float[Tensor, "batch d"],
    words: Float[Tensor, "batch s d"],
    mask: Bool[Tensor, "batch s"],
    knowledge: Float[Tensor, "batch n d"],
    weights: Mapping[str, Tensor],
) -> tuple[Float[Tensor, "batch answers"], Float[Tensor, "batch steps n"], Float[Tensor, "batch steps s"]]:
    """Answer a question in several steps: control, read, write; control, read, write; … conclude.

    Step t sees the question as q_t = Q_t q. After the last step: logits = U relu(V [q, m]).

    weights: "control" (d) and "memory" (d) with which to begin, the same for the whole batch; "steps" (steps, d, d), the
    matrices Q_t; "w_question" and "w_word" for the control unit; "w_memory", "w_knowledge", "w_merge" and "w_thing"
    for the read unit; "w_write"; "v" (h, 2d) and "u" (answers, h). All steps share them, except Q_t.
    Returns the logits, and each step's attention to the things and to the words.

    Source: Hudson & Manning (2018), sections 3.1 (Q_t), 3.2 and 3.3.
    """
    control, memory = (weights[name].expand(len(question), -1) for name in ("control", "memory"))
    looks, thoughts = [], []
    for step in weights["steps"]:
        control, thought = control_unit(
            control, question @ step.mT, words, mask, weights["w_question"], weights["w_word"]
        )
        read, look = read_unit(
            memory,
            knowledge,
            control,
            *(weights[name] for name in ("w_memory", "w_knowledge", "w_merge", "w_thing")),
        )
        memory = write_unit(memory, read, weights["w_write"])
        looks.append(look)
        thoughts.append(thought)
    hidden = (torch.cat([question, memory], dim=-1) @ weights["v"].mT).relu()
    return hidden @ weights["u"].mT, torch.stack(looks, dim=1), torch.stack(thoughts, dim=1)
