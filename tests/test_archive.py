"""Archives: what goes in comes out, and nothing that anybody wrote into one can do harm."""

import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course.judging import archive

LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text()
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(TREES)
@settings(max_examples=60, deadline=None)
def test_a_tree_comes_back_as_it_was(tree: object) -> None:
    assert archive.unpack(archive.pack(tree)) == tree


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64, torch.bool, torch.uint8])
def test_tensors_come_back_bit_for_bit(dtype: torch.dtype) -> None:
    tensor = (torch.arange(6).reshape(2, 3) % 2).to(dtype)
    back = archive.unpack(archive.pack({"a": [tensor, "text"], "tensor": tensor[:, :0]}))
    assert back["a"][0].dtype == dtype
    assert torch.equal(back["a"][0], tensor)
    assert back["tensor"].shape == (2, 0)


def test_the_same_tree_gives_the_same_bytes() -> None:
    tree = {"b": torch.ones(2), "a": [torch.zeros(3), {"deep": "text"}]}
    assert archive.pack(tree) == archive.pack(tree)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 8,
        b"\xff" * 64,
        pickle.dumps({"a": 1}),
        archive.pack({"a": torch.ones(4)})[:-3],
        (20).to_bytes(8, "little") + b'{"__metadata__":{}} ',
    ],
)
def test_what_is_no_archive_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(archive.ArchiveError):
        archive.unpack(data)


def test_a_missing_or_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(archive.ArchiveError, match="Copy it there again"):
        archive.read(tmp_path / "04_sensitivity.answers")
    (tmp_path / "broken.answers").write_bytes(b"half")
    with pytest.raises(archive.ArchiveError, match="damaged"):
        archive.read(tmp_path / "broken.answers")


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    archive.write_bytes(path, b"old")
    with pytest.raises(TypeError):
        archive.write(path, {"a": object()})
    with pytest.raises(TypeError):
        archive.write_bytes(path, "no bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]


def test_thaw_puts_frozen_tensors_and_weights_back() -> None:
    original = {
        "model": nn.Linear(2, 3),
        "x": torch.randn(4, 2, requires_grad=True),
        "pair": (torch.ones(1), 7),
    }
    other = {
        "model": nn.Linear(2, 3),
        "x": torch.zeros(4, 2, requires_grad=True),
        "pair": (torch.zeros(1), 7),
    }
    frozen = archive.unpack(archive.pack(archive.freeze(original)))
    thawed = archive.thaw(other, frozen)
    assert torch.equal(thawed["x"], original["x"])
    assert thawed["x"].requires_grad
    assert torch.equal(thawed["model"].weight, original["model"].weight)
    assert isinstance(thawed["pair"], tuple)
    assert torch.equal(thawed["pair"][0], torch.ones(1))
