"""What weighted automata, their Hankel tables and the strings they write promise."""

import itertools
import math

import graphviz
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from course.data import DataError
from course.data.strings import (
    all_words,
    lecture_automaton,
    load_pautomac,
    perplexity,
    random_automaton,
    read_model,
    read_solution,
    read_words,
    sample_words,
    spelled,
    write_model,
    write_solution,
    write_words,
)
from course.models.string_rnn import StringRNN, load_string_rnn
from course.show.distillation import automaton_graph
from solutions.automata import (
    change_basis,
    distill_rnn,
    hankel_blocks,
    name_states,
    ndcg,
    next_letter_values,
    prefix_value,
    spectral_automaton,
    word_value,
)

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
few = settings(max_examples=20, deadline=None)


def drawn(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def by_paths(automaton, word):
    """The value by definition: the sum over all paths of the products of their weights."""
    initial, final, transitions = automaton
    return sum(
        initial[path[0]]
        * math.prod(transitions[a][i, j] for a, i, j in zip(word, path, path[1:], strict=False))
        * final[path[-1]]
        for path in itertools.product(range(len(initial)), repeat=len(word) + 1)
    )


def learned(automaton, rank, letters, longest=1):
    words = all_words(letters, longest)
    return spectral_automaton(
        hankel_blocks(lambda word: word_value(automaton, word), words, words, letters), rank
    )


# ---- values


@pytest.mark.parametrize("word", [(), (0,), (1,), (0, 1), (1, 0, 0, 1)])
def test_a_words_value_is_the_sum_over_all_paths(word):
    automaton = drawn(3), drawn(3, seed=1), drawn(2, 3, 3, seed=2)
    torch.testing.assert_close(word_value(automaton, word), by_paths(automaton, word))


def test_the_lectures_words_have_the_lectures_values():
    automaton = lecture_automaton()
    assert float(word_value(automaton, ())) == 0
    assert float(word_value(automaton, (0,))) == pytest.approx(1 / 6 * 1 / 4)
    assert float(word_value(automaton, (0, 1))) == pytest.approx((1 / 2 * 1 / 3 + 1 / 6 * 1 / 4) / 4)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_cuda)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_keep_the_automatons_dtype_and_device(dtype, device):
    automaton = tuple(part.to(device, dtype) for part in lecture_automaton())
    for value in (
        word_value(automaton, (0, 1)),
        prefix_value(automaton, (1,)),
        next_letter_values(automaton, ()),
    ):
        assert value.dtype == dtype
        assert value.device.type == device


def test_a_prefix_is_worth_all_its_words():
    automaton = random_automaton(3, 2, seed=0, stop=0.7)
    words = [(1, 0, *rest) for rest in all_words(2, 9)]
    total = sum(float(word_value(automaton, word)) for word in words)
    assert float(prefix_value(automaton, (1, 0))) == pytest.approx(total, rel=1e-3)
    assert float(prefix_value(automaton, (1, 0))) > total
    assert float(prefix_value(lecture_automaton(), ())) == pytest.approx(1.0)


def test_words_that_do_not_add_up_are_refused():
    with pytest.raises(ValueError, match="add up"):
        prefix_value((torch.ones(1), torch.ones(1), torch.full((2, 1, 1), 0.5)), ())


def test_next_letters_are_the_probabilities_of_the_writing_automaton():
    automaton = random_automaton(3, 2, seed=4)
    values = next_letter_values(automaton, ())
    start = automaton[0]
    torch.testing.assert_close(values[:2], torch.stack([(start @ a).sum() for a in automaton[2]]))
    torch.testing.assert_close(values[2], start @ automaton[1])
    assert float(next_letter_values(automaton, (0, 1)).sum()) == pytest.approx(1.0)


# ---- Hankel and spectral learning


