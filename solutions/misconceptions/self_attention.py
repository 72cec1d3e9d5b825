"""Chapter 13: what people really write, and other right ways to write it."""

import math

import torch
import torch.nn.functional as F

from solutions.self_attention import (
    attention_rollout,
    encoder_block,
    merge_heads,
    multi_head_attention,
    positional_encoding,
    scaled_dot_product_attention,
    split_heads,
)

# scaled_dot_product_attention


def _attention(q, k, v, mask, scale, dim=-1):
    scores = q @ k.transpose(-2, -1) * scale
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    weights = torch.softmax(scores, dim=dim)
    if mask is not None:
        weights = weights.masked_fill(~mask, 0.0)
    return weights @ v, weights


def scales_by_d(q, k, v, mask=None):
    """You divided by d instead of its root. A product of two random vectors of d numbers spreads by √d; divided by d, all weights become nearly equal when d is large."""
    return _attention(q, k, v, mask, 1 / q.shape[-1])


def forgets_to_scale(q, k, v, mask=None):
    """The scores are not divided by √d. The wider the vectors, the larger the scores: the softmax turns into a hard choice and its gradient dies."""
    return _attention(q, k, v, mask, 1.0)


def scales_by_the_number_of_keys(q, k, v, mask=None):
    """You divided by the root of the number of keys. d is the length of one query: what grows with it is the sum in each product."""
    return _attention(q, k, v, mask, 1 / math.sqrt(k.shape[-2]))


def softmax_over_the_queries(q, k, v, mask=None):
    """Your softmax runs over the queries: each key gives away one unit of attention. It is each query that has one unit to spend, on the keys."""
    return _attention(q, k, v, mask, q.shape[-1] ** -0.5, dim=-2)


def softmax_over_the_batch(q, k, v, mask=None):
    """Your softmax runs over the batch: sentences that have nothing to do with each other compete for attention."""
    return _attention(q, k, v, mask, q.shape[-1] ** -0.5, dim=0)


def masks_after_the_softmax(q, k, v, mask=None):
    """The mask was applied after the softmax: the weights no longer sum to 1, because the hidden words had their share in the sum."""
    _output, weights = _attention(q, k, v, None, q.shape[-1] ** -0.5)
    if mask is not None:
        weights = weights * mask
    return weights @ v, weights


def hides_what_may_be_seen(q, k, v, mask=None):
    """The mask is upside down: you hid where it is True. Here True means "may look"; in nn.MultiheadAttention it means the opposite, which is where this mistake comes from."""
    return _attention(q, k, v, None if mask is None else ~mask, q.shape[-1] ** -0.5)


def adds_the_mask(q, k, v, mask=None):
    """The mask was added as zeros and ones: visible words got one point more, hidden ones are still there."""
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    weights = torch.softmax(scores if mask is None else scores + mask, dim=-1)
    return weights @ v, weights


def divides_by_nothing(q, k, v, mask=None):
    """A query that may look at nothing gives NaN: its softmax divides 0 by 0. The docstring says what it gets instead."""
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = torch.softmax(scores, dim=-1)
    return weights @ v, weights


def spreads_over_what_is_hidden(q, k, v, mask=None):
    """A query that may look at nothing looks at everything alike here: where all scores are the same very negative number, the softmax makes equal shares of them. The docstring says what such a query gets."""
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -1e9)
    weights = torch.softmax(scores, dim=-1)
    return weights @ v, weights


def zeroes_the_hidden_scores(q, k, v, mask=None):
    """You multiplied the scores by the mask: what is hidden got the score 0, and that still earns a share, a good one where other scores are negative."""
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    weights = torch.softmax(scores if mask is None else scores * mask, dim=-1)
    return weights @ v, weights


def reads_all_values_alike(q, k, v, mask=None):
    """The weights are right, but the values were read without them: every query got the plain mean of v."""
    _, weights = scaled_dot_product_attention(q, k, v, mask)
    return v.mean(dim=-2, keepdim=True).expand(*q.shape[:-1], v.shape[-1]), weights


def returns_the_weights_first(q, k, v, mask=None):
    """Both results are right, but they have changed places: the output comes first, the weights second."""
    return scaled_dot_product_attention(q, k, v, mask)[::-1]


