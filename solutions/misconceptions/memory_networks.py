"""What people write for chapter 11, and what helps them."""

import torch
from torch.nn import functional as F

from solutions.memory_networks import memory_hop

# --- write_memory -----------------------------------------------------------------------------------------------------


def overwrites_the_newest(memory, age, x):
    """The slot that you overwrite in a full memory is the one written last. Age counts upwards with time: which end of it is old?"""
    empty = age < 0
    slot = empty.long().argmax() if empty.any() else age.argmin()
    memory, age = memory.clone(), torch.where(empty, age, age + 1)
    memory[slot], age[slot] = x, 0
    return memory, age


def forgets_to_age(memory, age, x):
    """The new sentence is in place, but the others have not grown older: after two writings nobody can tell which came last."""
    empty = age < 0
    slot = empty.long().argmax() if empty.any() else age.argmax()
    memory, age = memory.clone(), age.clone()
    memory[slot], age[slot] = x, 0
    return memory, age


def ages_empty_slots(memory, age, x):
    """Empty slots have grown older too, and so an age of -1 became 0: "just written". Only what holds something has an age."""
    empty = age < 0
    slot = empty.long().argmax() if empty.any() else age.argmax()
    memory, age = memory.clone(), age + 1
    memory[slot], age[slot] = x, 0
    return memory, age


def forgets_although_there_is_room(memory, age, x):
    """You always overwrite the oldest slot, even while others are empty: a memory that forgets without need. Look for room first."""
    slot = age.argmax()
    memory, age = memory.clone(), torch.where(age < 0, age, age + 1)
    memory[slot], age[slot] = x, 0
    return memory, age


def writes_into_the_callers_memory(memory, age, x):
    """What you return is right, but the memory that was handed in has changed too: whoever still holds it finds it rewritten. Work on a copy."""
    empty = age < 0
    slot = empty.long().argmax() if empty.any() else age.argmax()
    age[~empty] += 1
    memory[slot], age[slot] = x, 0
    return memory, age


def writes_into_memory_but_not_into_age(memory, age, x):
    """The ages are new ones, but the sentence went straight into the memory that was handed in: its old content is lost to whoever still holds it."""
    empty = age < 0
    slot = empty.long().argmax() if empty.any() else age.argmax()
    age = torch.where(empty, age, age + 1)
    memory[slot], age[slot] = x, 0
    return memory, age


def ages_the_new_sentence_too(memory, age, x):
    """The new sentence is one writing old already: it was counted among those that grow older. The one just written has age 0."""
    empty = age < 0
    slot = empty.long().argmax() if empty.any() else age.argmax()
    memory, age = memory.clone(), age.clone()
    memory[slot], age[slot] = x, 0
    return memory, torch.where(age < 0, age, age + 1)


def finds_room_where_there_are_zeros(memory, age, x):
    """You take a slot for empty when its numbers are zero. A sentence may be zero, and an empty slot may hold old numbers: which slots are empty is told by their age."""
    empty = (memory == 0).all(-1)
    slot = empty.long().argmax() if empty.any() else age.argmax()
    memory, age = memory.clone(), torch.where(age < 0, age, age + 1)
    memory[slot], age[slot] = x, 0
    return memory, age


def fills_the_memory_from_behind(memory, age, x):
    """The sentence is in an empty slot, but not in the first one: you take the last."""
    empty = age < 0
    slot = empty.nonzero()[-1, 0] if empty.any() else age.argmax()
    memory, age = memory.clone(), torch.where(empty, age, age + 1)
    memory[slot], age[slot] = x, 0
    return memory, age


def write_by_rows(memory, age, x):
    """Right: build the new memory row by row."""
    slot = min(range(len(age)), key=lambda i: (age[i] >= 0, -age[i].item() if age[i] >= 0 else i))
    rows = [x if i == slot else memory[i] for i in range(len(age))]
    ages = [0 if i == slot else int(a) + (int(a) >= 0) for i, a in enumerate(age)]
    return torch.stack(rows), torch.tensor(ages)


# --- hard_lookup ------------------------------------------------------------------------------------------------------


