"""Generated scenes with captions: "a big red circle above a small blue square".

Every scene holds a big thing and a small thing on a noisy background. The caption names the big one first, then
where it stands, then the small one; there is exactly one right caption per scene. The boxes say where each thing
is, so that one can ask whether attention looks at what is being named.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from course.data.vocabulary import Vocabulary

SIZE = 40
"""Height and width of a scene in pixels."""

COLORS = {
    "red": (0.90, 0.15, 0.15),
    "green": (0.10, 0.65, 0.25),
    "blue": (0.15, 0.35, 0.95),
    "yellow": (0.95, 0.85, 0.10),
    "purple": (0.60, 0.20, 0.80),
    "white": (0.95, 0.95, 0.95),
}
SHAPES = ("circle", "square", "triangle", "cross")
WHERE = ("above", "below", "left-of", "right-of")

WORDS = Vocabulary(["a", "big", "small", *COLORS, *SHAPES, *WHERE])
NAMED = (-1, -1, 0, 0, -1, -1, -1, 1, 1)
"""Which thing each word of a caption names by colour or shape: 0 the big one, 1 the small one, -1 neither."""


class Scenes(NamedTuple):
    """images (batch, 3, 40, 40) in [0, 1] · captions, nine words each · boxes (batch, 2, 4): top, left, bottom, right.

    boxes[:, 0] frames the big thing, boxes[:, 1] the small one, in pixels, bottom and right excluded.
    """

    images: Float[Tensor, "batch 3 40 40"]
    captions: list[list[str]]
    boxes: Int[Tensor, "batch 2 4"]


def make_scenes(count: int, seed: int) -> Scenes:
    """Return `count` scenes; the same seed gives the same scenes on every machine."""
    generator = np.random.default_rng(seed)
    scenes = [_scene(generator) for _ in range(count)]
    images = np.stack([image for image, _, _ in scenes]).astype(np.float32)
    boxes = np.array([boxes for _, _, boxes in scenes])
    return Scenes(torch.from_numpy(images), [caption for _, caption, _ in scenes], torch.from_numpy(boxes))


def _scene(generator: np.random.Generator) -> tuple[np.ndarray, list[str], list[tuple[int, int, int, int]]]:
    radii = int(generator.integers(7, 9)), int(generator.integers(3, 5))
    centers, where = _places(radii, generator)
    names = [(str(generator.choice(list(COLORS))), str(generator.choice(SHAPES))) for _ in range(2)]
    background = generator.uniform(0.05, 0.45, size=3)[:, None, None]
    image = background + generator.normal(0, 0.04, size=(3, SIZE, SIZE))
    boxes = []
    for (row, col), radius, (color, shape) in zip(centers, radii, names, strict=True):
        inside = _silhouette(shape, row, col, radius)
        shade = np.array(COLORS[color])[:, None, None] * generator.uniform(0.85, 1.0)
        image = np.where(inside, shade + generator.normal(0, 0.03, size=image.shape), image)
        boxes.append((row - radius, col - radius, row + radius + 1, col + radius + 1))
    (color_0, shape_0), (color_1, shape_1) = names
    caption = ["a", "big", color_0, shape_0, where, "a", "small", color_1, shape_1]
    return image.clip(0, 1), caption, boxes


def _places(radii: tuple[int, int], generator: np.random.Generator) -> tuple[list[tuple[int, int]], str]:
    """Draw two places that do not touch and whose relation is plain: one direction exceeds the other by 6 pixels."""
    while True:
        (row_0, col_0), (row_1, col_1) = centers = [
            (int(generator.integers(r + 1, SIZE - r - 1)), int(generator.integers(r + 1, SIZE - r - 1)))
            for r in radii
        ]
        down, right = row_1 - row_0, col_1 - col_0
        if max(abs(down), abs(right)) <= sum(radii) + 1 or abs(abs(down) - abs(right)) < 6:
            continue
        if abs(down) > abs(right):
            return centers, "above" if down > 0 else "below"
        return centers, "left-of" if right > 0 else "right-of"


def _silhouette(shape: str, row: int, col: int, radius: int) -> np.ndarray:
    """Return True at the pixels of a shape."""
    rows, cols = np.mgrid[:SIZE, :SIZE]
    down, right = rows - row, cols - col
    inside = np.maximum(abs(down), abs(right)) <= radius
    if shape == "circle":
        return down**2 + right**2 <= (radius + 0.3) ** 2
    if shape == "square":
        return inside
    if shape == "triangle":
        return inside & (2 * abs(right) <= down + radius)
    return inside & ((abs(down) <= radius // 3) | (abs(right) <= radius // 3))
