"""Memory networks hold against their closed forms, against attention, and against the quick way of training them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from course.data.stories import LECTURE_EXAMPLES, Lexicon, encode_examples, longest_sentence, simulate_stories
from course.models.memory_networks import (
    LECTURE_MEMORY,
    LECTURE_RECIPE,
    LECTURE_WORDS,
    Recipe,
    Restarts,
    bags_of,
    lecture_lexicon,
    lecture_state,
    measure,
    quick_logits,
    random_ages,
    train_restarts,
)
from solutions.memory_networks import (
    MemN2N,
    MemNN,
    clip_each_matrix,
    embed_sentences,
    hard_lookup,
    linear_hop,
    margin_ranking_loss,
    memory_hop,
    position_encoding,
    repeat_hops,
    write_memory,
)

few = settings(max_examples=15, deadline=None)
dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
devices = pytest.mark.parametrize(
    "device",
    ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA"))],
)
tyings = pytest.mark.parametrize("tying", ["adjacent", "layer-wise"])


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


# --- MemNN ---


@few
@given(st.integers(1, 5), st.integers(0, 12))
def test_the_memory_keeps_the_newest_sentences(slots, count):
    memory, age = torch.zeros(slots, 3), torch.full((slots,), -1)
    written = normal(count, 3)
    for x in written:
        memory, age = write_memory(memory, age, x)
    kept = min(slots, count)
    for a in range(kept):
        assert torch.equal(memory[(age == a).nonzero().item()], written[count - 1 - a].float())
    assert sorted(age.tolist()) == [-1] * (slots - kept) + list(range(kept))


def test_writing_leaves_the_old_memory_as_it_was():
    memory, age = torch.zeros(2, 3), torch.tensor([0, -1])
    write_memory(memory, age, torch.ones(3))
    assert memory.sum() == 0
    assert age.tolist() == [0, -1]


@few
@given(st.integers(0, 1000))
def test_a_hard_lookup_is_the_limit_of_a_soft_one(seed):
    query, memory, mask = (
        normal(4, 5, seed=seed),
        normal(4, 6, 5, seed=seed + 1),
        normal(4, 6, seed=seed + 2) > -0.5,
    )
    mask[:, 0] = True
    slot, read = hard_lookup(query, memory, mask)
    soft, weights = memory_hop(1e9 * query, memory, memory, mask)
    assert torch.equal(slot, weights.argmax(-1))
    torch.testing.assert_close(read, soft)
    assert mask.gather(1, slot[:, None]).all()


def test_looking_up_nothing_is_refused():
    with pytest.raises(ValueError, match="nothing to look up"):
        hard_lookup(torch.ones(1, 2), torch.ones(1, 3, 2), torch.zeros(1, 3, dtype=torch.bool))


@few
@given(st.integers(0, 1000), st.floats(0.1, 2))
def test_the_ranking_loss_is_torchs_multi_margin_loss_times_the_candidates(seed, margin):
    scores, correct = normal(6, 5, seed=seed), torch.arange(6) % 5
    theirs = F.multi_margin_loss(scores, correct, margin=margin) * 5
    torch.testing.assert_close(margin_ranking_loss(scores, correct, margin), theirs)


def test_the_ranking_loss_ends_where_the_right_one_wins_by_the_margin():
    scores = torch.tensor([[1.0, 0.2, 0.0]], requires_grad=True)
    assert margin_ranking_loss(scores, torch.tensor([0]), 0.5) == 0
    loss = margin_ranking_loss(scores, torch.tensor([0]), 0.9)
    (gradient,) = torch.autograd.grad(loss, scores)
    assert gradient.tolist() == [[-1.0, 1.0, 0.0]]


def test_memnn_learns_to_look_up_supporting_facts():
    examples = [e for e in simulate_stories("one_fact", 300, 1) if len(e.sentences) <= 8]
    lexicon = Lexicon.of(examples)
    data = encode_examples(examples, lexicon, 8, longest_sentence(examples))
    slot = torch.tensor([len(e.sentences) - 1 - e.support[0] for e in examples])
    support = torch.stack([slot, slot], dim=1)
    model = MemNN(len(lexicon), 16, 8, torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(80):
        optimizer.zero_grad()
        model.loss(data.stories, data.questions, support, data.answers, 0.1).backward()
        optimizer.step()
    scores, slots = model(data.stories, data.questions)
    assert (slots == support).float().mean() > 0.95
    assert (scores.argmax(1) == data.answers).float().mean() > 0.95


# --- MemN2N ---


@few
@given(st.integers(1, 9), st.integers(1, 9))
def test_position_encoding_is_the_papers_formula(J, d):
    for j in range(1, J + 1):
        for k in range(1, d + 1):
            expected = (1 - j / J) - (k / d) * (1 - 2 * j / J)
            assert position_encoding(J, d)[j - 1, k - 1] == pytest.approx(expected, abs=1e-6)


def test_position_encoding_has_rank_two():
    assert torch.linalg.matrix_rank(position_encoding(7, 20).double(), atol=1e-5) == 2


@dtypes
def test_embedding_sums_the_words_that_are_there(dtype):
    table, encoding = normal(9, 4, dtype=dtype), normal(3, 4, seed=1, dtype=dtype)
    tokens = torch.tensor([[[3, 5, 0], [0, 0, 0]], [[8, 8, 2], [1, 0, 0]]])
    embedded = embed_sentences(tokens, table, encoding)
    assert embedded.dtype == dtype
    torch.testing.assert_close(embedded[0, 0], table[3] * encoding[0] + table[5] * encoding[1])
    assert (embedded[0, 1] == 0).all()
    torch.testing.assert_close(
        embedded[1, 0], table[8] * (encoding[0] + encoding[1]) + table[2] * encoding[2]
    )


@dtypes
@devices
def test_a_hop_is_attention_without_scaling(dtype, device):
    u, m, c = (normal(*s, dtype=dtype).to(device) for s in ((2, 3, 4), (2, 3, 5, 4), (2, 3, 5, 6)))
    mask = torch.tensor([True, False, True, True, False], device=device).expand(2, 3, 5)
    o, p = memory_hop(u, m, c, mask)
    theirs = F.scaled_dot_product_attention(u[..., None, :], m, c, mask[..., None, :], scale=1.0)[..., 0, :]
    torch.testing.assert_close(o, theirs)
    assert (p[~mask] == 0).all()
    torch.testing.assert_close(p.sum(-1), torch.ones(2, 3, dtype=dtype, device=device))


def test_an_empty_memory_gives_zero_not_nan():
    o, p = memory_hop(normal(2, 3), normal(2, 4, 3), normal(2, 4, 3), torch.zeros(2, 4, dtype=torch.bool))
    assert (o == 0).all()
    assert (p == 0).all()


def test_a_linear_hop_is_bilinear():
    u, m, c = normal(3), normal(5, 3, seed=1), normal(5, 3, seed=2)
    o, p = linear_hop(u, m, c)
    torch.testing.assert_close(o, c.T @ m @ u)
    torch.testing.assert_close(linear_hop(2 * u, m, c)[0], 2 * o)
    torch.testing.assert_close(p, m @ u)


def test_repeated_hops_carry_query_and_output_on():
    u, m, c = normal(2, 3), normal(4, 2, 5, 3, seed=1), normal(4, 2, 5, 3, seed=2)
    mask, H = torch.ones(2, 5, dtype=torch.bool), normal(3, 3, seed=3)
    last, weights = repeat_hops(memory_hop, u, m, c, mask, H)
    expected = u
    for k in range(4):
        o, p = memory_hop(expected, m[k], c[k], mask)
        torch.testing.assert_close(weights[:, k], p)
        expected = (H @ expected.T).T + o
    torch.testing.assert_close(last, expected)


@few
@given(st.floats(0.1, 100))
def test_clipping_shortens_each_matrix_by_itself(limit):
    gradients = [normal(4, 3), 50 * normal(2, 2, seed=1), torch.zeros(3, 3)]
    before = [g.clone() for g in gradients]
    clipped = clip_each_matrix(gradients, limit)
    for old, g, new in zip(before, gradients, clipped, strict=True):
        assert torch.equal(old, g)
        assert new.norm() <= limit * (1 + 1e-6)
        torch.testing.assert_close(new * old.norm(), old * new.norm())
        if old.norm() <= limit:
            assert torch.equal(new, old)


def small_data(task="two_facts", count=40):
    examples = simulate_stories(task, count, 3)
    lexicon = Lexicon.of(examples)
    return encode_examples(examples, lexicon, 30, longest_sentence(examples)), len(lexicon)


@tyings
@pytest.mark.parametrize("linear", [False, True])
def test_the_quick_way_computes_what_memn2n_computes(tying, linear):
    data, vocabulary = small_data()
    recipe = Recipe(restarts=2, dim=6, hops=3, tying=tying, epochs=2, linear_epochs=1)
    trained = train_restarts(data, vocabulary, recipe, torch.Generator().manual_seed(0))
    ages = torch.arange(30).expand(40, 30)
    quick = quick_logits(
        trained.parameters, bags_of(data, vocabulary), torch.arange(40), ages, recipe, linear
    )
    for restart in range(2):
        model = MemN2N(vocabulary, 6, 3, 30, tying)
        model.load_state_dict(trained.state(restart))
        model.linear_start = linear
        torch.testing.assert_close(
            model(data.stories, data.questions)[0], quick[restart], atol=1e-4, rtol=1e-4
        )


def test_a_quick_step_is_a_step_along_the_clipped_gradient_of_memn2n():
    """One epoch of one batch, without noise: the same weights as the plain network with the plain recipe."""
    data, vocabulary = small_data()
    recipe = Recipe(restarts=1, dim=6, epochs=1, linear_epochs=0, batch=40, clip=0.5, empty=0.0, rate=0.1)
    trained = train_restarts(data, vocabulary, recipe, torch.Generator().manual_seed(0))
    still = train_restarts(data, vocabulary, recipe._replace(rate=0.0), torch.Generator().manual_seed(0))
    model = MemN2N(vocabulary, 6, 3, 30)
    model.load_state_dict(still.state(0))
    F.cross_entropy(model(data.stories, data.questions)[0], data.answers, reduction="sum").backward()
    for name, parameter in model.named_parameters():
        for now, before, gradient in zip(
            trained.state(0)[name], still.state(0)[name], parameter.grad, strict=True
        ):
            (clipped,) = clip_each_matrix([gradient], 0.5)
            torch.testing.assert_close(now, before - 0.1 * clipped, atol=1e-5, rtol=1e-4)


@tyings
@dtypes
@devices
def test_memn2n_attends_only_to_sentences(tying, dtype, device):
    data, vocabulary = small_data()
    model = MemN2N(vocabulary, 8, 2, 30, tying, torch.Generator().manual_seed(0)).to(device, dtype)
    logits, attention = model(data.stories.to(device), data.questions.to(device))
    assert logits.shape == (40, vocabulary)
    assert attention.shape == (40, 2, 30)
    assert logits.dtype == dtype
    there = (data.stories != 0).any(-1)[:, None].expand_as(attention).to(device)
    assert (attention[~there] == 0).all()
    torch.testing.assert_close(attention.sum(-1), torch.ones(40, 2, dtype=dtype, device=device))


@tyings
def test_memn2n_answers_each_story_as_if_it_were_alone(tying):
    data, vocabulary = small_data()
    model = MemN2N(vocabulary, 8, 3, 30, tying, torch.Generator().manual_seed(0)).double()
    together = model(data.stories, data.questions)[0]
    alone = model(data.stories[7:8, :25], data.questions[7:8])[0]
    torch.testing.assert_close(together[7:8], alone)


def test_memn2n_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="tying must be"):
        MemN2N(9, 4, 2, 5, "tight")
    with pytest.raises(ValueError, match="holds 5 sentences, the stories have 6"):
        MemN2N(9, 4, 2, 5)(torch.ones(1, 6, 3, dtype=torch.long), torch.ones(1, 3, dtype=torch.long))


def test_random_empty_memories_keep_the_order_and_spare_the_empty_slots():
    data, vocabulary = small_data()
    stories = bags_of(data, vocabulary).stories
    ages = random_ages(stories, 0.5, torch.Generator().manual_seed(0))
    for row, age in zip(stories, ages, strict=True):
        told = age[: int((row != 0).sum())]
        assert (told.diff()[told[1:] < 29] > 0).all()
    assert (ages > torch.arange(30)).any()
    assert torch.equal(random_ages(stories, 0.0, torch.Generator()), torch.arange(30).expand(40, 30))


def test_the_best_restart_is_chosen_by_training_loss_or_by_training_error():
    trained = Restarts({}, torch.tensor([0.3, 0.1, 0.4, 0.2]), torch.tensor([0.0, 0.5, 0.0, 0.1]))
    assert trained.best == 1
    assert trained.best_by_error == 0, "among equal errors the loss decides"


def test_training_learns_the_easiest_task():
    train, held_out = simulate_stories("one_fact", 400, 1), simulate_stories("one_fact", 200, 2)
    lexicon, words = Lexicon.of(train + held_out), longest_sentence(train)
    data, unseen = (encode_examples(examples, lexicon, 14, words) for examples in (train, held_out))
    recipe = Recipe(restarts=3, epochs=30, linear_epochs=5, halve_every=10)
    trained = train_restarts(data, len(lexicon), recipe, torch.Generator().manual_seed(0))
    _, error = measure(trained.parameters, unseen, len(lexicon), recipe)
    assert error[trained.best] < 0.1


def test_the_lectures_story_is_answered_with_its_supporting_facts():
    lexicon = lecture_lexicon()
    model = MemN2N(len(lexicon), LECTURE_RECIPE.dim, LECTURE_RECIPE.hops, LECTURE_MEMORY)
    model.load_state_dict(lecture_state())
    data = encode_examples(LECTURE_EXAMPLES, lexicon, LECTURE_MEMORY, LECTURE_WORDS)
    logits, attention = model(data.stories, data.questions)
    assert [lexicon.words[i] for i in logits.argmax(1)] == ["office", "bathroom", "kitchen"]
    for example, hops in zip(LECTURE_EXAMPLES, attention, strict=True):
        newest_first = [len(example.sentences) - 1 - fact for fact in example.support]
        assert hops[:, newest_first[-1]].max() > 0.5  # the fact that names the answer is read
