"""Chapter 6: relevance propagation, rule by rule and layer by layer."""

from collections import OrderedDict
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course.exercises.random_arguments import drawn, drawn_uniformly, filled
from course.judging.exercise import Case, Exercise, Values, flatten

# ---------------------------------------------------------------------------------------- single layers


def _away(values: Tensor, least: float = 0.2) -> Tensor:
    """The same values, each moved away from zero."""
    return values + torch.where(values < 0, -least, least)


def _turns(values: Tensor) -> Tensor:
    """The same sizes, moved away from zero, with one sign after the other."""
    return _away(values).abs() * (1 - 2 * (torch.arange(len(values)) % 2))


def _sizes(rng: np.random.Generator) -> list[int]:
    """Four sizes, no two alike: rows, inputs, outputs, and one more."""
    return [int(n) for n in rng.permutation([2, 3, 4, 5, 6, 7])[:4]]


def _dense(rng: np.random.Generator, bias: bool = True) -> Case:
    """A dense layer whose first output hangs on nothing: no weights, no bias. In the first row the second output is exactly 0,
    by two inputs that outweigh each other."""
    rows, inputs, outputs, _ = _sizes(rng)
    inputs, outputs = inputs + 2, outputs + 2
    layer = filled(nn.Linear(inputs, outputs, bias=bias), rng)
    a = _away(drawn(rng, rows, inputs))
    a[1, :2] = 0
    with torch.no_grad():
        layer.weight.copy_(_away(layer.weight))
        layer.weight[:2] = 0
        layer.weight[1, 0], layer.weight[1, 1], a[0, 0], a[0, 1] = 0.5, -0.5, 1.5, 1.5
        if bias:
            layer.bias.copy_(_turns(layer.bias))
            layer.bias[:2] = 0
    return {"layer": layer, "a": a, "relevance": drawn(rng, rows, outputs)}