def scales_after_the_softmax(q, k, v, mask=None):
    """Your weights sum to 1/√d: the division comes after the softmax. It is the scores that are divided."""
    output, weights = _attention(q, k, v, mask, 1.0)
    return output / math.sqrt(q.shape[-1]), weights / math.sqrt(q.shape[-1])


def scales_by_the_width_of_the_values(q, k, v, mask=None):
    """You divided by the root of the length of a value. d is the length of a query: what grows with it is the sum in each product."""
    return _attention(q, k, v, mask, v.shape[-1] ** -0.5)


def compares_directions(q, k, v, mask=None):
    """Queries and keys were brought to length 1, so that you compare directions (the cosine). The formula has the plain product."""
    return _attention(F.normalize(q, dim=-1), F.normalize(k, dim=-1), v, mask, 1.0)


def overflows_in_the_exponential(q, k, v, mask=None):
    """Large scores give NaN: exp(100) is more than a float can hold, and ∞/∞ is no number. Subtract the largest score first, as torch.softmax does."""
    share = torch.exp(q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]))
    share = share if mask is None else share * mask
    weights = share / share.sum(dim=-1, keepdim=True).clamp_min(1e-30)
    return weights @ v, weights


def attention_with_infinities(q, k, v, mask=None):
    scores = torch.einsum("...nd,...md->...nm", q, k) * q.shape[-1] ** -0.5
    if mask is not None:
        scores = torch.where(mask, scores, -torch.inf)
    weights = torch.nan_to_num(torch.softmax(scores, dim=-1), nan=0.0)
    return torch.einsum("...nm,...me->...ne", weights, v), weights


def attention_by_logsumexp(q, k, v, mask=None):
    scores = (q.unsqueeze(-2) * k.unsqueeze(-3)).sum(-1) / q.shape[-1] ** 0.5
    if mask is not None:
        scores = scores + torch.zeros_like(scores).masked_fill(mask.logical_not(), -torch.inf)
    weights = (scores - scores.logsumexp(-1, keepdim=True)).exp().nan_to_num(0.0)
    return weights @ v, weights


def attention_by_pytorch(q, k, v, mask=None):
    output = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    identity = torch.eye(k.shape[-2]).to(v).expand(*v.shape[:-1], k.shape[-2])
    return output, F.scaled_dot_product_attention(q, k, identity, attn_mask=mask)


# causal_mask


def hides_the_word_itself(n):
    """Your mask begins one place too early: no word may look at itself, and the first one at nothing at all."""
    return torch.ones(n, n, dtype=torch.bool).tril(-1)


def shows_the_next_word(n):
    """Your mask ends one place too late: every word sees the next one, the very word that is to be guessed."""
    return torch.ones(n, n, dtype=torch.bool).tril(1)


def looks_ahead(n):
    """This is the other triangle: every word sees itself and the future. Row i is who looks, column j who is looked at."""
    return torch.ones(n, n, dtype=torch.bool).triu()


def marks_what_is_hidden(n):
    """You marked with True what must not be seen. Here True means "may look"."""
    return torch.ones(n, n, dtype=torch.bool).triu(1)


def gives_numbers_to_add(n):
    """These are numbers to add to scores, 0 and −∞. A tensor of booleans was asked for: True where a word may look."""
    return torch.zeros(n, n).masked_fill(torch.ones(n, n, dtype=torch.bool).triu(1), -torch.inf)


def sees_only_itself(n):
    """Every word sees itself and nothing else. It may also look at what came before."""
    return torch.eye(n, dtype=torch.bool)


def causal_mask_by_comparison(n):
    i = torch.arange(n)
    return i[:, None] >= i[None, :]


# split_heads


def cuts_the_sentence_into_heads(x, heads):
    """The numbers were only reshaped, without moving an axis: head 0 got the first words of the sentence instead of the first numbers of every word."""
    return x.reshape(*x.shape[:-2], heads, x.shape[-2], -1)


def deals_numbers_out_in_turn(x, heads):
    """The numbers were dealt out in turn: 0 to head 0, 1 to head 1, and so on. Each head gets a block of neighbours."""
    return x.unflatten(-1, (-1, heads)).movedim(-1, -3)


def leaves_the_heads_behind_the_words(x, heads):
    """The axes are (…, n, heads, d) here. Attention works on the last two axes: those must be the words and their numbers."""
    return x.unflatten(-1, (heads, -1))


def turns_each_head_over(x, heads):
    """Words and numbers have changed places within each head: the last two axes must be (n, d)."""
    return split_heads(x, heads).transpose(-2, -1)