def finds_empty_slots(query, memory, mask):
    """Some of the slots that you found hold nothing. The mask says which slots take part."""
    best = torch.einsum("...d,...sd->...s", query, memory).argmax(-1)
    return best, torch.take_along_dim(memory, best[..., None, None], dim=-2)[..., 0, :]


def finds_empty_slots_by_zero(query, memory, mask):
    """Multiplying the score by the mask makes an empty slot's score 0, and 0 beats every negative score. What score can never win?"""
    best = (torch.einsum("...d,...sd->...s", query, memory) * mask).argmax(-1)
    return best, torch.take_along_dim(memory, best[..., None, None], dim=-2)[..., 0, :]


def looks_among_the_empty_slots(query, memory, mask):
    """You look only where nothing is written: the mask is upside down. Here True means that a slot holds a memory."""
    best = torch.einsum("...d,...sd->...s", query, memory).masked_fill(mask, -torch.inf).argmax(-1)
    return best, torch.take_along_dim(memory, best[..., None, None], dim=-2)[..., 0, :]


def looks_up_softly(query, memory, mask):
    """The slot's number is right, but what you read is a mixture of all slots: a soft look-up. A hard one brings back one memory, untouched."""
    scores = torch.einsum("...d,...sd->...s", query, memory).masked_fill(~mask, -torch.inf)
    return scores.argmax(-1), torch.einsum("...s,...sd->...d", scores.softmax(-1), memory)


def looks_up_by_cosine(query, memory, mask):
    """You compare directions (the cosine). The formula has the inner product, for which long memories count more."""
    scores = F.cosine_similarity(query[..., None, :], memory, dim=-1).masked_fill(~mask, -torch.inf)
    best = scores.argmax(-1)
    return best, torch.take_along_dim(memory, best[..., None, None], dim=-2)[..., 0, :]


def looks_up_the_nearest(query, memory, mask):
    """You recover the memory at the smallest distance from the query. The formula takes the largest inner product: a long memory that lies far away may have it."""
    _refuse_nothing(mask)
    distance = (memory - query[..., None, :]).square().sum(-1).masked_fill(~mask, torch.inf)
    best = distance.argmin(-1)
    return best, torch.take_along_dim(memory, best[..., None, None], dim=-2)[..., 0, :]


def reads_from_the_first_memory(query, memory, mask):
    """The slots' numbers are right, but every vector comes out of the first memory of the batch. Each query has a memory of its own."""
    best, read = lookup_by_max(query, memory, mask)
    return best, memory.reshape(-1, *memory.shape[-2:])[0][best] if query.dim() > 1 else read


def brings_back_the_score(query, memory, mask):
    """The slots' numbers are right, but beside them stand the scores of what was found. The vector itself is asked for."""
    _refuse_nothing(mask)
    scores = torch.einsum("...d,...sd->...s", query, memory).masked_fill(~mask, -torch.inf)
    return scores.argmax(-1), scores.amax(-1)


def looks_for_the_worst_match(query, memory, mask):
    """What you recover matches the query worst among all that is written: argmax and argmin are easily confused."""
    _refuse_nothing(mask)
    best = torch.einsum("...d,...sd->...s", query, memory).masked_fill(~mask, torch.inf).argmin(-1)
    return best, torch.take_along_dim(memory, best[..., None, None], dim=-2)[..., 0, :]


def _refuse_nothing(mask):
    if not mask.any(-1).all():
        raise ValueError("an empty memory")


def lookup_by_max(query, memory, mask):
    """Right: the index comes along with the maximum."""
    if not bool(mask.sum(-1).min() > 0):
        raise ValueError("an empty memory")
    scores = torch.where(mask, (query.unsqueeze(-2) * memory).sum(-1), torch.tensor(float("-inf")))
    best = scores.max(dim=-1).indices
    one = F.one_hot(best, memory.shape[-2]).to(memory)
    return best, (one.unsqueeze(-1) * memory).sum(-2)


# --- margin_ranking_loss ----------------------------------------------------------------------------------------------


