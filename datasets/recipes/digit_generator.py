"""Train the generator of digits adversarially and write ``datasets/checkpoints/digit_generator.safetensors``.

Run as ``python datasets/recipes/digit_generator.py [STEPS]`` (10,000 steps: about six minutes on one core).

Two players in turn: the discriminator learns to tell real from drawn, the generator to be taken for real
(Goodfellow et al., 2014, with the non-saturating loss). Three habits keep the game stable on 4,000 images:
a penalty on the discriminator's gradient at real images (Mescheder et al., 2018), every eighth step; the same
small shifts of all images, real and drawn, before they are judged (Zhao et al., 2020); and the running average
of the generator's weights is kept, not the last ones.
"""

import sys

import torch
import torch.nn.functional as F
from torch import Tensor

from course.data.digits import load_digits
from course.models.checkpoints import save_checkpoint
from course.models.digit_generator import LATENT, digit_discriminator, digit_generator

BATCH, RATE, AVERAGE = 64, 4e-4, 0.002
PENALTY, EVERY = 0.2, 8
SHIFT = 2


def shifted(images: Tensor, source: torch.Generator) -> Tensor:
    """Each image moved by its own −2 … 2 pixels in both directions, black coming in."""
    count, side = len(images), images.shape[-1]
    padded = F.pad(images, (SHIFT,) * 4)
    top, left = torch.randint(0, 2 * SHIFT + 1, (2, count, 1), generator=source)
    rows, columns = top + torch.arange(side), left + torch.arange(side)
    return padded[torch.arange(count)[:, None, None], 0, rows[:, :, None], columns[:, None, :]].unsqueeze(1)


def train(steps: int, seed: int = 0) -> dict[str, Tensor]:
    """The averaged weights of the generator after ``steps`` rounds of the game."""
    torch.manual_seed(seed)
    source = torch.Generator().manual_seed(seed)
    real_images = load_digits().train_images
    generator, discriminator = digit_generator(), digit_discriminator()
    forger = torch.optim.Adam(generator.parameters(), RATE, betas=(0.5, 0.99))
    expert = torch.optim.Adam(discriminator.parameters(), RATE, betas=(0.5, 0.99))
    average = {name: value.clone() for name, value in generator.state_dict().items()}

    def drawn() -> Tensor:
        return shifted(generator(torch.randn(BATCH, LATENT, generator=source)), source)

    for step in range(steps):
        picked = torch.randint(len(real_images), (BATCH,), generator=source)
        real = shifted(real_images[picked], source).requires_grad_(step % EVERY == 0)
        with torch.no_grad():
            fake = drawn()
        believed = discriminator(real)
        expert_loss = F.softplus(-believed).mean() + F.softplus(discriminator(fake)).mean()
        if real.requires_grad:
            (slope,) = torch.autograd.grad(believed.sum(), real, create_graph=True)
            expert_loss = expert_loss + EVERY * PENALTY / 2 * slope.square().sum((1, 2, 3)).mean()
        expert.zero_grad()
        expert_loss.backward()
        expert.step()

        forger_loss = F.softplus(-discriminator(drawn())).mean()
        forger.zero_grad()
        forger_loss.backward()
        forger.step()

        for name, value in generator.state_dict().items():
            average[name] = average[name].lerp(value, AVERAGE) if value.is_floating_point() else value.clone()
        if step % 1000 == 0:
            print(
                f"{step:6d}  discriminator {expert_loss.item():.3f}  generator {forger_loss.item():.3f}",
                flush=True,
            )
    return average


def main() -> None:
    weights = train(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
    halved = {name: value.half() if value.is_floating_point() else value for name, value in weights.items()}
    path = save_checkpoint("digit_generator", halved)
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
