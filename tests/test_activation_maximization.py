"""Climbing a network's preferences: closed forms, autograd and torch's own optimizers and losses."""

import pytest
import torch
import torch.nn.functional as F
import torchvision.models as zoo
import torchvision.transforms.functional as vision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from course.data.digits import load_digits
from course.judging.traces import watch
from course.models.digit_generator import LATENT, digit_discriminator, load_digit_generator
from course.models.digit_judge import load_digit_judge
from course.models.digits import load_digits_cnn
from solutions.activation_maximization import (
    class_objective,
    discriminator_loss,
    gaussian_blur,
    generator_loss,
    jitter,
    maximize_activation,
    maximize_latent,
    penalized,
    total_variation,
    unit_objective,
)
from solutions.filters import feature_maps

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")),
]


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# --------------------------------------------------------------------------------------------- objectives


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_class_objective_is_the_log_probability_of_each_row(dtype: torch.dtype, device: str) -> None:
    model = load_digits_cnn().to(device, dtype)
    x = drawn(0, 6, 1, 28, 28).to(device, dtype)
    p = model(x).softmax(1)
    target = torch.tensor([3, 1, 4, 1, 5, 9], device=device)
    rows = torch.arange(6, device=device)
    assert torch.allclose(class_objective(model, target)(x).exp(), p[rows, target], rtol=1e-4)
    assert torch.allclose(class_objective(model, 7)(x).exp(), p[:, 7], rtol=1e-4)
    assert torch.allclose(class_objective(model, None)(x).exp(), p.max(1).values, rtol=1e-4)


def test_class_objective_has_a_slope_where_the_probability_has_none() -> None:
    model = nn.Linear(2, 2).double()
    model.load_state_dict({"weight": torch.eye(2).double() * 2000, "bias": torch.zeros(2).double()})
    x = torch.tensor([[1.0, 0.0]], dtype=torch.float64, requires_grad=True)
    value = class_objective(model, 1)(x)
    (slope,) = torch.autograd.grad(value, x)
    assert value.item() == -2000
    assert slope.tolist() == [[-2000, 2000]]
    assert model(x).softmax(1)[0, 1] == 0


def test_unit_objective_is_the_mean_of_a_map_or_the_neuron() -> None:
    model, x = load_digits_cnn(), load_digits().test_images[:5]
    assert torch.allclose(unit_objective(model, "conv2", 7)(x), model[:4](x)[:, 7].mean((1, 2)))
    assert torch.equal(unit_objective(model, "dense1", 100)(x), model[:8](x)[:, 100])
    with pytest.raises(ValueError, match=r"'conv2' has the units 0 … 31, not 32"):
        unit_objective(model, "conv2", 32)(x)


def test_objectives_leave_the_model_as_it_was() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(True), nn.Dropout(), nn.Flatten(), nn.LazyLinear(4)
    )
    x = drawn(1, 3, 1, 6, 6)
    model(x)
    model.train()
    left = watch({"model": model, "x": x})
    for objective in (class_objective(model, 2), unit_objective(model, "0", 1)):
        maximize_activation(objective, x, steps=2, lr=0.1, penalty=0.1)
        maximize_latent(objective, lambda z: z.reshape(-1, 1, 6, 6), drawn(2, 3, 36), 2, 0.1, 0.1)
    assert left() == []


def test_penalty_is_per_image() -> None:
    x = drawn(3, 4, 2, 3, 3)
    assert torch.allclose(
        penalized(lambda x: x[:, 0, 0, 0], 0.5)(x), x[:, 0, 0, 0] - 0.5 * x.flatten(1).norm(dim=1) ** 2
    )


