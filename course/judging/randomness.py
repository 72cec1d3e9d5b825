"""The random numbers that a whole process shares, lent to a function while it is recorded.

A function draws what would come next, from stand-ins: the notebook's own numbers go on afterwards as if nobody had drawn.
Drawing is harmless; seeding is seen, unless the state that was read before is put back.
"""

import _random
import random
import sys
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

SEEDING = ("torch.manual_seed", "numpy.random.seed", "random.seed")
"""How the shared random numbers are seeded."""

_OURS = 0x5EED_0F_C0DE_1E55
"""What Torch is told that it was seeded with: no seed that anybody would choose."""


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

    log = _Log()

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

    log = _Log()


Seeded = Callable[[], bool]
"""Whether somebody has seeded a generator since this was last asked."""


@contextmanager
def lent() -> Iterator[Callable[[], list[str]]]:
    """Lend stand-ins for the shared random numbers. What comes back says how they were seeded since it was last asked."""
    with drawn_for_nothing() as torch_seeded, _numpy_lent() as numpy_seeded, _python_lent() as python_seeded:
        asked = dict(zip(SEEDING, (torch_seeded, numpy_seeded, python_seeded), strict=True))
        yield lambda: [name for name, seeded in asked.items() if seeded()]


@contextmanager
def drawn_for_nothing() -> Iterator[Seeded]:
    """Lend Torch's numbers only, as whoever makes a model draws them."""
    generator = torch.default_generator
    before = generator.get_state()
    marked = before.clone()
    marked[:8] = torch.frombuffer(bytearray(_OURS.to_bytes(8, sys.byteorder)), dtype=torch.uint8)
    generator.set_state(marked)  # the numbers are the same, and the seed is ours

    def seeded() -> bool:
        found = generator.initial_seed() != _OURS  # drawing does not change it; a state brings its own along
        if found:
            generator.set_state(marked)
        return found

    try:
        yield seeded
    finally:
        generator.set_state(before)


@contextmanager
def _numpy_lent() -> Iterator[Seeded]:
    before, state = np.random.mtrand.get_bit_generator(), np.random.get_state(legacy=False)
    twister = _WatchedTwister(_OURS)
    if state["bit_generator"] == np.random.MT19937.__name__:
        twister.state = state
    twister.log = _Log()
    np.random.mtrand.set_bit_generator(twister)

    def seeded() -> bool:
        found = twister.log.seeded or np.random.mtrand.get_bit_generator() is not twister
        if found:
            twister.log = _Log()
            np.random.mtrand.set_bit_generator(twister)
        return found

    try:
        yield seeded
    finally:
        np.random.mtrand.set_bit_generator(before)
        if state.get("has_gauss"):  # of normal numbers two are made at a time: the other one waits
            np.random.set_state(state)


@contextmanager
def _python_lent() -> Iterator[Seeded]:
    shared: Any = random._inst  # type: ignore[attr-defined]
    before, kind, log = random.getstate(), type(shared), _WatchedRandom.log
    _WatchedRandom.log = _Log()
    shared.__class__ = _WatchedRandom

    def seeded() -> bool:
        found = _WatchedRandom.log.seeded
        if found:
            _WatchedRandom.log = _Log()
        return found

    try:
        yield seeded
    finally:
        shared.__class__, _WatchedRandom.log = kind, log
        random.setstate(before)
