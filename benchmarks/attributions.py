"""What an explanation costs, in units of one forward pass and one gradient to the input, beside captum and zennit.

    python benchmarks/attributions.py [--repeats 11]

All methods take turns, on one thread; every figure is the median over the turns of (CPU time of the method / CPU time
of the floor in the same turn). A peer counts as faster when it needs 3 % less than ours in three of four turns. The
floor is the least that any gradient-based explanation can do: forward, then the gradient of the target's score to the
input alone. Methods that ask for n gradients are held against n floors. Everybody is asked the same question, a batch
and a class for each of its images; zennit wants the class as a one-hot row, so making that is part of its call, as it is
part of ours. SmoothGrad and integrated gradients are the plain loops, like the peers' one gradient at a time; "many at a time"
is the quick version beside them. The allocator keeps what it has: else whoever runs after a large tensor was freed pays for fetching its
pages anew, up to 20 %.
"""

import argparse
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import captum.attr as captum
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import vgg11
from zennit import rules as zr
from zennit.attribution import Gradient, IntegratedGradients, SmoothGrad
from zennit.composites import EpsilonGammaBox, EpsilonPlus, LayerMapComposite, layer_map_base
from zennit.core import Composite

from course.data.digits import load_digits
from course.models.digits import load_digits_cnn
from solutions.batched import integrated_gradients_batched, smooth_grad_batched
from solutions.deconvnet import deconvnet, guided_backprop
from solutions.lrp import epsilon_gamma_box, epsilon_plus, epsilon_rule, lrp
from solutions.sensitivity import (
    gradient_times_input,
    input_gradient,
    integrated_gradients,
    saliency,
    sensitivity,
    smooth_grad,
)

STEPS, SAMPLES = 50, 10
PARTIES = ("ours", "captum", "zennit")
Call = Callable[[], object]


class Row(NamedTuple):
    """One method: ours and the peers', how many floors it is allowed to cost, and how many gradients it asks for."""

    ours: Call
    captum: Call | None
    zennit: Call | None
    limit: float
    gradients: int = 1


def floor(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    x = x.detach().requires_grad_()
    score = model(x).gather(1, target[:, None]).sum()
    return torch.autograd.grad(score, x)[0]


class WithoutFlatten(nn.Module):
    """The digits CNN as captum's LRP wants it: it knows no ``nn.Flatten``."""

    def __init__(self, model: nn.Sequential) -> None:
        super().__init__()
        names = list(model._modules)
        place = names.index("flatten")
        self.before, self.after = model[:place], model[place + 1 :]

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.before(x).flatten(1))


def methods(model: nn.Module, x: Tensor, target: Tensor) -> dict[str, Row]:
    """Every method on one model and one batch, with the peers' version where they have one."""
    classes = model(x).shape[1]
    low, high = torch.zeros_like(x[:1]), torch.ones_like(x[:1])
    linear = (nn.Linear, nn.Conv2d)

    def one_hot() -> Tensor:
        return F.one_hot(target, classes).to(x)

    def zennit(composite: Composite | None, times_output: bool = False) -> Call:
        def run() -> Tensor:
            start = one_hot()
            with Gradient(model, composite) as attributor:
                return attributor(x, (lambda f: f * start) if times_output else start)[1]

        return run

    def layers(hooks: list[tuple[tuple[type, ...], zr.BasicHook]]) -> Composite:
        return LayerMapComposite([*layer_map_base(), *hooks])

    def relu(hook: zr.Hook) -> Composite:
        return LayerMapComposite([((nn.ReLU,), hook)])

    def captums_lrp() -> Tensor:
        chain = WithoutFlatten(model) if isinstance(model, nn.Sequential) else model
        return captum.LRP(chain).attribute(x, target=target)

    generator = torch.Generator().manual_seed(0)
    smooth = captum.NoiseTunnel(captum.Saliency(model))
    path = captum.IntegratedGradients(model)
    plain = partial(captum.Saliency(model).attribute, x, target=target)
    return {
        "gradient": Row(
            lambda: input_gradient(model, x, target), partial(plain, abs=False), zennit(None), 1.25
        ),
        "sensitivity": Row(lambda: sensitivity(model, x, target), None, None, 1.25),
        "saliency": Row(lambda: saliency(model, x, target), plain, None, 1.25),
        "gradient × input": Row(
            lambda: gradient_times_input(model, x, target),
            lambda: captum.InputXGradient(model).attribute(x, target=target),
            None,
            1.25,
        ),
        "guided backprop": Row(
            lambda: guided_backprop(model, x, target),
            lambda: captum.GuidedBackprop(model).attribute(x, target=target),
            zennit(relu(zr.ReLUGuidedBackprop())),
            1.25,
        ),
        "deconvnet": Row(
            lambda: deconvnet(model, x, target),
            lambda: captum.Deconvolution(model).attribute(x, target=target),
            zennit(relu(zr.ReLUDeconvNet())),
            1.25,
        ),
        f"SmoothGrad, {SAMPLES} samples": Row(
            lambda: smooth_grad(model, x, target, 0.1, SAMPLES, generator),
            lambda: smooth.attribute(
                x, nt_samples=SAMPLES, nt_samples_batch_size=1, stdevs=0.1, target=target, abs=False
            ),
            lambda: SmoothGrad(model=model, noise_level=0.1, n_iter=SAMPLES)(x, one_hot()),
            1.25,
            SAMPLES,
        ),
        "  the same, many at a time": Row(
            lambda: smooth_grad_batched(model, x, target, 0.1, SAMPLES, generator),
            lambda: smooth.attribute(
                x, nt_samples=SAMPLES, nt_samples_batch_size=SAMPLES, stdevs=0.1, target=target, abs=False
            ),
            None,
            1.25,
            SAMPLES,
        ),
        f"integrated gradients, {STEPS} steps": Row(
            lambda: integrated_gradients(model, x, target, 0.0, STEPS),
            lambda: path.attribute(
                x, target=target, n_steps=STEPS, method="riemann_middle", internal_batch_size=len(x)
            ),
            lambda: IntegratedGradients(model=model, n_iter=STEPS)(x, one_hot()),
            1.25,
            STEPS,
        ),
        "    the same, many at a time": Row(
            lambda: integrated_gradients_batched(model, x, target, 0.0, STEPS),
            lambda: path.attribute(x, target=target, n_steps=STEPS, method="riemann_middle"),
            None,
            1.25,
            STEPS,
        ),
        "ε-LRP": Row(
            lambda: lrp(model, x, target, epsilon_rule),
            captums_lrp,
            zennit(layers([(linear, zr.Epsilon())]), True),
            1.5,
        ),
        "z⁺, dense ε": Row(
            lambda: lrp(model, x, target, epsilon_plus(model)), None, zennit(EpsilonPlus(), True), 2.2
        ),
        "zᴮ, γ, dense ε": Row(
            lambda: lrp(model, x, target, epsilon_gamma_box(model, 0.0, 1.0)),
            None,
            zennit(EpsilonGammaBox(low, high), True),
            2.2,
        ),
    }


