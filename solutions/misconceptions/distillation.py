"""Chapter 9: what people really write, and other right ways to write it."""

import itertools

import torch
import torch.nn.functional as F
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from solutions.automata import change_basis, hankel_blocks, ndcg, prefix_value, spectral_automaton, word_value
from solutions.distillation import (
    bias_for_share,
    distillation_loss,
    fidelity,
    path_probabilities,
    soft_targets,
)

# soft_targets


def forgets_the_temperature(logits, temperature):
    """The temperature is not used: this is the softmax at T = 1, whatever was asked."""
    return torch.softmax(logits, dim=-1)


def multiplies_by_the_temperature(logits, temperature):
    """You multiplied by T, so a high temperature makes the answer harder. Heat should make it softer."""
    return torch.softmax(logits * temperature, dim=-1)


def divides_after_the_softmax(logits, temperature):
    """You divided the probabilities by T. Now they sum to 1/T, and their proportions are as hard as before."""
    return torch.softmax(logits, dim=-1) / temperature


def softens_probabilities(logits, temperature):
    """There are two softmaxes: you softened probabilities, which all lie between 0 and 1 already, so that hardly any difference is left. The temperature belongs to the logits."""
    return torch.softmax(torch.softmax(logits, dim=-1) / temperature, dim=-1)


def softmax_down_the_batch(logits, temperature):
    """Your columns sum to 1 instead of your rows: the softmax ran over the batch, so the inputs compete with each other instead of the classes."""
    return torch.softmax(logits / temperature, dim=0)


def soft_targets_by_exp(logits, temperature):
    z = (logits - logits.amax(dim=-1, keepdim=True)) / temperature
    return z.exp() / z.exp().sum(dim=-1, keepdim=True)


# distillation_loss


def _terms(student, teacher, labels, temperature):
    p = torch.softmax(teacher / temperature, dim=-1)
    log_q = F.log_softmax(student / temperature, dim=-1)
    return F.kl_div(log_q, p, reduction="batchmean"), F.cross_entropy(student, labels)


def forgets_the_squared_temperature(student, teacher, labels, temperature, alpha):
    """The factor T² is missing. The soft term's gradient shrinks as 1/T², so at T = 10 the labels would drown it out a hundredfold."""
    soft, hard = _terms(student, teacher, labels, temperature)
    return alpha * soft + (1 - alpha) * hard


def softmax_of_soft_targets(student, teacher, labels, temperature, alpha):
    """The teacher's answers went through a softmax twice: they are flattened nearly to uniform, and the student learns that everything looks like everything. `teacher` holds logits; soften them once."""
    return distillation_loss(student, torch.softmax(teacher, dim=-1), labels, temperature, alpha)


def multiplies_by_the_temperature_once(student, teacher, labels, temperature, alpha):
    """The soft term is multiplied by T, not by T². Its gradient shrinks twice: the student's logits are divided by T, and at high T the two distributions come closer, again as 1/T."""
    soft, hard = _terms(student, teacher, labels, temperature)
    return alpha * temperature * soft + (1 - alpha) * hard


def sums_over_the_batch(student, teacher, labels, temperature, alpha):
    """The soft term is a sum over the whole batch, the hard one a mean. Then α means something else for every batch size: sum over the classes, but average over the inputs."""
    soft, hard = _terms(student, teacher, labels, temperature)
    return alpha * temperature**2 * len(student) * soft + (1 - alpha) * hard


def takes_the_cross_entropy(student, teacher, labels, temperature, alpha):
    """Your soft term is the cross-entropy of p and q, as in Hinton's paper. It trains just the same, but it is the KL divergence plus the teacher's entropy, and does not reach 0 when student and teacher agree."""
    soft = F.cross_entropy(student / temperature, soft_targets(teacher, temperature))
    return alpha * temperature**2 * soft + (1 - alpha) * F.cross_entropy(student, labels)


