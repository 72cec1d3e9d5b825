"""Pictures of chapter 6: where the relevance goes, and the sums that it keeps."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from course.show import COLORS, show, subplots


def sums_by_layer(names: Sequence[str], sums: Mapping[str, Sequence[float]], alt: str) -> None:
    """Σ R at every layer, from the output down to the pixels, in parts of the output: 1 means that nothing was lost.

    names: from the output to the pixels. sums: by network or rule, in the same order, the output's first.
    """
    fig, axis = subplots(size=(7.6, 3.2))
    axis.axhline(1, color="gray", lw=0.8)
    for color, marker, (label, values) in zip(COLORS, "osD^v", sums.items(), strict=False):
        parts = [value / values[0] for value in values]
        axis.plot(range(len(names)), parts, color=color, marker=marker, ms=5, label=label)
    axis.set_xticks(range(len(names)), names, fontsize=8, rotation=30, ha="right")
    axis.set(ylabel="Σ R of the layer / f(x)", xlabel="from the output down to the pixels")
    axis.margins(y=0.15)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(fontsize=8, frameon=False)
    show(fig, alt)


def one_neuron(a: Tensor, weights: Tensor, bias: float, shares: Tensor, relevance: float, alt: str) -> None:
    """A neuron's inputs as bars: what each contributes to z, and the share of the relevance that it gets back."""
    contributions = [float(value) for value in a * weights] + [bias]
    names = [f"{float(v):g} · {float(w):g}".replace("-", "−") for v, w in zip(a, weights, strict=True)]
    names.append("bias")
    fig, axes = subplots(1, 2, size=(7.6, 2.6), sharey=True)
    for axis, values, title in (
        (axes[0], contributions, f"contributions  z_ij,  z = {sum(contributions):g}"),
        (axes[1], [*shares.tolist(), 0.0], f"shares  R_i  of  R = {relevance:g},  Σ R_i = {shares.sum():g}"),
    ):
        colors = [COLORS[5] if value > 0 else COLORS[0] for value in values]
        bars = axis.barh(range(len(values)), values, color=colors)
        axis.bar_label(bars, fmt="%.3g", fontsize=8, padding=2)
        axis.axvline(0, color="gray", lw=0.8)
        axis.set_title(title, fontsize=9)
        axis.margins(x=0.2)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].invert_yaxis()
    show(fig, alt)
