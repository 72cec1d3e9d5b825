"""Shared by all tests: one thread per process (the machine's cores are shared among pytest's workers), and a sandbox."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
import torch

if TYPE_CHECKING:
    from solutions.classroom.submission.sandbox import Sandbox

torch.set_num_threads(1)


@pytest.fixture(scope="module", params=["bubblewrap", "landlock", "none"])
def sandbox(request: pytest.FixtureRequest) -> "Iterator[Sandbox]":
    """One warm sandbox per way of isolating."""
    from small_jobs import LIMITS, impossible

    from solutions.classroom.submission.sandbox import Sandbox, SandboxError

    if reason := impossible(request.param):
        pytest.skip(reason)
    with Sandbox(LIMITS, isolation=request.param) as warm:
        try:
            warm.isolation  # noqa: B018 - starts the server
        except SandboxError as error:
            if request.param == "bubblewrap" and os.environ.get("CLASSROOM_REQUIRE_BUBBLEWRAP") is None:
                pytest.skip(f"bubblewrap does not work here: {error}")
            raise
        yield warm
