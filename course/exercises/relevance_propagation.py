"""Chapter 6: relevance propagation, rule by rule and layer by layer."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course.exercises.random_arguments import drawn, filled
from course.judging.exercise import Case, Exercise, Values, flatten


def _layers(rng: np.random.Generator, negative: bool = False) -> list[Case]:
    """A dense layer and a convolution; inputs with zeros, negative ones on demand; relevance of both signs."""
    dense = filled(nn.Linear(6, 4), rng)
    conv = filled(nn.Conv2d(2, 3, kernel_size=3, stride=2, padding=1), rng)
    cases: list[Case] = []
    for layer, shape, outputs in ((dense, (3, 6), (3, 4)), (conv, (2, 2, 6, 5), (2, 3, 3, 3))):
        a = drawn(rng, *shape)
        a = torch.where(a.abs() < 0.2, 0, a) if negative else a.clamp(min=0)
        cases.append({"layer": layer, "a": a, "relevance": drawn(rng, *outputs)})
    return cases


def _epsilon_cases(seed: int) -> list[Case]:
    cases = _layers(np.random.default_rng(seed), negative=True)
    return [{**case, "epsilon": 0.3} for case in cases]


def _gamma_cases(seed: int) -> list[Case]:
    """As behind a ReLU; and with inputs of both signs. Some outputs have said yes, some no, all carry relevance."""
    rng = np.random.default_rng(seed)
    cases = [*_layers(rng), *_layers(rng, negative=True)]
    for case in cases:
        with torch.no_grad():
            case["layer"].bias.add_(torch.linspace(-5, 5, len(case["layer"].bias)))
    return [{**case, "gamma": float(rng.uniform(0.3, 0.9))} for case in cases]


def _plain_cases(seed: int) -> list[Case]:
    return _layers(np.random.default_rng(seed), negative=True)


def _alpha_beta_cases(seed: int) -> list[Case]:
    cases = _layers(np.random.default_rng(seed), negative=True)
    return [
        {**case, "alpha": alpha, "beta": beta}
        for case, alpha, beta in zip(cases, (2.0, 1.5), (1.0, 0.5), strict=True)
    ]


def _box_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    dense, conv = _layers(rng)
    low, high = -drawn(rng, 1, 2, 1, 1).abs() - 0.1, 1 + drawn(rng, 1, 2, 1, 1).abs()
    dense["a"], conv["a"] = dense["a"].clamp(max=1), conv["a"].clamp(max=1)
    return [{**dense, "low": 0.0, "high": 1.0}, {**conv, "low": low, "high": high}]


# ------------------------------------------------------------------------------------- whole networks


def chain(rng: np.random.Generator) -> nn.Sequential:
    """Layers in a row, ReLU in place."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(1, 3, kernel_size=3),
        relu1=nn.ReLU(inplace=True),
        pool=nn.MaxPool2d(2),
        conv2=nn.Conv2d(3, 4, kernel_size=2),
        relu2=nn.ReLU(),
        flatten=nn.Flatten(),
        drop=nn.Dropout(1.0),  # in training mode nothing would get through
        dense=nn.Linear(4 * 2 * 1, 5),
    )
    return filled(nn.Sequential(layers), rng)


def slopes(layer: nn.Module, a: Tensor, relevance: Tensor) -> Tensor:
    """A rule for trying things out, which no chapter teaches: the relevance, times the slopes of tanh(z)."""
    with torch.enable_grad():
        start = a.detach().requires_grad_()
        return torch.autograd.grad((torch.tanh(layer(start)) * relevance).sum(), start)[0] + 0.1


def slopes_and_inputs(layer: nn.Module, a: Tensor, relevance: Tensor) -> Tensor:
    """Another one: the same, times 1 + a."""
    return slopes(layer, a, relevance) * (1 + a)


def _network_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    rules = {"conv1": slopes_and_inputs, "conv2": slopes, "dense": slopes_and_inputs}
    target = torch.from_numpy(rng.permutation(5)[:3].copy())
    return [
        {"model": chain(rng), "x": drawn(rng, 3, 1, 8, 7), "target": target, "rules": slopes},
        {"model": chain(rng), "x": drawn(rng, 2, 1, 8, 7), "target": None, "rules": rules},
    ]


def _observe_network(fn: Callable[..., Any], case: Case) -> Values:
    return flatten([part.detach() for part in fn(*case.values())])


def _composite_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    body = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Conv2d(3, 3, 3), nn.ReLU(), nn.Conv2d(3, 2, 2))
    model = nn.Sequential(
        OrderedDict(body=body, flatten=nn.Flatten(), dense1=nn.Linear(8, 6), relu=nn.ReLU())
    )
    model.add_module("dense2", nn.Linear(6, 3))
    return [{"model": filled(model, rng), "low": -0.5, "high": 1.5, "epsilon": 0.2, "gamma": 0.6}]


def _observe_composite(fn: Callable[..., Any], case: Case) -> Values:
    """Every rule of the composite, tried on its own layer: rules are functions, and only what they do counts."""
    rules = fn(*case.values())
    values: Values = {"layers with a rule": ", ".join(sorted(rules))}
    a = torch.linspace(-0.4, 1.4, 2 * 2 * 7 * 7).view(2, 2, 7, 7)
    for name, layer in case["model"].named_modules():
        if name in rules:
            z = layer(a).detach()
            values[name] = rules[name](layer, a, torch.linspace(-1, 2, z.numel()).view(z.shape)).detach()
        if not list(layer.children()):
            a = layer(a).detach()
    return values


