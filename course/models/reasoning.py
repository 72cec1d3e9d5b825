"""Networks that answer questions about scenes. What a student writes is handed to them as an argument.

`Eyes` are trained first, to name colour and shape of what they glimpse, and stay as they are afterwards: `see` turns
each thing of a scene into a vector, once. `Ears` turn the words of a question into vectors. Between them and the
answer: nothing but a dense network (`NoReasoning`), a relation network (`RelationNetwork`, with the student's
`relate`) or reasoning step by step (`StepByStep`, with `reason`).
"""

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from course.data.scenes import ANSWERS, COLOURS, GLIMPSE, LENGTH, SHAPES, WORDS, Scenes, encode_scenes
from course.models.checkpoints import load_checkpoint

LOOKS, WAVES, DIM = 24, 4, 64
SEEN = LOOKS + 2 + 4 * WAVES


class Eyes(nn.Module):
    """A small convolution network that looks at one glimpse, and learns by naming its colour and its shape."""

    def __init__(self):
        super().__init__()
        side = GLIMPSE // 2 // 2
        self.looks = nn.Sequential(
            nn.Conv2d(3, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(12, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(16 * side * side, LOOKS), nn.Tanh(),
        )  # fmt: skip
        self.names = nn.Linear(LOOKS, len(COLOURS) + len(SHAPES))

    def forward(self, glimpses: Float[Tensor, "n 3 glimpse glimpse"]) -> Float[Tensor, "n names"]:
        """Logits of the six colours, then of the three shapes."""
        return self.names(self.looks(glimpses))


def load_eyes() -> Eyes:
    """The trained eyes, in eval mode."""
    eyes = Eyes()
    eyes.load_state_dict(load_checkpoint("scene_eyes"))
    return eyes.eval()


@torch.no_grad()
def see(eyes: Eyes, scenes: Scenes) -> Float[Tensor, "scenes things seen"]:
    """What is seen of each thing: its looks, where it lies, and waves of several lengths over its place."""
    seen = []
    for start in range(0, len(scenes.positions), 1000):
        part = encode_scenes(scenes.take(range(start, min(start + 1000, len(scenes.positions)))))
        looks = eyes.looks(part.glimpses.flatten(0, 1)).unflatten(0, part.glimpses.shape[:2])
        waves = part.positions[..., None] * (math.pi / 4 * 2.0 ** torch.arange(WAVES))
        where = torch.cat([waves.sin(), waves.cos()], dim=-1).flatten(2)
        seen.append(torch.cat([looks, part.positions, where], dim=-1))
    return torch.cat(seen)


def _things(dim: int) -> nn.Linear:
    """What is seen of a thing → its vector, at first without distorting anything."""
    layer = nn.Linear(SEEN, dim)
    nn.init.orthogonal_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class Ears(nn.Module):
    """Words → vectors that know their place in the question, and one vector for the whole question."""

    def __init__(self, dim: int = DIM):
        super().__init__()
        self.word, self.place = nn.Embedding(len(WORDS), dim), nn.Parameter(0.3 * torch.randn(LENGTH, dim))
        self.whole = nn.Sequential(nn.Linear(LENGTH * dim, dim), nn.ReLU(), nn.Linear(dim, dim))

    def forward(
        self, words: Int[Tensor, "batch length"]
    ) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "batch length dim"], Bool[Tensor, "batch length"]]:
        mask = words != 0
        vectors = (self.word(words) + self.place) * mask[..., None]
        return self.whole(vectors.flatten(1)), vectors, mask


