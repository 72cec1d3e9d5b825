"""Chapter 12: what people really write, and other right ways to write it."""

import itertools

import torch
import torch.nn.functional as F

from solutions.sequence_attention import (
    additive_scores,
    attend_source,
    greedy_decode,
    monotonicity,
    spatial_attention,
)

# additive_scores


def forgets_the_tanh(state, annotations, W, U, v):
    """These are the scores without the tanh. Then the state adds the same number to every score, the softmax removes it again, and the decoder looks at the same place whatever it is about to say."""
    return ((state @ W.T).unsqueeze(-2) + annotations @ U.T) @ v


def squashes_after_v(state, annotations, W, U, v):
    """Here the tanh comes after v, so that every score lies between −1 and 1 and no place can win clearly. Look at what stands inside the brackets of the formula."""
    return torch.tanh(((state @ W.T).unsqueeze(-2) + annotations @ U.T) @ v)


def squashes_each_by_itself(state, annotations, W, U, v):
    """State and annotation are squashed each by itself, and only then added. What the state adds is the same at every place again, so that the softmax removes it: they must meet inside the tanh."""
    return (torch.tanh(state @ W.T).unsqueeze(-2) + torch.tanh(annotations @ U.T)) @ v


def multiplies_state_and_annotation(state, annotations, W, U, v):
    """State and annotations are multiplied here, number by number. That is another kind of score (multiplicative); this one is called additive."""
    return torch.tanh((state @ W.T).unsqueeze(-2) * (annotations @ U.T)) @ v


def normalizes_the_scores(state, annotations, W, U, v):
    """These numbers sum to 1: they are weights already. A score may be any number; the softmax is the next exercise."""
    return torch.softmax(additive_scores(state, annotations, W, U, v), dim=-1)


def mixes_the_two_spaces(state, annotations, W, U, v):
    """The state went through U and the annotations through W. Where both have the same length nothing complains, but W was trained for the state and U for the annotations."""
    return additive_scores(state, annotations, U, W, v)


def adds_up_what_meets(state, annotations, W, U, v):
    """The numbers that meet are added up as they are: v is missing, and with it what makes one of them count for a place and another against it."""
    return torch.tanh((state @ W.T).unsqueeze(-2) + annotations @ U.T).sum(dim=-1)


def takes_the_inner_product(state, annotations, W, U, v):
    """This is the inner product of W s and U h_j: another kind of score (multiplicative), without the tanh and without v."""
    return ((state @ W.T).unsqueeze(-2) * (annotations @ U.T)).sum(dim=-1)


def squashes_by_the_sigmoid(state, annotations, W, U, v):
    """A sigmoid stands where the formula has the tanh: every number lies between 0 and 1 and can never speak against a place."""
    return torch.sigmoid((state @ W.T).unsqueeze(-2) + annotations @ U.T) @ v


def additive_scores_by_einsum(state, annotations, W, U, v):
    asked = torch.einsum("...s,as->...a", state, W)
    found = torch.einsum("...nh,ah->...na", annotations, U)
    return torch.einsum("...na,a->...n", torch.tanh(asked[..., None, :] + found), v)


def additive_scores_by_concatenation(state, annotations, W, U, v):
    repeated = state.unsqueeze(-2).expand(*annotations.shape[:-1], state.shape[-1])
    both = torch.cat([repeated, annotations], dim=-1)
    return torch.tanh(both @ torch.cat([W, U], dim=-1).T) @ v


# attend_source


def _read(weights, annotations):
    return (weights.unsqueeze(-1) * annotations).sum(dim=-2)


def softmax_over_the_batch(state, annotations, W, U, v, mask=None):
    """Your softmax runs over the batch: the sentences share one unit of attention among them. Each sentence has its own: which axis counts the places of the source?"""
    e = additive_scores(state, annotations, W, U, v)
    if mask is not None:
        e = e.masked_fill(~mask, torch.finfo(e.dtype).min)
    alpha = torch.softmax(e, dim=0)
    if mask is not None:
        alpha = alpha.masked_fill(~mask, 0)
    return _read(alpha, annotations), alpha


def counts_the_padding(state, annotations, W, U, v, mask=None):
    """The mask is not used: padding gets its share of attention, and a sentence is read differently next to a longer one."""
    return attend_source(state, annotations, W, U, v)


