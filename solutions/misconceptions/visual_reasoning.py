"""What people write for chapter 14, and what helps them."""

import torch

from solutions.reasoning import control_unit, object_pairs, read_unit, write_unit

# --- object_pairs -----------------------------------------------------------------------------------------------------


def pairs_in_the_other_order(objects, question):
    """Row i·n + j holds o_j first and o_i second here. For a symmetric g it would not matter, but "left of" is not symmetric."""
    n, q = objects.shape[1], question.shape[1]
    pairs = object_pairs(objects, question)
    d = objects.shape[2]
    first, second, asked = pairs.split([d, d, q], dim=-1)
    return torch.cat([second, first, asked], dim=-1).view(len(objects), n * n, -1)


def pairs_repeat_the_first(objects, question):
    """Both halves of your pairs are the same thing: every thing stands beside itself n times. One of the two views needs its axis elsewhere."""
    n = objects.shape[1]
    first = objects[:, :, None].expand(-1, n, n, -1)
    asked = question[:, None, None].expand(-1, n, n, -1)
    return torch.cat([first, first, asked], dim=-1).flatten(1, 2)


def question_comes_first(objects, question):
    """The question stands in front of the two things; the formula has it behind them."""
    n, q = objects.shape[1], question.shape[1]
    pairs = object_pairs(objects, question)
    return torch.cat([pairs[..., -q:], pairs[..., :-q]], dim=-1).view(len(objects), n * n, -1)


def questions_of_other_scenes(objects, question):
    """Your questions are in the wrong scenes: view or repeat has mixed the batch with the pairs. Every row of a scene has that scene's question."""
    n, batch = objects.shape[1], len(objects)
    asked = question.repeat(n * n, 1).view(batch, n * n, -1)
    return torch.cat([object_pairs(objects, question)[..., : 2 * objects.shape[2]], asked], dim=-1)


def leaves_out_pairs_with_itself(objects, question):
    """A thing beside itself is left out here. Every thing stands beside every thing: n·n rows, also those with i = j."""
    different = ~torch.eye(objects.shape[1], dtype=torch.bool).flatten()
    return object_pairs(objects, question)[:, different]


def pairs_in_a_square(objects, question):
    """The values are right, but things stand in a square of n by n here: the two axes of things become one, row i·n + j."""
    n = objects.shape[1]
    return object_pairs(objects, question).unflatten(1, (n, n))


def question_in_the_middle(objects, question):
    """The question stands between the two things here. It comes last: [o_i, o_j, q]."""
    d = objects.shape[2]
    pairs = object_pairs(objects, question)
    return torch.cat([pairs[..., :d], pairs[..., 2 * d :], pairs[..., d : 2 * d]], dim=-1)


def pairs_by_repeating(objects, question):
    """Right: repeat_interleave for the first, repeat for the second."""
    n = objects.shape[1]
    first, second = objects.repeat_interleave(n, dim=1), objects.repeat(1, n, 1)
    return torch.cat([first, second, question[:, None].repeat(1, n * n, 1)], dim=2)


# --- relate -----------------------------------------------------------------------------------------------------------


def averages_the_judgements(objects, question, g, f):
    """You take the mean of the judgements; the formula has their sum. With a mean, "how many?" could not be told from "what share?"."""
    return f(g(object_pairs(objects, question)).mean(1))


def concludes_for_every_pair(objects, question, g, f):
    """You conclude for each pair and then add the conclusions up. f should see what all pairs say together, once."""
    return f(g(object_pairs(objects, question))).sum(1)


def judges_the_sum_of_pairs(objects, question, g, f):
    """You add the pairs up before g judges them: what is left is one average pair, and every relation is gone."""
    return f(g(object_pairs(objects, question).sum(1)))


def relates_each_pair_once(objects, question, g, f):
    """Some pairs are missing from your sum: it adds up what you get from i ≤ j only. The double sum also has (j, i), for "left of" holds in
    one of the two directions."""
    n = objects.shape[1]
    return f(g(object_pairs(objects, question)[:, torch.ones(n, n).triu().flatten() > 0]).sum(1))


