"""Chapter 2: filters, activations, exploring a data set."""

import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from course.exercises.random_arguments import drawn, filled
from course.judging.exercise import Case, Exercise, Values, flatten


def small_cnn(rng: np.random.Generator) -> nn.Sequential:
    """A network with the traps of real ones: batch normalization in training mode and an in-place ReLU."""
    model = nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(2, 4, kernel_size=3, padding=1),
            norm=nn.BatchNorm2d(4),
            relu=nn.ReLU(inplace=True),
            pool=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            dense=nn.Linear(4 * 3 * 2, 5),
        )
    )
    return filled(model, rng, scale=0.7)


def history(found: object) -> str:
    """Whether a result, or a part of it, still carries the graph that made it."""
    parts = found if isinstance(found, tuple | list) else [found]
    return "kept" if any(isinstance(each, Tensor) and each.requires_grad for each in parts) else "none"


# ------------------------------------------------------------------------------------------- the exercises


def _normalize_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    scale = torch.tensor([0.1, 1.0, 5.0]).reshape(3, 1, 1, 1)
    plain = drawn(rng, 3, 2, 4, 5) * scale + drawn(rng, 3, 2, 1, 1)
    constant = drawn(rng, 4, 1, 3, 2)
    constant[2] = float(rng.normal())
    return [{"weight": plain}, {"weight": constant}]


def _maps_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {"model": small_cnn(rng), "layer": layer, "x": drawn(rng, 3, 2, 6, 4).requires_grad_()}
        for layer in ("norm", "conv", "dense")
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
    deep = [
        (int(k), int(s), int(p))
        for k, s, p in zip(rng.integers(2, 7, 4), rng.integers(1, 4, 4), rng.integers(0, 3, 4), strict=True)
    ]
    return [
        {"layers": [(5, 1, 0), (2, 2, 0), (5, 1, 0)]},
        {"layers": [(5, 2, 2), (3, 2, 1), (3, 1, 1)]},
        {"layers": [(3, 2, 1), *deep]},
    ]


def _ranking_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    maps = drawn(rng, 6, 3, 4, 7)
    favourite = int(rng.integers(6))
    maps[favourite] += 3  # one image would win several places
    return [{"maps": maps, "k": 4}, {"maps": drawn(rng, 7, 4), "k": 2}]


def _crop_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    image = drawn(rng, 2, 12, 15) + 3
    return [
        {"image": image, "row": 1, "col": 3, "field": (4, 2, 0)},
        {"image": image, "row": 0, "col": 2, "field": (7, 4, -3)},
        {"image": image, "row": int(rng.integers(4, 6)), "col": 6, "field": (5, 2, 1)},
    ]


def _dataset_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    sizes = (4, 3, 5)
    return [
        {"model": small_cnn(rng), "layer": layer, "batches": [drawn(rng, n, 2, 6, 4) for n in sizes], "k": k}
        for layer, k in (("conv", 3), ("dense", 4))
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
    """The ranking, and, for the layer whose maps are larger than the images, how many batches of maps were there at once."""
    smallest = min(len(x) for x in case["batches"]) * 4 * 6 * 4
    maps = _Maps(case["model"], smallest)
    try:
        with maps:
            ranking = fn(**case)
    finally:
        maps.hook.remove()
    together = "those of all images" if maps.runs < len(case["batches"]) else "those of one batch"
    together = "those of several batches" if maps.outlived else together
    return {
        **flatten(ranking),
        "history": history(ranking),
        "maps in memory": together if case["layer"] == "conv" else "few",
    }


EXERCISES = [
    Exercise(
        "normalize_filters",
        cases=_normalize_cases,
        points=1,
        minutes=8,
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
        points=2,
        minutes=12,
        hints=(
            "Keep three numbers and update them layer by layer; the image itself is (1, 1, 0).",
            "A step of one unit in the layer below is a step of `jump` pixels in the image.",
            "All three formulas use the jump from before this layer, so update the jump last.",
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