def masks_after_the_softmax(state, annotations, W, U, v, mask=None):
    """The padding's weight was removed after the softmax: the other weights no longer sum to 1. Padding must be out before the sum in the softmax is taken."""
    alpha = torch.softmax(additive_scores(state, annotations, W, U, v), dim=-1)
    if mask is not None:
        alpha = alpha * mask
    return _read(alpha, annotations), alpha


def gives_padding_the_score_zero(state, annotations, W, U, v, mask=None):
    """Padding got the score 0, but exp(0) is 1: that is a middling score, not the lowest one."""
    e = additive_scores(state, annotations, W, U, v)
    alpha = torch.softmax(e if mask is None else e * mask, dim=-1)
    return _read(alpha, annotations), alpha


def masks_the_real_words(state, annotations, W, U, v, mask=None):
    """Your decoder reads the padding and skips the words: the mask is upside down. Here True means: a real word."""
    return attend_source(state, annotations, W, U, v, None if mask is None else ~mask)


def divides_by_nothing(state, annotations, W, U, v, mask=None):
    """A row whose mask is False throughout gives NaN: its softmax divides 0 by 0. Nothing to read means zeros; one NaN would spoil the training of everything."""
    e = additive_scores(state, annotations, W, U, v)
    if mask is not None:
        e = e.masked_fill(~mask, float("-inf"))
    alpha = torch.softmax(e, dim=-1)
    return _read(alpha, annotations), alpha


def reads_padding_when_there_is_nothing_else(state, annotations, W, U, v, mask=None):
    """Right while a row has a real word. Where it has none, all scores are equally low, and the softmax shares its weight among the padding: nothing to read means zeros."""
    e = additive_scores(state, annotations, W, U, v)
    if mask is not None:
        e = e.masked_fill(~mask, torch.finfo(e.dtype).min)
    alpha = torch.softmax(e, dim=-1)
    return _read(alpha, annotations), alpha


def reads_everything_alike(state, annotations, W, U, v, mask=None):
    """The weights are right, but the context does not use them: it is the plain mean of the annotations."""
    _, alpha = attend_source(state, annotations, W, U, v, mask)
    return annotations.mean(dim=-2), alpha


def returns_the_weights_first(state, annotations, W, U, v, mask=None):
    """Both results are right, but they have changed places: the context comes first, the weights second."""
    return attend_source(state, annotations, W, U, v, mask)[::-1]


def reads_what_it_compares(state, annotations, W, U, v, mask=None):
    """The weights are right, but you read U h_j: that is how a place is compared. What is read are the annotations themselves."""
    _, alpha = attend_source(state, annotations, W, U, v, mask)
    return _read(alpha, annotations @ U.T), alpha


def reads_the_best_place_only(state, annotations, W, U, v, mask=None):
    """The weights are right, but the context is the one annotation with the largest weight: a hard choice, through which nothing can be learned. Every place counts by its weight."""
    context, alpha = attend_source(state, annotations, W, U, v, mask)
    best = alpha.argmax(dim=-1)[..., None, None]
    best = torch.take_along_dim(annotations, best, dim=-2).squeeze(-2)
    return torch.where(alpha.sum(dim=-1, keepdim=True) > 0, best, 0 * context), alpha


def divides_the_scores_by_their_sum(state, annotations, W, U, v, mask=None):
    """Your weights sum to 1, but some are negative: the scores themselves are divided by their sum. The softmax takes exponentials first."""
    e = additive_scores(state, annotations, W, U, v)
    e = e if mask is None else e * mask
    total = e.sum(dim=-1, keepdim=True)
    alpha = e / torch.where(total == 0, 1, total)
    return _read(alpha, annotations), alpha


def attend_source_with_infinities(state, annotations, W, U, v, mask=None):
    e = additive_scores(state, annotations, W, U, v)
    if mask is not None:
        e = torch.where(mask, e, -torch.inf)
    alpha = torch.nan_to_num(torch.softmax(e, dim=-1))
    return torch.einsum("...n,...nh->...h", alpha, annotations), alpha


def attend_source_by_exponentials(state, annotations, W, U, v, mask=None):
    e = additive_scores(state, annotations, W, U, v)
    weights = torch.exp(e - e.amax(dim=-1, keepdim=True))
    if mask is not None:
        weights = weights * mask
    alpha = weights / weights.sum(dim=-1, keepdim=True).clamp_min(1e-30)
    return (annotations * alpha[..., None]).sum(dim=-2), alpha


