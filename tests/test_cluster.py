"""Grading on a cluster of two workers: the same gradebook, also when a worker is lost in the middle."""

from pathlib import Path

import pytest

from solutions.classroom.feedback.report import verdicts_of
from solutions.classroom.folder import ClassFolder, new_class
from solutions.classroom.grading.grade import grade_class
from solutions.classroom.proof.simulated_class import hand_in, simulated_class
from solutions.classroom.release.publish import release
from solutions.classroom.release.seeds import write_private
from solutions.classroom.submission.cluster import ClusterError, on_client, on_cluster

distributed = pytest.importorskip("dask.distributed")
CHAPTER = "10_attention"
NAMES = ("right-everything", "untouched", "half-finished", "crash-inside", "right-differently")


def _folder(place: Path, like: ClassFolder | None = None) -> ClassFolder:
    """A class with these students; with the hidden cases of another where there is one."""
    folder = new_class(place)
    if like is not None:
        write_private(folder.hidden / "secret", (like.hidden / "secret").read_bytes())
    release(folder, CHAPTER)
    hand_in(folder, [student for student in simulated_class(folder, [CHAPTER]) if student.name in NAMES])
    return folder


def _scores(folder: ClassFolder) -> dict[str, dict[str, float]]:
    verdicts = verdicts_of(folder, CHAPTER)
    return {
        who: {name: item["points"] for name, item in v["exercises"].items()} for who, v in verdicts.items()
    }


def test_a_cluster_that_loses_a_worker_gives_the_same_scores(tmp_path: Path) -> None:
    alone = _folder(tmp_path / "alone")
    assert len(list(grade_class(alone, [CHAPTER], jobs=2))) == len(NAMES)
    shared = _folder(tmp_path / "shared", like=alone)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        done = 0
        for _ in grade_class(shared, [CHAPTER], **on_client(client, "auto", "cpu", None)):
            done += 1
            if done == 1:
                next(iter(cluster.workers.values())).process.process.kill()
    assert done == len(NAMES)
    assert _scores(shared) == _scores(alone)


def test_a_cluster_that_is_not_there_is_said_not_to_be() -> None:
    with pytest.raises(ClusterError, match="No Dask scheduler answers"):
        on_cluster("tcp://127.0.0.1:1")
