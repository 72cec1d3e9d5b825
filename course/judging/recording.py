"""Recording what a function does on the cases of some seeds. The same code for reference, misconception and student."""

import linecache
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from course.judging.archive import Tree, freeze, thaw
from course.judging.exercise import Case, Exercise, Values

LARGEST_VALUE = 4_000_000
"""Elements of one recorded tensor; a larger one is described, not kept."""

_OURS = str(Path(__file__).resolve().parents[1])


@dataclass
class Outcome:
    """What one call did: values by name, or what it raised and where."""

    values: Values = field(default_factory=dict)
    raised: str = ""
    message: str = ""
    file: str = ""
    line: int = 0
    function: str = ""
    text: str = ""
    devices: dict[str, str] = field(default_factory=dict)

    @property
    def open(self) -> bool:
        """Whether a gap stopped it: `raise NotImplementedError`, as written there (torch raises it too, with a message)."""
        return self.raised == "NotImplementedError" and (
            self.raised in self.text or not (self.text or self.message)
        )

    def tree(self) -> Tree:
        return asdict(self)

    @classmethod
    def of(cls, tree: Tree) -> "Outcome":
        """Rebuild from an archive that anybody may have written: wrong kinds are dropped, never trusted."""
        tree = tree if isinstance(tree, dict) else {}

        def get(key: str, kind: type, default: Any) -> Any:
            value = tree.get(key)
            return (
                value
                if isinstance(value, kind) and not (kind is int and isinstance(value, bool))
                else default
            )

        values = {str(k): v for k, v in get("values", dict, {}).items() if isinstance(v, Tensor | str)}
        devices = {str(k): v for k, v in get("devices", dict, {}).items() if isinstance(v, str)}
        texts = {key: get(key, str, "")[:500] for key in ("raised", "message", "file", "function", "text")}
        return cls(values=values, devices=devices, line=get("line", int, 0), **texts)


def fresh_cases(exercise: Exercise, seed: int, inputs: Tree = None, device: str = "cpu") -> list[Case]:
    """Newly made cases; the tensors of `inputs` (an answer sheet's) take the place of those drawn here."""
    cases = exercise.cases(seed)
    return (
        cases
        if inputs is None
        else [thaw(case, frozen, device) for case, frozen in zip(cases, inputs, strict=True)]
    )


def frozen_inputs(exercise: Exercise, seed: int) -> Tree:
    """The tensors of the cases of one seed, to travel with the answer sheet."""
    return [freeze(case) for case in exercise.cases(seed)]


def record(
    fn: Callable[..., Any],
    exercise: Exercise,
    seeds: list[int],
    inputs: list[Tree] | None = None,
    device: str = "cpu",
) -> list[Outcome]:
    """What `fn` does on every case of every seed. Whatever `fn` raises is recorded; KeyboardInterrupt passes."""
    outcomes = []
    for position, seed in enumerate(seeds):
        for case in fresh_cases(exercise, seed, inputs[position] if inputs else None, device):
            outcomes.append(record_case(fn, exercise, case))
            if outcomes[-1].open or outcomes[-1].raised == "MemoryError":
                return outcomes  # it would be the same every time, and filling the memory takes long
    return outcomes


def record_case(fn: Callable[..., Any], exercise: Exercise, case: Case) -> Outcome:
    """What `fn` does on one case."""
    try:
        values = exercise.observe(fn, case)
        return Outcome(
            values={name: _plain(value) for name, value in values.items()},
            devices={name: str(v.device.type) for name, v in values.items() if isinstance(v, Tensor)},
        )
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a student's SystemExit is a wrong answer, not the end of the recording
        file, line, function, text = own_line(error.__traceback__)
        message = str(error).strip().splitlines()
        return Outcome(
            raised="MemoryError" if "can't allocate memory" in str(error) else type(error).__name__,
            message=message[0][:300] if message else "",
            file=file,
            line=line,
            function=function,
            text=text,
        )


def _plain(value: Tensor | str) -> Tensor | str:
    """A CPU tensor of the base class, without history; subclasses and lazy tensors are resolved here."""
    if isinstance(value, str):
        return value[:10_000]
    if value.numel() > LARGEST_VALUE:
        return f"<tensor of {value.numel():,} elements>"
    with torch.no_grad():
        plain = value.detach()
        plain = plain.to_dense() if plain.layout != torch.strided else plain
        return plain.as_subclass(Tensor).resolve_conj().resolve_neg().cpu().contiguous()


def own_line(trace: TracebackType | None) -> tuple[str, int, str, str]:
    """The innermost frame that the reader wrote: neither this package nor an installed library."""
    frames = [(frame.f_code.co_filename, line, frame.f_code.co_name) for frame, line in _walk(trace)]
    installed = (_OURS, sys.prefix, sys.base_prefix, "<frozen", "<string>", "<__array_function__")
    own = [
        frame for frame in frames if not frame[0].startswith(installed) and "site-packages" not in frame[0]
    ]
    if not own:
        return "", 0, "", ""
    file, line, function = own[-1]
    return file, line, function, linecache.getline(file, line).strip()


def _walk(trace: TracebackType | None) -> Iterator[tuple[Any, int]]:
    return traceback.walk_tb(trace)