# translation_loss


def _log_p(logits, tokens):
    return torch.log_softmax(logits, dim=-1).gather(-1, tokens.unsqueeze(-1)).squeeze(-1)


def counts_the_padding_as_words(logits, tokens, pad=0):
    """Padding is counted as if it were words. A network can then earn most of its praise for saying nothing, and short sentences count more the longer their neighbours are."""
    return -_log_p(logits, tokens).mean()


def divides_by_every_place(logits, tokens, pad=0):
    """Padding adds nothing to your sum, but it is still in the number you divide by. T counts real words only."""
    return -(_log_p(logits, tokens) * (tokens != pad)).mean()


def sums_instead_of_averaging(logits, tokens, pad=0):
    """This is the sum over the real words. Without the division by T, a longer text has a higher price for the same quality."""
    return -(_log_p(logits, tokens) * (tokens != pad)).sum()


def forgets_the_minus(logits, tokens, pad=0):
    """This is the mean log p itself, and it is negative. A price is the higher the worse the translation: look at the sign in the formula."""
    return _log_p(logits, tokens)[tokens != pad].mean()


def averages_sentence_by_sentence(logits, tokens, pad=0):
    """You averaged within each sentence first: a word in a short sentence then counts more than one in a long sentence."""
    real = tokens != pad
    return (-(_log_p(logits, tokens) * real).sum(dim=1) / real.sum(dim=1)).mean()


def takes_logits_for_logarithms(logits, tokens, pad=0):
    """You took the right word's logit as it is. A logit becomes log p only when the log of the sum over the vocabulary is subtracted."""
    return -logits.gather(-1, tokens.unsqueeze(-1)).squeeze(-1)[tokens != pad].mean()


def always_takes_zero_for_padding(logits, tokens, pad=0):
    """Your function takes 0 for padding whatever it is told. Look at the last argument."""
    return F.cross_entropy(logits.flatten(0, 1), tokens.flatten(), ignore_index=0)


def takes_the_logarithm_of_a_softmax(logits, tokens, pad=0):
    """Where a word is very unlikely you get infinity: its probability is too small for a float, and log 0 is −∞. torch.log_softmax never leaves the logarithm."""
    return -torch.softmax(logits, dim=-1).log().gather(-1, tokens.unsqueeze(-1))[tokens != pad].mean()


def adds_a_little_inside_the_logarithm(logits, tokens, pad=0):
    """Where a word is very unlikely your price stops growing: something like log(p + 1e-9) cannot pay more than 20. torch.log_softmax needs no such help."""
    return (
        -(torch.softmax(logits, dim=-1) + 1e-9).log().gather(-1, tokens.unsqueeze(-1))[tokens != pad].mean()
    )


def divides_by_the_number_of_sentences(logits, tokens, pad=0):
    """You divided by the number of sentences. T counts real words: a long sentence would cost more than a short one for the same quality."""
    return -(_log_p(logits, tokens) * (tokens != pad)).sum() / len(tokens)


def lets_the_steps_compete(logits, tokens, pad=0):
    """Your softmax runs over the steps: one word's places in the sentence compete with each other. At each step it is the words of the vocabulary that compete."""
    log_p = torch.log_softmax(logits, dim=1).gather(-1, tokens.unsqueeze(-1)).squeeze(-1)
    return -log_p[tokens != pad].mean()


def forgets_the_logarithm(logits, tokens, pad=0):
    """This is the mean of −p. Without the logarithm a word that was thought impossible costs hardly more than one that was thought unlikely."""
    return -_log_p(logits, tokens).exp()[tokens != pad].mean()


def translation_loss_by_cross_entropy(logits, tokens, pad=0):
    if bool((tokens == pad).all()):
        raise ValueError("no real word")
    return F.cross_entropy(logits.transpose(1, 2), tokens, ignore_index=pad)


def translation_loss_by_sums(logits, tokens, pad=0):
    real = (tokens != pad).to(logits.dtype)
    if real.sum() < 1:
        raise ValueError("no real word")
    log_p = logits - logits.logsumexp(dim=-1, keepdim=True)
    right = torch.nn.functional.one_hot(tokens, logits.shape[-1])
    return -((log_p * right).sum(dim=-1) * real).sum() / real.sum()


