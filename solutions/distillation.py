"""A simpler model that says the same: a small network, a tree, a soft tree.

A large model's answers carry more than its decisions: "a 3, and if not, then rather an 8 than a 1".
Distillation teaches these answers to a model that is small enough to run, or plain enough to read. The
functions below go from the soft answers and their loss to trees that a person can follow, and to the number
that says how faithful the simpler model is.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from sklearn.tree import DecisionTreeClassifier
from torch import Tensor
from torch.nn import functional as F


def soft_targets(
    logits: Float[Tensor, "*batch classes"], temperature: float
) -> Float[Tensor, "*batch classes"]:
    """Give the probabilities that a network answers with when its logits are cooled or heated.

    Formula: p_k = exp(z_k / T) / Σ_j exp(z_j / T)

    logits: z, one row per input. temperature: T > 0; 1 is the usual softmax, above 1 is softer (the unlikely
    classes become visible), towards 0 is harder. z / T may be several hundred, as a sure network's is when T is small:
    nothing may overflow.
    Returns one probability per class; each row sums to 1.
    Raises ValueError when the temperature is not positive.

    Source: Hinton, Vinyals & Dean (2015), Distilling the knowledge in a neural network, eq. 1.
    """
    if temperature <= 0:
        raise ValueError(f"temperature must be positive, not {temperature}")
    return torch.softmax(logits / temperature, dim=-1)


def distillation_loss(
    student: Float[Tensor, "batch classes"],
    teacher: Float[Tensor, "batch classes"],
    labels: Int[Tensor, "batch"],
    temperature: float,
    alpha: float,
) -> Float[Tensor, ""]:
    """Say how far a student is from its teacher's soft answers and from the labels, in one number.

    Formula: L = α T² KL(p ‖ q) + (1 − α) CE(labels, softmax(student))
             p = softmax(teacher / T),  q = softmax(student / T),  KL(p ‖ q) = Σ_k p_k (log p_k − log q_k)

    student, teacher: logits, not probabilities. labels: class indices. Both terms are means over the batch.
    alpha: weight of the soft term, 0 … 1. The labels are met at temperature 1. The factor T² keeps the soft
    term's gradient, which shrinks as 1/T², in proportion to the hard one's.
    Returns a scalar tensor, through which gradients flow back to the student.
    Raises ValueError when the temperature is not positive or alpha lies outside 0 … 1.

    Source: Hinton, Vinyals & Dean (2015), section 2 (their soft term is the cross-entropy: the same up to the
    teacher's entropy, which the student cannot change).
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")
    p = soft_targets(teacher, temperature)
    log_q = F.log_softmax(student / temperature, dim=-1)
    soft = F.kl_div(log_q, p, reduction="batchmean")
    hard = F.cross_entropy(student, labels)
    return alpha * temperature**2 * soft + (1 - alpha) * hard


def bias_for_share(logits: Float[Tensor, "batch classes"], target: int, share: float) -> Float[Tensor, ""]:
    """Find the bias that makes a class win as often as it should.

    Adding b to the logits of class c lets it win wherever b exceeds the margin
        m_i = max_{k≠c} z_ik − z_ic
    With n rows and r = share · n, rounded, b lies halfway between the r-th and the (r+1)-th smallest margin,
    so that exactly r rows go to class c. No label is needed, only the share of the class.

    logits: z. target: c, the class to be raised or lowered. share: wanted share of rows, above 0 and below 1.
    Returns b, a scalar. The logits stay as they are.
    Raises ValueError when share · n rounds to no row or to every row.

    Source: Hinton, Vinyals & Dean (2015), section 3, where the bias of the class that the student never saw
    is raised; they choose it by test accuracy, we by the class's share.
    """
    r = round(share * len(logits))
    if not 1 <= r < len(logits):
        raise ValueError(f"share {share} of {len(logits)} rows is {r} rows; ask for at least 1, not for all")
    others = logits.clone()
    others[:, target] = -torch.inf
    margins, _ = (others.amax(dim=-1) - logits[:, target]).sort()
    return (margins[r - 1] + margins[r]) / 2


def fidelity(a: Float[Tensor, "batch classes"], b: Float[Tensor, "batch classes"]) -> Float[Tensor, ""]:
    """Say how often two models give the same answer.

    Formula: fidelity = (1/n) Σ_i [argmax_k a_ik = argmax_k b_ik]

    a, b: logits or probabilities of the two models, row by row for the same inputs; right or wrong does not
    matter.
    Returns a share between 0 and 1.
    Raises ValueError when the two have different shapes, also where torch would stretch one to fit the other.

    Source: Craven & Shavlik (1996), Extracting tree-structured representations of trained networks.
    """
    if a.shape != b.shape:
        raise ValueError(f"the answers' shapes differ: {tuple(a.shape)} and {tuple(b.shape)}")
    return (a.argmax(dim=-1) == b.argmax(dim=-1)).to(a.dtype).mean()


def distill_tree(
    predict: Callable[[Tensor], Tensor], x: Float[Tensor, "batch *features"], depth: int
) -> DecisionTreeClassifier:
    """Grow a decision tree that imitates a network: it learns the network's answers, never the labels.

    The tree is scikit-learn's DecisionTreeClassifier, its other settings as they are, with at most `depth`
    questions on any path; each question compares one input feature with a threshold.

    predict: the network, a batch to one score per class. x: inputs in any shape; the network is asked about
    them as they are, the tree sees each as one flat row. depth: at least 1.
    Returns the fitted tree; use a random_state, so that the same call grows the same tree.
    Raises ValueError when depth is below 1.

    Source: Craven & Shavlik (1996); Breiman et al. (1984), Classification and regression trees.
    """
    if depth < 1:
        raise ValueError(f"a tree needs a depth of at least 1, not {depth}")
    with torch.no_grad():
        answers = predict(x).argmax(dim=-1)
    tree = DecisionTreeClassifier(max_depth=depth, random_state=0)
    return tree.fit(x.flatten(1).cpu().numpy(), answers.cpu().numpy())


def path_probabilities(
    x: Float[Tensor, "batch features"], w: Float[Tensor, "nodes features"], b: Float[Tensor, "nodes"]
) -> Float[Tensor, "batch leaves"]:
    """Give the probability that an input ends in each leaf of a soft decision tree.

    Formula: p_i(x) = σ(xᵀw_i + b_i), the probability of turning RIGHT at node i;
             P^ℓ(x) = product along the path to leaf ℓ of p_i (right turns) and 1 − p_i (left turns)

    x: flat inputs. w, b: one filter and one bias per inner node, in reading order, level by level from the
    root: the children of node i are 2i+1 (left) and 2i+2 (right). nodes = 2^depth − 1; leaves = 2^depth,
    from left to right.
    A tree of depth 0 has no node, and one leaf in which every input ends.
    Returns one probability per leaf; each row sums to 1. Gradients flow through, to w and b: trees are trained by them.
    Raises ValueError when the number of nodes is not 2^depth − 1.

    Source: Frosst & Hinton (2017), Distilling a neural network into a soft decision tree, eq. 1.
    """
    depth = int(math.log2(len(w) + 1))
    if len(w) != 2**depth - 1:
        raise ValueError(f"a full tree has 1, 3, 7, … inner nodes, not {len(w)}")
    right = torch.sigmoid(x @ w.T + b)
    paths = torch.ones_like(x[:, :1])
    for level in range(depth):
        p = right[:, 2**level - 1 : 2 ** (level + 1) - 1]
        paths = torch.stack([paths * (1 - p), paths * p], dim=-1).flatten(1)
    return paths


def soft_tree_probabilities(
    x: Float[Tensor, "batch features"],
    w: Float[Tensor, "nodes features"],
    b: Float[Tensor, "nodes"],
    leaves: Float[Tensor, "leaves classes"],
) -> Float[Tensor, "batch classes"]:
    """Give a soft decision tree's answer: every leaf's distribution, mixed by the chance of ending there.

    Formula: Q^ℓ = softmax(φ^ℓ),  p(k | x) = Σ_ℓ P^ℓ(x) Q^ℓ_k

    x, w, b: as in path_probabilities. leaves: φ, one row of logits per leaf, left to right. A leaf's answer
    does not depend on the input.
    Returns one probability per class; each row sums to 1. Gradients flow through, to w, b and leaves.
    Raises ValueError when there is not one leaf more than there are inner nodes.

    Source: Frosst & Hinton (2017), section 2, eq. 2.
    """
    if len(leaves) != len(w) + 1:
        raise ValueError(f"{len(w)} inner nodes need {len(w) + 1} leaves, not {len(leaves)}")
    return path_probabilities(x, w, b) @ torch.softmax(leaves, dim=-1)


def soft_tree_loss(
    x: Float[Tensor, "batch features"],
    w: Float[Tensor, "nodes features"],
    b: Float[Tensor, "nodes"],
    leaves: Float[Tensor, "leaves classes"],
    targets: Float[Tensor, "batch classes"],
    balance: float,
) -> Float[Tensor, ""]:
    """Say how badly a soft tree's leaves fit the targets, and how unevenly its nodes use their two branches.

    Formula: L = mean_x Σ_ℓ P^ℓ(x) CE(T, Q^ℓ) − λ Σ_i 2^(−level of i) ½ (log α_i + log(1 − α_i)),
             α_i = Σ_x P^i(x) p_i(x) / Σ_x P^i(x), the share of the inputs at node i that turn right

    x, w, b, leaves: as in soft_tree_probabilities. targets: T, probabilities per class, for distillation the
    teacher's. balance: λ ≥ 0. A node that no input reaches has the share 0: it costs, and pulls at nothing.

    Source: Frosst & Hinton (2017), eqs. 3–5 (each leaf is asked to answer alone, which is what keeps the
    leaves readable; like the common implementations without the outer logarithm of eq. 3).
    """
    leaf_loss = -targets @ F.log_softmax(leaves, dim=-1).T
    loss = (path_probabilities(x, w, b) * leaf_loss).sum(dim=-1).mean()
    right = torch.sigmoid(x @ w.T + b)
    for level in range(int(math.log2(len(leaves)))):
        here = slice(2**level - 1, 2 ** (level + 1) - 1)
        reach = path_probabilities(x, w[: here.start], b[: here.start])
        inputs = reach.sum(dim=0).clamp_min(1e-6)
        share = ((reach * right[:, here]).sum(dim=0) / inputs).clamp(1e-6, 1 - 1e-6)
        loss = loss - balance * 2.0**-level * 0.5 * (share.log() + (1 - share).log()).sum()
    return loss


def train_soft_tree(
    x: Float[Tensor, "batch features"],
    targets: Float[Tensor, "batch classes"],
    depth: int,
    epochs: int,
    generator: torch.Generator,
    balance: float = 0.1,
    lr: float = 0.01,
) -> tuple[Float[Tensor, "nodes features"], Float[Tensor, "nodes"], Float[Tensor, "leaves classes"]]:
    """Train a soft decision tree by gradient descent on soft_tree_loss, in mini-batches of 100.

    x: flat inputs. targets: probabilities, for distillation soft_targets of the teacher. depth: levels of
    inner nodes. generator: decides the start and the order of the inputs.
    Returns w, b and the leaves' logits, as soft_tree_probabilities takes them.

    Source: Frosst & Hinton (2017), section 3.
    """
    w = torch.randn(2**depth - 1, x.shape[1], generator=generator).to(x) * 0.01
    b = torch.zeros(2**depth - 1).to(x)
    leaves = torch.randn(2**depth, targets.shape[1], generator=generator).to(x) * 0.1
    parameters = [tensor.requires_grad_() for tensor in (w, b, leaves)]
    optimizer = torch.optim.Adam(parameters, lr=lr)
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=generator).to(x.device).split(100):
            optimizer.zero_grad()
            soft_tree_loss(x[rows], w, b, leaves, targets[rows], balance).backward()
            optimizer.step()
    return w.detach(), b.detach(), leaves.detach()


def train_student(
    student: torch.nn.Module,
    x: Float[Tensor, "batch *features"],
    teacher: Float[Tensor, "batch classes"],
    labels: Int[Tensor, "batch"],
    temperature: float,
    alpha: float,
    epochs: int,
    generator: torch.Generator,
    lr: float = 0.002,
) -> torch.nn.Module:
    """Train a small network on distillation_loss, in mini-batches of 100; alpha = 0 is training on labels
    alone.

    teacher: the large network's logits for x, computed once. generator: decides the order of the inputs.
    Returns the student itself, trained in place and set to eval mode.

    Source: Hinton, Vinyals & Dean (2015), section 2.
    """
    student.train()
    optimizer = torch.optim.Adam(student.parameters(), lr=lr)
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=generator).to(x.device).split(100):
            optimizer.zero_grad()
            distillation_loss(student(x[rows]), teacher[rows], labels[rows], temperature, alpha).backward()
            optimizer.step()
    return student.eval()