def ranks_the_right_one_against_itself(scores, correct, margin):
    """Your loss is larger by exactly the margin, always: the right candidate competes with itself. The sum leaves i = c out."""
    right = scores.gather(1, correct[:, None])
    return (margin - right + scores).clamp(min=0).sum(1).mean()


def clamps_the_sum(scores, correct, margin):
    """You clamp after summing, so that candidates who lose by far pay for one who wins. Each one must lose by the margin on its own."""
    right = scores.gather(1, correct[:, None])
    others = (margin - right + scores).sum(1) - margin
    return others.clamp(min=0).mean()


def ranks_the_wrong_way_round(scores, correct, margin):
    """The signs of the two scores are swapped: this loss falls when the right candidate's score falls."""
    right = scores.gather(1, correct[:, None])
    return ((margin + right - scores).clamp(min=0).sum(1) - margin).mean()


def counts_the_worst_rival_only(scores, correct, margin):
    """You count only the strongest wrong candidate. That is a fine loss too, but the formula sums over all of them."""
    right = scores.gather(1, correct[:, None])
    violation = (margin - right + scores).scatter(1, correct[:, None], 0)
    return violation.clamp(min=0).max(1).values.mean()


def averages_over_the_rivals(scores, correct, margin):
    """You take the mean over the wrong candidates as well; the formula sums over them and takes the mean over the batch only."""
    right = scores.gather(1, correct[:, None])
    violations = (margin - right + scores).clamp(min=0)
    return ((violations.sum(1) - margin) / (scores.shape[1] - 1)).mean()


def sums_over_the_batch(scores, correct, margin):
    """You sum over the batch. The loss is the mean of the rows' losses, so that it does not depend on how many there are."""
    right = scores.gather(1, correct[:, None])
    return ((margin - right + scores).clamp(min=0).sum(1) - margin).sum()


def forgets_the_margin(scores, correct, margin):
    """Your loss ends as soon as the right candidate is just ahead: γ is missing, and with it the reason to be ahead clearly."""
    right = scores.gather(1, correct[:, None])
    return (scores - right).clamp(min=0).sum(1).mean()


def squares_the_violations(scores, correct, margin):
    """Each violation is squared. That is a loss too, but the formula adds them up as they are."""
    right = scores.gather(1, correct[:, None])
    return ((margin - right + scores).clamp(min=0).square().sum(1) - margin**2).mean()


def goes_on_beyond_the_margin(scores, correct, margin):
    """Candidates who lose by more than the margin lower your loss further, without end: the max with zero is missing."""
    right = scores.gather(1, correct[:, None])
    return ((margin - right + scores).sum(1) - margin).mean()


def compares_by_cross_entropy(scores, correct, margin):
    """This is cross-entropy, −log softmax. It never comes to rest; the loss asked for is zero once the margin is kept."""
    return F.cross_entropy(scores, correct)


def margin_by_selection(scores, correct, margin):
    """Right: take the right column out first."""
    other = F.one_hot(correct, scores.shape[1]) == 0
    rivals = scores[other].view(len(scores), -1)
    return torch.relu(margin - scores[~other][:, None] + rivals).sum() / len(scores)


# --- position_encoding ------------------------------------------------------------------------------------------------


def position_encoding_transposed(words, dim):
    """Words and dimensions have changed places: one row per word, one column per dimension was asked for."""
    return position_encoding_by_outer_product(words, dim).T


def position_counts_from_zero(words, dim):
    """Your j and k begin at 0. In the formula the first word is j = 1 and the first dimension k = 1: look at the last word's row."""
    j, k = torch.arange(words)[:, None] / words, torch.arange(dim) / dim
    return (1 - j) - k * (1 - 2 * j)


def position_divides_by_the_wrong_size(words, dim):
    """You divide j by d and k by J. Each one is a share of its own whole: the last word is j/J = 1, the last dimension k/d = 1."""
    j, k = torch.arange(1, words + 1)[:, None] / dim, torch.arange(1, dim + 1) / words
    return (1 - j) - k * (1 - 2 * j)


def position_without_the_two(words, dim):
    """The 2 before j/J is missing: without it the weights shrink towards the end of every sentence instead of turning round."""
    j, k = torch.arange(1, words + 1)[:, None] / words, torch.arange(1, dim + 1) / dim
    return (1 - j) - k * (1 - j)


