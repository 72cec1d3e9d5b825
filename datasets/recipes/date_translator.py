"""Train the date translator with attention, on sentences of one to three dates. Held-out dates appear in none.

    python datasets/recipes/date_translator.py            # one thread, about two minutes of CPU

Needs the reference library, because the attention is `solutions.sequence_attention.attend_source`. Its twin without
attention has a recipe of its own, which calls this one.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

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
    optimizer = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps)
    start = time.process_time()
    for step in range(steps):
        pairs = make_dates(BATCH, seed=1_000_000 * SEED + step, dates=(1, 2, 3))
        words = SOURCE.batch([pair.words for pair in pairs])
        tokens = TARGET.batch([pair.symbols for pair in pairs], end=True)
        logits, _ = model(words, tokens, attend_source)
        loss = translation_loss(logits, tokens)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 200 == 0 or step == steps - 1:
            print(
                f"step {step:5d}  loss {loss.item():.4f}  {time.process_time() - start:.0f} s of CPU",
                flush=True,
            )
    return model


if __name__ == "__main__":
    save_checkpoint("date_translator", train(attends=True).state_dict())
