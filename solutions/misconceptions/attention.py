"""Chapter 10: what people really write, and other right ways to write it."""

import torch

from solutions.attention import feature_attention, hard_attention, leave_one_out, soft_attention


def _scores(query, memory):
    return (memory * query.unsqueeze(-2)).sum(dim=-1)


def _pick(memory, index):
    return torch.take_along_dim(memory, index[..., None, None], dim=-2).squeeze(-2)


def _blend(weights, items):
    return (weights.unsqueeze(-1) * items).sum(dim=-2)


# hard_attention


def looks_for_the_direction(query, memory):
    """This is the item that points most nearly in the query's direction: you divided by the items' lengths. The formula has the plain inner product, and in it a long item counts for more."""
    index = (_scores(query, memory) / memory.norm(dim=-1)).argmax(dim=-1)
    return index, _pick(memory, index)


def looks_for_the_nearest(query, memory):
    """This is the item nearest to the query. A sensible choice, but another one: the formula asks for the largest inner product, and an item beyond the query can win that."""
    index = (memory - query.unsqueeze(-2)).norm(dim=-1).argmin(dim=-1)
    return index, _pick(memory, index)


def looks_for_the_largest_angle(query, memory):
    """You took the absolute value of the inner product, so an item that points the opposite way may win. Opposite is the worst match, not the best."""
    index = _scores(query, memory).abs().argmax(dim=-1)
    return index, _pick(memory, index)


def returns_the_best_score(query, memory):
    """The index is right. The second thing that you return is the item's score; wanted is the item itself, with its d numbers."""
    return hard_attention(query, memory)[0], _scores(query, memory).amax(dim=-1)


def takes_the_last_of_equals(query, memory):
    """Where two items match equally well, you take the last of them. The docstring says which one wins."""
    scores = _scores(query, memory)
    index = scores.shape[-1] - 1 - scores.flip(-1).argmax(dim=-1)
    return index, _pick(memory, index)


def returns_the_item_first(query, memory):
    """Both are right, in the wrong order: first comes the index, then the item."""
    index, item = hard_attention(query, memory)
    return item, index


def takes_the_worst_match(query, memory):
    """This is the item that matches worst: its inner product with the query is the smallest. For a distance that would be the best, for a match it is the other end."""
    index = _scores(query, memory).argmin(dim=-1)
    return index, _pick(memory, index)


def hard_attention_by_one_hot(query, memory):
    if query.shape[-1:] != memory.shape[-1:]:
        raise ValueError("another dimension")
    index = torch.einsum("...nd,...d->...n", memory, query).argmax(dim=-1)
    choice = torch.nn.functional.one_hot(index, memory.shape[-2]).to(memory.dtype)
    return index, torch.einsum("...n,...nd->...d", choice, memory)


# soft_attention


def divides_by_the_sharpness(query, memory, sharpness=1.0):
    """You divided the scores by β. Then a large β makes the choice softer: it is a temperature. Sharpness should do the opposite."""
    weights = torch.softmax(_scores(query, memory) / sharpness, dim=-1)
    return weights, _blend(weights, memory)


def sharpens_after_the_softmax(query, memory, sharpness=1.0):
    """β is multiplied after the softmax, so the weights sum to β instead of 1, and their proportions stay as they were. To make the choice sharper it has to act earlier."""
    weights = sharpness * torch.softmax(_scores(query, memory), dim=-1)
    return weights, _blend(weights, memory)


def ignores_the_sharpness(query, memory, sharpness=1.0):
    """β is not used: this is the answer for β = 1, whatever was asked."""
    return soft_attention(query, memory, 1.0)


def softmax_over_the_batch(query, memory, sharpness=1.0):
    """Your softmax runs over the first axis. With a batch, the queries share one unit of attention among them; each should have its own. Along which axis do the items lie?"""
    weights = torch.softmax(sharpness * _scores(query, memory), dim=0)
    return weights, _blend(weights, memory)