def position_encoding_of_the_published_code(words, dim):
    """This is the encoding of the program that was published with the paper, and of many programs after it. The paper's own formula, which is asked for here, is another one."""
    j, k = torch.arange(1, words + 1)[:, None], torch.arange(1, dim + 1)
    return 1 + 4 * (j - (words + 1) / 2) * (k - (dim + 1) / 2) / (words * dim)


def position_adds_the_second_term(words, dim):
    """The second term is added here. In the formula it is taken away, so that the last word comes out as k/d."""
    j, k = torch.arange(1, words + 1)[:, None] / words, torch.arange(1, dim + 1) / dim
    return (1 - j) + k * (1 - 2 * j)


def position_divides_whole_numbers(words, dim):
    """Nearly all of your shares are 0: // throws the remainder away. j/J and k/d are fractions."""
    j, k = torch.arange(1, words + 1)[:, None] // words, torch.arange(1, dim + 1) // dim
    return ((1 - j) - k * (1 - 2 * j)).float()


def position_encoding_by_outer_product(words, dim):
    """Right: two rank-one tables."""
    j = torch.linspace(1 / words, 1, words)
    k = torch.linspace(1 / dim, 1, dim)
    return torch.outer(1 - j, torch.ones(dim)) - torch.outer(1 - 2 * j, k)


# --- embed_sentences --------------------------------------------------------------------------------------------------


def counts_the_padding(tokens, embedding, encoding):
    """Padding is counted as a word: a short sentence is mostly padding. Word number 0 must add nothing, whatever the embedding says."""
    return (embedding[tokens] * encoding).sum(-2)


def embeds_a_bag_of_words(tokens, embedding, encoding):
    """You sum the words without the encoding: "the milk left Joe" and "Joe left the milk" become one and the same."""
    return (embedding[tokens] * (tokens != 0)[..., None]).sum(-2)


def averages_the_words(tokens, embedding, encoding):
    """You take the mean over the words; the formula sums. Short and long sentences come out on different scales from the reference."""
    there = (tokens != 0)[..., None]
    return (embedding[tokens] * encoding * there).sum(-2) / there.sum(-2).clamp(min=1)


def weights_after_the_sum(tokens, embedding, encoding):
    """You sum the words first and weight afterwards: then it is too late to know which word stood where."""
    return (embedding[tokens] * (tokens != 0)[..., None]).sum(-2) * encoding.sum(0)


def adds_the_encoding(tokens, embedding, encoding):
    """You add the encoding to the word vectors, as transformers do. Here it is multiplied in, number by number."""
    return ((embedding[tokens] + encoding) * (tokens != 0)[..., None]).sum(-2)


def weighs_words_as_a_whole(tokens, embedding, encoding):
    """Every word has one weight for all of its dimensions here. l_j has one for each: early and late words are to differ in where they speak."""
    there = (tokens != 0)[..., None]
    return (embedding[tokens] * encoding.mean(-1, keepdim=True) * there).sum(-2)


def embed_by_einsum(tokens, embedding, encoding):
    """Right: put a row of zeros in place of the padding's."""
    table = torch.cat([torch.zeros_like(embedding[:1]), embedding[1:]])
    return torch.einsum("...wd,wd->...d", F.embedding(tokens, table), encoding)


# --- memory_hop -------------------------------------------------------------------------------------------------------


def _scores(query, memory):
    return torch.einsum("...d,...nd->...n", query, memory)


def _hop(p, memory_out, mask):
    p = p if mask is None else torch.where(mask, p, 0)
    return torch.einsum("...n,...nd->...d", p, memory_out), p


def softmax_over_the_batch(query, memory_in, memory_out, mask=None):
    """Your softmax runs over the batch: the stories compete with each other for attention, instead of each story's sentences among themselves."""
    scores = _scores(query, memory_in)
    scores = scores if mask is None else scores.masked_fill(~mask, -torch.inf)
    return _hop(scores.softmax(0).nan_to_num(0), memory_out, mask)


