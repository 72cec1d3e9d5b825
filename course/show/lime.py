"""Pictures of chapter 7: segments and what speaks for a class, a bent boundary and its straight line, spread over seeds."""

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from course.show import COLORS, INK, SIGNED, show, subplots


def segment_borders(image: Tensor, segments: Tensor, alt: str) -> None:
    """An image, and the same image cut along the borders of its segments."""
    height, width = segments.shape
    fig, axes = subplots(1, 2, size=(4.4 * width / height, 2.4))
    titles = ("the image", f"cut into {int(segments.max()) + 1} segments")
    for axis, title in zip(axes, titles, strict=True):
        _picture(axis, image)
        axis.set_title(title, fontsize=10)
    _borders(axes[1], segments)
    show(fig, alt)


def local_line(
    predict: Callable[[Tensor], Tensor],
    x: Tensor,
    samples: Tensor,
    weights: Tensor,
    line: tuple[Tensor, Tensor],
    alt: str,
    reach: float = 2.4,
) -> None:
    """A bent boundary in the plane, weighted samples around x, and the straight boundary that was fitted to them.

    predict: points (n, 2) → score (n,), positive for the one class and negative for the other.
    line: coefficients (2,) of the point's coordinates and intercept.
    """
    ticks = torch.linspace(-reach, reach, 200)
    grid = torch.cartesian_prod(ticks, ticks)
    with torch.no_grad():
        score = predict(grid).view(200, 200).T
    fig, axis = subplots(size=(5.8, 5.6))
    limit = float(score.abs().max())
    levels = np.linspace(-limit, limit, 21)
    filled = axis.contourf(ticks, ticks, score, levels=levels, cmap=SIGNED, alpha=0.55, antialiased=True)
    fig.colorbar(
        filled, ax=axis, label="score of class 1", ticks=plt.MaxNLocator(5), fraction=0.045, pad=0.02
    )
    axis.contour(ticks, ticks, score, levels=[0], colors="black", linewidths=1.5)
    side = predict(samples) > 0
    for positive, marker, name in ((True, "^", "sample of class 1"), (False, "o", "sample of class 0")):
        rows = side == positive
        axis.scatter(
            samples[rows, 0], samples[rows, 1], s=90 * weights[rows], marker=marker, c="white", edgecolors="black", linewidths=0.8,
            label=f"{name}, larger = nearer",
        )  # fmt: skip
    c, b = (part.detach() for part in line)
    axis.contour(
        ticks,
        ticks,
        (grid @ c + b).view(200, 200).T,
        levels=[0],
        colors=COLORS[1],
        linewidths=3,
        linestyles="--",
    )
    axis.plot(*x, "*", color="#F0E442", markersize=18, markeredgecolor="black", label="x, to be explained")
    axis.plot([], [], "-", color="black", label="the model's boundary")
    axis.plot([], [], "--", color=COLORS[1], linewidth=3, label="the surrogate's boundary")
    axis.set(
        xlabel="feature 1", ylabel="feature 2", xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal"
    )
    fig.legend(loc="outside lower center", ncols=2, fontsize=8)
    show(fig, alt)