def returns_the_scores(query, memory, sharpness=1.0):
    """What you return as weights are still scores: they may be negative and do not sum to 1. One step is missing between scores and weights."""
    scores = sharpness * _scores(query, memory)
    return scores, _blend(torch.softmax(scores, dim=-1), memory)


def scales_as_a_transformer_does(query, memory, sharpness=1.0):
    """You divided the scores by √d, as transformers do. Chapter 13 will say why; here the sharpness β is the only scale."""
    return soft_attention(query, memory, sharpness / query.shape[-1] ** 0.5)


def reads_the_mean(query, memory, sharpness=1.0):
    """The weights are right, but they are not used: the read is the plain mean of all items, whatever the query."""
    weights, _ = soft_attention(query, memory, sharpness)
    return weights, memory.mean(dim=-2)


def returns_logarithms(query, memory, sharpness=1.0):
    """The read is right; what you return as weights are their logarithms: negative numbers whose exponentials sum to 1."""
    weights, read = soft_attention(query, memory, sharpness)
    return weights.log(), read


def returns_the_read_first(query, memory, sharpness=1.0):
    """Both are right, in the wrong order: first come the weights, then what was read."""
    weights, read = soft_attention(query, memory, sharpness)
    return read, weights


def lets_the_exponential_overflow(query, memory, sharpness=1.0):
    """Right for a small β, but NaN for a large one: exp(100) is more than a float32 can hold, and ∞/∞ is NaN. The weights stay the same when one number is taken from all scores of a row; torch's own softmax does that."""
    weights = torch.exp(sharpness * _scores(query, memory))
    weights = weights / weights.sum(dim=-1, keepdim=True)
    return weights, _blend(weights, memory)


def divides_the_scores_by_their_sum(query, memory, sharpness=1.0):
    """Your weights sum to 1, but some are negative or above 1, for the scores were divided by their sum. Something has to make them positive first; and β is lost, for it cancels out."""
    scores = sharpness * _scores(query, memory)
    weights = scores / scores.sum(dim=-1, keepdim=True)
    return weights, _blend(weights, memory)


def chooses_hard(query, memory, sharpness=1.0):
    """All weight is on the best match, whatever β is: that is hard attention. Here every item gets its share, and β says how unequal the shares are."""
    index, item = hard_attention(query, memory)
    return torch.nn.functional.one_hot(index, memory.shape[-2]).to(memory.dtype), item


def soft_attention_by_einsum(query, memory, sharpness=1.0):
    if query.shape[-1] != memory.shape[-1] or sharpness < 0:
        raise ValueError("another dimension, or a negative sharpness")
    scores = sharpness * torch.einsum("...nd,...d->...n", memory, query)
    weights = torch.exp(scores - scores.logsumexp(dim=-1, keepdim=True))
    return weights, torch.einsum("...n,...nd->...d", weights, memory)


# items_read


def returns_the_entropy(weights):
    """This is the entropy itself, in nats: 0 when one item is read. Its exponential counts items: 1 when one item is read."""
    return -torch.special.xlogy(weights, weights).sum(dim=-1)


def stumbles_over_zeros(weights):
    """NaN comes from 0 · log 0. In the formula an item that is not read adds nothing; in floating point log 0 is −∞ and the product is NaN."""
    return torch.exp(-(weights * weights.log()).sum(dim=-1))


def mixes_bits_and_nats(weights):
    """The logarithm has base 2 and the exponential base e. Use the same base for both, and it no longer matters which."""
    return torch.exp(-torch.special.xlogy(weights, weights).sum(dim=-1) / torch.log(torch.tensor(2.0)))


def counts_the_positive_ones(weights):
    """This counts all items that get anything at all, be it a millionth. A softmax never gives exactly nothing, so that it would nearly always say n."""
    return (weights > 0).sum(dim=-1).to(weights.dtype)


def inverse_of_the_squares(weights):
    """This is 1 / Σ p², which also goes from 1 to n and also counts items, but is another measure (it cares less for small weights). The formula here is built on the entropy."""
    return 1 / weights.square().sum(dim=-1)


