"""Relation network and MAC hold against loops, symmetries and attention; the trained networks keep their promises."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from course.data.scenes import CHAINS, NON_RELATIONAL, simulate_questions, simulate_scenes
from course.models.reasoning import NoReasoning, RelationNetwork, StepByStep, load_eyes, load_trained, see
from solutions.reasoning import control_unit, object_pairs, read_unit, reason, relate, write_unit

few = settings(max_examples=12, deadline=None)
dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
devices = pytest.mark.parametrize(
    "device",
    ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA"))],
)


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@few
@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 3))
def test_pairs_hold_every_thing_beside_every_thing(batch, n, d):
    objects, question = normal(batch, n, d), normal(batch, 2, seed=1)
    pairs = object_pairs(objects, question)
    assert pairs.shape == (batch, n * n, 2 * d + 2)
    for i in range(n):
        for j in range(n):
            expected = torch.cat([objects[:, i], objects[:, j], question], dim=1)
            assert torch.equal(pairs[:, i * n + j], expected)


@few
@given(st.integers(0, 1000))
def test_a_relation_network_does_not_care_for_the_order_of_things(seed):
    objects, question, w = normal(3, 5, 4, seed=seed), normal(3, 2, seed=seed + 1), normal(10, 6, seed=2)
    order = torch.randperm(5, generator=torch.Generator().manual_seed(seed))
    one, other = (
        relate(o, question, lambda p: (p @ w).relu(), torch.tanh) for o in (objects, objects[:, order])
    )
    torch.testing.assert_close(one, other)


def test_a_relation_network_adds_its_judgements_up():
    def one_each(pairs):
        return torch.ones(*pairs.shape[:-1], 2)

    assert (
        relate(normal(3, 5, 4), normal(3, 2), one_each, lambda total: total + 1).tolist()
        == [[26.0, 26.0]] * 3
    )


@dtypes
@devices
def test_the_control_unit_is_attention_to_the_words(dtype, device):
    c, q, x = (normal(*s, seed=i, dtype=dtype).to(device) for i, s in enumerate([(2, 3), (2, 3), (2, 4, 3)]))
    W, w = normal(3, 6, seed=4, dtype=dtype).to(device), normal(3, seed=5, dtype=dtype).to(device)
    mask = torch.tensor([[True, True, False, False], [True] * 4], device=device)
    new, p = control_unit(c, q, x, mask, W, w)
    cq = F.linear(torch.cat([c, q], 1), W) * w
    theirs = F.scaled_dot_product_attention(cq[:, None], x, x, mask[:, None], scale=1.0)[:, 0]
    torch.testing.assert_close(new, theirs)
    torch.testing.assert_close(p.sum(1), torch.ones(2, dtype=dtype, device=device))
    assert (p[~mask] == 0).all()
    assert new.dtype == dtype


@dtypes
@devices
def test_the_read_unit_is_attention_to_the_things(dtype, device):
    m, k, c = (normal(*s, seed=i, dtype=dtype).to(device) for i, s in enumerate([(2, 3), (2, 5, 3), (2, 3)]))
    Wm, Wk, WI = (normal(*s, seed=9, dtype=dtype).to(device) for s in ((3, 3), (3, 3), (3, 6)))
    w = normal(3, seed=5, dtype=dtype).to(device)
    r, p = read_unit(m, k, c, Wm, Wk, WI, w)
    for b in range(2):
        scores = []
        for i in range(5):
            meeting = (Wm @ m[b]) * (Wk @ k[b, i])
            scores.append(w @ (c[b] * (WI @ torch.cat([meeting, k[b, i]]))))
        expected = torch.stack(scores).softmax(0)
        torch.testing.assert_close(p[b], expected)
        torch.testing.assert_close(r[b], expected @ k[b])


def test_the_write_unit_is_one_linear_layer():
    m, r, W = normal(4, 3), normal(4, 3, seed=1), normal(3, 6, seed=2)
    torch.testing.assert_close(write_unit(m, r, W), F.linear(torch.cat([r, m], 1), W))


@few
@given(st.integers(0, 1000))
def test_reasoning_looks_at_the_same_things_in_whatever_order_they_come(seed):
    torch.manual_seed(seed)
    model = StepByStep(3).double()
    seen, words = normal(2, 6, 42, seed=seed), torch.tensor([[1, 7, 14, 0, 0], [2, 8, 9, 14, 0]])
    order = torch.randperm(6, generator=torch.Generator().manual_seed(seed))
    logits, looks, thoughts = model(seen, words, reason)
    again, reordered, same = model(seen[:, order], words, reason)
    torch.testing.assert_close(logits, again)
    torch.testing.assert_close(looks[..., order], reordered)
    torch.testing.assert_close(thoughts, same)
    assert (thoughts[0, :, 3:] == 0).all()


def test_reasoning_is_control_read_write_again_and_again():
    torch.manual_seed(0)
    w = {name: value.detach().double() for name, value in StepByStep(2, dim=8).weights.items()}
    q, x, k = normal(3, 8), normal(3, 4, 8, seed=1), normal(3, 5, 8, seed=2)
    mask = torch.tensor([[True, True, False, False], [True] * 4, [True, True, True, False]])
    logits, looks, thoughts = reason(q, x, mask, k, w)
    c, m = (w[name][None].repeat(3, 1) for name in ("control", "memory"))
    for step, Q in enumerate(w["steps"]):
        c, thought = control_unit(c, F.linear(q, Q), x, mask, w["w_question"], w["w_word"])
        r, look = read_unit(m, k, c, w["w_memory"], w["w_knowledge"], w["w_merge"], w["w_thing"])
        m = write_unit(m, r, w["w_write"])
        torch.testing.assert_close(looks[:, step], look)
        torch.testing.assert_close(thoughts[:, step], thought)
    torch.testing.assert_close(logits, F.linear(F.linear(torch.cat([q, m], 1), w["v"]).relu(), w["u"]))


def test_every_weight_of_the_reasoner_has_a_gradient():
    torch.manual_seed(0)
    model = StepByStep(2)
    logits, _, _ = model(
        normal(3, 6, 42, dtype=torch.float32), torch.tensor([[1, 7, 14, 0, 0]]).expand(3, 5), reason
    )
    logits.square().sum().backward()
    for name, parameter in model.weights.items():
        assert parameter.grad.abs().sum() > 0, name


@pytest.fixture(scope="module")
def unseen():
    scenes = simulate_scenes(300, 77)
    return scenes, see(load_eyes(), scenes)


def accuracy(run, unseen, kinds):
    scenes, seen = unseen
    asked = simulate_questions(kinds, 600, 78, scenes)
    logits = run(seen[torch.from_numpy(asked.about)], torch.from_numpy(asked.words))
    return (logits.argmax(1) == torch.from_numpy(asked.answers)).float().mean().item()


@torch.no_grad()
def test_the_eyes_know_colour_and_shape(unseen):
    scenes, seen = unseen
    names = load_eyes().names(seen[..., : load_eyes().names.in_features])
    assert (names[..., :6].argmax(-1) == torch.from_numpy(scenes.colours)).float().mean() > 0.99
    assert (names[..., 6:].argmax(-1) == torch.from_numpy(scenes.shapes)).float().mean() > 0.99


@torch.no_grad()
def test_the_relation_network_relates(unseen):
    pairs, none = (
        load_trained(RelationNetwork(), "scene_relations"),
        load_trained(NoReasoning(), "scene_baseline"),
    )
    near_and_far = ("nearest_shape", "furthest_shape")
    assert accuracy(lambda seen, words: pairs(seen, words, relate), unseen, near_and_far) > 0.9
    assert accuracy(none, unseen, near_and_far) < 0.7
    assert accuracy(none, unseen, NON_RELATIONAL) > 0.95


@torch.no_grad()
def test_four_steps_answer_chains_and_one_step_does_not(unseen):
    four, one = (load_trained(StepByStep(n), f"scene_steps_{n}") for n in (4, 1))
    assert accuracy(lambda seen, words: four(seen, words, reason)[0], unseen, CHAINS) > 0.85
    assert accuracy(lambda seen, words: one(seen, words, reason)[0], unseen, CHAINS) < 0.35


@torch.no_grad()
def test_a_network_without_enough_steps_guesses_among_the_things_that_are_left(unseen):
    for steps in (1, 2, 3):
        network = load_trained(StepByStep(steps), f"scene_steps_{steps}")
        found = accuracy(lambda seen, words, n=network: n(seen, words, reason)[0], unseen, (f"chain{steps}",))
        assert found == pytest.approx(1 / (6 - steps), abs=0.1)


@torch.no_grad()
def test_steps_look_where_the_question_leads_only_when_they_were_shown_where(unseen):
    scenes, seen = unseen
    asked = simulate_questions(("chain3",), 300, 79, scenes)
    about, words = torch.from_numpy(asked.about), torch.from_numpy(asked.words)
    on_path = {}
    for name in ("scene_steps_4", "scene_steps_4_from_answers"):
        _, looks, _ = load_trained(StepByStep(4), name)(seen[about], words, reason)
        on_path[name] = (looks.argmax(2) == torch.from_numpy(asked.path)).all(1).float().mean()
    assert on_path["scene_steps_4"] > 0.75
    assert on_path["scene_steps_4_from_answers"] < 0.25
