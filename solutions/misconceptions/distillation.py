"""Chapter 9: what people really write, and other right ways to write it."""

import itertools
import math

import numpy as np
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


def returns_logarithms(logits, temperature):
    """These are the logarithms of the probabilities: they are negative, and their exponentials sum to 1. A loss may want them; here the probabilities themselves are asked for."""
    return torch.log_softmax(logits / temperature, dim=-1)


def powers_without_normalizing(logits, temperature):
    """Each probability was raised to the power 1/T. That gives the right proportions, but the rows do not sum to 1 any more."""
    return torch.softmax(logits, dim=-1) ** (1 / temperature)


def shares_one_unit_in_the_batch(logits, temperature):
    """All numbers of the batch together sum to 1: they were divided by one sum over everything. Each row should have a sum of its own."""
    return torch.softmax((logits / temperature).flatten(), dim=0).view_as(logits)


def forgets_the_exponential(logits, temperature):
    """Your rows sum to 1, but they hold negative shares or shares above 1, for the logits were divided by their sum. No probability is negative: something has to make the logits positive first."""
    z = logits / temperature
    return z / z.sum(dim=-1, keepdim=True)


def lets_the_exponential_overflow(logits, temperature):
    """Right for small logits, but NaN where they are hundreds: exp(100) is more than a float32 can hold, and ∞/∞ is NaN. The probabilities stay the same when one number is taken from all logits of a row; torch's own softmax does that."""
    z = (logits / temperature).exp()
    return z / z.sum(dim=-1, keepdim=True)


def soft_targets_by_exp(logits, temperature):
    if temperature <= 0:
        raise ValueError("only a positive temperature")
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


def heats_only_the_student(student, teacher, labels, temperature, alpha):
    """Your number is that of a teacher at T = 1 and a student at T. The student would have to be T times as sure as its teacher to agree with it; both must be heated alike."""
    soft = F.kl_div(
        F.log_softmax(student / temperature, dim=-1), soft_targets(teacher, 1.0), reduction="batchmean"
    )
    return alpha * temperature**2 * soft + (1 - alpha) * F.cross_entropy(student, labels)


def adds_the_labels_in_full(student, teacher, labels, temperature, alpha):
    """The hard term has the weight 1, whatever α is. The two weights sum to 1: what the teacher gets, the labels lose."""
    soft, hard = _terms(student, teacher, labels, temperature)
    return alpha * temperature**2 * soft + hard


def takes_the_teachers_choice_for_labels(student, teacher, labels, temperature, alpha):
    """Your hard term asks for the teacher's favourite class, not for the label. A teacher can be wrong; the labels are there to say so."""
    return distillation_loss(student, teacher, teacher.argmax(dim=-1), temperature, alpha)


def distillation_loss_by_entropies(student, teacher, labels, temperature, alpha):
    if not 0 <= alpha <= 1 or temperature <= 0:
        raise ValueError("alpha is a share, the temperature positive")
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


def rounds_up(logits, target, share):
    """One row too many goes to class c where share · n has a small fraction: of 5.3 rows you made 6. The number is to be rounded, not raised to the next whole one."""
    r, margins = math.ceil(share * len(logits)), _margins(logits, target)
    return (margins[r - 1] + margins[r]) / 2


def asks_for_a_quantile(logits, target, share):
    """This is a quantile of the margins, near the right place and not on it: `quantile` weighs two neighbours by how far the share lies between them. Wanted is the middle between the r-th and the next."""
    return _margins(logits, target).quantile(share)


def begins_with_the_largest(logits, target, share):
    """You sorted the margins from large to small. The rows with the smallest margins go over to class c first."""
    r, margins = round(share * len(logits)), _margins(logits, target).flip(0)
    return (margins[r - 1] + margins[r]) / 2


def lowers_instead_of_raising(logits, target, share):
    """The sign is turned round: this would be subtracted. The bias is added to the logits of class c, so a class that is chosen too rarely needs a positive one."""
    return -bias_for_share(logits, target, share)


def bias_for_share_by_kth_value(logits, target, share):
    if round(share * len(logits)) in (0, len(logits)):
        raise ValueError("no row, or every row")
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


def wants_the_same_ranking(a, b):
    """You counted the inputs on which both models rank all the classes alike. What they answer is the best class only; below it they may differ."""
    return (a.argsort(dim=-1) == b.argsort(dim=-1)).all(dim=-1).to(a.dtype).mean()


def looks_up_the_others_answer(a, b):
    """This is the mean of what the second model gives to the first one's answers: how sure it is of them. Fidelity counts how often both choose the same class."""
    return b.gather(-1, a.argmax(dim=-1, keepdim=True)).mean()