def reads_what_it_compares_with(query, memory_in, memory_out, mask=None):
    """You read from the memory that you compared with. There are two: m says how well something matches, c says what it has to tell."""
    scores = _scores(query, memory_in)
    scores = scores if mask is None else scores.masked_fill(~mask, -torch.inf)
    return _hop(scores.softmax(-1), memory_in, mask)


def compares_with_what_it_reads(query, memory_in, memory_out, mask=None):
    """You compare the query with the output memory c. Matching is m's part; c is only read."""
    scores = _scores(query, memory_out)
    scores = scores if mask is None else scores.masked_fill(~mask, -torch.inf)
    return _hop(scores.softmax(-1), memory_out, mask)


def masks_after_the_softmax(query, memory_in, memory_out, mask=None):
    """You set weights to zero after the softmax: what the empty slots had taken is lost, and the weights no longer sum to one."""
    return _hop(_scores(query, memory_in).softmax(-1), memory_out, mask)


def scales_by_the_root_of_d(query, memory_in, memory_out, mask=None):
    """You divide the scores by √d, as transformers do. Memory networks came earlier: their formula does not."""
    scores = _scores(query, memory_in) / query.shape[-1] ** 0.5
    scores = scores if mask is None else scores.masked_fill(~mask, -torch.inf)
    return _hop(scores.softmax(-1), memory_out, mask)


def sums_the_memory_unweighted(query, memory_in, memory_out, mask=None):
    """Your weights are right, but the output ignores them: every memory counts the same."""
    scores = _scores(query, memory_in)
    scores = scores if mask is None else scores.masked_fill(~mask, -torch.inf)
    p = _hop(scores.softmax(-1), memory_out, mask)[1]
    return memory_out.mean(-2), p


def hop_of_nothing_is_nan(query, memory_in, memory_out, mask=None):
    """Right while there is anything to attend to; where every slot is empty you return NaN, and one NaN spoils the whole batch's gradient."""
    scores = _scores(query, memory_in)
    scores = scores if mask is None else scores.masked_fill(~mask, -torch.inf)
    return torch.einsum("...n,...nd->...d", scores.softmax(-1), memory_out), scores.softmax(-1)


def hop_of_nothing_is_the_mean(query, memory_in, memory_out, mask=None):
    """Right while there is anything to attend to. Where every slot is empty, all scores are equally low and the softmax shares its weight among nothings: weights and output should be zero there."""
    scores = _scores(query, memory_in)
    p = (scores if mask is None else scores.masked_fill(~mask, -1e9)).softmax(-1)
    return torch.einsum("...n,...nd->...d", p, memory_out), p


def attends_to_empty_slots(query, memory_in, memory_out, mask=None):
    """The mask is not used: empty slots get their share of attention, as if something were written there."""
    return _hop(_scores(query, memory_in).softmax(-1), memory_out, None)


def attends_only_to_empty_slots(query, memory_in, memory_out, mask=None):
    """You attend where nothing is written: the mask is upside down. Here True means that there is a memory."""
    return hop_by_exponentials(query, memory_in, memory_out, None if mask is None else ~mask)


def gives_empty_slots_the_score_zero(query, memory_in, memory_out, mask=None):
    """Empty slots got the score 0, but exp(0) is 1: that is a middling score, not the lowest one."""
    scores = _scores(query, memory_in)
    return _hop((scores if mask is None else scores * mask).softmax(-1), memory_out, None)


def forgets_the_softmax(query, memory_in, memory_out, mask=None):
    """Your weights are the bare inner products: they can be negative, and they do not sum to one. The softmax is missing."""
    return _hop(_scores(query, memory_in), memory_out, mask)


def returns_the_weights_first(query, memory_in, memory_out, mask=None):
    """Both results are right, but they have changed places: the output comes first, the weights second."""
    return memory_hop(query, memory_in, memory_out, mask)[::-1]


def asks_on_already(query, memory_in, memory_out, mask=None):
    """The weights are right, but the query has been added to the output. That makes the next query, which is another function's work: here o alone is asked for."""
    o, p = memory_hop(query, memory_in, memory_out, mask)
    return query + o, p


