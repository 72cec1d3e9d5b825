"""What a call leaves behind: in the arguments that it was handed, on their models, and in settings that everybody shares.

`watch(case)` notes how things are; what it returns says afterwards what is different. A value that was put back is no
difference, and neither is what a generator has drawn.
"""

import random
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_SETTINGS: dict[str, Callable[[], Any]] = {
    "torch.set_default_dtype": torch.get_default_dtype,
    "torch.set_default_device": torch.get_default_device,
    "torch.set_grad_enabled": torch.is_grad_enabled,
    "torch.inference_mode": torch.is_inference_mode_enabled,
    "torch.autograd.set_detect_anomaly": torch.is_anomaly_enabled,
    "torch.use_deterministic_algorithms": torch.are_deterministic_algorithms_enabled,
    "torch.set_num_threads": torch.get_num_threads,
    "numpy.seterr": np.geterr,
}
"""Switches of the whole process: how one is set → how it stands."""

LEFT = {
    "values": "changed `{}`, which was handed to it; work on a copy",
    "size": "changed how many things `{}` holds, which was handed to it; make a new one",
    "requires_grad": "switched `requires_grad` of `{}`, which was handed to it; work on a copy",
    "gradient": "left a gradient in `{}`, which was handed to it; torch.autograd.grad leaves none",
    "mode": "left `{}` in another mode than it came in; put every part back, training or not",
    "hooks": "left a hook on `{}`; remove it, also where something went wrong",
    "weights": "changed the weights of `{}`",
    "statistics": "changed the running statistics of `{}`; explain a model in evaluation mode",
    "parts": "left `{}` with other parts than it came with",
    "gradients": "left gradients in the weights of `{}`; torch.autograd.grad leaves none",
    "frozen": "left weights of `{}` with another `requires_grad` than they came with",
    "setting": "left a setting changed that everybody shares ({})",
    "seed": "seeded the random numbers that everybody shares ({}); draw from a generator of your own",
}
"""What can be left behind → what is said of it, after "Your function"."""

Look = dict[tuple[str, str], Any]
"""(what, where) → how it is now."""


def watch(case: Mapping[str, Any], allowed: Collection[str] = ()) -> Callable[[], list[str]]:
    """Note the arguments of a call (but those `allowed` to change) and what everybody shares.

    The returned function lists what is different now, as "what where", a key of LEFT and an argument or a setting.
    """
    watched = {name: value for name, value in case.items() if name not in allowed}

    def look() -> Look:
        found = shared()
        for name, value in watched.items():
            found |= looked_at(value, name)
        return found

    before = look()
    seeds = {name: state() for name, (state, _) in _GENERATORS.items()}

    def differences() -> list[str]:
        now = look()
        places = [key for key in {**before, **now} if not _same(before.get(key), now.get(key))]
        drawn_anew = [
            ("seed", name) for name, (state, came_from) in _GENERATORS.items()
            if not came_from(seeds[name], state())
        ]  # fmt: skip
        return list(dict.fromkeys(" ".join(place) for place in places + drawn_anew))

    return differences


def looked_at(value: Any, where: str) -> Look:
    """An argument, also inside lists, tuples and dictionaries."""
    if isinstance(value, nn.Module):
        return traces(value, where)
    if isinstance(value, Tensor):
        return {
            ("values", where): value.detach().clone(),
            ("requires_grad", where): value.requires_grad,
            ("gradient", where): _copied(value.grad) if value.is_leaf else None,
        }
    if isinstance(value, np.ndarray) and value.dtype != object:
        return {("values", where): value.copy()}
    if isinstance(value, Mapping):
        items: list[tuple[Any, Any]] = list(value.items())
    elif isinstance(value, list | tuple):
        items = list(enumerate(value))
    elif isinstance(value, partial):
        items = [*enumerate(value.args), *value.keywords.items()]
    else:
        return {}
    found: Look = {("size", where): [str(key) for key, _ in items]}
    for key, item in items:
        place = f"{where}[{key}]"
        found |= looked_at(item, place) or {("values", place): _plain(item)}
    return found


