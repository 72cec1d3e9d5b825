"""Recording what a function does on the cases of some seeds. The same code for reference, misconception and student."""

import inspect
import linecache
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from course.judging.archive import Tree, freeze, thaw
from course.judging.exercise import NO_SLOPE, SLOPE, Case, Exercise, Values
from course.judging.randomness import drawn_for_nothing, lent
from course.judging.traces import watch

LARGEST_VALUE = 4_000_000
"""Elements of one recorded tensor; a larger one is described, not kept."""

MOST_LEFT = 20
"""Things that are noted of what a call has left behind."""

_NO_MEMORY = "can't allocate memory"
"""What torch says, in a RuntimeError, when the processor's memory is full; there is no type for it, as there is on a GPU."""

_PROMISED = (ValueError, TypeError, IndexError, KeyError)
"""What docstrings promise. NumPy's LinAlgError is a ValueError, and so is what scikit-learn raises at parameters."""

_OURS = str(Path(__file__).resolve().parents[1])


@dataclass
class Outcome:
    """What one call did: values by name, or what it raised and where; and what it left behind (see course.judging.traces).

    miscalled: it raised because its signature does not take the arguments of the case.
    """

    values: Values = field(default_factory=dict)
    raised: str = ""
    message: str = ""
    file: str = ""
    line: int = 0
    function: str = ""
    text: str = ""
    devices: dict[str, str] = field(default_factory=dict)
    miscalled: bool = False
    left: list[str] = field(default_factory=list)

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
        left = [text[:200] for text in get("left", list, [])[:MOST_LEFT] if isinstance(text, str)]
        texts = {key: get(key, str, "")[:500] for key in ("raised", "message", "file", "function", "text")}
        line, miscalled = get("line", int, 0), get("miscalled", bool, False)
        return cls(values=values, devices=devices, left=left, line=line, miscalled=miscalled, **texts)


def fresh_cases(exercise: Exercise, seed: int, inputs: Tree = None, device: str = "cpu") -> list[Case]:
    """Newly made cases; the tensors of `inputs` (an answer sheet's) take the place of those drawn here."""
    cases = _made(exercise, seed)
    return (
        cases
        if inputs is None
        else [thaw(case, frozen, device) for case, frozen in zip(cases, inputs, strict=True)]
    )


def frozen_inputs(exercise: Exercise, seed: int) -> Tree:
    """The tensors of the cases of one seed, to travel with the answer sheet."""
    return [freeze(case) for case in _made(exercise, seed)]


def _made(exercise: Exercise, seed: int) -> list[Case]:
    """The cases of a seed. A model that is made draws its first weights, whoever fills it afterwards."""
    with drawn_for_nothing():
        return exercise.cases(seed)


def record(
    fn: Callable[..., Any],
    exercise: Exercise,
    seeds: list[int],
    inputs: list[Tree] | None = None,
    device: str = "cpu",
) -> list[Outcome]:
    """What `fn` does on every case of every seed. Whatever `fn` raises is recorded; KeyboardInterrupt passes."""
    outcomes = []
    with lent() as seeded:
        for position, seed in enumerate(seeds):
            for case in fresh_cases(exercise, seed, inputs[position] if inputs else None, device):
                outcomes.append(_recorded(fn, exercise, case, seeded))
                if outcomes[-1].open or outcomes[-1].raised == "MemoryError":
                    return outcomes  # it would be the same every time, and filling the memory takes long
    return outcomes


def record_case(fn: Callable[..., Any], exercise: Exercise, case: Case) -> Outcome:
    """What `fn` does on one case, and what it leaves behind."""
    with lent() as seeded:
        return _recorded(fn, exercise, case, seeded)


def _recorded(
    fn: Callable[..., Any], exercise: Exercise, case: Case, seeded: Callable[[], list[str]]
) -> Outcome:
    case, leaves = _with_leaves(case, exercise.slope)
    differences = watch(case, exercise.changes)
    outcome = _outcome(fn, exercise, case, leaves)
    outcome.left = [*differences(), *(f"seed {name}" for name in seeded())][:MOST_LEFT]
    return outcome


def _outcome(fn: Callable[..., Any], exercise: Exercise, case: Case, leaves: dict[str, Tensor]) -> Outcome:
    try:
        values = exercise.observe(fn, case)
        values = {**values, **_slopes(values, leaves)}
        return Outcome(
            values={name: _plain(value) for name, value in values.items()},
            devices={name: str(v.device.type) for name, v in values.items() if isinstance(v, Tensor)},
        )
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a student's SystemExit is a wrong answer, not the end of the recording
        file, line, function, text = own_line(error.__traceback__)
        try:
            said = str(error)
        except Exception:  # an exception of the student's own making
            said = ""
        message = said.strip().splitlines()
        return Outcome(
            raised="MemoryError"
            if isinstance(error, RuntimeError) and _NO_MEMORY in said
            else _kind_of(error),
            message=message[0][:300] if message else "",
            file=file,
            line=line,
            function=function,
            text=text,
            miscalled=isinstance(error, TypeError) and not text and not _takes(fn, case),
        )


def _kind_of(error: BaseException) -> str:
    """The name of its type; of a kind of a library's own, the error that it is a kind of where docstrings promise that one."""
    if type(error).__module__ == "builtins":
        return type(error).__name__
    promised = (kind for kind in _PROMISED if isinstance(error, kind))
    return next(promised, type(error)).__name__


def _takes(fn: Callable[..., Any], case: Case) -> bool:
    """Whether a function's signature takes as many arguments as a case has."""
    try:
        inspect.signature(fn).bind(*case.values())
    except TypeError:
        return False
    except Exception:  # it does not say: written in C, or made to look like something else
        return True
    return True


def _with_leaves(case: Case, names: Sequence[str]) -> tuple[Case, dict[str, Tensor]]:
    """The case with these arguments ready to be differentiated by, and the tensors that their gradients arrive at."""
    leaves = {name: case[name].detach().clone().requires_grad_() for name in names}
    return {**case, **{name: leaf.clone() for name, leaf in leaves.items()}}, leaves


def _slopes(values: Values, leaves: Mapping[str, Tensor]) -> Values:
    """The gradient of one fixed combination of all returned numbers, by argument; in words where none arrives."""
    if not leaves:
        return {}
    parts = [v for v in values.values() if isinstance(v, Tensor) and v.requires_grad]
    found: list[Tensor | None] = [None] * len(leaves)
    if parts:
        one_number = torch.stack([_combined(part) for part in parts]).sum()
        found = list(torch.autograd.grad(one_number, [*leaves.values()], allow_unused=True))
    return {
        f"{SLOPE}{name}": NO_SLOPE if slope is None else slope
        for name, slope in zip(leaves, found, strict=True)
    }


def _combined(value: Tensor) -> Tensor:
    """Σ cos(k)·vₖ over the finite numbers of a tensor: no two of them count alike."""
    flat = value.flatten()
    weights = torch.arange(flat.numel(), dtype=flat.dtype, device=flat.device).cos()
    return (weights * flat.where(flat.isfinite(), 0)).sum()


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
