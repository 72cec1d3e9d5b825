"""Pictures of chapter 1: the course map, weights as bars and as paths, learning curves."""

from collections.abc import Callable, Mapping, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch
from torch import Tensor

from course.show import COLORS, show, subplots

DARK = COLORS[:7]  # without yellow, for lines on white

MAP = {
    ("one decision", "from outside"): [(7, "LIME")],
    ("one decision", "from inside"): [
        (4, "sensitivity"),
        (5, "deconvnet, guided backprop"),
        (6, "relevance propagation"),
    ],
    ("one decision", "built in"): [
        (10, "attention"),
        (11, "memory networks"),
        (12, "attention in sequences"),
        (13, "self-attention"),
        (14, "reasoning in steps"),
    ],
    ("the whole model", "from outside"): [(9, "distillation")],
    ("the whole model", "from inside"): [
        (2, "filters and activations"),
        (3, "activation maximization"),
        (8, "simpler models"),
    ],
    ("the whole model", "built in"): [(1, "linear models")],
}
ROWS = {"one decision": "Why did it decide\nthis here?", "the whole model": "What has it\nlearned?"}
COLUMNS = {
    "from outside": "from outside\n(agnostic: any model)",
    "from inside": "from inside\n(uses the network)",
    "built in": "built in\n(the model shows its work)",
}


def course_map() -> None:
    """What is explained (rows) and how (columns), with the chapters that do it."""
    fig, axis = subplots(size=(11, 4.4))
    axis.set(xlim=(-0.62, 3), ylim=(2, -0.32))
    axis.axis("off")
    for j, (column, title) in enumerate(COLUMNS.items()):
        axis.text(j + 0.5, -0.05, title, ha="center", va="bottom", fontsize=11, weight="bold")
        for i, row in enumerate(ROWS):
            axis.add_patch(_card(j, i, COLORS[j]))
            chapters = MAP[row, column]
            first = i + 0.5 - 0.085 * (len(chapters) - 1)
            for k, (number, name) in enumerate(chapters):
                place = first + 0.17 * k
                axis.text(j + 0.15, place, str(number), ha="right", va="center", fontsize=10.5)
                axis.text(j + 0.18, place, name, va="center", fontsize=10.5)
    for i, question in enumerate(ROWS.values()):
        axis.text(-0.06, i + 0.5, question, ha="right", va="center", fontsize=11, weight="bold")
    show(fig, "Map of the course. " + _map_in_words())


def _card(column: int, row: int, color: str) -> FancyBboxPatch:
    return FancyBboxPatch(
        (column + 0.05, row + 0.05),
        0.9,
        0.9,
        boxstyle="round,pad=0,rounding_size=0.05",
        fc=color,
        ec=color,
        alpha=0.18,
    )


def _map_in_words() -> str:
    cells = []
    for (row, column), chapters in MAP.items():
        names = ", ".join(f"{name} (chapter {number})" for number, name in chapters)
        cells.append(f"Explaining {row} {column}: {names}.")
    return " ".join(cells)


def weight_bars(
    weights: Mapping[str, Tensor], names: Sequence[str], units: str | Sequence[str], alt: str
) -> None:
    """One panel of horizontal bars per set of weights; positive and negative ones in two colours.

    units: one for all panels, which then have one scale; or one for each, with a scale of its own.
    """
    fig, axes = subplots(1, len(weights), size=(0.8 + 3.3 * len(weights), 0.6 + 0.26 * len(names)), sharey=True, sharex=isinstance(units, str), squeeze=False)  # fmt: skip
    each_unit = [units] * len(weights) if isinstance(units, str) else units
    for axis, unit, (title, w) in zip(axes[0], each_unit, weights.items(), strict=True):
        values = w.tolist()
        axis.barh(
            range(len(values)), values, color=[COLORS[5] if value > 0 else COLORS[0] for value in values]
        )
        axis.set(title=title, xlabel=unit)
        axis.axvline(0, color="black", linewidth=0.8)
        for place, value in enumerate(values):
            if value == 0:
                axis.plot(0, place, "o", color="black", markersize=4)
        axis.grid(axis="x", alpha=0.3)
        axis.set_axisbelow(True)
    axes[0, 0].set_yticks(range(len(names)), names)
    axes[0, 0].invert_yaxis()
    show(fig, alt)


def weight_paths(
    penalties: Tensor, paths: Mapping[str, Tensor], names: Sequence[str], useless: int, alt: str
) -> None:
    """How every weight changes with the penalty. paths: title → (penalties, d); the last ``useless`` in grey."""
    fig, axes = subplots(1, len(paths), size=(5.2 * len(paths), 3.8), sharey=True, squeeze=False)
    for axis, (title, w) in zip(axes[0], paths.items(), strict=True):
        useful = w.shape[1] - useless
        for j in range(useful, w.shape[1]):
            label = "useless columns" if j == useful else None
            axis.plot(penalties, w[:, j], color="0.6", linewidth=1, label=label)
        for j in range(useful):
            style, color = ("-", "--")[j // len(DARK)], DARK[j % len(DARK)]
            axis.plot(penalties, w[:, j], style, color=color, linewidth=1.8, label=names[j])
        axis.set(title=title, xlabel="penalty", xscale="log")
        axis.axhline(0, color="black", linewidth=0.8)
        axis.grid(alpha=0.3)
    axes[0, 0].set_ylabel("weight (progression per deviation)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside right center", fontsize=9)
    show(fig, alt)


def shrinking_curves(curves: Mapping[str, Callable[[Tensor], Tensor]], alt: str) -> None:
    """What a penalty makes of a single weight: before (horizontal) and after (vertical)."""
    w = torch.linspace(-3, 3, 601)
    shrunk = {name: shrink(w) for name, shrink in curves.items()}
    fig, axis = subplots(size=(4.6, 3.6))
    axis.plot(w, w, ":", color="0.4", label="no penalty")
    for color, (name, values) in zip((COLORS[1], COLORS[0]), shrunk.items(), strict=False):
        axis.plot(w, values, color=color, linewidth=2.2, label=name)
    axis.set(xlabel="weight that fits best", ylabel="weight with penalty", aspect="equal")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=9)
    show(fig, alt)


def learning_curves(costs: Mapping[str, Sequence[float]], alt: str) -> None:
    """How far the cost is above its minimum, step by step, on a logarithmic scale."""
    fig, axis = subplots(size=(6.2, 3.4))
    for color, style, (name, values) in zip(COLORS, ("-", "--", "-."), costs.items(), strict=False):
        axis.plot(range(len(values)), values, style, color=color, linewidth=2, label=name)
    _logarithmic(axis)
    axis.set(xlabel="step", ylabel="cost above the minimum")
    axis.legend()
    show(fig, alt)


def _logarithmic(axis: Axes) -> None:
    axis.set_yscale("log")
    axis.grid(alpha=0.3)