# ------------------------------------------------------------------------------------------------- ascent


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), steps=st.integers(0, 12), penalty=st.sampled_from([0.0, 0.3, 1.0]))
def test_ascent_on_a_line_follows_the_closed_form(seed: int, steps: int, penalty: float) -> None:
    """f(x) = b·x: x_t = x* + (1 − 2ηλ)^t (x_0 − x*), x* = b / 2λ; without a penalty x_t = x_0 + tηb."""
    b, start, lr = drawn(seed, 5).double(), drawn(seed + 1, 3, 5).double(), 0.2
    x = maximize_activation(lambda x: x @ b, start, steps, lr, penalty)
    top = b / (2 * penalty) if penalty else None
    expected = (
        start + steps * lr * b if top is None else top + (1 - 2 * lr * penalty) ** steps * (start - top)
    )
    assert torch.allclose(x, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("device", DEVICES)
def test_ascent_agrees_with_torchs_optimizer(device: str) -> None:
    model = load_digits_cnn().double().to(device)
    start = 0.1 * drawn(4, 3, 1, 28, 28).double().to(device)
    f = class_objective(model, torch.tensor([2, 7, 1], device=device))
    x = start.clone().requires_grad_()
    optimizer = torch.optim.SGD([x], lr=0.1, maximize=True)
    for _ in range(8):
        optimizer.zero_grad()
        (f(x) - 0.02 * x.square().sum((1, 2, 3))).sum().backward(inputs=[x])
        optimizer.step()
    assert torch.allclose(maximize_activation(f, start, 8, 0.1, 0.02), x, rtol=1e-10, atol=1e-10)


def test_rows_do_not_know_of_each_other() -> None:
    model, start = load_digits_cnn().double(), 0.1 * drawn(5, 3, 1, 28, 28).double()
    together = maximize_activation(class_objective(model, 4), start, 5, 0.1, 0.01)
    alone = torch.cat(
        [maximize_activation(class_objective(model, 4), row[None], 5, 0.1, 0.01) for row in start]
    )
    assert torch.allclose(together, alone, atol=1e-12)


def test_the_start_stays_and_the_result_has_no_history() -> None:
    start = drawn(6, 2, 3).requires_grad_()
    left = watch({"start": start})
    x = maximize_activation(lambda x: x.sum(1), start, 3, 0.1)
    assert left() == []
    assert not x.requires_grad
    still = maximize_activation(lambda x: x.sum(1), start, 0, 0.1)
    assert torch.equal(still, start)
    assert still.data_ptr() != start.data_ptr()


def test_a_silent_relu_is_refused_with_the_rows_and_a_remedy() -> None:
    objective = unit_objective(nn.Sequential(nn.Identity(), nn.ReLU()), "1", 0)
    start = torch.tensor([[1.0], [-1.0], [-2.0]])
    with pytest.raises(ValueError, match=r"flat at the start of rows \[1, 2\].*before the ReLU"):
        maximize_activation(objective, start, 10, 0.1, penalty=0.1)
    network = nn.Linear(1, 1)
    for flat in (lambda x: torch.zeros(len(x)), lambda x: network.weight.expand(len(x), 1).sum(1)):
        with pytest.raises(ValueError, match=r"flat at the start of rows \[0, 1, 2\]"):
            maximize_activation(flat, start, 10, 0.1)
    rising = maximize_activation(
        unit_objective(nn.Sequential(nn.Identity(), nn.ReLU()), "0", 0), start, 10, 0.1
    )
    assert torch.allclose(rising, start + 1, atol=1e-6)


def test_latent_ascent_is_ascent_through_the_generator() -> None:
    weight = drawn(7, 4, 2).double()
    start = drawn(8, 3, 2).double()

    def paint(z: Tensor) -> Tensor:
        return (z @ weight.T).reshape(-1, 1, 2, 2)

    z, x = maximize_latent(lambda x: x.sum((1, 2, 3)), paint, start, 5, 0.1, 0.25)
    assert torch.allclose(z, maximize_activation(lambda z: z @ weight.sum(0), start, 5, 0.1, 0.25))
    assert torch.equal(x, paint(z))
    assert not x.requires_grad


def test_latent_ascent_leaves_both_networks_and_the_start_alone() -> None:
    model, generator, start = load_digits_cnn(), load_digit_generator(), drawn(8, 2, LATENT)
    left = watch({"model": model, "generator": generator, "start": start})
    z, x = maximize_latent(class_objective(model, 3), generator, start, 2, 0.1, 0.03)
    assert left() == []
    assert not z.requires_grad
    assert not x.requires_grad, "the generator's parameters ask for gradients"


# ------------------------------------------------------------------------------------------------- priors


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), height=st.integers(1, 5), width=st.integers(1, 5))
def test_total_variation_is_the_sum_over_neighbours(seed: int, height: int, width: int) -> None:
    x = drawn(seed, 2, 3, height, width).double()
    expected = x.new_zeros(2)
    for i in range(height):
        for j in range(width):
            if i + 1 < height:
                expected += (x[:, :, i + 1, j] - x[:, :, i, j]).abs().sum(1)
            if j + 1 < width:
                expected += (x[:, :, i, j + 1] - x[:, :, i, j]).abs().sum(1)
    assert torch.allclose(total_variation(x), expected)


