"""A network of convolutions only: where others pool, it takes a step of two (Springenberg et al., 2015)."""

from collections import OrderedDict

from torch import nn

from course.models.checkpoints import load_checkpoint


def all_cnn() -> nn.Sequential:
    """Untrained. (batch, 1, 28, 28) in [0, 1] → (batch, 10) logits; no pooling, so no switches."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 16, kernel_size=5, stride=2, padding=2),  # 28 → 14
            relu1=nn.ReLU(),
            conv2=nn.Conv2d(16, 32, kernel_size=3, stride=2, padding=1),  # 14 → 7
            relu2=nn.ReLU(),
            conv3=nn.Conv2d(32, 32, kernel_size=3),  # 7 → 5
            relu3=nn.ReLU(),
            conv4=nn.Conv2d(32, 10, kernel_size=5),  # 5 → 1, one map per class
            flatten=nn.Flatten(),
        )
    )


def load_all_cnn() -> nn.Sequential:
    """Trained on the course's 4,000 digits, in evaluation mode."""
    model = all_cnn()
    model.load_state_dict(load_checkpoint("all_cnn"))
    return model.eval()
