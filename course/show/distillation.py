"""Pictures of chapter 9: soft answers, trees, Hankel tables, and automata as graphs."""

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import graphviz
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from torch import Tensor

from course.data.strings import Automaton, Word, spelled
from course.show import COLORS, INK, SIGNED, show, subplots

BLUE, ORANGE = COLORS[0], COLORS[5]


def answer_bars(image: Tensor, answers: Mapping[str, Tensor], alt: str) -> None:
    """An image, and beside it one set of bars per answer: the probability of each class."""
    fig, axes = subplots(1, 1 + len(answers), size=(1.6 + 2.3 * len(answers), 2.0), squeeze=False)
    axes[0, 0].imshow(image.squeeze(), cmap=INK, vmin=0, vmax=1)
    axes[0, 0].set(xticks=[], yticks=[])
    for axis, (title, answer) in zip(axes[0, 1:], answers.items(), strict=True):
        axis.bar(range(len(answer)), answer.detach().numpy(), color=BLUE)
        axis.set(ylim=(0, 1), xticks=range(len(answer)), xlabel="class", title=title)
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0, 1].set_ylabel("probability")
    show(fig, alt)


def tree_of_questions(tree: Any, images: Tensor, alt: str) -> None:
    """A scikit-learn tree over pixels: at each node the mean of the images that come there, and the pixel it asks about.

    Left: the pixel is paler than the threshold; right: it is darker. Below each leaf its answer.
    """
    nodes, side = tree.tree_, images.shape[-1]
    came = tree.decision_path(images.flatten(1).numpy()).toarray().astype(bool)
    fig, places = _tree_figure(_sklearn_places(nodes), tree.get_depth())
    for node, axis in places.items():
        here = came[:, node]
        mean = images[here].mean(dim=0).squeeze() if here.any() else np.zeros((side, side))
        axis.imshow(mean, cmap=INK, vmin=0, vmax=1)
        if nodes.children_left[node] >= 0:
            row, column = divmod(int(nodes.feature[node]), side)
            axis.plot(column, row, "s", ms=5, mfc="none", mec=ORANGE, mew=2)
            asks = axis.set_title(f"ink > {nodes.threshold[node]:.2f}?", fontsize=8, pad=3.5)
            asks.set_bbox({"fc": "white", "ec": "none", "pad": 0})
        else:
            answer, sure = int(nodes.value[node][0].argmax()), nodes.value[node][0].max()
            axis.set_xlabel(f"“{tree.classes_[answer]}”\n{sure / nodes.value[node][0].sum():.0%}", fontsize=9)
    show(fig, alt)