def seconds(call: Call, at_once: int) -> float:
    start = time.process_time()
    for _ in range(at_once):
        call()
    return (time.process_time() - start) / at_once


def compare(title: str, model: nn.Module, x: Tensor, repeats: int, at_once: int, fewest: int = 7) -> bool:
    """Print one table; whether every limit was kept and no peer was faster."""
    with torch.no_grad():
        target = model(x).argmax(1)
    base = partial(floor, model, x, target)
    print(f"\n{title}: forward + input gradient {1000 * seconds(base, 3):.2f} ms of CPU")
    print(f"{'':36}{'limit':>8}{'ours':>8}{'captum':>8}{'zennit':>8}")
    kept = True
    for name, row in methods(model, x, target).items():
        calls = {who: call for who in PARTIES if (call := getattr(row, who)) is not None}
        ratios: dict[str, list[float]] = {who: [] for who in calls}
        for call in calls.values():
            call()
        turns = max(fewest, repeats // row.gradients) if row.gradients > 1 else repeats
        for turn in range(turns):
            order = list(calls)
            for who in order[turn % len(order) :] + order[: turn % len(order)]:  # nobody always comes first
                least = seconds(base, at_once) * row.gradients
                ratios[who].append(seconds(calls[who], max(1, at_once // row.gradients)) / least)
        medians = {who: statistics.median(column) for who, column in ratios.items()}
        faster = [
            who
            for who, column in ratios.items()
            if sum(peer < 0.97 * own for peer, own in zip(column, ratios["ours"], strict=True))
            >= 0.75 * turns
        ]
        words = ["over the limit"] if medians["ours"] > row.limit else []
        words += [f"{who} is faster" for who in faster]
        kept &= not words
        cells = "".join(f"{f'{medians[who]:.2f}' if who in medians else '–':>8}" for who in PARTIES)
        print(f"{name:36}{row.limit:8.2f}{cells}  {', '.join(words)}", flush=True)
    return kept


KEEP_MEMORY = "glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=8589934592"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--repeats", type=int, default=11, help="turns; the median counts")
    repeats = parser.parse_args().repeats
    if os.environ.get("GLIBC_TUNABLES") != KEEP_MEMORY:  # read when a process starts
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | {"GLIBC_TUNABLES": KEEP_MEMORY})
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    digits, images = load_digits_cnn(), load_digits().test_images
    kept = [
        compare("digits CNN, batch 1", digits, images[:1], 3 * repeats, 10),
        compare("digits CNN, batch 64", digits, images[:64], repeats, 1),
        compare(
            "vgg11, 4 images of 64 × 64",
            vgg11(num_classes=10).eval(),
            torch.rand(4, 3, 64, 64),
            repeats,
            1,
            3,
        ),
    ]
    print("\nall limits kept, no peer faster" if all(kept) else "\nsee the remarks on the right")


if __name__ == "__main__":
    main()