def test_total_variation_of_a_square_is_its_outline() -> None:
    x = torch.zeros(1, 1, 10, 10)
    x[0, 0, 3:7, 2:7] = 2
    assert total_variation(x).item() == 2 * 2 * (4 + 5)
    assert total_variation(x + 3).item() == total_variation(x).item()


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
def test_blur_agrees_with_torchvision_and_has_a_gradient(sigma: float) -> None:
    x = drawn(9, 2, 3, 20, 17).double().requires_grad_()
    reach = max(1, round(3 * sigma))
    theirs = vision.gaussian_blur(x, 2 * reach + 1, sigma)
    ours = gaussian_blur(x, sigma)
    inside = (..., slice(reach, -reach), slice(reach, -reach))  # they reflect at the edge, ours is continued
    assert torch.allclose(ours[inside], theirs[inside], atol=1e-9)
    assert torch.allclose(gaussian_blur(torch.full_like(x, 3.0), sigma), torch.tensor(3.0).double())
    assert torch.autograd.grad(ours.sum(), x)[0].any()


def test_a_bell_without_width_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a width above 0"):
        gaussian_blur(drawn(9, 1, 1, 4, 4), 0.0)


def test_jitter_moves_whole_images_and_repeats_with_its_generator() -> None:
    x = drawn(10, 8, 2, 7, 6)
    moved, again = (jitter(x, 2, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(moved, again)
    for before, after in zip(x, moved, strict=True):
        rolls = [before.roll((dy, dx), (1, 2)) for dy in range(-2, 3) for dx in range(-2, 3)]
        assert any(torch.equal(after, roll) for roll in rolls)


# ------------------------------------------------------------------------------------------------- losses


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 999),
    real=st.integers(1, 5),
    fake=st.integers(1, 5),
    scale=st.sampled_from([1.0, 300.0]),
)
def test_losses_are_the_cross_entropies_of_the_game(seed: int, real: int, fake: int, scale: float) -> None:
    r, f = scale * drawn(seed, real, 1).double(), scale * drawn(seed + 1, fake, 1).double()
    cross = F.binary_cross_entropy_with_logits
    assert torch.allclose(
        discriminator_loss(r, f), cross(r, torch.ones_like(r)) + cross(f, torch.zeros_like(f))
    )
    assert torch.allclose(generator_loss(f), cross(f, torch.ones_like(f)))


