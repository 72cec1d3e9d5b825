"""Pictures of chapter 8: weights that vanish, what a deletion costs, which pixels are needed, a weight behind its sign."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from course.show import AMOUNT, COLORS, SIGNED, show, subplots


def weight_maps(rows: Mapping[str, Tensor], alt: str, captions: Sequence[str] = ()) -> None:
    """One row of maps (n, h, w) per name, each row with its own scale; exact zeros are grey."""
    columns = max(len(maps) for maps in rows.values())
    fig, axes = subplots(
        len(rows), columns, size=(1.05 * columns + 1.4, 1.25 * len(rows) + 0.2), squeeze=False
    )
    palette = plt.get_cmap(SIGNED).with_extremes(bad="0.82")
    for line, (name, maps) in zip(axes, rows.items(), strict=True):
        limit = float(maps.abs().max())
        for axis, each in zip(line, maps.detach(), strict=True):
            axis.imshow(each.masked_fill(each == 0, float("nan")), cmap=palette, vmin=-limit, vmax=limit)
            axis.set(xticks=[], yticks=[])
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=10)
    for axis, caption in zip(axes[0], captions, strict=False):
        axis.set_title(caption, fontsize=9)
    scale = plt.cm.ScalarMappable(plt.Normalize(-1, 1), SIGNED)
    bar = fig.colorbar(scale, ax=axes, fraction=0.02, pad=0.01, ticks=[-1, 0, 1])
    bar.set_ticklabels(["−", "0", "+"])
    bar.set_label("weight\n(grey: 0)")
    show(fig, alt)


def accuracy_by_share(
    shares: Sequence[float],
    curves: Mapping[str, Tensor],
    alt: str,
    xlabel: str = "share of the weights that is kept",
) -> None:
    """Accuracy against what is kept: the median over seeds (last axis) and a band over all of them. shares: deleted.

    Nine points are shown, so that small losses can be seen; whatever falls below is named at the edge.
    """
    fig, axis = subplots(size=(6.4, 3.8))
    places = range(len(shares))
    for color, marker, style, (name, values) in zip(
        COLORS, "osD^v", ("-", "--", "-.", ":", "-"), curves.items(), strict=False
    ):
        axis.plot(
            places, values.median(-1).values, style, marker=marker, color=color, linewidth=2, label=name
        )
        axis.fill_between(places, values.amin(-1), values.amax(-1), color=color, alpha=0.18, linewidth=0)
    top = max(float(values.max()) for values in curves.values()) + 0.5
    axis.set_ylim(top - 9.5, top)
    for name, values in curves.items():
        last = float(values.median(-1).values[-1])
        if last < top - 9.5:
            note = f"{name}: down to {last:.0f} % ↓"
            axis.annotate(
                note, (1, 0), xytext=(-6, 6), xycoords="axes fraction", textcoords="offset points", ha="right"
            )
    axis.set_xticks(places, [f"{1 - share:.0%}" for share in shares])
    axis.set(xlabel=xlabel, ylabel="accuracy on held-out digits, %")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=9)
    show(fig, alt)


def predicted_against_actual(
    curves: Mapping[str, tuple[Tensor, Tensor]], shares: Sequence[float], alt: str
) -> None:
    """What OBD predicts (horizontal) and what happens (vertical), one point per share; the diagonal is a perfect forecast."""
    fig, axis = subplots(size=(5.2, 4.4))
    everything = torch.cat([torch.cat(pair) for pair in curves.values()])
    ends = [float(everything[everything > 0].min()) / 2, float(everything.max()) * 2]
    axis.plot(ends, ends, ":", color="0.4", label="as predicted")
    sides = cycle([((6, -10), "left"), ((-6, 4), "right")])  # one curve's notes below it, the other's above
    for color, marker, (name, (predicted, actual)) in zip(COLORS, "osD", curves.items(), strict=False):
        axis.plot(predicted, actual, marker=marker, color=color, linewidth=1.5, label=name)
        offset, align = next(sides)
        for p, a, share in zip(predicted.tolist(), actual.tolist(), shares, strict=True):
            axis.annotate(
                f"{share:.0%}", (p, a), offset, textcoords="offset points", ha=align, fontsize=8, color=color
            )
    axis.set(
        xscale="log", yscale="log", xlabel="predicted rise of the loss", ylabel="actual rise of the loss"
    )
    axis.grid(alpha=0.3)
    axis.legend(fontsize=9)
    show(fig, alt)


def pixel_choice(usefulness: Tensor, mean: Tensor, keeps: Mapping[str, Tensor], alt: str) -> None:
    """How useful each pixel is (on a logarithmic scale), and which stay: kept pixels show the mean digit, others are blue."""
    fig, axes = subplots(1, 1 + len(keeps), size=(2.3 * (1 + len(keeps)) + 0.8, 2.6))
    side = int(len(usefulness) ** 0.5)
    amount = usefulness.clamp_min(float(usefulness.max()) * 1e-6).log10().view(side, side)
    drawn = axes[0].imshow(amount, cmap=AMOUNT)
    axes[0].set_title("usefulness of each pixel", fontsize=10)
    fig.colorbar(drawn, ax=axes[0], label="log10 of the predicted\nrise of the loss", fraction=0.05)
    for axis, (title, keep) in zip(axes[1:], keeps.items(), strict=True):
        picture = torch.stack([1 - mean.view(side, side)] * 3, dim=-1)
        picture[~keep.view(side, side)] = torch.tensor([0.45, 0.62, 0.78])
        axis.imshow(picture, vmin=0, vmax=1)
        axis.set_title(title, fontsize=10)
    for axis in axes:
        axis.set(xticks=[], yticks=[])
    show(fig, alt)


def weight_behind_its_sign(real: Sequence[float], signs: Sequence[float], alt: str) -> None:
    """A real weight, step by step, and the sign that the network uses."""
    fig, axis = subplots(size=(6, 3))
    axis.plot(real, color=COLORS[0], linewidth=2, label="the real weight, which learns")
    axis.step(
        range(len(signs)),
        signs,
        "--",
        where="post",
        color=COLORS[1],
        linewidth=2,
        label="its sign, which is used",
    )
    axis.axhline(0, color="black", linewidth=0.8)
    axis.set(xlabel="step", ylabel="weight", ylim=(-1.15, 1.15))
    axis.grid(alpha=0.3)
    axis.legend(fontsize=9)
    show(fig, alt)


def slopes(curves: Mapping[str, tuple[Tensor, Tensor]], x: Tensor, alt: str) -> None:
    """Functions and the slopes that go backward through them. curves: title → (values, slopes)."""
    fig, axes = subplots(1, len(curves), size=(3.3 * len(curves), 2.6), sharey=True)
    for axis, (title, (values, slope)) in zip(axes, curves.items(), strict=True):
        axis.plot(x, values, color=COLORS[0], linewidth=2, label="forward: value")
        axis.plot(x, slope, "--", color=COLORS[1], linewidth=2, label="backward: slope")
        axis.set(title=title, xlabel="input")
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=8, loc="lower right")
    show(fig, alt)