def divides_the_scores_by_their_sum(query, memory_in, memory_out, mask=None):
    """Your weights sum to 1, but some are negative: the scores themselves are divided by their sum. The softmax takes exponentials first."""
    scores = _scores(query, memory_in)
    scores = scores if mask is None else scores * mask
    total = scores.sum(-1, keepdim=True)
    return _hop(scores / torch.where(total == 0, 1, total), memory_out, mask)


def overflows_in_the_exponential(query, memory_in, memory_out, mask=None):
    """Large scores give NaN: exp(100) is more than a float can hold, and ∞/∞ is no number. Subtract the largest score first, as torch.softmax does."""
    e = _scores(query, memory_in).exp()
    e = e if mask is None else e * mask
    return _hop(e / e.sum(-1, keepdim=True).clamp(min=1e-30), memory_out, mask)


def hop_by_exponentials(query, memory_in, memory_out, mask=None):
    """Right: exponentials, divided by their sum where there is one."""
    scores = (memory_in * query.unsqueeze(-2)).sum(-1)
    e = (scores - scores.max(-1, keepdim=True).values).exp()
    e = e if mask is None else e * mask
    p = e / e.sum(-1, keepdim=True).clamp(min=1e-30)
    return (p.unsqueeze(-2) @ memory_out).squeeze(-2), p


# --- repeat_hops ------------------------------------------------------------------------------------------------------


def output_replaces_the_query(hop, query, memories_in, memories_out, mask, transfer):
    """What was read becomes the next query, and the question is forgotten: after one hop nobody knows any more what was asked."""
    weights = []
    for memory_in, memory_out in zip(memories_in, memories_out, strict=True):
        query, p = hop(query, memory_in, memory_out, mask)
        weights.append(p)
    return query, torch.stack(weights, dim=-2)


def asks_the_same_every_time(hop, query, memories_in, memories_out, mask, transfer):
    """Every hop asks the first question again: "formulate another query" is what the later hops are for."""
    total, weights = query, []
    for memory_in, memory_out in zip(memories_in, memories_out, strict=True):
        o, p = hop(query, memory_in, memory_out, mask)
        total = total @ transfer.mT + o
        weights.append(p)
    return total, torch.stack(weights, dim=-2)


def forgets_to_transfer(hop, query, memories_in, memories_out, mask, transfer):
    """H is not used: the old query is carried over as it is. With adjacent tying nobody notices, because H is the identity there; with layer-wise tying it is learned."""
    weights = []
    for memory_in, memory_out in zip(memories_in, memories_out, strict=True):
        o, p = hop(query, memory_in, memory_out, mask)
        query = query + o
        weights.append(p)
    return query, torch.stack(weights, dim=-2)


def calls_a_hop_of_its_own(hop, query, memories_in, memories_out, mask, transfer):
    """You call memory_hop whatever hop is handed in. Another kind of hop must fit in as well: training begins with one that has no softmax."""
    return hops_by_recursion(memory_hop, query, memories_in, memories_out, mask, transfer)


def transfers_the_output_too(hop, query, memories_in, memories_out, mask, transfer):
    """H acts on the sum here. In the formula it carries the old query over; what was read is added as it is."""
    weights = []
    for memory_in, memory_out in zip(memories_in, memories_out, strict=True):
        o, p = hop(query, memory_in, memory_out, mask)
        query = (query + o) @ transfer.mT
        weights.append(p)
    return query, torch.stack(weights, dim=-2)


def transfers_by_the_transpose(hop, query, memories_in, memories_out, mask, transfer):
    """You multiply by Hᵀ where the formula has H: for rows of a batch, H u is written with the transpose of H on the right."""
    weights = []
    for memory_in, memory_out in zip(memories_in, memories_out, strict=True):
        o, p = hop(query, memory_in, memory_out, mask)
        query = query @ transfer + o
        weights.append(p)
    return query, torch.stack(weights, dim=-2)


