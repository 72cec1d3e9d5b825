"""Train the captioner on fresh generated scenes at every step.

    python datasets/recipes/captioner.py          # one thread, about 4 minutes

Needs the reference library, because the attention is `solutions.sequence_attention.spatial_attention`.
"""

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from descent import descend  # its neighbour in this folder
from torch import Tensor

from course.data.captions import WORDS, make_scenes
from course.models.captioner import Captioner, captioner
from course.models.checkpoints import save_checkpoint
from solutions.sequence_attention import doubly_stochastic_penalty, spatial_attention, translation_loss

STEPS, BATCH, RATE, SEED = 3000, 64, 4e-3, 0
PENALTY = 0.002
"""λ of the doubly stochastic penalty: small, because with 10 looks for 100 places the penalty cannot vanish."""


def train(penalty: float = PENALTY, steps: int = STEPS) -> Captioner:
    """Adam with one cycle of the learning rate and clipped gradients."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    model = captioner()

    def loss(step: int) -> tuple[Tensor, Callable[[], str]]:
        scenes = make_scenes(BATCH, seed=1_000_000 + step)
        tokens = WORDS.batch(scenes.captions, end=True)
        logits, weights = model(scenes.images, tokens, spatial_attention)
        of_words = translation_loss(logits, tokens)
        cost = of_words + penalty * doubly_stochastic_penalty(weights)
        return cost, lambda: f"words {of_words.item():.4f}"

    descend(model, loss, steps, RATE)
    return model


if __name__ == "__main__":
    save_checkpoint("captioner", train().state_dict())