def forgets_where_it_came_from(student, teacher, labels, temperature, alpha):
    """The number is right, but nothing can be learned from it: no gradient leads back to the student. Compute with tensors to the end, without `item()`, `detach()` or NumPy."""
    return distillation_loss(student, teacher, labels, temperature, alpha).item()


def divergence_the_other_way(student, teacher, labels, temperature, alpha):
    """This is KL(q ‖ p): teacher and student have changed places. Then the student is asked to avoid what the teacher finds unlikely, instead of to cover what it finds likely."""
    soft, _ = _terms(teacher, student, labels, temperature)
    return alpha * temperature**2 * soft + (1 - alpha) * F.cross_entropy(student, labels)


def averages_over_the_classes(student, teacher, labels, temperature, alpha):
    """The KL divergence is a sum over classes. You took the mean over everything, which makes it smaller by the number of classes."""
    p = soft_targets(teacher, temperature)
    soft = (p * (p.log() - F.log_softmax(student / temperature, dim=-1))).mean()
    return alpha * temperature**2 * soft + (1 - alpha) * F.cross_entropy(student, labels)


def passes_probabilities_for_logarithms(student, teacher, labels, temperature, alpha):
    """`kl_div` expects the logarithms of the student's probabilities and got the probabilities. Nothing complains, but what it computes then is no divergence."""
    q, p = soft_targets(student, temperature), soft_targets(teacher, temperature)
    soft = F.kl_div(q, p, reduction="batchmean")
    return alpha * temperature**2 * soft + (1 - alpha) * F.cross_entropy(student, labels)


def heats_the_labels_too(student, teacher, labels, temperature, alpha):
    """The hard term is heated as well. The labels are met at temperature 1, as the student will be used later."""
    soft, _ = _terms(student, teacher, labels, temperature)
    return alpha * temperature**2 * soft + (1 - alpha) * F.cross_entropy(student / temperature, labels)


def swaps_the_weights(student, teacher, labels, temperature, alpha):
    """Alpha is on the wrong side: it weighs the soft term, and 1 − alpha the labels."""
    return distillation_loss(student, teacher, labels, temperature, 1 - alpha)


def heats_without_cooling_the_student(student, teacher, labels, temperature, alpha):
    """Only the teacher is heated. The student then learns to be as undecided at T = 1 as its teacher is at T; both must be compared at the same temperature."""
    soft = F.kl_div(F.log_softmax(student, dim=-1), soft_targets(teacher, temperature), reduction="batchmean")
    return alpha * temperature**2 * soft + (1 - alpha) * F.cross_entropy(student, labels)


def distillation_loss_by_entropies(student, teacher, labels, temperature, alpha):
    p = torch.softmax(teacher / temperature, dim=-1)
    soft = F.cross_entropy(student / temperature, p) - torch.special.entr(p).sum(dim=-1).mean()
    hard = F.nll_loss(F.log_softmax(student, dim=-1), labels)
    return temperature * alpha * temperature * soft + (1 - alpha) * hard


# bias_for_share


def _margins(logits, target):
    others = logits.clone()
    others[:, target] = -torch.inf
    return (others.amax(dim=-1) - logits[:, target]).sort().values


def competes_with_itself(logits, target, share):
    """The maximum runs over all classes, class c included. Where c wins already your margin is 0 instead of negative: take c out before you look for the best of the others."""
    margins = (logits.amax(dim=-1) - logits[:, target]).sort().values
    r = round(share * len(logits))
    return (margins[r - 1] + margins[r]) / 2


def stops_at_the_margin(logits, target, share):
    """This bias is exactly one row's margin: there class c and its rival are equal, and the r-th row hangs in the balance. Go halfway to the next margin."""
    return _margins(logits, target)[round(share * len(logits)) - 1]


def counts_from_one(logits, target, share):
    """You are one row too far: Python's places begin at 0, so the r-th smallest margin is at place r − 1."""
    r, margins = round(share * len(logits)), _margins(logits, target)
    return (margins[r] + margins[r + 1]) / 2


