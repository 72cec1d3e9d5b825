"""Chapter 2: filters, activations, exploring a data set."""

import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from course.exercises.random_arguments import distinct, drawn, filled
from course.judging.exercise import Case, Exercise, Values, equal, flatten


def small_cnn(
    rng: np.random.Generator,
    channels: int = 2,
    filters: int = 4,
    size: tuple[int, int] = (6, 4),
    classes: int = 5,
) -> nn.Sequential:
    """A network with the traps of real ones: batch normalization in training mode and an in-place ReLU."""
    model = nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(channels, filters, kernel_size=3, padding=1),
            norm=nn.BatchNorm2d(filters),
            relu=nn.ReLU(inplace=True),
            pool=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            dense=nn.Linear(filters * (size[0] // 2) * (size[1] // 2), classes),
        )
    )
    return filled(model, rng, scale=0.7)


class _Twice(nn.Module):
    """One layer that gives two tensors."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x.abs()


class Tangle(nn.Module):
    """A network that is no chain: a layer that runs twice, one that never runs, one that gives two tensors.

    It refuses an image that is not a number, after its first layers have run.
    """

    def __init__(self, rng: np.random.Generator, channels: int) -> None:
        super().__init__()
        self.again = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.norm = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.pair = _Twice()
        self.spare = nn.Conv2d(channels, channels, kernel_size=1)
        filled(self, rng, scale=0.7)
        self.norm.eval()  # frozen, as in a network that is being fine-tuned: its parts come in different modes

    def forward(self, x: Tensor) -> Tensor:
        once = self.relu(self.norm(self.again(x)))
        if bool(once.isnan().any()):
            raise ValueError("the image holds something that is no number")
        signed, size = self.pair(self.relu(self.again(once)))
        found: Tensor = signed - size
        return found


def history(found: object) -> str:
    """Whether a result, or a part of it, still carries the graph that made it."""
    parts = found if isinstance(found, tuple | list) else [found]
    return "kept" if any(isinstance(each, Tensor) and each.requires_grad for each in parts) else "none"


# ------------------------------------------------------------------------------------------- the exercises


def _normalize_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    filters, height, width = distinct(rng, 3, low=4, high=8)
    scale = torch.from_numpy(rng.permutation(np.geomspace(0.1, 5, filters))).float().reshape(-1, 1, 1, 1)
    colour = drawn(rng, filters, 3, height, width) * scale + drawn(rng, filters, 3, 1, 1)
    grey = drawn(rng, width, 1, height, filters) - 1
    grey[int(rng.integers(width))] = float(rng.normal())
    return [{"weight": colour}, {"weight": grey}]


def _maps_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    channels, batch, filters, classes = distinct(rng, 4)
    height, width = distinct(rng, 2, low=4, high=8)

    def case(layer: str, model: nn.Module, rows: int = batch) -> Case:
        return {
            "model": model,
            "layer": layer,
            "x": drawn(rng, rows, channels, height, width).requires_grad_(),
        }

    def cnn() -> nn.Sequential:
        return small_cnn(rng, channels, filters, (height, width), classes)

    refused = case("norm", Tangle(rng, channels))
    refused["x"].data[0, 0, 1, 1] = float("nan")
    return [
        case("norm", cnn()),
        case("conv", cnn().eval()),
        case("dense", cnn(), rows=1),
        case("again", Tangle(rng, channels)),
        case("convolution", cnn()),
        case("spare", Tangle(rng, channels)),
        case("pair", Tangle(rng, channels)),
        refused,
    ]


def _observe_maps(fn: Callable[..., Any], case: Case) -> Values:
    maps = fn(**case)
    slope: Tensor | str = "the maps know nothing of x"
    if isinstance(maps, Tensor) and maps.requires_grad:
        (slope,) = torch.autograd.grad(maps.square().sum(), case["x"], allow_unused=True)
        slope = torch.zeros_like(case["x"]) if slope is None else slope
    return {**flatten(maps), "gradient of Σ maps² to x": slope}


def _field_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    shallow, deep = distinct(rng, 2, low=2, high=9)
    return [{"layers": []}, {"layers": _stack(rng, shallow)}, {"layers": _stack(rng, deep)}]


def _stack(rng: np.random.Generator, depth: int) -> list[tuple[int, int, int]]:
    """Layers as (kernel, stride, padding): a long step first, and padding on top of it."""
    kernels, paddings = rng.integers(2, 8, size=depth), rng.integers(0, 4, size=depth)
    strides = 1 + (rng.random(depth) < 0.3)
    strides[0], paddings[1] = rng.integers(2, 4), rng.integers(1, 4)
    rows = zip(kernels, strides, paddings, strict=True)
    return [(int(kernel), int(stride), int(padding)) for kernel, stride, padding in rows]


def _ranking_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    channels, rows, columns = distinct(rng, 3, low=3, high=7)
    images = int(rng.integers(8, 11))
    maps = drawn(rng, images, channels, rows, columns)
    maps[int(rng.integers(images))] += 3  # one image would win several places
    neurons = drawn(rng, images - 1, columns)
    silent = -1 - drawn(rng, rows, channels, columns, images).abs()
    k = int(rng.choice([count for count in range(2, images - 1) if count != channels]))
    return [
        {"maps": maps, "k": k},
        {"maps": neurons, "k": len(neurons)},
        {"maps": silent, "k": 1},
        {"maps": neurons, "k": len(neurons) + 1},
        {"maps": silent, "k": 0},
    ]


def _crop_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    height, width = distinct(rng, 2, low=11, high=16)
    colour, grey = drawn(rng, 3, height, width).abs() + 1, drawn(rng, 1, height, width).abs() + 1
    size, jump, start = int(rng.integers(3, 6)), int(rng.integers(2, 4)), int(rng.integers(2))
    outside, step = -int(rng.integers(3, 6)), int(rng.integers(1, 3))
    last = [torch.tensor((side - 2) // jump) for side in (height, width)]
    return [
        {"image": colour, "row": 1, "col": 2, "field": (size, jump, start)},
        {"image": grey, "row": 0, "col": 1, "field": (size + 4, step, outside)},
        {"image": grey, "row": 2, "col": 0, "field": (size + 4, step + 1, outside)},
        {"image": colour, "row": last[0], "col": last[1], "field": (size, jump, start)},
        {"image": colour, "row": 1, "col": 0, "field": (22, 3, -4)},
    ]


def _dataset_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    few, many, classes = int(rng.integers(1, 4)), int(rng.integers(4, 7)), int(rng.integers(3, 8))
    height, width = distinct(rng, 2, low=4, high=7)

    def case(layer: str, k: int, sizes: list[int]) -> Case:
        model = small_cnn(rng, few, many, (height, width), classes)
        batches = [drawn(rng, n, few, height, width) for n in sizes]
        return {"model": model, "layer": layer, "batches": batches, "k": k}

    sizes = [int(n) for n in rng.permutation([2, 3, 4, 5])]
    awake = case("conv", 2, sizes[:3])
    return [
        case("conv", int(rng.integers(3, 6)), sizes),
        awake | {"model": awake["model"].eval()},
        case("dense", sum(sizes), sizes),
        case("conv", sum(sizes) + 1, sizes),
        case("dense", 0, sizes[1:]),
    ]


class _Maps(TorchFunctionMode):
    """Watches which tensors as large as a batch of maps outlive the next batch."""

    def __init__(self, model: nn.Module, size: int) -> None:
        super().__init__()
        self.size, self.runs, self.outlived = size, 0, False
        self.made: list[tuple[int, weakref.ref[Tensor]]] = []
        self.hook = model.register_forward_pre_hook(self._next_batch)

    def _next_batch(self, model: nn.Module, inputs: Any) -> None:
        self.runs += 1
        self.outlived |= any(run < self.runs - 1 and made() is not None for run, made in self.made)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for part in result if isinstance(result, tuple | list) else (result,):
            if isinstance(part, Tensor) and part.numel() >= self.size:
                self.made.append((self.runs, weakref.ref(part)))
        return result


def _observe_dataset(fn: Callable[..., Any], case: Case) -> Values:
    """The ranking, and, for the layer whose maps are larger than the images, how many batches of maps were there at once.

    For the other layer the batches come one by one, and only once, as from a file.
    """
    layer, batches = case["layer"], case["batches"]
    smallest = min(x[:, 0].numel() for x in batches) * case["model"].get_submodule("conv").out_channels
    maps = _Maps(case["model"], smallest)
    try:
        with maps:
            ranking = fn(**{**case, "batches": batches if layer == "conv" else iter(batches)})
    finally:
        maps.hook.remove()
    together = "those of all images" if maps.runs < len(batches) else "those of one batch"
    together = "those of several batches" if maps.outlived else together
    return {
        **flatten(ranking),
        "history": history(ranking),
        "maps in memory": together if layer == "conv" else "few",
    }


EXERCISES = [
    Exercise(
        "normalize_filters",
        cases=_normalize_cases,
        points=1,
        minutes=5,
        hints=(
            "Each filter has its own minimum and its own maximum.",
            "`amin` and `amax` take several axes in `dim`, and `keepdim=True` lets the result broadcast.",
            "Where maximum and minimum are equal, the division is 0/0: use `torch.where`, and divide by 1 there.",
        ),
    ),
    Exercise(
        "feature_maps",
        cases=_maps_cases,
        observe=_observe_maps,
        points=3,
        minutes=20,
        hints=(
            "`module.register_forward_hook(f)` calls `f(module, inputs, output)` whenever the layer has run, and "
            "returns a handle to remove it.",
            "The layer after yours may write into the very tensor that you keep. Keep another one with the same history.",
            "`try: … finally: handle.remove()` also works when the forward pass fails; `with evaluation_mode(model):` "
            "gives each module its mode back.",
        ),
    ),
    Exercise(
        "receptive_field",
        cases=_field_cases,
        compare=equal(rtol=1e-6, atol=1e-6),  # whole numbers: one pixel more is another field
        points=2,
        minutes=12,
        hints=(
            "Keep three numbers and update them layer by layer; the image itself is (1, 1, 0).",
            "A step of one unit in the layer below is a step of `jump` pixels in the image.",
            "A kernel of k reaches k − 1 such steps further than one unit, padding begins p steps earlier; both are steps of "
            "the layer below, so update the jump last.",
        ),
    ),
    Exercise(
        "top_activations",
        cases=_ranking_cases,
        points=3,
        minutes=18,
        hints=(
            "First find each image's best place, then rank the images.",
            "Flatten rows and columns into one axis: `max(dim=2)` gives the value and the place, "
            "and `topk(k, dim=0)` the images.",
            "`gather` fetches the places of the winners; a flat place p is row p // columns, column p % columns.",
        ),
    ),
    Exercise(
        "crop_patch",
        cases=_crop_cases,
        points=2,
        minutes=12,
        hints=(
            "The top left corner is (start + row·jump, start + col·jump); it may lie outside the image.",
            "Begin with a patch of zeros and copy into it the part that lies inside; or pad the image first.",
        ),
    ),
    Exercise(
        "explore_dataset",
        cases=_dataset_cases,
        observe=_observe_dataset,
        points=3,
        minutes=20,
        level="stretch",
        hints=(
            "`feature_maps` and `top_activations` do the work on one batch; count how many images came before.",
            "Put the best so far beside the newcomers along the second axis, and take the k largest of both.",
            "`topk` on the values also says where they stood: `gather` image, row and col by the same order.",
        ),
    ),
]
