"""A generator that draws digits from 32 numbers, trained adversarially: the learned prior of activation maximization."""

from collections import OrderedDict

from torch import nn

from course.models.checkpoints import load_checkpoint

LATENT = 32
"""Numbers per image: the generator was trained on z drawn from the standard normal distribution."""


def digit_generator() -> nn.Sequential:
    """Untrained. (batch, 32) latent → (batch, 1, 28, 28) in [0, 1], 1 = white ink."""
    return nn.Sequential(
        OrderedDict(
            dense=nn.Linear(LATENT, 64 * 7 * 7),
            fold=nn.Unflatten(1, (64, 7, 7)),
            norm1=nn.BatchNorm2d(64),
            relu1=nn.ReLU(),
            up1=nn.ConvTranspose2d(64, 32, kernel_size=4, stride=2, padding=1),  # 7 → 14
            norm2=nn.BatchNorm2d(32),
            relu2=nn.ReLU(),
            up2=nn.ConvTranspose2d(32, 1, kernel_size=4, stride=2, padding=1),  # 14 → 28
            ink=nn.Sigmoid(),
        )
    )


def digit_discriminator() -> nn.Sequential:
    """Untrained. (batch, 1, 28, 28) → (batch, 1) logit: above zero says "real". Only training needs it."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 32, kernel_size=4, stride=2, padding=1),  # 28 → 14
            leaky1=nn.LeakyReLU(0.2),
            conv2=nn.Conv2d(32, 64, kernel_size=4, stride=2, padding=1),  # 14 → 7
            leaky2=nn.LeakyReLU(0.2),
            flatten=nn.Flatten(),
            dense=nn.Linear(64 * 7 * 7, 1),
        )
    )


def load_digit_generator() -> nn.Sequential:
    """Trained on the course's 4,000 digits without their labels, in evaluation mode."""
    model = digit_generator()
    model.load_state_dict(load_checkpoint("digit_generator"))
    return model.eval()
