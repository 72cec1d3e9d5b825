"""Pictures of chapter 4: scores of an image, falling curves, a score on its way from the baseline."""

from collections.abc import Mapping

import torch
from torch import Tensor

from course.show import COLORS, INK, show, subplots


def image_with_scores(image: Tensor, scores: Tensor, alt: str) -> None:
    """One digit, and the network's score for every class; the highest in another colour."""
    fig, (left, right) = subplots(1, 2, size=(6.4, 2.4), width_ratios=[1, 2])
    left.imshow(image.squeeze().cpu(), cmap=INK, vmin=0, vmax=1)
    left.set(xticks=[], yticks=[])
    best = int(scores.argmax())
    colors = [COLORS[5] if k == best else COLORS[0] for k in range(len(scores))]
    right.bar(range(len(scores)), scores.detach().tolist(), color=colors)
    right.axhline(0, color="black", linewidth=0.8)
    right.set(xlabel="class", ylabel="score", xticks=range(len(scores)))
    show(fig, alt)


def deletion_curves(curves: Mapping[str, Tensor], alt: str) -> None:
    """Mean score against the share of pixels deleted; the legend is ordered by the mean height, lowest last."""
    fig, axis = subplots(size=(8.4, 3.6))
    heights = {name: float(curve.mean()) for name, curve in curves.items()}
    for place, name in enumerate(sorted(heights, key=heights.__getitem__, reverse=True)):
        curve = curves[name].mean(dim=0)
        share = torch.linspace(0, 100, len(curve))
        style = ("-", "--", "-.", ":")[place % 4]
        axis.plot(
            share, curve, style, color=COLORS[place % 7], linewidth=2, label=f"{name}: {heights[name]:.1f}"
        )
    axis.axhline(0, color="black", linewidth=0.8)
    axis.set(xlabel="% of the pixels deleted", ylabel="mean score of the class", xlim=(0, 60))
    axis.grid(alpha=0.3)
    fig.legend(title="mean height", fontsize=9, loc="outside right center")
    show(fig, alt)


def along_the_way(alphas: Tensor, values: Tensor, slopes: Tensor, name: str, alt: str) -> None:
    """Left, a value between baseline and image; right, its slope, whose area is what the value gains."""
    fig, (left, right) = subplots(1, 2, size=(8, 2.8))
    left.plot(alphas, values, color=COLORS[0], linewidth=2)
    left.set(xlabel="α, from baseline (0) to image (1)", ylabel=name)
    right.plot(alphas, slopes, color=COLORS[5], linewidth=2)
    right.fill_between(alphas, slopes, color=COLORS[5], alpha=0.2)
    gain = float(values[-1] - values[0])
    right.set(xlabel="α", ylabel="its slope", title=f"area = gain = {gain:.2f}")
    for axis in (left, right):
        axis.grid(alpha=0.3)
        axis.axhline(0, color="black", linewidth=0.8)
    show(fig, alt)