def _norm_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    pairs = [
        (nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4, eps=0.05)),
        (nn.Linear(5, 3), nn.BatchNorm1d(3)),
        (nn.Conv2d(4, 6, 3, groups=2), nn.BatchNorm2d(6, affine=False)),
    ]
    return [{"conv": filled(layer, rng), "bn": filled(norm, rng).eval()} for layer, norm in pairs]


def _observe_merged(fn: Callable[..., Any], case: Case) -> Values:
    """What the merged layer does."""
    merged = fn(*case.values())
    shape = (3, 5) if isinstance(case["conv"], nn.Linear) else (2, case["conv"].in_channels, 5, 4)
    x = torch.sin(torch.arange(int(np.prod(shape)), dtype=torch.float32)).view(shape)
    return {
        "weight": merged.weight.detach(),
        "bias": merged.bias.detach() if merged.bias is not None else "none",
        "what it does": merged(x).detach(),
    }


_CHAIN_HINTS = (
    "Four lines: the denominators z, the quotients s = R / z, the way back c = Σ_j w_ij s_j, and a · c.",
)

EXERCISES = [
    Exercise(
        "epsilon_rule",
        cases=_epsilon_cases,
        points=3,
        minutes=15,
        hints=(
            *_CHAIN_HINTS,
            "`forward_with(layer, a, layer.weight, layer.bias)` is z; `backward_with(layer, a, layer.weight, s)` is c.",
            "`torch.where(z < 0, -1, 1)` is a sign that is +1 at zero; `torch.sign` is 0 there.",
        ),
    ),
    Exercise(
        "relevance_by_layer",
        cases=_network_cases,
        observe=_observe_network,
        points=3,
        minutes=20,
        hints=(
            "Go forward once and keep what went into each layer. Then go through layers and inputs in reverse.",
            "`model._modules.items()` gives (name, layer) in order, also when one layer stands there twice.",
            "In-place layers write into what you have kept: give each layer a copy. And mind the mode: dropout!",
        ),
    ),
    Exercise(
        "gamma_rule",
        cases=_gamma_cases,
        points=3,
        minutes=15,
        hints=(
            "Which parts count more depends on the output: where z_j > 0 the positive ones do, where z_j < 0 the negative ones. "
            "Treat the two kinds of outputs apart, each with the relevance of its own, and add what comes back.",
            "z_ij is positive in two ways. So where z_j > 0, positive inputs go through w + γ w⁺ and negative ones through "
            "w + γ w⁻; the bias is b + γ b⁺. Where z_j < 0 it is the other way round, with b + γ b⁻.",
            "`relevance * (z > 0)` is the relevance of the first kind. Its denominators are a sum of two forward passes, a⁺ through "
            "the one weight and a⁻ through the other, and each input comes back through the weight that it went in by.",
        ),
    ),
    Exercise(
        "z_plus_rule",
        cases=_plain_cases,
        points=3,
        minutes=12,
        hints=(
            "a_i w_ij is positive in two ways: both factors positive, or both negative.",
            "So z is a sum of two forward passes: a⁺ through w⁺ (with b⁺), and a⁻ through w⁻ (without a bias).",
            "Going back, each input gets a⁺ · (back through w⁺) + a⁻ · (back through w⁻).",
        ),
    ),
    Exercise(
        "alpha_beta_rule",
        cases=_alpha_beta_cases,
        points=2,
        minutes=12,
        level="stretch",
        hints=(
            "The first part is what `z_plus_rule` returns.",
            "The second is the same with the roles of w⁺ and w⁻ exchanged, and b⁻ for b⁺.",
        ),
    ),
    Exercise(
        "w_square_rule",
        cases=_plain_cases,
        points=2,
        minutes=8,
        hints=(
            "The inputs' values play no part: what would a forward pass of all ones through w² give?",
            "At the end nothing is multiplied by a.",
        ),
    ),
    Exercise(
        "z_box_rule",
        cases=_box_cases,
        points=3,
        minutes=15,
        hints=(
            "Sort n_ij by the sign of the weight: a w − l w⁺ − h w⁻ = (a − l) w⁺ + (a − h) w⁻.",
            "That is a sum of two forward passes, as in the z⁺ rule, and there is no bias.",
            "Going back, each half is multiplied by its own input: (a − l) and (a − h), not by a.",
        ),
    ),
    Exercise(
        "epsilon_gamma_box",
        cases=_composite_cases,
        observe=_observe_composite,
        points=2,
        minutes=10,
        hints=(
            "`weighted_layers(model)` gives names and layers, in order.",
            "`functools.partial(gamma_rule, gamma=gamma)` is a rule that wants only (layer, a, relevance).",
            "Only the first convolution sees pixels; remember whether you have met it.",
        ),
    ),
    Exercise(
        "merge_batchnorm",
        cases=_norm_cases,
        observe=_observe_merged,
        points=3,
        minutes=15,
        level="stretch",
        hints=(
            "Insert z = w·a + b into the normalization's formula, and sort by what is multiplied by a.",
            "One factor per output channel: `factor.view(-1, 1, 1, 1)` multiplies a convolution's weight.",
            "`copy.deepcopy(conv)` gives a new layer; √ goes over σ² + ε together.",
        ),
    ),
]
