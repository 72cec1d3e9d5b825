"""Relevance propagation against zennit, captum and formulas written out, in every kind of network people bring."""

import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from captum.attr import LRP as CaptumLRP
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torchvision.models import resnet18, squeezenet1_1
from zennit import rules as zr
from zennit.attribution import Gradient
from zennit.canonizers import SequentialMergeBatchNorm
from zennit.composites import (
    EpsilonAlpha2Beta1,
    EpsilonGammaBox,
    EpsilonPlus,
    LayerMapComposite,
    layer_map_base,
)
from zennit.core import Composite
from zennit.layer import Sum

from course.data.digits import load_digits
from course.judging.traces import watch
from course.models.digits_resnet import load_digits_resnet
from solutions.lrp import (
    alpha_beta_rule,
    epsilon_composite,
    epsilon_gamma_box,
    epsilon_plus,
    epsilon_rule,
    forward_with,
    gamma_rule,
    lrp,
    merge_batchnorm,
    relevance_by_layer,
    relevance_through_branches,
    w_square_rule,
    weighted_layers,
    z_box_rule,
    z_plus_rule,
)
from solutions.sensitivity import gradient_times_input

box = partial(z_box_rule, low=0.0, high=1.0)
RULES: dict[str, tuple[Callable[..., Tensor], Callable[[], zr.BasicHook]]] = {
    "epsilon": (partial(epsilon_rule, epsilon=0.1), lambda: zr.Epsilon(epsilon=0.1)),
    "gamma": (partial(gamma_rule, gamma=0.3), lambda: zr.Gamma(gamma=0.3)),
    "z_plus": (z_plus_rule, zr.ZPlus),
    "alpha_beta": (alpha_beta_rule, zr.AlphaBeta),
    "w_square": (w_square_rule, zr.WSquare),
    "z_box": (partial(z_box_rule, low=0.0, high=9.0), lambda: zr.ZBox(0.0, 9.0)),
}


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(torch.float32)


def network(*between: nn.Module, bias: bool = True, in_place: bool = False) -> nn.Sequential:
    """Two convolutions and two dense layers for images (2, 12, 12); ``between`` takes the place of pooling."""
    middle = between or (nn.MaxPool2d(2),)
    return nn.Sequential(
        nn.Conv2d(2, 5, 3, padding=1, bias=bias), nn.ReLU(in_place), *middle,
        nn.Conv2d(5, 4, 3, stride=2, bias=bias), nn.ReLU(in_place),
        nn.Flatten(), nn.LazyLinear(7, bias=bias), nn.ReLU(in_place), nn.Linear(7, 3, bias=bias),
    ).eval()  # fmt: skip


