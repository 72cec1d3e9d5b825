"""Filters, maps, fields and patches: against published figures, autograd and plain loops."""

import math

import numpy as np
import pytest
import torch
import torchvision.models as zoo
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from course.data.digits import load_digits
from course.judging.traces import watch
from course.models.digits import load_digits_cnn
from solutions.filters import (
    crop_patch,
    evaluation_mode,
    explore_dataset,
    feature_maps,
    layer_field,
    normalize_filters,
    receptive_field,
    top_activations,
)

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")),
]
ALEXNET = [(11, 4, 2), (3, 2, 0), (5, 1, 2), (3, 2, 0), (3, 1, 1), (3, 1, 1), (3, 1, 1), (3, 2, 0)]
ZFNET = [(7, 2, 1), (3, 2, 1), (5, 2, 0), (3, 2, 1), (3, 1, 1), (3, 1, 1), (3, 1, 1), (3, 2, 0)]


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# ------------------------------------------------------------------------------------------------ filters


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 999), shape=st.tuples(*[st.integers(1, 4)] * 4), scale=st.sampled_from([1e-3, 1, 1e3])
)
def test_every_filter_reaches_from_0_to_1_whatever_its_size(
    seed: int, shape: tuple[int, ...], scale: float
) -> None:
    weight = drawn(seed, *shape).double() * scale + scale
    pictures = normalize_filters(weight)
    for w, picture in zip(weight, pictures, strict=True):
        if w.min() == w.max():
            assert (picture == 0.5).all()
        else:
            assert picture.min() == 0
            assert picture.max() == 1
            assert torch.allclose(picture * (w.max() - w.min()) + w.min(), w, rtol=1e-12)


# --------------------------------------------------------------------------------------------------- maps