def rounds_down(logits, target, share):
    """The number of rows is cut off, not rounded: of 2.9 rows `int` makes 2."""
    r, margins = int(share * len(logits)), _margins(logits, target)
    return (margins[r - 1] + margins[r]) / 2


def begins_with_the_largest(logits, target, share):
    """You sorted the margins from large to small. The rows with the smallest margins go over to class c first."""
    r, margins = round(share * len(logits)), _margins(logits, target).flip(0)
    return (margins[r - 1] + margins[r]) / 2


def lowers_instead_of_raising(logits, target, share):
    """The sign is turned round: this would be subtracted. The bias is added to the logits of class c, so a class that is chosen too rarely needs a positive one."""
    return -bias_for_share(logits, target, share)


def bias_for_share_by_kth_value(logits, target, share):
    others = torch.cat([logits[:, :target], logits[:, target + 1 :]], dim=1)
    margins, r = others.max(dim=1).values - logits[:, target], round(share * len(logits))
    return 0.5 * (margins.kthvalue(r).values + margins.kthvalue(r + 1).values)


# fidelity


def compares_the_numbers(a, b):
    """You compared the scores themselves. Two models hardly ever say exactly the same number; fidelity asks whether they choose the same class."""
    return torch.isclose(a, b).to(a.dtype).mean()


def argmax_down_the_batch(a, b):
    """Your argmax runs over the inputs: it finds the input that is most like each class. Each input should choose its class."""
    return (a.argmax(dim=0) == b.argmax(dim=0)).to(a.dtype).mean()


def counts_instead_of_sharing(a, b):
    """This is a number of inputs. A share lies between 0 and 1, and can be compared between test sets of different size."""
    return (a.argmax(dim=-1) == b.argmax(dim=-1)).to(a.dtype).sum()


def counts_the_differences(a, b):
    """This is the share of inputs on which the two disagree. Fidelity is the rest."""
    return 1 - fidelity(a, b)


def fidelity_by_sorting(a, b):
    same = a.sort(dim=1).indices[:, -1] == b.sort(dim=1).indices[:, -1]
    return same.double().sum() / len(same)


# distill_tree


def lets_it_grow(predict, x, depth):
    """The depth is not limited: your tree goes on until it knows every input by heart. Nobody can read it, and on new inputs it is hardly better."""
    return DecisionTreeClassifier(random_state=0).fit(x.flatten(1).numpy(), predict(x).argmax(dim=-1).numpy())


def limits_the_leaves(predict, x, depth):
    """You limited the number of leaves. A tree of depth 5 may have 32 of them: the depth is the number of questions on the way to a leaf."""
    tree = DecisionTreeClassifier(max_leaf_nodes=depth, random_state=0)
    return tree.fit(x.flatten(1).numpy(), predict(x).argmax(dim=-1).numpy())


def learns_the_scores(predict, x, depth):
    """This tree predicts the network's scores, one number per class. Asked for is a tree that gives the network's answer: a class."""
    return DecisionTreeRegressor(max_depth=depth, random_state=0).fit(
        x.flatten(1).numpy(), predict(x).numpy()
    )


def learns_the_worst_class(predict, x, depth):
    """Your tree learns the class that the network finds least likely. Which end of the scores is the answer?"""
    tree = DecisionTreeClassifier(max_depth=depth, random_state=0)
    return tree.fit(x.flatten(1).numpy(), predict(x).argmin(dim=-1).numpy())


def distill_tree_from_lists(predict, x, depth):
    rows = x.reshape(len(x), -1).tolist()
    tree = DecisionTreeClassifier(max_depth=depth, random_state=7)
    return tree.fit(rows, torch.softmax(predict(x), dim=-1).argmax(dim=1).tolist())


# path_probabilities


