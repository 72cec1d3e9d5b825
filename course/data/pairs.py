"""Two digits side by side in one image: the course's answer to a dog that plays the guitar."""

import torch
from jaxtyping import Float
from torch import Generator, Tensor


def draw_pairs(
    images: Float[Tensor, "digits 1 28 28"], labels: Tensor, count: int, generator: Generator
) -> tuple[Float[Tensor, "count 1 28 56"], Float[Tensor, "count 10"]]:
    """Images of two digits drawn at random, and per image a 1 for each of the ten digits that occurs in it."""
    chosen = torch.randint(0, len(images), (2, count), generator=generator)
    pairs = torch.cat([images[chosen[0]], images[chosen[1]]], dim=-1)
    present = torch.zeros(count, 10).scatter_(1, labels[chosen].T, 1.0)
    return pairs, present


def side_by_side(left: Float[Tensor, "1 28 28"], right: Float[Tensor, "1 28 28"]) -> Float[Tensor, "1 28 56"]:
    """One image out of two."""
    return torch.cat([left, right], dim=-1)
