"""Train the residual network: ``datasets/checkpoints/digits_resnet.safetensors``.

    python datasets/recipes/digits_resnet.py

The same 4,000 digits, shifted and turned at random, in six epochs. The last epoch is
kept, whatever its score. The seed is fixed; another processor may round differently and give slightly other weights.
"""

import math

import torch
from digits_cnn import accuracy, jitter  # its neighbour in this folder
from torch.nn import functional as F

from course.data.digits import load_digits
from course.models.checkpoints import save_checkpoint
from course.models.digits_resnet import digits_resnet

SEED, EPOCHS, BATCH, LEARNING_RATE, WEIGHT_DECAY = 0, 6, 64, 2e-3, 1e-2


def main() -> None:
    digits = load_digits()
    torch.manual_seed(SEED)  # the layers' own initialisation knows no generator
    generator = torch.Generator().manual_seed(SEED)
    model = digits_resnet()
    steps = EPOCHS * math.ceil(len(digits.train_images) / BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    for epoch in range(EPOCHS):
        model.train()
        for batch in torch.randperm(len(digits.train_images), generator=generator).split(BATCH):
            logits = model(jitter(digits.train_images[batch], generator))
            loss = F.cross_entropy(logits, digits.train_labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        held_out = accuracy(model.eval(), digits.test_images, digits.test_labels)
        print(
            f"epoch {epoch + 1:2d}/{EPOCHS}  loss {loss.item():.3f}  held out {held_out:.1%}",
            flush=True,
        )
    path = save_checkpoint("digits_resnet", model.state_dict())
    print(f"{path.name}: {path.stat().st_size:,} bytes, held-out accuracy {held_out:.2%}")


if __name__ == "__main__":
    main()
