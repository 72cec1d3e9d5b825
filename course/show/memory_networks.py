"""Pictures of chapter 11: what a network looks up in a story, hop by hop, and what it learns from it."""

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter
from torch import Tensor

from course.show import AMOUNT, COLORS, can_be_moved, show, subplots

LOOK = "Blues"  # white = not looked at, dark = looked at


def story_attention(
    sentences: Sequence[str],
    looked: Mapping[str, tuple[str, Tensor]],
    support: Sequence[Sequence[int]] = (),
    what: str = "hop",
) -> None:
    """A story, told downwards; for each question one block of columns, one column per hop.

    looked: question → (answer, weights (hops, sentences) in the order told). support: for each question the sentences
    that are needed, marked by a frame. what: what a column is called.
    """
    hops = [weights.shape[0] for _, weights in looked.values()]
    fig, axes = subplots(
        1,
        len(looked),
        size=(3.1 + sum(max(0.75 * h, 1.9) for h in hops), 1.5 + 0.34 * len(sentences)),
        width_ratios=[max(h, 2.5) for h in hops],
        squeeze=False,
    )
    for number, (axis, (question, (answer, weights))) in enumerate(zip(axes[0], looked.items(), strict=True)):
        facts = support[number] if number < len(support) else ()
        _columns_of_hops(axis, weights.detach().float().numpy().T, facts, what)
        axis.set_title(f"{_wrapped(question, 24)}\n→ {answer}", fontsize=10)
        axis.set_yticks(range(len(sentences)), sentences if number == 0 else [""] * len(sentences))
    show(fig, _story_in_words(sentences, looked, what))


def _columns_of_hops(axis: Axes, weights: np.ndarray, facts: Sequence[int], what: str) -> None:
    axis.imshow(weights, cmap=LOOK, vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(weights.shape):
        if weights[row, column] >= 0.005:
            dark = weights[row, column] > 0.55
            text = f"{weights[row, column]:.2f}"
            axis.text(
                column, row, text, ha="center", va="center", fontsize=9, color="white" if dark else "black"
            )
    for fact in facts:
        frame = plt.Rectangle(
            (-0.47, fact - 0.47), weights.shape[1] - 0.06, 0.94, fill=False, ec=COLORS[1], lw=2
        )
        axis.add_patch(frame)
    axis.set_xticks(range(weights.shape[1]), [f"{what} {k + 1}" for k in range(weights.shape[1])], fontsize=9)
    axis.tick_params(length=0)
    axis.set_xticks(np.arange(weights.shape[1] - 1) + 0.5, minor=True)
    axis.set_yticks(np.arange(weights.shape[0] - 1) + 0.5, minor=True)
    axis.grid(which="minor", color="0.9")
    axis.tick_params(which="minor", length=0)


def _wrapped(text: str, width: int) -> str:
    """The text in at most two lines of about equal length, when it is longer than `width`."""
    if len(text) <= width:
        return "\n" + text
    middle = min((i for i, letter in enumerate(text) if letter == " "), key=lambda i: abs(i - len(text) / 2))
    return text[:middle] + "\n" + text[middle + 1 :]


def _story_in_words(sentences: Sequence[str], looked: Mapping[str, tuple[str, Tensor]], what: str) -> str:
    parts = []
    for question, (answer, weights) in looked.items():
        peaks = [
            f"{what} {k + 1} at '{sentences[int(p.argmax())]}' ({p.max():.2f})" for k, p in enumerate(weights)
        ]
        parts.append(f"{question} {answer}. Looks most: {', '.join(peaks)}.")
    return "A story with its attention, sentence by sentence. " + " ".join(parts)


def position_table(encoding: Tensor) -> None:
    """Position encoding: one row per word, one column per dimension."""
    words, dim = encoding.shape
    fig, axis = subplots(size=(6.5, 2.4))
    drawn = axis.imshow(
        encoding, cmap=AMOUNT, vmin=0, vmax=1, aspect="auto", extent=(0.5, dim + 0.5, words + 0.5, 0.5)
    )
    axis.set(xlabel="dimension k", ylabel="word j", yticks=range(1, words + 1))
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    fig.colorbar(drawn, ax=axis, label="weight $l_{jk}$")
    show(
        fig,
        f"Weights of {words} words (rows) in {dim} dimensions (columns). The first word counts most in the first "
        "dimensions, the last word in the last ones; in between the weights pass over evenly.",
    )


def restarts_and_hops(outcomes: Mapping[int, tuple[Tensor, Tensor]]) -> None:
    """For each number of hops: the training loss and the error on unseen stories of every restart."""
    fig, axis = subplots(size=(6.2, 3.6))
    said = []
    for (hops, (losses, errors)), color, marker in zip(outcomes.items(), COLORS, "osD^", strict=False):
        best = int(losses.argmin())
        name = f"{hops} hop{'s' if hops > 1 else ''}"
        axis.scatter(losses, errors, color=color, marker=marker, s=36, label=name, alpha=0.8)
        axis.scatter(losses[best], errors[best], s=150, facecolors="none", edgecolors="black", linewidths=1.4)
        said.append(f"{name}: chosen restart wrong on {errors[best]:.0%}, median {errors.median():.0%}")
    axis.set(
        xlabel="loss on the training stories", ylabel="wrong on unseen stories", xscale="log", ylim=(0, 0.85)
    )
    axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axis.grid(color="0.92")
    axis.legend(frameon=False, title="black ring: lowest loss")
    show(fig, "Restarts by training loss and error on unseen stories. " + "; ".join(said) + ".")


def ask_your_own(
    answer: Callable[[list[str], str], tuple[str, Tensor]], sentences: Sequence[str], questions: Sequence[str]
) -> None:
    """Type a story and a question; `answer(sentences, question)` returns the answer and the weights (hops, sentences).

    What cannot be answered (a word that the network never met) is said below. In scripts the given story is asked.
    """

    def ask(text: str, question: str) -> None:
        told = [line.strip() for line in text.splitlines() if line.strip()]
        try:
            if not told or not question.strip():
                raise ValueError("Tell at least one sentence, and ask something.")
            story_attention(told, {question: answer(told, question)})
        except ValueError as trouble:
            print(trouble)

    if not can_be_moved():
        ask("\n".join(sentences), questions[0])
        return
    import ipywidgets as widgets
    from IPython.display import display

    wide = widgets.Layout(width="95%")
    story = widgets.Textarea(
        "\n".join(sentences), description="story", rows=9, layout=wide, continuous_update=False
    )
    question = widgets.Combobox(
        value=questions[0],
        options=list(questions),
        description="question",
        layout=wide,
        continuous_update=False,
    )
    picture = widgets.interactive_output(ask, {"text": story, "question": question})
    display(widgets.VBox([story, question, picture]))


def accuracy_bars(shares: Mapping[str, float], title: str) -> None:
    """A few shares of stories, side by side."""
    fig, axis = subplots(size=(6.2, 0.9 + 0.42 * len(shares)))
    names, values = list(shares), [float(torch.as_tensor(v)) for v in shares.values()]
    bars = axis.barh(names, values, color=COLORS[0])
    axis.bar_label(bars, [f"{v:.0%}" for v in values], padding=4)
    axis.set(xlim=(0, 1.12), title=title)
    axis.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axis.invert_yaxis()
    axis.spines[["top", "right"]].set_visible(False)
    show(fig, title + ": " + ", ".join(f"{n} {v:.0%}" for n, v in zip(names, values, strict=True)) + ".")