def traces(model: nn.Module, where: str = "model") -> Look:
    """Everything about a model that an explanation must leave as it was."""
    parts = dict(model.named_modules())
    weights = dict(model.named_parameters())
    return {
        ("parts", where): [
            (name, type(part).__name__, "forward" in vars(part)) for name, part in parts.items()
        ],
        ("mode", where): {name: part.training for name, part in parts.items()},
        ("hooks", where): {name: _hooks(thing) for name, thing in {**parts, **weights}.items()},
        ("weights", where): {name: weight.detach().clone() for name, weight in weights.items()},
        ("statistics", where): {name: buffer.clone() for name, buffer in model.named_buffers()},
        ("gradients", where): {name: _copied(weight.grad) for name, weight in weights.items()},
        ("frozen", where): {name: weight.requires_grad for name, weight in weights.items()},
    }


def shared() -> Look:
    """Settings of the whole process that a function may switch and forget."""
    return {("setting", name): state() for name, state in _SETTINGS.items()}


def said(left: str, case: Mapping[str, Any]) -> str:
    """One thing that was left behind, as a sentence; "" where it is none of ours: anybody may have recorded it."""
    what, _, where = left.partition(" ")
    known: Collection[str] = {"setting": _SETTINGS, "seed": _GENERATORS}.get(what, case)
    name = where if where in known else where.partition("[")[0]
    return f"Your function {LEFT[what].format(name)}." if what in LEFT and name in known else ""


_HOOKS = (
    "_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks", "_state_dict_hooks",
    "_post_accumulate_grad_hooks",
)  # fmt: skip


def _hooks(thing: nn.Module | Tensor) -> int:
    return sum(len(getattr(thing, name, None) or ()) for name in _HOOKS)


def _copied(value: Tensor | None) -> Tensor | None:
    return None if value is None else value.detach().clone()


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool) or value is None else type(value).__name__


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        alike = one.shape == other.shape and one.dtype == other.dtype and one.device == other.device
        return alike and bool(((one == other) | (one.isnan() & other.isnan())).all())
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.shape == other.shape and one.dtype == other.dtype and one.tobytes() == other.tobytes()
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return type(one) is type(other) and bool(one == other)


# -- random numbers that everybody shares: drawing from them is no fault, seeding them is -------------------------

_TWISTS = 200
"""Rounds of 624 numbers that somebody may have drawn before it looks like a new seed."""


def _drawn_from(
    make: Callable[[], Any], read: Callable[[Any], np.ndarray], draw: Callable[[Any], Any]
) -> Any:
    """For a Mersenne twister: whether a state comes from an earlier one by drawing numbers."""

    def came_from(before: Any, after: Any) -> bool:
        twister = make()
        _set(twister, before)
        for _ in range(_TWISTS):
            if np.array_equal(read(_get(twister)), read(after)):
                return True
            for _ in range(624):
                draw(twister)
        return False

    return came_from


def _get(twister: Any) -> Any:
    return twister.getstate() if isinstance(twister, random.Random) else twister.get_state()


def _set(twister: Any, state: Any) -> None:
    if isinstance(twister, random.Random):
        twister.setstate(state)
    else:
        twister.set_state(state)


_GENERATORS: dict[str, tuple[Callable[[], Any], Callable[[Any, Any], bool]]] = {
    "torch.manual_seed": (torch.initial_seed, lambda before, after: before == after),
    "random.seed": (
        random.getstate,
        _drawn_from(random.Random, lambda state: np.array(state[1][:624]), lambda one: one.getrandbits(32)),
    ),
    "numpy.random.seed": (
        np.random.get_state,
        _drawn_from(
            np.random.RandomState, lambda state: state[1], lambda one: one.randint(1 << 32, dtype=np.uint32)
        ),
    ),
}
"""How somebody seeds them → their state, and whether one state comes from another by drawing."""