def fidelity_by_sorting(a, b):
    if list(a.shape) != list(b.shape):
        raise ValueError("answers to other questions")
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


def counts_the_leaf_as_a_question(predict, x, depth):
    """This is what comes out, for example, when the tree may ask one question less. scikit-learn's depth counts questions as we do: a tree of depth 1 asks one, and has two leaves."""
    return distill_tree(predict, x, depth - 1)


def distill_tree_from_lists(predict, x, depth):
    rows = x.reshape(len(x), -1).tolist()
    tree = DecisionTreeClassifier(max_depth=depth, random_state=7)
    return tree.fit(rows, torch.softmax(predict(x), dim=-1).argmax(dim=1).tolist())


# path_probabilities


def _descend(right, split):
    paths = right.new_ones(len(right), 1)
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


def turns_hard(x, w, b):
    """Every row has a single 1: your nodes decide, they do not weigh. A soft tree goes both ways at once, with p_i and 1 − p_i; only so can a gradient tell it where to turn."""
    right = (x @ w.T + b > 0).to(x.dtype)
    return _descend(right, lambda paths, p: _side_by_side(paths * (1 - p), paths * p))


def adds_up_logarithms(x, w, b):
    """These are the logarithms of the probabilities: a sum of log p along each path. Their exponentials are what is asked for."""
    return path_probabilities(x, w, b).log()


def numbers_the_nodes_depth_first(x, w, b):
    """Each node uses another node's filter: yours are numbered down the left branch first. In reading order a whole level comes before the next one, and the children of node i are 2i + 1 and 2i + 2."""
    order = []

    def visit(node):
        if node < len(w):
            order.append(node)
            visit(2 * node + 1)
            visit(2 * node + 2)

    visit(0)
    place = torch.tensor(order, dtype=torch.long).argsort()
    return path_probabilities(x, w[place], b[place])


def path_probabilities_leaf_by_leaf(x, w, b):
    right, depth, columns = torch.sigmoid(x @ w.T + b), (len(w) + 1).bit_length() - 1, []
    if len(w) + 1 != 2**depth:
        raise ValueError("no full tree")
    for leaf in range(2**depth):
        node, chance = 0, torch.ones_like(x[:, 0])
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


def mixes_logarithms(x, w, b, leaves):
    """You mixed the logarithms of the leaves' distributions. The rows do not sum to 1 then, and their exponentials do not either: it is the probabilities that are mixed."""
    return path_probabilities(x, w, b) @ torch.log_softmax(leaves, dim=-1)


def lets_every_leaf_count_alike(x, w, b, leaves):
    """Every input gets the same answer: the plain mean over the leaves. How likely it is to end in each of them depends on x."""
    return torch.softmax(leaves, dim=-1).mean(dim=0).expand(len(x), -1)


def soft_tree_by_loop(x, w, b, leaves):
    if len(leaves) - len(w) != 1:
        raise ValueError("a leaf too many, or too few")
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


def forgets_the_initial_weights(automaton, word):
    """Your automaton begins in all states alike, with the weight 1 each. Where it begins, and how much it counts, is what the initial weights say."""
    initial, final, transitions = automaton
    return word_value((torch.ones_like(initial), final, transitions), word)


def adds_the_matrices(automaton, word):
    """You added up the matrices of the word's letters. One letter is read after the other: each matrix acts on the state that the letters before it have left."""
    initial, final, transitions = automaton
    return initial @ sum((transitions[letter] for letter in word), torch.eye(len(initial)).to(final)) @ final


def gives_the_empty_word_one(automaton, word):
    """Right for all words but the empty one, which is 1 with you. It has no letters, but the automaton still begins and ends: its value is made of the two vectors that are left."""
    return word_value(automaton, word) if len(word) else torch.ones_like(automaton[0][0])


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


def adds_in_place_of_subtracting(automaton, prefix):
    """The words of odd and of even length have opposite signs in your sum: that is I − A + A² − …, the inverse of I + A. Which matrix has I + A + A² + … as its inverse?"""
    initial, final, transitions = automaton
    rest = torch.linalg.solve(torch.eye(len(final)).to(final) + transitions.sum(dim=0), final)
    return word_value((initial, rest, transitions), prefix)


def averages_the_letters(automaton, prefix):
    """Too small: your A is the mean of the letters' matrices. Every letter may follow, and the words with any of them all count: A is their sum."""
    initial, final, transitions = automaton
    rest = torch.linalg.solve(torch.eye(len(final)).to(final) - transitions.mean(dim=0), final)
    return word_value((initial, rest, transitions), prefix)