def relates_only_different_things(objects, question, g, f):
    """The pairs of a thing with itself are missing from your sum. It runs over all i and all j, those with i = j included."""
    n = objects.shape[1]
    return f(g(object_pairs(objects, question)[:, ~torch.eye(n, dtype=torch.bool).flatten()]).sum(1))


def takes_the_strongest_judgement(objects, question, g, f):
    """You keep the largest judgement of all pairs, number by number. The formula adds them up, so that every pair has its say."""
    return f(g(object_pairs(objects, question)).amax(1))


def forgets_to_conclude(objects, question, g, f):
    """These are the judgements, added up. f is missing: it makes an answer of them."""
    return g(object_pairs(objects, question)).sum(1)


def relate_by_loops(objects, question, g, f):
    """Right: two loops, as the double sum is written."""
    things = objects.unbind(1)
    return f(sum(g(torch.cat([a, b, question], dim=-1)) for a in things for b in things))


# --- control_unit -----------------------------------------------------------------------------------------------------


def _attend(scores, words, mask):
    p = scores.masked_fill(~mask, -1e30).softmax(-1) * mask
    return torch.einsum("bs,bsd->bd", p, words), p


def control_attends_to_padding(control, question, words, mask, w_question, w_attend):
    """Padding gets attention here. The mask says where there is a word."""
    cq = torch.cat([control, question], dim=-1) @ w_question.T
    p = ((cq[:, None] * words) @ w_attend).softmax(-1)
    return torch.einsum("bs,bsd->bd", p, words), p


def control_hides_padding_too_late(control, question, words, mask, w_question, w_attend):
    """Padding is hidden after the softmax: by then it has had its share, and what is left for the words no longer sums to 1."""
    cq = torch.cat([control, question], dim=-1) @ w_question.T
    p = ((cq[:, None] * words) @ w_attend).softmax(-1) * mask
    return torch.einsum("bs,bsd->bd", p, words), p


def control_gives_padding_score_zero(control, question, words, mask, w_question, w_attend):
    """Padding got the score 0, and that still earns a share in the softmax. Padding must get nothing at all."""
    cq = torch.cat([control, question], dim=-1) @ w_question.T
    p = (((cq[:, None] * words) @ w_attend) * mask).softmax(-1)
    return torch.einsum("bs,bsd->bd", p, words), p


def control_returns_the_query(control, question, words, mask, w_question, w_attend):
    """You return cq, what was looked for. The new control is what was found: a mixture of the words."""
    cq = torch.cat([control, question], dim=-1) @ w_question.T
    return cq, _attend((cq[:, None] * words) @ w_attend, words, mask)[1]


def control_forgets_the_step_before(control, question, words, mask, w_question, w_attend):
    """The step before does not matter here: you put the question in the control's place. Then nobody knows which part of the question is done."""
    cq = torch.cat([question, question], dim=-1) @ w_question.T
    return _attend((cq[:, None] * words) @ w_attend, words, mask)


def control_swaps_its_halves(control, question, words, mask, w_question, w_attend):
    """[q, c] instead of [c, q]: the first half of W belongs to the control of the step before."""
    cq = torch.cat([question, control], dim=-1) @ w_question.T
    return _attend((cq[:, None] * words) @ w_attend, words, mask)


def control_softmax_over_the_batch(control, question, words, mask, w_question, w_attend):
    """Your softmax runs over the batch: questions compete for attention, instead of the words of each question."""
    cq = torch.cat([control, question], dim=-1) @ w_question.T
    p = ((cq[:, None] * words) @ w_attend).masked_fill(~mask, -1e30).softmax(0) * mask
    return torch.einsum("bs,bsd->bd", p, words), p


def control_has_no_answer_to_silence(control, question, words, mask, w_question, w_attend):
    """A question without any word gives NaN here; the docstring asks for zeros. It happens, for example, when all scores of a row are −∞:
    softmax then divides 0 by 0. All other rows are right."""
    cq = torch.cat([control, question], dim=-1) @ w_question.T
    p = ((cq[:, None] * words) @ w_attend).masked_fill(~mask, -torch.inf).softmax(-1)
    return torch.einsum("bs,bsd->bd", p, words), p