def _descend(right, split):
    paths = torch.ones_like(right[:, :1])
    first, width = 0, 1
    while first < right.shape[1]:
        paths = split(paths, right[:, first : first + width])
        first, width = first + width, 2 * width
    return paths


def _side_by_side(left, right):
    return torch.stack([left, right], dim=-1).flatten(1)


def takes_left_for_right(x, w, b):
    """Left and right are swapped: p_i is the chance to turn right, so the left child gets 1 − p_i. Your leaves stand in mirrored order."""
    return _descend(torch.sigmoid(x @ w.T + b), lambda paths, p: _side_by_side(paths * p, paths * (1 - p)))


def parts_the_children(x, w, b):
    """Right probabilities, wrong order: all left children come first, then all right ones. In reading order the two children of a node stand side by side."""
    right = torch.sigmoid(x @ w.T + b)
    return _descend(right, lambda paths, p: torch.cat([paths * (1 - p), paths * p], dim=1))


def adds_along_the_path(x, w, b):
    """You added the chances along the path. To reach a leaf, all turns have to happen: their chances multiply."""
    right = torch.sigmoid(x @ w.T + b)
    return _descend(right, lambda paths, p: _side_by_side(paths + (1 - p), paths + p)) - 1


def forgets_the_biases(x, w, b):
    """The biases are missing: every node then decides at the same threshold, 0."""
    return path_probabilities(x, w, torch.zeros_like(b))


def softmax_over_the_nodes(x, w, b):
    """You used a softmax over the nodes, so that they share one unit. Every node decides for itself between left and right: that takes a sigmoid each."""
    right = torch.softmax(x @ w.T + b, dim=-1)
    return _descend(right, lambda paths, p: _side_by_side(paths * (1 - p), paths * p))


def path_probabilities_leaf_by_leaf(x, w, b):
    right, depth, columns = torch.sigmoid(x @ w.T + b), (len(w) + 1).bit_length() - 1, []
    for leaf in range(2**depth):
        node, chance = 0, 1.0
        for level in reversed(range(depth)):
            turn = leaf >> level & 1
            chance = chance * (right[:, node] if turn else 1 - right[:, node])
            node = 2 * node + 1 + turn
        columns.append(chance)
    return torch.stack(columns, dim=1)


# soft_tree_probabilities


def mixes_the_leaves_logits(x, w, b, leaves):
    """These are mixed logits, not probabilities: the leaves went in as they are. Each leaf has to become a distribution first."""
    return path_probabilities(x, w, b) @ leaves


def softmax_after_mixing(x, w, b, leaves):
    """You mixed the leaves' logits and took the softmax at the end. That is no longer a mixture of the leaves' answers: first each leaf answers, then the answers are mixed."""
    return torch.softmax(path_probabilities(x, w, b) @ leaves, dim=-1)


def asks_the_likeliest_leaf_only(x, w, b, leaves):
    """This is the answer of the likeliest leaf alone. Frosst and Hinton read the tree that way, too, to explain a decision; but the formula here mixes all leaves."""
    return torch.softmax(leaves, dim=-1)[path_probabilities(x, w, b).argmax(dim=-1)]


def softmax_over_the_leaves(x, w, b, leaves):
    """Your softmax runs over the leaves: they compete for each class. Each leaf should divide one unit among the classes."""
    return path_probabilities(x, w, b) @ torch.softmax(leaves, dim=0)


def soft_tree_by_loop(x, w, b, leaves):
    answer = 0.0
    for chance, leaf in zip(path_probabilities(x, w, b).T, leaves, strict=True):
        answer = answer + chance[:, None] * leaf.exp() / leaf.exp().sum()
    return answer


# word_value


def reads_backwards(automaton, word):
    """You read the word from its end: matrices do not commute, so the last letter must not come first."""
    return word_value(automaton, tuple(reversed(word)))


