"""Random arguments for cases, drawn with NumPy's generator: every machine gets the same from the same seed."""

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

Model = TypeVar("Model", bound=nn.Module)


def drawn(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> Tensor:
    """Standard normal numbers times ``scale``."""
    return torch.from_numpy(np.asarray(scale * rng.standard_normal(shape))).float()


def drawn_uniformly(rng: np.random.Generator, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Numbers between ``low`` and ``high``."""
    return torch.from_numpy(np.asarray(rng.uniform(low, high, size=shape))).float()


def distinct(rng: np.random.Generator, count: int, low: int = 2, high: int = 7) -> list[int]:
    """Sizes between ``low`` and ``high``, no two alike, so that no axis is taken for another."""
    return [int(size) for size in low + rng.permutation(high - low + 1)[:count]]


def near_each_other(
    rng: np.random.Generator, front: tuple[int, ...], n: int, d: int
) -> tuple[Tensor, Tensor]:
    """A query and n memories, in whole numbers: their scores are near 100, where a bare exp overflows, and all but the last lie close together."""
    query = torch.from_numpy(rng.choice([-1, 1], size=(*front, d))).float()
    memory = torch.from_numpy(rng.integers(-1, 2, size=(*front, n, d))).float()
    query[..., 0], memory[..., 0], memory[..., -1, 0] = 96, 1, -1
    return query, memory


def filled(model: Model, rng: np.random.Generator, scale: float = 0.6) -> Model:
    """The model with all weights and statistics drawn anew, in training mode, as a model may come."""
    state = {}
    for name, value in model.state_dict().items():
        if name.endswith("running_var"):
            state[name] = drawn(rng, *value.shape).square() + 0.5
        else:
            state[name] = drawn(rng, *value.shape, scale=scale) if value.is_floating_point() else value
    model.load_state_dict(state)
    return model.train()
