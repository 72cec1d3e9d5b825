"""Train the listener on fresh generated tone sequences at every step.

    python datasets/recipes/listener.py          # one thread, less than two minutes of CPU

Needs the reference library, because the attention and the pyramid are those of `solutions.sequence_attention`.
"""

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from descent import descend  # its neighbour in this folder
from torch import Tensor

from course.data.tones import NOTES, batch_spectrograms, make_utterances
from course.models.checkpoints import save_checkpoint
from course.models.listener import Listener, listener
from solutions.sequence_attention import attend_source, pyramid, translation_loss

STEPS, BATCH, RATE, SEED = 1200, 48, 4e-3, 0


def train(steps: int = STEPS) -> Listener:
    """Adam with one cycle of the learning rate and clipped gradients."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    model = listener()

    def loss(step: int) -> tuple[Tensor, Callable[[], str]]:
        utterances = make_utterances(BATCH, seed=1_000_000 + step)
        frames, lengths = batch_spectrograms(utterances)
        tokens = NOTES.batch([utterance.notes for utterance in utterances], end=True)
        cost = translation_loss(model(frames, lengths, tokens, pyramid, attend_source)[0], tokens)
        return cost, lambda: f"loss {cost.item():.4f}"

    descend(model, loss, steps, RATE)
    return model


if __name__ == "__main__":
    save_checkpoint("listener", train().state_dict())
