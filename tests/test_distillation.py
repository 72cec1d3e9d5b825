"""What chapter 9's small networks and trees promise."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from course.exercises import exercises_of
from course.judging.recording import record
from course.judging.verdict import compare
from solutions.automata import hankel_blocks, spectral_automaton
from solutions.classroom.release.answers import PUBLIC_SEEDS, answers_for
from solutions.distillation import (
    bias_for_share,
    distill_tree,
    distillation_loss,
    fidelity,
    path_probabilities,
    soft_targets,
    soft_tree_loss,
    soft_tree_probabilities,
    train_soft_tree,
    train_student,
)

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=needs_cuda)]
DTYPES = [torch.float32, torch.float64]
few = settings(max_examples=25, deadline=None)


def drawn(*shape, seed=0, dtype=torch.float64, device="cpu"):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).to(device, dtype)


# ---- soft targets and their loss


@few
@given(st.integers(0, 1000), st.floats(0.1, 50))
def test_soft_targets_are_probabilities_in_the_logits_order(seed, temperature):
    logits = drawn(4, 6, seed=seed)
    p = soft_targets(logits, temperature)
    torch.testing.assert_close(p.sum(-1), torch.ones(4, dtype=p.dtype))
    assert torch.equal(p.argsort(-1), logits.argsort(-1))


def test_soft_targets_become_uniform_when_hot_and_hard_when_cold():
    logits = drawn(3, 5)
    torch.testing.assert_close(soft_targets(logits, 1e6), torch.full((3, 5), 0.2).double(), atol=1e-5, rtol=0)
    one_hot = nn.functional.one_hot(logits.argmax(-1), 5).double()
    torch.testing.assert_close(soft_targets(logits, 1e-3), one_hot)


@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_a_temperature_must_be_positive(temperature):
    with pytest.raises(ValueError, match="temperature"):
        soft_targets(drawn(2, 3), temperature)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_distillation_loss_agrees_with_torchs_kl_and_cross_entropy(dtype, device):
    student = drawn(7, 5, seed=1, dtype=dtype, device=device)
    teacher = drawn(7, 5, seed=2, dtype=dtype, device=device)
    labels = torch.arange(7, device=device) % 5
    t, alpha = 3.0, 0.7
    kl = nn.KLDivLoss(reduction="batchmean")(
        torch.log_softmax(student / t, -1), torch.softmax(teacher / t, -1)
    )
    expected = alpha * t**2 * kl + (1 - alpha) * nn.CrossEntropyLoss()(student, labels)
    loss = distillation_loss(student, teacher, labels, t, alpha)
    assert loss.dtype == dtype
    torch.testing.assert_close(loss, expected)


def test_the_squared_temperature_keeps_the_soft_gradient_in_proportion():
    """For hot answers the gradient tends to the one of ½ mean (student − teacher)², whatever T (Hinton, eq. 4)."""
    teacher, labels = drawn(6, 4, seed=2), torch.zeros(6, dtype=torch.long)
    teacher = teacher - teacher.mean(-1, keepdim=True)
    student = drawn(6, 4, seed=1)
    student = (student - student.mean(-1, keepdim=True)).requires_grad_()
    (gradient,) = torch.autograd.grad(distillation_loss(student, teacher, labels, 1e4, 1.0), student)
    torch.testing.assert_close(gradient, (student - teacher).detach() / (4 * 6), atol=1e-5, rtol=1e-3)


def test_a_student_that_agrees_with_its_teacher_has_no_soft_loss():
    logits = drawn(5, 3)
    loss = distillation_loss(logits + 2.0, logits, torch.zeros(5, dtype=torch.long), 4.0, 1.0)
    assert abs(float(loss)) < 1e-12


@pytest.mark.parametrize("alpha", [-0.1, 1.1])
def test_alpha_must_be_a_share(alpha):
    with pytest.raises(ValueError, match="alpha"):
        distillation_loss(drawn(2, 3), drawn(2, 3), torch.zeros(2, dtype=torch.long), 1.0, alpha)


# ---- the class that the student never saw


@few
@given(st.integers(0, 1000), st.integers(0, 4), st.integers(1, 19))
def test_the_bias_gives_a_class_exactly_its_share(seed, target, rows):
    logits = drawn(20, 5, seed=seed)
    before = logits.clone()
    bias = bias_for_share(logits, target, rows / 20)
    assert torch.equal(logits, before)
    shifted = logits.clone()
    shifted[:, target] += bias
    assert int((shifted.argmax(-1) == target).sum()) == rows


@pytest.mark.parametrize("share", [0.0, 0.01, 1.0])
def test_a_share_of_nothing_or_everything_has_no_bias(share):
    with pytest.raises(ValueError, match="share"):
        bias_for_share(drawn(10, 3), 0, share)


# ---- fidelity


def test_fidelity_counts_equal_answers_whatever_their_scale():
    a, b = drawn(8, 3, seed=1), drawn(8, 3, seed=2)
    same = (a.numpy().argmax(1) == b.numpy().argmax(1)).mean()
    assert 0 < same < 1
    assert float(fidelity(a, b)) == same
    assert float(fidelity(a.softmax(-1), 5 * b + 1)) == same
    assert float(fidelity(a, a)) == 1.0


def test_fidelity_refuses_answers_to_other_questions():
    with pytest.raises(ValueError, match="shapes"):
        fidelity(drawn(8, 3), drawn(7, 3))


# ---- trees


def test_a_distilled_tree_is_scikit_learns_tree_on_the_networks_answers():
    x = drawn(300, 2, 3, dtype=torch.float32)
    network = nn.Sequential(nn.Flatten(), nn.Linear(6, 4)).requires_grad_(False)
    tree = distill_tree(network, x, 4)
    expected = DecisionTreeClassifier(max_depth=4, random_state=0).fit(x.flatten(1), network(x).argmax(-1))
    assert tree.get_depth() == 4
    assert (tree.tree_.feature == expected.tree_.feature).all()
    np.testing.assert_array_equal(tree.tree_.threshold, expected.tree_.threshold)


def test_a_tree_without_questions_is_refused():
    with pytest.raises(ValueError, match="depth"):
        distill_tree(lambda x: x, drawn(3, 2), 0)


def by_walking(x, w, b, leaves):
    """Sum over leaves of the product along each path, node by node."""
    depth = int(np.log2(len(leaves)))
    answer = torch.zeros(len(x), leaves.shape[1], dtype=x.dtype)
    for leaf in range(len(leaves)):
        node, chance = 0, torch.ones(len(x), dtype=x.dtype)
        for turn in format(leaf, f"0{depth}b"):
            p = torch.sigmoid(x @ w[node] + b[node])
            chance = chance * (p if turn == "1" else 1 - p)
            node = 2 * node + 1 + int(turn)
        answer += chance[:, None] * leaves[leaf].softmax(-1)
    return answer


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_soft_tree_is_the_sum_over_its_paths(depth):
    nodes = 2**depth - 1
    x, w, b, leaves = drawn(5, 6), drawn(nodes, 6, seed=1), drawn(nodes, seed=2), drawn(nodes + 1, 3, seed=3)
    torch.testing.assert_close(soft_tree_probabilities(x, w, b, leaves), by_walking(x, w, b, leaves))
    paths = path_probabilities(x, w, b)
    torch.testing.assert_close(paths @ leaves.softmax(-1), by_walking(x, w, b, leaves))
    torch.testing.assert_close(paths.sum(-1), torch.ones(5).double())


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_decided_soft_tree_sends_everything_to_one_leaf(dtype, device):
    x = torch.ones(1, 1, dtype=dtype, device=device)
    w = torch.tensor([[50.0], [0.0], [-50.0]], dtype=dtype, device=device)  # right, then left
    paths = path_probabilities(x, w, torch.zeros_like(w[:, 0]))
    torch.testing.assert_close(paths, torch.tensor([[0.0, 0, 1, 0]], dtype=dtype, device=device))


def test_a_tree_without_nodes_is_one_leaf():
    assert path_probabilities(drawn(3, 2), drawn(0, 2), drawn(0)).tolist() == [[1.0], [1.0], [1.0]]


@pytest.mark.parametrize("nodes", [2, 4, 8])
def test_only_full_trees_are_taken(nodes):
    with pytest.raises(ValueError, match="nodes"):
        path_probabilities(drawn(2, 3), drawn(nodes, 3), drawn(nodes))


def test_a_tree_with_missing_leaves_is_refused():
    with pytest.raises(ValueError, match="leaves"):
        soft_tree_probabilities(drawn(2, 3), drawn(3, 3), drawn(3), drawn(3, 2))


def test_soft_tree_loss_is_each_leafs_cross_entropy_plus_the_balance():
    x, w, b, leaves = drawn(6, 4), drawn(3, 4, seed=1), drawn(3, seed=2), drawn(4, 5, seed=3)
    targets = drawn(6, 5, seed=4).softmax(-1)
    p = torch.sigmoid(x @ w.T + b)
    paths = torch.stack(
        [(1 - p[:, 0]) * (1 - p[:, 1]), (1 - p[:, 0]) * p[:, 1], p[:, 0] * (1 - p[:, 2]), p[:, 0] * p[:, 2]],
        1,
    )
    fit = sum(
        paths[i, leaf] * nn.functional.cross_entropy(leaves[leaf], targets[i])
        for i in range(6)
        for leaf in range(4)
    )
    shares = [
        p[:, 0].mean(),
        ((1 - p[:, 0]) * p[:, 1]).sum() / (1 - p[:, 0]).sum(),
        (p[:, 0] * p[:, 2]).sum() / p[:, 0].sum(),
    ]
    even = [0.5 * (a.log() + (1 - a).log()) for a in shares]
    expected = fit / 6 - 0.3 * (even[0] + 0.5 * even[1] + 0.5 * even[2])
    torch.testing.assert_close(soft_tree_loss(x, w, b, leaves, targets, 0.3), expected)


def test_a_node_that_no_input_reaches_costs_and_pulls_at_nothing():
    """Its share was 0/0: one such node made the whole loss NaN, and the next step every weight."""
    x, leaves, targets = torch.ones(4, 1), torch.zeros(4, 2), torch.full((4, 2), 0.5)
    w = torch.tensor([[1000.0], [0.3], [0.5]]).requires_grad_()  # all turn right: nobody comes to node 1
    loss = soft_tree_loss(x, w, torch.zeros(3), leaves, targets, 0.1)
    (slope,) = torch.autograd.grad(loss, w)
    assert loss.isfinite()
    assert slope.isfinite().all()
    assert slope[1] == 0
    assert slope[2] != 0


# ---- training


def two_clouds():
    x = drawn(200, 2, dtype=torch.float32)
    labels = (x[:, 0] + x[:, 1] > 0).long()
    return x, labels, 4.0 * torch.stack([-x.sum(1), x.sum(1)], dim=1)


def test_a_trained_soft_tree_repeats_its_teacher_and_repeats_itself():
    x, _, teacher = two_clouds()
    runs = [
        train_soft_tree(x, soft_targets(teacher, 1.0), 2, 60, torch.Generator().manual_seed(3))
        for _ in range(2)
    ]
    assert all(torch.equal(one, other) for one, other in zip(*runs, strict=True))
    assert float(fidelity(soft_tree_probabilities(x, *runs[0]), teacher)) > 0.93


def test_a_soft_tree_stays_finite_on_pixels_from_0_to_255():
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.uniform(0, 255, size=(300, 64)) * (rng.uniform(size=(300, 64)) < 0.3)).float()
    targets = torch.softmax(torch.from_numpy(rng.normal(size=(300, 3))).float(), dim=-1)
    w, b, leaves = train_soft_tree(x, targets, 3, 5, torch.Generator().manual_seed(0))
    assert all(part.isfinite().all() for part in (w, b, leaves))
    assert soft_tree_loss(x, w, b, leaves, targets, 0.1).isfinite()


def test_a_student_learns_from_soft_answers_alone():
    x, labels, teacher = two_clouds()
    torch.manual_seed(0)
    student = train_student(
        nn.Linear(2, 2), x, teacher, 1 - labels, 3.0, 1.0, 40, torch.Generator().manual_seed(0), lr=0.05
    )
    assert not student.training
    assert float(fidelity(student(x), teacher)) > 0.97  # although every label was wrong


# ---- answers that once passed, or were told something that helps nobody


def asks_about_flat_rows(predict, x, depth):
    return distill_tree(predict, x.flatten(1), depth)


def tables_in_single_precision(f, prefixes, suffixes, alphabet):
    return tuple(table.float() for table in hankel_blocks(f, prefixes, suffixes, alphabet))


def asks_with_lists(f, prefixes, suffixes, alphabet):
    return hankel_blocks(lambda word: f(list(word)), prefixes, suffixes, alphabet)


def a_list_of_matrices(blocks, rank):
    initial, final, transitions = spectral_automaton(blocks, rank)
    return initial, final, list(transitions)


def row_and_column(blocks, rank):
    initial, final, transitions = spectral_automaton(blocks, rank)
    return initial[None], final[:, None], transitions


@pytest.mark.parametrize(
    ("name", "function", "said"),
    [
        ("distill_tree", asks_about_flat_rows, "takes inputs of shape (batch, 2, "),
        ("hankel_blocks", tables_in_single_precision, "float32 where the docstring promises float64"),
        ("hankel_blocks", asks_with_lists, "a tuple of letters, not a list"),
        ("spectral_automaton", a_list_of_matrices, "one tensor (letters, states, states), but is a list"),
        ("spectral_automaton", row_and_column, "the shape (states,), but has (1, "),
        ("spectral_automaton", lambda blocks, rank: None, "what came back instead: the result: None"),
    ],
)
def test_what_would_fail_later_in_the_chapter_is_said_at_once(name, function, said):
    exercise = exercises_of("09_distillation")[name]
    answers = answers_for("09_distillation", exercise, PUBLIC_SEEDS)
    verdict = compare(exercise, record(function, exercise, answers.seeds, answers.inputs), answers)
    assert not verdict.right
    assert said in verdict.message
