"""Scenes hold what they promise, and their questions are answered as geometry says."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course.data.scenes import (
    ANSWERS,
    APART,
    COLOURS,
    KINDS,
    MARGIN,
    RADIUS,
    RELATIONS,
    RGB,
    SHAPES,
    SIZE,
    WORDS,
    glimpses,
    render,
    sentence_of,
    simulate_questions,
    simulate_scenes,
)

few = settings(max_examples=6, deadline=None)
seeds = st.integers(0, 10**6)


@few
@given(seeds)
def test_things_lie_apart_inside_the_picture_and_each_colour_is_there_once(seed):
    scenes = simulate_scenes(20, seed)
    distance = np.linalg.norm(scenes.positions[:, :, None] - scenes.positions[:, None], axis=-1)
    assert (distance + 99 * np.eye(6)).min() >= APART
    assert scenes.positions.min() >= RADIUS
    assert scenes.positions.max() <= SIZE - RADIUS
    assert (np.sort(scenes.colours, axis=1) == np.arange(6)).all()
    again = simulate_scenes(20, seed)
    assert all((a == b).all() for a, b in zip(scenes, again, strict=True))


def test_pictures_show_each_colour_at_its_place():
    scenes = simulate_scenes(5, 0)
    pictures = render(scenes)
    assert pictures.shape == (5, 3, SIZE, SIZE)
    for n in range(5):
        for (x, y), colour in zip(scenes.positions[n], scenes.colours[n], strict=True):
            np.testing.assert_allclose(pictures[n, :, int(y), int(x)], RGB[colour], atol=1e-6)
    seen = glimpses(pictures, scenes.positions)
    for n in range(5):
        for thing, colour in enumerate(scenes.colours[n]):
            np.testing.assert_allclose(seen[n, thing, :, 7, 7], RGB[colour], atol=1e-6)


def walk(scenes, n, thing, relation):
    """The thing that a relation leads to, by plain loops."""
    x, y = scenes.positions[n].T
    others = [i for i in range(6) if i != thing]
    far = {i: float(np.hypot(x[i] - x[thing], y[i] - y[thing])) for i in others}
    ahead = {"left": x[thing] - x, "right": x - x[thing], "above": y[thing] - y, "below": y - y[thing]}
    if relation == "nearest":
        return min(others, key=far.get)
    if relation == "furthest":
        return max(others, key=far.get)
    return min((i for i in others if ahead[relation][i] > 0), key=lambda i: ahead[relation][i])


@few
@given(seeds)
def test_answers_follow_from_the_geometry(seed):
    asked = simulate_questions(KINDS, 60, seed)
    assert len(asked.answers) == 60
    for row in range(60):
        n, words = int(asked.about[row]), [WORDS[w] for w in asked.words[row] if w]
        thing = list(asked.scenes.colours[n]).index(COLOURS.index(words[0]))
        path = [thing]
        for relation in words[1:-1]:
            thing = walk(asked.scenes, n, thing, relation)
            path.append(thing)
        assert [p for p in asked.path[row] if p >= 0] == path
        x, y = asked.scenes.positions[n, thing]
        shapes = asked.scenes.shapes[n]
        expected = {
            "shape": SHAPES[shapes[thing]],
            "colour": COLOURS[asked.scenes.colours[n, thing]],
            "left half": "yes" if x < SIZE / 2 else "no",
            "upper half": "yes" if y < SIZE / 2 else "no",
            "how many": str((shapes == shapes[thing]).sum()),
        }[words[-1]]
        assert asked.answer(row) == expected


@few
@given(seeds)
def test_competing_distances_differ_visibly(seed):
    asked = simulate_questions(("nearest_shape", "furthest_shape"), 40, seed)
    for row in range(40):
        n, start, end = int(asked.about[row]), *asked.path[row, :2]
        away = np.linalg.norm(asked.scenes.positions[n] - asked.scenes.positions[n, start], axis=1)
        rivals = np.delete(away, [start, end])
        assert (abs(rivals - away[end]) >= MARGIN).all()


@few
@given(seeds)
def test_a_chain_visits_another_thing_with_every_relation(seed):
    asked = simulate_questions(("chain2", "chain3"), 40, seed)
    for path in asked.path:
        visited = [thing for thing in path if thing >= 0]
        assert len(set(visited)) == len(visited)


def test_scenes_in_which_nothing_can_be_asked_are_refused():
    heap = simulate_scenes(1, 0)._replace(positions=np.full((1, 6, 2), 32.0))
    with pytest.raises(ValueError, match="no clear question of the kind nearest_shape"):
        simulate_questions(("shape", "nearest_shape"), 4, 0, heap)


def test_kinds_are_asked_equally_often_and_answers_are_no_give_away():
    asked = simulate_questions(KINDS, 2700, 0, simulate_scenes(500, 1))
    assert (np.bincount(asked.kinds) == 300).all()
    for kind in range(len(KINDS)):
        answers = np.bincount(asked.answers[asked.kinds == kind], minlength=len(ANSWERS))
        assert answers.max() < 0.62 * answers.sum()


def test_questions_read_like_questions():
    assert sentence_of(["red", "nearest", "left", "colour"]) == (
        "What colour is the thing left of the thing nearest to the red thing?"
    )
    assert set(RELATIONS) < set(WORDS)
    with pytest.raises(ValueError, match="no such kinds"):
        simulate_questions(("why",), 3, 0)


def test_equal_seeds_ask_equal_questions():
    one, other = (simulate_questions(KINDS, 30, 5) for _ in range(2))
    assert all((a == b).all() for a, b in zip(one[1:], other[1:], strict=True))
    assert torch.equal(render(one.scenes), render(other.scenes))