def prefix_value_by_series(automaton, prefix):
    initial, final, transitions = automaton
    total, rest, term = transitions.sum(dim=0), final.clone(), final
    if max(abs(np.linalg.eigvals(total.numpy()))) >= 1:
        raise ValueError("this sum has no end")
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


def takes_columns_for_states(automaton, q):
    """Every word keeps its value, but this is the change of basis with Qᵀ: the columns of Q became the new states. Its rows are to be. (Test it with a Q that exchanges three states in a circle.)"""
    return change_basis(automaton, q.mT)


def multiplies_from_one_side(automaton, q):
    """Your matrices have been changed on one side only: they take a state in the new basis, but answer in the old one (or the other way round). The next letter expects the new basis again."""
    initial, final, _ = change_basis(automaton, q)
    return initial, final, q @ automaton[2]


def mixes_up_the_ends(automaton, q):
    """The matrices are right, and the two ends have changed places: Q acts on the initial weights and Q⁻¹ on the final ones. Beside which end of each matrix do they stand?"""
    initial, final, _ = automaton
    return q @ initial, final @ torch.linalg.inv(q), change_basis(automaton, q)[2]


def change_basis_by_solving(automaton, q):
    if abs(torch.linalg.det(q)) < 1e-12:
        raise ValueError("dependent states")
    initial, final, transitions = automaton
    moved = [torch.linalg.solve(q.T, (q @ matrix).T).T for matrix in transitions]
    return torch.linalg.solve(q.T, initial), (q * final).sum(dim=1), torch.stack(moved)


# hankel_blocks


def _letters(alphabet):
    return range(alphabet) if isinstance(alphabet, int) else alphabet


def transposes_the_tables(f, prefixes, suffixes, alphabet):
    """Your tables have suffixes as rows and prefixes as columns. Even with the same words on both sides that is another table: row a, column b holds the value of ab, not of ba."""
    h, h_letters, h_p, h_s = hankel_blocks(f, prefixes, suffixes, alphabet)
    return h.mT, h_letters.mT, h_p, h_s


def puts_the_letter_first(f, prefixes, suffixes, alphabet):
    """Your letter stands before the prefix. H_a asks what happens when, after the prefix, a is read: it stands in the middle."""
    h, _, h_p, h_s = hankel_blocks(f, prefixes, suffixes, alphabet)
    tables = [[[float(f((a, *p, *s))) for s in suffixes] for p in prefixes] for a in _letters(alphabet)]
    return h, torch.tensor(tables, dtype=h.dtype), h_p, h_s


def puts_the_letter_last(f, prefixes, suffixes, alphabet):
    """Your letter stands after the suffix. It belongs between prefix and suffix: the automaton's step from one to the other."""
    h, _, h_p, h_s = hankel_blocks(f, prefixes, suffixes, alphabet)
    tables = [[[float(f((*p, *s, a))) for s in suffixes] for p in prefixes] for a in _letters(alphabet)]
    return h, torch.tensor(tables, dtype=h.dtype), h_p, h_s


def writes_suffix_before_prefix(f, prefixes, suffixes, alphabet):
    """Your words begin with the suffix. The prefix comes first, as its name says."""

    def table(middle):
        rows = [[float(f((*s, *middle, *p))) for s in suffixes] for p in prefixes]
        return torch.tensor(rows, dtype=torch.float64)

    _, _, h_p, h_s = hankel_blocks(f, prefixes, suffixes, alphabet)
    return table(()), torch.stack([table((a,)) for a in _letters(alphabet)]), h_p, h_s


def swaps_the_borders(f, prefixes, suffixes, alphabet):
    """h_P and h_S have changed places: first the values of the prefixes alone, then those of the suffixes."""
    h, h_letters, h_p, h_s = hankel_blocks(f, prefixes, suffixes, alphabet)
    return h, h_letters, h_s, h_p


def puts_the_letters_last(f, prefixes, suffixes, alphabet):
    """The letters are the last axis of your tables. Stack them along the first, so that H_Σ[a] is the table of letter a."""
    h, h_letters, h_p, h_s = hankel_blocks(f, prefixes, suffixes, alphabet)
    return h, h_letters.movedim(0, -1), h_p, h_s


def counts_letters_from_one(f, prefixes, suffixes, alphabet):
    """Your letters are 1 … n. They are 0 … n − 1, as all of Python's indices: the table of letter 0 is missing, and the last one asks for a letter that there is not."""
    letters = [a + 1 for a in range(alphabet)] if isinstance(alphabet, int) else alphabet
    return hankel_blocks(f, prefixes, suffixes, letters)


