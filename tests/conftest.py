"""Shared by all tests: one thread per process (the machine's cores are shared among pytest's workers), a sandbox, and which tests are long."""

import os
import re
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
import torch

if TYPE_CHECKING:
    from solutions.classroom.submission.sandbox import Sandbox

torch.set_num_threads(1)

LONG = [
    r"test_check_is_grade\.py::test_the_whole_course",
    r"test_cluster\.py::test_a_cluster_that_loses_a_worker",
    r"test_release\.py::test_a_release_that_is_killed_while",
    r"test_mutants\.py::test_no_mutant_survives_without",
    r"test_uses\.py::test_every_way_in_which_a_chapter",
    r"test_digits\.py::test_the_digits_recipe_makes_the_same_bytes",
]
"""Tests that answer no everyday question: `make test` leaves them out, `make release-check` runs them."""

if shutil.which(
    "bwrap"
):  # every attacker once, behind the best walls that there are; behind lesser ones only before a release
    LONG.append(r"test_attacks\.py::.*\[(landlock|none)\b")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(re.search(pattern, item.nodeid) for pattern in LONG):
            item.add_marker(pytest.mark.long)


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
