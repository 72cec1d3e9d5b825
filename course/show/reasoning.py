"""Pictures of chapter 14: scenes, where each step of reasoning looks, and who can answer what."""

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from torch import Tensor

from course.data.scenes import COLOURS, RELATIONS, SHAPES, SIZE, WORDS, Scenes, render, sentence_of
from course.show import COLORS, can_be_moved, show, subplots

LETTERS = {"red": "r", "green": "gn", "blue": "b", "orange": "o", "grey": "gy", "yellow": "y"}


def scene_grid(scenes: Scenes, titles: Sequence[str]) -> None:
    """Scenes side by side, each with a text above it; things also carry the first letter of their colour."""
    count = len(scenes.positions)
    fig, axes = subplots(1, count, size=(3.1 * count, 3.6), squeeze=False)
    told = []
    for number, (axis, title) in enumerate(zip(axes[0], titles, strict=True)):
        _scene(axis, scenes, number)
        axis.set_title(title, fontsize=9.5)
        told.append(
            f"{title.replace(chr(10), ' ')} From left to right: {', '.join(_things(scenes, number))}."
        )
    show(fig, f"Pictures of {scenes.colours.shape[1]} coloured things each. {' '.join(told)}")


def _things(scenes: Scenes, number: int) -> list[str]:
    """A scene's things from left to right, with their places from the upper left corner."""
    return [
        f"{COLOURS[scenes.colours[number, thing]]} {SHAPES[scenes.shapes[number, thing]]} at {x:.0f}, {y:.0f}"
        for thing in scenes.positions[number, :, 0].argsort()
        for x, y in [scenes.positions[number, thing]]
    ]


def _scene(axis: Axes, scenes: Scenes, number: int) -> None:
    axis.imshow(render(scenes.take([number]))[0].permute(1, 2, 0), extent=(0, SIZE, SIZE, 0))
    axis.set(xticks=[], yticks=[])
    for (x, y), colour in zip(scenes.positions[number], scenes.colours[number], strict=True):
        ink = "black" if COLOURS[colour] in ("yellow", "orange") else "white"
        axis.text(x, y + 0.4, LETTERS[COLOURS[colour]], ha="center", va="center", fontsize=7, color=ink)


def reasoning_steps(
    scenes: Scenes, number: int, words: Sequence[int], answer: str, looks: Tensor, thoughts: Tensor
) -> None:
    """One scene, once per step: rings on the things looked at, and below it what the step attended to in the question.

    looks: attention (steps, things). thoughts: attention (steps, words).
    """
    said = [WORDS[word] for word in words if word]
    steps = len(looks)
    fig, axes = subplots(2, steps, size=(2.9 * steps, 4.6), height_ratios=[3, 1], squeeze=False)
    told = []
    for step in range(steps):
        _scene(axes[0, step], scenes, number)
        for (x, y), weight in zip(scenes.positions[number], looks[step].tolist(), strict=True):
            if weight >= 0.02:
                axes[0, step].add_patch(plt.Circle((x, y), 8, fill=False, ec="black", lw=0.5 + 4 * weight))
                axes[0, step].text(
                    x,
                    min(y + 11, SIZE - 2),
                    f"{weight:.2f}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    bbox={"fc": "white", "ec": "none", "pad": 0.6, "alpha": 0.85},
                )
        axes[0, step].set_title(f"step {step + 1}", fontsize=10)
        weights = thoughts[step, : len(said)].tolist()
        axes[1, step].bar(range(len(said)), weights, color=COLORS[0])
        axes[1, step].set_xticks(range(len(said)), said, rotation=30, ha="right", fontsize=8)
        axes[1, step].set(ylim=(0, 1), yticks=[0, 1])
        top = int(looks[step].argmax())
        told.append(
            f"step {step + 1} at the {COLOURS[scenes.colours[number, top]]} thing ({looks[step, top]:.2f})"
        )
    axes[1, 0].set_ylabel("attention\nto words", fontsize=8)
    fig.suptitle(f"{sentence_of(said)}   → {answer}", fontsize=11)
    show(
        fig,
        f"A scene with the attention of each step. {sentence_of(said)} {answer}. Looks most: {', '.join(told)}.",
    )


