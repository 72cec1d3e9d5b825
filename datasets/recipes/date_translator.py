"""Train the date translator with attention, on sentences of one to three dates. Held-out dates appear in none.

    python datasets/recipes/date_translator.py            # one thread, about two minutes of CPU

Needs the reference library, because the attention is `solutions.sequence_attention.attend_source`. Its twin without
attention has a recipe of its own, which calls this one.
"""

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from descent import descend  # its neighbour in this folder
from torch import Tensor

from course.data.dates import SOURCE, TARGET, make_dates
from course.models.checkpoints import save_checkpoint
from course.models.translation import Translator, date_translator
from solutions.sequence_attention import attend_source, translation_loss

STEPS, BATCH, RATE, SEED = 2000, 64, 4e-3, 0


def train(attends: bool, steps: int = STEPS) -> Translator:
    """Adam with one cycle of the learning rate and clipped gradients, on fresh sentences at every step."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    model = date_translator(attends)

    def loss(step: int) -> tuple[Tensor, Callable[[], str]]:
        pairs = make_dates(BATCH, seed=1_000_000 * SEED + step, dates=(1, 2, 3))
        words = SOURCE.batch([pair.words for pair in pairs])
        tokens = TARGET.batch([pair.symbols for pair in pairs], end=True)
        cost = translation_loss(model(words, tokens, attend_source)[0], tokens)
        return cost, lambda: f"loss {cost.item():.4f}"

    descend(model, loss, steps, RATE)
    return model


if __name__ == "__main__":
    save_checkpoint("date_translator", train(attends=True).state_dict())