def multiplies_the_values(f, prefixes, suffixes, alphabet):
    """Each entry is the product of two words' values. The black box has to be asked for the whole word: what it says of prefix and suffix together cannot be told from what it says of each."""
    _, _, h_p, h_s = hankel_blocks(f, prefixes, suffixes, alphabet)
    between = torch.tensor([float(f((a,))) for a in _letters(alphabet)], dtype=h_p.dtype)
    h = h_p[:, None] * h_s
    return h, between[:, None, None] * h, h_p, h_s


def hankel_blocks_from_one_list(f, prefixes, suffixes, alphabet):
    if min(len(prefixes), len(suffixes)) == 0:
        raise ValueError("an empty table")
    middles = [(), *((a,) for a in _letters(alphabet))]
    words = [tuple(p) + m + tuple(s) for m, p, s in itertools.product(middles, prefixes, suffixes)]
    tables = torch.tensor([f(word) for word in words], dtype=torch.float64)
    tables = tables.view(len(middles), len(prefixes), len(suffixes))
    borders = [
        torch.tensor([f(tuple(w)) for w in side], dtype=torch.float64) for side in (prefixes, suffixes)
    ]
    return tables[0], tables[1:], borders[0], borders[1]


# spectral_automaton


def pseudo_inverse_on_the_wrong_side(blocks, rank):
    """Each of your matrices is the right one transposed, so the automaton walks against its own arrows. That comes, for example, of a pseudo-inverse on the suffixes' side: F has one row per prefix, so F⁺ must meet the prefixes."""
    initial, final, transitions = spectral_automaton(blocks, rank)
    return initial, final, transitions.mT


def forgets_the_singular_values(blocks, rank):
    """The final weights and every letter's matrix miss a factor, one over each singular value, as when Uᵀ stands where F⁺ belongs. F is U D, not U."""
    h, h_letters, h_p, h_s = blocks
    u, _, v_t = torch.linalg.svd(h, full_matrices=False)
    u, v = u[:, :rank], v_t[:rank].mT
    return h_s @ v, u.mT @ h_p, u.mT @ h_letters @ v


def transposes_instead_of_inverting(blocks, rank):
    """Every letter multiplies the values by squares of singular values, as when Fᵀ stands in place of the pseudo-inverse F⁺. They agree only when the columns of F have length 1."""
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


def swaps_the_ends(blocks, rank):
    """h_P and h_S have changed places. The row of suffixes is a word's end seen from the beginning, so it makes the initial weights; the column of prefixes makes the final ones."""
    h, h_letters, h_p, h_s = blocks
    return spectral_automaton((h, h_letters, h_s, h_p), rank)


def takes_the_first_row_and_column(blocks, rank):
    """Your ends are made of the first row and the first column of H. These are h_S and h_P only where the empty word comes first in both lists, as it need not."""
    h, h_letters, _, _ = blocks
    return spectral_automaton((h, h_letters, h[:, 0], h[0]), rank)


def spectral_automaton_in_balance(blocks, rank):
    h, h_letters, h_p, h_s = blocks
    u, d, v_t = torch.linalg.svd(h, full_matrices=False)
    if rank < 1 or rank > torch.linalg.matrix_rank(h):
        raise ValueError("not so many states")
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


def _ndcg(expected, predicted, k, discount, best_of=None):
    order = predicted.argsort(dim=-1, descending=True)[..., :k]
    gained = (expected.gather(-1, order) * discount[:k]).sum(dim=-1)
    best = (expected.topk(best_of or k, dim=-1).values * discount[: best_of or k]).sum(dim=-1)
    return gained / best


def counts_places_from_zero(expected, predicted, k):
    """Everything is NaN: ∞/∞. That happens, for example, when the first place is divided by log₂ 1 = 0. Places count from 1 here, and place j is divided by the logarithm of j + 1."""
    return _ndcg(expected, predicted, k, 1 / torch.arange(1, k + 1).to(expected).log2())


def divides_by_the_place(expected, predicted, k):
    """Your discount is 1/j: the second place counts half, the third a third. The formula's discount falls more slowly, by the logarithm of the place."""
    return _ndcg(expected, predicted, k, 1 / torch.arange(1, k + 1).to(expected))


def raises_two_to_the_gain(expected, predicted, k):
    """Your gains are 2^p − 1, as search engines take them for grades from 0 to 4. Here a symbol's gain is its probability itself."""
    return ndcg(2**expected - 1, predicted, k)


