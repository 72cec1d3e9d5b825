"""Explanations made of gradients, against captum, autograd, closed forms and the properties they promise."""

from collections.abc import Callable

import pytest
import torch
from captum.attr import InputXGradient, IntegratedGradients, NoiseTunnel, Saliency
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from course.data.digits import load_digits
from course.judging.traces import watch
from course.models.digits import digits_cnn, load_digits_cnn
from solutions.batched import integrated_gradients_batched, smooth_grad_batched
from solutions.sensitivity import (
    contrast,
    deletion_curve,
    gradient_times_input,
    input_gradient,
    integrated_gradients,
    saliency,
    sensitivity,
    smooth_grad,
)

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")),
]
DTYPES = [torch.float32, torch.float64]
CLOSE = {torch.float32: 1e-5, torch.float64: 1e-9}

few = settings(max_examples=15, deadline=None)
Method = Callable[[nn.Module, Tensor, Tensor | int | None], Tensor]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noisy(model: nn.Module, x: Tensor, target: Tensor | int | None) -> Tensor:
    return smooth_grad(model, x, target, 0.2, 3, generator())


def noisy_batched(model: nn.Module, x: Tensor, target: Tensor | int | None) -> Tensor:
    return smooth_grad_batched(model, x, target, 0.2, 3, generator())


METHODS: dict[str, Method] = {
    "input_gradient": input_gradient,
    "sensitivity": sensitivity,
    "saliency": saliency,
    "gradient_times_input": gradient_times_input,
    "smooth_grad": noisy,
    "integrated_gradients": lambda model, x, target: integrated_gradients(model, x, target, 0.1, 5),
    "smooth_grad_batched": noisy_batched,
    "integrated_gradients_batched": lambda model, x, target: integrated_gradients_batched(
        model, x, target, 0.1, 5
    ),
}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


@pytest.fixture(scope="module")
def trained() -> nn.Sequential:
    return load_digits_cnn()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return load_digits().test_images[:6]


def small(biases: bool = True, seed: int = 0) -> nn.Sequential:
    """A little network with weights that no global randomness touches."""
    net = nn.Sequential(nn.Linear(6, 8, bias=biases), nn.ReLU(), nn.Linear(8, 4, bias=biases))
    draw = generator(seed)
    with torch.no_grad():
        for weight in net.parameters():
            weight.copy_(torch.randn(weight.shape, generator=draw))
    return net.double()