def control_looks_at_padding_in_silence(control, question, words, mask, w_question, w_attend):
    """A question without any word reads its padding here: the attention of such a row sums to 1, as if there were words. The docstring asks for
    zeros. All other rows are right."""
    cq = torch.cat([control, question], dim=-1) @ w_question.T
    p = ((cq[:, None] * words) @ w_attend).masked_fill(~mask, -1e30).softmax(-1)
    return torch.einsum("bs,bsd->bd", p, words), p


def control_turns_the_mask_round(control, question, words, mask, w_question, w_attend):
    """You attend to the padding, and only to it. The mask is True where there is a word."""
    cq = torch.cat([control, question], dim=-1) @ w_question.T
    return _attend((cq[:, None] * words) @ w_attend, words, ~mask)


def control_leaves_out_w(control, question, words, mask, w_question, w_attend):
    """w makes no difference here: your scores are plain inner products of cq and the words. w weighs the dimensions, one by one."""
    cq = torch.cat([control, question], dim=-1) @ w_question.T
    return _attend((cq[:, None] * words).sum(-1), words, mask)


def control_adds_the_word(control, question, words, mask, w_question, w_attend):
    """cq makes no difference to your attention: it is left out, or added to every word alike, and softmax ignores that. ∘ multiplies."""
    cq = torch.cat([control, question], dim=-1) @ w_question.T
    return _attend((cq[:, None] + words) @ w_attend, words, mask)


def control_returns_the_attention_first(control, question, words, mask, w_question, w_attend):
    """Both values are right, but they come in the wrong order: the new control first, then the attention."""
    cq = torch.cat([control, question], dim=-1) @ w_question.T
    return _attend((cq[:, None] * words) @ w_attend, words, mask)[::-1]


def control_by_einsum(control, question, words, mask, w_question, w_attend):
    """Right: W in two halves, everything by einsum."""
    d = control.shape[-1]
    cq = control @ w_question[:, :d].T + question @ w_question[:, d:].T
    scores = torch.einsum("bd,bsd,d->bs", cq, words, w_attend)
    e = torch.exp(scores - scores.max(1, keepdim=True).values) * mask
    p = e / e.sum(1, keepdim=True).clamp_min(1e-30)
    return (p.unsqueeze(1) @ words).squeeze(1), p


# --- read_unit --------------------------------------------------------------------------------------------------------


def _meeting(memory, knowledge, w_memory, w_knowledge):
    return (memory @ w_memory.T)[:, None] * (knowledge @ w_knowledge.T)


def _look(merged, control, w_attend):
    return ((control[:, None] * merged) @ w_attend).softmax(-1)


def reads_the_meeting(memory, knowledge, control, w_memory, w_knowledge, w_merge, w_attend):
    """Your attention is right, but you read I' with it. I' serves to decide where to look; what is read is the thing itself, k."""
    merged = torch.cat([_meeting(memory, knowledge, w_memory, w_knowledge), knowledge], -1) @ w_merge.T
    p = _look(merged, control, w_attend)
    return torch.einsum("bn,bnd->bd", p, merged), p


def reads_without_control(memory, knowledge, control, w_memory, w_knowledge, w_merge, w_attend):
    """The control is not used: every step would look for the same. c decides which dimensions of I' count now."""
    merged = torch.cat([_meeting(memory, knowledge, w_memory, w_knowledge), knowledge], -1) @ w_merge.T
    p = (merged @ w_attend).softmax(-1)
    return torch.einsum("bn,bnd->bd", p, knowledge), p


def adds_instead_of_multiplying(memory, knowledge, control, w_memory, w_knowledge, w_merge, w_attend):
    """The memory makes no difference here: it is left out, or added. What is added to every thing alike, softmax ignores; ∘ multiplies, element by element, and so the memory can say what to look for."""
    meeting = (memory @ w_memory.T)[:, None] + knowledge @ w_knowledge.T
    p = _look(torch.cat([meeting, knowledge], -1) @ w_merge.T, control, w_attend)
    return torch.einsum("bn,bnd->bd", p, knowledge), p


