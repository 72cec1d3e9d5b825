"""Train the listener on fresh generated tone sequences at every step.

    python datasets/recipes/listener.py          # one thread, less than two minutes of CPU

Needs the reference library, because the attention and the pyramid are those of `solutions.sequence_attention`.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

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
    optimizer = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps)
    start = time.process_time()
    for step in range(steps):
        utterances = make_utterances(BATCH, seed=1_000_000 + step)
        frames, lengths = batch_spectrograms(utterances)
        tokens = NOTES.batch([utterance.notes for utterance in utterances], end=True)
        logits, _ = model(frames, lengths, tokens, pyramid, attend_source)
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
    save_checkpoint("listener", train().state_dict())
