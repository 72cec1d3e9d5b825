"""Train the eyes for scenes: to name colour and shape of what they glimpse.

python datasets/recipes/scene_eyes.py          # one thread, about 15 seconds of CPU
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from torch.nn.functional import cross_entropy

from course.data.scenes import COLOURS, Scenes, encode_scenes, simulate_scenes
from course.models.checkpoints import save_checkpoint
from course.models.reasoning import Eyes

SCENES, STEPS, BATCH, RATE = 3000, 600, 128, 3e-3


def named(scenes: Scenes) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Every glimpse with its colour and its shape."""
    colours, shapes = (torch.from_numpy(part).flatten() for part in (scenes.colours, scenes.shapes))
    return encode_scenes(scenes).glimpses.flatten(0, 1), colours, shapes


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    eyes, colours = Eyes(), len(COLOURS)
    glimpses, colour, shape = named(simulate_scenes(SCENES, seed=3))
    optimizer = torch.optim.Adam(eyes.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, STEPS)
    for step in range(STEPS):
        rows = torch.randint(len(glimpses), (BATCH,))
        names = eyes(glimpses[rows])
        loss = cross_entropy(names[:, :colours], colour[rows]) + cross_entropy(
            names[:, colours:], shape[rows]
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 99:
            print(f"step {step + 1}  loss {loss.item():.4f}", flush=True)
    with torch.no_grad():
        glimpses, colour, shape = named(simulate_scenes(500, seed=4))
        names = eyes(glimpses)
        right = (names[:, :colours].argmax(1) == colour) & (names[:, colours:].argmax(1) == shape)
    print(f"names colour and shape of {right.float().mean():.2%} of 3,000 other things")
    save_checkpoint("scene_eyes", eyes.state_dict())


if __name__ == "__main__":
    main()
