"""Scenes of coloured things, and questions about them that take no, one or several steps of reasoning.

In the manner of Sort-of-CLEVR (Santoro et al., 2017): six things of six colours, each a square, a circle or a
triangle, lie on a small picture. A question starts at one of them ("the red thing"), follows relations ("the thing
left of the thing nearest to the red thing") and asks for something. A question is asked only when its answer is
clear to the eye: competing distances differ by at least MARGIN pixels. And it never comes back to a thing where it has
been: else "the thing left of the thing right of the red thing" could be answered without looking around.

    >>> questions = simulate_questions(("chain2",), count=3, seed=0)
    >>> questions.sentence(0), questions.answer(0)     # doctest: +SKIP
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

SIZE = 64  # of the picture, in pixels
RADIUS = 5.0
APART = 13.0  # the least distance of two things' centres
MARGIN = 2.0
GLIMPSE = 14  # a thing's window, in pixels
PATIENCE = 50  # rounds of drawing in vain before a kind of question is given up

COLOURS = ("red", "green", "blue", "orange", "grey", "yellow")
RGB = np.array(
    [
        [0.84, 0.15, 0.16],
        [0.0, 0.62, 0.45],
        [0.0, 0.35, 0.75],
        [0.95, 0.55, 0.1],
        [0.45, 0.45, 0.45],
        [0.94, 0.89, 0.26],
    ]
)
SHAPES = ("square", "circle", "triangle")
RELATIONS = {
    "nearest": "nearest to",
    "furthest": "furthest from",
    "left": "left of",
    "right": "right of",
    "above": "above",
    "below": "below",
}
ASKS = ("shape", "colour", "left half", "upper half", "how many")
PADDING = "<pad>"
WORDS = (PADDING, *COLOURS, *RELATIONS, *ASKS)
ANSWERS = (*SHAPES, *COLOURS, "yes", "no", "1", "2", "3", "4", "5", "6")
LENGTH = 5  # words of the longest question: a colour, three relations, what is asked

NON_RELATIONAL = ("shape", "left_half", "upper_half")
RELATIONAL = ("nearest_shape", "furthest_shape", "how_many")
CHAINS = ("chain1", "chain2", "chain3")
KINDS = (*NON_RELATIONAL, *RELATIONAL, *CHAINS)


class Scenes(NamedTuple):
    """Where things lie (x to the right, y downwards, in pixels), and their colours and shapes by number."""

    positions: np.ndarray  # (scenes, things, 2)
    colours: np.ndarray  # (scenes, things)
    shapes: np.ndarray  # (scenes, things)

    def take(self, rows: np.ndarray | Sequence[int]) -> "Scenes":
        """Some of the scenes."""
        return Scenes(*(part[rows] for part in self))


class Questions(NamedTuple):
    """Questions about scenes.

    about: the scene that each question is about.
    words: numbers into WORDS, from the inside out, as one has to think: the colour to start at, the relations in the
    order in which they are followed, what is asked; then padding. path: the thing reached after each relation,
    starting with the first thing; -1 afterwards.
    """

    scenes: Scenes
    about: np.ndarray  # (questions,), rows of scenes
    words: np.ndarray  # (questions, LENGTH)
    answers: np.ndarray  # (questions,), numbers into ANSWERS
    kinds: np.ndarray  # (questions,), numbers into KINDS
    path: np.ndarray  # (questions, 4)

    def sentence(self, row: int) -> str:
        """The question as a person would ask it."""
        return sentence_of([WORDS[w] for w in self.words[row] if w])

    def answer(self, row: int) -> str:
        return ANSWERS[self.answers[row]]


def sentence_of(words: Sequence[str]) -> str:
    """A question's words, from the inside out, as a sentence."""
    colour, *relations, asked = words
    thing = f"the {colour} thing"
    for relation in relations:
        thing = f"the thing {RELATIONS[relation]} {thing}"
    return {
        "shape": f"What shape is {thing}?",
        "colour": f"What colour is {thing}?",
        "left half": f"Is {thing} in the left half?",
        "upper half": f"Is {thing} in the upper half?",
        "how many": f"How many things have the shape of {thing}?",
    }[asked]


# --- Scenes ----------------------------------------------------------------------------------------------------------


def simulate_scenes(count: int, seed: int) -> Scenes:
    """Random scenes of six things that do not touch; equal seeds give equal scenes."""
    return _scenes(count, np.random.default_rng(seed))


