"""Memory networks: formulate a goal, recover what matches, formulate another query, decide.

First MemNN (Weston et al., 2015), whose memory is written as well as read and whose look-ups are hard; then
MemN2N (Sukhbaatar et al., 2015), whose look-ups are soft, so that it learns from answers alone. Memories carry a mask:
True where something is written.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

# --- MemNN: input, generalization, output, response -----------------------------------------------------------------


def write_memory(
    memory: Float[Tensor, "slots d"], age: Int[Tensor, "slots"], x: Float[Tensor, "d"]
) -> tuple[Float[Tensor, "slots d"], Int[Tensor, "slots"]]:
    """Write one more sentence into the memory (the "G" of MemNN, generalization).

    m_{H(x)} = x, where H(x) is the first empty slot or, when none is empty, the slot written longest ago.

    memory: one vector per slot. age: how many writings ago each slot was written (0 = just now), -1 where it is
    empty, whatever numbers the memory holds there. x: the sentence's vector. Returns the new memory and the new ages;
    the arguments stay as they are.

    Source: Weston et al. (2015), section 3.1, eq. 1, with the oldest slot forgotten when the memory is full.
    """
    empty = age < 0
    slot = empty.long().argmax() if empty.any() else age.argmax()
    new_memory, new_age = memory.clone(), torch.where(empty, age, age + 1)
    new_memory[slot] = x
    new_age[slot] = 0
    return new_memory, new_age


def hard_lookup(
    query: Float[Tensor, "*batch d"],
    memory: Float[Tensor, "*batch slots d"],
    mask: Bool[Tensor, "*batch slots"],
) -> tuple[Int[Tensor, "*batch"], Float[Tensor, "*batch d"]]:
    """Recover the one memory that matches the query best (a half of the "O" of MemNN, output).

    o = argmax_i ⟨q, m_i⟩ over the slots in which something is written.

    mask: True where a slot holds a memory. Returns the slot's number and its vector.
    Raises ValueError when some memory is empty altogether.

    Source: Weston et al. (2015), eq. 2.
    """
    if not mask.any(-1).all():
        raise ValueError("there is nothing to look up: every slot of a memory is masked out")
    scores = (memory @ query[..., None])[..., 0]
    best = scores.masked_fill(~mask, -torch.inf).argmax(-1)
    return best, torch.take_along_dim(memory, best[..., None, None], dim=-2)[..., 0, :]


def margin_ranking_loss(
    scores: Float[Tensor, "batch n"], correct: Int[Tensor, "batch"], margin: float
) -> Float[Tensor, ""]:
    """How far the right candidate is from winning by a margin over every other one.

    L = mean over the batch of Σ_{i ≠ c} max(0, γ − s_c + s_i)

    scores: s, one per candidate; a wrong one whose score is −∞ is out of the game and costs nothing. correct: c, the
    number of the right candidate. margin: γ. Gradients flow through to the scores.

    Source: Weston et al. (2015), eqs. 6 to 8, summed over all wrong candidates instead of a sample of them.
    """
    right = scores.gather(1, correct[:, None])
    violations = (margin - right + scores).clamp(min=0)
    return violations.scatter(1, correct[:, None], 0).sum(1).mean()


class MemNN(nn.Module):
    """A memory network with hard look-ups; it learns from stories whose supporting facts are given.

    I (input): a sentence becomes the sum of its words' vectors plus the vector of its age. G (generalization): it is
    written into the memory, newest first. O (output): two hard look-ups, the second one asking a question that knows
    what the first one found. R (response): the word that matches question and findings best.
    """

    def __init__(self, vocabulary: int, dim: int, memory: int, generator: torch.Generator | None = None):
        super().__init__()

        def small(*shape: int) -> nn.Parameter:
            return nn.Parameter(0.1 * torch.randn(*shape, generator=generator))

        def bag() -> nn.EmbeddingBag:
            """Tokens → the sum of their vectors, padding left out."""
            return nn.EmbeddingBag(vocabulary, dim, mode="sum", padding_idx=0, _weight=small(vocabulary, dim))

        self.words, self.times, self.answers = bag(), small(memory, dim), small(vocabulary, dim)
        self.asks = nn.ModuleList([bag() for _ in range(3)])  # the question, as each step asks it
        self.follow, self.recall = small(dim, dim), small(2, dim, dim)  # what findings add to later steps

    def remember(
        self, stories: Int[Tensor, "batch memory words"]
    ) -> tuple[Float[Tensor, "batch memory d"], Bool[Tensor, "batch memory"]]:
        """I and G: the memories of whole stories, and where there are any."""
        sentences = self.words(stories.flatten(0, 1)).unflatten(0, stories.shape[:2])
        return sentences + self.times[: stories.shape[1]], (stories != 0).any(-1)

    def forward(
        self, stories: Int[Tensor, "batch memory words"], questions: Int[Tensor, "batch words"]
    ) -> tuple[Float[Tensor, "batch vocabulary"], Int[Tensor, "batch 2"]]:
        """O and R: a score for each word, and the two slots that were looked up."""
        memory, mask = self.remember(stories)
        first, m1 = hard_lookup(self.asks[0](questions), memory, mask)
        second, m2 = hard_lookup(self.asks[1](questions) + m1 @ self.follow, memory, mask)
        response = self.asks[2](questions) + m1 @ self.recall[0] + m2 @ self.recall[1]
        return response @ self.answers.mT, torch.stack([first, second], dim=1)

    def loss(
        self,
        stories: Int[Tensor, "batch memory words"],
        questions: Int[Tensor, "batch words"],
        support: Int[Tensor, "batch 2"],
        answers: Int[Tensor, "batch"],
        margin: float,
    ) -> Float[Tensor, ""]:
        """Each step should choose rightly, by a margin, given that the steps before it did (Weston, eqs. 6 to 8)."""
        memory, mask = self.remember(stories)
        m1, m2 = torch.take_along_dim(memory, support[..., None], dim=1).unbind(1)
        queries = self.asks[0](questions), self.asks[1](questions) + m1 @ self.follow
        scores = [(memory @ q[..., None])[..., 0].masked_fill(~mask, -torch.inf) for q in queries]
        response = self.asks[2](questions) + m1 @ self.recall[0] + m2 @ self.recall[1]
        choices = [*zip(scores, support.unbind(1), strict=True), (response @ self.answers.mT, answers)]
        return sum(
            (margin_ranking_loss(s, right, margin) for s, right in choices), torch.zeros(()).to(memory)
        )


# --- MemN2N: soft look-ups, trained end to end ------------------------------------------------------------------------


def position_encoding(words: int, dim: int) -> Float[Tensor, "words dim"]:
    """Weights that let a sum of word vectors know the order of the words.

    l_jk = (1 − j/J) − (k/d)·(1 − 2j/J), with word j = 1 … J and dimension k = 1 … d

    words: J. dim: d. Returns one row per word, one column per dimension.

    Source: Sukhbaatar et al. (2015), section 4.1 (sentence representation).
    """
    j = torch.arange(1, words + 1)[:, None] / words
    k = torch.arange(1, dim + 1) / dim
    return (1 - j) - k * (1 - 2 * j)


def embed_sentences(
    tokens: Int[Tensor, "*batch words"],
    embedding: Float[Tensor, "vocabulary d"],
    encoding: Float[Tensor, "words d"],
) -> Float[Tensor, "*batch d"]:
    """Turn each sentence into one vector: the sum of its words' vectors, each weighted by its place.

    m = Σ_j l_j ∘ A x_j, over the words that are there: word number 0 is padding and adds nothing

    tokens: word numbers. embedding: A, one row per word. encoding: l, one row per place.

    Source: Sukhbaatar et al. (2015), section 4.1.
    """
    there = (tokens != 0)[..., None]
    return (embedding[tokens] * encoding.to(embedding) * there).sum(-2)


def memory_hop(
    query: Float[Tensor, "*batch d"],
    memory_in: Float[Tensor, "*batch n d"],
    memory_out: Float[Tensor, "*batch n d"],
    mask: Bool[Tensor, "*batch n"] | None = None,
) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch n"]]:
    """Recover what matches the query: one soft look-up in the memory.

    p = softmax_i(⟨u, m_i⟩) and o = Σ_i p_i c_i

    query: u. memory_in: m, what is compared with the query. memory_out: c, what is read. mask: True where there is
    a memory; all are there when it is left out. Without any memory, weights and output are zero. Scores may go into the
    hundreds. Gradients flow through. Returns the output o and the weights p.

    Source: Sukhbaatar et al. (2015), eqs. 1 and 2.
    """
    scores = (memory_in @ query[..., None])[..., 0]
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    p = scores.softmax(-1)
    if mask is not None:
        p = torch.where(mask, p, 0)
    return (p[..., None] * memory_out).sum(-2), p


def linear_hop(
    query: Float[Tensor, "*batch d"],
    memory_in: Float[Tensor, "*batch n d"],
    memory_out: Float[Tensor, "*batch n d"],
    mask: Bool[Tensor, "*batch n"] | None = None,
) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch n"]]:
    """A hop without its softmax, with which training begins: p_i = ⟨u, m_i⟩ and o = Σ_i p_i c_i.

    Source: Sukhbaatar et al. (2015), section 4.2 (linear start).
    """
    p = (memory_in @ query[..., None])[..., 0]
    if mask is not None:
        p = torch.where(mask, p, 0)
    return (p[..., None] * memory_out).sum(-2), p


def repeat_hops(
    hop: Callable,
    query: Float[Tensor, "*batch d"],
    memories_in: Float[Tensor, "hops *batch n d"],
    memories_out: Float[Tensor, "hops *batch n d"],
    mask: Bool[Tensor, "*batch n"],
    transfer: Float[Tensor, "d d"],
) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch hops n"]]:
    """Formulate a query, recover, formulate another query: one hop after the other.

    u_{k+1} = H u_k + o_k, where (o_k, p_k) is hop k's answer to the query u_k

    hop: a function such as memory_hop: (query, memory_in, memory_out, mask) → (output, weights).
    query: u_1. memories_in, memories_out: one memory per hop. transfer: H (the identity for adjacent tying).
    Gradients flow through. Returns the last query u_{K+1} and the weights of all hops.

    Source: Sukhbaatar et al. (2015), section 2.2, eq. 4 (adjacent) and layer-wise tying.
    """
    u, weights = query, []
    for memory_in, memory_out in zip(memories_in, memories_out, strict=True):
        o, p = hop(u, memory_in, memory_out, mask)
        u = u @ transfer.mT + o
        weights.append(p)
    return u, torch.stack(weights, dim=-2)


def clip_each_matrix(gradients: list[Float[Tensor, "_ _"]], limit: float) -> list[Float[Tensor, "_ _"]]:
    """Shorten the gradient of each weight matrix that is too long, by itself; leave the others as they are.

    g ← g · limit / ‖g‖ for each matrix with ‖g‖ > limit, where ‖g‖² = Σ g_ij²

    Returns them in the same order. The tensors that were given are not changed.

    Source: Sukhbaatar et al. (2015), section 4.2.
    """
    return [g * (limit / g.norm()) if g.norm() > limit else g for g in gradients]


class MemN2N(nn.Module):
    """An end-to-end memory network: story and question in, answer and the attention of every hop out.

    tying "adjacent": the output table of a hop is the input table of the next, the first one also embeds the question
    and the last one the answer (A_{k+1} = C_k, B = A_1, W = C_Kᵀ). tying "layer-wise": all hops share A and C; question
    and answer have tables of their own, and a matrix H carries the query from hop to hop.
    Stories hold the newest sentence first, so that the time rows T_A, T_C tell how long ago a sentence was said.
    While `linear_start` is True, the hops go without softmax.

    Source: Sukhbaatar et al. (2015), sections 2, 4.1 and 4.2.
    """

    def __init__(
        self,
        vocabulary: int,
        dim: int,
        hops: int,
        memory: int,
        tying: str = "adjacent",
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        if tying not in ("adjacent", "layer-wise"):
            raise ValueError(f'tying must be "adjacent" or "layer-wise", not {tying!r}')

        def small(*shape: int) -> nn.Parameter:
            return nn.Parameter(0.1 * torch.randn(*shape, generator=generator))

        adjacent = tying == "adjacent"
        self.hops, self.tying, self.linear_start = hops, tying, False
        self.tables = small(
            hops + 1 if adjacent else 4, vocabulary, dim
        )  # adjacent: A1 … AK, CK; else: A, C, B, W
        self.times = small(hops + 1 if adjacent else 2, memory, dim)
        if not adjacent:
            self.transfer = small(dim, dim)

    def forward(
        self, stories: Int[Tensor, "batch sentences words"], questions: Int[Tensor, "batch question"]
    ) -> tuple[Float[Tensor, "batch vocabulary"], Float[Tensor, "batch hops sentences"]]:
        """Return a logit for every word of the vocabulary, and what every hop attended to."""
        sentences, dim = stories.shape[1], self.tables.shape[2]
        if sentences > self.times.shape[1]:
            raise ValueError(
                f"the memory holds {self.times.shape[1]} sentences, the stories have {sentences}"
            )
        memories = torch.stack([
            embed_sentences(stories, table, position_encoding(stories.shape[2], dim)) + time[:sentences]
            for table, time in zip(self.tables, self.times, strict=False)
        ])  # fmt: skip
        if self.tying == "adjacent":
            ask, memories_in, memories_out = self.tables[0], memories[:-1], memories[1:]
            transfer = torch.eye(dim).to(self.tables)
        else:
            ask, transfer = self.tables[2], self.transfer
            memories_in, memories_out = (m.expand(self.hops, *m.shape) for m in memories)
        u = embed_sentences(questions, ask, position_encoding(questions.shape[1], dim))
        hop = linear_hop if self.linear_start else memory_hop
        u, attention = repeat_hops(hop, u, memories_in, memories_out, (stories != 0).any(-1), transfer)
        return u @ self.tables[-1].mT, attention