def merges_the_wrong_way_round(memory, knowledge, control, w_memory, w_knowledge, w_merge, w_attend):
    """[k, I] instead of [I, k]: the first half of W_I belongs to the meeting."""
    merged = torch.cat([knowledge, _meeting(memory, knowledge, w_memory, w_knowledge)], -1) @ w_merge.T
    p = _look(merged, control, w_attend)
    return torch.einsum("bn,bnd->bd", p, knowledge), p


def read_softmax_over_the_batch(memory, knowledge, control, w_memory, w_knowledge, w_merge, w_attend):
    """Your softmax runs over the batch: scenes compete for attention, instead of the things of each scene."""
    merged = torch.cat([_meeting(memory, knowledge, w_memory, w_knowledge), knowledge], -1) @ w_merge.T
    p = ((control[:, None] * merged) @ w_attend).softmax(0)
    return torch.einsum("bn,bnd->bd", p, knowledge), p


def reads_unweighted(memory, knowledge, control, w_memory, w_knowledge, w_merge, w_attend):
    """Your attention is right, but what you read is the plain mean of all things."""
    merged = torch.cat([_meeting(memory, knowledge, w_memory, w_knowledge), knowledge], -1) @ w_merge.T
    return knowledge.mean(1), _look(merged, control, w_attend)


def read_transposes_its_matrices(memory, knowledge, control, w_memory, w_knowledge, w_merge, w_attend):
    """W_m and W_k are used transposed here. A batch holds rows: W m, for every row m, is written m @ W.T."""
    merged = torch.cat([_meeting(memory, knowledge, w_memory.T, w_knowledge.T), knowledge], -1) @ w_merge.T
    p = _look(merged, control, w_attend)
    return torch.einsum("bn,bnd->bd", p, knowledge), p


def read_swaps_its_matrices(memory, knowledge, control, w_memory, w_knowledge, w_merge, w_attend):
    """W_m and W_k have changed places: W_m belongs to the memory, W_k to the things."""
    merged = torch.cat([_meeting(memory, knowledge, w_knowledge, w_memory), knowledge], -1) @ w_merge.T
    p = _look(merged, control, w_attend)
    return torch.einsum("bn,bnd->bd", p, knowledge), p


def read_leaves_out_the_merge(memory, knowledge, control, w_memory, w_knowledge, w_merge, w_attend):
    """W_I makes no difference here: the control looks at the meeting I itself. It should look at I', in which the thing has a say of its own."""
    p = _look(_meeting(memory, knowledge, w_memory, w_knowledge), control, w_attend)
    return torch.einsum("bn,bnd->bd", p, knowledge), p


def read_returns_the_attention_first(memory, knowledge, control, w_memory, w_knowledge, w_merge, w_attend):
    """Both values are right, but they come in the wrong order: what was read first, then the attention."""
    merged = torch.cat([_meeting(memory, knowledge, w_memory, w_knowledge), knowledge], -1) @ w_merge.T
    p = _look(merged, control, w_attend)
    return p, torch.einsum("bn,bnd->bd", p, knowledge)


def read_by_einsum(memory, knowledge, control, w_memory, w_knowledge, w_merge, w_attend):
    """Right: W_I in two halves, everything by einsum."""
    d = memory.shape[-1]
    meeting = torch.einsum("bd,ed,bnf,ef->bne", memory, w_memory, knowledge, w_knowledge)
    merged = torch.einsum("bne,ce->bnc", meeting, w_merge[:, :d]) + knowledge @ w_merge[:, d:].T
    p = torch.softmax(torch.einsum("bc,bnc,c->bn", control, merged, w_attend), dim=1)
    return torch.einsum("bn,bnd->bd", p, knowledge), p


# --- write_unit -------------------------------------------------------------------------------------------------------


def writes_only_what_was_read(memory, read, w_write):
    """The old memory is lost: you let what was read stand in its place."""
    return torch.cat([read, torch.zeros_like(memory)], dim=-1) @ w_write.T


def write_swaps_its_halves(memory, read, w_write):
    """[m, r] instead of [r, m]: the first half of W belongs to what was read."""
    return torch.cat([memory, read], dim=-1) @ w_write.T