# greedy_decode


def always_feeds_the_start(step, state, start, end, steps):
    """Every step is fed the start token. The decoder must hear what it has just said, or it loses the thread after the first word."""
    running, tokens, alignment = torch.ones_like(start, dtype=torch.bool), [], []
    for _ in range(steps):
        logits, state, weights = step(start, state)
        token = torch.where(running, logits.argmax(dim=-1), end)
        tokens.append(token)
        alignment.append(weights * running[:, None])
        running = running & (token != end)
        if not running.any():
            break
    return torch.stack(tokens, dim=1), torch.stack(alignment, dim=1)


def forgets_the_state(step, state, start, end, steps):
    """Every step starts from the first state again: the next state that `step` returns is thrown away."""
    running, tokens, alignment, token = torch.ones_like(start, dtype=torch.bool), [], [], start
    for _ in range(steps):
        logits, _, weights = step(token, state)
        token = torch.where(running, logits.argmax(dim=-1), end)
        tokens.append(token)
        alignment.append(weights * running[:, None])
        running = running & (token != end)
        if not running.any():
            break
    return torch.stack(tokens, dim=1), torch.stack(alignment, dim=1)


def writes_on_after_the_end(step, state, start, end, steps):
    """Your sentences go on after their end, as long as another sentence of the batch is being written. Who has written `end` writes only `end`."""
    ended, tokens, alignment, token = torch.zeros_like(start, dtype=torch.bool), [], [], start
    for _ in range(steps):
        logits, state, weights = step(token, state)
        token = logits.argmax(dim=-1)
        tokens.append(token)
        alignment.append(weights)
        ended = ended | (token == end)
        if ended.all():
            break
    return torch.stack(tokens, dim=1), torch.stack(alignment, dim=1)


def looks_on_after_the_end(step, state, start, end, steps):
    """The tokens are right, but the alignment goes on after the end: a sentence that is over looks nowhere (zeros)."""
    running, tokens, alignment, token = torch.ones_like(start, dtype=torch.bool), [], [], start
    for _ in range(steps):
        logits, state, weights = step(token, state)
        token = torch.where(running, logits.argmax(dim=-1), end)
        tokens.append(token)
        alignment.append(weights)
        running = running & (token != end)
        if not running.any():
            break
    return torch.stack(tokens, dim=1), torch.stack(alignment, dim=1)


def goes_on_when_all_are_over(step, state, start, end, steps):
    """You always take all the steps that are allowed. Every sentence is over before: stop there, or the rest of your rows is nothing but `end`."""
    running, tokens, alignment, token = torch.ones_like(start, dtype=torch.bool), [], [], start
    for _ in range(steps):
        logits, state, weights = step(token, state)
        token = torch.where(running, logits.argmax(dim=-1), end)
        tokens.append(token)
        alignment.append(weights * running[:, None])
        running = running & (token != end)
    return torch.stack(tokens, dim=1), torch.stack(alignment, dim=1)


def stops_with_the_first_sentence(step, state, start, end, steps):
    """You stop as soon as one sentence is over; the others are cut off in the middle. Go on until all are over."""
    tokens, alignment, token = [], [], start
    for _ in range(steps):
        logits, state, weights = step(token, state)
        token = logits.argmax(dim=-1)
        tokens.append(token)
        alignment.append(weights)
        if (token == end).any():
            break
    return torch.stack(tokens, dim=1), torch.stack(alignment, dim=1)


def hides_the_last_look(step, state, start, end, steps):
    """The step that writes `end` looked somewhere, too, and its weights are kept. You set them to zero one step too early."""
    running, tokens, alignment, token = torch.ones_like(start, dtype=torch.bool), [], [], start
    for _ in range(steps):
        logits, state, weights = step(token, state)
        token = torch.where(running, logits.argmax(dim=-1), end)
        tokens.append(token)
        running = running & (token != end)
        alignment.append(weights * running[:, None])
        if not running.any():
            break
    return torch.stack(tokens, dim=1), torch.stack(alignment, dim=1)


def keeps_the_start(step, state, start, end, steps):
    """Your sentences begin with the start token. Nobody wrote it: it is only what the first step is fed."""
    tokens, alignment = _decoded(step, state, start, end, steps)
    return torch.cat([start.unsqueeze(1), tokens], dim=1), alignment