def made(model: nn.Module, seed: int = 1) -> tuple[nn.Module, Tensor, Tensor]:
    """The model with its lazy parts made and biases that matter, images, targets."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(3, 2, 12, 12, generator=generator)
    x[:, :, :4] = 0  # a background, as digits have
    model(x)
    for part in model.modules():
        if isinstance(getattr(part, "bias", None), Tensor):
            part.bias.data = 0.3 * torch.randn(part.bias.shape, generator=generator)
    return model, x, torch.tensor([2, 0, 1])


def zennit_relevance(model: nn.Module, x: Tensor, target: Tensor, composite: Composite) -> Tensor:
    with Gradient(model, composite) as attributor:
        return attributor(x, lambda logits: logits * F.one_hot(target, logits.shape[1]))[1]


def everywhere(hook: Callable[[], zr.BasicHook], **options: object) -> Composite:
    layers = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)
    return LayerMapComposite([*layer_map_base(), (layers, hook())], **options)


def layer_by_layer(model: nn.Sequential, x: Tensor, target: Tensor, rules: object) -> Tensor:
    """Relevance walked back as the lecture does it: one layer after the other, no autograd between them."""
    return relevance_by_layer(model, x, target, rules)[0]


def assert_same(mine: Tensor, theirs: Tensor) -> None:
    mine, theirs = mine.detach(), theirs.detach()
    torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-9 * float(theirs.abs().max()))


# --- the rules, one layer at a time ---


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("layer", [
    lambda: nn.Linear(6, 4), lambda: nn.Linear(6, 4, bias=False), lambda: nn.Conv1d(3, 4, 3),
    lambda: nn.Conv2d(2, 4, 3, padding=1, stride=2), lambda: nn.Conv2d(4, 6, 3, groups=2, bias=False),
    lambda: nn.Conv2d(2, 3, 3, padding="same", dilation=2), lambda: nn.ConvTranspose2d(2, 3, 3, stride=2),
])  # fmt: skip
def test_every_rule_equals_zennits_on_every_kind_of_layer(name: str, layer: Callable[[], nn.Module]) -> None:
    layer = layer()
    shape = {nn.Linear: (6,), nn.Conv1d: (3, 9)}.get(type(layer), (layer.weight.shape[0 if getattr(layer, "transposed", 0) else 1], 7, 7))  # fmt: skip
    if getattr(layer, "groups", 1) == 2:
        shape = (4, 7, 7)
    a = torch.rand(3, *shape)
    z = layer(a).detach()
    relevance = torch.randn_like(z)
    rule, hook = RULES[name]
    with Gradient(layer, everywhere(hook)) as attributor:
        theirs = attributor(a, relevance)[1]
    assert_same(rule(layer, a, relevance), theirs)


@pytest.mark.parametrize("name", ["epsilon", "gamma", "z_plus", "alpha_beta", "w_square"])
def test_rules_equal_zennits_for_negative_inputs_too(name: str) -> None:
    layer, a, relevance = nn.Linear(6, 4), torch.randn(5, 6), torch.randn(5, 4)
    a[0], a[1, :3] = 0, 0
    layer.bias.data[0] = 0  # so that some z are exactly zero
    rule, hook = RULES[name]
    with Gradient(layer, everywhere(hook)) as attributor:
        theirs = attributor(a, relevance)[1]
    assert_same(rule(layer, a, relevance), theirs)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10**6), rows=st.integers(1, 4), inputs=st.integers(1, 5), outputs=st.integers(1, 5)
)
def test_rules_equal_their_formulas_written_out(seed: int, rows: int, inputs: int, outputs: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    layer = nn.Linear(inputs, outputs)
    a = torch.randn(rows, inputs, generator=generator)
    relevance = torch.randn(rows, outputs, generator=generator)
    z_ij = a[:, :, None] * layer.weight.T[None]
    b, w2 = layer.bias, layer.weight.T.square()

    def share(n: Tensor, denominator: Tensor, epsilon: float = 1e-6) -> Tensor:
        sign = torch.where(denominator < 0, -1.0, 1.0)
        return (n / (denominator + epsilon * sign)[:, None, :] * relevance[:, None, :]).sum(2)

    plus = share(z_ij.clamp(min=0), z_ij.clamp(min=0).sum(1) + b.clamp(min=0))
    minus = share(z_ij.clamp(max=0), z_ij.clamp(max=0).sum(1) + b.clamp(max=0))
    assert_same(epsilon_rule(layer, a, relevance, 0.2), share(z_ij, z_ij.sum(1) + b, 0.2))
    assert_same(z_plus_rule(layer, a, relevance), plus)
    assert_same(alpha_beta_rule(layer, a, relevance, 3.0, 2.0), 3 * plus - 2 * minus)
    assert_same(w_square_rule(layer, a, relevance), share(w2.expand_as(z_ij), (w2.sum(0) + b.square()).expand(rows, -1)))  # fmt: skip


def test_a_denominator_of_exactly_zero_counts_as_positive() -> None:
    layer = nn.Linear(2, 1, bias=False)
    layer.weight.data = torch.tensor([[1.0, -1.0]])
    shares = epsilon_rule(layer, torch.tensor([[3.0, 3.0]]), torch.tensor([[1.0]]), epsilon=0.5)
    torch.testing.assert_close(shares, torch.tensor([[6.0, -6.0]]))


def test_gamma_of_zero_is_the_epsilon_rule_and_a_huge_gamma_is_z_plus() -> None:
    layer, a, relevance = nn.Linear(6, 4, bias=False), torch.rand(5, 6) + 0.1, torch.randn(5, 4)
    assert_same(gamma_rule(layer, a, relevance, gamma=0.0), epsilon_rule(layer, a, relevance))
    relevance = relevance * (layer(a) > 0)  # γ shares out a no among those who said no
    torch.testing.assert_close(
        gamma_rule(layer, a, relevance, gamma=1e9), z_plus_rule(layer, a, relevance), rtol=1e-4, atol=1e-6
    )


def test_gamma_is_the_plain_formula_where_inputs_and_outputs_are_positive() -> None:
    """What chapters and papers write, with w + γw⁺: the same on chains of ReLU, where nothing negative carries relevance."""
    layer, a = nn.Linear(6, 4), torch.rand(5, 6)
    w, b = (t.detach() + 0.3 * t.detach().clamp(min=0) for t in (layer.weight, layer.bias))
    relevance = torch.randn(5, 4) * (layer(a) > 0)
    s = relevance / (F.linear(a, w, b) + 1e-6)
    assert_same(gamma_rule(layer, a, relevance, 0.3), a * (s @ w))


def test_gamma_of_a_unit_that_said_no_stays_in_proportion() -> None:
    """z = −1.25 from −2 + 0.75: the plain formula would divide by −2 + 0.75·(1 + γ), which is zero for γ = 5/3."""
    layer = nn.Linear(2, 1, bias=False)
    layer.weight.data = torch.tensor([[-2.0, 0.75]])
    shares = gamma_rule(layer, torch.ones(1, 2), torch.ones(1, 1), gamma=5 / 3)
    torch.testing.assert_close(shares, torch.tensor([[1.163636, -0.163636]]), rtol=1e-4, atol=1e-5)


def without_biases(model: nn.Module) -> nn.Module:
    """A trained network with its normalizations merged and all biases zero: what comes in must come out."""
    bare = copy.deepcopy(model)
    for part in bare.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.zero_()
            part.bias.data.zero_()
        elif isinstance(part, nn.Linear | nn.Conv2d) and part.bias is not None:
            part.bias.data.zero_()
    return bare


@pytest.mark.parametrize("gamma", [0.25, 2.0])
def test_gamma_does_not_explode_on_a_trained_residual_network(gamma: float) -> None:
    """Quantiles of Σ R / f over 100 digits. With w + γw⁺ everywhere they run from −10² to 10³ and more."""
    model, digits = load_digits_resnet(), load_digits()
    model, x = model.double(), digits.test_images[:100].double()
    with torch.no_grad():
        f = model(x).max(1).values
    for rules in (partial(gamma_rule, gamma=gamma), epsilon_gamma_box(model, 0.0, 1.0, gamma=gamma)):
        share = lrp(model, x, None, rules).sum((1, 2, 3)) / f
        low, middle, high = share.quantile(torch.tensor([0.0, 0.5, 1.0])).tolist()
        assert 0 < low < middle < high < 1.5
        assert 0.3 < middle < 1.2
    bare = without_biases(model)
    with torch.no_grad():
        f = bare(x).max(1).values
    for rules in (partial(gamma_rule, gamma=gamma), epsilon_gamma_box(model, 0.0, 1.0, gamma=gamma)):
        share = lrp(bare, x, None, rules).sum((1, 2, 3)) / f
        torch.testing.assert_close(share, torch.ones_like(share), rtol=0, atol=0.02)


@pytest.mark.parametrize("name", ["gamma", "alpha_beta"])
def test_what_a_layer_saw_may_be_overwritten_later(name: str) -> None:
    class Accumulates(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.last = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)
            self.in_place = True

        def forward(self, x: Tensor) -> Tensor:
            a = self.first(x)
            b = self.second(a)
            a = a.add_(b) if self.in_place else a + b
            return self.last(a)

    model, x = Accumulates(), torch.randn(4, 6)
    in_place = lrp(model, x, 1, RULES[name][0])
    model.in_place = False
    assert_same(in_place, lrp(model, x, 1, RULES[name][0]))


def test_alpha_and_beta_must_differ_by_one() -> None:
    with pytest.raises(ValueError, match="must be 1"):
        alpha_beta_rule(nn.Linear(2, 1), torch.rand(1, 2), torch.rand(1, 1), alpha=2.0, beta=0.5)


def test_the_box_may_differ_from_colour_to_colour() -> None:
    layer, a = nn.Conv2d(3, 4, 3), torch.rand(2, 3, 6, 6)
    low, high = -torch.rand(1, 3, 1, 1), 1 + torch.rand(1, 3, 1, 1)
    relevance = torch.randn(2, 4, 4, 4)
    with Gradient(layer, everywhere(lambda: zr.ZBox(low, high))) as attributor:
        theirs = attributor(a, relevance)[1]
    assert_same(z_box_rule(layer, a, relevance, low, high), theirs)


# --- whole networks ---


POOLINGS = {
    "max": [nn.MaxPool2d(2)],
    "overlapping max": [nn.MaxPool2d(3, stride=1)],
    "average": [nn.AvgPool2d(2)],
    "adaptive average": [nn.AdaptiveAvgPool2d(5)],
    "dropout": [nn.MaxPool2d(2), nn.Dropout(0.5)],
}


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("name", RULES)
def test_lrp_equals_zennit_and_the_walk_layer_by_layer(name: str, pooling: str) -> None:
    model, x, target = made(network(*POOLINGS[pooling]))
    rule, hook = RULES[name]
    mine = lrp(model, x, target, rule)
    assert_same(mine, zennit_relevance(model, x, target, everywhere(hook)))
    assert_same(mine, layer_by_layer(model, x, target, rule))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_composites_equal_zennits(pooling: str) -> None:
    model, x, target = made(network(*POOLINGS[pooling]))
    low, high = torch.zeros_like(x[:1]), torch.ones_like(x[:1])
    for mine, theirs in [
        (epsilon_composite(model), everywhere(zr.Epsilon)),
        (epsilon_plus(model), EpsilonPlus()),
        (epsilon_gamma_box(model, 0.0, 1.0), EpsilonGammaBox(low, high)),
        (epsilon_gamma_box(model, low, high), EpsilonGammaBox(low, high)),
    ]:
        assert_same(lrp(model, x, target, mine), zennit_relevance(model, x, target, theirs))
        assert_same(lrp(model, x, target, mine), layer_by_layer(model, x, target, mine))
    mixed = dict.fromkeys("03", alpha_beta_rule) | {
        name: epsilon_rule for name, _ in weighted_layers(model)[2:]
    }
    mixed = {name: mixed.get(name, alpha_beta_rule) for name, _ in weighted_layers(model)}
    assert_same(lrp(model, x, target, mixed), zennit_relevance(model, x, target, EpsilonAlpha2Beta1()))


def test_lrp_equals_captums() -> None:
    class Functional(nn.Module):  # captum knows no nn.Flatten
        def __init__(self, model: nn.Sequential) -> None:
            super().__init__()
            self.before, self.after = model[:5], model[6:]

        def forward(self, x: Tensor) -> Tensor:
            return self.after(self.before(x).flatten(1))

    model, x, target = made(network(nn.MaxPool2d(2)))
    theirs = CaptumLRP(Functional(model)).attribute(x, target=target)
    mine = lrp(model, x, target, partial(epsilon_rule, epsilon=1e-9))
    # captum adds its 1e-9 to what a max pooling gives, too
    torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-6 * float(theirs.abs().max()))


@pytest.mark.parametrize("rule", [epsilon_rule, z_plus_rule, box])
def test_in_place_relu_gives_the_same(rule: Callable[..., Tensor]) -> None:
    model, x, target = made(network(in_place=False))
    twin, *_ = made(network(in_place=True))
    twin.load_state_dict(model.state_dict())
    before = x.clone()
    torch.testing.assert_close(lrp(twin, x, target, rule), lrp(model, x, target, rule), rtol=0, atol=0)
    assert torch.equal(x, before)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("first", [
    nn.Conv2d(2, 4, 3, groups=2), nn.Conv2d(2, 3, 3, dilation=2, stride=2), nn.ConvTranspose2d(2, 2, 3, stride=2, output_padding=1),
])  # fmt: skip
def test_every_kind_of_convolution_may_see_the_pixels(name: str, first: nn.Module) -> None:
    model, x, target = made(nn.Sequential(first.double(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3)).eval())
    assert_same(lrp(model, x, target, RULES[name][0]), layer_by_layer(model, x, target, RULES[name][0]))


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_padding_of_another_kind_is_followed_or_refused(mode: str) -> None:
    first = nn.Conv2d(2, 3, 3, padding=1, padding_mode=mode)
    model, x, target = made(nn.Sequential(first, nn.ReLU(), nn.Flatten(), nn.LazyLinear(3)).eval())
    for name in ("epsilon", "gamma", "z_plus", "z_box"):
        assert_same(lrp(model, x, target, RULES[name][0]), layer_by_layer(model, x, target, RULES[name][0]))
    for name in ("alpha_beta", "w_square"):
        with pytest.raises(ValueError, match=r"Layer '0'.*as the layer would"):
            lrp(model, x, target, RULES[name][0])


class Spelled(nn.Module):
    """The same little network, its ReLU spelled in some way, its dense layer used twice."""

    def __init__(self, relu: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first, self.again, self.last = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        a = self.relu(self.first(x))
        a = self.relu(self.again(a))
        return self.last(self.relu(self.again(a)))


SPELLINGS = {
    "module": nn.ReLU(), "in place": nn.ReLU(inplace=True), "functional": F.relu,
    "functional in place": lambda z: F.relu(z, inplace=True), "method": lambda z: z.relu(),
    "method in place": lambda z: z.relu_(), "torch": torch.relu,
}  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("name", RULES)
def test_reused_layers_and_every_spelling_of_relu(name: str, spelling: str) -> None:
    model, x = Spelled(SPELLINGS[spelling]), torch.rand(4, 6)
    unrolled = nn.Sequential(
        model.first, nn.ReLU(), model.again, nn.ReLU(), model.again, nn.ReLU(), model.last
    )
    target = model(x).argmax(1)
    assert_same(lrp(model, x, target, RULES[name][0]), layer_by_layer(unrolled, x, target, RULES[name][0]))


@pytest.mark.parametrize("name", RULES)
def test_layers_that_share_a_weight_may_differ_in_bias_and_spacing(name: str) -> None:
    """A rule called for one of them must not look at the other's bias, nor at its dilation."""

    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.near, self.far = nn.Conv1d(3, 3, 3, padding=1), nn.Conv1d(3, 3, 3, padding=2, dilation=2)
            self.far.weight, self.out = self.near.weight, nn.Linear(18, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(F.relu(self.far(F.relu(self.near(x)))).flatten(1))

    model, x = Tied(), torch.rand(4, 3, 6)
    chain = nn.Sequential(model.near, nn.ReLU(), model.far, nn.ReLU(), nn.Flatten(), model.out)
    target = model(x).argmax(1)
    rule = RULES[name][0]
    assert_same(lrp(model, x, target, rule), layer_by_layer(chain, x, target, rule))
    model.far.bias = model.near.bias  # now only the spacing tells them apart
    assert_same(lrp(model, x, target, rule), layer_by_layer(chain, x, target, rule))


class Residual(nn.Module):
    def __init__(self, add: Callable[[Tensor, Tensor], Tensor], norm: bool = False) -> None:
        super().__init__()
        self.stem, self.inner, self.out = (
            nn.Conv2d(2, 4, 3, padding=1),
            nn.Conv2d(4, 4, 3, padding=1),
            nn.Linear(4, 3),
        )
        self.norm = nn.BatchNorm2d(4) if norm else nn.Identity()
        self.add, self.relu = add, nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        a = self.relu(self.stem(x))
        a = self.relu(self.add(self.norm(self.inner(a)), a))
        return self.out(a.mean((2, 3)))


class ZennitResidual(Residual):
    """The same with zennit's explicit sum and average."""

    def __init__(self) -> None:
        super().__init__(torch.add)
        self.sum, self.pool = Sum(), nn.AdaptiveAvgPool2d(1)

    def forward(self, x: Tensor) -> Tensor:
        a = self.relu(self.stem(x))
        a = self.relu(self.sum(torch.stack([self.norm(self.inner(a)), a], dim=-1)))
        return self.out(self.pool(a).flatten(1))


def in_place_sum(branch: Tensor, shortcut: Tensor) -> Tensor:
    branch += shortcut
    return branch


@pytest.mark.parametrize("add", [torch.add, in_place_sum, lambda a, b: a + b, lambda a, b: b.add(a)])
@pytest.mark.parametrize("name", ["epsilon", "gamma", "z_plus", "alpha_beta"])
def test_residual_sums_share_their_relevance(name: str, add: Callable[[Tensor, Tensor], Tensor]) -> None:
    model, x, _ = made(Residual(add))
    theirs = ZennitResidual()
    theirs.load_state_dict(model.state_dict())
    target = model(x).argmax(1)
    rule, hook = RULES[name]
    assert_same(lrp(model, x, target, rule), zennit_relevance(theirs, x, target, everywhere(hook)))


@pytest.mark.parametrize("name", RULES)
def test_the_plain_walk_through_branches_is_lrp(name: str) -> None:
    """Chapter 6 shows the idea in a dozen lines; on sums, ReLU and maxima it is what ``lrp`` computes."""
    model, x, target = made(Residual(torch.add))
    model.relu = nn.ReLU()  # nothing may work in place there
    later = epsilon_rule if name in ("w_square", "z_box") else RULES[name][0]  # those two are for pixels
    rules = {"stem": RULES[name][0], "inner": later, "out": later}
    mine, engine = relevance_through_branches(model, x, target, rules), lrp(model, x, target, rules)
    # lrp keeps the denominators of sums and means off zero, too
    torch.testing.assert_close(mine, engine, rtol=1e-2, atol=1e-3 * float(engine.abs().max()))
    model, x, target = made(network())
    rules, left = epsilon_gamma_box(model, 0.0, 1.0), watch({"model": model, "x": x})
    assert_same(relevance_through_branches(model, x, target, rules), lrp(model, x, target, rules))
    assert left() == []


def test_the_plain_walk_leaves_no_hook_when_a_rule_fails() -> None:
    model, x, target = made(network())
    left = watch({"model": model, "x": x})
    with pytest.raises(KeyError):
        relevance_through_branches(model, x, target, {})
    assert left() == []


def test_residual_networks_without_biases_keep_the_sum() -> None:
    model, x, target = made(Residual(torch.add))
    for _, layer in weighted_layers(model):
        layer.bias.data.zero_()
    kept = lrp(model, x, target, partial(epsilon_rule, epsilon=1e-14)).flatten(1).sum(1)
    torch.testing.assert_close(kept, model(x).gather(1, target[:, None])[:, 0])


def normalized(model: nn.Module) -> nn.Module:
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d | nn.BatchNorm1d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
            part.weight.data.normal_()
            part.bias.data.normal_()
    return model.eval()


@pytest.mark.parametrize(("layer", "norm", "shape"), [
    (nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4), (2, 6, 6)),
    (nn.Conv2d(4, 6, 3, groups=2), nn.BatchNorm2d(6, affine=False), (4, 6, 6)),
    (nn.Conv1d(2, 3, 3), nn.BatchNorm1d(3, eps=0.1), (2, 8)),
    (nn.Linear(5, 3), nn.BatchNorm1d(3), (5,)),
])  # fmt: skip
def test_merged_batchnorm_is_both_layers_in_one(
    layer: nn.Module, norm: nn.Module, shape: tuple[int, ...]
) -> None:
    if norm.affine:
        norm.weight.data.normal_()
        norm.bias.data.normal_()
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    layer, norm = layer.double().eval(), norm.double().eval()
    left = watch({"conv": layer, "bn": norm})
    x = torch.randn(3, *shape)
    merged = merge_batchnorm(layer, norm)
    torch.testing.assert_close(merged(x), norm(layer(x)))
    assert type(merged) is type(layer)
    assert left() == []


