"""178 wines from three growers of the same valley: thirteen chemical measurements each.

The data of Forina et al. (1988), as they come with scikit-learn, in their own units.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

NAMES = (
    "alcohol",
    "malic acid",
    "ash",
    "alkalinity of ash",
    "magnesium",
    "phenols",
    "flavanoids",
    "other phenols",
    "proanthocyanins",
    "colour intensity",
    "hue",
    "OD280/OD315",
    "proline",
)


class Wines(NamedTuple):
    """x (178, 13) in the laboratory's units; grower (178,), 0 to 2."""

    x: Float[Tensor, "178 13"]
    grower: Int[Tensor, "178"]
    names: tuple[str, ...]


def load_wines() -> Wines:
    """All the wines, in the file's order; works without a network."""
    from sklearn.datasets import load_wine

    data = load_wine()
    return Wines(torch.from_numpy(data.data).float(), torch.from_numpy(data.target).long(), NAMES)