def accuracy_by_kind(shares: Mapping[str, Mapping[str, float]], title: str) -> None:
    """Who answers which kind of question: a group of bars per kind, a bar per network."""
    kinds = list(next(iter(shares.values())))
    fig, axis = subplots(size=(1.4 + 1.25 * len(kinds), 3.4))
    width = 0.8 / len(shares)
    for place, (name, right) in enumerate(shares.items()):
        x = np.arange(len(kinds)) + (place - (len(shares) - 1) / 2) * width
        bars = axis.bar(x, [right[kind] for kind in kinds], 0.92 * width, color=COLORS[place], label=name)
        axis.bar_label(bars, [f"{right[kind]:.0%}" for kind in kinds], fontsize=7, padding=1)
    axis.set_xticks(range(len(kinds)), [kind.replace("_", "\n") for kind in kinds])
    axis.set(ylim=(0, 1.08), ylabel="right on unseen scenes", title=title)
    axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axis.spines[["top", "right"]].set_visible(False)
    fig.legend(loc="outside lower center", ncols=len(shares), frameon=False)
    parts = [
        f"{name}: " + ", ".join(f"{kind} {right[kind]:.0%}" for kind in kinds)
        for name, right in shares.items()
    ]
    show(fig, f"{title}. {'; '.join(parts)}.")


def steps_against_chain(accuracy: Tensor, steps: Sequence[int], relations: Sequence[int]) -> None:
    """Accuracy (networks, chains) as a table: how many steps a network has, how many relations a question follows."""
    fig, axis = subplots(size=(1.8 + 0.9 * len(relations), 1.2 + 0.62 * len(steps)))
    drawn = axis.imshow(accuracy, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(*accuracy.shape):
        dark = accuracy[row, column] > 0.55
        text = f"{float(accuracy[row, column]):.0%}"
        axis.text(column, row, text, ha="center", va="center", color="white" if dark else "black")
    axis.set_xticks(range(len(relations)), [str(r) for r in relations])
    axis.set_yticks(range(len(steps)), [str(s) for s in steps])
    axis.set(xlabel="relations in the question", ylabel="steps of the network")
    bar = fig.colorbar(drawn, ax=axis, label="right on unseen scenes")
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    rows = [
        f"{step} step{'s' if step > 1 else ''}: "
        + ", ".join(
            f"{r} relation{'s' * (r != 1)} {float(a):.0%}" for r, a in zip(relations, row, strict=True)
        )
        for step, row in zip(steps, accuracy, strict=True)
    ]
    show(
        fig,
        "Share of right answers by steps of the network and relations in the question. "
        + "; ".join(rows)
        + ".",
    )


def ask_about_a_scene(
    answer: Callable[[int, list[int]], tuple[str, Tensor, Tensor]], scenes: Scenes, first: Sequence[int]
) -> None:
    """Choose a scene and put a question together; `answer(scene, words)` returns the answer, looks and thoughts."""

    def ask(scene: int, start: str, then: str, after: str, last: str) -> None:
        said = [start, *(r for r in (then, after, last) if r != "–"), "colour"]
        words = [WORDS.index(word) for word in said]
        with torch.no_grad():
            found, looks, thoughts = answer(scene, words)
        reasoning_steps(scenes, scene, words, found, looks, thoughts)

    if not can_be_moved():
        with torch.no_grad():
            found, looks, thoughts = answer(0, list(first))
        reasoning_steps(scenes, 0, first, found, looks, thoughts)
        return
    import ipywidgets as widgets

    from course.show.explore import explore

    given = [WORDS[word] for word in first if word][:-1] + ["–"] * 3
    explore(
        ask,
        scene=widgets.IntSlider(
            0, 0, len(scenes.positions) - 1, description="scene", continuous_update=False
        ),
        start=widgets.Dropdown(options=COLOURS, value=given[0], description="start at"),
        then=widgets.Dropdown(options=["–", *RELATIONS], value=given[1], description="then"),
        after=widgets.Dropdown(options=["–", *RELATIONS], value=given[2], description="then"),
        last=widgets.Dropdown(options=["–", *RELATIONS], value=given[3], description="then"),
    )
