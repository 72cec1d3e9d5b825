"""Train a small transformer to say what ambiguous words mean.

    python datasets/recipes/context_transformer.py          # one thread, less than a minute

Needs the reference library, because the arithmetic of a block is `solutions.self_attention.encoder_block`.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from course.data.sequences import exact
from course.data.words_in_context import context_batch, make_sentences
from course.models.checkpoints import save_checkpoint
from course.models.transformer import SmallTransformer, context_transformer
from solutions.self_attention import encoder_block, positional_encoding
from solutions.sequence_attention import translation_loss

STEPS, BATCH, RATE, SEED = 800, 64, 4e-3, 0


def train(steps: int = STEPS) -> SmallTransformer:
    """Adam with one cycle of the learning rate and clipped gradients, on fresh sentences at every step."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    model = context_transformer()
    optimizer = torch.optim.Adam(model.parameters(), betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, RATE, steps, pct_start=0.1, cycle_momentum=False
    )
    start = time.process_time()
    for step in range(steps):
        inputs, answers, mask = context_batch(*make_sentences(BATCH, seed=1_000_000 + step))
        logits, _ = model(inputs, encoder_block, positional_encoding, mask)
        loss = translation_loss(logits, answers)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0 or step == steps - 1:
            right = exact(answers, logits.argmax(-1)).float().mean()
            spent = time.process_time() - start
            print(
                f"step {step:5d}  loss {loss.item():.4f}  exact {right:.3f}  {spent:.0f} s of CPU", flush=True
            )
    return model


if __name__ == "__main__":
    save_checkpoint("context_transformer", train().state_dict())