def stacks_the_steps_first(step, state, start, end, steps):
    """Rows and columns have changed places: each row of your result is one step of all sentences. One row per sentence was asked for."""
    tokens, alignment = _decoded(step, state, start, end, steps)
    return tokens.T, alignment.transpose(0, 1)


def goes_beyond_the_steps(step, state, start, end, steps):
    """You go on until every sentence is over, however long that takes. After `steps` steps it ends: a decoder may never say `end`."""
    return _decoded(step, state, start, end, 50)


def returns_the_alignment_first(step, state, start, end, steps):
    """Both results are right, but they have changed places: the tokens come first, the alignment second."""
    return _decoded(step, state, start, end, steps)[::-1]


def _decoded(step, state, start, end, steps):
    if steps < 1:
        raise ValueError("no steps")
    return greedy_decode(step, state, start, end, steps)


def greedy_decode_with_a_list_of_lengths(step, state, start, end, steps):
    if steps <= 0:
        raise ValueError(f"{steps} steps")
    tokens, alignment, token = [], [], start
    for _ in range(steps):
        logits, state, weights = step(token, state)
        over = (
            torch.stack([t == end for t in tokens]).any(dim=0) if tokens else torch.zeros(len(start)).bool()
        )
        token = logits.max(dim=-1).indices.masked_fill(over, end)
        tokens, alignment = [*tokens, token], [*alignment, weights.masked_fill(over[:, None], 0)]
        if bool(((token == end) | over).all()):
            break
    return torch.stack(tokens).T, torch.stack(alignment).transpose(0, 1)


# spatial_attention


def mixes_channels_and_places(state, features, W, U, v):
    """The features were reshaped to (places, channels) without moving the channels to the end first: every "place" is now a mixture of many. The shape is right, the meaning is gone."""
    height, width = features.shape[-2:]
    annotations = features.reshape(*features.shape[:-3], height * width, features.shape[-3])
    context, alpha = attend_source(state, annotations, W, U, v)
    return context, alpha.unflatten(-1, (height, width))


def softmax_in_every_row(state, features, W, U, v):
    """Each row of the picture has its own softmax here, so that the weights of one step sum to the number of rows. There is one look per word: one softmax over all places."""
    places = features.movedim(-3, -1)
    alpha = torch.softmax(additive_scores(state.unsqueeze(-2), places, W, U, v), dim=-1)
    return torch.einsum("...yx,...yxh->...h", alpha, places), alpha


def lays_places_out_by_column(state, features, W, U, v):
    """The places were counted down the columns, but laid out again along the rows: the map of the weights is scrambled."""
    annotations = features.transpose(-1, -2).flatten(-2).transpose(-1, -2)
    context, alpha = attend_source(state, annotations, W, U, v)
    return context, alpha.unflatten(-1, features.shape[-2:])


def sees_the_whole_picture_alike(state, features, W, U, v):
    """The weights are right, but the context is the mean over the whole picture. It must come from where the weights are."""
    _, alpha = attend_source(state, features.flatten(-2).transpose(-1, -2), W, U, v)
    return features.mean(dim=(-2, -1)), alpha.unflatten(-1, features.shape[-2:])


def sums_without_weights_of_one(state, features, W, U, v):
    """These weights come from exp alone. Divide by their sum over all places, or the context grows with the picture."""
    places = features.movedim(-3, -1)
    alpha = torch.exp(additive_scores(state.unsqueeze(-2), places, W, U, v))
    return torch.einsum("...yx,...yxh->...h", alpha, places), alpha


def leaves_the_places_in_a_row(state, features, W, U, v):
    """All numbers are right, but the weights still lie in one row. Lay them out as a picture again: rows and columns."""
    context, alpha = spatial_attention(state, features, W, U, v)
    return context, alpha.flatten(-2)


def lays_the_picture_on_its_side(state, features, W, U, v):
    """Height and width of the weights have changed places: the picture lies on its side."""
    context, alpha = spatial_attention(state, features, W, U, v)
    return context, alpha.transpose(-1, -2)


def weighs_and_does_not_add_up(state, features, W, U, v):
    """Your context is still a picture: every place has its weight, but the places have not been added up."""
    _, alpha = spatial_attention(state, features, W, U, v)
    return features * alpha.unsqueeze(-3), alpha