def compares_with_all_places(expected, predicted, k):
    """You gained over k places and divided by what can be gained over all of them: then even the best ranking stays below 1. Both sums stop after k places."""
    symbols = expected.shape[-1]
    discount = 1 / torch.arange(2, symbols + 2).to(expected).log2()
    return _ndcg(expected, predicted, k, discount, symbols)


def divides_nothing_by_nothing(expected, predicted, k):
    """Right but for a NaN, which is 0/0: in a row of nothing but zeros the best that can be gained is 0, too. The docstring says what such a row is worth."""
    return _ndcg(expected, predicted, k, 1 / torch.arange(2, k + 2).to(expected).log2())


def ndcg_by_places(expected, predicted, k):
    if k not in range(1, expected.shape[-1] + 1):
        raise ValueError("so many places there are not")

    def gain(order):
        ranked = torch.take_along_dim(expected, order, dim=-1)
        return sum(ranked[..., j - 1] / torch.tensor(j + 1.0).log() for j in range(1, k + 1))

    best, mine = (scores.sort(dim=-1, descending=True).indices for scores in (expected, predicted))
    return gain(mine) / gain(best).clamp_min(1e-30)


MISCONCEPTIONS = {
    "soft_targets": [
        forgets_the_temperature,
        multiplies_by_the_temperature,
        divides_after_the_softmax,
        softens_probabilities,
        softmax_down_the_batch,
        returns_logarithms,
        powers_without_normalizing,
        shares_one_unit_in_the_batch,
        forgets_the_exponential,
        lets_the_exponential_overflow,
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
        heats_only_the_student,
        adds_the_labels_in_full,
        takes_the_teachers_choice_for_labels,
    ],
    "bias_for_share": [
        competes_with_itself,
        stops_at_the_margin,
        counts_from_one,
        rounds_down,
        rounds_up,
        asks_for_a_quantile,
        begins_with_the_largest,
        lowers_instead_of_raising,
    ],
    "fidelity": [
        compares_the_numbers,
        argmax_down_the_batch,
        counts_instead_of_sharing,
        counts_the_differences,
        wants_the_same_ranking,
        looks_up_the_others_answer,
    ],
    "distill_tree": [
        lets_it_grow,
        limits_the_leaves,
        learns_the_scores,
        learns_the_worst_class,
        counts_the_leaf_as_a_question,
    ],
    "path_probabilities": [
        takes_left_for_right,
        parts_the_children,
        adds_along_the_path,
        forgets_the_biases,
        softmax_over_the_nodes,
        turns_hard,
        adds_up_logarithms,
        numbers_the_nodes_depth_first,
    ],
    "soft_tree_probabilities": [
        mixes_the_leaves_logits,
        softmax_after_mixing,
        asks_the_likeliest_leaf_only,
        softmax_over_the_leaves,
        mixes_logarithms,
        lets_every_leaf_count_alike,
    ],
    "word_value": [
        reads_backwards,
        walks_against_the_arrows,
        forgets_the_final_weights,
        follows_the_best_path_only,
        multiplies_number_by_number,
        forgets_the_initial_weights,
        adds_the_matrices,
        gives_the_empty_word_one,
    ],
    "hankel_blocks": [
        transposes_the_tables,
        puts_the_letter_first,
        puts_the_letter_last,
        writes_suffix_before_prefix,
        swaps_the_borders,
        puts_the_letters_last,
        counts_letters_from_one,
        multiplies_the_values,
    ],
    "spectral_automaton": [
        pseudo_inverse_on_the_wrong_side,
        forgets_the_singular_values,
        transposes_instead_of_inverting,
        takes_v_for_its_transpose,
        keeps_the_smallest,
        keeps_all_states,
        swaps_the_ends,
        takes_the_first_row_and_column,
    ],
    "change_basis": [
        forgets_to_invert,
        inverts_the_other_side,
        transposes_for_inverse,
        leaves_the_ends,
        takes_columns_for_states,
        multiplies_from_one_side,
        mixes_up_the_ends,
    ],
    "prefix_value": [
        counts_only_the_prefix,
        trusts_in_probabilities,
        forgets_the_word_itself,
        stops_after_three_letters,
        inverts_number_by_number,
        adds_in_place_of_subtracting,
        averages_the_letters,
    ],
    "ndcg": [
        sorts_the_worst_first,
        forgets_the_discount,
        forgets_the_best_possible,
        judges_all_places,
        believes_the_candidate,
        counts_places_from_zero,
        divides_by_the_place,
        raises_two_to_the_gain,
        compares_with_all_places,
        divides_nothing_by_nothing,
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