def forgets_the_minus(weights):
    """This is one over the number of items, between 1/n and 1: the minus before the sum is missing. Entropy is not negative."""
    return torch.exp(torch.special.xlogy(weights, weights).sum(dim=-1))


def averages_over_the_items(weights):
    """Your entropy is a mean over the items, so that it hardly depends on the weights at all. It is a sum: the p_i in front are all the averaging there is."""
    return torch.exp(-torch.special.xlogy(weights, weights).mean(dim=-1))


def counts_by_the_largest(weights):
    """This is 1 / max p, which also goes from 1 to n, but looks at the largest weight only. The formula asks all of them."""
    return 1 / weights.amax(dim=-1)


def items_read_with_a_little_more(weights):
    return torch.exp(-(weights * (weights + 1e-12).log()).sum(dim=-1))


def items_read_by_torchs_entropy(weights):
    return torch.special.entr(weights).sum(dim=-1).exp()


# soft_lookup


def matches_by_inner_product(query, keys, values, sharpness=1.0):
    """You matched by the inner product, as in soft_attention. Then a long key attracts queries that lie nowhere near it. Here nearness counts."""
    return _blend(torch.softmax(sharpness * _scores(query, keys), dim=-1), values)


def prefers_the_farthest(query, keys, values, sharpness=1.0):
    """The sign is missing: your weights are largest for the keys that are farthest away."""
    distance = (keys - query.unsqueeze(-2)).square().sum(dim=-1)
    return _blend(torch.softmax(sharpness * distance, dim=-1), values)


def forgets_the_square(query, keys, values, sharpness=1.0):
    """These are distances, not squared distances. The weights fall off differently then, and the answer has a kink at every key."""
    distance = (keys - query.unsqueeze(-2)).norm(dim=-1)
    return _blend(torch.softmax(-sharpness * distance, dim=-1), values)


def forgets_to_normalize(query, keys, values, sharpness=1.0):
    """The weights are not normalized: far from all keys the answer fades to 0 instead of staying between the values."""
    distance = (keys - query.unsqueeze(-2)).square().sum(dim=-1)
    return _blend(torch.exp(-sharpness * distance), values)


def answers_with_the_keys(query, keys, values, sharpness=1.0):
    """You blended the keys. They say where an entry lies; what it answers stands in the values."""
    distance = (keys - query.unsqueeze(-2)).square().sum(dim=-1)
    return _blend(torch.softmax(-sharpness * distance, dim=-1), keys)


def _squares(query, keys):
    return (keys - query.unsqueeze(-2)).square().sum(dim=-1)


def averages_the_squares(query, keys, values, sharpness=1.0):
    """Your distances are too small by the number of dimensions: the squares were averaged. ‖k − q‖² is their sum."""
    distance = (keys - query.unsqueeze(-2)).square().mean(dim=-1)
    return _blend(torch.softmax(-sharpness * distance, dim=-1), values)


def takes_half_the_square(query, keys, values, sharpness=1.0):
    """Your weights fall off as exp(−β d²/2). That is how one writes a Gaussian by its standard deviation; here β stands before the whole square."""
    return _blend(torch.softmax(-sharpness * _squares(query, keys) / 2, dim=-1), values)


def takes_sharpness_for_a_width(query, keys, values, sharpness=1.0):
    """You divided by β, so that a large β makes the table blunt: it became a width. A sharpness should do the opposite."""
    return _blend(torch.softmax(-_squares(query, keys) / sharpness, dim=-1), values)


def softmax_over_the_queries(query, keys, values, sharpness=1.0):
    """Your softmax runs over the first axis. With a batch, the queries compete for each entry; each query should share one unit among the entries of its own table. Along which axis do they lie?"""
    return _blend(torch.softmax(-sharpness * _squares(query, keys), dim=0), values)