def test_batchnorm_is_merged_on_the_way() -> None:
    norms = nn.BatchNorm2d(5), nn.BatchNorm2d(4)
    plain, x, target = made(network())
    model = nn.Sequential(plain[0], norms[0], *plain[1:4], norms[1], *plain[4:])
    normalized(model)
    merged = nn.Sequential(merge_batchnorm(plain[0], norms[0]), *plain[1:3], merge_batchnorm(plain[3], norms[1]), *plain[4:])  # fmt: skip
    assert_same(lrp(model, x, target), lrp(merged, x, target))
    assert_same(
        lrp(model, x, target, epsilon_gamma_box(model, 0.0, 1.0)),
        lrp(merged, x, target, epsilon_gamma_box(merged, 0.0, 1.0)),
    )
    theirs = zennit_relevance(
        model, x, target, everywhere(zr.Epsilon, canonizers=[SequentialMergeBatchNorm()])
    )
    # zennit leaves the normalization in place, with its eps: √(1 + 1e-5) off for each
    torch.testing.assert_close(
        lrp(model, x, target), theirs, rtol=1e-4, atol=1e-5 * float(theirs.abs().max())
    )


def test_batchnorm_in_a_residual_block_is_merged_too() -> None:
    model, x, target = made(Residual(in_place_sum, norm=True))
    normalized(model)
    merged = Residual(in_place_sum)
    merged.stem, merged.inner, merged.out = model.stem, merge_batchnorm(model.inner, model.norm), model.out
    assert_same(lrp(model, x, target, z_plus_rule), lrp(merged.eval(), x, target, z_plus_rule))