def _scenes(count: int, rng: np.random.Generator) -> Scenes:
    things = len(COLOURS)
    low, high = RADIUS + 2, SIZE - RADIUS - 2
    positions = rng.uniform(low, high, (count, things, 2))
    while True:
        distance = np.linalg.norm(positions[:, :, None] - positions[:, None], axis=-1) + 1e3 * np.eye(things)
        touching = distance.min(axis=2) < APART  # move only the things that touch another one
        if not touching.any():
            break
        positions[touching] = rng.uniform(low, high, (int(touching.sum()), 2))
    colours = rng.permuted(np.tile(np.arange(things), (count, 1)), axis=1)
    return Scenes(positions, colours, rng.integers(len(SHAPES), size=(count, things)))


def render(scenes: Scenes) -> Float[Tensor, "scenes 3 size size"]:
    """Pictures of the scenes, RGB in [0, 1]."""
    count = len(scenes.positions)
    pictures = np.full((count, SIZE, SIZE, 3), 0.95, dtype=np.float32)
    axis = np.arange(SIZE) + 0.5
    for thing in range(scenes.positions.shape[1]):
        x = axis[None, None, :] - scenes.positions[:, thing, 0, None, None]
        y = axis[None, :, None] - scenes.positions[:, thing, 1, None, None]
        inside = np.select(
            [(scenes.shapes[:, thing] == s)[:, None, None] for s in range(len(SHAPES))],
            [
                np.maximum(abs(x), abs(y)) <= 0.88 * RADIUS,
                x**2 + y**2 <= RADIUS**2,
                (y <= 0.8 * RADIUS) & (2 * abs(x) <= 1.1 * RADIUS + y),
            ],
        )
        pictures = np.where(
            inside[..., None], RGB[scenes.colours[:, thing]][:, None, None].astype(np.float32), pictures
        )
    return torch.from_numpy(pictures.transpose(0, 3, 1, 2).copy())


def glimpses(
    pictures: Float[Tensor, "scenes 3 size size"], positions: np.ndarray
) -> Float[Tensor, "scenes things 3 glimpse glimpse"]:
    """Each thing's window of the picture, as an object detector would hand it on."""
    corner = torch.from_numpy(np.rint(positions).astype(np.int64)) - GLIMPSE // 2
    steps = torch.arange(GLIMPSE)
    x = (corner[..., 0, None] + steps).clamp(0, SIZE - 1)[:, :, None, :]
    y = (corner[..., 1, None] + steps).clamp(0, SIZE - 1)[:, :, :, None]
    rows = torch.arange(len(pictures))[:, None, None, None]
    return pictures.permute(0, 2, 3, 1)[rows, y, x].permute(0, 1, 4, 2, 3).contiguous()


# --- Questions -------------------------------------------------------------------------------------------------------


def follow_relations(scenes: Scenes) -> dict[str, np.ndarray]:
    """For every relation and thing, the thing that it leads to; -1 where there is none or the eye could not tell.

    "Left of" means the next thing to the left, however high or low it lies; likewise for right, above and below.
    """
    x, y = scenes.positions[..., 0], scenes.positions[..., 1]
    same = np.eye(x.shape[1], dtype=bool)
    distance = np.linalg.norm(scenes.positions[:, :, None] - scenes.positions[:, None], axis=-1)
    to_left, to_top = x[:, :, None] - x[:, None, :], y[:, :, None] - y[:, None, :]
    return {
        "nearest": _clearest(np.where(same, np.inf, distance)),
        "furthest": _clearest(np.where(same, np.inf, -distance)),
        "left": _next(to_left),
        "right": _next(-to_left),
        "above": _next(to_top),
        "below": _next(-to_top),
    }


def _clearest(cost: np.ndarray) -> np.ndarray:
    """The thing of least cost; -1 where another one comes within MARGIN of it, or all costs are infinite."""
    best, second = np.partition(cost, 1, axis=2)[..., :2].transpose(2, 0, 1)
    with np.errstate(invalid="ignore"):
        clear = np.isfinite(best) & (second - best >= MARGIN)
    return np.where(clear, cost.argmin(axis=2), -1)


def _next(ahead: np.ndarray) -> np.ndarray:
    """The thing the least distance ahead; -1 where another one is level with the starting thing."""
    found = _clearest(np.where(ahead > 0, ahead, np.inf))
    level = (abs(ahead) < MARGIN).sum(axis=2) > 1  # itself is always level
    return np.where(level, -1, found)


