"""Filters, activations, exploring a data set: what a network looks for, and what makes its units fire.

A *field* is where a unit looks, as three integers (size, jump, start), in pixels, alike in both directions:
the unit in row r of a map sees the pixel rows start + r·jump … start + r·jump + size − 1. Rows below zero or
beyond the image are padding.
"""

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, fx, nn

Field = tuple[int, int, int]
_Ranking = tuple[Tensor, Tensor, Tensor, Tensor]


def normalize_filters(
    weight: Float[Tensor, "filters channels height width"],
) -> Float[Tensor, "filters channels height width"]:
    """Stretch every filter to the range 0 … 1, so that it can be looked at as a picture.

    v = (w − min w) / (max w − min w), minimum and maximum over one filter, all its channels together;
    a filter that is constant becomes 0.5 everywhere.

    weight: as in ``nn.Conv2d.weight``, one filter per row of the first axis, any real units.
    Source: Zeiler & Fergus (2014), fig. 6, shows first-layer filters so.
    """
    low = weight.amin(dim=(1, 2, 3), keepdim=True)
    span = weight.amax(dim=(1, 2, 3), keepdim=True) - low
    return torch.where(span > 0, (weight - low) / span, 0.5)


class evaluation_mode:
    """Inside the ``with`` block the model is in evaluation mode; then every module has its own mode back.

    A model that is a plain function has no modes, and stays as it is.
    """

    def __init__(self, model: Callable[..., Any]) -> None:
        self.model = model

    def __enter__(self) -> None:
        parts = self.model.modules() if isinstance(self.model, nn.Module) else ()
        self.busy = [part for part in parts if part.training]
        try:
            for part in self.busy:
                part.training = False
        except BaseException:  # interrupted
            self.__exit__()
            raise

    def __exit__(self, *error: object) -> None:
        for part in self.busy:
            part.training = True


def feature_maps(
    model: nn.Module, layer: str, x: Float[Tensor, "batch *image"]
) -> Float[Tensor, "batch channels *space"]:
    """What one layer answers to each image of a batch.

    a = f_layer(… f_2(f_1(x))): the layer's output during a forward pass, as the layer gave it. A later
    in-place ReLU must not reach into it, and whoever needs ∂a/∂x gets it by autograd.

    model: any module; looked at in evaluation mode and left as it was: no hook stays, even after an error.
    layer: a name from ``model.named_modules()``; of a layer that runs several times, the last run counts.
    Returns (batch, channels, rows, columns) for a convolution, (batch, neurons) for a dense layer.
    Raises ValueError when the model has no such layer, or the layer did not run or gives no tensor.
    """
    modules = dict(model.named_modules())
    if layer not in modules:
        raise ValueError(f"There is no layer {layer!r}; the model has {', '.join(filter(None, modules))}.")
    seen: dict[str, Tensor] = {}

    def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
        if not isinstance(output, Tensor):
            raise ValueError(f"Layer {layer!r} returns a {type(output).__name__}; choose a layer inside it.")
        seen["maps"] = output.clone()

    handle = modules[layer].register_forward_hook(keep)
    try:
        with evaluation_mode(model):
            model(x)
    finally:
        handle.remove()
    if not seen:
        raise ValueError(f"Layer {layer!r} did not run in the forward pass.")
    return seen["maps"]


def receptive_field(layers: Sequence[tuple[int, int, int]]) -> tuple[int, int, int]:
    """How much of the image one unit sees after a stack of convolutions and poolings, and where.

    Along rows as along columns, unit u of a layer with kernel k, stride s and padding p sees the k units
    u·s − p … u·s − p + k − 1 of the layer below. Below the first layer are the pixels, and a pixel sees itself: without
    any layer (size, jump, start) is (1, 1, 0).

    layers: (kernel, stride, padding) in the order in which they run; pooling layers count, ReLU changes
    nothing. A dilated convolution counts with the kernel dilation·(k − 1) + 1.
    Returns integers, in pixels: size = side of the square that a unit sees, jump = distance between the squares
    of two neighbours, start = first row (and column) of unit 0's square; negative when that lies in the padding.
    One layer (3, 2, 1) gives (3, 2, −1); another one on top of it gives (7, 4, −3).
    Source: Araujo, Norris & Sim (2019), "Computing receptive fields of convolutional neural networks".
    """
    size, jump, start = 1, 1, 0
    for kernel, stride, padding in layers:
        size += (kernel - 1) * jump
        start -= padding * jump
        jump *= stride
    return size, jump, start