def answers_with_the_nearest(query, keys, values, sharpness=1.0):
    """This is the nearest entry's value alone: a table that jumps, and of which no query and no key can be learned. The sharpness says how far the others have a say."""
    return _pick(values, _squares(query, keys).argmin(dim=-1))


def soft_lookup_by_inner_products(query, keys, values, sharpness=1.0):
    if keys.shape[-2] != values.shape[-2]:
        raise ValueError("one value per key")
    score = 2 * torch.einsum("...nd,...d->...n", keys, query) - keys.square().sum(dim=-1)
    return torch.einsum("...n,...nv->...v", torch.softmax(sharpness * score, dim=-1), values)


# feature_attention


def shares_attention_among_the_batch(x, weight, bias):
    """Your softmax runs down the batch: the inputs compete for each feature. Every input should divide one unit of attention among its own features."""
    attention = torch.softmax(x @ weight.mT + bias, dim=0)
    return attention, attention * x


def multiplies_from_the_other_side(x, weight, bias):
    """This is x W, not W x: the columns of W made the scores. W is square, so nothing complains. Row k of `weight` belongs to score k, as in nn.Linear."""
    attention = torch.softmax(x @ weight + bias, dim=-1)
    return attention, attention * x


def forgets_the_bias(x, weight, bias):
    """The bias is missing. With it the network can look at a feature always, whatever the input."""
    attention = torch.softmax(x @ weight.mT, dim=-1)
    return attention, attention * x


def gates_each_for_itself(x, weight, bias):
    """You used a sigmoid: each feature gets its own gate between 0 and 1, and all may be open. In attention they share one unit."""
    attention = torch.sigmoid(x @ weight.mT + bias)
    return attention, attention * x


def weighs_the_scores(x, weight, bias):
    """You multiplied the attention with the scores W x + b. The snippet multiplies it with the inputs themselves."""
    scores = x @ weight.mT + bias
    attention = torch.softmax(scores, dim=-1)
    return attention, attention * scores


def returns_the_gated_first(x, weight, bias):
    """Both are right, in the wrong order: first comes the attention, then the inputs multiplied by it."""
    attention, gated = feature_attention(x, weight, bias)
    return gated, attention


def adds_instead_of_multiplying(x, weight, bias):
    """The attention is right, but it was added to the inputs. A feature that gets no attention would then come through unchanged; a product shuts it out."""
    attention, _ = feature_attention(x, weight, bias)
    return attention, attention + x


def weighs_by_the_inputs_alone(x, weight, bias):
    """This is the softmax of the inputs themselves: whatever is large gets attention, and there is nothing to learn. The scores come from the dense layer, W x + b."""
    attention = torch.softmax(x, dim=-1)
    return attention, attention * x


def feature_attention_by_linear(x, weight, bias):
    attention = torch.nn.functional.softmax(torch.nn.functional.linear(x, weight, bias), dim=-1)
    return attention, x.mul(attention)


# leave_one_out


def removes_one_after_the_other(f, x, baseline):
    """The features stay away once they were taken: at the last one nothing is left of the input. Take each away alone, from the whole input."""
    before, without, effects = f(x), x.clone(), []
    for i in range(x.shape[-1]):
        without[:, i] = baseline[i]
        effects.append((before - f(without)).abs())
    return torch.stack(effects, dim=-1)


def spoils_the_input(f, x, baseline):
    """The effects are right for the first feature only, and x is no longer what it was: `without = x` is a second name, not a copy."""
    before, effects = f(x), []
    for i in range(x.shape[-1]):
        without = x
        without[:, i] = baseline[i]
        effects.append((before - f(without)).abs())
    return torch.stack(effects, dim=-1)


def keeps_the_direction(f, x, baseline):
    """These changes have signs. Asked is how much the answer changes, in either direction; averaged over inputs, signs would cancel."""
    before, effects = f(x), []
    for i in range(x.shape[-1]):
        without = x.clone()
        without[:, i] = baseline[i]
        effects.append(before - f(without))
    return torch.stack(effects, dim=-1)


