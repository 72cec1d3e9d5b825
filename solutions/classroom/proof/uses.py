"""How the chapters' own cells call the exercises, held against the cases: a way that no case has is a question not asked.

A chapter runs in a process of its own, with the reference; each call that one of its cells makes is noted by its traits:
kinds of arguments, numbers of axes, sizes 0 and 1, what is left out, −∞, large numbers, gradients.
"""

import inspect
import json
import os
import runpy
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course.exercises import UnknownNameError, chapter_named, exercises_of, find
from course.judging.exercise import Exercise
from course.judging.recording import fresh_cases, record_case
from solutions.classroom.release.answers import PUBLIC_SEEDS
from solutions.classroom.release.chapter_text import chapter_path
from solutions.classroom.release.reference_source import home_of, load, replaced

EXPLAINED = Path(__file__).resolve().parents[3] / "tests" / "uses.toml"
"""Ways to call that need no case: exercise → {trait: why}."""

SEEDS = [*PUBLIC_SEEDS, 101, 102]
"""Whose cases are looked at."""

LARGE = 1e3
"""Numbers beyond are a trait."""

BACKWARD = "a gradient flows back through what it returns"

Traits = dict[str, set[str]]
"""exercise → the traits of its calls."""


def print_uses(names: Iterable[str]) -> int:
    """A line per trait that the chapters' calls have and the cases do not. Returns 1 where there is one without a reason."""
    missing = 0
    for name in names:
        try:
            chapter, only = chapter_named(name), None
        except UnknownNameError:
            chapter, only = find(name)[0], name
        print(chapter)
        for exercise, traits in lacking(chapter).items():
            if only in (None, exercise):
                print(f"  {exercise}", *(f"      {trait}" for trait in sorted(traits)), sep="\n")
                missing += len(traits)
    print(f"{missing} ways in which a chapter calls an exercise are no case's")
    return min(missing, 1)


def lacking(chapter: str) -> Traits:
    """exercise → traits that the chapter's calls have and no case has, but for those with a reason."""
    reasons = explained()
    found = {}
    for name, traits in used_in(chapter).items():
        missing = traits - of_cases(exercises_of(chapter)[name]) - set(reasons.get(name, {}))
        if missing:
            found[name] = missing
    return found


def explained() -> dict[str, dict[str, str]]:
    """exercise → {trait: why no case needs it}."""
    return tomllib.loads(EXPLAINED.read_text("utf-8")) if EXPLAINED.exists() else {}


def used_in(chapter: str) -> Traits:
    """What the chapter's cells do with its exercises, run quickly in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        noted = Path(folder) / "traits.json"
        environment = os.environ | {"COURSE_FAST": "1", "MPLBACKEND": "Agg"}
        done = subprocess.run(
            [sys.executable, "-m", __name__, chapter, noted],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{chapter} does not run:\n{done.stderr[-2000:]}")
        return {name: set(traits) for name, traits in json.loads(noted.read_text("utf-8")).items()}


def of_cases(exercise: Exercise) -> set[str]:
    """The traits of the calls that the cases make."""
    noted: set[str] = set()
    watched = _noting(load(home_of()[exercise.name], exercise.name), noted)
    for seed in SEEDS:
        for case in fresh_cases(exercise, seed):
            record_case(watched, exercise, case)
    return noted


def traits_of(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> set[str]:
    """What is special about a call, by the names of the function's arguments."""
    signature = inspect.signature(function)
    given = signature.bind(*args, **kwargs).arguments
    found = {f"{name} is left out" for name in signature.parameters if name not in given}
    return found | {trait for name, value in given.items() for trait in _traits(name, value)}


def _traits(name: str, value: Any) -> Iterator[str]:
    yield f"{name} is {_kind(value)}"
    if isinstance(value, np.ndarray) and value.dtype != object:
        value = torch.from_numpy(np.array(value))
    if isinstance(value, Tensor):
        yield from (f"{name} {trait}" for trait in _tensor_traits(value.detach()))
        if value.requires_grad:
            yield f"{name} requires a gradient"
    elif isinstance(value, Mapping | list | tuple):
        for item in list(value.values() if isinstance(value, Mapping) else value)[:20]:
            yield from _traits(f"{name}[…]", item)


def _tensor_traits(value: Tensor) -> Iterator[str]:
    yield f"has {value.dim()} {'axis' if value.dim() == 1 else 'axes'}"
    for size in (0, 1):
        if size in value.shape:
            yield f"has an axis of size {size}"
    if value.dtype != torch.float32:
        kind = (
            "integers"
            if not value.dtype.is_floating_point and value.dtype != torch.bool
            else str(value.dtype)
        )
        yield f"holds {kind.removeprefix('torch.')}"
    if not value.is_floating_point():
        return
    for number, test in {"NaN": torch.isnan, "−∞": torch.isneginf, "∞": torch.isposinf}.items():
        if bool(test(value).any()):
            yield f"holds {number}"
    if bool((value[value.isfinite()].abs() > LARGE).any()):
        yield f"holds numbers beyond {LARGE:g}"


def _kind(value: Any) -> str:
    kinds = {
        "None": type(None), "a truth value": bool | np.bool_, "a number": int | float | np.number, "a text": str, "a tensor": Tensor,
        "an array": np.ndarray, "a generator": torch.Generator, "a model": nn.Module, "a dictionary": Mapping, "a list": list | tuple,
    }  # fmt: skip
    for words, kind in kinds.items():
        if isinstance(value, kind):
            return words
    return "a function" if callable(value) else f"a {type(value).__name__}"


def _noting(function: Callable[..., Any], noted: set[str], caller: str = "") -> Callable[..., Any]:
    """The function, with the traits of its calls noted: of all, or of those that stand in the file `caller`."""

    @wraps(function)
    def watched(*args: Any, **kwargs: Any) -> Any:
        ours = not caller or sys._getframe(1).f_code.co_filename == caller
        if ours:
            noted.update(traits_of(function, args, kwargs))
        result = function(*args, **kwargs)
        for part in result if ours and isinstance(result, tuple) else [result] if ours else []:
            if isinstance(part, Tensor) and part.requires_grad:
                part.register_hook(lambda slope: noted.add(BACKWARD))
        return result

    return watched


def _run(chapter: str) -> dict[str, list[str]]:
    """Run a chapter's text in this process; exercise → the traits of its cells' calls."""
    path = str(chapter_path(chapter))
    noted: Traits = {name: set() for name in exercises_of(chapter)}
    with ExitStack() as watching:
        for name, traits in noted.items():
            module = home_of()[name]
            watching.enter_context(replaced(module, name, _noting(load(module, name), traits, path)))
        runpy.run_path(path, run_name="__main__")
    return {name: sorted(traits) for name, traits in noted.items()}


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(_run(sys.argv[1])), "utf-8")