def _convolution(rng: np.random.Generator, bias: bool = True, negative: bool = True) -> Case:
    """A convolution with steps and a border; inputs of both signs, or as a ReLU gives them, and zeros among them."""
    rows, height, width, maps = _sizes(rng)
    channels, stride = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    layer = filled(nn.Conv2d(channels, maps, 3, stride=stride, padding=1, bias=bias), rng)
    with torch.no_grad():
        layer.weight.copy_(_away(layer.weight))
        if layer.bias is not None:
            layer.bias.copy_(_turns(layer.bias))
    a = _away(drawn(rng, rows, channels, height, width))
    a = torch.where(drawn_uniformly(rng, *a.shape) < 0.2, 0, a if negative else a.clamp(min=0))
    outputs = ((height - 1) // stride + 1, (width - 1) // stride + 1)
    return {"layer": layer, "a": a, "relevance": drawn(rng, rows, maps, *outputs)}


def _agreeing(case: Case) -> Case:
    """The layer changed so that nothing cancels: inputs ≥ 0, and all weights into one output of one sign."""
    layer = case["layer"]
    with torch.no_grad():
        sign = 1 - 2 * (torch.arange(len(layer.weight)) % 2).view(-1, *[1] * (layer.weight.ndim - 1))
        layer.weight.copy_(layer.weight.abs() * sign)
        if layer.bias is not None:
            layer.bias.copy_(_away(layer.bias).abs() * sign.flatten())
    return {**case, "a": case["a"].abs()}


def _one_neuron(rng: np.random.Generator) -> Case:
    """One image, one output."""
    layer = filled(nn.Linear(int(rng.integers(3, 9)), 1), rng)
    return _agreeing(
        {"layer": layer, "a": _away(drawn(rng, 1, layer.in_features)), "relevance": drawn(rng, 1, 1)}
    )


def _epsilon_cases(seed: int) -> list[Case]:
    """Drawn ε; its default, where there is no bias; one neuron."""
    rng = np.random.default_rng(seed)
    return [
        {**_dense(rng), "epsilon": float(rng.uniform(0.2, 0.6))},
        {**_convolution(rng), "epsilon": float(rng.uniform(0.2, 0.6))},
        _agreeing(_convolution(rng, bias=False)),
        {**_one_neuron(rng), "epsilon": 0.01},
    ]


def _gamma_cases(seed: int) -> list[Case]:
    """Outputs that have said yes, that have said no, and one that is exactly 0; all carry relevance. The default γ, where there is
    no bias and inputs come out of a ReLU; and γ = 0."""
    rng = np.random.default_rng(seed)
    dense, conv = _dense(rng), _convolution(rng)
    with torch.no_grad():
        dense["layer"].bias[2:] += torch.linspace(-5, 5, len(dense["layer"].bias) - 2)
        conv["layer"].bias.add_(torch.linspace(-5, 5, len(conv["layer"].bias)))
    return [
        {**dense, "gamma": float(rng.uniform(0.3, 0.9))},
        {**conv, "gamma": float(rng.uniform(0.3, 0.9))},
        _convolution(rng, bias=False, negative=False),
        {**_one_neuron(rng), "gamma": 0.0},
    ]


def _plain_cases(seed: int) -> list[Case]:
    """With and without a bias; one output to which nothing contributes."""
    rng = np.random.default_rng(seed)
    return [_dense(rng), _convolution(rng), _convolution(rng, bias=False), _one_neuron(rng)]


def _alpha_beta_cases(seed: int) -> list[Case]:
    """Drawn α and β; their defaults; β = 0, which is just allowed. Then a difference that is not 1, and a negative β."""
    rng = np.random.default_rng(seed)
    beta = int(rng.integers(2, 6)) / 4
    return [
        {**_dense(rng), "alpha": 1 + beta, "beta": beta},
        _convolution(rng),
        {**_convolution(rng, bias=False), "alpha": 1.0, "beta": 0.0},
        {**_one_neuron(rng), "alpha": 1.5 + beta, "beta": beta},
        {**_one_neuron(rng), "alpha": 0.5, "beta": -0.5},
    ]


def _box_cases(seed: int) -> list[Case]:
    """Pixels between their bounds, one box for all and one for each colour, some of them at a bound; without a bias, all inside."""
    rng = np.random.default_rng(seed)
    cases: list[Case] = []
    for case in (_dense(rng), _convolution(rng), _convolution(rng, bias=False)):
        a = case["a"]
        low: Tensor | float = round(-float(rng.uniform(0.2, 0.9)), 2)
        high: Tensor | float = round(1 + float(rng.uniform(0.2, 0.9)), 2)
        if a.ndim == 4:
            low = -_away(drawn(rng, 1, a.shape[1], 1, 1).abs())
            high = 1 + _away(drawn(rng, 1, a.shape[1], 1, 1).abs())
        share = drawn_uniformly(rng, *a.shape, low=0.1, high=0.9)
        a = (low + share * (torch.as_tensor(high) - low)).float()
        if (
            len(cases) < 2
        ):  # never next to each other: an output that all its pixels have at the worst is noise
            chance = drawn_uniformly(rng, *a.shape) + torch.arange(a.numel()).view(a.shape) % 2
            chance[:, :2] += a.ndim == 2  # nor those of the output that hangs on two
            a = torch.where(chance < 0.2, low, torch.where((chance - 0.5).abs() < 0.1, high, a)).float()
        cases.append({**case, "a": a, "low": low, "high": high})
    return cases


# ------------------------------------------------------------------------------------- whole networks


def chain(rng: np.random.Generator, image: tuple[int, int, int], classes: int) -> nn.Sequential:
    """Layers in a row, ReLU in place."""
    channels, height, width = image
    places = ((height - 2) // 2 - 1) * ((width - 2) // 2 - 1)
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(channels, 3, kernel_size=3),
        relu1=nn.ReLU(inplace=True),
        pool=nn.MaxPool2d(2),
        conv2=nn.Conv2d(3, 4, kernel_size=2),
        relu2=nn.ReLU(),
        flatten=nn.Flatten(),
        drop=nn.Dropout(1.0),  # in training mode nothing would get through
        dense=nn.Linear(4 * places, classes),
    )
    return filled(nn.Sequential(layers), rng, scale=0.3)


class Residual(nn.Module):
    """A network that is no chain of layers: what comes in is added to what a layer makes of it."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.dense1, self.dense2 = nn.Linear(features, features), nn.Linear(features, classes)

    def forward(self, x: Tensor) -> Tensor:
        a = x.flatten(1)
        return self.dense2(a + self.dense1(a).relu())


def slopes(layer: nn.Module, a: Tensor, relevance: Tensor) -> Tensor:
    """A rule for trying things out, which no chapter teaches: the relevance, times the slopes of arctan(z)."""
    with torch.enable_grad():
        start = a.detach().requires_grad_()
        shares = torch.autograd.grad((torch.atan(layer(start)) * relevance).sum(), start)[0]
    return (
        shares + 0.1 + 0 * next(layer.parameters()).sum()
    )  # remembers the weights, where gradients are switched on


def slopes_and_inputs(layer: nn.Module, a: Tensor, relevance: Tensor) -> Tensor:
    """Another one: the same, times 1 + a."""
    return slopes(layer, a, relevance) * (1 + a)


def _network_cases(seed: int) -> list[Case]:
    """A class per image and one rule; the predicted classes and a rule for each layer; one class for all; one image. Then a network
    that is no chain."""
    rng = np.random.default_rng(seed)
    height, width, classes, rows = (
        int(n) for n in (*rng.permutation([7, 8, 9, 10])[:2], *rng.permutation([3, 4, 5, 6])[:2])
    )
    image = (int(rng.integers(1, 4)), height, width)
    target = torch.from_numpy(rng.permutation(np.resize(np.arange(classes), max(rows, classes)))[:rows])
    by_name = {"conv1": slopes_and_inputs, "conv2": slopes, "dense": slopes_and_inputs}
    asked = (
        (rows, target, slopes),
        (rows, None, by_name),
        (2, 0, slopes_and_inputs),
        (1, target[-1:].clone(), slopes),
    )
    cases: list[Case] = [
        {"model": chain(rng, image, classes), "x": drawn(rng, n, *image), "target": wanted, "rules": rule}
        for n, wanted, rule in asked
    ]
    with torch.no_grad():
        cases[2]["model"].dense.bias[0] -= 50  # class 0 does not win
    branched = filled(Residual(5, classes), rng).eval()
    return [*cases, {"model": branched, "x": drawn(rng, 2, 5), "target": 0, "rules": slopes}]


def _observe_network(fn: Callable[..., Any], case: Case) -> Values:
    """Every relevance, and whether one of them remembers how it came about."""
    values = flatten(fn(*case.values()))
    history = any(isinstance(part, Tensor) and part.requires_grad for part in values.values())
    return {**values, "history": "some" if history else "none"}


def _composite_cases(seed: int) -> list[Case]:
    """Drawn numbers, and a box for all pixels; the default numbers, and a box for each colour."""
    rng = np.random.default_rng(seed)
    cases: list[Case] = []
    for drawn_numbers in (True, False):
        channels, size = int(rng.integers(1, 4)), int(rng.integers(7, 10))
        widths = [channels, *(int(n) for n in rng.integers(2, 5, size=int(rng.integers(2, 4))))]
        body = nn.Sequential()
        for before, after in pairwise(widths):
            body.extend([nn.Conv2d(before, after, 3), nn.ReLU()])
        places = widths[-1] * (size - 2 * (len(widths) - 1)) ** 2
        units, classes = int(rng.integers(5, 9)), int(rng.integers(2, 5))
        first, second = (str(n) for n in rng.permutation(["dense1", "head", "top", "scores"])[:2])
        layers: OrderedDict[str, nn.Module] = OrderedDict(body=body, flatten=nn.Flatten())
        layers |= {first: nn.Linear(places, units), "relu": nn.ReLU(), second: nn.Linear(units, classes)}
        model = filled(nn.Sequential(layers), rng)
        for name in (first, second):
            _agreeing({"layer": model.get_submodule(name), "a": torch.zeros(0)})
        model.image = (channels, size, size)  # type: ignore[assignment]
        low, high = round(-float(rng.uniform(0.2, 0.9)), 2), round(float(rng.uniform(1.2, 1.9)), 2)
        box: Case = {"low": low, "high": high}
        if not drawn_numbers:
            box = {
                "low": low - drawn_uniformly(rng, 1, channels, 1, 1),
                "high": high + drawn_uniformly(rng, 1, channels, 1, 1),
            }
        numbers = {"epsilon": float(rng.uniform(1, 3)), "gamma": float(rng.uniform(0.4, 0.8))}
        cases.append({"model": model, **box, **(numbers if drawn_numbers else {})})
    return cases


def _observe_composite(fn: Callable[..., Any], case: Case) -> Values:
    """Every rule of the composite, tried on its own layer: rules are functions, and only what they do counts."""
    rules = fn(*case.values())
    values: Values = {"layers with a rule": ", ".join(sorted(rules))}
    layers = [(name, layer) for name, layer in case["model"].named_modules() if not list(layer.children())]
    weight = layers[0][1].weight
    places = torch.arange(2 * int(np.prod(case["model"].image)), dtype=weight.dtype, device=weight.device)
    a = case["low"] + (0.5 + 0.45 * places.sin().view(2, *case["model"].image)) * (case["high"] - case["low"])
    for name, layer in layers:
        z = layer(a).detach()
        if name in rules:
            relevance = torch.linspace(-1, 2, z.numel(), dtype=z.dtype, device=z.device).view(z.shape)
            values[name] = rules[name](layer, a, relevance).detach()
        a = torch.arange(z.numel(), dtype=z.dtype, device=z.device).view(z.shape).sin().clamp(min=0)
    return values


def _norm_cases(seed: int) -> list[Case]:
    """A convolution without a bias, a dense layer, groups with a normalization that has no weights of its own. Then a
    normalization without statistics, and one of another width."""
    rng = np.random.default_rng(seed)
    maps, features, outputs, groups = (int(n) for n in rng.permutation([2, 3, 4, 5, 6, 7])[:4])
    channels = int(rng.integers(1, 4))
    pairs = [
        (nn.Conv2d(channels, maps, 3, padding=1, bias=False), nn.BatchNorm2d(maps, eps=0.05)),
        (nn.Linear(features, outputs), nn.BatchNorm1d(outputs)),
        (nn.Conv2d(2 * channels, 2 * groups, 3, groups=2), nn.BatchNorm2d(2 * groups, affine=False)),
        (nn.Linear(features, outputs), nn.BatchNorm1d(outputs, track_running_stats=False)),
        (nn.Conv2d(channels, maps, 3), nn.BatchNorm2d(maps + 1)),
    ]
    return [{"conv": filled(layer, rng), "bn": filled(norm, rng).eval()} for layer, norm in pairs]


def _observe_merged(fn: Callable[..., Any], case: Case) -> Values:
    """What the merged layer is, and what it does."""
    conv = case["conv"]
    merged = fn(*case.values())
    shape = (3, conv.in_features) if isinstance(conv, nn.Linear) else (2, conv.in_channels, 5, 4)
    x = torch.arange(int(np.prod(shape)), dtype=conv.weight.dtype, device=conv.weight.device).sin()
    return {
        "weight": merged.weight.detach(),
        "bias": merged.bias.detach() if merged.bias is not None else "none",
        "what it does": merged(x.view(shape)).detach(),
        "mode": "training" if merged.training else "evaluation",
        "kind of layer": type(merged).__name__,
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
        minutes=15,
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
