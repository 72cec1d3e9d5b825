"""An encoder–decoder that translates, with attention or without.

The network brings the weights and the recurrent cells; how it attends is handed in as a function, so that
a chapter runs it with the reader's own `attend_source`.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from course.data.dates import SOURCE, TARGET
from course.data.vocabulary import PAD
from course.models.checkpoints import load_checkpoint
from course.models.teacher import Step, with_teacher

Attend = Callable[..., tuple[Tensor, Tensor]]
"""attend(state, annotations, W, U, v, mask) → (context, weights)."""


class Encoded(NamedTuple):
    """What the encoder hands over: annotations (batch, n, h), the decoder's first state, True at real words."""

    annotations: Tensor
    state: Tensor
    mask: Tensor


class Translator(nn.Module):
    """Bahdanau's network: a bidirectional GRU reads, a GRU writes and looks back at every word.

    With `attends=False` the decoder sees the same fixed summary of the sentence at every step, as before
    attention was invented (Cho et al. 2014).
    """

    def __init__(self, source: int, target: int, attends: bool = True, width: int = 64, embedding: int = 32):
        super().__init__()
        self.attends = attends
        self.embed_source = nn.Embedding(source, embedding, padding_idx=PAD)
        self.embed_target = nn.Embedding(target, embedding)
        self.encoder = nn.GRU(embedding, width // 2, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(width, width)
        self.cell = nn.GRUCell(embedding + width, width)
        self.output = nn.Linear(2 * width + embedding, target)
        self.W = nn.Parameter(torch.randn(width // 2, width) * width**-0.5)
        self.U = nn.Parameter(torch.randn(width // 2, width) * width**-0.5)
        self.v = nn.Parameter(torch.randn(width // 2) * (width // 2) ** -0.5)

    def encode(self, words: Int[Tensor, "batch n"]) -> Encoded:
        """Read a batch of sentences, padded on the right."""
        mask = words != PAD
        packed = pack_padded_sequence(
            self.embed_source(words), mask.sum(1).cpu(), batch_first=True, enforce_sorted=False
        )
        outputs, last = self.encoder(packed)
        annotations, _ = pad_packed_sequence(outputs, batch_first=True, total_length=words.shape[1])
        summary = torch.cat([last[0], last[1]], dim=-1)
        return Encoded(annotations, torch.tanh(self.bridge(summary)), mask)

    def stepper(self, encoded: Encoded, attend: Attend) -> Step:
        """Return step(token, state) → (logits, next state, weights): one word of the decoder."""
        annotations, summary, mask = encoded

        def step(
            token: Int[Tensor, "batch"], state: Float[Tensor, "batch s"]
        ) -> tuple[Tensor, Tensor, Tensor]:
            if self.attends:
                context, weights = attend(state, annotations, self.W, self.U, self.v, mask)
            else:
                context, weights = summary, torch.zeros_like(mask, dtype=state.dtype)
            previous = self.embed_target(token)
            state = self.cell(torch.cat([previous, context], dim=-1), state)
            return self.output(torch.cat([state, context, previous], dim=-1)), state, weights

        return step

    def forward(
        self, words: Int[Tensor, "batch n"], tokens: Int[Tensor, "batch steps"], attend: Attend
    ) -> tuple[Float[Tensor, "batch steps target"], Float[Tensor, "batch steps n"]]:
        """Write with a teacher: at each step the right previous token is given. Returns (logits, alignment)."""
        encoded = self.encode(words)
        step, state = self.stepper(encoded, attend), encoded.state
        return with_teacher(step, state, tokens)


def date_translator(attends: bool = True) -> Translator:
    """Untrained, for the written-out dates of `course.data.dates`."""
    return Translator(len(SOURCE), len(TARGET), attends)


def load_date_translator(attends: bool = True) -> Translator:
    """Trained on sentences of one to three dates, in evaluation mode."""
    model = date_translator(attends)
    model.load_state_dict(
        load_checkpoint("date_translator" if attends else "date_translator_without_attention")
    )
    return model.eval()