# --- the sum, and the gradient ---


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_lrp_conserves_relevance_without_biases(seed: int) -> None:
    torch.manual_seed(seed)
    model, x, target = made(network(bias=False), seed)
    f = model(x).gather(1, target[:, None])[:, 0]
    for rules in (partial(epsilon_rule, epsilon=1e-13), epsilon_gamma_box(model, 0.0, 1.0, epsilon=1e-13)):
        kept = lrp(model, x, target, rules).flatten(1).sum(1)
        torch.testing.assert_close(kept, f, rtol=1e-3, atol=1e-4)


def test_relevance_by_layer_refuses_what_is_no_chain() -> None:
    with pytest.raises(ValueError, match="ResNet is no chain"):
        relevance_by_layer(resnet18(), torch.rand(1, 3, 32, 32), 0)


def test_relevance_by_layer_keeps_the_sum_at_every_layer() -> None:
    model, x, target = made(network(bias=False))
    f = model(x).gather(1, target[:, None])[:, 0]
    relevances = relevance_by_layer(model, x, target, partial(epsilon_rule, epsilon=1e-13))
    assert [r.shape for r in relevances] == [x.shape, *(model[:k](x).shape for k in range(1, len(model) + 1))]
    for relevance in relevances:
        torch.testing.assert_close(relevance.flatten(1).sum(1), f, rtol=1e-4, atol=1e-5)
        assert not relevance.requires_grad


