"""Images in a grid, and signed maps beside the images they explain."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from torch import Tensor

from course.show import INK, ONE_SIDED, SIGNED, show, subplots

Images = Tensor | np.ndarray | Sequence[Tensor]


def image_grid(
    images: Images,
    titles: Sequence[str] | None = None,
    columns: int | None = None,
    alt: str = "",
    cmap: str = INK,
    size: float = 1.1,
) -> None:
    """Images (n, h, w), (n, 1, h, w) or in colour (n, 3, h, w), 0 … 1; grey ones as ink on paper."""
    pictures = [_picture(image) for image in images]
    captions = _padded(titles, len(pictures))
    fig, axes = _grid(len(pictures), columns or min(len(pictures), 10), size, bool(titles))
    for axis, picture, title in zip(axes, pictures, captions, strict=True):
        axis.imshow(picture, cmap=cmap, vmin=0, vmax=1)
        axis.set_title(title, fontsize=9)
    show(fig, alt)


def heatmap_grid(
    images: Images | None,
    maps: Images,
    titles: Sequence[str] | None = None,
    alt: str = "",
    columns: int | None = None,
    unit: str = "relevance",
    shared: bool = False,
    size: float = 1.4,
) -> None:
    """Maps, white at zero, red above, blue below, over the faint outlines of their images.

    One image may serve all maps; ``images=None`` draws the maps alone. Each map has its own scale, and says
    its largest absolute value below itself; with ``shared`` all have one scale.
    """
    heat = [_picture(each, signed=True) for each in maps]
    backs = [_picture(image) for image in images] if images is not None else [None]
    backs = backs * len(heat) if len(backs) == 1 else backs
    if len(backs) != len(heat):
        raise ValueError(
            f"{len(backs)} images for {len(heat)} maps: give one image for all, or one for each."
        )
    limits = [max(float(np.abs(each).max()), 1e-30) for each in heat]
    limits = [max(limits)] * len(heat) if shared else limits
    signed = any(each.min() < 0 for each in heat)
    cmap = SIGNED if signed else ONE_SIDED
    captions = _padded(titles, len(heat))
    columns = columns or min(len(heat), 10)
    fig, axes = _grid(len(heat), columns, size, bool(titles), captions=not shared)
    for axis, back, each, limit, title in zip(axes, backs, heat, limits, captions, strict=True):
        drawn = axis.imshow(each, cmap=cmap, vmin=-limit if signed else 0, vmax=limit)
        if back is not None and back.ndim == 2:
            axis.contour(back, levels=[0.5], colors="black", linewidths=0.5, alpha=0.6)
        axis.set_title(title, fontsize=9)
        if not shared:
            axis.set_xlabel(f"{'±' if signed else 'up to'} {limit:.2g}", fontsize=8)
    _colorbar(fig, drawn, axes, unit, shared)
    show(fig, alt)


def _colorbar(fig: Figure, drawn: AxesImage, axes: list[Axes], unit: str, shared: bool) -> None:
    bar = fig.colorbar(drawn, ax=axes, fraction=0.03, pad=0.02, label=unit)
    if not shared:
        low, high = drawn.get_clim()
        bar.set_ticks(
            [low, 0, high] if low < 0 else [0, high], labels=["−", "0", "+"] if low < 0 else ["0", "+"]
        )


def _grid(
    count: int, columns: int, size: float, titled: bool, captions: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure and its first ``count`` axes, without ticks; the others are taken away."""
    if count == 0:
        raise ValueError("There is no image to show.")
    rows = math.ceil(count / columns)
    height = size + 0.25 * titled + 0.2 * captions
    fig, grid = subplots(rows, columns, size=(columns * size + 0.6, rows * height), squeeze=False)
    axes = list(grid.flat)
    for axis in axes:
        axis.set(xticks=[], yticks=[])
    for axis in axes[count:]:
        axis.remove()
    return fig, axes[:count]


def _picture(image: Tensor | np.ndarray, signed: bool = False) -> np.ndarray:
    """(h, w), (1, h, w) → (h, w); (3, h, w) → (h, w, 3), or the sum over channels for a signed map."""
    array = (
        image.detach().cpu().double().numpy() if isinstance(image, Tensor) else np.asarray(image, dtype=float)
    )
    if array.ndim == 3 and (signed or len(array) == 1):
        return array.sum(0)
    if array.ndim == 3 and len(array) == 3:
        return array.transpose(1, 2, 0).clip(0, 1)
    if array.ndim != 2:
        raise ValueError(f"An image is (h, w), (1, h, w) or (3, h, w); this one is {array.shape}.")
    return array


def _padded(titles: Sequence[str] | None, count: int) -> list[str]:
    titles = list(titles or [])
    if len(titles) not in (0, count):
        raise ValueError(f"{len(titles)} titles for {count} images.")
    return titles or [""] * count