def test_the_generator_learns_most_when_it_is_found_out() -> None:
    logits = torch.tensor([-100.0, 0.0, 100.0], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(generator_loss(logits), logits)
    assert torch.allclose(slope, torch.tensor([-1.0, -0.5, 0.0], dtype=torch.float64) / 3)
    assert generator_loss(torch.tensor([[-1000.0]])) == 1000, "also where σ rounds to 0"


def test_one_step_of_each_player_pulls_its_own_way() -> None:
    torch.manual_seed(0)
    model, x = digit_discriminator(), load_digits().train_images[:16]
    fakes = torch.rand(16, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    before = (model(x) - model(fakes)).mean().item()
    loss = discriminator_loss(model(x), model(fakes))
    for parameter, slope in zip(
        model.parameters(), torch.autograd.grad(loss, list(model.parameters())), strict=True
    ):
        parameter.data -= 0.05 * slope
    assert (model(x) - model(fakes)).mean().item() > before


# --------------------------------------------------------------------------------- what the prior is worth


def likeness(images: Tensor) -> Tensor:
    """Cosine distance to the nearest training digit."""
    known = F.normalize(load_digits().train_images.flatten(1))
    return 1 - (F.normalize(images.flatten(1)) @ known.T).amax(1)


def test_the_judge_reads_held_out_digits_and_shares_nothing_with_the_network() -> None:
    data, judge = load_digits(), load_digit_judge()
    with torch.no_grad():
        right = (judge(data.test_images).argmax(1) == data.test_labels).float().mean()
    assert right > 0.97
    assert not judge.training


def test_the_generator_draws_digits_of_every_kind() -> None:
    generator = load_digit_generator()
    with torch.no_grad():
        images = generator(drawn(11, 300, LATENT))
        seen = load_digit_judge()(images).argmax(1).bincount(minlength=10)
    assert images.shape == (300, 1, 28, 28)
    assert images.min() >= 0
    assert images.max() <= 1
    assert (seen >= 6).all(), seen
    assert likeness(images).mean() < 1.6 * likeness(load_digits().test_images).mean()


def printed(images: Tensor) -> Tensor:
    """What paper can show: nothing below zero, the strongest ink is full ink."""
    return (images / images.amax(dim=(1, 2, 3), keepdim=True)).clamp(0, 1)


def test_the_judge_agrees_with_and_without_a_learned_prior_which_buys_likeness() -> None:
    """The chapter's figures: ≥ 9 of 10 classes either way, and ≤ 0.7 × the distance of plain ascent."""
    model, judge, generator = load_digits_cnn(), load_digit_judge(), load_digit_generator()
    target = torch.arange(10).repeat_interleave(4)
    f = class_objective(model, target)
    start = 0.3 + 0.01 * drawn(12, 10, 1, 28, 28)
    plain = maximize_activation(class_objective(model, torch.arange(10)), start, 200, 0.1, 0.04)
    z, x = maximize_latent(f, generator, drawn(13, 40, LATENT), 150, 0.1, 0.03)
    score = penalized(lambda z: f(generator(z)), 0.03)(z).detach().reshape(10, 4)
    best = x.reshape(10, 4, 1, 28, 28)[torch.arange(10), score.argmax(1)]
    assert (model(plain).softmax(1).diagonal() > 0.5).all(), "plain ascent convinces the network itself"
    assert (judge(printed(plain)).argmax(1) == torch.arange(10)).sum() >= 9, (
        "and the judge, who is fooled alike"
    )
    assert (judge(best).argmax(1) == torch.arange(10)).sum() >= 9
    assert likeness(best).mean() <= 0.7 * likeness(printed(plain)).mean()


@pytest.mark.parametrize(
    ("name", "layer"), [("alexnet", "features.0"), ("vgg11", "features.3"), ("resnet18", "layer1.0.conv1")]
)
def test_untrained_torchvision_networks_can_be_climbed(name: str, layer: str) -> None:
    model = getattr(zoo, name)(weights=None)
    start = 0.1 * drawn(14, 2, 3, 64, 64)
    for f in (class_objective(model, 5), unit_objective(model, layer, 3)):
        x = maximize_activation(f, start, 2, 1.0)
        assert x.isfinite().all()
        assert (f(x) > f(start)).all()
    assert feature_maps(model, layer, start).requires_grad
