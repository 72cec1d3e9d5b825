"""Pictures of chapter 2: maps beside their image, where a unit looks, and what excites it most."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.patches import Rectangle
from torch import Tensor

from course.show import AMOUNT, COLORS, INK, show, subplots

Field = tuple[int, int, int]


def image_and_maps(image: Tensor, maps: Tensor, name: str, alt: str, columns: int = 8) -> None:
    """One image (1, h, w) and what each channel of a layer (channels, h, w) answers to it, on one scale."""
    rows = -(-len(maps) // columns)
    fig = plt.figure(figsize=(columns * 0.85 + 2.6, rows * 0.95 + 0.3), layout="constrained")
    left, right = fig.subfigures(1, 2, width_ratios=[1.7, columns * 0.85 + 0.6], squeeze=False)[0]
    axis = left.subplots()
    axis.imshow(image.squeeze().cpu(), cmap=INK, vmin=0, vmax=1)
    axis.set(xticks=[], yticks=[], title="image")
    axes = right.subplots(rows, columns, squeeze=False)
    top = float(maps.max())
    for number, each in enumerate(axes.flat):
        each.axis("off")
        if number < len(maps):
            drawn = each.imshow(maps[number].detach().cpu(), cmap=AMOUNT, vmin=0, vmax=top)
            each.set_title(str(number), fontsize=7, pad=2)
    right.colorbar(drawn, ax=list(axes.flat), label=f"{name}: activation", fraction=0.03, pad=0.02)
    show(fig, alt)


def fields_on_image(image: Tensor, fields: Mapping[str, Field], unit: Mapping[str, int], alt: str) -> None:
    """The squares that one unit per layer sees, around one another, on the image."""
    fig, axis = subplots(size=(5.6, 3.8))
    axis.imshow(image.squeeze().cpu(), cmap=INK, vmin=0, vmax=1, alpha=0.55)
    for color, (name, (size, jump, start)) in zip(COLORS, fields.items(), strict=False):
        first = start + jump * unit[name]
        axis.add_patch(_frame(first, first, size, color, label=f"{name}: {size} × {size}"))
    axis.set(xlabel="pixel column", ylabel="pixel row")
    axis.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), title="one unit of … sees")
    show(fig, alt)


def slope_and_field(slope: Tensor, row: int, col: int, field: Field, alt: str) -> None:
    """How strongly each pixel moved one unit (h, w), and the square where the arithmetic says that it looks."""
    size, jump, start = field
    fig, axis = subplots(size=(4.8, 3.6))
    drawn = axis.imshow(slope.detach().cpu(), cmap=AMOUNT, vmin=0)
    axis.add_patch(_frame(start + jump * row, start + jump * col, size, COLORS[5], label="computed field"))
    fig.colorbar(drawn, label="mean |slope| of the unit")
    axis.set(xlabel="pixel column", ylabel="pixel row")
    axis.legend(loc="upper left")
    show(fig, alt)


def image_rows(
    rows: Mapping[str, Tensor], alt: str, note: str = "strongest  →  weaker", size: float = 0.85
) -> None:
    """Named rows of small images (k, 1, h, w); the note below says what changes from left to right."""
    count = max(len(patches) for patches in rows.values())
    fig, axes = subplots(len(rows), count, size=(count * size + 1, len(rows) * size + 0.3), squeeze=False)
    for line, (name, patches) in zip(axes, rows.items(), strict=True):
        for axis in line:
            axis.set(xticks=[], yticks=[])
            axis.set_visible(False)
        for axis, patch in zip(line, patches, strict=False):
            axis.set_visible(True)
            axis.imshow(patch.squeeze().cpu(), cmap=INK, vmin=0, vmax=1)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
    fig.supxlabel(note, fontsize=9)
    show(fig, alt)


def framed_images(
    images: Tensor, places: Sequence[tuple[int, int]], field: Field, values: Tensor, alt: str, title: str = ""
) -> None:
    """Whole images (k, 1, h, w), each with a frame around what the unit in (row, column) saw of it."""
    size, jump, start = field
    fig, axes = subplots(1, len(images), size=(1.15 * len(images) + 0.2, 1.7), squeeze=False)
    for axis, image, (row, col), value in zip(axes[0], images, places, values.tolist(), strict=True):
        axis.imshow(image.squeeze().cpu(), cmap=INK, vmin=0, vmax=1)
        axis.add_patch(_frame(start + jump * row, start + jump * col, size, COLORS[5]))
        axis.set(xticks=[], yticks=[], xlim=(-3.5, 30.5), ylim=(30.5, -3.5))
        axis.set_title(f"{value:.2f}", fontsize=8)
    fig.suptitle(title, fontsize=10)
    show(fig, alt)


def activation_by_class(values: Tensor, labels: Tensor, top: int, name: str, alt: str) -> None:
    """Every image as a dot: its class, and how strongly it drives one unit; the ``top`` strongest are large."""
    fig, axis = subplots(size=(7.4, 3.2))
    spread = 0.5 * (torch.arange(len(values)) * 0.618034 % 1 - 0.5)  # side by side, without drawing lots
    place, height = labels.cpu() + spread, values.detach().cpu()
    best = height.topk(top).indices
    axis.scatter(place, height, s=4, color=COLORS[0], alpha=0.35, label="an image", linewidths=0)
    axis.scatter(place[best], height[best], s=28, color=COLORS[5], marker="D", label=f"the {top} strongest")
    axis.axhline(
        float(height.max()) / 2, color="black", linestyle="--", linewidth=1, label="half of the maximum"
    )
    axis.set(xlabel="class of the image", ylabel=f"{name}: activation", xticks=range(10))
    axis.grid(axis="y", alpha=0.3)
    axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
    show(fig, alt)


def purity_bars(purity: Mapping[str, Tensor], top: int, alt: str) -> None:
    """How many of the ``top`` strongest images belong to one class: the share of units per count, group by group."""
    fig, axis = subplots(size=(7, 2.9))
    counts = torch.arange(1, top + 1)
    width = 0.8 / len(purity)
    for place, (name, values) in enumerate(purity.items()):
        share = (values.cpu()[:, None] == counts).float().mean(0) * 100
        axis.bar(
            counts + (place - (len(purity) - 1) / 2) * width,
            share,
            width,
            label=f"{name}: {float(values.float().mean()):.1f} on average",
            color=COLORS[(0, 1, 2)[place]],
            hatch=("", "//", "..")[place],
            edgecolor="white",
        )
    axis.set(
        xlabel=f"of the {top} strongest images, how many show the same digit",
        ylabel="% of units",
        xticks=counts,
    )
    axis.grid(axis="y", alpha=0.3)
    axis.legend()
    show(fig, alt)


def _frame(top: int, left: int, size: int, color: str, label: str = "") -> Rectangle:
    """A square around size × size pixels, the first of which is (top, left)."""
    return Rectangle(
        (left - 0.5, top - 0.5), size, size, fill=False, edgecolor=color, linewidth=2, label=label or None
    )