def test_biases_keep_relevance_back() -> None:
    model, x, target = made(network())
    f = model(x).gather(1, target[:, None])[:, 0]
    assert ((lrp(model, x, target).flatten(1).sum(1) - f).abs() > 0.01 * f.abs()).all()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_epsilon_lrp_becomes_gradient_times_input(pooling: str) -> None:
    model, x, target = made(network(*POOLINGS[pooling]))
    assert_same(
        lrp(model, x, target, partial(epsilon_rule, epsilon=1e-15)), gradient_times_input(model, x, target)
    )


def test_rules_see_only_their_own_row() -> None:
    model, x, target = made(network())
    rules = epsilon_gamma_box(model, 0.0, 1.0)
    alone = torch.cat([lrp(model, x[i : i + 1], target[i : i + 1], rules) for i in range(len(x))])
    assert_same(lrp(model, x, target, rules), alone)


def test_without_a_target_the_predicted_class_is_explained() -> None:
    model, x, _ = made(network())
    assert torch.equal(lrp(model, x), lrp(model, x, model(x).argmax(1)))


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA"))])  # fmt: skip
def test_float32_on_any_device(device: str) -> None:
    model, x, target = made(network())
    exact = lrp(model, x, target, epsilon_gamma_box(model, 0.0, 1.0))
    model, x, target = model.float().to(device), x.float().to(device), target.to(device)
    mine = lrp(model, x, target, epsilon_gamma_box(model, 0.0, 1.0))
    assert mine.dtype == torch.float32
    assert mine.device.type == device
    torch.testing.assert_close(mine.cpu().double(), exact, rtol=1e-3, atol=1e-4 * float(exact.abs().max()))


