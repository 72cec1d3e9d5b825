"""Pictures and widgets: one function per kind of picture, one module per topic.

A picture function takes tensors, draws with axes, units and a colour bar, and hands the figure to ``show``
together with a sentence for those who cannot see it. Colours are readable by colour-blind people: signed
values go from blue through white to red, white being zero; amounts go from dark to light.

With ``COURSE_PICTURES=folder`` in the environment, a chapter that runs as a script leaves its pictures there.
"""

import base64
import html
import io
import os
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from torch import Tensor

SIGNED = "RdBu_r"  # below zero blue, zero white, above zero red: also told apart when red and green are not
ONE_SIDED = LinearSegmentedColormap.from_list("white to red", plt.get_cmap(SIGNED)(range(128, 256)))
AMOUNT = "viridis"  # dark = little, light = much
INK = "gray_r"  # digits as ink on paper
# Okabe & Ito, black before yellow, which is hard to see as a line on white
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#F0E442")

SHARPNESS = 2
"""Pixels of a picture to one of its width on the page, so that it is crisp on a fine screen."""


def show(fig: Figure, alt: str) -> None:
    """Display a figure with a text that says what there is to see, then close it; silent in scripts."""
    if not alt.strip():
        raise ValueError("A picture needs an alt text: one sentence that says what there is to see.")
    folder = os.environ.get("COURSE_PICTURES")
    try:
        if in_notebook():
            from IPython.display import HTML, display

            png = _png(fig)
            width = int.from_bytes(png[16:20], "big") // SHARPNESS
            data = base64.b64encode(png).decode()
            display(
                HTML(f'<img alt="{html.escape(alt)}" width="{width}" src="data:image/png;base64,{data}">')
            )
        elif folder:
            _keep(Path(folder), _png(fig), alt)
    finally:
        plt.close(fig)


def subplots(*shape: int, size: tuple[float, float], **more: Any) -> tuple[Figure, Any]:
    """A figure of so many inches and its axes (rows, columns), laid out so that no label is cut off or covers another."""
    return plt.subplots(*shape, figsize=size, layout="constrained", **more)


def in_notebook() -> bool:
    """Whether somebody may be looking: this runs in a Jupyter kernel."""
    try:
        from IPython.core.getipython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    return shell is not None and shell.has_trait("kernel")


def can_be_moved() -> bool:
    """Whether controls do anything: not in a notebook that is executed to be read (COURSE_STILL in the environment)."""
    return in_notebook() and not os.environ.get("COURSE_STILL")


def as_array(values: Tensor | np.ndarray) -> np.ndarray:
    """For matplotlib: a tensor's numbers, wherever it lies and whatever gradients it carries."""
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def _png(fig: Figure) -> bytes:
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=100 * SHARPNESS, bbox_inches="tight", facecolor="white")
    return buffer.getvalue()


def _keep(folder: Path, png: bytes, alt: str) -> None:
    """Pictures in the order in which they were shown, each with its alt text beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    number = 1 + len(list(folder.glob("*.png")))
    (folder / f"{number:02d}.png").write_bytes(png)
    (folder / f"{number:02d}.txt").write_text(alt + "\n", encoding="utf-8")
