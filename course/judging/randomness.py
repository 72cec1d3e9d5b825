"""The random numbers that a whole process shares, lent to a function while it is recorded.

A function draws from stand-ins, so that the notebook's own numbers go on afterwards as if nobody had drawn. Drawing from
them is harmless; seeding them is seen, unless the state that was read before is put back.
"""

import _random
import random
from collections.abc import Hashable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch

SEEDING = ("torch.manual_seed", "numpy.random.seed", "random.seed")
"""How the shared random numbers are seeded."""

_OURS = 0x5EED_0F_C0DE_1E55
"""What the stand-ins are seeded with: no seed that anybody would choose."""


class _Log:
    """Whether a generator was seeded, by the states that it was given and those that were read from it."""

    def __init__(self) -> None:
        self.seeded = False
        self._read: dict[Hashable, bool] = {}

    def read(self, state: Hashable) -> None:
        self._read.setdefault(state, self.seeded)

    def put(self, state: Hashable) -> None:
        """A state that was read before any seeding is no seed: it is put back."""
        self.seeded = self._read.get(state, True)


class _WatchedTwister(np.random.MT19937):
    """A generator for NumPy's shared functions that notes who seeds it."""

    log: _Log

    def _legacy_seeding(self, seed: Any) -> None:
        super()._legacy_seeding(seed)  # type: ignore[misc]
        self.log.seeded = True

    @property
    def state(self) -> Any:
        state = super().state
        self.log.read(_numpy_key(state))
        return state

    @state.setter
    def state(self, value: Any) -> None:
        np.random.MT19937.state.__set__(self, value)  # type: ignore[attr-defined]
        self.log.put(_numpy_key(super().state))


_WatchedTwister.__name__ = np.random.MT19937.__name__  # it stands in every state, and NumPy compares it


def _numpy_key(state: Any) -> Hashable:
    return state["state"]["key"].tobytes(), state["state"]["pos"]


class _Watching(_random.Random):
    """Comes between Python's `random.Random` and its numbers: whatever seeds these goes through here."""

    __slots__ = ()

    def seed(self, *value: Any) -> None:
        super().seed(*value)
        _WatchedRandom.log.seeded = True

    def getstate(self) -> Any:
        state = super().getstate()
        _WatchedRandom.log.read(state)
        return state

    def setstate(self, state: Any) -> None:
        super().setstate(state)
        _WatchedRandom.log.put(state)


class _WatchedRandom(random.Random, _Watching):
    """What Python's shared generator is while it is lent. Its functions were bound long ago: only its class can change."""

    log: _Log


@contextmanager
def lent() -> Iterator[list[str]]:
    """Lend stand-ins for the shared random numbers. Afterwards the list says how they were seeded, in words of SEEDING."""
    seeded: list[str] = []
    with ExitStack() as lending:
        for lend, name in zip((_torch_lent, _numpy_lent, _python_lent), SEEDING, strict=True):
            lending.enter_context(lend(name, seeded))
        yield seeded


@contextmanager
def _torch_lent(name: str, seeded: list[str]) -> Iterator[None]:
    generator = torch.default_generator
    before = generator.get_state()
    generator.manual_seed(_OURS)
    try:
        yield
    finally:
        if (
            generator.initial_seed() != _OURS
        ):  # drawing does not change it, and a state that is put back brings it along
            seeded.append(name)
        generator.set_state(before)


@contextmanager
def _numpy_lent(name: str, seeded: list[str]) -> Iterator[None]:
    before, state = np.random.mtrand.get_bit_generator(), np.random.get_state(legacy=False)
    _TWISTER.log = _Log()
    _TWISTER._legacy_seeding(_OURS % 2**32)
    _TWISTER.log.seeded = False
    np.random.mtrand.set_bit_generator(_TWISTER)
    try:
        yield
    finally:
        if _TWISTER.log.seeded or np.random.mtrand.get_bit_generator() is not _TWISTER:
            seeded.append(name)
        np.random.mtrand.set_bit_generator(before)
        if state.get("has_gauss"):  # of normal numbers two are made at a time: the other one waits
            np.random.set_state(state)


@contextmanager
def _python_lent(name: str, seeded: list[str]) -> Iterator[None]:
    shared: Any = random._inst  # type: ignore[attr-defined]
    before, kind = random.getstate(), type(shared)
    random.seed(_OURS)
    _WatchedRandom.log = log = _Log()
    shared.__class__ = _WatchedRandom
    try:
        yield
    finally:
        shared.__class__ = kind
        random.setstate(before)
        if log.seeded:
            seeded.append(name)


_TWISTER = _WatchedTwister(_OURS)
