"""Recording on a cluster: the same call, through dask.distributed's executor.

A worker needs this package installed (the sandbox and `course`), and bubblewrap where it should isolate. The class
folder, the gradebook and the answer sheets stay where the grader runs; jobs and recordings travel.
"""

import atexit
from collections.abc import Callable
from concurrent.futures import Executor
from functools import cache, partial
from typing import Any, TypedDict

from solutions.classroom.submission.sandbox import Job, Limits, Result, Sandbox


class ClusterError(Exception):
    """The cluster cannot be used. The message says what to do."""


class OnCluster(TypedDict):
    """Where and with what `grade_class` records."""

    executor: Executor
    record: Callable[[Job], Result]


def on_cluster(
    address: str, isolation: str = "auto", device: str = "cpu", limits: Limits | None = None
) -> OnCluster:
    """Record on the workers of this scheduler ("tcp://host:8786"), or of a new cluster on this machine ("local")."""
    try:
        from dask.distributed import Client, LocalCluster
    except ImportError:
        raise ClusterError(
            "dask.distributed is not installed: pip install 'explaining-deep-networks[cluster]'"
        ) from None
    try:
        client = Client(LocalCluster(dashboard_address=None) if address == "local" else address, timeout=20)
    except (OSError, ValueError, TimeoutError) as error:
        raise ClusterError(
            f"No Dask scheduler answers at {address} ({type(error).__name__}). Is it started?"
        ) from None
    return on_client(client, isolation, device, limits)


def on_client(client: Any, isolation: str, device: str, limits: Limits | None) -> OnCluster:
    """The same for a dask.distributed client that is connected already. Lost workers' jobs run again elsewhere."""
    executor = client.get_executor(pure=False, retries=2)
    return {"executor": executor, "record": partial(record_here, limits or Limits(), isolation, device)}


def record_here(limits: Limits, isolation: str, device: str, job: Job) -> Result:
    """On a worker: run the job in this process's own warm sandbox."""
    return _sandbox(limits, isolation, device).run(job)


@cache
def _sandbox(limits: Limits, isolation: str, device: str) -> Sandbox:
    sandbox = Sandbox(limits, isolation, device)
    atexit.register(sandbox.close)
    return sandbox
