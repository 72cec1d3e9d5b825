"""The small convolutional network that reads digits: the one that most chapters take apart."""

from collections import OrderedDict

from torch import nn

from course.models.checkpoints import load_checkpoint


def digits_cnn() -> nn.Sequential:
    """Untrained. (batch, 1, 28, 28) in [0, 1] → (batch, 10) logits; every layer has a name."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 32, kernel_size=5),  # 28 → 24
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),  # 24 → 12
            conv2=nn.Conv2d(32, 32, kernel_size=5),  # 12 → 8
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),  # 8 → 4
            flatten=nn.Flatten(),
            dense1=nn.Linear(32 * 4 * 4, 128),
            relu3=nn.ReLU(),
            dense2=nn.Linear(128, 10),
        )
    )


def load_digits_cnn() -> nn.Sequential:
    """Trained on the course's 4,000 digits, in evaluation mode."""
    model = digits_cnn()
    model.load_state_dict(load_checkpoint("digits_cnn"))
    return model.eval()