def stacks_hops_first(hop, query, memories_in, memories_out, mask, transfer):
    """The query is right; the weights lie with the hops first and the batch second. One story's hops should lie together: hops just before the memories."""
    weights = []
    for memory_in, memory_out in zip(memories_in, memories_out, strict=True):
        o, p = hop(query, memory_in, memory_out, mask)
        query = query @ transfer.mT + o
        weights.append(p)
    return query, torch.stack(weights)


def begins_with_the_last_memory(hop, query, memories_in, memories_out, mask, transfer):
    """Your hops go through the memories from the last to the first. The first query u₁ meets the first memory."""
    return hops_by_recursion(hop, query, memories_in.flip(0), memories_out.flip(0), mask, transfer)


def swaps_the_two_memories(hop, query, memories_in, memories_out, mask, transfer):
    """The hop was given its two memories the other way round: it compares with the first and reads from the second."""
    return hops_by_recursion(hop, query, memories_out, memories_in, mask, transfer)


def looks_into_the_first_memory_every_time(hop, query, memories_in, memories_out, mask, transfer):
    """All of your hops look into the first memory. Each hop has a pair of its own."""
    first, second = memories_in[:1].expand_as(memories_in), memories_out[:1].expand_as(memories_out)
    return hops_by_recursion(hop, query, first, second, mask, transfer)


def keeps_the_mask_to_itself(hop, query, memories_in, memories_out, mask, transfer):
    """The mask never reached the hop: it looks where nothing is written."""
    return hops_by_recursion(hop, query, memories_in, memories_out, torch.ones_like(mask), transfer)


def stacks_hops_second(hop, query, memories_in, memories_out, mask, transfer):
    """With one axis of stories this is right; without any, or with two, the hops end up elsewhere. They stand just before the memories: count from the end."""
    u, weights = hops_by_recursion(hop, query, memories_in, memories_out, mask, transfer)
    return u, weights.movedim(-2, 1)


def hops_by_recursion(hop, query, memories_in, memories_out, mask, transfer):
    """Right: one hop, then the rest."""
    o, p = hop(query, memories_in[0], memories_out[0], mask)
    query, p = torch.einsum("ij,...j->...i", transfer, query) + o, p.unsqueeze(-2)
    if len(memories_in) == 1:
        return query, p
    last, rest = hops_by_recursion(hop, query, memories_in[1:], memories_out[1:], mask, transfer)
    return last, torch.cat([p, rest], dim=-2)


# --- clip_each_matrix -------------------------------------------------------------------------------------------------


def clips_all_together(gradients, limit):
    """You clip by the norm of all gradients together, as clip_grad_norm_ does: then one wild matrix makes every other one stand still."""
    norm = torch.stack([g.norm() for g in gradients]).norm()
    return [g * min(1.0, limit / norm) for g in gradients]


def clips_each_number(gradients, limit):
    """You clip each number by itself. That bends the direction of the step; shortening a matrix as a whole keeps it."""
    return [g.clamp(-limit, limit) for g in gradients]


def stretches_short_ones(gradients, limit):
    """Every matrix has length `limit` now, also those that were short: near the goal, small gradients must stay small."""
    return [g * limit / g.norm() for g in gradients]


def clips_each_row(gradients, limit):
    """You clip row by row. The norm in question is that of the whole matrix."""
    return [g * (limit / g.norm(dim=1, keepdim=True)).clamp(max=1) for g in gradients]


def clips_in_place(gradients, limit):
    """The numbers are right, but the gradients that were handed in have been shortened themselves. They were only lent to you: multiply without an underscore, and without *=."""
    for g in gradients:
        g *= min(1.0, limit / g.norm())
    return gradients


def clips_by_the_largest_number(gradients, limit):
    """Your measure of a matrix is its largest number. ‖g‖ is the root of the sum of all squares."""
    return [g * min(1.0, limit / float(g.abs().max().clamp(min=1e-12))) for g in gradients]


def clips_by_the_sum_of_absolutes(gradients, limit):
    """Your measure of a matrix is the sum of its absolute values. ‖g‖ is the root of the sum of all squares."""
    return [g * min(1.0, limit / float(g.abs().sum().clamp(min=1e-12))) for g in gradients]