def tree_of_filters(
    w: Tensor,
    leaves: Tensor,
    side: int,
    alt: str,
    paths: Tensor | None = None,
    image: Tensor | None = None,
) -> None:
    """A soft decision tree: each inner node's filter as a picture, each leaf's answer as bars, its favourite class below.

    An input goes right with more probability the more of its ink lies on red, left the more lies on blue; the
    palest and the strongest colours are shared, and the strongest per cent of the weights is cut off. With ``paths``,
    the probability of each leaf for one input: lines are as thick as the chance that it goes there. ``image`` is that
    input, drawn in the upper left.
    """
    inner = len(w)
    parents = {node: (node - 1) // 2 for node in range(1, 2 * inner + 1)}
    depth = int(math.log2(inner + 1))
    centres = {}
    for node in range(2 * inner + 1):
        level = int(math.log2(node + 1))
        centres[node] = ((node + 1 - 2**level + 0.5) / 2**level, level, parents.get(node))
    thickness = None
    if paths is not None:
        chance = {inner + leaf: float(p) for leaf, p in enumerate(paths)}
        for node in reversed(range(inner)):
            chance[node] = chance[2 * node + 1] + chance[2 * node + 2]
        thickness = chance
    fig, places = _tree_figure(centres, depth, thickness)
    if image is not None:
        _, y, size, tall = places[0].get_position().bounds
        corner = fig.add_axes((0.02, y, size, tall))
        corner.imshow(image.reshape(side, side), cmap=INK, vmin=0, vmax=1)
        corner.set(xticks=[], yticks=[])
        corner.set_xlabel("the input", fontsize=9)
    limit = float(w.abs().quantile(0.99))
    for node in range(inner):
        drawn = places[node].imshow(w[node].view(side, side), cmap=SIGNED, vmin=-limit, vmax=limit)
    for leaf, answer in enumerate(leaves.softmax(dim=-1)):
        axis = places[inner + leaf]
        axis.bar(range(len(answer)), answer.numpy(), color=BLUE)
        axis.set(ylim=(0, 1), xlim=(-0.6, len(answer) - 0.4))
        came = f"\n{thickness[inner + leaf]:.0%}" if thickness else ""
        axis.set_xlabel(f"“{int(answer.argmax())}”{came}", fontsize=9)
    bar = fig.colorbar(drawn, cax=fig.add_axes((0.95, 0.3, 0.012, 0.4)), label="filter weight", extend="both")
    bar.set_ticks([-limit, 0, limit], labels=["− left", "0", "+ right"])
    show(fig, alt)


def _sklearn_places(nodes: Any) -> dict[int, tuple[float, int, int | None]]:
    """node → (place from 0 left to 1 right, level, parent)."""
    places: dict[int, tuple[float, int, int | None]] = {}

    def place(node: int, low: float, high: float, level: int, parent: int | None) -> None:
        places[node] = ((low + high) / 2, level, parent)
        if nodes.children_left[node] >= 0:
            middle = (low + high) / 2
            place(int(nodes.children_left[node]), low, middle, level + 1, node)
            place(int(nodes.children_right[node]), middle, high, level + 1, node)

    place(0, 0.0, 1.0, 0, None)
    return places


def _tree_figure(
    centres: Mapping[int, tuple[float, int, int | None]],
    depth: int,
    chance: Mapping[int, float] | None = None,
) -> tuple[Figure, dict[int, Axes]]:
    """A figure with one small axis per node and lines between parents and children."""
    width, height = max(5.0, 0.72 * 2**depth), 1.35 * (depth + 1)
    fig = plt.figure(figsize=(width, height))
    size = min(0.62 / width, 0.9 * 0.9 / 2**depth)
    tall = size * width / height

    def centre(node: int) -> tuple[float, float]:
        across, level, _ = centres[node]
        return 0.02 + 0.9 * across, 1 - (level + 0.45) / (depth + 1)

    for node, (_, _, parent) in centres.items():
        if parent is not None:
            (x0, y0), (x1, y1) = centre(parent), centre(node)
            strength = 1.0 if chance is None else 0.4 + 6 * chance[node]
            line = plt.Line2D([x0, x1], [y0, y1], color="0.6", lw=strength, zorder=0)
            fig.add_artist(line)
    places = {}
    for node in centres:
        x, y = centre(node)
        axis = fig.add_axes((x - size / 2, y - tall / 2, size, tall))
        axis.set(xticks=[], yticks=[])
        places[node] = axis
    return fig, places


def hankel_table(
    h: Tensor, prefixes: Sequence[Word], suffixes: Sequence[Word], alt: str, title: str = ""
) -> None:
    """A Hankel matrix with its numbers: one row per prefix, one column per suffix."""
    fig, axis = subplots(size=(1.6 + 0.75 * len(suffixes), 0.9 + 0.42 * len(prefixes)))
    limit = float(h.abs().max())
    drawn = axis.imshow(h, cmap="Blues", vmin=0, vmax=limit, aspect="auto")
    for (i, j), value in np.ndenumerate(h.numpy()):
        axis.text(
            j,
            i,
            f"{value:.4f}",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if value > 0.6 * limit else "black",
        )
    axis.set_xticks(range(len(suffixes)), [spelled(word) for word in suffixes])
    axis.set_yticks(range(len(prefixes)), [spelled(word) for word in prefixes])
    axis.set(xlabel="suffix", ylabel="prefix", title=title)
    fig.colorbar(drawn, label="value of the word")
    show(fig, alt)


def singular_values(d: Tensor, alt: str, marked: int | None = None) -> None:
    """The singular values, largest first, on a logarithmic scale; the first ``marked`` in another colour."""
    fig, axis = subplots(size=(6.2, 2.6))
    marked = marked or 0
    axis.bar(
        range(1, len(d) + 1),
        d / d[0],
        color=[ORANGE if i < marked else "0.7" for i in range(len(d))],
        log=True,
    )
    axis.set(xlabel="number of the singular value", ylabel="size, largest = 1", xticks=range(1, len(d) + 1))
    axis.spines[["top", "right"]].set_visible(False)
    show(fig, alt)


def rank_curves(results: Mapping[int, Mapping[str, float]], floors: Mapping[str, float], alt: str) -> None:
    """Each measure against the number of states; dashed, what the network itself reaches, where that is known."""
    names = list(next(iter(results.values())))
    titles = {"KL": "KL divergence (nats)", "WER": "word error rate", "NDCG": "NDCG of the ranking"}
    fig, axes = subplots(1, len(names), size=(3.1 * len(names), 2.6))
    for axis, name, color in zip(axes, names, COLORS, strict=False):
        axis.plot(list(results), [result[name] for result in results.values()], "o-", color=color)
        if name in floors:
            axis.axhline(floors[name], color="0.4", ls="--", lw=1)
            axis.text(min(results), floors[name], "the network", va="bottom", fontsize=8, color="0.3")
        axis.set(xlabel="states", title=titles.get(name, name), xticks=list(results))
        axis.spines[["top", "right"]].set_visible(False)
        if name == "KL":
            axis.set_yscale("log")
    show(fig, alt)


def automaton_graph(
    automaton: Automaton,
    alt: str,
    names: Sequence[str] | None = None,
    letters: str = "abcdefghijklmnopqrstuvwxyz",
    threshold: float = 0.05,
) -> None:
    """A weighted automaton as a graph; edges with an absolute weight below ``threshold`` are left out.

    A node shows its name and its final weight; an arrow from nowhere is an initial weight; an edge lists the
    letters with their weights. Arrows that have negative weights only are orange and dashed. Graphviz lays it out;
    without its program ``dot``, or where that does not work, the states stand on a circle.
    """
    edges = _edges(automaton, letters, threshold)
    names = [*names] if names else [f"q{i}" for i in range(len(automaton[0]))]
    finals = [f"{float(weight):.2f}" for weight in automaton[1]]
    starts = {i: float(weight) for i, weight in enumerate(automaton[0]) if abs(float(weight)) >= threshold}
    try:
        fig = _by_graphviz(names, finals, starts, edges)
    except (graphviz.ExecutableNotFound, graphviz.CalledProcessError):
        fig = _on_a_circle(names, finals, starts, edges)
    show(fig, alt)


Edges = dict[tuple[int, int], list[tuple[str, float]]]


def _edges(automaton: Automaton, letters: str, threshold: float) -> Edges:
    edges: Edges = {}
    for a, i, j in (automaton[2].abs() >= threshold).nonzero().tolist():
        edges.setdefault((i, j), []).append((letters[a], float(automaton[2][a, i, j])))
    return edges


def _by_graphviz(names: list[str], finals: list[str], starts: Mapping[int, float], edges: Edges) -> Figure:
    dot = graphviz.Digraph(graph_attr={"rankdir": "LR", "dpi": "150", "nodesep": "0.35"})
    dot.attr("node", shape="circle", fontname="DejaVu Sans", fontsize="12", margin="0.04")
    dot.attr("edge", fontname="DejaVu Sans", fontsize="11")
    for i, (name, final) in enumerate(zip(names, finals, strict=True)):
        dot.node(f"s{i}", f"{name}\nend {final}")
    for i, weight in starts.items():
        dot.node(f"start{i}", "", shape="none", width="0", height="0")
        dot.edge(f"start{i}", f"s{i}", f"{weight:.2f}")
    for (i, j), labels in edges.items():
        negative = all(weight < 0 for _, weight in labels)
        style = {"color": ORANGE, "fontcolor": ORANGE, "style": "dashed"} if negative else {}
        dot.edge(f"s{i}", f"s{j}", "\n".join(f"{a} {weight:.2f}" for a, weight in labels), **style)
    picture = plt.imread(io.BytesIO(dot.pipe(format="png")))
    fig = plt.figure(figsize=(picture.shape[1] / 150, picture.shape[0] / 150))
    axis = fig.add_axes((0, 0, 1, 1))
    axis.imshow(picture, interpolation="antialiased")
    axis.axis("off")
    return fig


def _on_a_circle(names: list[str], finals: list[str], starts: Mapping[int, float], edges: Edges) -> Figure:
    count = len(names)
    size, wide, high = 4.5 + 0.6 * count, 1.65, 1.45 if count > 2 else 0.9
    fig, axis = subplots(size=(size, size * high / wide))
    axis.set(xlim=(-wide, wide), ylim=(-high, high), aspect="equal")
    axis.axis("off")
    angles = [math.pi - 2 * math.pi * i / count for i in range(count)]
    radius = 1.25 / size  # of a state: the same on paper, however many there are
    places = np.array([_towards(angle) for angle in angles]) * (1.0 if count > 1 else 0.0)
    for (i, j), labels in edges.items():
        negative = all(weight < 0 for _, weight in labels)
        color, dashes = (ORANGE, "--") if negative else ("0.25", "-")
        text = "\n".join(f"{a} {weight:.2f}" for a, weight in labels)
        if i == j:
            start, end = (places[i] + radius * _towards(angles[i] + turn) for turn in (0.8, -0.8))
            bend, at = -1.9, places[i] + 2.5 * radius * _towards(angles[i])
        else:
            along = (places[j] - places[i]) / np.linalg.norm(places[j] - places[i])
            start, end = places[i] + radius * along, places[j] - radius * along
            bend, at = 0.25, _on_the_arc(start, end, bend=0.25, share=0.3)
        axis.add_patch(
            FancyArrowPatch(
                tuple(start),
                tuple(end),
                connectionstyle=f"arc3,rad={bend}",
                arrowstyle="-|>",
                mutation_scale=12,
                color=color,
                ls=dashes,
            )
        )
        box = {"fc": "white", "ec": "none", "pad": 0.5}
        axis.text(at[0], at[1], text, fontsize=8, ha="center", va="center", color=color, bbox=box, zorder=2)
    for i, (name, final) in enumerate(zip(names, finals, strict=True)):
        axis.add_patch(plt.Circle(tuple(places[i]), radius, fc="white", ec="black", zorder=3))
        x, y = places[i].tolist()
        axis.text(x, y, f"{name}\nend {final}", ha="center", va="center", fontsize=9, zorder=4)
        if i in starts:
            out = _towards(angles[i] + 1.1)
            axis.annotate(
                f"start {starts[i]:.2f}",
                xy=tuple(places[i] + radius * out),
                xytext=tuple(places[i] + 2.6 * radius * out),
                ha="center",
                fontsize=8,
                arrowprops={"arrowstyle": "-|>"},
            )
    return fig


def _towards(angle: float) -> np.ndarray:
    return np.array([math.cos(angle), math.sin(angle)])


def _on_the_arc(start: np.ndarray, end: np.ndarray, bend: float, share: float) -> np.ndarray:
    """The point after a share of the curve that matplotlib's arc3 draws from start to end."""
    x, y = end - start
    middle = (start + end) / 2 + bend * np.array([y, -x])
    return (1 - share) ** 2 * start + 2 * share * (1 - share) * middle + share**2 * end