def test_hankel_tables_hold_the_values_of_prefix_letter_suffix():
    prefixes, suffixes = [(), (0,), (1, 1)], [(), (1,)]
    h, h_letters, h_p, h_s = hankel_blocks(
        lambda word: sum(10**i * (a + 1) for i, a in enumerate(word)), prefixes, suffixes, 2
    )
    assert h.dtype == torch.float64
    assert h.tolist() == [[0, 2], [1, 21], [22, 222]]
    assert h_letters[0].tolist() == [[1, 21], [11, 211], [122, 2122]]
    assert h_letters[1].tolist() == [[2, 22], [21, 221], [222, 2222]]
    assert h_p.tolist() == [0, 1, 22]
    assert h_s.tolist() == [0, 2]


def test_hankel_tables_take_any_letters():
    weights = dict(zip("ab", lecture_automaton()[2], strict=True))
    automaton = (*lecture_automaton()[:2], weights)
    tables = hankel_blocks(lambda word: word_value(automaton, word), ["", "a"], ["", "b"], "ab")
    numbers = hankel_blocks(lambda word: word_value(lecture_automaton(), word), [(), (0,)], [(), (1,)], 2)
    for one, other in zip(tables, numbers, strict=True):
        torch.testing.assert_close(one, other)


def test_hankel_tables_need_words():
    with pytest.raises(ValueError, match="prefix"):
        hankel_blocks(lambda word: 0.0, [], [()], 2)


def test_the_lectures_automaton_is_recovered_from_its_hankel_matrix():
    automaton = lecture_automaton()
    found = learned(automaton, 2, 2)
    words = all_words(2, 8)
    assert len(words) == 511
    assert max(float((word_value(found, w) - word_value(automaton, w)).abs()) for w in words) < 1e-8


@few
@given(st.integers(0, 1000))
def test_any_automaton_of_full_rank_is_recovered(seed):
    automaton = drawn(3, seed=seed), drawn(3, seed=seed + 1), drawn(2, 3, 3, seed=seed + 2) / 2
    found = learned(automaton, 3, 2, longest=2)
    words = all_words(2, 6)
    truth = torch.stack([word_value(automaton, w) for w in words])
    torch.testing.assert_close(
        torch.stack([word_value(found, w) for w in words]), truth, rtol=1e-4, atol=1e-7
    )


def test_a_smaller_automaton_is_an_approximation_that_gets_better_with_rank():
    automaton, words = random_automaton(5, 4, seed=12), all_words(4, 2)
    truth = {word: word_value(automaton, word) for word in all_words(4, 5)}
    blocks = hankel_blocks(truth.__getitem__, words, words, 4)
    smaller = [spectral_automaton(blocks, rank) for rank in (1, 3, 5)]
    errors = [sum(float((word_value(each, w) - truth[w]) ** 2) for w in all_words(4, 3)) for each in smaller]
    assert errors[0] > 4 * errors[1] > 1e12 * errors[2]


@pytest.mark.parametrize("rank", [0, 3])
def test_more_states_than_the_table_has_rank_are_refused(rank):
    with pytest.raises(ValueError, match="rank 2"):
        learned(lecture_automaton(), rank, 2)


def test_a_change_of_basis_changes_no_value_and_undoes_itself():
    automaton, q = lecture_automaton(), torch.tensor([[1.0, 2.0], [0.5, -1.0]]).double()
    changed = change_basis(automaton, q)
    for word in all_words(2, 4):
        torch.testing.assert_close(word_value(changed, word), word_value(automaton, word))
    for mine, theirs in zip(change_basis(changed, torch.linalg.inv(q)), automaton, strict=True):
        torch.testing.assert_close(mine, theirs)
    # a state of the new automaton is the mixture of old states that Q's row says
    torch.testing.assert_close(changed[1][0], q[0] @ automaton[1])


def test_a_basis_of_dependent_states_is_refused():
    with pytest.raises(ValueError, match="independent"):
        change_basis(lecture_automaton(), torch.ones(2, 2).double())


def test_named_states_bring_the_lectures_own_matrices_back():
    chosen, named = name_states(learned(lecture_automaton(), 2, 2), all_words(2, 3))
    assert chosen == [(), (1,)]
    for mine, theirs in zip(named, lecture_automaton(), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-9, rtol=0)