def walks_against_the_arrows(automaton, word):
    """Your matrices act from the wrong side (or are transposed): A[i, j] leads from i to j, so the row vector stands on the left."""
    initial, final, transitions = automaton
    return word_value((initial, final, transitions.mT), word)


def forgets_the_final_weights(automaton, word):
    """You added up where the automaton stands after the last letter. Not every state is equally ready to end there: that is what the final weights say."""
    initial, _, transitions = automaton
    return word_value((initial, torch.ones_like(initial), transitions), word)


def follows_the_best_path_only(automaton, word):
    """This is the path with the largest product. A word's value is the sum over all paths on which it can be read."""
    initial, final, transitions = automaton
    state = initial
    for letter in word:
        state = (state[:, None] * transitions[letter]).amax(dim=0)
    return (state * final).amax()


def multiplies_number_by_number(automaton, word):
    """You multiplied the matrices number by number (*). Walking from state to state is a matrix product (@)."""
    initial, final, transitions = automaton
    product = torch.ones_like(transitions[0])
    for letter in word:
        product = product * transitions[letter]
    return initial @ product @ final


def word_value_from_behind(automaton, word):
    initial, state, transitions = automaton
    for letter in reversed(word):
        state = transitions[letter] @ state
    return (initial * state).sum()


# prefix_value


def counts_only_the_prefix(automaton, prefix):
    """This is the value of the prefix as a complete word. Asked for is the sum of all words that begin with it."""
    return word_value(automaton, prefix)


def trusts_in_probabilities(automaton, prefix):
    """You added up the state after the prefix. That is right for a probabilistic automaton in its own basis; here the weights may be any numbers."""
    initial, final, transitions = automaton
    return word_value((initial, torch.ones_like(final), transitions), prefix)


def forgets_the_word_itself(automaton, prefix):
    """The prefix itself is one of the words that begin with it, and it is missing: your series starts with A instead of I."""
    return prefix_value(automaton, prefix) - word_value(automaton, prefix)


def stops_after_three_letters(automaton, prefix):
    """You stopped after three more letters. The sum has no end, and a formula: a geometric series."""
    initial, final, transitions = automaton
    total, rest = transitions.sum(dim=0), final
    for _ in range(3):
        rest = final + total @ rest
    return word_value((initial, rest, transitions), prefix)


def inverts_number_by_number(automaton, prefix):
    """You divided number by number. The inverse of I − A is a matrix inverse: better still, solve the linear system."""
    initial, final, transitions = automaton
    inverse = 1 / (torch.eye(len(initial)).to(final) - transitions.sum(dim=0))
    return word_value((initial, inverse @ final, transitions), prefix)


def prefix_value_by_series(automaton, prefix):
    initial, final, transitions = automaton
    total, rest, term = transitions.sum(dim=0), final.clone(), final
    for _ in range(300):
        term = total @ term
        rest = rest + term
    return word_value((initial, rest, transitions), prefix)


# change_basis


def forgets_to_invert(automaton, q):
    """Q stands on both sides, so it does not cancel out. Write α₀ᵀ A α∞ and insert something that equals I between the factors."""
    initial, final, transitions = automaton
    return initial @ q, q @ final, q @ transitions @ q


def inverts_the_other_side(automaton, q):
    """Every word keeps its value, but this is the change of basis with Q⁻¹: the rows of your Q are not the new states. Where does new state i end: at row i of Q, times the final weights?"""
    return change_basis(automaton, torch.linalg.inv(q))


def transposes_for_inverse(automaton, q):
    """You used Qᵀ in place of Q⁻¹. They are the same only when the rows of Q are orthonormal."""
    initial, final, transitions = automaton
    return initial @ q.mT, q @ final, q @ transitions @ q.mT


def leaves_the_ends(automaton, q):
    """The matrices speak the new basis, the initial and final weights still the old one. All three must change."""
    initial, final, _ = automaton
    return initial, final, change_basis(automaton, q)[2]


