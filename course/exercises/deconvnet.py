"""Chapter 5: deconvnet, guided backpropagation, and the check that they fail."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course.exercises.random_arguments import drawn, drawn_uniformly, filled
from course.judging.exercise import Case, Exercise, Values, equal, repeated, within


def chain(rng: np.random.Generator, image: tuple[int, int, int] = (2, 7, 9), classes: int = 4) -> nn.Module:
    """Layers in a row, with the traps of real networks: in-place ReLU, overlapping pooling, normalization."""
    channels, height, width = image
    places = ((height - 1) // 2 - 1) * ((width - 1) // 2 - 1)
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(channels, 4, kernel_size=3, padding=1),
        norm=nn.BatchNorm2d(4),
        relu1=nn.ReLU(inplace=True),
        pool=nn.MaxPool2d(3, stride=2, padding=1),
        conv2=nn.Conv2d(4, 5, kernel_size=3),
        relu2=nn.ReLU(inplace=True),
        flatten=nn.Flatten(),
        dense=nn.Linear(5 * places, classes),
    )
    return filled(nn.Sequential(layers), rng)


class Functional(nn.Module):
    """A network without ReLU modules: it calls the function, as many do."""

    def __init__(self, image: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        channels, height, width = image
        self.conv1, self.conv2 = nn.Conv2d(channels, 4, 3), nn.Conv2d(4, 4, 3, padding=1)
        self.dense = nn.Linear(4 * ((height - 2) // 3) * ((width - 2) // 3), classes)

    def forward(self, x: Tensor) -> Tensor:
        a = F.relu(self.conv1(x))
        a = F.max_pool2d(a, 3)
        a = torch.relu(self.conv2(a))
        return self.dense(a.flatten(1))


# ------------------------------------------------------------------------------------------- the cases


def _sizes(rng: np.random.Generator) -> tuple[int, tuple[int, int, int], int]:
    """How many rows; channels, rows and columns of an image; how many classes."""
    height, width = (int(n) for n in rng.permutation([8, 9, 10, 11])[:2])
    rows, classes = (int(n) for n in rng.permutation([3, 4, 5, 6])[:2])
    return rows, (int(rng.integers(1, 4)), height, width), classes


def _relu_cases(seed: int) -> list[Case]:
    """Each rule on another shape, one of a single row, in some places with a signal or an activation of exactly zero. No rule has another name."""
    rng = np.random.default_rng(seed)
    cases: list[Case] = []
    for axes, rule in enumerate(
        ("gradient", "deconvnet", "guided", str(rng.choice(["relu", "backprop"]))), 1
    ):
        shape = tuple(int(n) for n in rng.integers(3, 6, size=axes))
        if axes == 1:
            shape = (int(rng.integers(9, 30)),)
        if axes == 3:
            shape = (1, *shape[1:])
        upstream, activation = drawn(rng, *shape), drawn(rng, *shape).clamp(min=0)
        upstream.view(-1)[:5] *= torch.tensor([0, 1, 1, -1, -1]) * upstream.view(-1)[:5].sign()
        activation.view(-1)[:5] = drawn_uniformly(rng, 5, low=0.2) * torch.tensor(
            [1, 1, 0, 1, 0]
        )  # each gate alone, too
        cases.append({"upstream": upstream, "activation": activation, "rule": rule})
    return cases


def _unpool_cases(seed: int) -> list[Case]:
    """Windows side by side and overlapping ones, the last place among the winners. Then one place too far, one before the
    first, and switches of another shape."""
    rng = np.random.default_rng(seed)
    height, width = (int(n) for n in rng.permutation([4, 6, 8, 10])[:2])
    maps = drawn(rng, int(rng.integers(2, 4)), int(rng.integers(2, 6)), height, width)
    maps[0, 0, -1, -1] = 9
    cases: list[Case] = []
    for kernel, stride in ((2, 2), (3, 1)):
        pooled, switches = F.max_pool2d(
            maps if kernel == 3 else maps[:1], kernel, stride, return_indices=True
        )
        values = drawn(rng, *pooled.shape)
        cases.append({"pooled": values, "switches": switches, "size": (height, width)})
    pooled, switches, size = cases[0].values()
    for place in (height * width, -1):
        outside = switches.clone()
        outside[-1, -1, 0, 1] = place
        cases.append({"pooled": pooled.clone(), "switches": outside, "size": size})
    turned = switches.transpose(2, 3).contiguous()
    return [*cases, {"pooled": pooled.clone(), "switches": turned, "size": size}]


def _map_cases(seed: int) -> list[Case]:
    """A class per image, in training mode; the predicted classes; one class for all. Then a network with another
    activation, for which there is no rule."""
    rng = np.random.default_rng(seed)
    rows, image, classes = _sizes(rng)
    target = torch.from_numpy(rng.permutation(np.resize(np.arange(classes), max(rows, classes)))[:rows])
    functional = filled(Functional(image, classes), rng).eval()
    again = filled(Functional(image, classes), rng).eval()
    with torch.no_grad():
        again.dense.bias[0] -= 50  # class 0 does not win
    sizes = nn.Flatten(), nn.Linear(int(np.prod(image)), 4), nn.ELU(), nn.Linear(4, classes)
    return [
        {"model": chain(rng, image, classes), "x": drawn(rng, rows, *image), "target": target},
        {"model": functional, "x": drawn(rng, 2, *image), "target": None},
        {"model": again, "x": drawn(rng, 1, *image), "target": 0},
        {"model": filled(nn.Sequential(*sizes), rng).eval(), "x": drawn(rng, 2, *image), "target": 0},
    ]


def _feature_cases(seed: int) -> list[Case]:
    """A ReLU's map, a convolution's that is mostly negative, a pooling's (in overlapping windows, one value may win twice), a
    neuron, and a map with its largest value in two places. Then a map and a layer that are not there."""
    rng = np.random.default_rng(seed)
    rows, image, _ = _sizes(rng)
    cases: list[Case] = []
    for layer, channel, rule, lift in (
        ("relu2", int(rng.integers(3, 5)), "guided", 3.0),
        ("conv2", int(rng.integers(0, 5)), "deconvnet", -30.0),
        ("pool", 0, "deconvnet", 0.0),
        ("dense", int(rng.integers(1, 4)), "gradient", 0.0),
    ):
        model, x = chain(rng, image), drawn(rng, rows, *image)
        with torch.no_grad():
            dict(model.named_parameters())["conv2.bias"][channel] += lift
        cases.append({"model": model, "layer": layer, "x": x, "channel": channel, "rule": rule})
    for layer, channel in (("relu2", 5), ("relu7", 0)):
        model, x = chain(rng, image).eval(), drawn(rng, rows, *image)
        cases.append({"model": model, "layer": layer, "x": x, "channel": channel, "rule": "guided"})
    return [*cases[:4], _seen_twice(rng), *cases[4:]]


def _seen_twice(rng: np.random.Generator) -> Case:
    """A picture with the same thing in two places, far from each other; whole numbers, so that both excite the map alike."""
    channels, channel = int(rng.integers(1, 4)), int(rng.integers(0, 3))
    thing = torch.from_numpy(rng.integers(1, 4, size=(channels, 3, 3))).float()
    x = torch.zeros(2, channels, 9, int(rng.integers(12, 16)))
    x[0, :, :3, 1:4], x[0, :, 5:8, 7:10] = thing, thing
    x[1, :, 6:9, :3], x[1, :, :3, 6:9] = thing, 2 * thing
    conv = nn.Conv2d(channels, 4, 3, bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.from_numpy(rng.integers(-2, 3, size=tuple(conv.weight.shape))))
        conv.weight[channel] = thing  # what looks for the thing answers most where it is
    model = nn.Sequential(OrderedDict(conv=conv, relu=nn.ReLU()))
    return {"model": model, "layer": "relu", "x": x, "channel": channel, "rule": "guided"}


def _forgetting_cases(seed: int) -> list[Case]:
    """All three layers; the upper two, one of which has no bias. The layers' names change with the seed, so that nothing
    observed is known before. Then a layer that has no weights, and one that is not there."""
    rng = np.random.default_rng(seed)
    names = [
        str(name) for name in rng.permutation(["edges", "parts", "shapes", "strokes", "answers", "roots"])
    ]
    bottom, middle, top, relu, nowhere = names[:5]
    maps, units = (int(n) for n in rng.integers(64, 72, size=2))

    def trained(bias: bool, classes: int) -> nn.Module:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers[bottom] = nn.Conv2d(4, maps, kernel_size=5)
        layers |= {relu: nn.ReLU(), "flatten": nn.Flatten(), middle: nn.Linear(2 * maps, units, bias=bias)}
        layers |= {"relu2": nn.ReLU(), top: nn.Linear(units, classes)}
        return filled(nn.Sequential(layers), rng, scale=0.3)

    return [
        {
            "model": trained(bias, classes),
            "layers": layers,
            "generator": torch.Generator().manual_seed(seed),
        }
        for bias, classes, layers in (
            (
                True,
                int(rng.integers(600, 640)),
                [top, middle, bottom],
            ),  # many weights, to see how they spread
            (False, int(rng.integers(20, 40)), [top, middle]),
            (True, 3, [top, relu]),
            (True, 3, [nowhere, middle]),
        )
    ]


def _observe_forgetting(fn: Callable[..., Any], case: Case) -> Values:
    """Which layer of which model is as trained, drawn anew, or drawn yet again; how the new weights spread; whether
    the generator decides."""
    trained = {name: value.clone() for name, value in case["model"].state_dict().items()}
    start = case["generator"].get_state()
    models = list(fn(*case.values()))
    values: Values = {"number of models": str(len(models))}
    weights = [name for name in trained if name.endswith("weight")]
    before = trained
    for k, model in enumerate(models, start=1):
        now = {name: value.detach() for name, value in model.state_dict().items()}
        told = []
        for name in weights:
            weight, old, first = now[name], before[name], trained[name]
            if torch.equal(weight, first):
                told.append(f"{name} as trained")
            else:
                told.append(
                    f"{name} {'as in the model before' if torch.equal(weight, old) else 'drawn anew'}"
                )
        values[f"model {k}"] = ", ".join(told)
        before = now
    mine = {value.data_ptr() for value in case["model"].state_dict().values()}
    shared = any(value.data_ptr() in mine for model in models for value in model.state_dict().values())
    values["weights shared with the trained model"] = "some" if shared else "none"
    last = [before[f"{name}.weight"] for name in case["layers"]]
    spread = [(w.double() ** 2 * w[0].numel()).mean() for w in last]
    values["mean of w² · fan-in, layer by layer"] = torch.stack(spread)
    values["standard error"] = torch.stack([2 * (2 / w.new_tensor(w.numel()).double()).sqrt() for w in last])
    far = [bool((w.abs() > 2.5 * w.std()).any()) for w in last]
    values["weights beyond 2.5 standard deviations"] = "some" if all(far) else "none"
    biases = [before[f"{name}.bias"] for name in case["layers"] if f"{name}.bias" in trained]
    values["largest bias"] = torch.stack([b.double().abs().max() for b in biases])
    top = f"{case['layers'][0]}.weight"
    first = before[top].clone()
    for which, generator in (
        ("the same generator", torch.Generator().set_state(start)),
        ("another generator", torch.Generator().manual_seed(0)),
    ):
        drawn_again = list(fn(case["model"], case["layers"], generator))[-1].state_dict()[top]
        values[f"{which} gives"] = repeated(drawn_again, first)
    return values


EXERCISES = [
    Exercise(
        "relu_backward",
        cases=_relu_cases,
        points=2,
        minutes=10,
        hints=(
            "A gate is a tensor of true and false, as `activation > 0` is; multiplying by it closes it where it is false.",
            "Ask for each rule: does it look at what went forward (a), at what comes back (R_a), or at both?",
            "`upstream.clamp(min=0)` is 1[R_a > 0] · R_a.",
        ),
    ),
    Exercise(
        "unpool",
        cases=_unpool_cases,
        points=2,
        minutes=12,
        hints=(
            "Flatten rows and columns into one axis: then a switch is simply a position in it.",
            "Begin with zeros. `scatter_add` along axis 2 puts each value where its switch says, and adds where two meet.",
            "`.unflatten(2, size)` makes rows and columns of the long axis again.",
        ),
    ),
    Exercise(
        "guided_backprop",
        cases=_map_cases,
        points=3,
        minutes=15,
        hints=(
            "It is the gradient of the target's score with respect to x; only the ReLUs hand back something else.",
            "In this order: a copy of x that wants a gradient, the forward pass, `set_relu_rule`, `torch.autograd.grad`.",
            "`target_score(logits, target)` picks the scores, `with evaluation_mode(model):` gives the model its mode back; "
            "pass `x.clone()`, for the first layer may work in place.",
        ),
    ),
    Exercise(
        "deconvnet",
        cases=_map_cases,
        points=2,
        minutes=8,
        hints=(
            "Everything is as in `guided_backprop`; what differs?",
            "Max pooling needs nothing: its gradient already goes to the place of the maximum, which is what a switch does.",
        ),
    ),
    Exercise(
        "reconstruct_feature",
        cases=_feature_cases,
        points=3,
        minutes=20,
        hints=(
            "`feature_maps(model, layer, x)` gives the layer's maps, still connected with x.",
            "Per image, the largest value of `maps[:, channel]`: flatten rows and columns, then `.max(dim=1).values`.",
            "`torch.autograd.grad(f.sum(), x)` starts from 1 at every f. What must f be for it to start from a*?",
        ),
    ),
    Exercise(
        "randomize_from_top",
        cases=_forgetting_cases,
        observe=_observe_forgetting,
        compare={
            "number of models": equal(),
            "model 1": equal(),
            "model 2": equal(),
            "model 3": equal(),
            "weights shared with the trained model": equal(),
            "mean of w² · fan-in, layer by layer": within(6, error="standard error"),
            "weights beyond 2.5 standard deviations": equal(),
            "largest bias": equal(atol=1e-6),
            "the same generator gives": equal(),
            "another generator gives": equal(),
        },
        points=3,
        minutes=20,
        level="stretch",
        hints=(
            "Each model is a copy of the one before it (`copy.deepcopy`), with one more layer drawn anew.",
            "`nn.init.kaiming_normal_(weight, nonlinearity='relu', generator=generator)` draws He's distribution.",
            "Change weights inside `with torch.no_grad():`, and never those of the trained model.",
        ),
    ),
]
