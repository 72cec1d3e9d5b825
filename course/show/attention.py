"""Pictures of chapter 10: a query among its items, a table that is looked up softly, where a network looks."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from course.show import COLORS, show, subplots

BLUE, ORANGE, GREEN = COLORS[0], COLORS[5], COLORS[2]


def attention_in_the_plane(
    query: Tensor,
    memory: Tensor,
    weights: Tensor,
    read: Tensor,
    names: Sequence[str],
    alt: str,
    title: str = "",
) -> None:
    """Left: the query as an arrow, the items as dots as large as their weights, what is read as a cross. Right: the weights."""
    fig, (plane, bars) = subplots(1, 2, size=(8.2, 3.6))
    limit = 1.35 * float(max(memory.abs().max(), query.abs().max()))
    plane.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", title=title)
    plane.set(xlabel="first number", ylabel="second number")
    plane.axhline(0, color="0.9", zorder=0)
    plane.axvline(0, color="0.9", zorder=0)
    plane.annotate(
        "",
        xy=tuple(query.tolist()),
        xytext=(0, 0),
        arrowprops={"arrowstyle": "-|>", "color": ORANGE, "lw": 2},
    )
    plane.plot([], [], color=ORANGE, lw=2, label="query")
    plane.scatter(memory[:, 0], memory[:, 1], s=900 * weights + 8, color=BLUE, alpha=0.6, linewidths=0)
    for name, (x, y) in zip(names, memory.tolist(), strict=True):
        plane.text(x, y, name, ha="center", va="center", fontsize=9)
    plane.plot(read[0], read[1], "X", ms=12, color=GREEN, mec="white", label="read")
    plane.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9)
    bars.bar(list(names), weights.tolist(), color=BLUE)
    bars.set(ylim=(0, 1), ylabel="weight", xlabel="item")
    bars.spines[["top", "right"]].set_visible(False)
    show(fig, alt)


def sharpening(sharpness: Tensor, weights: Tensor, names: Sequence[str], alt: str) -> None:
    """How one unit of attention is divided among the items, from blunt (left) to sharp (right)."""
    fig, axis = subplots(size=(7, 2.8))
    axis.stackplot(sharpness, weights.T, labels=list(names), colors=COLORS[: len(names)], alpha=0.85)
    axis.set(
        xscale="log",
        xlim=(sharpness[0], sharpness[-1]),
        ylim=(0, 1),
        xlabel="sharpness β",
        ylabel="weights, stacked",
    )
    handles, labels = axis.get_legend_handles_labels()
    axis.legend(
        handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, title="item"
    )
    show(fig, alt)


def looked_up(
    queries: Tensor,
    answers: Mapping[str, Tensor],
    keys: Tensor,
    values: Tensor,
    alt: str,
    rug: Tensor | None = None,
) -> None:
    """A table with one-dimensional keys and values (dots), and what it answers to every query between."""
    fig, axis = subplots(size=(7, 3))
    for (name, answer), color in zip(answers.items(), COLORS, strict=False):
        axis.plot(queries, answer.detach(), color=color, label=name)
    axis.plot(keys.detach(), values.detach(), "o", color="black", label="entries of the table", zorder=3)
    if rug is not None:
        axis.plot(
            rug[:, 0], rug[:, 1], "o", ms=4, mfc="none", color="0.6", label="what was to be learned", zorder=0
        )
    axis.set(xlabel="query, key", ylabel="answer, value")
    axis.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    axis.spines[["top", "right"]].set_visible(False)
    show(fig, alt)


def feature_bars(rows: Mapping[str, Mapping[str, Tensor]], deciding: int, alt: str) -> None:
    """One row of panels per network, one panel per measure; the feature that decides is orange."""
    measures = list(next(iter(rows.values())))
    fig, axes = subplots(
        len(rows), len(measures), size=(4.1 * len(measures), 2.1 * len(rows)), squeeze=False, sharey="col"
    )
    for row, (network, panels) in zip(axes, rows.items(), strict=True):
        for axis, (measure, values) in zip(row, panels.items(), strict=True):
            colors = [ORANGE if feature == deciding else BLUE for feature in range(len(values))]
            axis.bar(range(len(values)), values.detach().tolist(), color=colors)
            axis.set_title(network, fontsize=10)
            axis.set_ylabel(measure, fontsize=8)
            axis.set_ylim(bottom=0)
            axis.set_xticks(range(len(values)))
            axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[-1]:
        axis.set_xlabel("feature")
    show(fig, alt)
