"""A network that looks at two digits at once and says, for each of the ten, whether it occurs.

Nothing in it says "left" or "right", and the places of the two digits are not in its labels.
"""

from collections import OrderedDict

from torch import nn

from course.models.checkpoints import load_checkpoint


def pairs_cnn() -> nn.Sequential:
    """Untrained. (batch, 1, 28, 56) in [0, 1] → (batch, 10) logits, one sigmoid each: several digits may occur."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 16, kernel_size=5),  # 28 × 56 → 24 × 52
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),  # 12 × 26
            conv2=nn.Conv2d(16, 32, kernel_size=5),  # 8 × 22
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),  # 4 × 11
            flatten=nn.Flatten(),
            dense1=nn.Linear(32 * 4 * 11, 64),
            relu3=nn.ReLU(),
            dense2=nn.Linear(64, 10),
        )
    )


def load_pairs_cnn() -> nn.Sequential:
    """Trained on pairs of the course's 4,000 digits, in evaluation mode."""
    model = pairs_cnn()
    model.load_state_dict(load_checkpoint("pairs_cnn"))
    return model.eval()