# --- what it leaves alone, and what it refuses ---


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("interrupted", [False, True])
def test_the_model_stays_as_it_was(interrupted: bool) -> None:
    model, x, target = made(network(nn.MaxPool2d(2), nn.Dropout(0.5)))
    model[0].weight.requires_grad_(False)
    model.train()
    model[1].eval()
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    left = watch({"model": model, "x": x, "target": target})

    def stop(layer: nn.Module, a: Tensor, relevance: Tensor) -> Tensor:
        raise Interrupted

    if interrupted:
        with pytest.raises(Interrupted):
            lrp(model, x, target, {name: stop for name, _ in weighted_layers(model)})
    else:
        first = lrp(model, x, target, epsilon_gamma_box(model, 0.0, 1.0))
        assert torch.equal(first, lrp(model, x, target, epsilon_gamma_box(model, 0.0, 1.0)))
    assert left() == []
    assert torch.equal(F.relu(torch.tensor([-1.0, 2.0])), torch.tensor([0.0, 2.0]))
    assert not torch.nn.modules.module._global_forward_hooks
    assert not torch.nn.modules.module._global_forward_pre_hooks


class Odd(nn.Module):
    def __init__(self, odd: nn.Module) -> None:
        super().__init__()
        self.first, self.odd, self.last = nn.Linear(6, 6), odd, nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.odd(self.first(x)))