def segment_maps(
    image: Tensor,
    segments: Tensor,
    coefficients: Mapping[str, Tensor],
    alt: str,
    unit: str = "score when shown",
) -> None:
    """One map per explanation: each segment in the colour of its coefficient, all on one scale."""
    limit = max(float(c.abs().max()) for c in coefficients.values())
    height, width = segments.shape
    columns = min(len(coefficients), 3 if width > height else 5)
    rows = -(-len(coefficients) // columns)
    size = (1.9 * width / height * columns + 1, 2.2 * rows)
    fig, axes = subplots(rows, columns, size=size, squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, (title, c) in zip(axes.flat, coefficients.items(), strict=False):
        drawn = axis.imshow(c.detach()[segments].cpu(), cmap=SIGNED, vmin=-limit, vmax=limit)
        axis.contour(image.detach().cpu().mean(0), levels=[0.5], colors="black", linewidths=0.7)
        axis.set_title(title, fontsize=10)
    fig.colorbar(drawn, ax=axes, label=unit, fraction=0.03, pad=0.02)
    show(fig, alt)


def supporting_segments(
    image: Tensor, segments: Tensor, coefficients: Mapping[str, Tensor], k: int, alt: str
) -> None:
    """The image, then for each class only the k segments that speak most for it; the rest is greyed out."""
    height, width = segments.shape
    fig, axes = subplots(1, len(coefficients) + 1, size=(1.9 * width / height * (len(coefficients) + 1), 2.3))
    _picture(axes[0], image)
    axes[0].set_title("the image", fontsize=10)
    for axis, (title, c) in zip(axes[1:], coefficients.items(), strict=True):
        best = c.detach().topk(k).indices
        chosen = torch.isin(segments, best[c[best] > 0])
        _picture(axis, image)
        grey = np.zeros((*segments.shape, 4))
        grey[~chosen.cpu().numpy()] = (0.55, 0.6, 0.68, 1.0)
        axis.imshow(grey)
        axis.set_title(title, fontsize=10)
    show(fig, alt)


def curves_with_spread(
    x: Sequence[float], curves: Mapping[str, Tensor], xlabel: str, ylabel: str, alt: str, log: bool = False
) -> None:
    """One curve per name: the median over the last axis (seeds), and a band from the smallest to the largest."""
    fig, axis = subplots(size=(6.2, 3.5))
    for color, marker, (name, values) in zip(COLORS, "os^Dv", curves.items(), strict=False):
        axis.plot(x, values.median(-1).values, marker=marker, color=color, linewidth=2, label=name)
        axis.fill_between(x, values.amin(-1), values.amax(-1), color=color, alpha=0.18, linewidth=0)
    if log:
        axis.set_xscale("log")
        axis.set_xticks(x, [f"{value:g}" for value in x])
        axis.minorticks_off()
    axis.set(xlabel=xlabel, ylabel=ylabel)
    axis.grid(alpha=0.3)
    if len(curves) > 1:
        axis.legend(fontsize=9)
    show(fig, alt)


def spread_over_seeds(panels: Mapping[str, Tensor], alt: str, unit: str = "coefficient") -> None:
    """Every coefficient (horizontal), one dot per seed; the mean as a bar. panels: title → (seeds, features)."""
    fig, axes = subplots(1, len(panels), size=(3.6 * len(panels), 3.1), sharey=True, squeeze=False)
    order = list(panels.values())[-1].mean(0).argsort(descending=True)
    for axis, (title, rows) in zip(axes[0], panels.items(), strict=True):
        rows = rows[:, order]
        places = np.arange(rows.shape[1])
        axis.bar(places, rows.mean(0), color=COLORS[4], alpha=0.6, width=0.8)
        for row in rows:
            axis.plot(places, row, ".", color="black", markersize=3, alpha=0.6)
        axis.axhline(0, color="black", linewidth=0.8)
        axis.set(title=title, xlabel="segment, strongest first")
        axis.grid(axis="y", alpha=0.3)
    axes[0, 0].set_ylabel(unit)
    show(fig, alt)


def coefficient_bars(panels: Mapping[str, Tensor], names: Sequence[str], unit: str, alt: str) -> None:
    """One panel of horizontal bars per explanation, all on one scale; what speaks for and against in two colours."""
    size = (1.4 + 2.9 * len(panels), 0.7 + 0.26 * len(names))
    fig, axes = subplots(1, len(panels), size=size, sharex=True, sharey=True, squeeze=False)
    for axis, (title, c) in zip(axes[0], panels.items(), strict=True):
        values = c.tolist()
        axis.barh(names, values, color=[COLORS[5] if value > 0 else COLORS[0] for value in values])
        axis.axvline(0, color="black", linewidth=0.8)
        axis.set(title=title, xlabel=unit)
        axis.grid(axis="x", alpha=0.3)
    axes[0, 0].invert_yaxis()
    show(fig, alt)


def weights_by_visibility(share: Tensor, weights: Mapping[str, Tensor], alt: str) -> None:
    """How much a sample counts, against the share of the segments that it shows."""
    fig, axis = subplots(size=(5.4, 3.2))
    order = share.argsort()
    for color, style, (name, values) in zip(COLORS, ("-", "--", "-."), weights.items(), strict=False):
        axis.plot(share[order], values[order], style, color=color, linewidth=2, label=name)
    axis.set(xlabel="share of the segments that is visible", ylabel="weight π of the sample")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=9)
    show(fig, alt)


def _picture(axis: Axes, image: Tensor) -> None:
    array = image.detach().cpu().double().numpy()
    if len(array) == 3:
        axis.imshow(array.transpose(1, 2, 0).clip(0, 1))
    else:
        axis.imshow(array[0], cmap=INK, vmin=0, vmax=1)
    axis.set(xticks=[], yticks=[])


def _borders(axis: Axes, segments: Tensor) -> None:
    """Thin lines between pixels of different segments."""
    grid = segments.cpu().numpy()
    for row, column in np.argwhere(grid[:, 1:] != grid[:, :-1]):
        axis.plot([column + 0.5] * 2, [row - 0.5, row + 0.5], color=COLORS[5], linewidth=0.9)
    for row, column in np.argwhere(grid[1:] != grid[:-1]):
        axis.plot([column - 0.5, column + 0.5], [row + 0.5] * 2, color=COLORS[5], linewidth=0.9)
