"""Real handwritten digits: 5,000 images of MNIST that ship with the course.

The digits take turns, 0 1 2 … 9 0 1 2 …, so every run of ten images holds each digit once, and
``test_images[3]`` is a three.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from course.data import DataError
from course.data.download import fetch

PATH = Path(__file__).resolve().parents[2] / "datasets" / "digits.npz"
TRAIN = 4000


class Digits(NamedTuple):
    """Images (n, 1, 28, 28), 0 = black paper, 1 = white ink; labels (n,), the digit itself."""

    train_images: Float[Tensor, "train 1 28 28"]
    train_labels: Int[Tensor, " train"]
    test_images: Float[Tensor, "test 1 28 28"]
    test_labels: Int[Tensor, " test"]


def load_digits(path: Path = PATH) -> Digits:
    """4,000 digits to train on and 1,000 held out, as many of each class."""
    pixels, digits = _read(Path(path))
    images = torch.from_numpy(pixels).unsqueeze(1).float().div_(255)
    labels = torch.from_numpy(digits).long()
    return Digits(images[:TRAIN], labels[:TRAIN], images[TRAIN:], labels[TRAIN:])


@cache
def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    remedy = "restore it from the course's repository, or run: python datasets/recipes/digits.py"
    try:
        with np.load(path, allow_pickle=False) as archive:
            pixels, digits = archive["images"], archive["labels"]
    except FileNotFoundError:
        raise DataError(f"The digits are missing ({path}): {remedy}") from None
    except Exception as error:  # zipfile, zlib and numpy each have their own words for a damaged file
        raise DataError(f"The file of digits is damaged ({path}: {error}): {remedy}") from None
    if pixels.shape != (5000, 28, 28) or digits.shape != (5000,):
        raise DataError(f"{path} does not hold the course's 5,000 digits: {remedy}")
    return pixels, digits


def load_mnist() -> Digits:
    """All of MNIST in the same form: 60,000 digits to train on, 10,000 to test; 11 MB the first time."""
    from torchvision.datasets import MNIST

    folder = fetch("mnist")
    parts = [MNIST(folder, train=True), MNIST(folder, train=False)]
    tensors = [(part.data.unsqueeze(1).float().div_(255), part.targets.long()) for part in parts]
    return Digits(*tensors[0], *tensors[1])