def test_named_states_of_a_distribution_sum_to_one():
    _, (initial, final, transitions) = name_states(random_automaton(5, 4, seed=12), all_words(4, 3))
    torch.testing.assert_close(final + transitions.sum((0, 2)), torch.ones(5).double())
    torch.testing.assert_close(initial.sum(), torch.tensor(1.0).double())


def test_states_that_no_prefix_tells_apart_are_refused():
    with pytest.raises(ValueError, match="1 of 2"):
        name_states(lecture_automaton(), [()])


# ---- the recurrent network


@pytest.fixture(scope="module")
def rnn():
    return load_string_rnn().double()


def test_the_rnns_word_probability_is_the_product_of_its_next_letters(rnn):
    words = [(), (2,), (2, 0, 1), (3, 3)]
    for word, value in zip(words, rnn.probability(words), strict=True):
        steps = [*word, rnn.letters]
        chances = [rnn.next_letters([word[:i]])[0][step] for i, step in enumerate(steps)]
        torch.testing.assert_close(value, torch.stack(chances).prod())


def test_the_rnn_is_untouched_by_padding():
    torch.manual_seed(0)
    model = StringRNN(3, hidden=5).double()
    alone = torch.cat([model.probability([word]) for word in [(), (1, 2, 0, 0)]])
    torch.testing.assert_close(model.probability([(), (1, 2, 0, 0)]), alone)


def test_the_distilled_automaton_says_what_the_rnn_says(rnn):
    asked = []

    def probability(words):
        asked.extend(words)
        return rnn.probability(words)

    words = all_words(4, 2)
    automaton = distill_rnn(probability, words, words, 4, 5)
    assert len(asked) == len(set(asked)) == len(all_words(4, 5))
    held_out = sorted(set(sample_words(random_automaton(5, 4, 12), 300, seed=9)))
    mine = torch.stack([word_value(automaton, w) for w in held_out])
    theirs = rnn.probability(held_out)
    assert float((mine - theirs).abs().sum() / theirs.sum()) < 0.1
    one_state = distill_rnn(rnn.probability, words, words, 4, 1)
    coarse = torch.stack([word_value(one_state, w) for w in held_out])
    assert (coarse - theirs).norm() > 5 * (mine - theirs).norm()


def test_the_distilled_automaton_is_the_one_that_wrote_the_words(rnn):
    """In the same five states, named after common prefixes, no weight is off by a tenth: what chapter 9 says."""
    writer, words = random_automaton(5, 4, 12), all_words(4, 2)
    chosen, named = name_states(distill_rnn(rnn.probability, words, words, 4, 5), words)
    again, basis = name_states(writer, chosen)
    order = [again.index(word) for word in chosen]
    assert float((named[2] - basis[2][:, order][:, :, order]).abs().max()) < 0.1
    assert float((named[1] - basis[1][order]).abs().max()) < 0.1


# ---- judging


def test_ndcg_agrees_with_scikit_learn():
    expected, predicted = drawn(6, 5).softmax(-1), drawn(6, 5, seed=1)
    for k in (1, 3, 5):
        theirs = ndcg_score(expected, predicted, k=k)
        assert float(ndcg(expected, predicted, k).mean()) == pytest.approx(theirs)
    assert float(ndcg(expected, expected.log(), 3).min()) == pytest.approx(1.0)


def test_ndcg_of_a_row_with_nothing_to_gain_is_zero_as_in_scikit_learn():
    expected, predicted = drawn(2, 5).softmax(-1), drawn(2, 5, seed=1)
    expected[1] = 0
    values = ndcg(expected, predicted, 3)
    assert values.dtype == expected.dtype
    assert float(values[0]) > 0
    assert float(values[1]) == 0 == ndcg_score(expected[1:], predicted[1:], k=3)


