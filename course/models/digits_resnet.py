"""A small residual network that reads digits: branches that meet again in sums, and batch normalization."""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from course.models.checkpoints import load_checkpoint


class Block(nn.Module):
    """What the branch has found is added to what came in: relu(branch(a) + a)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, a: Tensor) -> Tensor:
        branch = torch.relu(self.norm1(self.conv1(a)))
        return torch.relu(self.norm2(self.conv2(branch)) + a)


def digits_resnet() -> nn.Sequential:
    """Untrained. (batch, 1, 28, 28) in [0, 1] → (batch, 10) logits; every layer has a name."""
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(1, 16, kernel_size=3, padding=1, bias=False),
            norm=nn.BatchNorm2d(16),
            relu=nn.ReLU(),
            pool1=nn.MaxPool2d(2),  # 28 → 14
            block1=Block(16),
            pool2=nn.MaxPool2d(2),  # 14 → 7
            block2=Block(16),
            block3=Block(16),
            flatten=nn.Flatten(),
            dense=nn.Linear(16 * 7 * 7, 10),
        )
    )


def load_digits_resnet() -> nn.Sequential:
    """Trained on the course's 4,000 digits, in evaluation mode."""
    model = digits_resnet()
    model.load_state_dict(load_checkpoint("digits_resnet"))
    return model.eval()