def puts_the_heads_in_front(x, heads):
    """The heads stand in front of everything, before the sentences of the batch. They belong just before the words: (…, heads, n, d)."""
    return split_heads(x, heads).movedim(-3, 0)


def makes_heads_of_that_many_numbers(x, heads):
    """Each of your heads holds `heads` numbers. It is the number of heads that is given; how many numbers each gets follows from it."""
    if x.shape[-1] % heads:
        raise ValueError("heads must divide dim")
    return split_heads(x, x.shape[-1] // heads)


def split_heads_by_chunks(x, heads):
    if x.shape[-1] // heads * heads != x.shape[-1]:
        raise ValueError("heads must divide dim")
    return torch.stack(x.chunk(heads, dim=-1), dim=-3)


# merge_heads


def glues_words_instead_of_heads(x):
    """The numbers were only reshaped: a word's numbers now come from several words of one head. Bring a word's heads side by side first."""
    heads, n, d = x.shape[-3:]
    return x.reshape(*x.shape[:-3], n, heads * d)


def merges_in_turn(x):
    """The heads' numbers alternate: first number of every head, then the second. Each head's block stays together."""
    return x.movedim(-3, -1).flatten(-2)


def merges_the_last_head_first(x):
    """The heads are merged in the wrong order: the last one comes first, so that each meets the rows of wo that belong to another."""
    return x.flip(-3).transpose(-3, -2).flatten(-2)


def adds_the_heads(x):
    """The heads were averaged and repeated. They are put side by side, so that wo can tell them apart."""
    return x.mean(dim=-3).repeat_interleave(x.shape[-3], dim=-1)


def sums_the_heads(x):
    """The heads were added up. They are put side by side, so that wo can tell them apart."""
    return x.sum(dim=-3)


def leaves_the_heads_apart(x):
    """The axes are (…, n, heads, d) here: the heads of a word lie side by side, but they are still apart. Make one axis of the last two."""
    return x.transpose(-3, -2)


def merge_heads_by_concatenation(x):
    return torch.cat(x.unbind(dim=-3), dim=-1)


# multi_head_attention


def forgets_the_output_matrix(x, wq, wk, wv, wo, heads, mask=None):
    """The merged heads were returned as they are: wo is missing, which lets the heads talk to each other."""
    q, k, v = (split_heads(x @ w, heads) for w in (wq, wk, wv))
    output, weights = scaled_dot_product_attention(q, k, v, None if mask is None else mask.unsqueeze(-3))
    return merge_heads(output), weights


def multiplies_from_the_left(x, wq, wk, wv, wo, heads, mask=None):
    """You used the matrices transposed, as nn.Linear keeps them. Here words are rows and the matrix stands on the right as it is: x wq."""
    return multi_head_attention(x, wq.T, wk.T, wv.T, wo.T, heads, mask)


def asks_with_the_keys(x, wq, wk, wv, wo, heads, mask=None):
    """Queries and keys changed roles: each word is asked what it should ask. Which matrix makes the query?"""
    return multi_head_attention(x, wk, wq, wv, wo, heads, mask)


def uses_one_head_only(x, wq, wk, wv, wo, heads, mask=None):
    """The words were not split: this is one wide head, repeated. Each head compares its own block of numbers only."""
    output, weights = multi_head_attention(x, wq, wk, wv, wo, 1, mask)
    return output, weights.expand(*weights.shape[:-3], heads, *weights.shape[-2:])


def scales_by_the_whole_width(x, wq, wk, wv, wo, heads, mask=None):
    """The scores were divided by the root of the whole width. Each head compares d = dim / heads numbers: its own root counts."""
    return multi_head_attention(x, wq / math.sqrt(heads), wk, wv, wo, heads, mask)


def forgets_the_mask(x, wq, wk, wv, wo, heads, mask=None):
    """The mask never reached the heads: words look at what they must not see."""
    return multi_head_attention(x, wq, wk, wv, wo, heads)


def merges_the_heads_in_the_wrong_order(x, wq, wk, wv, wo, heads, mask=None):
    """The heads' numbers were interleaved before wo: each number meets a row of wo that belongs to another head."""
    q, k, v = (split_heads(x @ w, heads) for w in (wq, wk, wv))
    output, weights = scaled_dot_product_attention(q, k, v, None if mask is None else mask.unsqueeze(-3))
    return merges_in_turn(output) @ wo, weights


def reads_the_keys(x, wq, wk, wv, wo, heads, mask=None):
    """The weights are right, but what is read are the keys: wv is not used. A word shows one thing and gives another."""
    return multi_head_attention(x, wq, wk, wk, wo, heads, mask)


def averages_the_maps(x, wq, wk, wv, wo, heads, mask=None):
    """The output is right, but the weights were averaged over the heads, as nn.MultiheadAttention does unless told otherwise. Each head's own map is asked for."""
    output, weights = multi_head_attention(x, wq, wk, wv, wo, heads, mask)
    return output, weights.mean(dim=-3)


def adds_what_came_in(x, wq, wk, wv, wo, heads, mask=None):
    """The weights are right, but x was added to the output. That is the residual connection, which comes later, in encoder_block."""
    output, weights = multi_head_attention(x, wq, wk, wv, wo, heads, mask)
    return x + output, weights


def splits_before_it_projects(x, wq, wk, wv, wo, heads, mask=None):
    """Each head sees only its own block of every word: x was split before it was multiplied. Multiply with the whole matrix first, then split: every head may use all numbers of a word."""
    d = x.shape[-1] // heads
    own = torch.block_diag(*[torch.ones(d, d)] * heads).to(x)
    return multi_head_attention(x, wq * own, wk * own, wv * own, wo, heads, mask)


def multi_head_attention_head_by_head(x, wq, wk, wv, wo, heads, mask=None):
    d = x.shape[-1] // heads
    total, weights = 0, []
    for h in range(heads):
        block = slice(h * d, (h + 1) * d)
        head, w = scaled_dot_product_attention(x @ wq[:, block], x @ wk[:, block], x @ wv[:, block], mask)
        total = total + head @ wo[block]
        weights.append(w)
    return total, torch.stack(weights, dim=-3)


# positional_encoding


def _angles(n, dim, base=10000.0):
    return torch.arange(n)[:, None] / base ** (torch.arange(0, dim, 2) / dim)


def puts_all_sines_first(n, dim):
    """All sines come first and then all cosines. That would work as well, but the formula lets them alternate: 2k sine, 2k+1 cosine."""
    return torch.cat([_angles(n, dim).sin(), _angles(n, dim).cos()], dim=-1)


def stands_on_its_side(n, dim):
    """Positions run along the columns here: the encoding is transposed. Row i belongs to position i."""
    return positional_encoding(n, dim).T


def slows_down_too_slowly(n, dim):
    """Your exponent is k/dim; the formula says 2k/dim, so that the last wave is nearly 10000 long (divided by 2π)."""
    angle = torch.arange(n)[:, None] / 10000 ** (torch.arange(dim // 2) / dim)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)


def gives_each_column_its_own_wave(n, dim):
    """Every column has its own wavelength here. A sine and the cosine beside it share one: only then is a shift by some places a rotation."""
    angle = torch.arange(n)[:, None] / 10000 ** (torch.arange(dim) / dim)
    even = torch.arange(dim) % 2 == 0
    return torch.where(even, angle.sin(), angle.cos())


def counts_from_one(n, dim):
    """Your first position is 1. Positions are counted from 0: the first row is 0, 1, 0, 1, …"""
    return positional_encoding(n + 1, dim)[1:]


def begins_with_the_cosine(n, dim):
    """Sines and cosines have changed places: even columns hold the sine, so that the first row is 0, 1, 0, 1, …"""
    table = positional_encoding(n, dim).unflatten(-1, (-1, 2))
    return table.flip(-1).flatten(-2)


def turns_faster_and_faster(n, dim):
    """You multiplied by the power of 10000 instead of dividing: the waves become faster along dim, until neighbouring places look like chance."""
    if dim % 2:
        raise ValueError("odd")
    angle = torch.arange(n)[:, None] * 10000 ** (torch.arange(0, dim, 2) / dim)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)


def doubles_twice(n, dim):
    """Your exponent runs twice as fast as the formula's: one cause is arange(0, dim, 2), which is 2k already, multiplied by 2 once more."""
    angle = torch.arange(n)[:, None] / 10000 ** (2 * torch.arange(0, dim, 2) / dim)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)


def positional_encoding_as_loops(n, dim):
    if dim // 2 * 2 != dim:
        raise ValueError("odd")
    table = torch.zeros(n, dim)
    for i in range(n):
        for k in range(dim // 2):
            angle = i / 10000 ** (2 * k / dim)
            table[i, 2 * k], table[i, 2 * k + 1] = math.sin(angle), math.cos(angle)
    return table


def positional_encoding_by_logarithms(n, dim):
    if dim & 1:
        raise ValueError(dim)
    table = torch.zeros(n, dim)
    angle = torch.arange(n)[:, None] * torch.exp(torch.arange(0, dim, 2) * (-math.log(10000.0) / dim))
    table[:, 0::2], table[:, 1::2] = angle.sin(), angle.cos()
    return table


# encoder_block


def _norm(x):
    return F.layer_norm(x, x.shape[-1:])


def _attend(x, block, heads, mask):
    return multi_head_attention(x, block.wq, block.wk, block.wv, block.wo, heads, mask)


def _think(y, block):
    return torch.relu(y @ block.w1 + block.b1) @ block.w2 + block.b2


def forgets_the_residuals(x, block, heads, mask=None):
    """What comes in is not added again, in neither half: a word forgets itself as soon as it has looked around."""
    attended, weights = _attend(x, block, heads, mask)
    return _norm(_think(_norm(attended), block)), weights


def adds_x_twice(x, block, heads, mask=None):
    """In the second half you added x again. It is y, what came out of the first half, that is carried on."""
    attended, weights = _attend(x, block, heads, mask)
    return _norm(x + _think(_norm(x + attended), block)), weights


def normalizes_first(x, block, heads, mask=None):
    """You normalized before each half (pre-norm, as many later models do). This formula normalizes after the addition."""
    attended, weights = _attend(_norm(x), block, heads, mask)
    y = x + attended
    return y + _think(_norm(y), block), weights


def normalizes_over_the_words(x, block, heads, mask=None):
    """You normalized over the words of the sentence. Each word is normalized by itself, over its own numbers."""
    attended, weights = _attend(x, block, heads, mask)
    y = F.layer_norm((x + attended).transpose(-1, -2), x.shape[-2:-1]).transpose(-1, -2)
    z = y + _think(y, block)
    return F.layer_norm(z.transpose(-1, -2), x.shape[-2:-1]).transpose(-1, -2), weights


def divides_by_one_less(x, block, heads, mask=None):
    """Your variance divides by dim − 1: torch.var and torch.std do so unless told otherwise. The variance meant here is the plain mean of the squared distances from the mean."""

    def norm(z):
        return (z - z.mean(dim=-1, keepdim=True)) / torch.sqrt(z.var(dim=-1, keepdim=True) + 1e-5)

    attended, weights = _attend(x, block, heads, mask)
    y = norm(x + attended)
    return norm(y + _think(y, block)), weights


def thinks_without_relu(x, block, heads, mask=None):
    """The relu between the two layers is missing: two linear maps in a row are only one linear map."""
    attended, weights = _attend(x, block, heads, mask)
    y = _norm(x + attended)
    return _norm(y + (y @ block.w1 + block.b1) @ block.w2 + block.b2), weights


def lets_everybody_look_everywhere(x, block, heads, mask=None):
    """The mask was not handed on to the attention."""
    return encoder_block(x, block, heads)


def forgets_the_first_residual(x, block, heads, mask=None):
    """In the first half x is not added again: what a word was itself is lost as soon as it has looked around."""
    attended, weights = _attend(x, block, heads, mask)
    y = _norm(attended)
    return _norm(y + _think(y, block)), weights


def forgets_the_second_residual(x, block, heads, mask=None):
    """In the second half y is not added again: what the words told each other is lost unless the small network repeats it."""
    attended, weights = _attend(x, block, heads, mask)
    return _norm(_think(_norm(x + attended), block)), weights


def forgets_the_first_norm(x, block, heads, mask=None):
    """The first half is not normalized: its sum goes on as it is. The formula has a norm after each of the two additions."""
    attended, weights = _attend(x, block, heads, mask)
    y = x + attended
    return _norm(y + _think(y, block)), weights


def forgets_the_last_norm(x, block, heads, mask=None):
    """What comes out is not normalized: the norm after the second addition is missing."""
    attended, weights = _attend(x, block, heads, mask)
    y = _norm(x + attended)
    return y + _think(y, block), weights


def never_normalizes(x, block, heads, mask=None):
    """Nothing is normalized: from layer to layer the numbers grow. The formula has a norm after each of the two additions."""
    attended, weights = _attend(x, block, heads, mask)
    y = x + attended
    return y + _think(y, block), weights


def normalizes_the_sentence_as_a_whole(x, block, heads, mask=None):
    """You normalized over all words of a sentence together. Each word is normalized by itself, over its own numbers."""

    def norm(z):
        return F.layer_norm(z, z.shape[-2:])

    attended, weights = _attend(x, block, heads, mask)
    y = norm(x + attended)
    return norm(y + _think(y, block)), weights


def forgets_the_biases(x, block, heads, mask=None):
    """The biases b1 and b2 are not used."""
    attended, weights = _attend(x, block, heads, mask)
    y = _norm(x + attended)
    return _norm(y + torch.relu(y @ block.w1) @ block.w2), weights


def cuts_off_at_the_end(x, block, heads, mask=None):
    """The relu stands after the second layer. It belongs between the two: two linear maps in a row are only one, and here no number could ever be lowered."""
    attended, weights = _attend(x, block, heads, mask)
    y = _norm(x + attended)
    return _norm(y + torch.relu((y @ block.w1 + block.b1) @ block.w2 + block.b2)), weights


def adds_epsilon_outside_the_root(x, block, heads, mask=None):
    """Right where numbers are large. Where a word is nearly constant yours comes out too large: ε is added to the variance, inside the root, and not to the standard deviation."""

    def norm(z):
        centered = z - z.mean(dim=-1, keepdim=True)
        return centered / (centered.square().mean(dim=-1, keepdim=True).sqrt() + 1e-5)

    attended, weights = _attend(x, block, heads, mask)
    y = norm(x + attended)
    return norm(y + _think(y, block)), weights


def encoder_block_by_hand(x, block, heads, mask=None):
    def norm(z):
        centered = z - z.mean(dim=-1, keepdim=True)
        return centered / torch.sqrt(centered.square().mean(dim=-1, keepdim=True) + 1e-5)

    attended, weights = _attend(x, block, heads, mask)
    y = norm(x + attended)
    return norm(y + (y @ block.w1 + block.b1).clamp_min(0) @ block.w2 + block.b2), weights


# attention_rollout


def _layers(weights):
    return weights.mean(dim=-3) / 2 + torch.eye(weights.shape[-1]).to(weights) / 2


def _product(layers):
    result = layers[0]
    for layer in layers[1:]:
        result = layer @ result
    return result


def forgets_the_residual(weights):
    """This follows the attention alone. The residual connection keeps every word itself: half of what goes on does not come from attention at all."""
    return _product(weights.mean(dim=-3))


def multiplies_from_the_wrong_side(weights):
    """The layers are multiplied in the wrong order. The layer next to the output asks first, so it stands on the left."""
    result = _layers(weights)[0]
    for layer in _layers(weights)[1:]:
        result = result @ layer
    return result


def shows_the_last_layer_only(weights):
    """This is the last layer alone. Its "words" are mixtures already; the layers below say of what."""
    return _layers(weights)[-1]


def averages_the_layers(weights):
    """The layers were averaged. Attention flows through one after the other: that is a product."""
    return _layers(weights).mean(dim=0)


def adds_a_whole_identity(weights):
    """You added the whole identity without halving the sum: the rows sum to 2, 4, 8, … instead of 1."""
    return _product(2 * _layers(weights))


def multiplies_head_by_head(weights):
    """Each head was followed by itself and the mean taken at the end. Heads mix in every layer (by wo), so the mean comes first."""
    layers = weights / 2 + torch.eye(weights.shape[-1]).to(weights) / 2
    return _product(layers).mean(dim=-3)


def divides_by_the_sums_of_the_rows(weights):
    """Right where all rows sum to 1. Where a word looked at nothing, its row of W is zero, and you stretched what is left of it: A is ½ W + ½ I as it stands."""
    mixed = _layers(weights)
    return _product(mixed / mixed.sum(dim=-1, keepdim=True))


def follows_the_strongest_head(weights):
    """You took the largest weight over the heads. The formula takes their mean."""
    return _product(weights.amax(dim=-3) / 2 + torch.eye(weights.shape[-1]).to(weights) / 2)


def adds_the_identity_at_the_end(weights):
    """The identity was added once, after the layers were multiplied. Every layer has a residual connection of its own."""
    return _product(weights.mean(dim=-3)) / 2 + torch.eye(weights.shape[-1]).to(weights) / 2


def reads_it_sideways(weights):
    """Rows and columns have changed places: row i of the result is output word i, column j input word j."""
    return attention_rollout(weights).transpose(-1, -2)


def adds_up_the_heads(weights):
    """The heads were added up. The formula takes their mean, so that the rows still sum to 1."""
    return _product(weights.sum(dim=-3) / 2 + torch.eye(weights.shape[-1]).to(weights) / 2)


def attention_rollout_from_the_top(weights):
    n = weights.shape[-1]
    mixed = (weights.sum(dim=-3) / weights.shape[-3] + torch.eye(n).to(weights)) / 2
    return (
        torch.linalg.multi_dot(list(mixed.flip(0)))
        if mixed.dim() == 3 and len(mixed) > 1
        else _product(mixed)
    )


MISCONCEPTIONS = {
    "scaled_dot_product_attention": [
        scales_by_d,
        forgets_to_scale,
        scales_by_the_number_of_keys,
        softmax_over_the_queries,
        softmax_over_the_batch,
        masks_after_the_softmax,
        hides_what_may_be_seen,
        adds_the_mask,
        divides_by_nothing,
        spreads_over_what_is_hidden,
        zeroes_the_hidden_scores,
        reads_all_values_alike,
        returns_the_weights_first,
        scales_after_the_softmax,
        scales_by_the_width_of_the_values,
        compares_directions,
        overflows_in_the_exponential,
    ],
    "causal_mask": [
        hides_the_word_itself,
        shows_the_next_word,
        looks_ahead,
        marks_what_is_hidden,
        gives_numbers_to_add,
        sees_only_itself,
    ],
    "split_heads": [
        cuts_the_sentence_into_heads,
        deals_numbers_out_in_turn,
        leaves_the_heads_behind_the_words,
        turns_each_head_over,
        puts_the_heads_in_front,
        makes_heads_of_that_many_numbers,
    ],
    "merge_heads": [
        glues_words_instead_of_heads,
        merges_in_turn,
        merges_the_last_head_first,
        adds_the_heads,
        sums_the_heads,
        leaves_the_heads_apart,
    ],
    "multi_head_attention": [
        forgets_the_output_matrix,
        multiplies_from_the_left,
        asks_with_the_keys,
        uses_one_head_only,
        scales_by_the_whole_width,
        forgets_the_mask,
        merges_the_heads_in_the_wrong_order,
        reads_the_keys,
        averages_the_maps,
        adds_what_came_in,
        splits_before_it_projects,
    ],
    "positional_encoding": [
        puts_all_sines_first,
        stands_on_its_side,
        slows_down_too_slowly,
        gives_each_column_its_own_wave,
        counts_from_one,
        begins_with_the_cosine,
        turns_faster_and_faster,
        doubles_twice,
    ],
    "encoder_block": [
        forgets_the_residuals,
        adds_x_twice,
        normalizes_first,
        normalizes_over_the_words,
        divides_by_one_less,
        thinks_without_relu,
        lets_everybody_look_everywhere,
        forgets_the_first_residual,
        forgets_the_second_residual,
        forgets_the_first_norm,
        forgets_the_last_norm,
        never_normalizes,
        normalizes_the_sentence_as_a_whole,
        forgets_the_biases,
        cuts_off_at_the_end,
        adds_epsilon_outside_the_root,
    ],
    "attention_rollout": [
        forgets_the_residual,
        multiplies_from_the_wrong_side,
        shows_the_last_layer_only,
        averages_the_layers,
        adds_a_whole_identity,
        multiplies_head_by_head,
        divides_by_the_sums_of_the_rows,
        follows_the_strongest_head,
        adds_the_identity_at_the_end,
        reads_it_sideways,
        adds_up_the_heads,
    ],
}

ALTERNATIVES = {
    "scaled_dot_product_attention": [attention_with_infinities, attention_by_logsumexp, attention_by_pytorch],
    "causal_mask": [causal_mask_by_comparison],
    "split_heads": [split_heads_by_chunks],
    "merge_heads": [merge_heads_by_concatenation],
    "multi_head_attention": [multi_head_attention_head_by_head],
    "positional_encoding": [positional_encoding_as_loops, positional_encoding_by_logarithms],
    "encoder_block": [encoder_block_by_hand],
    "attention_rollout": [attention_rollout_from_the_top],
}