class Restless(nn.Module):
    """Everything that makes looking hard: dropout, batch statistics, in-place ReLU, one module used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.again = nn.Conv2d(3, 3, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.drop = nn.Dropout(0.5)
        self.never = nn.Conv2d(3, 3, 1)
        self.recurrent = nn.LSTM(4, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        h = self.drop(self.relu(self.norm(self.conv(x))))
        h = self.relu(self.again(self.relu(self.again(h))))
        return self.recurrent(h.flatten(1, 2))[0].flatten(1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("device", DEVICES)
def test_maps_are_what_the_layer_gave_before_an_inplace_relu(dtype: torch.dtype, device: str) -> None:
    model = Restless().to(device, dtype).eval()
    x = drawn(0, 2, 1, 5, 4).to(device, dtype)
    first = model.norm(model.conv(x))
    twice = model.again(model.relu(model.again(first.relu())))
    assert torch.equal(feature_maps(model, "conv", x), model.conv(x))
    assert torch.equal(feature_maps(model, "norm", x), first)
    assert torch.equal(feature_maps(model, "again", x), twice), (
        "of a layer that runs twice, the last run counts"
    )
    assert (feature_maps(model, "norm", x) < 0).any()


def test_maps_carry_their_gradient_to_the_image() -> None:
    model = load_digits_cnn().double()
    x = drawn(1, 2, 1, 28, 28).double().requires_grad_()
    (slope,) = torch.autograd.grad(feature_maps(model, "conv2", x)[:, 5].sum(), x)
    (direct,) = torch.autograd.grad(model[:4](x)[:, 5].sum(), x)
    assert torch.equal(slope, direct)


def test_looking_leaves_the_model_as_it_was() -> None:
    model = Restless().train()
    model.norm.eval()
    left = watch({"model": model})
    maps = feature_maps(model, "drop", drawn(2, 2, 1, 5, 4))
    assert torch.equal(maps, feature_maps(model, "drop", drawn(2, 2, 1, 5, 4))), "a second look sees the same"
    assert left() == []


def test_a_failing_forward_pass_leaves_no_hook_and_no_mode() -> None:
    model = Restless().train()
    left = watch({"model": model})
    with pytest.raises(RuntimeError):
        feature_maps(model, "conv", torch.zeros(1, 7, 5, 4))
    with pytest.raises(KeyboardInterrupt), evaluation_mode(model):
        raise KeyboardInterrupt
    assert left() == []


def test_wrong_layers_are_refused_by_name() -> None:
    model, x = Restless(), drawn(3, 1, 1, 5, 4)
    left = watch({"model": model, "x": x})
    with pytest.raises(ValueError, match=r"no layer 'conv9'.*conv, norm"):
        feature_maps(model, "conv9", x)
    with pytest.raises(ValueError, match="'never' did not run"):
        feature_maps(model, "never", x)
    with pytest.raises(ValueError, match="'recurrent' returns a tuple"):
        feature_maps(model, "recurrent", x)
    assert left() == []


# ------------------------------------------------------------------------------------------------- fields


@pytest.mark.parametrize(
    ("layers", "published"),
    [(ALEXNET, [11, 19, 51, 67, 99, 131, 163, 195]), (ZFNET, [7, 11, 27, 43, 75, 107, 139, 171])],
    ids=["AlexNet", "ZFNet"],
)
def test_fields_agree_with_the_published_ones(
    layers: list[tuple[int, int, int]], published: list[int]
) -> None:
    assert [receptive_field(layers[:depth])[0] for depth in range(1, 9)] == published


def test_no_layer_sees_one_pixel() -> None:
    assert receptive_field([]) == (1, 1, 0)


def support(maps: Tensor, x: Tensor, row: int, col: int) -> tuple[int, int, int, int]:
    """First and last row, first and last column of the image on which one unit depends, by autograd."""
    (slope,) = torch.autograd.grad(maps[0, :, row, col].sum(), x, retain_graph=True)
    rows, cols = (slope[0, 0].abs().sum(dim) != 0 for dim in (1, 0))
    return tuple(int(each) for line in (rows, cols) for each in (line.nonzero()[0], line.nonzero()[-1]))  # type: ignore[return-value]


layer = st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2)).filter(
    lambda each: each[2] <= each[0] // 2
)


@settings(max_examples=25, deadline=None)
@given(layers=st.lists(layer, min_size=1, max_size=4), side=st.integers(24, 33))
def test_fields_are_where_the_gradient_is_not_zero(
    layers: list[tuple[int, int, int, int]], side: int
) -> None:
    """Positive weights, so that no two paths cancel; every unit of a diagonal, those at the edge as well.

    A field that lies inside the image is filled to its edge; one that begins or ends in the padding of some
    layer may be cut shorter than the image.
    """
    model = nn.Sequential()
    for k, s, p, d in layers:
        conv = nn.Conv2d(1, 1, k, stride=s, padding=p, dilation=d, bias=False).double()
        nn.init.uniform_(conv.weight, 0.5, 1.0)
        model.append(conv)
        model.append(nn.ReLU())
    x = torch.ones(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    try:
        maps = model(x)
    except RuntimeError:  # the image has become smaller than the kernel
        return
    field = receptive_field([(d * (k - 1) + 1, s, p) for k, s, p, d in layers])
    assert field == layer_field(model, str(len(model) - 1))
    size, jump, start = field
    for unit in range(maps.shape[-1]):
        first, last = start + unit * jump, start + unit * jump + size - 1
        (slope,) = torch.autograd.grad(maps[0, 0, unit, unit], x, retain_graph=True)
        rows, columns = slope[0, 0].nonzero().T.tolist()
        assert all(first <= place <= last for place in rows + columns), "nothing outside the field"
        if first >= 0 and last < side:
            assert (min(rows), max(rows), min(columns), max(columns)) == (first, last, first, last)


@pytest.mark.parametrize(
    ("name", "layer", "size"),
    [
        ("alexnet", "features.12", 195),
        ("vgg11", "features.20", 150),
        ("resnet18", "layer1.0.relu", 27),
        ("resnet18", "layer4.1.relu", 435),
    ],
)
def test_fields_of_torchvision_networks_are_read_off_the_network(name: str, layer: str, size: int) -> None:
    with torch.device("meta"):
        model = getattr(zoo, name)(weights=None)
    assert layer_field(model, layer)[0] == size


def test_the_field_of_a_residual_sum_is_where_its_gradient_is() -> None:
    model = zoo.resnet18(weights=None).double().eval()
    for parameter in model.parameters():
        nn.init.uniform_(parameter, 0.1, 0.2)
    x = torch.rand(1, 3, 129, 129, dtype=torch.float64, requires_grad=True)
    maps = feature_maps(model, "layer2.0.relu", x)
    size, jump, start = layer_field(model, "layer2.0.relu")
    unit = maps.shape[-1] // 2
    first = start + unit * jump
    assert support(maps, x, unit, unit) == (first, first + size - 1, first, first + size - 1)


def test_layers_that_see_everything_are_refused_by_name() -> None:
    model = load_digits_cnn()
    assert layer_field(model, "pool2") == (16, 4, 0)
    with pytest.raises(ValueError, match="'dense1' have no square field"):
        layer_field(model, "dense1")
    with pytest.raises(ValueError, match="'nothing'"):
        layer_field(model, "nothing")
    with pytest.raises(ValueError, match="'0' have no square field"):
        layer_field(nn.Sequential(nn.Conv2d(1, 1, (3, 5))), "0")


@pytest.mark.parametrize(("axis", "size"), [(1, 7), (2, None)])
def test_branches_may_be_joined_as_channels_but_not_in_space(axis: int, size: int | None) -> None:
    class Forked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.narrow = nn.Conv2d(1, 2, 3, padding=1)
            self.wide = nn.Conv2d(1, 2, 5, padding=2)
            self.after = nn.Conv2d(4 if axis == 1 else 2, 1, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.after(torch.cat([self.narrow(x), self.wide(x)], dim=axis))

    if size:
        assert layer_field(Forked(), "after") == (size, 1, -2)
    else:
        with pytest.raises(ValueError, match="'after' have no square field"):
            layer_field(Forked(), "after")


# ------------------------------------------------------------------------------------------------ ranking


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 999),
    shape=st.tuples(st.integers(1, 8), st.integers(1, 3), st.integers(1, 4), st.integers(1, 5)),
    data=st.data(),
)
def test_ranking_is_what_a_plain_loop_finds(seed: int, shape: tuple[int, ...], data: st.DataObject) -> None:
    maps = drawn(seed, *shape)
    k = data.draw(st.integers(1, shape[0]))
    values, image, row, col = top_activations(maps, k)
    for channel in range(shape[1]):
        best = sorted((float(a.max()) for a in maps[:, channel]), reverse=True)[:k]
        assert values[channel].tolist() == pytest.approx(best)
        assert len(set(image[channel].tolist())) == k, "each image once"
        assert torch.equal(maps[image[channel], channel, row[channel], col[channel]], values[channel])


def test_neurons_are_ranked_like_maps_of_one_place() -> None:
    neurons = drawn(4, 9, 5)
    flat, square = top_activations(neurons, 4), top_activations(neurons[:, :, None, None], 4)
    assert all(torch.equal(a, b) for a, b in zip(flat, square, strict=True))
    assert not flat[2].any()
    assert not flat[3].any()


def test_more_places_than_images_are_refused() -> None:
    for k in (4, 0, -1):
        with pytest.raises(ValueError, match="There are 3 images: choose k between 1 and 3"):
            top_activations(drawn(5, 3, 2, 2, 2), k)
    with pytest.raises(ValueError, match="There are 3 images"):
        explore_dataset(nn.Conv2d(1, 2, 1), "", drawn(5, 3, 1, 2, 2).split(2), 4)


@pytest.mark.parametrize("layer", ["conv1", "pool2", "dense1"])
@pytest.mark.parametrize("device", DEVICES)
def test_a_data_set_in_batches_gives_the_ranking_of_all_at_once(layer: str, device: str) -> None:
    model = load_digits_cnn().to(device)
    images = load_digits().test_images[:120].to(device)
    at_once = top_activations(feature_maps(model, layer, images), 6)
    in_batches = explore_dataset(model, layer, images.split(50), 6)
    assert torch.allclose(at_once[0], in_batches[0], atol=1e-5)
    alive = at_once[0] > 1e-3  # silent places tie
    assert all(torch.equal(a[alive], b[alive]) for a, b in zip(at_once[1:], in_batches[1:], strict=True))
    assert not in_batches[0].requires_grad


# ------------------------------------------------------------------------------------------------ patches


@settings(max_examples=40, deadline=None)
@given(
    field=st.tuples(st.integers(1, 9), st.integers(1, 4), st.integers(-30, 5)),
    row=st.integers(0, 8),
    col=st.integers(0, 8),
)
def test_patches_are_the_image_inside_and_zero_outside(
    field: tuple[int, int, int], row: int, col: int
) -> None:
    image = drawn(6, 2, 11, 14) + 5
    size, jump, start = field
    patch = crop_patch(image, row, col, field)
    assert patch.shape == (2, size, size)
    for i, j in np.ndindex(size, size):
        y, x = start + jump * row + i, start + jump * col + j
        inside = 0 <= y < 11 and 0 <= x < 14
        assert torch.equal(patch[:, i, j], image[:, y, x] if inside else torch.zeros(2))


@pytest.mark.parametrize("device", DEVICES)
def test_a_unit_answers_its_patch_as_it_answered_the_image(device: str) -> None:
    """The meaning of a field: the patch alone makes the unit fire as the whole image did."""
    model = load_digits_cnn().double().to(device)
    images = load_digits().test_images[:40].double().to(device)
    field = layer_field(model, "pool2")
    values, image, row, col = explore_dataset(model, "pool2", images.split(20), 3)
    for channel in range(0, 32, 5):
        for rank in range(3):
            patch = crop_patch(images[image[channel, rank]], row[channel, rank], col[channel, rank], field)
            alone = feature_maps(model[:6], "pool2", patch[None])
            assert alone.shape[-2:] == (1, 1)
            assert math.isclose(
                alone[0, channel].item(), values[channel, rank].item(), rel_tol=1e-9, abs_tol=1e-9
            )


@pytest.mark.parametrize(
    ("name", "layer"), [("alexnet", "features.2"), ("vgg11", "features.5"), ("resnet18", "layer1.1.relu")]
)
def test_untrained_torchvision_networks_run_from_maps_to_patches(name: str, layer: str) -> None:
    model = getattr(zoo, name)(weights=None)
    images = drawn(7, 3, 3, 64, 64)
    pictures = normalize_filters(next(m for m in model.modules() if isinstance(m, nn.Conv2d)).weight)
    assert pictures.min() == 0
    assert pictures.max() == 1
    left = watch({"model": model, "images": images})
    values, image, row, col = explore_dataset(model, layer, images.split(2), 2)
    patch = crop_patch(images[image[0, 0]], row[0, 0], col[0, 0], layer_field(model, layer))
    assert values.shape == image.shape == row.shape == col.shape == (len(values), 2)
    assert patch.isfinite().all()
    assert patch.any()
    assert left() == []