@pytest.mark.parametrize("k", [0, 6])
def test_ndcg_judges_at_most_as_many_places_as_there_are(k):
    with pytest.raises(ValueError, match="between 1 and the 5"):
        ndcg(torch.ones(5), torch.ones(5), k)


# ---- drawing


@pytest.mark.parametrize(
    "failure", [None, graphviz.ExecutableNotFound(["dot"]), graphviz.CalledProcessError(1, ["dot"])]
)
def test_an_automaton_is_drawn_with_or_without_graphviz(failure, monkeypatch, tmp_path):
    def pipe(*_, **__):
        raise failure

    if failure:
        monkeypatch.setattr(graphviz.Digraph, "pipe", pipe)
    monkeypatch.setenv("COURSE_PICTURES", str(tmp_path))
    automaton_graph(lecture_automaton(), alt="Two states.")
    automaton_graph(random_automaton(1, 2, seed=0), alt="One state.")
    assert [file.read_text() for file in sorted(tmp_path.glob("*.txt"))] == ["Two states.\n", "One state.\n"]


# ---- strings and their files


def test_a_random_automaton_is_probabilistic():
    for seed in range(5):
        initial, final, transitions = random_automaton(4, 3, seed)
        assert (transitions >= 0).all()
        assert (final > 0).all()
        torch.testing.assert_close(final + transitions.sum((0, 2)), torch.ones(4).double())
        assert float(prefix_value((initial, final, transitions), ())) == pytest.approx(1.0)


def test_written_words_come_as_often_as_their_value_says():
    automaton, count = lecture_automaton(), 20_000
    words = sample_words(automaton, count, seed=0)
    for word in [(0,), (1,), (0, 1), (1, 1, 0)]:
        p = float(word_value(automaton, word))
        assert abs(words.count(word) / count - p) < 5 * math.sqrt(p * (1 - p) / count)
    assert words == sample_words(automaton, count, seed=0)
    assert words != sample_words(automaton, count, seed=1)


def test_only_probabilistic_automata_write():
    initial, final, transitions = lecture_automaton()
    with pytest.raises(ValueError, match="sum to 1"):
        sample_words((initial, final, -transitions), 1, 0)


def test_all_words_are_all_and_short_ones_come_first():
    assert all_words(2, 2) == [(), (0,), (1,), (0, 0), (0, 1), (1, 0), (1, 1)]
    assert [spelled(word) for word in [(), (0, 1, 1), (26,)]] == ["ε", "abb", "[26]"]


MODEL = """I: (state)
\t(0) 0.75
\t(2) 0.25
F: (state)
\t(1) 0.5
S: (state,symbol)\x20
\t(0,0) 0.4
\t(0,1) 0.6
\t(1,1) 1.0
\t(2,0) 1.0
T: (state,symbol,state)\x20
\t(0,0,1) 1.0
\t(0,1,0) 0.3
\t(0,1,2) 0.7
\t(1,1,1) 1.0
\t(2,0,1) 1.0
\t(2,1,0) 1.0
"""


@pytest.fixture
def problem(tmp_path):
    (tmp_path / "3.pautomac_model.txt").write_text(MODEL)
    (tmp_path / "3.pautomac.train").write_text("3 2\n1 0\n2 1 0\n0\n")
    (tmp_path / "3.pautomac.test").write_text("2 2\n1 0\n3 1 0 1\n")
    (tmp_path / "3.pautomac_solution.txt").write_text("2\n0.8\n0.2\n")
    return tmp_path


def test_pautomacs_four_files_are_read(problem):
    train, test, letters, (initial, final, transitions), solution = load_pautomac(3, problem)
    assert train == [(0,), (1, 0), ()]
    assert test == [(0,), (1, 0, 1)]
    assert letters == 2
    assert initial.tolist() == [0.75, 0, 0.25]
    assert final.tolist() == [0, 0.5, 0]
    expected = torch.zeros(2, 3, 3).double()
    expected[0, 0, 1], expected[1, 0, 0], expected[1, 0, 2] = 0.4, 0.6 * 0.3, 0.6 * 0.7
    expected[1, 1, 1] = 0.5  # half of the words end in state 1
    expected[0, 2, 1] = 1.0  # and (2,1,0) is never taken: state 2 never writes letter 1
    torch.testing.assert_close(transitions, expected)
    assert solution.tolist() == [0.8, 0.2]


