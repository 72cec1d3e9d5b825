"""A weighted automaton that says the same as a recurrent network: queries, Hankel matrix, automaton.

A weighted automaton gives every word a number. It is a triple (initial, final, transitions): a row vector
α₀, a column vector α∞ and one square matrix per letter. A word is a tuple of letters, a letter an index into
the transitions. When the numbers are the probabilities that a language model writes the words, the automaton
is a language model, too: one that has a handful of states instead of a hidden vector.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

Word = Sequence[int]
Automaton = tuple[Float[Tensor, "states"], Float[Tensor, "states"], Float[Tensor, "letters states states"]]
HankelBlocks = tuple[
    Float[Tensor, "prefixes suffixes"],
    Float[Tensor, "letters prefixes suffixes"],
    Float[Tensor, "prefixes"],
    Float[Tensor, "suffixes"],
]


def word_value(automaton: Automaton, word: Word) -> Float[Tensor, ""]:
    """Give the number that a weighted automaton assigns to a word.

    Formula: f(w₁ … w_k) = α₀ᵀ A_{w₁} A_{w₂} ⋯ A_{w_k} α∞;  the empty word has f(ε) = α₀ᵀ α∞

    automaton: (α₀, α∞, A): initial weights, final weights, one matrix per letter with A[letter][from, to].
    word: the letters' indices, first letter first; may be empty.
    Returns a scalar.

    Source: Ayache, Eyraud & Goudian (2018), Explaining black boxes on sequential data using weighted
    automata, section 2.
    """
    initial, final, transitions = automaton
    state = initial
    for letter in word:
        state = state @ transitions[letter]
    return state @ final


def prefix_value(automaton: Automaton, prefix: Word) -> Float[Tensor, ""]:
    """Sum the values of all the infinitely many words that begin with a prefix.

    Formula: f(p Σ*) = Σ_w f(p w) = α₀ᵀ A_p (I + A + A² + …) α∞ = α₀ᵀ A_p (I − A)⁻¹ α∞  with A = Σ_a A_a
             where A_p is the product of the prefix's matrices

    automaton, prefix: as in word_value. When the automaton is a probability distribution over words, this is
    the probability that a word begins with the prefix, and 1 for the empty prefix.
    Raises ValueError when the sum is infinite: some eigenvalue of A reaches 1 in absolute value.

    Source: Balle, Carreras, Luque & Quattoni (2014), Spectral learning of weighted automata, section 2.
    """
    initial, final, transitions = automaton
    total = transitions.sum(dim=0)
    if torch.linalg.eigvals(total).abs().max() >= 1:
        raise ValueError("the values of all words do not add up: an eigenvalue of ΣA reaches 1")
    rest = torch.linalg.solve(torch.eye(len(total)).to(total) - total, final)
    return word_value((initial, rest, transitions), prefix)


def next_letter_values(automaton: Automaton, prefix: Word) -> Float[Tensor, "letters+1"]:
    """Say what a weighted automaton expects after a prefix: each letter, or the end of the word.

    Formula: v_a = f(p a Σ*) / f(p Σ*) for every letter a;  v_end = f(p) / f(p Σ*);  together they sum to 1

    automaton, prefix: as in prefix_value. The last entry is the end of the word. From an automaton that was
    learned, single entries may fall below 0: nothing makes it a probability distribution.

    Source: Balle et al. (2014), section 2; Ayache, Eyraud & Goudian (2018), section 4.
    """
    letters = range(len(automaton[2]))
    values = [prefix_value(automaton, (*prefix, a)) for a in letters] + [word_value(automaton, prefix)]
    return torch.stack(values) / prefix_value(automaton, prefix)


def hankel_blocks(
    f: Callable[[tuple[int, ...]], float | Tensor],
    prefixes: Sequence[Word],
    suffixes: Sequence[Word],
    alphabet: int | Sequence[int],
) -> HankelBlocks:
    """Ask a black box about the words made of prefixes and suffixes, and write its answers into tables.

    Formula: H[p, s] = f(p s),  H_a[p, s] = f(p a s),  h_P[p] = f(p),  h_S[s] = f(s)

    f: the black box, one word (a tuple of letters) to one number. prefixes: words, the rows. suffixes:
    words, the columns. alphabet: the letters, or their number n for the letters 0 … n−1.
    Returns (H, H_Σ, h_P, h_S) in float64, H_Σ with one table H_a per letter.
    Raises ValueError when there are no prefixes or no suffixes.

    Source: Balle et al. (2014), section 3; Ayache, Eyraud & Goudian (2018), section 3.
    """
    if not prefixes or not suffixes:
        raise ValueError("the Hankel matrix needs at least one prefix and one suffix, for example ()")
    letters = range(alphabet) if isinstance(alphabet, int) else alphabet

    def table(middle: tuple) -> Tensor:
        return torch.tensor(
            [[float(f((*p, *middle, *s))) for s in suffixes] for p in prefixes], dtype=torch.float64
        )

    h_p = torch.tensor([float(f(tuple(p))) for p in prefixes], dtype=torch.float64)
    h_s = torch.tensor([float(f(tuple(s))) for s in suffixes], dtype=torch.float64)
    return table(()), torch.stack([table((letter,)) for letter in letters]), h_p, h_s


def spectral_automaton(
    blocks: HankelBlocks,
    rank: int,
) -> Automaton:
    """Learn a weighted automaton with `rank` states from the Hankel tables.

    Formula: H ≈ U D Vᵀ, cut to the `rank` largest singular values; with the forward map F = H V = U D,
             α₀ᵀ = h_Sᵀ V,  α∞ = F⁺ h_P,  A_a = F⁺ H_a V   (⁺ is the pseudo-inverse)

    blocks: (H, H_Σ, h_P, h_S) as hankel_blocks returns them. rank: the number of states.
    Returns (α₀, α∞, A). The states have no names: any invertible change of basis gives the same values.
    Raises ValueError when `rank` is below 1, or H has fewer than `rank` singular values above rounding error.

    Source: Balle et al. (2014), section 3.3; Ayache, Eyraud & Goudian (2018), section 3.
    """
    h, h_letters, h_prefixes, h_suffixes = blocks
    d = torch.linalg.svdvals(h)
    found = int((d > d[0] * max(h.shape) * torch.finfo(h.dtype).eps).sum())
    if not 1 <= rank <= found:
        raise ValueError(f"the Hankel matrix has rank {found}: ask for 1 to {found} states, not {rank}")
    _, _, v_t = torch.linalg.svd(h, full_matrices=False)
    v = v_t[:rank].mT
    backward = torch.linalg.pinv(h @ v)
    return h_suffixes @ v, backward @ h_prefixes, backward @ h_letters @ v


def change_basis(automaton: Automaton, q: Float[Tensor, "states states"]) -> Automaton:
    """Rewrite an automaton in another basis: other numbers inside, the same value for every word.

    The rows of Q are the new states, written in the old ones: whoever stood in new state i stood in the
    mixture Q_i of old states. So an old state vector αᵀ reads αᵀQ⁻¹ in the new basis.

    automaton: (α₀, α∞, A). q: the invertible matrix Q.
    Returns (α₀, α∞, A) in the new basis, such that every word keeps its value.
    Raises ValueError when Q cannot be inverted.

    Source: Balle et al. (2014), section 2.
    """
    if torch.linalg.matrix_rank(q) < len(q):
        raise ValueError("Q cannot be inverted: its rows must be linearly independent")
    initial, final, transitions = automaton
    q_inverse = torch.linalg.inv(q)
    return initial @ q_inverse, q @ final, q @ transitions @ q_inverse


def _state(automaton: Automaton, prefix: Word) -> Float[Tensor, "states"]:
    """Where the automaton stands after reading the prefix: α₀ᵀ A_p."""
    state, _, transitions = automaton
    for letter in prefix:
        state = state @ transitions[letter]
    return state


def name_states(automaton: Automaton, prefixes: Sequence[Word]) -> tuple[list[Word], Automaton]:
    """Give an automaton's states a meaning: being in state i is what is known after reading prefix pᵢ.

    Each prefix leaves the automaton in a mixture of states, α₀ᵀA_p / f(p Σ*). The first prefix becomes the first
    state; then, again and again, the prefix whose mixture lies farthest from everything that the chosen ones
    span. For a distribution over words, each state's outgoing weights and its final weight then sum to 1, as
    probabilities do; single ones can still be negative.

    automaton: with finite sums of values. prefixes: words to choose from, for example () first.
    Returns the chosen prefixes and the automaton in the new basis.
    Raises ValueError when the prefixes do not tell all states apart.

    Source: the successive projections of Araújo et al. (2001), applied to state vectors.
    """
    initial = automaton[0]
    mixtures = torch.stack([_state(automaton, p) / prefix_value(automaton, p) for p in prefixes])
    rest, chosen = mixtures.clone(), [0]
    while len(chosen) < len(initial):
        direction = rest[chosen[-1]] / rest[chosen[-1]].norm()
        rest = rest - (rest @ direction)[:, None] * direction
        chosen.append(int(rest.norm(dim=1).argmax()))
        if rest[chosen[-1]].norm() < 1e-6 * mixtures.norm(dim=1).max():
            raise ValueError(f"these prefixes tell {len(chosen) - 1} of {len(initial)} states apart")
    return [prefixes[row] for row in chosen], change_basis(automaton, mixtures[chosen])


def distill_rnn(
    probability: Callable[[list[tuple[int, ...]]], Float[Tensor, "words"]],
    prefixes: Sequence[Word],
    suffixes: Sequence[Word],
    alphabet: int,
    rank: int,
) -> Automaton:
    """Turn a recurrent language model into a weighted automaton by asking it for the probabilities of words.

    The network is a black box: only its answers are used, neither its weights nor any training data.

    probability: a list of words to a tensor with one number per word. Every different word is asked for
    once, all in one list. prefixes, suffixes, alphabet: as in hankel_blocks. rank: the number of states.
    Returns (α₀, α∞, A), as spectral_automaton does.

    Source: Ayache, Eyraud & Goudian (2018), algorithm 1.
    """
    middles: list[tuple[int, ...]] = [(), *((letter,) for letter in range(alphabet))]
    words = {(*p, *m, *s) for m in middles for p in [*prefixes, ()] for s in [*suffixes, ()]}
    asked = sorted(words, key=lambda word: (len(word), word))
    answers = dict(zip(asked, probability(asked).tolist(), strict=True))
    return spectral_automaton(hankel_blocks(answers.__getitem__, prefixes, suffixes, alphabet), rank)


def ndcg(
    expected: Float[Tensor, "*batch symbols"], predicted: Float[Tensor, "*batch symbols"], k: int
) -> Float[Tensor, "*batch"]:
    """Judge a ranking of the next symbols: 1 when the k likeliest symbols come first, in the right order.

    Formula: NDCG_k = Σ_{j=1..k} p(â_j) / log₂(j+1)  /  Σ_{j=1..k} p(a_j) / log₂(j+1)
             â_1, â_2, …: the symbols sorted by the candidate, best first; a_1, a_2, …: sorted by p itself

    expected: p, what the reference model expects. predicted: the candidate's values for the same symbols;
    only their order counts. k: how many places are judged, 1 … symbols.
    Returns a number between 0 and 1 per row; 0 for a row in which there is nothing to gain, because p is 0 everywhere.
    Raises ValueError when k is not between 1 and the number of symbols.

    Source: Järvelin & Kekäläinen (2002); with probabilities as gains in the SPiCe competition (Balle et al.,
    2017).
    """
    if not 1 <= k <= expected.shape[-1]:
        raise ValueError(f"k must lie between 1 and the {expected.shape[-1]} symbols, not {k}")
    discount = 1 / torch.arange(2, k + 2).to(expected).log2()
    order = predicted.argsort(dim=-1, descending=True)[..., :k]
    gained = (expected.gather(-1, order) * discount).sum(dim=-1)
    best = (expected.topk(k, dim=-1).values * discount).sum(dim=-1)
    return torch.where(best > 0, gained / best, 0.0)


def compare_with_rnn(
    automaton: Automaton,
    probability: Callable[[list[tuple[int, ...]]], Float[Tensor, "words"]],
    next_letters: Callable[[list[tuple[int, ...]]], Float[Tensor, "words letters+1"]],
    words: Sequence[tuple[int, ...]],
) -> dict[str, float]:
    """Hold an automaton against the recurrent network that it was distilled from, on words that neither has seen.

    KL: Σ P log(P/Q) in nats over the different words, P the network's and Q the automaton's values, each made to
    sum to 1 there; values of Q below 1e-12 are raised to it.
    WER: share of all places in the words where the automaton's favourite for the next symbol is wrong.
    NDCG: mean over the different prefixes of the automaton's ranking of the next symbols, judged by the network's.

    probability, next_letters: the network's answers, for lists of words and of prefixes. words: at least one.

    Source: Ayache, Eyraud & Goudian (2018), section 4; Eyraud & Ayache (2020), Distillation of weighted automata
    from recurrent neural networks using a spectral approach.
    """
    different = sorted(set(words))
    p, q = (
        probability(different).double(),
        torch.stack([word_value(automaton, w) for w in different]).double(),
    )
    p, q = p / p.sum(), q.clamp(min=1e-12) / q.clamp(min=1e-12).sum()
    end = len(automaton[2])
    places = [(word[:i], (*word, end)[i]) for word in words for i in range(len(word) + 1)]
    prefixes = sorted({prefix for prefix, _ in places})
    mine = torch.stack([next_letter_values(automaton, prefix) for prefix in prefixes])
    favourite = dict(zip(prefixes, mine.argmax(dim=-1).tolist(), strict=True))
    wrong = sum(favourite[prefix] != symbol for prefix, symbol in places)
    ranking = ndcg(next_letters(prefixes).to(mine), mine, min(5, end + 1))
    return {
        "KL": float((torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).sum()),
        "WER": wrong / len(places),
        "NDCG": float(ranking.mean()),
    }
