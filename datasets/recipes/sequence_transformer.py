"""Train one small transformer to reverse and to sort rows of two to twelve digits.

    python datasets/recipes/sequence_transformer.py          # one thread, about two minutes of CPU

Needs the reference library, because the arithmetic of a block is `solutions.self_attention.encoder_block`.
"""

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from descent import descend  # its neighbour in this folder
from torch import Tensor

from course.data.sequences import exact, make_sequences
from course.models.checkpoints import save_checkpoint
from course.models.transformer import SmallTransformer, sequence_transformer
from solutions.self_attention import encoder_block, positional_encoding
from solutions.sequence_attention import translation_loss

STEPS, BATCH, RATE, SEED = 4500, 128, 2e-3, 0


def train(steps: int = STEPS) -> SmallTransformer:
    """Adam with one cycle of the learning rate and clipped gradients, on fresh rows at every step."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    model = sequence_transformer()

    def loss(step: int) -> tuple[Tensor, Callable[[], str]]:
        inputs, answers, mask = make_sequences(BATCH, seed=1_000_000 + step)
        logits, _ = model(inputs, encoder_block, positional_encoding, mask)
        cost = translation_loss(logits, answers)
        right = exact(answers, logits.argmax(-1)).float()
        return cost, lambda: f"loss {cost.item():.4f}  exact {right.mean():.3f}"

    descend(model, loss, steps, RATE, betas=(0.9, 0.98), pct_start=0.1, cycle_momentum=False)
    return model


if __name__ == "__main__":
    save_checkpoint("sequence_transformer", train().state_dict())