def change_basis_by_solving(automaton, q):
    initial, final, transitions = automaton
    moved = [torch.linalg.solve(q.T, (q @ matrix).T).T for matrix in transitions]
    return torch.linalg.solve(q.T, initial), (q * final).sum(dim=1), torch.stack(moved)


# hankel_blocks


def transposes_the_tables(f, prefixes, suffixes, alphabet):
    """Your tables have suffixes as rows and prefixes as columns. Even with the same words on both sides that is another table: row a, column b holds the value of ab, not of ba."""
    h, h_letters, h_p, h_s = hankel_blocks(f, prefixes, suffixes, alphabet)
    return h.mT, h_letters.mT, h_p, h_s


def puts_the_letter_first(f, prefixes, suffixes, alphabet):
    """Your letter stands before the prefix. H_a asks what happens when, after the prefix, a is read: it stands in the middle."""
    h, _, h_p, h_s = hankel_blocks(f, prefixes, suffixes, alphabet)
    tables = [[[float(f((a, *p, *s))) for s in suffixes] for p in prefixes] for a in range(alphabet)]
    return h, torch.tensor(tables, dtype=h.dtype), h_p, h_s


def puts_the_letter_last(f, prefixes, suffixes, alphabet):
    """Your letter stands after the suffix. It belongs between prefix and suffix: the automaton's step from one to the other."""
    h, _, h_p, h_s = hankel_blocks(f, prefixes, suffixes, alphabet)
    tables = [[[float(f((*p, *s, a))) for s in suffixes] for p in prefixes] for a in range(alphabet)]
    return h, torch.tensor(tables, dtype=h.dtype), h_p, h_s


def writes_suffix_before_prefix(f, prefixes, suffixes, alphabet):
    """Your words begin with the suffix. The prefix comes first, as its name says."""

    def table(middle):
        rows = [[float(f((*s, *middle, *p))) for s in suffixes] for p in prefixes]
        return torch.tensor(rows, dtype=torch.float64)

    _, _, h_p, h_s = hankel_blocks(f, prefixes, suffixes, alphabet)
    return table(()), torch.stack([table((a,)) for a in range(alphabet)]), h_p, h_s


def swaps_the_borders(f, prefixes, suffixes, alphabet):
    """h_P and h_S have changed places: first the values of the prefixes alone, then those of the suffixes."""
    h, h_letters, h_p, h_s = hankel_blocks(f, prefixes, suffixes, alphabet)
    return h, h_letters, h_s, h_p


def puts_the_letters_last(f, prefixes, suffixes, alphabet):
    """The letters are the last axis of your tables. Stack them along the first, so that H_Σ[a] is the table of letter a."""
    h, h_letters, h_p, h_s = hankel_blocks(f, prefixes, suffixes, alphabet)
    return h, h_letters.movedim(0, -1), h_p, h_s


def hankel_blocks_from_one_list(f, prefixes, suffixes, alphabet):
    middles = [(), *((a,) for a in range(alphabet))]
    words = [tuple(p) + m + tuple(s) for m, p, s in itertools.product(middles, prefixes, suffixes)]
    tables = torch.tensor([f(word) for word in words], dtype=torch.float64)
    tables = tables.view(len(middles), len(prefixes), len(suffixes))
    borders = [
        torch.tensor([f(tuple(w)) for w in side], dtype=torch.float64) for side in (prefixes, suffixes)
    ]
    return tables[0], tables[1:], borders[0], borders[1]


# spectral_automaton


def pseudo_inverse_on_the_wrong_side(blocks, rank):
    """Your pseudo-inverse acts on the suffixes' side, so every matrix comes out transposed and the automaton reads words backwards. F has one row per prefix: F⁺ must meet the prefixes."""
    initial, final, transitions = spectral_automaton(blocks, rank)
    return initial, final, transitions.mT