def write_adds(memory, read, w_write):
    """You add what was read to the memory and use only one half of W. The formula gives each of the two a half of its own."""
    return (memory + read) @ w_write[:, : memory.shape[-1]].T


def write_remembers_everything_besides(memory, read, w_write):
    """The old memory is added to the result here. The formula has no such shortcut: W alone decides what is kept of it."""
    return memory + torch.cat([read, memory], dim=-1) @ w_write.T


def write_bends(memory, read, w_write):
    """Your new memory went through a relu: its negative numbers are gone. m' = W [r, m], and nothing after it."""
    return (torch.cat([read, memory], dim=-1) @ w_write.T).relu()


def write_in_two_halves(memory, read, w_write):
    """Right: two products, added."""
    d = memory.shape[-1]
    return read @ w_write[:, :d].T + memory @ w_write[:, d:].T


# --- reason -----------------------------------------------------------------------------------------------------------


def _steps(question, words, mask, knowledge, weights, see_question, next_memory, control_first=True):
    control = weights["control"].expand(len(question), -1)
    memory = weights["memory"].expand(len(question), -1)
    looks, thoughts = [], []
    for step in weights["steps"]:
        decided, thought = control_unit(
            control, see_question(question, step), words, mask, weights["w_question"], weights["w_word"]
        )
        read, look = read_unit(
            memory,
            knowledge,
            decided if control_first else control,
            weights["w_memory"],
            weights["w_knowledge"],
            weights["w_merge"],
            weights["w_thing"],
        )
        control, memory = decided, next_memory(memory, read)
        looks.append(look)
        thoughts.append(thought)
    return memory, torch.stack(looks, 1), torch.stack(thoughts, 1)


def _conclude(question, memory, weights):
    return torch.relu(torch.cat([question, memory], -1) @ weights["v"].T) @ weights["u"].T


def reason_sees_the_same_question(question, words, mask, knowledge, weights):
    """Every step sees the question as it is. Q_t lets each step see its own side of it: without it all steps tend to do the same."""
    memory, looks, thoughts = _steps(
        question, words, mask, knowledge, weights,
        lambda q, step: q,
        lambda m, r: write_unit(m, r, weights["w_write"]),
    )  # fmt: skip
    return _conclude(question, memory, weights), looks, thoughts


def reason_without_writing(question, words, mask, knowledge, weights):
    """What was read becomes the memory as it is: the write unit is left out, and with it everything found before."""
    memory, looks, thoughts = _steps(
        question, words, mask, knowledge, weights, lambda q, step: q @ step.T, lambda m, r: r
    )
    return _conclude(question, memory, weights), looks, thoughts


def reason_reads_with_the_old_control(question, words, mask, knowledge, weights):
    """The read unit gets the control of the step before: it always looks for what has just been done. Decide first, then read."""
    memory, looks, thoughts = _steps(
        question, words, mask, knowledge, weights,
        lambda q, step: q @ step.T,
        lambda m, r: write_unit(m, r, weights["w_write"]),
        control_first=False,
    )  # fmt: skip
    return _conclude(question, memory, weights), looks, thoughts


def reason_concludes_without_relu(question, words, mask, knowledge, weights):
    """The steps are right; the conclusion lacks its relu. Without it U V is one matrix, and two layers are no better than one."""
    memory, looks, thoughts = _steps(
        question, words, mask, knowledge, weights,
        lambda q, step: q @ step.T,
        lambda m, r: write_unit(m, r, weights["w_write"]),
    )  # fmt: skip
    return torch.cat([question, memory], -1) @ weights["v"].T @ weights["u"].T, looks, thoughts


def reason_swaps_the_attentions(question, words, mask, knowledge, weights):
    """The logits are right; the two attentions are returned in the wrong order: things first, then words."""
    memory, looks, thoughts = _steps(
        question, words, mask, knowledge, weights,
        lambda q, step: q @ step.T,
        lambda m, r: write_unit(m, r, weights["w_write"]),
    )  # fmt: skip
    return _conclude(question, memory, weights), thoughts, looks


