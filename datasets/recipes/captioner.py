"""Train the captioner on fresh generated scenes at every step.

    python datasets/recipes/captioner.py          # one thread, about 4 minutes

Needs the reference library, because the attention is `solutions.sequence_attention.spatial_attention`.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

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
    optimizer = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps)
    start = time.process_time()
    for step in range(steps):
        scenes = make_scenes(BATCH, seed=1_000_000 + step)
        tokens = WORDS.batch(scenes.captions, end=True)
        logits, weights = model(scenes.images, tokens, spatial_attention)
        words_loss = translation_loss(logits, tokens)
        loss = words_loss + penalty * doubly_stochastic_penalty(weights)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 200 == 0 or step == steps - 1:
            spent = time.process_time() - start
            print(f"step {step:5d}  words {words_loss.item():.4f}  {spent:.0f} s of CPU", flush=True)
    return model


if __name__ == "__main__":
    save_checkpoint("captioner", train().state_dict())
