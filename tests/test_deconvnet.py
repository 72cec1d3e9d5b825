"""The three ReLU rules against captum and zennit, in every spelling of ReLU, and what randomizing leaves alone."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from captum.attr import Deconvolution, GuidedBackprop
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torchvision.models import resnet18
from zennit.attribution import Gradient
from zennit.composites import LayerMapComposite
from zennit.rules import ReLUDeconvNet, ReLUGuidedBackprop

from course.judging.traces import watch
from solutions.deconvnet import (
    deconvnet,
    graph_nodes,
    guided_backprop,
    randomize_from_top,
    reconstruct_feature,
    relu_backward,
    unpool,
)
from solutions.sensitivity import input_gradient

METHODS = {"deconvnet": deconvnet, "guided": guided_backprop}
warnings.filterwarnings("ignore", message="Setting backward hooks on ReLU")


class Spelled(nn.Module):
    """A small network whose ReLU is spelled in some way, with one layer used twice and overlapping pooling."""

    def __init__(self, relu: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.conv1, self.conv2, self.dense = (
            nn.Conv2d(2, 6, 3),
            nn.Conv2d(6, 6, 3, padding=1),
            nn.Linear(6 * 16, 4),
        )
        for parameter in self.parameters():
            parameter.data = 0.4 * torch.randn(parameter.shape, generator=generator)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        a = self.relu(self.conv1(x))
        a = F.max_pool2d(a, 3, stride=2, padding=1)
        a = self.relu(self.conv2(a))
        a = self.relu(self.conv2(a))
        return self.dense(a.flatten(1))


SPELLINGS = {
    "module": nn.ReLU(), "in place": nn.ReLU(inplace=True), "functional": F.relu,
    "functional in place": lambda z: F.relu(z, inplace=True), "method": lambda z: z.relu(),
    "method in place": lambda z: z.relu_(), "torch": torch.relu, "torch in place": torch.relu_,
}  # fmt: skip


def separate_relus(model: Spelled) -> nn.Module:
    """The same network as captum and zennit want it: every ReLU a module of its own, no layer twice."""
    conv2, again = model.conv2, nn.Conv2d(6, 6, 3, padding=1).to(model.conv2.weight.dtype)
    again.load_state_dict(conv2.state_dict())
    return nn.Sequential(
        model.conv1, nn.ReLU(), nn.MaxPool2d(3, 2, 1), conv2, nn.ReLU(), again, nn.ReLU(), nn.Flatten(), model.dense
    )  # fmt: skip


def images(n: int = 3) -> Tensor:
    return torch.rand(n, 2, 10, 10, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("method", METHODS)
def test_both_methods_equal_captum_and_zennit_however_relu_is_spelled(method: str, spelling: str, dtype: torch.dtype) -> None:  # fmt: skip
    model, x, target = Spelled(SPELLINGS[spelling]).to(dtype), images().to(dtype), torch.tensor([2, 0, 3])
    mine = METHODS[method](model, x, target)
    peer = separate_relus(model)
    captums = {"deconvnet": Deconvolution, "guided": GuidedBackprop}[method](peer).attribute(x, target=target)
    hook = {"deconvnet": ReLUDeconvNet, "guided": ReLUGuidedBackprop}[method]()
    with Gradient(peer, LayerMapComposite([(nn.ReLU, hook)])) as attributor:
        zennits = attributor(x, lambda logits: F.one_hot(target, 4).to(logits))[1]
    assert mine.dtype == dtype
    torch.testing.assert_close(mine, captums)
    torch.testing.assert_close(mine, zennits)
    assert not torch.allclose(mine, input_gradient(model, x, target))


def test_a_relu_in_place_on_part_of_a_tensor_is_refused_not_missed() -> None:
    class Half(Spelled):
        def forward(self, x: Tensor) -> Tensor:
            a = self.conv1(x)
            F.relu_(a[:, :3])
            return self.dense(F.adaptive_avg_pool2d(a, 4).flatten(1))

    with pytest.raises(ValueError, match="CopySlices"):
        guided_backprop(Half(F.relu), images())


class ByHand(nn.Module):
    """A ReLU that is written out."""

    def __init__(self, relu: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.relu = relu

    def forward(self, a: Tensor) -> Tensor:
        return self.relu(a)


@pytest.mark.parametrize("odd", [
    nn.GELU(), nn.LeakyReLU(), nn.Sigmoid(), nn.ReLU6(), nn.ELU(inplace=True), nn.CELU(), nn.SELU(), nn.PReLU(),
    ByHand(lambda z: torch.where(z > 0, z, 0.0)), ByHand(lambda z: z.masked_fill(z < 0, 0)),
    ByHand(lambda z: z.clamp(min=0)), ByHand(lambda z: torch.maximum(z, z.new_zeros(()))),
    ByHand(lambda z: z * (z > 0)), ByHand(lambda z: (z > 0).float() * z), ByHand(lambda z: (z + z.abs()) / 2),
    ByHand(lambda z: torch.fmax(z, z.new_zeros(()))), ByHand(lambda z: torch.stack([z, 0 * z]).amax(0)),
    ByHand(lambda z: torch.stack([z, 0 * z]).max(0).values), ByHand(lambda z: z.clone().index_put((z < 0,), z.new_zeros(()))),
    nn.Softsign(), ByHand(torch.sin), ByHand(torch.exp), ByHand(torch.square), ByHand(lambda z: z**2),
    ByHand(lambda z: z * z), ByHand(lambda z: z / (1 + z.abs())), ByHand(lambda z: z @ z.mT), ByHand(lambda z: torch.cumprod(z, 1)),
])  # fmt: skip
@pytest.mark.parametrize("method", METHODS.values())
def test_other_rectifiers_are_refused_by_name(method: Callable[..., Tensor], odd: nn.Module) -> None:
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Sequential(nn.Conv2d(3, 3, 3), odd), nn.Flatten(), nn.LazyLinear(2))  # fmt: skip
    model(images())
    with pytest.raises(ValueError, match=r"Layer '2\.1'"):
        method(model, images())


@pytest.mark.parametrize("cell", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("method", METHODS.values())
def test_recurrent_layers_are_refused_by_name(method: Callable[..., Tensor], cell: type[nn.RNNBase]) -> None:
    class Reads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.last = cell(4, 5, batch_first=True), nn.Linear(5, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.cell(x)[0][:, -1])

    with pytest.raises(ValueError, match="Layer 'cell'"):
        method(Reads(), torch.randn(2, 3, 4))


@pytest.mark.filterwarnings("ignore:.*is deprecated")
@pytest.mark.parametrize("method", METHODS.values())
def test_a_script_is_refused_at_every_call(method: Callable[..., Tensor]) -> None:
    """From the second call on its steps are one node of the graph; the first used to be right and the others the gradient."""
    inner = nn.Sequential(nn.Linear(6, 6), nn.ReLU())
    scripted = torch.jit.script(nn.Sequential(inner, nn.Linear(6, 3)))
    for model in (scripted, nn.Sequential(torch.jit.script(inner), nn.Linear(6, 3))):
        for _ in range(3):
            with pytest.raises(ValueError, match="torch script"):
                method(model, torch.rand(4, 6))


@pytest.mark.parametrize("linear", [
    nn.BatchNorm2d(3), nn.LayerNorm([3, 8, 8]), nn.GroupNorm(3, 3), nn.AvgPool2d(2), nn.MaxPool2d(2), nn.Dropout(),
    nn.Upsample(scale_factor=2), nn.ConvTranspose2d(3, 3, 2), ByHand(lambda z: z * torch.tensor([1.0, 0.0, 2.0]).view(1, 3, 1, 1)),
    ByHand(lambda z: torch.cat([z, -z], 1)), ByHand(lambda z: z.mean((2, 3), keepdim=True)), ByHand(lambda z: z.flip(1) / 3 - 1),
])  # fmt: skip
def test_what_cuts_nothing_is_passed_as_the_gradient_passes_it(linear: nn.Module) -> None:
    """With ReLUs that cut nothing either, both methods are the gradient."""
    model = nn.Sequential(nn.Conv2d(2, 3, 3), linear, nn.Flatten(), nn.LazyLinear(2)).eval()
    model(images())
    for method in METHODS.values():
        assert_close = torch.testing.assert_close
        assert_close(method(model, images()), input_gradient(model, images()))


class OwnRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        ctx.save_for_backward(z)
        return z.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Tensor:
        return upstream[0] * (ctx.saved_tensors[0] > 0)


def test_a_function_with_a_backward_of_its_own_is_refused() -> None:
    with pytest.raises(ValueError, match="OwnRelu"):
        guided_backprop(Spelled(OwnRelu.apply), images())


def test_every_step_of_the_graph_is_visited_once() -> None:
    a = torch.ones(2, requires_grad=True)
    for _ in range(30):  # a step that many ways lead to; without a memory, two to the thirtieth
        a = a.relu() + a
    nodes = list(graph_nodes(a))
    assert len(nodes) == len(set(nodes)) == 61


def test_residual_networks_are_walked_through_every_branch() -> None:
    model = resnet18(num_classes=5).eval()
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([1])
    once = guided_backprop(model, x, target)
    assert torch.equal(once, guided_backprop(model, x, target))
    # the definition: at every ReLU, cut what is negative before the ReLU's own gradient

    class Cut(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, z: Tensor) -> Tensor:
            ctx.save_for_backward(z)
            return z.clamp(min=0)

        @staticmethod
        def backward(ctx: object, upstream: Tensor) -> Tensor:
            (z,) = ctx.saved_tensors
            return relu_backward(upstream, z.clamp(min=0), "guided")

    for part in model.modules():
        if isinstance(part, nn.ReLU):
            part.forward = Cut.apply
    torch.testing.assert_close(once, input_gradient(model, x, target))


# --- the parts ---


@settings(max_examples=25, deadline=None)
@given(upstream=st.lists(st.floats(-5, 5), min_size=4, max_size=4), z=st.lists(st.floats(-5, 5), min_size=4, max_size=4))  # fmt: skip
def test_guided_is_what_both_other_rules_let_through(upstream: list[float], z: list[float]) -> None:
    r, a = torch.tensor(upstream), torch.tensor(z).clamp(min=0)
    guided = relu_backward(r, a, "guided")
    torch.testing.assert_close(guided, relu_backward(relu_backward(r, a, "gradient"), a, "deconvnet"))
    torch.testing.assert_close(guided, relu_backward(relu_backward(r, a, "deconvnet"), a, "gradient"))
    assert (guided >= 0).all()
    assert (guided[a == 0] == 0).all()


def test_the_gradient_rule_is_autograds() -> None:
    z = torch.tensor([-1.0, 0.0, 2.0, 3.0], requires_grad=True)
    upstream = torch.tensor([1.0, 1.0, -1.0, 2.0])
    (expected,) = torch.autograd.grad(z.relu(), z, upstream)
    torch.testing.assert_close(relu_backward(upstream, z.detach().relu(), "gradient"), expected)


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="'guided'"):
        relu_backward(torch.zeros(1), torch.zeros(1), "guide")
    with pytest.raises(ValueError, match="guided"):
        reconstruct_feature(Spelled(F.relu), "conv2", images(), 0, "guide")


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (3, 1, 1), (2, 3, 0)])
def test_unpooling_is_the_gradient_of_max_pooling(kernel: int, stride: int, padding: int) -> None:
    maps = torch.randn(2, 3, 9, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    pooled, switches = F.max_pool2d(maps, kernel, stride, padding, return_indices=True)
    values = torch.randn(pooled.shape, generator=torch.Generator().manual_seed(1))
    (expected,) = torch.autograd.grad(pooled, maps, values)
    torch.testing.assert_close(unpool(values, switches, (9, 8)), expected)
    if kernel <= stride:
        torch.testing.assert_close(unpool(values, switches, (9, 8)), F.max_unpool2d(values, switches, kernel, stride, padding, (9, 8)))  # fmt: skip


def test_overlapping_windows_add_up() -> None:
    switches = torch.tensor([[[[4, 4], [4, 4]]]])
    out = unpool(torch.ones(1, 1, 2, 2), switches, (3, 3))
    assert out[0, 0, 1, 1] == 4
    assert out.sum() == 4


def test_switches_outside_the_map_are_refused() -> None:
    with pytest.raises(ValueError, match="size before pooling"):
        unpool(torch.ones(1, 1, 1, 1), torch.tensor([[[[9]]]]), (3, 3))
    with pytest.raises(ValueError, match="size before pooling"):
        unpool(torch.ones(1, 1, 1, 1), torch.tensor([[[[-1]]]]), (3, 3))
    with pytest.raises(ValueError, match="one switch per value"):
        unpool(torch.ones(1, 1, 1, 2), torch.tensor([[[[0]]]]), (3, 3))


@pytest.mark.parametrize("rule", ["gradient", "deconvnet", "guided"])
def test_reconstruction_is_the_backward_pass_of_one_activation(rule: str) -> None:
    model, x = Spelled(F.relu).double(), images().double()
    picture = reconstruct_feature(model, "conv2", x, 4, rule)
    # by hand: conv2's last run, its map 4, the largest value
    first = F.relu(model.conv1(x))
    pooled, switches = F.max_pool2d(first, 3, 2, 1, return_indices=True)
    second = F.relu(model.conv2(pooled))
    maps = model.conv2(second)
    strongest = maps[:, 4].flatten(1).max(1)
    signal = torch.zeros_like(maps).flatten(2)
    signal[torch.arange(3), 4, strongest.indices] = strongest.values
    signal = F.conv_transpose2d(signal.view_as(maps), model.conv2.weight, padding=1)
    signal = relu_backward(signal, second, rule)
    signal = F.conv_transpose2d(signal, model.conv2.weight, padding=1)
    signal = relu_backward(unpool(signal, switches, first.shape[2:]), first, rule)
    torch.testing.assert_close(picture, F.conv_transpose2d(signal, model.conv1.weight).detach())


def test_of_several_equally_strong_activations_one_is_sent_back() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 3, bias=False), nn.ReLU())
    model[0].weight.data.fill_(1)
    picture = reconstruct_feature(model, "1", torch.ones(1, 1, 8, 8), 0, "guided")
    expected = torch.zeros(1, 1, 8, 8)
    expected[:, :, :3, :3] = 9
    torch.testing.assert_close(picture, expected)


def test_reconstruction_stays_inside_the_units_field() -> None:
    model, x = Spelled(nn.ReLU(inplace=True)), images()
    picture = reconstruct_feature(model, "conv1", x, 0, "guided")
    rows, columns = (picture[0].abs().sum(0) > 0).nonzero().T
    assert rows.max() - rows.min() <= 2
    assert columns.max() - columns.min() <= 2


def test_dense_neurons_can_be_reconstructed() -> None:
    model, x = Spelled(F.relu), images()
    logits = model(x)
    gradient = input_gradient(model, x, torch.tensor([1, 1, 1]))
    expected = gradient * logits[:, 1].detach().view(3, 1, 1, 1)
    torch.testing.assert_close(reconstruct_feature(model, "dense", x, 1, "gradient"), expected)


@pytest.mark.parametrize(("layer", "channel"), [("conv3", 0), ("conv2", 6), ("conv2", -1)])
def test_what_does_not_exist_cannot_be_reconstructed(layer: str, channel: int) -> None:
    with pytest.raises(ValueError, match="conv"):
        reconstruct_feature(Spelled(F.relu), layer, images(), channel, "guided")


# --- the sanity check ---


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(40, 60), nn.ReLU(), nn.Linear(60, 50), nn.ReLU(), nn.Linear(50, 30))


def test_layers_forget_from_the_top_one_after_the_other() -> None:
    model = mlp()
    before, left = dict(model.state_dict()), watch({"model": model})
    models = list(randomize_from_top(model, ["4", "2", "0"], torch.Generator().manual_seed(0)))
    assert len(models) == 3
    for k, forgetful in enumerate(models, start=1):
        now = forgetful.state_dict()
        changed = {key.split(".")[0] for key in before if not torch.equal(before[key], now[key])}
        assert changed == set(["4", "2", "0"][:k])
        assert not any(now[key].data_ptr() == model.state_dict()[key].data_ptr() for key in now)
    assert torch.equal(models[0][4].weight, models[2][4].weight)
    assert left() == []


def test_new_weights_have_hes_variance_and_no_bias() -> None:
    layer = randomize_from_top(mlp(), ["0"], torch.Generator().manual_seed(0))[0][0]
    weight = layer.weight.detach()
    assert weight.mean().abs() < 5 * (2 / 40 / weight.numel()) ** 0.5
    assert abs(weight.var() * 40 / 2 - 1) < 5 * (2 / weight.numel()) ** 0.5
    assert not layer.bias.any()


def test_all_randomness_comes_from_the_generator() -> None:
    state = torch.random.get_rng_state()
    one, two = (randomize_from_top(mlp(), ["0", "2"], torch.Generator().manual_seed(7))[1] for _ in range(2))
    assert torch.equal(one[0].weight, two[0].weight)
    assert torch.equal(one[2].weight, two[2].weight)
    other = randomize_from_top(one, ["0"], torch.Generator().manual_seed(8))[0]
    assert not torch.equal(one[0].weight, other[0].weight)
    torch.random.set_rng_state(state)


def test_only_layers_with_weights_can_forget() -> None:
    with pytest.raises(ValueError, match="'1' is no dense"):
        randomize_from_top(mlp(), ["1"], torch.Generator())


# --- what they leave alone ---


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("interrupted", [False, True])
@pytest.mark.parametrize("method", [
    deconvnet, guided_backprop, lambda model, x: reconstruct_feature(model, "2", x, 1, "guided"),
])  # fmt: skip
def test_the_model_stays_as_it_was(method: Callable[..., Tensor], interrupted: bool) -> None:
    class Stumbling(nn.Module):
        def forward(self, a: Tensor) -> Tensor:
            if interrupted:
                raise Interrupted
            return a

    model = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(True), nn.Dropout(), Stumbling(), nn.Flatten(), nn.Linear(192, 4)
    )  # fmt: skip
    model.train()
    model[1].eval()
    model[0].weight.requires_grad_(False)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    x, modes = images(), [part.training for part in model.modules()]
    state = {key: value.clone() for key, value in model.state_dict().items()}
    if interrupted:
        with pytest.raises(Interrupted):
            method(model, x)
    else:
        torch.testing.assert_close(method(model, x), method(model, x), rtol=0, atol=0)
    assert [part.training for part in model.modules()] == modes
    assert all(torch.equal(state[key], value) for key, value in model.state_dict().items())
    assert all(torch.equal(p.grad, torch.ones_like(p)) for p in model.parameters())
    assert not model[0].weight.requires_grad
    assert model[6].weight.requires_grad
    assert not any(part._forward_hooks or part._backward_hooks or part._forward_pre_hooks for part in model.modules())  # fmt: skip
    assert torch.equal(x, images())
    assert not x.requires_grad


@pytest.mark.parametrize("method", [
    deconvnet, guided_backprop, lambda model, x: reconstruct_feature(model, "conv2", x, 1, "guided"),
])  # fmt: skip
def test_they_work_where_gradients_are_switched_off(method: Callable[..., Tensor]) -> None:
    model, x = Spelled(F.relu), images()
    expected = method(model, x)
    with torch.no_grad():
        assert torch.equal(method(model, x), expected)


def test_rows_do_not_meet_and_the_predicted_class_is_the_default() -> None:
    model, x = Spelled(F.relu), images()
    target = model(x).argmax(1)
    alone = torch.cat([guided_backprop(model, x[i : i + 1]) for i in range(len(x))])
    torch.testing.assert_close(guided_backprop(model, x, target), alone)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")
@pytest.mark.parametrize("method", METHODS.values())
def test_the_same_on_cuda(method: Callable[..., Tensor]) -> None:
    model, x = Spelled(F.relu), images()
    expected = method(model, x)
    torch.testing.assert_close(method(model.cuda(), x.cuda()).cpu(), expected, rtol=1e-3, atol=1e-4)