def layer_field(model: nn.Module, layer: str) -> Field:
    """The field of a layer's units, read off the model itself, whatever its shape.

    Follows the model's graph by ``torch.fx``: where branches meet (residual sums, concatenations), the sum sees
    what any branch sees. Of a layer that runs several times, the last run counts, as in ``feature_maps``.
    Raises ValueError, naming the layer, where a unit sees the whole image (dense layers and all after them) or
    a kernel is not square; and where the model has no such layer.
    """
    modules = dict(model.named_modules())
    fields: dict[fx.Node, Field | None] = {}
    runs: list[Field | None] = []
    for node in fx.Tracer().trace(model).nodes:
        inputs = [fields[each] for each in node.all_input_nodes if each in fields]
        module = modules.get(node.target) if node.op == "call_module" else None
        fields[node] = (1, 1, 0) if node.op == "placeholder" else _pass_on(module or node.target, inputs)
        if node.target is torch.cat and 1 not in (*node.args[1:], node.kwargs.get("dim")):
            fields[node] = None  # joined along rows or columns: units of one map would have different fields
        if module is not None and node.target == layer:
            runs.append(fields[node])
    if not runs:
        raise ValueError(f"No single layer {layer!r} runs; the model has {', '.join(filter(None, modules))}.")
    if runs[-1] is None:
        raise ValueError(f"The units of {layer!r} have no square field: they may see the whole image.")
    return runs[-1]


_POINTWISE = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Hardswish,
    nn.BatchNorm2d, nn.Dropout, nn.Dropout2d, nn.Identity,
    F.relu, F.leaky_relu, F.gelu, F.silu, F.dropout, torch.relu, torch.sigmoid, torch.tanh, torch.cat, torch.add,
    torch.mul, operator.add, operator.iadd, operator.mul, operator.imul, "relu", "relu_", "add", "add_", "mul",
)  # fmt: skip
_POINTWISE_MODULES = tuple(step for step in _POINTWISE if isinstance(step, type))