def returns_the_map_first(state, features, W, U, v):
    """Both results are right, but they have changed places: the context comes first, the weights second."""
    return spatial_attention(state, features, W, U, v)[::-1]


def spatial_attention_on_the_grid(state, features, W, U, v):
    places = features.movedim(-3, -1)
    e = additive_scores(state.unsqueeze(-2), places, W, U, v)
    alpha = torch.softmax(e.flatten(-2), dim=-1).reshape(e.shape)
    return (alpha.unsqueeze(-3) * features).sum(dim=(-2, -1)), alpha


# doubly_stochastic_penalty


def asks_each_step_to_sum_to_one(weights):
    """You summed over the places inside the square. That sum is 1 at every step already, so nothing is left to pay."""
    return (1 - weights.sum(dim=(-2, -1))).square().sum(dim=1).mean()


def asks_every_weight_to_be_one(weights):
    """Each single weight is compared with 1. It is the sum over the steps that should be 1 at each place."""
    return (1 - weights).square().sum(dim=(1, 2, 3)).mean()


def averages_over_places(weights):
    """You took the mean over the places; the paper's penalty is their sum."""
    return (1 - weights.sum(dim=1)).square().mean()


def sums_over_the_batch(weights):
    """You summed over the batch. The penalty is the mean of the pictures' penalties, so that it does not depend on how many there are."""
    return (1 - weights.sum(dim=1)).square().sum()


def forgets_the_square(weights):
    """Without the square, the sum over the places is the same whatever the attention does: places × 1 − steps × 1."""
    return (1 - weights.sum(dim=1)).sum(dim=(-2, -1)).mean()


def takes_the_distance_unsquared(weights):
    """Here |1 − Σ α| stands where the formula has its square: a place that was left out a little costs too much."""
    return (1 - weights.sum(dim=1)).abs().sum(dim=(-2, -1)).mean()


def takes_the_mean_of_the_looks(weights):
    """You took the mean over the steps inside the square. It is their sum that should be 1: one look in all, not one at every step."""
    return (1 - weights.mean(dim=1)).square().sum(dim=(-2, -1)).mean()


def squares_each_look(weights):
    """Each weight is squared before the steps are added up. The square stands outside the bracket: first add up, then subtract from 1, then square."""
    return (1 - weights.square().sum(dim=1)).sum(dim=(-2, -1)).mean()


def doubly_stochastic_penalty_by_norms(weights):
    missing = (torch.ones(()).to(weights) - torch.einsum("btyx->byx", weights)).flatten(1)
    return sum(row.dot(row) for row in missing) / len(missing)


# pyramid


def averages_two_frames(frames):
    """Here two frames are averaged. That halves time, too, but it blurs: the two must stand side by side."""
    frames = F.pad(frames, (0, 0, 0, frames.shape[1] % 2))
    mean = frames.unflatten(1, (-1, 2)).mean(dim=2)
    return torch.cat([mean, mean], dim=-1)


def pairs_the_two_halves(frames):
    """The first frame stands beside the one from the middle. Neighbours in time belong together: 0 with 1, 2 with 3."""
    frames = F.pad(frames, (0, 0, 0, frames.shape[1] % 2))
    return torch.cat(frames.chunk(2, dim=1), dim=-1)


def shuffles_the_numbers_of_two_frames(frames):
    """The numbers of the two frames alternate. First the whole of frame 2i, then the whole of frame 2i+1."""
    frames = F.pad(frames, (0, 0, 0, frames.shape[1] % 2))
    return frames.unflatten(1, (-1, 2)).transpose(-1, -2).flatten(-2)


