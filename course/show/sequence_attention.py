"""Where a decoder looked: alignment matrices, looks over a picture, looks along a sound, and accuracy by length."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from torch import Tensor

from course.show import AMOUNT, COLORS, as_array, can_be_moved, show, subplots
from course.show.explore import explore_sentences


def alignment_matrices(
    alignments: Sequence[Tensor],
    sources: Sequence[Sequence[str]],
    targets: Sequence[Sequence[str]],
    alt: str = "",
    titles: Sequence[str] | None = None,
    unit: str = "attention weight",
) -> None:
    """Draw one matrix per sentence: a row per word written, a column per word read; light = attended."""
    widths = [len(source) for source in sources]
    fig, grid = subplots(1, len(alignments), size=(0.32 * sum(widths) + 2.5, 0.26 * max(map(len, targets)) + 1.6), width_ratios=widths, squeeze=False)  # fmt: skip
    for place, (axis, weights, source, target) in enumerate(
        zip(grid[0], alignments, sources, targets, strict=True)
    ):
        drawn = axis.imshow(
            as_array(weights)[: len(target), : len(source)], cmap=AMOUNT, vmin=0, vmax=1, aspect="auto"
        )
        axis.set_xticks(range(len(source)), source, rotation=90)
        axis.set_yticks(range(len(target)), target)
        axis.tick_params(labelsize=9, length=0)
        axis.set_title(titles[place] if titles else "", fontsize=10)
        axis.set_xlabel("read")
    grid[0, 0].set_ylabel("written")
    fig.colorbar(drawn, ax=list(grid[0]), label=unit, fraction=0.03, pad=0.02)
    show(fig, alt)


def accuracy_by_length(
    series: Mapping[str, tuple[Tensor, Tensor]],
    alt: str = "",
    trained: tuple[float, float] | None = None,
    xlabel: str = "words in the sentence",
    bins: int | Sequence[float] = 8,
) -> None:
    """Draw the share of exactly right answers over length, with a band of two standard errors.

    series: name → (length of each example, whether it was right). The grey area marks the lengths of training.
    """
    fig, axis = subplots(size=(6.5, 3.6))
    every = np.concatenate([as_array(lengths) for lengths, _ in series.values()])
    edges = (
        np.linspace(every.min(), every.max() + 1e-6, bins + 1) if isinstance(bins, int) else np.asarray(bins)
    )
    for (name, (lengths, right)), color, marker in zip(series.items(), COLORS, "osD^v", strict=False):
        where = np.digitize(as_array(lengths), edges) - 1
        filled = [each for each in range(len(edges) - 1) if (where == each).any()]
        middle = np.array([as_array(lengths)[where == each].mean() for each in filled])
        share = np.array([as_array(right)[where == each].mean() for each in filled])
        error = np.array(
            [2 * np.sqrt(s * (1 - s) / (where == e).sum()) for s, e in zip(share, filled, strict=True)]
        )
        axis.plot(middle, share, marker=marker, color=color, label=name)
        axis.fill_between(
            middle, (share - error).clip(0), (share + error).clip(max=1), color=color, alpha=0.2, lw=0
        )
    if trained is not None:
        axis.axvspan(*trained, facecolor="0.92", edgecolor="0.7", zorder=0, label="lengths seen in training")
    axis.set(xlabel=xlabel, ylabel="exactly right (share)", ylim=(-0.03, 1.05))
    axis.legend(loc="best", facecolor="white", framealpha=1)
    show(fig, alt)


def looks_over_picture(
    image: Tensor,
    words: Sequence[str],
    weights: Tensor,
    boxes: Tensor | None = None,
    named: Sequence[int] | None = None,
    alt: str = "",
) -> None:
    """Draw a picture (3, height, width) once per word, lit where the speaker looked; a frame around what is named."""
    columns = min(len(words) + 1, 5)
    rows = -(-(len(words) + 1) // columns)
    fig, grid = subplots(rows, columns, size=(1.75 * columns + 0.6, 1.95 * rows), squeeze=False)
    for axis in grid.flat:
        axis.axis("off")
    picture = as_array(image).transpose(1, 2, 0)
    grid.flat[0].imshow(picture)
    grid.flat[0].set_title("the scene", fontsize=10)
    for place, word in enumerate(words):
        axis = grid.flat[place + 1]
        drawn = _lit(axis, picture, as_array(weights[place]))
        axis.set_title(word.replace("-", " "), fontsize=11)
        if boxes is not None and named is not None and place < len(named) and named[place] >= 0:
            _frame(axis, boxes[named[place]])
    fig.colorbar(drawn, ax=grid, label="attention, relative to the peak", fraction=0.02, pad=0.01)
    show(fig, alt)


def _lit(axis: Axes, picture: np.ndarray, weights: np.ndarray) -> Any:
    """The picture in grey, under the weights stretched to its size."""
    height, width = picture.shape[:2]
    axis.imshow(picture.mean(-1), cmap="gray", vmin=0, vmax=1)
    box = (-0.5, width - 0.5, height - 0.5, -0.5)
    return axis.imshow(weights / weights.max(), cmap=AMOUNT, extent=box, alpha=0.6, vmin=0, vmax=1)


def _frame(axis: Axes, box: Tensor) -> None:
    top, left, bottom, right = (float(edge) - 0.5 for edge in box)
    axis.plot([left, right, right, left, left], [top, top, bottom, bottom, top], color="white", lw=1.5)


def looks_along_sound(
    spectrogram: Tensor, alignment: Tensor, letters: Sequence[str], frames_per_place: int, alt: str = ""
) -> None:
    """Draw a spectrogram (frames, bands) and, on the same seconds, where the speller listened for each letter."""
    seconds = len(spectrogram) / 100
    fig, (above, below) = subplots(2, 1, size=(7.5, 4.6), height_ratios=[1.1, 1], sharex=True)
    top = above.imshow(
        as_array(spectrogram).T, origin="lower", aspect="auto", cmap="magma", extent=(0, seconds, 375, 1375)
    )
    above.set_ylabel("frequency (Hz)")
    fig.colorbar(top, ax=above, label="loudness (log, scaled)")
    weights = as_array(alignment)[: len(letters)]
    length = weights.shape[1] * frames_per_place / 100
    low = below.imshow(
        weights, aspect="auto", cmap=AMOUNT, vmin=0, vmax=1, extent=(0, length, len(letters) - 0.5, -0.5)
    )
    below.set_xlim(0, seconds)
    below.set_yticks(range(len(letters)), letters)
    below.set(xlabel="time (s)", ylabel="written")
    fig.colorbar(low, ax=below, label="attention weight")
    show(fig, alt)


def play(sound: np.ndarray, rate: int) -> None:
    """Let the sound be heard, where somebody listens (in a notebook)."""
    if can_be_moved():
        from IPython.display import Audio, display

        display(Audio(sound, rate=rate))


def translation_widget(
    translate: Callable[[list[str]], tuple[list[str], Tensor]],
    examples: Sequence[str],
    vocabulary: Sequence[str],
) -> None:
    """Let a reader type a sentence and see its translation and alignment. translate(words) → (symbols, alignment)."""
    known = set(vocabulary)

    def answer(sentence: str) -> tuple[str, Callable[[], None] | None]:
        words = sentence.lower().split()
        strange = [word for word in words if word not in known]
        notice = f"The network has never seen: {', '.join(strange)}" if strange else ""
        if not words:
            return notice, None
        symbols, alignment = translate(words)
        said = "".join(symbols)
        alt = f"Alignment of “{sentence}” with {said}."
        return notice, partial(alignment_matrices, [alignment], [words], [symbols], alt, [said])

    explore_sentences(answer, examples)


def caption_widget(images: Tensor, describe: Callable[[Tensor], tuple[list[str], Tensor]]) -> None:
    """Let a reader pick a scene and step through the words of its caption. describe(image) → (words, weights)."""
    if not can_be_moved():
        return
    import ipywidgets as widgets
    from IPython.display import display

    said = {}

    def draw(scene: int, word: int) -> None:
        if scene not in said:
            said[scene] = describe(images[scene])
        words, weights = said[scene]
        word = min(word, len(words) - 1)
        fig, axis = subplots(size=(3.4, 3.6))
        axis.axis("off")
        _lit(axis, as_array(images[scene]).transpose(1, 2, 0), as_array(weights[word]))
        axis.set_title(" ".join(f"[{w}]" if at == word else w for at, w in enumerate(words)), fontsize=8)
        show(fig, f"Scene {scene}, lit where the speaker looked when saying “{words[word]}”.")

    box = widgets.interactive(
        draw,
        scene=widgets.IntSlider(0, 0, len(images) - 1, description="scene"),
        word=widgets.IntSlider(2, 0, 8, description="word"),
    )
    display(box)
    box.update()