def simulate_questions(
    kinds: Sequence[str], count: int, seed: int, scenes: Scenes | None = None
) -> Questions:
    """Clear questions of some kinds (see KINDS; equally many of each), about `scenes` or about scenes of their own.

    Raises ValueError for an unknown kind, and when the scenes hold no clear question of a kind.
    """
    if unknown := set(kinds) - set(KINDS):
        raise ValueError(
            f"no such kinds of question: {', '.join(sorted(unknown))}; choose from {', '.join(KINDS)}"
        )
    rng = np.random.default_rng(seed)
    scenes = _scenes(count, rng) if scenes is None else scenes
    leads_to = np.stack(list(follow_relations(scenes).values()), axis=1)
    clear: list[Questions] = []
    for number, kind in enumerate(kinds):
        wanted, in_vain = len(range(number, count, len(kinds))), 0
        while wanted > 0:
            about = rng.integers(len(scenes.positions), size=3 * wanted + 20)
            asked = _ask(kind, scenes, about, leads_to, rng)
            clear.append(_rows(asked, np.flatnonzero(asked.answers >= 0)[:wanted]))
            found = len(clear[-1].answers)
            wanted, in_vain = wanted - found, 0 if found else in_vain + 1
            if in_vain == PATIENCE:
                raise ValueError(f"These scenes hold no clear question of the kind {kind}: take more scenes.")
    parts = (np.concatenate(part) for part in zip(*(questions[1:] for questions in clear), strict=True))
    return _rows(Questions(scenes, *parts), rng.permutation(count))


def _rows(questions: Questions, rows: np.ndarray) -> Questions:
    return Questions(questions.scenes, *(part[rows] for part in questions[1:]))


def _ask(
    kind: str, pool: Scenes, about: np.ndarray, leads_to: np.ndarray, rng: np.random.Generator
) -> Questions:
    """One question of a kind about each of these scenes; the answer is -1 where it would not be clear."""
    scenes, leads_to = pool.take(about), leads_to[about]
    count, things = scenes.colours.shape
    every, relations = np.arange(count), list(RELATIONS)
    path = np.full((count, 4), -1)
    path[:, 0] = rng.integers(things, size=count)
    words = np.zeros((count, LENGTH), dtype=np.int64)
    words[:, 0] = WORDS.index(COLOURS[0]) + scenes.colours[every, path[:, 0]]
    steps = int(kind[-1]) if kind in CHAINS else int(kind in ("nearest_shape", "furthest_shape"))
    for step in range(steps):
        fixed = np.full(count, 0 if kind in CHAINS else relations.index(kind.removesuffix("_shape")))
        relation = rng.integers(len(relations), size=count) if kind in CHAINS else fixed
        words[:, step + 1] = WORDS.index(relations[0]) + relation
        reached = leads_to[every, relation, path[:, step]]
        again = (path[:, : step + 1] == reached[:, None]).any(axis=1)
        path[:, step + 1] = np.where((path[:, step] < 0) | again, -1, reached)
    end = path[:, steps]
    shape, colour = scenes.shapes[every, end], scenes.colours[every, end]
    x, y = scenes.positions[every, end].T
    asked, answer = {
        "left_half": ("left half", _yes_no(x)),
        "upper_half": ("upper half", _yes_no(y)),
        "how_many": ("how many", ANSWERS.index("1") - 1 + (scenes.shapes == shape[:, None]).sum(axis=1)),
    }.get(kind, ("colour", ANSWERS.index(COLOURS[0]) + colour) if kind in CHAINS else ("shape", shape))
    words[:, steps + 1] = WORDS.index(asked)
    return Questions(
        pool, about, words, np.where(end < 0, -1, answer), np.full(count, KINDS.index(kind)), path
    )


def _yes_no(coordinate: np.ndarray) -> np.ndarray:
    """Whether a thing lies in the first half; -1 too near to the middle."""
    answer = np.where(coordinate < SIZE / 2, ANSWERS.index("yes"), ANSWERS.index("no"))
    return np.where(abs(coordinate - SIZE / 2) < MARGIN, -1, answer)


class SceneTensors(NamedTuple):
    """Scenes as a network sees them; positions are scaled to [-1, 1]."""

    glimpses: Float[Tensor, "scenes things 3 glimpse glimpse"]
    positions: Float[Tensor, "scenes things 2"]


def encode_scenes(scenes: Scenes) -> SceneTensors:
    """Render scenes and cut out the glimpse of each thing."""
    seen = glimpses(render(scenes), scenes.positions)
    return SceneTensors(seen, torch.from_numpy(scenes.positions / SIZE * 2 - 1).float())