def test_what_is_written_is_read_again(tmp_path):
    automaton = random_automaton(4, 3, seed=1)
    words = [(), *sample_words(automaton, 20, seed=0)]
    values = torch.stack([word_value(automaton, word) for word in words])
    write_model(tmp_path / "m", automaton)
    write_words(tmp_path / "w", words, 3)
    write_solution(tmp_path / "s", values)
    for mine, theirs in zip(read_model(tmp_path / "m"), automaton, strict=True):
        torch.testing.assert_close(mine, theirs)
    assert read_words(tmp_path / "w") == (words, 3)
    torch.testing.assert_close(read_solution(tmp_path / "s"), values / values.sum())


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("3.pautomac.train", "2 2\n1 0\n", "promises 2 words and holds 1"),
        ("3.pautomac.train", "1 2\n2 0\n", "line 2"),
        ("3.pautomac.train", "1 2\n1 5\n", "line 2"),
        ("3.pautomac.train", "what\n", "no PAutomaC word file"),
        ("3.pautomac_solution.txt", "2\n0.5\n", "promises 2 probabilities"),
        ("3.pautomac_solution.txt", "2\na\nb\n", "no PAutomaC solution file"),
        ("3.pautomac_solution.txt", "1\n1.0\n", "2 test words of problem 3 and 1 solutions"),
        ("3.pautomac_model.txt", "0 1\n", "no PAutomaC model file"),
        ("3.pautomac_model.txt", MODEL.replace("0.75", "three"), "'\\(0\\) three' is not"),
        ("3.pautomac_model.txt", MODEL.replace("(0,0,1)", "(0,0)"), "'\\(0,0\\) 1.0' is not"),
        ("3.pautomac_model.txt", MODEL.replace("(0,0,1)", "(0,,1)"), "is not"),
        ("3.pautomac_model.txt", MODEL.replace("(1,1) ", "(1,7) "), "8 letters"),
        (
            "3.pautomac_model.txt",
            "I: (state)\n\t(0) 1.0\nT: (state,symbol,state)\n\t(0,0,0) 1.0\n",
            "S: or T:",
        ),
        ("3.pautomac_model.txt", "I: (state)\n\t(0) 1.0\n", "missing or empty"),
    ],
)
def test_damaged_files_are_named_with_what_is_wrong(problem, name, text, complaint):
    (problem / name).write_text(text)
    with pytest.raises(DataError, match=complaint):
        load_pautomac(3, problem)


def test_what_is_no_text_is_refused(problem):
    (problem / "3.pautomac.train").write_bytes(b"\x1f\x8b\x08\xff")
    with pytest.raises(DataError, match="no text"):
        load_pautomac(3, problem)


def test_without_the_files_the_reader_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match="random_automaton"):
        load_pautomac(3, tmp_path)


def test_perplexity_is_the_competitions():
    target, candidate = torch.tensor([0.5, 0.3, 0.2]).double(), torch.tensor([2.0, 1.0, 1.0]).double()
    expected = 2 ** -(0.5 * math.log2(0.5) + 0.3 * math.log2(0.25) + 0.2 * math.log2(0.25))
    assert perplexity(target, candidate) == pytest.approx(expected)
    assert perplexity(target, target) < perplexity(target, candidate)
    assert perplexity(target, torch.tensor([0.5, 0.5, 0.0])) == math.inf
    assert perplexity(target, torch.tensor([0.5, 0.5, -0.1]), floor=1e-9) < 1e4
    assert perplexity(target, torch.tensor([0.5, 0.5, -0.1])) == math.inf
    with pytest.raises(ValueError, match="nothing"):
        perplexity(target, torch.zeros(3))