def near(mine: Tensor, theirs: Tensor, tolerance: float) -> None:
    scale = theirs.abs().max().item()
    torch.testing.assert_close(mine, theirs, rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_they_are_captums(trained: nn.Sequential, images: Tensor, dtype: torch.dtype, device: str) -> None:
    model = digits_cnn()
    model.load_state_dict(trained.state_dict())
    model.to(device, dtype).eval()
    x, target = images.to(device, dtype), torch.tensor([3, 1, 4, 1, 5, 9], device=device)
    baseline = torch.full_like(x, 0.25)
    theirs = {
        "saliency": Saliency(model).attribute(x.clone(), target),
        "gradient_times_input": InputXGradient(model).attribute(x.clone(), target),
        "integrated_gradients": IntegratedGradients(model).attribute(
            x.clone(), baseline, target, n_steps=20, method="riemann_middle"
        ),
    }
    mine = {
        "saliency": saliency(model, x, target),
        "gradient_times_input": gradient_times_input(model, x, target),
        "integrated_gradients": integrated_gradients(model, x, target, baseline, 20),
    }
    for name, relevance in mine.items():
        assert relevance.dtype == dtype
        assert relevance.device.type == device
        single = name == "integrated_gradients"  # captum sums it with weights in single precision
        near(relevance, theirs[name], max(CLOSE[dtype], 1e-7 if single else 0))


def test_smooth_grad_is_captums_up_to_the_noise_of_sampling() -> None:
    model, x = small(), torch.randn(2, 6, dtype=torch.float64, generator=generator(1))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        tunnel = NoiseTunnel(Saliency(model))
        theirs = tunnel.attribute(
            x.clone(), nt_type="smoothgrad", nt_samples=4000, stdevs=0.5, target=2, abs=False
        )
    mine = smooth_grad(model, x, 2, 0.5, 1000, generator())
    draws = torch.stack([smooth_grad(model, x, 2, 0.5, 1, generator(seed)) for seed in range(400)])
    error = draws.std(dim=0) * (1 / 1000 + 1 / 4000) ** 0.5
    assert ((mine - theirs).abs() <= 6 * error + 1e-9).all()


@every_method
def test_a_batch_is_explained_row_by_row(trained: nn.Sequential, images: Tensor, method: Method) -> None:
    if method in (noisy, noisy_batched):
        pytest.skip("a batch draws other noise than its rows")
    target = torch.tensor([3, 1, 4, 1, 5, 9])
    rows = [method(trained, images[i : i + 1], target[i : i + 1]) for i in range(6)]
    near(method(trained, images, target), torch.cat(rows), 1e-5)


@every_method
def test_a_missing_target_means_the_predicted_class(
    trained: nn.Sequential, images: Tensor, method: Method
) -> None:
    predicted = trained(images).argmax(1)
    assert method(trained, images, None).equal(method(trained, images, predicted))
    assert method(trained, images, 7).equal(method(trained, images, torch.full((6,), 7)))


@few
@given(seed=st.integers(0, 1000))
def test_the_gradient_is_the_slope_of_the_score(seed: int) -> None:
    model, x = small(seed=seed), torch.randn(3, 6, dtype=torch.float64, generator=generator(seed))
    slope = input_gradient(model, x, 1)
    for i in range(6):
        step = torch.zeros(6, dtype=torch.float64)
        step[i] = 1e-7
        rise = (model(x + step) - model(x - step))[:, 1] / 2e-7
        torch.testing.assert_close(slope[:, i], rise, rtol=1e-5, atol=1e-5)


@few
@given(seed=st.integers(0, 1000))
def test_sensitivities_sum_to_the_squared_norm_of_the_gradient(seed: int) -> None:
    model, x = small(seed=seed), torch.randn(3, 6, dtype=torch.float64, generator=generator(seed))
    gradient = torch.autograd.functional.jacobian(lambda z: model(z)[:, 2].sum(), x)
    near(sensitivity(model, x, 2).sum(1), gradient.norm(dim=1) ** 2, 1e-9)
    near(saliency(model, x, 2) ** 2, sensitivity(model, x, 2), 1e-9)


@few
@given(seed=st.integers(0, 1000))
def test_without_biases_gradient_times_input_sums_to_the_score(seed: int) -> None:
    model, x = (
        small(biases=False, seed=seed),
        torch.randn(3, 6, dtype=torch.float64, generator=generator(seed)),
    )
    near(gradient_times_input(model, x, 3).sum(1), model(x)[:, 3].detach(), 1e-9)
    near(integrated_gradients(model, x, 3, steps=2), gradient_times_input(model, x, 3), 1e-9)


def test_with_biases_gradient_times_input_does_not_sum_to_the_score() -> None:
    model, x = small(), torch.randn(3, 6, dtype=torch.float64, generator=generator(0))
    assert (gradient_times_input(model, x, 3).sum(1) - model(x)[:, 3]).abs().min() > 0.1


def test_integrated_gradients_are_complete_also_on_the_trained_network(
    trained: nn.Sequential, images: Tensor
) -> None:
    for baseline in (0.0, torch.rand(1, 28, 28, generator=generator(3))):
        relevance = integrated_gradients(trained, images, 4, baseline, 500)
        start = torch.zeros_like(images) + baseline
        gain = (trained(images) - trained(start))[:, 4].detach()
        torch.testing.assert_close(relevance.sum((1, 2, 3)), gain, rtol=0, atol=0.01)


def test_integrated_gradients_of_a_square_are_exact_by_the_midpoint_rule() -> None:
    x = torch.tensor([[1.0, -2.0, 3.0]], dtype=torch.float64)
    relevance = integrated_gradients(lambda z: (z**2).sum(1, keepdim=True), x, 0, 0.5, 3)
    near(relevance, x**2 - 0.25, 1e-9)


def test_integrated_gradients_keep_the_class_of_x_all_along_the_way() -> None:
    def model(z: Tensor) -> Tensor:  # class 1 wins for small z, class 0 at x
        return torch.stack([z.sum(1), 1 + 0 * z.sum(1)], dim=1)

    x = torch.full((1, 4), 2.0)
    assert integrated_gradients(model, x, None, 0.0, 10).tolist() == [[2, 2, 2, 2]]


def test_the_mean_over_noise_is_the_gradient_where_the_model_is_linear() -> None:
    w = torch.randn(5, 3, dtype=torch.float64, generator=generator())
    x = torch.randn(4, 5, dtype=torch.float64, generator=generator(1))
    near(smooth_grad(lambda z: z @ w, x, 2, 3.0, 4, generator()), w[:, 2].expand(4, 5), 1e-9)


def test_smooth_grad_of_a_kink_approaches_the_smoothed_slope() -> None:
    x = torch.tensor([[0.3, -0.7]], dtype=torch.float64)
    relevance = smooth_grad(lambda z: z.relu().sum(1, keepdim=True), x, 0, 0.5, 4000, generator())
    chance = torch.special.ndtr(x / 0.5)  # of a disturbed x being positive
    error = (chance * (1 - chance) / 4000).sqrt()
    assert ((relevance - chance).abs() < 6 * error).all()


def test_smooth_grad_depends_on_its_generator_alone() -> None:
    x = torch.ones(2, 6, dtype=torch.float64)
    state = torch.random.get_rng_state()
    first = smooth_grad(torch.exp, x, 0, 0.5, 3, generator(7))
    assert first.equal(smooth_grad(torch.exp, x, 0, 0.5, 3, generator(7)))
    assert not first.equal(smooth_grad(torch.exp, x, 0, 0.5, 3, generator(8)))
    assert state.equal(torch.random.get_rng_state())


def test_the_plain_functions_send_the_batch_as_it_is() -> None:
    """One gradient of one batch at a time, as the formula says: a function may be made for batches of this size."""
    x = torch.randn(3, 4, dtype=torch.float64, generator=generator())
    mask = torch.tensor([[1.0], [0.0], [2.0]], dtype=torch.float64)
    sizes: list[torch.Size] = []

    class Masked(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            sizes.append(z.shape)
            return z * mask

    near(integrated_gradients(Masked(), x, 1, 0.0, 5)[:, 1], x[:, 1] * mask[:, 0], 1e-12)
    near(smooth_grad(Masked(), x, 1, 0.5, 7, generator())[:, 1], mask[:, 0], 1e-12)
    assert sizes == [x.shape] * 12


@pytest.mark.parametrize("at_once", [1, 24, 60, 1 << 16])
def test_many_gradients_at_a_time_change_nothing(at_once: int) -> None:
    x = torch.randn(3, 4, dtype=torch.float64, generator=generator())
    sizes: list[int] = []

    class Cubes(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            sizes.append(z.numel())
            return z**3 / 3 - z

    for target in (torch.tensor([3, 0, 2]), 1, None):
        mine = integrated_gradients_batched(Cubes(), x, target, 0.25, 7, at_once)
        near(mine, integrated_gradients(Cubes(), x, target, 0.25, 7), 1e-12)
        mine = smooth_grad_batched(Cubes(), x, target, 0.5, 7, generator(), at_once)
        near(mine, smooth_grad(Cubes(), x, target, 0.5, 7, generator()), 1e-12)
    assert max(sizes) <= max(at_once, x.numel())
    assert max(sizes) == min(7, max(1, at_once // 12)) * 12


def test_contrast_explains_the_difference_of_two_scores(trained: nn.Sequential, images: Tensor) -> None:
    rather = contrast(trained, 4, 9)
    assert rather(images).equal((trained(images)[:, 4] - trained(images)[:, 9]).unsqueeze(1))
    difference = gradient_times_input(trained, images, 4) - gradient_times_input(trained, images, 9)
    near(gradient_times_input(rather, images), difference, 1e-4)


class Awkward(nn.Module):
    """In-place ReLU first, one module used twice, dropout and batch normalization."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU(inplace=True)
        self.norm = nn.BatchNorm1d(6)
        self.drop = nn.Dropout(0.5)
        self.read = small()

    def forward(self, x: Tensor) -> Tensor:
        return self.read(self.drop(self.relu(self.norm(self.relu(x)))))


@every_method
def test_the_model_is_left_as_it_was_found(method: Method) -> None:
    model = Awkward().double().train()
    model.drop.eval()  # a mixture of modes must come back as a mixture
    for weight in model.parameters():
        weight.grad = torch.ones_like(weight)
    x = torch.randn(3, 6, dtype=torch.float64, generator=generator())
    left = watch({"model": model, "x": x})
    first = method(model, x, 1)
    assert first.equal(method(model, x, 1)), "a second call says the same"
    assert not first.requires_grad
    assert left() == []


@every_method
def test_the_model_is_left_as_it_was_found_also_when_interrupted(method: Method) -> None:
    model = Awkward().double().train()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    x = torch.randn(3, 6, dtype=torch.float64, generator=generator())
    left = watch({"model": model, "x": x})
    handle = model.read[1].register_forward_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        method(model, x, 1)
    handle.remove()
    assert left() == []


@every_method
def test_it_works_inside_no_grad_and_with_frozen_weights(
    trained: nn.Sequential, images: Tensor, method: Method
) -> None:
    expected = method(trained, images, 2)
    frozen = load_digits_cnn().requires_grad_(False)
    with torch.no_grad():
        assert method(frozen, images, 2).equal(expected)


@every_method
def test_an_empty_batch_has_an_empty_explanation(
    trained: nn.Sequential, images: Tensor, method: Method
) -> None:
    assert method(trained, images[:0], None).shape == (0, 1, 28, 28)


@every_method
def test_a_class_that_does_not_exist_is_refused(
    trained: nn.Sequential, images: Tensor, method: Method
) -> None:
    for target in (10, -1, torch.tensor([0, 1, 2, 3, 4, 10])):
        with pytest.raises(ValueError, match="classes 0 to 9"):
            method(trained, images, target)
    for target in (torch.tensor([1, 2]), torch.ones(6)):
        with pytest.raises(ValueError, match="one class for each of the 6 rows"):
            method(trained, images, target)
    with pytest.raises(ValueError, match=r"must return scores \(batch, classes\)"):
        method(nn.Sequential(trained[0]), images, 0)


def test_impossible_numbers_of_samples_and_steps_are_refused(trained: nn.Sequential, images: Tensor) -> None:
    with pytest.raises(ValueError, match="at least one step"):
        integrated_gradients(trained, images, 0, steps=0)
    with pytest.raises(ValueError, match="at least one step"):
        integrated_gradients_batched(trained, images, 0, steps=0)
    for sigma, samples in [(0.1, 0), (-0.1, 3)]:
        with pytest.raises(ValueError, match="samples ≥ 1 and sigma ≥ 0"):
            smooth_grad(trained, images, 0, sigma, samples, generator())
        with pytest.raises(ValueError, match="samples ≥ 1 and sigma ≥ 0"):
            smooth_grad_batched(trained, images, 0, sigma, samples, generator())


def test_an_input_that_plays_no_part_has_no_relevance() -> None:
    model = lambda z: torch.ones(len(z), 2) * nn.Parameter(torch.ones(2))  # noqa: E731
    assert input_gradient(model, torch.ones(3, 4), 1).eq(0).all()


def test_deletion_of_a_linear_model_is_known_by_heart() -> None:
    x = torch.tensor([[2.0, 3.0, 1.0, 4.0], [1.0, 1.0, 1.0, 1.0]])  # no order that is its own inverse
    model = lambda z: z.sum(1, keepdim=True)  # noqa: E731
    target = torch.zeros(2, dtype=torch.long)
    curve = deletion_curve(model, x, x, target, 4)
    assert curve.tolist() == [[10, 6, 3, 1, 0], [4, 3, 2, 1, 0]]
    assert deletion_curve(model, x, -x, target, 2).tolist() == [[10, 7, 0], [4, 2, 0]]


def test_deletion_begins_with_the_score_and_ends_with_the_empty_image(
    trained: nn.Sequential, images: Tensor
) -> None:
    target = trained(images).argmax(1)
    curve = deletion_curve(trained, images, saliency(trained, images, target), target, 7)
    assert curve.shape == (6, 8)
    rows = torch.arange(6)
    near(curve[:, 0], trained(images)[rows, target].detach(), 1e-5)
    near(curve[:, -1], trained(torch.zeros_like(images))[rows, target].detach(), 1e-5)