def forgets_the_singular_values(blocks, rank):
    """You used Uᵀ where F⁺ belongs. F is U D, not U: without the singular values every letter changes the scale."""
    h, h_letters, h_p, h_s = blocks
    u, _, v_t = torch.linalg.svd(h, full_matrices=False)
    u, v = u[:, :rank], v_t[:rank].mT
    return h_s @ v, u.mT @ h_p, u.mT @ h_letters @ v


def transposes_instead_of_inverting(blocks, rank):
    """You used Fᵀ in place of the pseudo-inverse F⁺. They agree only when the columns of F have length 1."""
    h, h_letters, h_p, h_s = blocks
    v = torch.linalg.svd(h, full_matrices=False)[2][:rank].mT
    f = h @ v
    return h_s @ v, f.mT @ h_p, f.mT @ h_letters @ v


def takes_v_for_its_transpose(blocks, rank):
    """`torch.linalg.svd` returns Vᵀ, and you used it as V: its first columns are not the first right singular vectors. Look at its rows."""
    h, h_letters, h_p, h_s = blocks
    v = torch.linalg.svd(h)[2][:, :rank]
    backward = torch.linalg.pinv(h @ v)
    return h_s @ v, backward @ h_p, backward @ h_letters @ v


def keeps_the_smallest(blocks, rank):
    """You kept the smallest singular values. They come sorted, largest first, and the largest carry the function."""
    h, h_letters, h_p, h_s = blocks
    v = torch.linalg.svd(h, full_matrices=False)[2][-rank:].mT
    backward = torch.linalg.pinv(h @ v)
    return h_s @ v, backward @ h_p, backward @ h_letters @ v


def keeps_all_states(blocks, rank):
    """The rank is not used: you have as many states as there are suffixes. Cut V to its first `rank` columns before you go on."""
    h, h_letters, h_p, h_s = blocks
    v = torch.linalg.svd(h, full_matrices=False)[2].mT
    backward = torch.linalg.pinv(h @ v, rtol=1e-9)
    return h_s @ v, backward @ h_p, backward @ h_letters @ v


def spectral_automaton_in_balance(blocks, rank):
    h, h_letters, h_p, h_s = blocks
    u, d, v_t = torch.linalg.svd(h, full_matrices=False)
    root = d[:rank].sqrt()
    left, right = u[:, :rank].T / root[:, None], v_t[:rank].T / root
    return h_s @ right, left @ h_p, torch.stack([left @ table @ right for table in h_letters])


# ndcg


def sorts_the_worst_first(expected, predicted, k):
    """Your order begins with the symbol that the candidate likes least. Sort in descending order."""
    return ndcg(expected, -predicted, k)


def forgets_the_discount(expected, predicted, k):
    """The discount is missing: a good symbol at place 3 counts as much as at place 1, so that only the choice of the k symbols matters, not their order."""
    order = predicted.argsort(dim=-1, descending=True)[..., :k]
    return expected.gather(-1, order).sum(dim=-1) / expected.topk(k, dim=-1).values.sum(dim=-1)


def forgets_the_best_possible(expected, predicted, k):
    """You did not divide by the best that can be gained. Then even a perfect ranking stays below 1, as probabilities are."""
    discount = 1 / torch.arange(2, k + 2).to(expected).log2()
    order = predicted.argsort(dim=-1, descending=True)[..., :k]
    return (expected.gather(-1, order) * discount).sum(dim=-1)


def judges_all_places(expected, predicted, k):
    """k is not used: all places count. NDCG_k stops after the first k."""
    return ndcg(expected, predicted, expected.shape[-1])


def believes_the_candidate(expected, predicted, k):
    """You gathered from the candidate's own values. It may say what it likes; what a symbol is worth stands in `expected`."""
    discount = 1 / torch.arange(2, k + 2).to(expected).log2()
    gained = (predicted.topk(k, dim=-1).values * discount).sum(dim=-1)
    return gained / (expected.topk(k, dim=-1).values * discount).sum(dim=-1)