def _pass_on(step: Any, inputs: list[Field | None]) -> Field | None:
    """The field after one step of the graph; None where a unit may see everything."""
    fields = [field for field in inputs if field is not None]
    if len(fields) < len(inputs) or not fields or len({jump for _, jump, _ in fields}) > 1:
        return None
    jump = fields[0][1]
    start = min(first for _, _, first in fields)
    size = max(first + length for length, _, first in fields) - start
    if isinstance(step, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
        geometry = _square_geometry(step)
        if geometry is None:
            return None
        wide, hop, shift = receptive_field([geometry])
        return size + (wide - 1) * jump, jump * hop, start + shift * jump
    return (size, jump, start) if step in _POINTWISE or isinstance(step, _POINTWISE_MODULES) else None


def _square_geometry(layer: nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d) -> tuple[int, int, int] | None:
    """(kernel, stride, padding), dilation counted in; None unless both directions agree."""
    dilation = getattr(layer, "dilation", 1)
    if isinstance(layer.padding, str):
        padding: Any = 0 if layer.padding == "valid" else None
    else:
        padding = layer.padding
    pairs = [
        (v, v) if isinstance(v, int) else v for v in (layer.kernel_size, layer.stride, padding, dilation)
    ]
    if any(pair is None or pair[0] != pair[1] for pair in pairs):
        return None
    kernel, stride, side, spread = (pair[0] for pair in pairs)
    return spread * (kernel - 1) + 1, stride, side


def top_activations(
    maps: Float[Tensor, "images channels *space"], k: int
) -> tuple[
    Float[Tensor, "channels k"],
    Int[Tensor, "channels k"],
    Int[Tensor, "channels k"],
    Int[Tensor, "channels k"],
]:
    """For every channel the k images that excite it most, and the place in each where it fires hardest.

    Image n counts with its best place, m_n = max over rows i and columns j of a_n(i, j); the k largest m_n
    win, strongest first. So k different images appear, not k neighbouring places of the same one.

    maps: (images, channels, rows, columns), or (images, neurons) for a dense layer: row and column are 0.
    Returns values, image, row, col. Raises ValueError unless k is between 1 and the number of images.
    Source: Zeiler & Fergus (2014), sec. 4: the top nine activations of a map over the data set.
    """
    if not 1 <= k <= len(maps):
        raise ValueError(f"There are {len(maps)} images: choose k between 1 and {len(maps)}.")
    columns = maps.shape[3] if maps.ndim == 4 else 1
    best, place = maps.reshape(*maps.shape[:2], -1).max(dim=2)
    values, image = best.topk(k, dim=0)
    place = place.gather(0, image)
    return values.T, image.T, place.T // columns, place.T % columns


def crop_patch(
    image: Float[Tensor, "channels height width"],
    row: int | Int[Tensor, ""],
    col: int | Int[Tensor, ""],
    field: tuple[int, int, int],
) -> Float[Tensor, "channels size size"]:
    """The part of an image that one unit sees.

    Rows start + row·jump … start + row·jump + size − 1, columns alike; what lies outside the image is 0,
    as in the padding of a convolution, so every patch is (size, size).

    row, col: the unit's place in its map. field: (size, jump, start), as ``receptive_field`` returns it.
    """
    size, jump, start = field
    height, width = image.shape[-2:]
    top, left = start + jump * int(row), start + jump * int(col)
    upper, lower = (min(max(edge, 0), height) for edge in (top, top + size))
    first, last = (min(max(edge, 0), width) for edge in (left, left + size))
    patch = image.new_zeros(len(image), size, size)
    patch[:, upper - top : lower - top, first - left : last - left] = image[:, upper:lower, first:last]
    return patch


def explore_dataset(
    model: nn.Module, layer: str, batches: Iterable[Float[Tensor, "batch *image"]], k: int
) -> tuple[
    Float[Tensor, "channels k"],
    Int[Tensor, "channels k"],
    Int[Tensor, "channels k"],
    Int[Tensor, "channels k"],
]:
    """Forward a whole data set, batch after batch, and keep only what excites each channel of a layer most.

    The same four results as ``top_activations`` on the maps of all images at once, but never more than one
    batch of maps in memory: after each batch, the best k so far and the newcomers are merged.

    batches: the images in order; ``image`` counts through all of them, not within its batch.
    Returns values, image, row, col, each (channels, k), strongest first, without history: a gradient to the
    images would keep the maps of all batches alive.
    Raises ValueError unless k is between 1 and the number of images.
    """
    leaders, seen = None, 0
    for x in batches:
        with torch.no_grad():
            maps = feature_maps(model, layer, x)
        values, image, row, col = top_activations(maps, min(k, len(x)))
        newcomers = (values, image + seen, row, col)
        leaders = newcomers if leaders is None else _strongest(leaders, newcomers, k)
        seen += len(x)
    if leaders is None or seen < k:
        raise ValueError(f"There are {seen} images: choose k between 1 and {seen}.")
    return leaders


def _strongest(leaders: _Ranking, newcomers: _Ranking, k: int) -> _Ranking:
    """Two rankings (values, image, row, col), each (channels, some), merged into the best k of both."""
    values, image, row, col = (torch.cat(pair, dim=1) for pair in zip(leaders, newcomers, strict=True))
    values, order = values.topk(min(k, values.shape[1]), dim=1)
    return values, image.gather(1, order), row.gather(1, order), col.gather(1, order)
