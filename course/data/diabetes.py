"""442 people with diabetes: ten measurements each, and how far the disease went in the following year.

The data of Efron, Hastie, Johnstone & Tibshirani (2004), as they come with scikit-learn, in their own units.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Diabetes(NamedTuple):
    """x (442, 10) in the units that go with the names; y (442,), the doctors' measure of progression, 25 to 346."""

    x: Float[Tensor, "442 10"]
    y: Float[Tensor, "442"]
    names: tuple[str, ...]
    units: tuple[str, ...]


NAMES = (
    "age",
    "sex",
    "body mass",
    "blood pressure",
    "cholesterol",
    "LDL",
    "HDL",
    "chol./HDL",
    "log lipids",
    "glucose",
)
UNITS = ("years", "1 or 2", "kg/m²", "mm Hg", "mg/dl", "mg/dl", "mg/dl", "ratio", "log", "mg/dl")


def load_diabetes() -> Diabetes:
    """All 442 people, in the file's order; works without a network."""
    from sklearn.datasets import load_diabetes as load

    data = load(scaled=False)
    return Diabetes(torch.from_numpy(data.data).float(), torch.from_numpy(data.target).float(), NAMES, UNITS)
