"""Chapter 5: deconvnet, guided backpropagation, and the check that they fail."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course.exercises.random_arguments import drawn, filled
from course.judging.exercise import Case, Exercise, Values, equal, repeated, within


def chain(rng: np.random.Generator) -> nn.Module:
    """Layers in a row, with the traps of real networks: in-place ReLU, overlapping pooling, normalization."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(2, 4, kernel_size=3, padding=1),
        norm=nn.BatchNorm2d(4),
        relu1=nn.ReLU(inplace=True),
        pool=nn.MaxPool2d(3, stride=2, padding=1),
        conv2=nn.Conv2d(4, 5, kernel_size=3),
        relu2=nn.ReLU(inplace=True),
        flatten=nn.Flatten(),
        dense=nn.Linear(5 * 2 * 3, 4),
    )
    return filled(nn.Sequential(layers), rng)


class Functional(nn.Module):
    """A network without ReLU modules: it calls the function, as many do."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(2, 4, 3), nn.Conv2d(4, 4, 3, padding=1)
        self.dense = nn.Linear(4 * 2 * 3, 4)

    def forward(self, x: Tensor) -> Tensor:
        a = F.relu(self.conv1(x))
        a = F.max_pool2d(a, 3)
        a = torch.relu(self.conv2(a))
        return self.dense(a.flatten(1))


# ------------------------------------------------------------------------------------------- the cases


def _relu_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        {"upstream": drawn(rng, 3, 7), "activation": drawn(rng, 3, 7).clamp(min=0), "rule": rule}
        for rule in ("gradient", "deconvnet", "guided")
    ]


def _unpool_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    maps = drawn(rng, 2, 3, 6, 8)
    cases = []
    for kernel, stride in ((2, 2), (3, 1)):
        pooled, switches = F.max_pool2d(maps, kernel, stride, return_indices=True)
        values = drawn(rng, *pooled.shape)
        cases.append({"pooled": values, "switches": switches, "size": (6, 8)})
    return cases


def _map_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    models = [chain(rng), filled(Functional(), rng)]
    target = torch.from_numpy(rng.permutation(4)[:3].copy())
    return [
        {"model": models[0], "x": drawn(rng, 3, 2, 7, 9), "target": target},
        {"model": models[1], "x": drawn(rng, 2, 2, 9, 11), "target": None},
    ]


def _feature_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    cases: list[Case] = []
    for layer, rule in (("relu2", "guided"), ("relu2", "deconvnet"), ("conv2", "gradient")):
        model = chain(rng)
        cases.append(
            {"model": model, "layer": layer, "x": drawn(rng, 3, 2, 7, 9), "channel": 2, "rule": rule}
        )
    return cases


def _forgetting_cases(seed: int) -> list[Case]:
    """The layers' names change with the seed, so that nothing observed is known before."""
    rng = np.random.default_rng(seed)
    bottom, middle, top = (
        str(name)
        for name in rng.permutation(["edges", "parts", "shapes", "strokes", "answers", "classes"])[:3]
    )
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers[bottom] = nn.Conv2d(4, 60, kernel_size=5)
    layers |= {"relu1": nn.ReLU(), "flatten": nn.Flatten(), middle: nn.Linear(120, 90)}
    layers |= {"relu2": nn.ReLU(), top: nn.Linear(90, 110)}
    model = filled(nn.Sequential(layers), rng, scale=0.3)
    generator = torch.Generator().manual_seed(seed)
    return [{"model": model, "layers": [top, middle, bottom], "generator": generator}]


def _observe_forgetting(fn: Callable[..., Any], case: Case) -> Values:
    """Which layer of which model is as trained, drawn anew, or drawn yet again; how the new weights spread; whether
    the generator decides."""
    trained = {name: value.clone() for name, value in case["model"].state_dict().items()}
    start = case["generator"].get_state()
    models = list(fn(*case.values()))
    values: Values = {"number of models": str(len(models))}
    before = trained
    for k, model in enumerate(models, start=1):
        now = {name: value.detach() for name, value in model.state_dict().items()}
        told = []
        for name in case["layers"]:
            weight, old, first = now[f"{name}.weight"], before[f"{name}.weight"], trained[f"{name}.weight"]
            if torch.equal(weight, first):
                told.append(f"{name} as trained")
            else:
                told.append(
                    f"{name} {'as in the model before' if torch.equal(weight, old) else 'drawn anew'}"
                )
        values[f"model {k}"] = ", ".join(told)
        before = now
    last = [(before[f"{name}.weight"], before[f"{name}.bias"]) for name in case["layers"]]
    spread = [(w.double() ** 2 * w[0].numel()).mean() for w, _ in last]
    values["mean of w² · fan-in, layer by layer"] = torch.stack(spread)
    values["standard error"] = torch.stack(
        [2 * (2 / w.new_tensor(w.numel()).double()).sqrt() for w, _ in last]
    )
    far = [bool((w.abs() > 2.5 * w.std()).any()) for w, _ in last]
    values["weights beyond 2.5 standard deviations"] = "some" if all(far) else "none"
    values["largest bias"] = torch.stack([b.double().abs().max() for _, b in last])
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
        minutes=15,
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
        minutes=5,
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
            "mean of w² · fan-in, layer by layer": within(7, error="standard error"),
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
