"""A second, independent reader of digits: it judges pictures that were made to please the first.

Nothing is shared with ``digits_cnn``: other layers, another activation, other seeds, other distortions in training.
"""

from collections import OrderedDict

from torch import nn

from course.models.checkpoints import load_checkpoint


def digit_judge() -> nn.Sequential:
    """Untrained. (batch, 1, 28, 28) in [0, 1] → (batch, 10) logits."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 24, kernel_size=3, stride=2, padding=1),  # 28 → 14
            norm1=nn.BatchNorm2d(24),
            silu1=nn.SiLU(),
            conv2=nn.Conv2d(24, 48, kernel_size=3, stride=2, padding=1),  # 14 → 7
            norm2=nn.BatchNorm2d(48),
            silu2=nn.SiLU(),
            conv3=nn.Conv2d(48, 96, kernel_size=3, padding=1),
            norm3=nn.BatchNorm2d(96),
            silu3=nn.SiLU(),
            average=nn.AdaptiveAvgPool2d(2),
            flatten=nn.Flatten(),
            dense=nn.Linear(96 * 2 * 2, 10),
        )
    )


def load_digit_judge() -> nn.Sequential:
    """Trained on the course's 4,000 digits, in evaluation mode."""
    model = digit_judge()
    model.load_state_dict(load_checkpoint("digit_judge"))
    return model.eval()