def _dense(*sizes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class NoReasoning(nn.Module):
    """The baseline: every thing by itself, in the light of the question; then all side by side into a dense network."""

    def __init__(self, dim: int = DIM, width: int = 256):
        super().__init__()
        self.things, self.ears, self.light = _things(dim), Ears(dim), nn.Linear(dim, dim)
        self.alone = nn.Sequential(_dense(dim, dim), nn.ReLU())
        self.answer = _dense(len(COLOURS) * dim + dim, width, width, len(ANSWERS))

    def forward(
        self, seen: Float[Tensor, "batch things seen"], words: Int[Tensor, "batch length"]
    ) -> Float[Tensor, "batch answers"]:
        question, _, _ = self.ears(words)
        each = self.alone(self.things(seen) * self.light(question)[:, None])
        return self.answer(torch.cat([each.flatten(1), question], dim=1))


class PairJudge(nn.Module):
    """The network g of a relation network: what two things have to say, as far as the question asks for it.

    Its first layer multiplies: "is this the thing that the question names?" and "how far are these two apart?" are products
    of two vectors. A network that only adds needs many times as long to learn them.
    """

    def __init__(self, dim: int, width: int):
        super().__init__()
        self.first, self.second = nn.Linear(dim, width), nn.Linear(dim, width)
        self.pair, self.question = nn.Linear(2 * dim, width), nn.Linear(dim, width)
        self.judge = nn.Sequential(_dense(width, width, width), nn.ReLU())

    def forward(self, pairs: Float[Tensor, "*pairs triple"]) -> Float[Tensor, "*pairs width"]:
        one, other, question = pairs.chunk(3, dim=-1)
        meeting = self.first(one) * self.second(other)
        return self.judge((meeting + self.pair(torch.cat([one, other], dim=-1))) * self.question(question))


class RelationNetwork(nn.Module):
    """All pairs at once, through the student's `relate`."""

    def __init__(self, dim: int = DIM, width: int = 96):
        super().__init__()
        self.things, self.ears = _things(dim), Ears(dim)
        self.g, self.f = PairJudge(dim, width), _dense(width, width, len(ANSWERS))

    def forward(
        self, seen: Float[Tensor, "batch things seen"], words: Int[Tensor, "batch length"], relate: Callable
    ) -> Float[Tensor, "batch answers"]:
        return relate(self.things(seen), self.ears(words)[0], self.g, self.f)


class StepByStep(nn.Module):
    """One step after the other, through the student's `reason`."""

    def __init__(self, steps: int, dim: int = DIM):
        super().__init__()
        self.things, self.ears = _things(dim), Ears(dim)

        def matrix(rows: int, columns: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(rows, columns) / math.sqrt(columns))

        self.weights = nn.ParameterDict(
            {
                "control": nn.Parameter(torch.randn(dim)),
                "memory": nn.Parameter(torch.randn(dim)),
                "steps": nn.Parameter(torch.randn(steps, dim, dim) / math.sqrt(dim)),
                "w_question": matrix(dim, 2 * dim),
                "w_word": nn.Parameter(torch.randn(dim) / math.sqrt(dim)),
                "w_memory": matrix(dim, dim),
                "w_knowledge": matrix(dim, dim),
                "w_merge": matrix(dim, 2 * dim),
                "w_thing": nn.Parameter(torch.randn(dim) / math.sqrt(dim)),
                "w_write": matrix(dim, 2 * dim),
                "v": matrix(2 * dim, 2 * dim),
                "u": matrix(len(ANSWERS), 2 * dim),
            }
        )

    def forward(
        self, seen: Float[Tensor, "batch things seen"], words: Int[Tensor, "batch length"], reason: Callable
    ) -> tuple[
        Float[Tensor, "batch answers"],
        Float[Tensor, "batch steps things"],
        Float[Tensor, "batch steps length"],
    ]:
        question, vectors, mask = self.ears(words)
        return reason(question, vectors, mask, self.things(seen), self.weights)


def load_trained(model: nn.Module, name: str) -> nn.Module:
    """The model with its trained weights, in eval mode: "scene_baseline", "scene_relations" or "scene_steps_1" to 4."""
    model.load_state_dict(load_checkpoint(name))
    return model.eval()