def clips_by_the_spectral_norm(gradients, limit):
    """Your measure of a matrix is how far it can stretch a vector: torch.linalg.norm with 2 means that for a matrix. ‖g‖ is the root of the sum of all squares."""
    return [g * min(1.0, limit / float(torch.linalg.norm(g, 2).clamp(min=1e-12))) for g in gradients]


def shortens_to_length_one(gradients, limit):
    """What was too long has length 1 now. It may keep the length `limit`."""
    return [g / g.norm() if g.norm() > limit else g for g in gradients]


def clip_by_clamped_factor(gradients, limit):
    """Right: one factor, never above one."""
    return [g / (g.square().sum().sqrt() / limit).clamp(min=1) for g in gradients]


MISCONCEPTIONS = {
    "write_memory": [
        overwrites_the_newest,
        forgets_to_age,
        ages_empty_slots,
        forgets_although_there_is_room,
        writes_into_the_callers_memory,
        writes_into_memory_but_not_into_age,
        ages_the_new_sentence_too,
        finds_room_where_there_are_zeros,
        fills_the_memory_from_behind,
    ],
    "hard_lookup": [
        finds_empty_slots,
        finds_empty_slots_by_zero,
        looks_among_the_empty_slots,
        looks_up_softly,
        looks_up_by_cosine,
        looks_up_the_nearest,
        reads_from_the_first_memory,
        brings_back_the_score,
        looks_for_the_worst_match,
    ],
    "margin_ranking_loss": [
        ranks_the_right_one_against_itself,
        clamps_the_sum,
        ranks_the_wrong_way_round,
        counts_the_worst_rival_only,
        averages_over_the_rivals,
        sums_over_the_batch,
        forgets_the_margin,
        squares_the_violations,
        goes_on_beyond_the_margin,
        compares_by_cross_entropy,
    ],
    "position_encoding": [
        position_encoding_transposed,
        position_counts_from_zero,
        position_divides_by_the_wrong_size,
        position_without_the_two,
        position_encoding_of_the_published_code,
        position_adds_the_second_term,
        position_divides_whole_numbers,
    ],
    "embed_sentences": [
        counts_the_padding,
        embeds_a_bag_of_words,
        averages_the_words,
        weights_after_the_sum,
        adds_the_encoding,
        weighs_words_as_a_whole,
    ],
    "memory_hop": [
        softmax_over_the_batch,
        reads_what_it_compares_with,
        compares_with_what_it_reads,
        masks_after_the_softmax,
        scales_by_the_root_of_d,
        sums_the_memory_unweighted,
        hop_of_nothing_is_nan,
        hop_of_nothing_is_the_mean,
        attends_to_empty_slots,
        attends_only_to_empty_slots,
        gives_empty_slots_the_score_zero,
        forgets_the_softmax,
        returns_the_weights_first,
        asks_on_already,
        divides_the_scores_by_their_sum,
        overflows_in_the_exponential,
    ],
    "repeat_hops": [
        output_replaces_the_query,
        asks_the_same_every_time,
        forgets_to_transfer,
        calls_a_hop_of_its_own,
        transfers_the_output_too,
        transfers_by_the_transpose,
        stacks_hops_first,
        begins_with_the_last_memory,
        swaps_the_two_memories,
        looks_into_the_first_memory_every_time,
        keeps_the_mask_to_itself,
        stacks_hops_second,
    ],
    "clip_each_matrix": [
        clips_all_together,
        clips_each_number,
        stretches_short_ones,
        clips_each_row,
        clips_in_place,
        clips_by_the_largest_number,
        clips_by_the_sum_of_absolutes,
        clips_by_the_spectral_norm,
        shortens_to_length_one,
    ],
}

ALTERNATIVES = {
    "write_memory": [write_by_rows],
    "hard_lookup": [lookup_by_max],
    "margin_ranking_loss": [margin_by_selection],
    "position_encoding": [position_encoding_by_outer_product],
    "embed_sentences": [embed_by_einsum],
    "memory_hop": [hop_by_exponentials],
    "repeat_hops": [hops_by_recursion],
    "clip_each_matrix": [clip_by_clamped_factor],
}