def ndcg_by_places(expected, predicted, k):
    def gain(order):
        ranked = torch.take_along_dim(expected, order, dim=-1)
        return sum(ranked[..., j - 1] / torch.tensor(j + 1.0).log() for j in range(1, k + 1))

    best, mine = (scores.sort(dim=-1, descending=True).indices for scores in (expected, predicted))
    return gain(mine) / gain(best)


MISCONCEPTIONS = {
    "soft_targets": [
        forgets_the_temperature,
        multiplies_by_the_temperature,
        divides_after_the_softmax,
        softens_probabilities,
        softmax_down_the_batch,
    ],
    "distillation_loss": [
        forgets_the_squared_temperature,
        multiplies_by_the_temperature_once,
        sums_over_the_batch,
        takes_the_cross_entropy,
        forgets_where_it_came_from,
        softmax_of_soft_targets,
        divergence_the_other_way,
        averages_over_the_classes,
        passes_probabilities_for_logarithms,
        heats_the_labels_too,
        heats_without_cooling_the_student,
        swaps_the_weights,
    ],
    "bias_for_share": [
        competes_with_itself,
        stops_at_the_margin,
        counts_from_one,
        rounds_down,
        begins_with_the_largest,
        lowers_instead_of_raising,
    ],
    "fidelity": [
        compares_the_numbers,
        argmax_down_the_batch,
        counts_instead_of_sharing,
        counts_the_differences,
    ],
    "distill_tree": [lets_it_grow, limits_the_leaves, learns_the_scores, learns_the_worst_class],
    "path_probabilities": [
        takes_left_for_right,
        parts_the_children,
        adds_along_the_path,
        forgets_the_biases,
        softmax_over_the_nodes,
    ],
    "soft_tree_probabilities": [
        mixes_the_leaves_logits,
        softmax_after_mixing,
        asks_the_likeliest_leaf_only,
        softmax_over_the_leaves,
    ],
    "word_value": [
        reads_backwards,
        walks_against_the_arrows,
        forgets_the_final_weights,
        follows_the_best_path_only,
        multiplies_number_by_number,
    ],
    "hankel_blocks": [
        transposes_the_tables,
        puts_the_letter_first,
        puts_the_letter_last,
        writes_suffix_before_prefix,
        swaps_the_borders,
        puts_the_letters_last,
    ],
    "spectral_automaton": [
        pseudo_inverse_on_the_wrong_side,
        forgets_the_singular_values,
        transposes_instead_of_inverting,
        takes_v_for_its_transpose,
        keeps_the_smallest,
        keeps_all_states,
    ],
    "change_basis": [forgets_to_invert, inverts_the_other_side, transposes_for_inverse, leaves_the_ends],
    "prefix_value": [
        counts_only_the_prefix,
        trusts_in_probabilities,
        forgets_the_word_itself,
        stops_after_three_letters,
        inverts_number_by_number,
    ],
    "ndcg": [
        sorts_the_worst_first,
        forgets_the_discount,
        forgets_the_best_possible,
        judges_all_places,
        believes_the_candidate,
    ],
}

ALTERNATIVES = {
    "soft_targets": [soft_targets_by_exp],
    "distillation_loss": [distillation_loss_by_entropies],
    "bias_for_share": [bias_for_share_by_kth_value],
    "fidelity": [fidelity_by_sorting],
    "distill_tree": [distill_tree_from_lists],
    "path_probabilities": [path_probabilities_leaf_by_leaf],
    "soft_tree_probabilities": [soft_tree_by_loop],
    "word_value": [word_value_from_behind],
    "hankel_blocks": [hankel_blocks_from_one_list],
    "spectral_automaton": [spectral_automaton_in_balance],
    "change_basis": [change_basis_by_solving],
    "prefix_value": [prefix_value_by_series],
    "ndcg": [ndcg_by_places],
}
