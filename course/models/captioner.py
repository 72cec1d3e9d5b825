"""A captioner: a small convolutional network looks, a GRU speaks and looks again at every word.

How it attends is handed in as a function, so that a chapter runs it with the reader's own `spatial_attention`.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from course.data.captions import WORDS
from course.models.checkpoints import load_checkpoint
from course.models.teacher import Step, with_teacher

Look = Callable[..., tuple[Tensor, Tensor]]
"""look(state, features, W, U, v) → (context, weights over places)."""


class Captioner(nn.Module):
    """Xu's network in small: features (batch, h, 10, 10), a recurrent speaker, attention over the 100 places.

    Two channels with each pixel's row and column are added to the picture: otherwise a place would not know
    where it is, and "above" could not be told from "below".
    """

    def __init__(self, vocabulary: int, features: int = 48, width: int = 64, embedding: int = 24):
        super().__init__()
        self.eye = nn.Sequential(
            nn.Conv2d(5, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),  # 40 → 20
            nn.Conv2d(24, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),  # 20 → 10
            nn.Conv2d(32, features, 3, padding=1), nn.ReLU(),
        )  # fmt: skip
        self.embed = nn.Embedding(vocabulary, embedding)
        self.bridge = nn.Linear(features, width)
        self.cell = nn.GRUCell(embedding + features, width)
        self.output = nn.Linear(width + features + embedding, vocabulary)
        self.W = nn.Parameter(torch.randn(width // 2, width) * width**-0.5)
        self.U = nn.Parameter(torch.randn(width // 2, features) * features**-0.5)
        self.v = nn.Parameter(torch.randn(width // 2) * (width // 2) ** -0.5)

    def encode(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> tuple[Float[Tensor, "batch h rows cols"], Float[Tensor, "batch s"]]:
        """Return the features of every place and the speaker's first state."""
        height, width = images.shape[-2:]
        ramp_down = torch.linspace(-1, 1, height).to(images)[:, None].expand(len(images), 1, height, width)
        ramp_right = torch.linspace(-1, 1, width).to(images)[None, :].expand(len(images), 1, height, width)
        features = self.eye(torch.cat([images, ramp_down, ramp_right], dim=1))
        return features, torch.tanh(self.bridge(features.mean(dim=(-2, -1))))

    def stepper(self, features: Tensor, look: Look) -> Step:
        """Return step(token, state) → (logits, next state, weights over places): one word of the caption."""

        def step(
            token: Int[Tensor, "batch"], state: Float[Tensor, "batch s"]
        ) -> tuple[Tensor, Tensor, Tensor]:
            context, weights = look(state, features, self.W, self.U, self.v)
            previous = self.embed(token)
            state = self.cell(torch.cat([previous, context], dim=-1), state)
            return self.output(torch.cat([state, context, previous], dim=-1)), state, weights

        return step

    def forward(
        self, images: Float[Tensor, "batch 3 height width"], tokens: Int[Tensor, "batch steps"], look: Look
    ) -> tuple[Float[Tensor, "batch steps vocabulary"], Float[Tensor, "batch steps rows cols"]]:
        """Speak with a teacher: at each step the right previous word is given. Returns (logits, weights)."""
        features, state = self.encode(images)
        step = self.stepper(features, look)
        return with_teacher(step, state, tokens)


def captioner() -> Captioner:
    """Untrained, for the scenes of `course.data.captions`."""
    return Captioner(len(WORDS))


def load_captioner() -> Captioner:
    """Trained on generated scenes, in evaluation mode."""
    model = captioner()
    model.load_state_dict(load_checkpoint("captioner"))
    return model.eval()