def drops_the_last_frame(frames):
    """With an odd number of frames your last one is lost. It may hold the end of the last word: pair it with zeros."""
    even = frames[:, : frames.shape[1] // 2 * 2]
    return even.unflatten(1, (-1, 2)).flatten(-2)


def puts_the_later_frame_first(frames):
    """Frame 2i+1 stands before frame 2i. The pairs are right, their order is not."""
    frames = F.pad(frames, (0, 0, 0, frames.shape[1] % 2))
    return frames.unflatten(1, (-1, 2)).flip(2).flatten(-2)


def pads_in_front(frames):
    """With an odd number of frames you put the zeros in front, which shifts all pairs. They belong at the end."""
    frames = F.pad(frames, (0, 0, frames.shape[1] % 2, 0))
    return frames.unflatten(1, (-1, 2)).flatten(-2)


def repeats_the_last_frame(frames):
    """With an odd number of frames you pair the last one with itself. Its partner is zeros: nothing was heard there."""
    if frames.shape[1] % 2:
        frames = torch.cat([frames, frames[:, -1:]], dim=1)
    return frames.unflatten(1, (-1, 2)).flatten(-2)


def pairs_every_frame_with_the_next(frames):
    """Every frame stands beside the next one, so that each is used twice and time is not halved. The pairs do not overlap: 0 with 1, 2 with 3."""
    following = torch.cat([frames[:, 1:], torch.zeros_like(frames[:, :1])], dim=1)
    return torch.cat([frames, following], dim=-1)


def drops_every_other_frame(frames):
    """Every other frame is gone. Nothing may be lost: its place is beside its neighbour, in a frame of twice the width."""
    return frames[:, ::2]


def pyramid_by_strides(frames):
    first, second = frames[:, 0::2], frames[:, 1::2]
    if second.shape[1] < first.shape[1]:
        second = torch.cat([second, torch.zeros_like(first[:, :1])], dim=1)
    return torch.cat([first, second], dim=-1)


# monotonicity


def punishes_standing_still(alignment):
    """Standing still counts as stepping back here. One sound may well be several letters: only a step back is a step back."""
    peak = alignment.argmax(dim=-1)
    counted = (alignment != 0).any(dim=-1)
    counted = counted[:, 1:] & counted[:, :-1]
    forward = (peak[:, 1:] > peak[:, :-1]) & counted
    moves = counted.sum(dim=1)
    return torch.where(moves > 0, forward.sum(dim=1) / moves.clamp_min(1), 1.0)


def counts_steps_after_the_end(alignment):
    """Rows of zeros are counted: their "peak" is place 0, which looks like a jump back to the beginning. These steps are over."""
    peak = alignment.argmax(dim=-1)
    return (peak[:, 1:] >= peak[:, :-1]).float().mean(dim=1)


def divides_by_the_number_of_steps(alignment):
    """Between T steps there are only T − 1 moves; you divided by T."""
    peak = alignment.argmax(dim=-1)
    written = (alignment != 0).any(dim=-1)
    counted = written[:, 1:] & written[:, :-1]
    forward = (peak[:, 1:] >= peak[:, :-1]) & counted
    return torch.where(counted.any(dim=1), forward.sum(dim=1) / written.sum(dim=1).clamp_min(1), 1.0)


def follows_the_mean_instead_of_the_peak(alignment):
    """You followed the mean place, Σ j·α_j. Two far peaks have a mean where nobody looks: the definition asks for the peak."""
    place = (alignment * torch.arange(alignment.shape[-1])).sum(dim=-1)
    written = (alignment != 0).any(dim=-1)
    counted = written[:, 1:] & written[:, :-1]
    forward = (place[:, 1:] >= place[:, :-1]) & counted
    moves = counted.sum(dim=1)
    return torch.where(moves > 0, forward.sum(dim=1) / moves.clamp_min(1), 1.0)


def counts_the_steps_back(alignment):
    """This is the share of steps that go back, and so it is 0 where it should be 1."""
    peak = alignment.argmax(dim=-1)
    written = (alignment != 0).any(dim=-1)
    counted = written[:, 1:] & written[:, :-1]
    back = (peak[:, 1:] < peak[:, :-1]) & counted
    return back.sum(dim=1) / counted.sum(dim=1).clamp_min(1)


def counts_the_step_into_the_end(alignment):
    """One step too many is counted: the one from the last word to the row of zeros after it. That row's "peak" is place 0, which looks like a jump back."""
    peak = alignment.argmax(dim=-1)
    counted = (alignment != 0).any(dim=-1)[:, :-1]
    forward = (peak[:, 1:] >= peak[:, :-1]) & counted
    moves = counted.sum(dim=1)
    return torch.where(moves > 0, forward.sum(dim=1) / moves.clamp_min(1), 1.0)


def says_yes_or_no(alignment):
    """Your answer is 1 or 0: whether a sentence never steps back. The share of its steps that do not was asked for."""
    return (monotonicity(alignment) == 1).float()


def divides_by_no_step_at_all(alignment):
    """A sentence of one step gives NaN: 0 steps forward of 0 steps. The docstring says what comes out then."""
    peak = alignment.argmax(dim=-1)
    written = (alignment != 0).any(dim=-1)
    counted = written[:, 1:] & written[:, :-1]
    forward = (peak[:, 1:] >= peak[:, :-1]) & counted
    return forward.sum(dim=1) / counted.sum(dim=1)


def monotonicity_sentence_by_sentence(alignment):
    shares = []
    for rows in alignment:
        peaks = [int(row.argmax()) for row in rows if bool(row.sum() > 0)]
        moves = [late >= early for early, late in itertools.pairwise(peaks)]
        shares.append(sum(moves) / len(moves) if moves else 1.0)
    return torch.tensor(shares)


MISCONCEPTIONS = {
    "additive_scores": [
        forgets_the_tanh,
        squashes_after_v,
        squashes_each_by_itself,
        multiplies_state_and_annotation,
        normalizes_the_scores,
        mixes_the_two_spaces,
        adds_up_what_meets,
        takes_the_inner_product,
        squashes_by_the_sigmoid,
    ],
    "attend_source": [
        softmax_over_the_batch,
        counts_the_padding,
        masks_after_the_softmax,
        gives_padding_the_score_zero,
        masks_the_real_words,
        divides_by_nothing,
        reads_padding_when_there_is_nothing_else,
        reads_everything_alike,
        returns_the_weights_first,
        reads_what_it_compares,
        reads_the_best_place_only,
        divides_the_scores_by_their_sum,
    ],
    "translation_loss": [
        counts_the_padding_as_words,
        divides_by_every_place,
        sums_instead_of_averaging,
        forgets_the_minus,
        averages_sentence_by_sentence,
        takes_logits_for_logarithms,
        always_takes_zero_for_padding,
        takes_the_logarithm_of_a_softmax,
        adds_a_little_inside_the_logarithm,
        divides_by_the_number_of_sentences,
        lets_the_steps_compete,
        forgets_the_logarithm,
    ],
    "greedy_decode": [
        always_feeds_the_start,
        forgets_the_state,
        writes_on_after_the_end,
        looks_on_after_the_end,
        goes_on_when_all_are_over,
        stops_with_the_first_sentence,
        hides_the_last_look,
        keeps_the_start,
        stacks_the_steps_first,
        goes_beyond_the_steps,
        returns_the_alignment_first,
    ],
    "spatial_attention": [
        mixes_channels_and_places,
        softmax_in_every_row,
        lays_places_out_by_column,
        sees_the_whole_picture_alike,
        sums_without_weights_of_one,
        leaves_the_places_in_a_row,
        lays_the_picture_on_its_side,
        weighs_and_does_not_add_up,
        returns_the_map_first,
    ],
    "doubly_stochastic_penalty": [
        asks_each_step_to_sum_to_one,
        asks_every_weight_to_be_one,
        averages_over_places,
        sums_over_the_batch,
        forgets_the_square,
        takes_the_distance_unsquared,
        takes_the_mean_of_the_looks,
        squares_each_look,
    ],
    "pyramid": [
        averages_two_frames,
        pairs_the_two_halves,
        shuffles_the_numbers_of_two_frames,
        drops_the_last_frame,
        puts_the_later_frame_first,
        pads_in_front,
        repeats_the_last_frame,
        pairs_every_frame_with_the_next,
        drops_every_other_frame,
    ],
    "monotonicity": [
        punishes_standing_still,
        counts_steps_after_the_end,
        divides_by_the_number_of_steps,
        follows_the_mean_instead_of_the_peak,
        counts_the_steps_back,
        counts_the_step_into_the_end,
        says_yes_or_no,
        divides_by_no_step_at_all,
    ],
}

ALTERNATIVES = {
    "additive_scores": [additive_scores_by_einsum, additive_scores_by_concatenation],
    "attend_source": [attend_source_with_infinities, attend_source_by_exponentials],
    "translation_loss": [translation_loss_by_cross_entropy, translation_loss_by_sums],
    "greedy_decode": [greedy_decode_with_a_list_of_lengths],
    "spatial_attention": [spatial_attention_on_the_grid],
    "doubly_stochastic_penalty": [doubly_stochastic_penalty_by_norms],
    "pyramid": [pyramid_by_strides],
    "monotonicity": [monotonicity_sentence_by_sentence],
}