class Gate(nn.Module):
    def forward(self, a: Tensor) -> Tensor:
        return a * a.amax(1, keepdim=True)


class Ratio(nn.Module):
    def forward(self, a: Tensor) -> Tensor:
        return a / a.amax(1, keepdim=True)


class OwnWeight(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(6, 6))

    def forward(self, a: Tensor) -> Tensor:
        return F.linear(a, self.w)


class Product(OwnWeight):
    def forward(self, a: Tensor) -> Tensor:
        return a @ self.w


@pytest.mark.parametrize("odd", [
    nn.LayerNorm(6), nn.Softmax(dim=1), Gate(), Ratio(), OwnWeight(), Product(), nn.Sequential(nn.ReLU(), nn.BatchNorm1d(6)), nn.Sequential(nn.ReLU(inplace=True), nn.BatchNorm1d(6)),
    nn.BatchNorm1d(6, track_running_stats=False), nn.GroupNorm(2, 6), nn.Bilinear(6, 6, 6),
])  # fmt: skip
def test_what_no_rule_describes_is_refused_by_name(odd: nn.Module) -> None:
    if isinstance(odd, nn.Bilinear):
        odd.forward = lambda a: F.bilinear(a, a, odd.weight)
    with pytest.raises(ValueError, match="'odd"):
        lrp(Odd(odd).double().eval(), torch.rand(4, 6))


class Unusual(nn.Module):
    """A layer whose forward calls itself otherwise than `self`."""

    def forward(this, a: Tensor) -> Tensor:
        return a.exp()


@pytest.mark.parametrize("odd", [Unusual(), nn.Sequential(nn.Linear(6, 6), Unusual())])
def test_the_refused_layer_is_found_whatever_its_forward_looks_like(odd: nn.Module) -> None:
    name = "odd" if isinstance(odd, Unusual) else "odd.1"
    with pytest.raises(ValueError, match=f"Layer '{name}'"):
        lrp(Odd(odd).double().eval(), torch.rand(4, 6))


class Exponential(torch.autograd.Function):
    """A step that no function call announces."""

    @staticmethod
    def forward(ctx: Any, a: Tensor) -> Tensor:
        ctx.save_for_backward(a.exp())
        return a.exp()

    @staticmethod
    def backward(ctx: Any, *g: Tensor) -> Tensor:
        return g[0] * ctx.saved_tensors[0]


class Attention(nn.MultiheadAttention):
    def forward(self, a: Tensor) -> Tensor:
        return super().forward(a, a, a)[0]


class Recurrent(nn.LSTM):
    def forward(self, a: Tensor) -> Tensor:
        return super().forward(a)[0]


class Own(nn.Module):
    """Any function as a layer."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, a: Tensor) -> Tensor:
        return self.function(a)


def exponential_of_a_part(a: Tensor) -> Tensor:
    a = a.clone()
    a[:, :2].exp_()
    return a


@pytest.mark.parametrize("odd", [
    Attention(6, 2), Recurrent(6, 6), Own(Exponential.apply), Own(exponential_of_a_part), nn.Sequential(nn.Linear(6, 6), Own(lambda a: a.var(1))),
], ids=["attention", "LSTM", "custom", "part of a tensor", "variance"])  # fmt: skip
def test_what_the_next_layer_swallows_is_refused_all_the_same(odd: nn.Module) -> None:
    """The step before a dense layer, with nothing in between that would look at it, and results that are tuples."""
    with pytest.raises(ValueError, match=r"Layer '(odd|last)"):
        lrp(Odd(odd).double().eval(), torch.rand(6, 6))


@pytest.mark.filterwarnings("ignore:.*is deprecated:FutureWarning")
def test_a_scripted_layer_is_refused_not_taken_for_its_gradient() -> None:
    inner = nn.Sequential(nn.Linear(6, 6), nn.ReLU())
    for model in (Odd(torch.jit.script(inner)), torch.jit.script(nn.Sequential(inner, nn.Linear(6, 3)))):
        with pytest.raises(ValueError, match="LRP has no rule for the step"):
            lrp(model, torch.rand(4, 6), None, gamma_rule)


def test_a_frozen_part_under_no_grad_is_refused_by_name() -> None:
    model = Odd(nn.Linear(6, 6))
    model.odd.forward = torch.no_grad()(model.odd.forward)
    with pytest.raises(ValueError, match=r"'odd': .*no_grad"):
        lrp(model, torch.rand(4, 6))


@pytest.mark.parametrize("name", ["epsilon", "alpha_beta", "w_square"])
def test_a_branch_that_does_not_see_the_input_is_a_bias(name: str) -> None:
    class Placed(Odd):
        """Adds what layers, normalization and gates make of a learned vector, which is none of x's merit."""

        def forward(self, x: Tensor) -> Tensor:
            place = torch.sigmoid(self.norm(self.odd(self.place)))
            return self.last(F.relu(self.first(x)) * place)

    model, x = Placed(nn.Linear(6, 6)), torch.rand(4, 6)
    model.place, model.norm = nn.Parameter(torch.randn(1, 6)), nn.BatchNorm1d(6)
    model.eval()
    place = torch.sigmoid(model.norm(model.odd(model.place))).detach()
    rule = RULES[name][0]
    target = model(x).argmax(1)
    a = F.relu(model.first(x)).detach()
    relevance = rule(model.last, a * place, model(x).detach() * F.one_hot(target, 3))
    assert_same(lrp(model, x, target, rule), rule(model.first, x, relevance))