def reason_stacks_the_steps_first(question, words, mask, knowledge, weights):
    """The values are right, but the attentions begin with the axis of the steps. The scenes of the batch come first, then each scene's steps."""
    memory, looks, thoughts = _steps(
        question, words, mask, knowledge, weights,
        lambda q, step: q @ step.T,
        lambda m, r: write_unit(m, r, weights["w_write"]),
    )  # fmt: skip
    return _conclude(question, memory, weights), looks.transpose(0, 1), thoughts.transpose(0, 1)


def reason_transposes_the_questions_matrices(question, words, mask, knowledge, weights):
    """Q_t is used transposed here. A batch holds rows: Q q, for every row q, is written q @ Q.T."""
    memory, looks, thoughts = _steps(
        question, words, mask, knowledge, weights,
        lambda q, step: q @ step,
        lambda m, r: write_unit(m, r, weights["w_write"]),
    )  # fmt: skip
    return _conclude(question, memory, weights), looks, thoughts


def reason_sees_the_first_side_only(question, words, mask, knowledge, weights):
    """Every step sees the question through the same matrix, Q of the first step. Each step has its own: step t uses the t-th."""
    memory, looks, thoughts = _steps(
        question, words, mask, knowledge, weights,
        lambda q, step: q @ weights["steps"][0].T,
        lambda m, r: write_unit(m, r, weights["w_write"]),
    )  # fmt: skip
    return _conclude(question, memory, weights), looks, thoughts


def reason_turns_the_question_again_and_again(question, words, mask, knowledge, weights):
    """The second step sees Q₂ Q₁ q, the third Q₃ Q₂ Q₁ q, for example because `question` is overwritten in the loop. Every step sees Q_t q,
    with the question as it was asked; so does the conclusion."""
    turned = [question]

    def see_question(q, step):
        turned.append(turned[-1] @ step.T)
        return turned[-1]

    memory, looks, thoughts = _steps(
        question, words, mask, knowledge, weights,
        see_question,
        lambda m, r: write_unit(m, r, weights["w_write"]),
    )  # fmt: skip
    return _conclude(turned[-1], memory, weights), looks, thoughts


def reason_concludes_from_the_last_side(question, words, mask, knowledge, weights):
    """The steps are right, but the conclusion sees the question as the last step saw it, Q_t q. It should see q itself."""
    memory, looks, thoughts = _steps(
        question, words, mask, knowledge, weights,
        lambda q, step: q @ step.T,
        lambda m, r: write_unit(m, r, weights["w_write"]),
    )  # fmt: skip
    return _conclude(question @ weights["steps"][-1].T, memory, weights), looks, thoughts


def reason_concludes_in_the_wrong_order(question, words, mask, knowledge, weights):
    """The steps are right, but V gets [m, q]. The first half of V belongs to the question: [q, m]."""
    memory, looks, thoughts = _steps(
        question, words, mask, knowledge, weights,
        lambda q, step: q @ step.T,
        lambda m, r: write_unit(m, r, weights["w_write"]),
    )  # fmt: skip
    return _conclude(memory, question, weights), looks, thoughts


def reason_concludes_from_what_was_read(question, words, mask, knowledge, weights):
    """The steps are right, but the conclusion uses what was read last. It should use the memory, into which that was written."""
    last = []

    def next_memory(memory, read):
        last.append(read)
        return write_unit(memory, read, weights["w_write"])

    _, looks, thoughts = _steps(
        question, words, mask, knowledge, weights, lambda q, step: q @ step.T, next_memory
    )
    return _conclude(question, last[-1], weights), looks, thoughts


def reason_writes_the_wrong_way_round(question, words, mask, knowledge, weights):
    """The old memory and what was read have changed places in the write unit: it takes the memory first, then what was read."""
    memory, looks, thoughts = _steps(
        question, words, mask, knowledge, weights,
        lambda q, step: q @ step.T,
        lambda m, r: write_unit(r, m, weights["w_write"]),
    )  # fmt: skip
    return _conclude(question, memory, weights), looks, thoughts


