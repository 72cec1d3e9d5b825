"""What self-attention does: heads as matrices, positions as waves, words moving apart by their context, rollout."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from course.show import AMOUNT, COLORS, SIGNED, as_array, show, subplots
from course.show.explore import explore_sentences


def attention_heads(
    weights: Tensor, words: Sequence[str], alt: str = "", layers: Sequence[int] | None = None
) -> None:
    """Draw the weights (layers, heads, n, n) of one sentence: a row per layer, a matrix per head."""
    values = as_array(weights)[:, :, : len(words), : len(words)]
    rows, columns = values.shape[:2]
    grid: Any
    fig, grid = subplots(rows, columns, size=(0.24 * len(words) * columns + 1.6, 0.24 * len(words) * rows + 1.3), squeeze=False, sharex=True, sharey=True)  # fmt: skip
    for layer, head in np.ndindex(rows, columns):
        axis = grid[layer, head]
        drawn = axis.imshow(values[layer, head], cmap=AMOUNT, vmin=0, vmax=1)
        axis.set_title(f"layer {layer + 1 if layers is None else layers[layer]}, head {head + 1}", fontsize=9)
        axis.set_xticks(range(len(words)), words, rotation=90, fontsize=8)
        axis.set_yticks(range(len(words)), words, fontsize=8)
        axis.tick_params(length=0)
    fig.supxlabel("looked at", fontsize=10)
    fig.supylabel("looking", fontsize=10)
    fig.colorbar(drawn, ax=grid, label="attention weight", fraction=0.03, pad=0.02)
    show(fig, alt)


def spread_by_width(
    widths: Sequence[int], curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], alt: str = ""
) -> None:
    """Draw, over the width d, the largest weight and the size of the gradient, one curve per way of scaling."""
    fig, (left, right) = subplots(1, 2, size=(8.5, 3.2))
    for (name, (largest, gradient)), color, marker in zip(curves.items(), COLORS, "osD", strict=False):
        left.plot(widths, largest, marker=marker, color=color, label=name)
        right.plot(widths, gradient, marker=marker, color=color, label=name)
    left.set(xscale="log", ylim=(0, 1.03), xlabel="width d", ylabel="largest weight (mean)")
    right.set(xscale="log", yscale="log", xlabel="width d", ylabel="gradient at the scores (mean)")
    for axis in (left, right):
        axis.set_xticks(widths, [str(d) for d in widths])
        axis.minorticks_off()
    right.set_yticks([0.02, 0.05, 0.1, 0.2], ["0.02", "0.05", "0.1", "0.2"])
    left.legend(frameon=False)
    show(fig, alt)


def position_waves(encoding: Tensor, alt: str = "") -> None:
    """Draw the encoding of every position, and how alike two positions are."""
    fig, (left, right) = subplots(1, 2, size=(8.5, 3.4))
    values = as_array(encoding)
    drawn = left.imshow(values, cmap=SIGNED, vmin=-1, vmax=1, aspect="auto")
    left.set(xlabel="number within the encoding", ylabel="position")
    fig.colorbar(drawn, ax=left, label="value")
    product = values @ values.T / (values.shape[1] / 2)
    drawn = right.imshow(product, cmap=SIGNED, vmin=-1, vmax=1)
    right.set(xlabel="position", ylabel="position")
    fig.colorbar(drawn, ax=right, label="product of two encodings\n(1 = the same place)")
    show(fig, alt)


def words_in_space(
    states: Tensor, senses: Sequence[str], alt: str = "", titles: Sequence[str] | None = None
) -> None:
    """Draw the same word in many sentences as points, (depths, sentences, dim), one panel per depth.

    Each panel shows its own two directions of largest spread; colour and marker are the sense.
    """
    depths = len(states)
    fig, axes = subplots(1, depths, size=(3.0 * depths, 3.1), squeeze=False)
    kinds = list(dict.fromkeys(senses))
    for depth, axis in enumerate(axes[0]):
        values = as_array(states[depth]).astype(float)
        centered = values - values.mean(0)
        flat = centered @ np.linalg.svd(centered, full_matrices=False)[2][:2].T
        share = flat.var(0).sum() / max(centered.var(0).sum(), 1e-30)
        for kind, color, marker, size in zip(kinds, COLORS, "osD^", (60, 16, 8, 4), strict=False):
            chosen = np.array([sense == kind for sense in senses])  # smaller and smaller: none hides another
            axis.scatter(*flat[chosen].T, s=size, color=color, marker=marker, label=kind, alpha=0.7, lw=0)
        axis.set_title(titles[depth] if titles else f"after layer {depth}", fontsize=10)
        axis.set_xlabel(f"first direction\n({100 * share:.0f} % of the spread in both)", fontsize=9)
        axis.set_aspect("equal", "datalim")
    axes[0, 0].set_ylabel("second direction", fontsize=9)
    axes[0, -1].legend(frameon=False, fontsize=9)
    show(fig, alt)


def explanations_of_word(
    words: Sequence[str], rows: Mapping[str, Tensor], alt: str = "", marked: int = -1
) -> None:
    """Draw several explanations of one word's answer, one row each, every row scaled to its largest amount.

    `marked` is the place of the word whose answer is explained.
    """
    fig, axis = subplots(size=(0.45 * len(words) + 2.6, 0.36 * len(rows) + 1.3))
    values = np.stack([as_array(row)[: len(words)].clip(0) for row in rows.values()])
    drawn = axis.imshow(
        values / values.max(axis=1, keepdims=True).clip(1e-12), cmap=AMOUNT, vmin=0, vmax=1, aspect="auto"
    )
    axis.set_xticks(range(len(words)), words, rotation=45, ha="right")
    axis.set_yticks(range(len(rows)), list(rows))
    axis.tick_params(length=0)
    if marked >= 0:
        axis.get_xticklabels()[marked].set_fontweight("bold")
    fig.colorbar(drawn, ax=axis, label="relative to\nthe row's peak")
    show(fig, alt)


def context_widget(
    explain: Callable[[list[str]], tuple[dict[int, str], Tensor]],
    examples: Sequence[str],
    vocabulary: Sequence[str],
) -> None:
    """Let a reader type a sentence: what does its ambiguous word mean, and where did it look?

    explain(words) → (the meaning by place of every ambiguous word, attention weights (layers, heads, n, n)).
    """
    known = set(vocabulary)

    def answer(sentence: str) -> tuple[str, Callable[[], None] | None]:
        words = sentence.lower().split()
        strange = [word for word in words if word not in known]
        if strange or not words:
            return f"The network does not know: {', '.join(strange)}" if strange else "Type some words.", None
        meanings, weights = explain(words)
        found = [f"{words[place]} = {german}" for place, german in meanings.items()]
        said = " · ".join(found) or "No ambiguous word in this sentence."
        alt = f"Attention of every head on “{sentence}”: {said}."
        return said, partial(attention_heads, weights, words, alt)

    explore_sentences(answer, examples)
