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


def relate_by_loops(objects, question, g, f):
    """Right: two loops, as the double sum is written."""
    things = objects.unbind(1)
    return f(sum(g(torch.cat([a, b, question], dim=-1)) for a in things for b in things))


# --- control_unit -----------------------------------------------------------------------------------------------------


def _attend(scores, words, mask):
    p = scores.masked_fill(~mask, -torch.inf).softmax(-1)
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
    p = ((cq[:, None] * words) @ w_attend).masked_fill(~mask, -torch.inf).softmax(0)
    return torch.einsum("bs,bsd->bd", p, words), p


def control_by_einsum(control, question, words, mask, w_question, w_attend):
    """Right: W in two halves, everything by einsum."""
    d = control.shape[-1]
    cq = control @ w_question[:, :d].T + question @ w_question[:, d:].T
    scores = torch.einsum("bd,bsd,d->bs", cq, words, w_attend)
    e = torch.exp(scores - scores.max()) * mask
    p = e / e.sum(1, keepdim=True)
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
    ],
    "relate": [averages_the_judgements, concludes_for_every_pair, judges_the_sum_of_pairs],
    "control_unit": [
        control_attends_to_padding,
        control_hides_padding_too_late,
        control_gives_padding_score_zero,
        control_returns_the_query,
        control_forgets_the_step_before,
        control_swaps_its_halves,
        control_softmax_over_the_batch,
    ],
    "read_unit": [
        reads_the_meeting,
        reads_without_control,
        adds_instead_of_multiplying,
        merges_the_wrong_way_round,
        read_softmax_over_the_batch,
        reads_unweighted,
    ],
    "write_unit": [writes_only_what_was_read, write_swaps_its_halves, write_adds],
    "reason": [
        reason_sees_the_same_question,
        reason_without_writing,
        reason_reads_with_the_old_control,
        reason_concludes_without_relu,
        reason_swaps_the_attentions,
        reason_stacks_the_steps_first,
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