def reason_always_reads_with_the_first_memory(question, words, mask, knowledge, weights):
    """Every step reads and writes with the memory of the beginning: what one step found, the next one does not know. The written memory belongs to
    the next step."""
    first = weights["memory"].expand(len(question), -1)
    kept = []

    def next_memory(memory, read):
        kept.append(write_unit(first, read, weights["w_write"]))
        return first

    _, looks, thoughts = _steps(
        question, words, mask, knowledge, weights, lambda q, step: q @ step.T, next_memory
    )
    return _conclude(question, kept[-1], weights), looks, thoughts


def reason_forgets_the_control(question, words, mask, knowledge, weights):
    """Every step starts from the first control: no step knows what the one before was about. The new control belongs to the next step."""
    control = weights["control"].expand(len(question), -1)
    memory = weights["memory"].expand(len(question), -1)
    looks, thoughts = [], []
    for step in weights["steps"]:
        decided, thought = control_unit(
            control, question @ step.T, words, mask, weights["w_question"], weights["w_word"]
        )
        four = (weights[name] for name in ("w_memory", "w_knowledge", "w_merge", "w_thing"))
        read, look = read_unit(memory, knowledge, decided, *four)
        memory = write_unit(memory, read, weights["w_write"])
        looks.append(look)
        thoughts.append(thought)
    return _conclude(question, memory, weights), torch.stack(looks, 1), torch.stack(thoughts, 1)


def reason_by_helper(question, words, mask, knowledge, weights):
    """Right: the same steps, written through a helper."""
    memory, looks, thoughts = _steps(
        question, words, mask, knowledge, weights,
        lambda q, step: torch.einsum("ij,bj->bi", step, q),
        lambda m, r: write_in_two_halves(m, r, weights["w_write"]),
    )  # fmt: skip
    return _conclude(question, memory, weights), looks, thoughts


MISCONCEPTIONS = {
    "object_pairs": [
        pairs_in_the_other_order,
        pairs_repeat_the_first,
        question_comes_first,
        questions_of_other_scenes,
        leaves_out_pairs_with_itself,
        pairs_in_a_square,
        question_in_the_middle,
    ],
    "relate": [
        averages_the_judgements,
        concludes_for_every_pair,
        judges_the_sum_of_pairs,
        relates_each_pair_once,
        relates_only_different_things,
        takes_the_strongest_judgement,
        forgets_to_conclude,
    ],
    "control_unit": [
        control_attends_to_padding,
        control_hides_padding_too_late,
        control_gives_padding_score_zero,
        control_returns_the_query,
        control_forgets_the_step_before,
        control_swaps_its_halves,
        control_softmax_over_the_batch,
        control_has_no_answer_to_silence,
        control_looks_at_padding_in_silence,
        control_turns_the_mask_round,
        control_leaves_out_w,
        control_adds_the_word,
        control_returns_the_attention_first,
    ],
    "read_unit": [
        reads_the_meeting,
        reads_without_control,
        adds_instead_of_multiplying,
        merges_the_wrong_way_round,
        read_softmax_over_the_batch,
        reads_unweighted,
        read_transposes_its_matrices,
        read_swaps_its_matrices,
        read_leaves_out_the_merge,
        read_returns_the_attention_first,
    ],
    "write_unit": [
        writes_only_what_was_read,
        write_swaps_its_halves,
        write_adds,
        write_remembers_everything_besides,
        write_bends,
    ],
    "reason": [
        reason_sees_the_same_question,
        reason_without_writing,
        reason_reads_with_the_old_control,
        reason_concludes_without_relu,
        reason_swaps_the_attentions,
        reason_stacks_the_steps_first,
        reason_transposes_the_questions_matrices,
        reason_sees_the_first_side_only,
        reason_turns_the_question_again_and_again,
        reason_concludes_from_the_last_side,
        reason_concludes_in_the_wrong_order,
        reason_concludes_from_what_was_read,
        reason_writes_the_wrong_way_round,
        reason_always_reads_with_the_first_memory,
        reason_forgets_the_control,
    ],
}

ALTERNATIVES = {
    "object_pairs": [pairs_by_repeating],
    "relate": [relate_by_loops],
    "control_unit": [control_by_einsum],
    "read_unit": [read_by_einsum],
    "write_unit": [write_in_two_halves],
    "reason": [reason_by_helper],
}