def test_writing_into_parts_of_a_tensor_is_followed() -> None:
    class Parts(Odd):
        def forward(self, x: Tensor) -> Tensor:
            a = self.first(x)
            b = torch.zeros_like(a)
            b[:, :3] = a[:, 3:]
            b[:, 3:] = a[:, :3]
            b[:, 2:].tanh_()
            F.relu_(b[:, :2])
            return self.last(b)

    model, x = Parts(nn.Identity()), torch.randn(4, 6)
    z = model.first(x)[:, [3, 4, 5, 0, 1, 2]]
    a = torch.cat([F.relu(z[:, :2]), torch.tanh(z[:, 2:])], dim=1)
    relevance = epsilon_rule(model.last, a, model(x) * F.one_hot(model(x).argmax(1), 3))
    by_hand = epsilon_rule(model.first, x, relevance[:, [3, 4, 5, 0, 1, 2]])
    assert_same(lrp(model, x), by_hand)


@pytest.mark.parametrize(
    "activation", [nn.Tanh(), nn.Sigmoid(), nn.GELU(), nn.ELU(inplace=True), nn.LeakyReLU(0.1)]
)
def test_relevance_passes_through_other_activations_unchanged(activation: nn.Module) -> None:
    model, x = Odd(activation), torch.randn(4, 6)
    z = model.first(x)
    a = activation(z.clone())
    relevance = model.last(a) * F.one_hot(model(x).argmax(1), 3)
    by_hand = epsilon_rule(model.first, x, epsilon_rule(model.last, a, relevance))
    assert_same(lrp(model, x), by_hand.detach())


def test_a_missing_rule_is_named() -> None:
    model, x, target = made(network())
    rules = epsilon_composite(model)
    del rules["3"]
    with pytest.raises(ValueError, match="no rule for layer '3'"):
        lrp(model, x, target, rules)
    with pytest.raises(ValueError, match="no rule for layer '0'"):
        lrp(model, x, target, {})


def test_layers_that_share_a_weight_must_share_a_rule() -> None:
    model = Odd(nn.Linear(6, 6))
    model.odd.weight = model.first.weight
    rules = epsilon_composite(model)
    lrp(model, torch.rand(2, 6), None, rules)
    rules["odd"] = gamma_rule
    with pytest.raises(ValueError, match="first, odd share"):
        lrp(model, torch.rand(2, 6), None, rules)


def test_a_rule_of_ones_own_is_called_as_it_is() -> None:
    def equal_shares(layer: nn.Module, a: Tensor, relevance: Tensor) -> Tensor:
        ones = torch.ones_like(layer.weight)
        s = relevance / forward_with(layer, torch.ones_like(a), ones)
        return torch.autograd.functional.vjp(lambda a: forward_with(layer, a, ones), a, s)[1]

    model, x, target = made(network())
    mine = lrp(model, x, target, equal_shares)
    assert_same(mine, layer_by_layer(model, x, target, equal_shares))
    torch.testing.assert_close(mine.flatten(1).sum(1), model(x).gather(1, target[:, None])[:, 0])


def test_torchvision_networks_without_weights() -> None:
    """One with residual sums and batch normalization, one with concatenated branches."""
    for make in (resnet18, squeezenet1_1):
        model, x = make(num_classes=10).eval(), torch.rand(1, 3, 64, 64)
        assert torch.isfinite(lrp(model, x, None, epsilon_gamma_box(model, 0.0, 1.0))).all()
        assert torch.isfinite(lrp(model, x, None, epsilon_plus(model))).all()
    assert_same(lrp(model, x, None, partial(epsilon_rule, epsilon=1e-15)), gradient_times_input(model, x))
