"""What a call leaves behind: in the arguments that it was handed, on their models, and in settings that everybody shares.

`watch(case)` notes how things are; what it returns says afterwards what is different. Right answers leave nothing: a
value that was put back is no difference, and neither is what a generator has drawn, a buffer that a model makes at its
first call, a cache, or a switch that changes speed and warnings only.
"""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.lazy import LazyModuleMixin

from course.judging.randomness import SEEDING

_SETTINGS: dict[str, Callable[[], Any]] = {
    "torch.set_default_dtype": torch.get_default_dtype,
    "torch.set_default_device": torch.get_default_device,
    "torch.set_grad_enabled": torch.is_grad_enabled,
    "torch.inference_mode": torch.is_inference_mode_enabled,
}
"""Switches of the whole process that change what other functions return: how one is set → how it stands."""

LEFT = {
    "values": "changed `{}`, which was only lent to it: work on a copy",
    "size": "added something to `{}` or took something out of it: make a new one",
    "requires_grad": "switched `requires_grad` of `{}`, which was only lent to it: work on a copy",
    "gradient": "left a gradient in `{}.grad`: torch.autograd.grad leaves none",
    "parts": "left `{}` with other layers than it came with: work on a copy",
    "mode": "left `{}` in another mode than it came in (train or eval): put every layer back",
    "hooks": "left a hook on `{}`: remove it in a `finally`, so that it goes after an error too",
    "weights": "changed the weights of `{}`: work on a copy",
    "statistics": "changed the running statistics of `{}`: call it in evaluation mode",
    "gradients": "left gradients in the weights of `{}`: torch.autograd.grad leaves none",
    "frozen": "switched `requires_grad` of weights of `{}`: put it back",
    "unreadable": "left `{}` in a state in which it cannot be read any more",
    "setting": "left {} switched for everybody: put it back before you return",
    "seed": "seeded the random numbers that everybody shares ({}): use a generator of your own",
}
"""What can be left behind → what is said of it, after "your function"."""

DEEPEST = 6
"""Lists within lists that are looked into."""

Look = dict[tuple[str, str], Any]
"""(what, where) → how it is now."""


def watch(case: Mapping[str, Any], allowed: Collection[str] = ()) -> Callable[[], list[str]]:
    """Note the arguments of a call (but those `allowed` to change) and what everybody shares.

    The returned function lists what is different now, as "what where": a key of LEFT, and an argument or a setting.
    """
    watched = {name: value for name, value in case.items() if name not in allowed}

    def look(keep: Callable[[Any], Any]) -> Look:
        found = _shared()
        for name, value in watched.items():
            try:
                found |= _looked_at(value, name, keep)
            except Exception as error:  # whatever a student's function has made of it
                found["unreadable", name] = type(error).__name__
        return found

    before = look(keep=_copied)

    def differences() -> list[str]:
        now = look(keep=_as_it_is)
        return [" ".join(key) for key in {**before, **now} if not _same(before.get(key), now.get(key))]

    return differences


def traces(model: nn.Module, where: str = "model", keep: Callable[[Any], Any] | None = None) -> Look:
    """Everything about a model that an explanation must leave as it was. keep: how its tensors are kept; copied."""
    keep = keep or _copied
    layers = dict(model.named_modules())
    made = {name: layer for name, layer in layers.items() if not isinstance(layer, LazyModuleMixin)}
    weights = {name: w for name, w in model.named_parameters() if not nn.parameter.is_lazy(w)}
    return {
        ("parts", where): {name: _kind(layer) for name, layer in layers.items()},
        ("mode", where): {name: layer.training for name, layer in layers.items()},
        ("hooks", where): {name: _hooks(thing) for name, thing in {**made, **weights}.items()},
        ("weights", where): {name: keep(weight) for name, weight in weights.items()},
        ("statistics", where): {
            name: keep(b) for name, b in model.named_buffers() if not nn.parameter.is_lazy(b)
        },
        ("gradients", where): {name: keep(weight.grad) for name, weight in weights.items()},
        ("frozen", where): {name: weight.requires_grad for name, weight in weights.items()},
    }


def in_words(left: str, case: Mapping[str, Any]) -> str:
    """One thing that was left behind, to be said after "your function"; "" where it is none of ours: anybody may have recorded it."""
    what, _, where = left.partition(" ")
    known: Collection[str] = {"setting": tuple(_SETTINGS), "seed": SEEDING}.get(what, tuple(case))
    name = where if where in known else where.partition("[")[0]
    return LEFT[what].format(name) if what in LEFT and name in known else ""


def _shared() -> Look:
    """How the settings of the whole process stand."""
    return {("setting", name): state() for name, state in _SETTINGS.items()}


def _looked_at(value: Any, where: str, keep: Callable[[Any], Any]) -> Look:
    """An argument, also inside lists, tuples and dictionaries."""
    if isinstance(value, nn.Module):
        return traces(value, where, keep)
    if isinstance(value, Tensor):
        return {
            ("values", where): keep(value),
            ("requires_grad", where): value.requires_grad,
            ("gradient", where): keep(value.grad) if value.is_leaf else None,
        }
    if isinstance(value, np.ndarray) and value.dtype != object:
        return {("values", where): keep(value)}
    items = _items(value)
    if items is None or where.count("[") >= DEEPEST:
        return {}
    found: Look = {("size", where): [str(key) for key, _ in items]}
    for key, item in items:
        place = f"{where}[{key}]"
        found |= _looked_at(item, place, keep) or {("values", place): _plain(item)}
    return found


def _items(value: Any) -> list[tuple[Any, Any]] | None:
    """What a list, a dictionary or a partly called function holds; None for anything else."""
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, list | tuple):
        return list(enumerate(value))
    if isinstance(value, partial):
        return [*enumerate(value.args), *value.keywords.items()]
    return None


def _kind(layer: nn.Module) -> tuple[str, bool]:
    """What a layer is (a lazy one becomes its kind at the first call), and whether its forward was put in by hand."""
    return type(layer).__name__.removeprefix("Lazy"), "forward" in vars(layer)


_HOOKS = (
    "_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks", "_state_dict_hooks",
    "_post_accumulate_grad_hooks",
)  # fmt: skip


def _hooks(thing: nn.Module | Tensor) -> int:
    return sum(len(getattr(thing, name, None) or ()) for name in _HOOKS)


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone()
    return value.copy() if isinstance(value, np.ndarray) else value


def _as_it_is(value: Any) -> Any:
    return value.detach() if isinstance(value, Tensor) else value


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool) or value is None else type(value).__name__


def _same(before: Any, now: Any) -> bool:
    """Whether nothing has changed. What a model has gained by name (a buffer, made at its first call) is no change."""
    if isinstance(before, Tensor) and isinstance(now, Tensor):
        alike = before.shape == now.shape and before.dtype == now.dtype and before.device == now.device
        return alike and (torch.equal(before, now) or _same_with_nan(before, now))
    if isinstance(before, np.ndarray) and isinstance(now, np.ndarray):
        return before.shape == now.shape and before.dtype == now.dtype and before.tobytes() == now.tobytes()
    if isinstance(before, dict) and isinstance(now, dict):
        return all(name in now and _same(before[name], now[name]) for name in before)
    return before is now or (type(before) is type(now) and bool(before == now))


def _same_with_nan(before: Tensor, now: Tensor) -> bool:
    return bool(((before == now) | (before.isnan() & now.isnan())).all())
