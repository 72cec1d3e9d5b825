"""Listen, attend and spell: a pyramid of recurrent layers listens, a GRU spells and attends to what was heard.

How time is halved and how the speller attends are handed in as functions, so that a chapter runs the network with
the reader's own `pyramid` and `attend_source`. Chan et al. score with a dot product; here the score is additive.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from course.data.tones import BANDS, NOTES
from course.models.checkpoints import load_checkpoint
from course.models.teacher import Step, with_teacher

Attend = Callable[..., tuple[Tensor, Tensor]]
Halve = Callable[[Tensor], Tensor]


class Heard(NamedTuple):
    """What the listener hands over: annotations (batch, n, h) and True where there was sound."""

    annotations: Tensor
    mask: Tensor


class BothWays(nn.Module):
    """One recurrent layer that reads forwards and one that reads backwards, each row from its own end.

    The same as a bidirectional layer on packed sequences, and several times faster on a CPU.
    """

    def __init__(self, inputs: int, width: int):
        super().__init__()
        self.there = nn.LSTM(inputs, width, batch_first=True)
        self.back = nn.LSTM(inputs, width, batch_first=True)

    def forward(
        self, frames: Float[Tensor, "batch time h"], lengths: Int[Tensor, "batch"]
    ) -> Float[Tensor, "batch time out"]:
        """Return both layers' outputs side by side; zeros after a row's end."""
        places = torch.arange(frames.shape[1], device=frames.device).expand(len(frames), -1)
        real = places < lengths.unsqueeze(1)
        turn = torch.where(real, lengths.unsqueeze(1) - 1 - places, places).unsqueeze(-1)
        forwards, _ = self.there(frames)
        backwards, _ = self.back(frames.take_along_dim(turn, dim=1))
        return torch.cat([forwards, backwards.take_along_dim(turn, dim=1)], dim=-1) * real.unsqueeze(-1)


class Listener(nn.Module):
    """Chan's network in small: two pyramid layers, so that one annotation stands for four hundredths of a second."""

    def __init__(self, bands: int, vocabulary: int, width: int = 64, embedding: int = 16):
        super().__init__()
        half = width // 2
        self.layers = nn.ModuleList(BothWays(inputs, half) for inputs in (bands, 2 * width, 2 * width))
        self.embed = nn.Embedding(vocabulary, embedding)
        self.cell = nn.GRUCell(embedding + width, width)
        self.output = nn.Linear(2 * width + embedding, vocabulary)
        self.W = nn.Parameter(torch.randn(half, width) * width**-0.5)
        self.U = nn.Parameter(torch.randn(half, width) * width**-0.5)
        self.v = nn.Parameter(torch.randn(half) * half**-0.5)

    def listen(
        self, frames: Float[Tensor, "batch time bands"], lengths: Int[Tensor, "batch"], pyramid: Halve
    ) -> Heard:
        """Read spectrograms, padded on the right, whose real lengths are given; time is halved twice."""
        for number, layer in enumerate(self.layers):
            if number > 0:
                frames, lengths = pyramid(frames), (lengths + 1) // 2
            frames = layer(frames, lengths)
        places = torch.arange(frames.shape[1], device=frames.device)
        return Heard(frames, places < lengths.unsqueeze(-1))

    def first_state(self, heard: Heard) -> Float[Tensor, "batch s"]:
        """The speller starts from nothing."""
        return heard.annotations.new_zeros(len(heard.annotations), self.cell.hidden_size)

    def stepper(self, heard: Heard, attend: Attend) -> Step:
        """Return step(token, state) → (logits, next state, weights): one letter of the speller."""

        def step(
            token: Int[Tensor, "batch"], state: Float[Tensor, "batch s"]
        ) -> tuple[Tensor, Tensor, Tensor]:
            context, weights = attend(state, heard.annotations, self.W, self.U, self.v, heard.mask)
            previous = self.embed(token)
            state = self.cell(torch.cat([previous, context], dim=-1), state)
            return self.output(torch.cat([state, context, previous], dim=-1)), state, weights

        return step

    def forward(
        self,
        frames: Tensor,
        lengths: Tensor,
        tokens: Int[Tensor, "batch steps"],
        pyramid: Halve,
        attend: Attend,
    ) -> tuple[Float[Tensor, "batch steps vocabulary"], Float[Tensor, "batch steps n"]]:
        """Spell with a teacher: at each step the right previous letter is given. Returns (logits, alignment)."""
        heard = self.listen(frames, lengths, pyramid)
        step, state = self.stepper(heard, attend), self.first_state(heard)
        return with_teacher(step, state, tokens)


def listener() -> Listener:
    """Untrained, for the tone sequences of `course.data.tones`."""
    return Listener(BANDS, len(NOTES))


def load_listener() -> Listener:
    """Trained on generated tone sequences, in evaluation mode."""
    model = listener()
    model.load_state_dict(load_checkpoint("listener"))
    return model.eval()
