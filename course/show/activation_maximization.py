"""Pictures of chapter 3: images that a network likes, how they got there, and how far they are from real ones."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from course.show import COLORS, INK, SIGNED, show, subplots


def liked_images(
    rows: Mapping[str, Tensor],
    alt: str,
    captions: Mapping[str, Sequence[str]] | None = None,
    titles: Sequence[str] = (),
    limit: float = 1.0,
) -> None:
    """Named rows of images (k, 1, h, w), black ink on paper; where some are below zero, red is ink and blue less than none."""
    captions = captions or {}
    signed = any(float(images.min()) < 0 for images in rows.values())
    low, colors = (-limit, SIGNED) if signed else (0.0, INK)
    count = max(len(images) for images in rows.values())
    heights = [1.25 if name in captions else 0.95 for name in rows]
    fig, axes = subplots(
        len(rows), count, size=(count * 0.92 + 2.2, sum(heights) + 0.4), height_ratios=heights, squeeze=False
    )
    for line, (name, images) in zip(axes, rows.items(), strict=True):
        for place, axis in enumerate(line):
            axis.set(xticks=[], yticks=[])
            axis.set_visible(place < len(images))
            if place >= len(images):
                continue
            drawn = axis.imshow(images[place].detach().squeeze().cpu(), cmap=colors, vmin=low, vmax=limit)
            if name in captions:
                axis.set_xlabel(captions[name][place], fontsize=7)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
    for axis, title in zip(axes[0], titles, strict=False):
        axis.set_title(title, fontsize=9)
    bar = fig.colorbar(drawn, ax=axes, fraction=0.02, pad=0.01, label="ink")
    ticks = {low: f"{low:g}", 0.0: "0 (paper)", limit: f"{limit:g}"}
    bar.set_ticks(list(ticks), labels=list(ticks.values()))
    show(fig, alt)


def likeness_dots(distances: Mapping[str, Tensor], real: float, alt: str) -> None:
    """Each image's distance to the nearest real digit as a dot, each row's mean as a bar; real ones as a line."""
    fig, axis = subplots(size=(7.2, 0.55 * len(distances) + 1.1))
    for place, values in enumerate(distances.values()):
        mean = float(values.mean())
        axis.barh(place, mean, height=0.6, color=COLORS[4], alpha=0.5)
        axis.plot(values.cpu(), [place] * len(values), "o", color=COLORS[0], markersize=4, alpha=0.7)
        axis.text(float(values.max()) + 0.01, place, f"mean {mean:.2f}", fontsize=9, va="center")
    axis.axvline(
        real, color="black", linestyle="--", linewidth=1, label=f"real digits never seen: {real:.2f}"
    )
    axis.set_yticks(range(len(distances)), list(distances))
    axis.set(
        xlabel="cosine distance to the nearest of 4,000 real digits (0 = the same)",
        xlim=(0, 1.2 * max(float(values.max()) for values in distances.values())),
    )
    axis.invert_yaxis()
    axis.legend(loc="lower right", fontsize=8)
    show(fig, alt)


def climbs(curves: Mapping[str, Sequence[float]], every: int, alt: str) -> None:
    """Who believes in the image how much, while it is being climbed; one point every so many steps."""
    fig, axis = subplots(size=(6.4, 2.9))
    for place, (name, values) in enumerate(curves.items()):
        steps = [every * n for n in range(len(values))]
        axis.plot(
            steps, values, ("-", "--", "-.", ":")[place % 4], color=COLORS[place], linewidth=2, label=name
        )
    axis.set(xlabel="step", ylabel="mean p of the wanted class", ylim=(0, 1.02))
    axis.grid(alpha=0.3)
    axis.legend(fontsize=9, loc="center left", bbox_to_anchor=(1.01, 0.5))
    show(fig, alt)
