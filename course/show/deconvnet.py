"""Pictures of chapter 5: rules in numbers, layers × maps × patches, and networks that forget."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity
from torch import Tensor

from course.show import COLORS, INK, SIGNED, show, subplots


def number_tables(tables: Mapping[str, Tensor], alt: str) -> None:
    """Small matrices side by side, each number written on its colour: blue below zero, red above."""
    limit = max(float(table.abs().max()) for table in tables.values())
    fig, axes = subplots(1, len(tables), size=(1.9 * len(tables), 2.2), squeeze=False)
    for axis, (title, table) in zip(axes.flat, tables.items(), strict=True):
        axis.imshow(table.numpy(), cmap=SIGNED, vmin=-limit, vmax=limit)
        for (row, column), value in np.ndenumerate(table.numpy()):
            ink = "white" if abs(value) > 0.6 * limit else "black"
            axis.text(column, row, f"{value + 0.0:g}", ha="center", va="center", fontsize=10, color=ink)
        axis.set(xticks=[], yticks=[])
        axis.set_title(title, fontsize=9)
    show(fig, alt)


def patches_and_pictures(
    rows: Sequence[str], patches: Tensor, pictures: Mapping[str, Tensor], alt: str, title: str = ""
) -> None:
    """Zeiler's figure. One row per map; the patches that excite it most, then what each method makes of each patch.

    patches: (maps, k, side, side). pictures: by method, of the same shape; grey is zero, each row of one method has
    its own scale.
    """
    blocks = {"patches of digits": patches, **pictures}
    k = patches.shape[1]
    fig, axes = plt.subplots(
        len(rows),
        len(blocks) * k + len(blocks) - 1,
        figsize=(0.52 * (len(blocks) * (k + 0.4)), 0.56 * len(rows) + 0.6),
        squeeze=False,
        gridspec_kw={"width_ratios": (([1] * k + [0.35]) * len(blocks))[:-1], "wspace": 0.06, "hspace": 0.08},
    )
    for row, name in enumerate(rows):
        for block, (label, values) in enumerate(blocks.items()):
            limit = max(float(values[row].abs().max()), 1e-12)
            for n in range(k):
                axis = axes[row, block * (k + 1) + n]
                style = (
                    {"cmap": INK, "vmin": 0, "vmax": 1}
                    if block == 0
                    else {"cmap": SIGNED, "vmin": -limit, "vmax": limit}
                )
                axis.imshow(values[row, n].numpy(), **style)
                axis.set(xticks=[], yticks=[])
                if row == 0 and n == k // 2:  # over the middle of the block
                    axis.set_title(label, fontsize=9, x=0.5 if k % 2 else -0.03)
            if block:
                axes[row, block * (k + 1) - 1].axis("off")
        axes[row, 0].set_ylabel(name, fontsize=8, rotation=0, ha="right", va="center")
    if title:
        fig.suptitle(title, fontsize=10, y=1.0)
    show(fig, alt)


def foreground_similarity(mine: Tensor, theirs: Tensor, images: Tensor) -> tuple[float, float]:
    """How alike two sets of maps are on the ink: (rank correlation, structural similarity), means over the images.

    Only pixels with ink above 0.2 count: on blank paper most maps are zero, and agreeing there is no merit.
    Before the structural similarity (5 × 5 windows) each map is divided by its largest absolute value.
    """
    ranks, structures = [], []
    for a, b, image in zip(mine, theirs, images, strict=True):
        first, second = (each.sum(0).double().numpy() for each in (a, b))
        ink = image.sum(0).numpy() > 0.2
        scaled = [each / max(np.abs(each).max(), 1e-30) for each in (first, second)]
        _, local = structural_similarity(*scaled, win_size=5, data_range=2, full=True)
        structures.append(local[ink].mean())
        if np.ptp(first[ink]) > 0 and np.ptp(second[ink]) > 0:
            ranks.append(spearmanr(first[ink], second[ink]).statistic)
    return float(np.mean(ranks)) if ranks else 0.0, float(np.mean(structures))


def forgetting_curves(
    stages: Sequence[str], curves: Mapping[str, Sequence[tuple[float, float]]], alt: str
) -> None:
    """Likeness to the trained network's map, method by method, while layers forget: rank correlation and SSIM."""
    fig, axes = subplots(1, 2, size=(8.4, 3.2), sharey=True)
    places = range(len(stages))
    for number, (axis, name) in enumerate(
        zip(axes, ("rank correlation", "structural similarity"), strict=True)
    ):
        for color, marker, (method, values) in zip(COLORS, "osD^v", curves.items(), strict=False):
            axis.plot(
                places, [value[number] for value in values], color=color, marker=marker, label=method, ms=5
            )
        _forgetting_axis(axis, stages, name)
    axes[0].set_ylabel("likeness to the trained\nnetwork's map, on the ink")
    axes[1].legend(fontsize=8, frameon=False)
    show(fig, alt)


def _forgetting_axis(axis: Axes, stages: Sequence[str], name: str) -> None:
    axis.axhline(0, color="gray", lw=0.8)
    axis.set_xticks(range(len(stages)), stages, fontsize=8)
    axis.set(title=name, xlabel="the layer that has just forgotten", ylim=(-0.2, 1.05))
    axis.spines[["top", "right"]].set_visible(False)


def maps_in_rows(rows: Mapping[str, Tensor], columns: Sequence[str], image: Tensor, alt: str) -> None:
    """One row of signed maps per method, one column per stage; every map on its own scale, white is zero."""
    fig, axes = subplots(
        len(rows), len(columns), size=(1.25 * len(columns) + 1, 1.3 * len(rows) + 0.4), squeeze=False
    )
    for row, (method, maps) in enumerate(rows.items()):
        for column, (axis, each) in enumerate(zip(axes[row], maps, strict=True)):
            values = each.sum(0).numpy()
            limit = max(float(np.abs(values).max()), 1e-30)
            drawn = axis.imshow(values, cmap=SIGNED, vmin=-limit, vmax=limit)
            axis.contour(image.sum(0).numpy(), levels=[0.5], colors="black", linewidths=0.5, alpha=0.5)
            axis.set(xticks=[], yticks=[])
            if row == 0:
                axis.set_title(columns[column], fontsize=8)
        axes[row, 0].set_ylabel(method, fontsize=9)
    bar = fig.colorbar(drawn, ax=axes, fraction=0.03, pad=0.02, label="each map on its own scale")
    bar.set_ticks([*drawn.get_clim(), 0], labels=["−", "+", "0"])
    show(fig, alt)