def puts_zero_for_away(f, x, baseline):
    """The baseline is not used: you put 0. Zero is a value like any other, and may be one that the network has never seen."""
    return leave_one_out(f, x, torch.zeros_like(baseline))


def keeps_one_in(f, x, baseline):
    """You kept one feature and took all others away. That is the opposite question: what can a feature do alone?"""
    before, effects = f(x), []
    for i in range(x.shape[-1]):
        alone = baseline.expand_as(x).clone()
        alone[:, i] = x[:, i]
        effects.append((before - f(alone)).abs())
    return torch.stack(effects, dim=-1)


def puts_the_mean_for_away(f, x, baseline):
    """The baseline is not used: you put the mean of this batch. It may be what the caller wants, but it is theirs to say; and in a batch of one nothing would change."""
    return leave_one_out(f, x, x.mean(dim=0))


def squares_the_change(f, x, baseline):
    """These are squared changes: an effect of 0.1 became 0.01. Asked is the size of the change, in the units of f."""
    return leave_one_out(f, x, baseline).square()


def averages_over_the_inputs(f, x, baseline):
    """This is one effect per feature, the mean over the inputs. Asked is one per input and feature: the mean can still be taken later, as the chapter does."""
    return leave_one_out(f, x, baseline).mean(dim=0)


def leave_one_out_in_one_batch(f, x, baseline):
    rows, n = x.shape
    away = torch.eye(n, dtype=torch.bool).unsqueeze(0)
    without = torch.where(away, baseline, x.unsqueeze(1).expand(rows, n, n))
    return (f(x).unsqueeze(-1) - f(without.reshape(rows * n, n)).view(rows, n)).abs()


MISCONCEPTIONS = {
    "hard_attention": [
        looks_for_the_direction,
        looks_for_the_nearest,
        looks_for_the_largest_angle,
        returns_the_best_score,
        takes_the_last_of_equals,
        returns_the_item_first,
        takes_the_worst_match,
    ],
    "soft_attention": [
        divides_by_the_sharpness,
        sharpens_after_the_softmax,
        ignores_the_sharpness,
        softmax_over_the_batch,
        returns_the_scores,
        scales_as_a_transformer_does,
        reads_the_mean,
        returns_logarithms,
        returns_the_read_first,
        lets_the_exponential_overflow,
        divides_the_scores_by_their_sum,
        chooses_hard,
    ],
    "items_read": [
        returns_the_entropy,
        stumbles_over_zeros,
        mixes_bits_and_nats,
        counts_the_positive_ones,
        inverse_of_the_squares,
        forgets_the_minus,
        averages_over_the_items,
        counts_by_the_largest,
    ],
    "soft_lookup": [
        matches_by_inner_product,
        prefers_the_farthest,
        forgets_the_square,
        forgets_to_normalize,
        answers_with_the_keys,
        averages_the_squares,
        takes_half_the_square,
        takes_sharpness_for_a_width,
        softmax_over_the_queries,
        answers_with_the_nearest,
    ],
    "feature_attention": [
        shares_attention_among_the_batch,
        multiplies_from_the_other_side,
        forgets_the_bias,
        gates_each_for_itself,
        weighs_the_scores,
        returns_the_gated_first,
        adds_instead_of_multiplying,
        weighs_by_the_inputs_alone,
    ],
    "leave_one_out": [
        removes_one_after_the_other,
        spoils_the_input,
        keeps_the_direction,
        puts_zero_for_away,
        keeps_one_in,
        puts_the_mean_for_away,
        squares_the_change,
        averages_over_the_inputs,
    ],
}

ALTERNATIVES = {
    "hard_attention": [hard_attention_by_one_hot],
    "soft_attention": [soft_attention_by_einsum],
    "items_read": [items_read_by_torchs_entropy, items_read_with_a_little_more],
    "soft_lookup": [soft_lookup_by_inner_products],
    "feature_attention": [feature_attention_by_linear],
    "leave_one_out": [leave_one_out_in_one_batch],
}
