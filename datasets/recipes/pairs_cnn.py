"""Train the network for pairs of digits: ``datasets/checkpoints/pairs_cnn.safetensors``.

    python datasets/recipes/pairs_cnn.py

Every epoch draws 6,000 new pairs from the 4,000 training digits. Half of the images lose up to 40 % of their 4 × 4 blocks,
so that the network has seen images with holes, as LIME will show it. The seed is fixed; another processor may round
differently and give slightly other weights. About a minute on one core.
"""

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from course.data.digits import load_digits
from course.data.pairs import draw_pairs
from course.models.checkpoints import save_checkpoint
from course.models.pairs import pairs_cnn

SEED, EPOCHS, PAIRS, BATCH, LEARNING_RATE = 0, 20, 6000, 64, 2e-3


def with_holes(images: Tensor, generator: Generator) -> Tensor:
    """Half of the images lose a random part of their 4 × 4 blocks."""
    n = len(images)
    share = (
        0.4
        * torch.rand(n, 1, 1, 1, generator=generator)
        * (torch.rand(n, 1, 1, 1, generator=generator) < 0.5)
    )
    stays = torch.rand(n, 1, 7, 14, generator=generator) >= share
    return images * F.interpolate(stays.float(), scale_factor=4)


def main() -> None:
    digits = load_digits()
    torch.manual_seed(SEED)  # the layers' own initialisation knows no generator
    generator = Generator().manual_seed(SEED)
    held_out = draw_pairs(digits.test_images, digits.test_labels, 2000, Generator().manual_seed(1))
    model = pairs_cnn()
    steps = EPOCHS * -(-PAIRS // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    for epoch in range(EPOCHS):
        images, present = draw_pairs(digits.train_images, digits.train_labels, PAIRS, generator)
        for rows in torch.arange(PAIRS).split(BATCH):
            logits = model(with_holes(images[rows], generator))
            loss = F.binary_cross_entropy_with_logits(logits, present[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            right = ((model(held_out[0]) > 0) == (held_out[1] > 0)).all(1).float().mean().item()
        print(
            f"epoch {epoch + 1:2d}/{EPOCHS}  loss {loss.item():.3f}  both digits read {right:.1%}", flush=True
        )
    path = save_checkpoint("pairs_cnn", model.state_dict())
    print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
