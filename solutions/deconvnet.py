"""Deconvnet and guided backpropagation: the network run backwards, with another rule at every ReLU.

The gradient, the deconvnet and guided backpropagation differ in one place only: what a ReLU hands back. So there
is one backward pass here, and a rule that every ReLU follows however the model spells it: as a module, a function
or a method, in place or not.
"""

import copy
from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from solutions.filters import evaluation_mode, feature_maps
from solutions.graph_steps import (
    LAYERS,
    MOVES,
    NORMALIZES,
    SUMS,
    depends_on_input,
    graph_nodes,
    is_product,
    kind,
)
from solutions.sensitivity import one_hot

ReluRule = Literal["gradient", "deconvnet", "guided"]
RELU_RULES: tuple[ReluRule, ...] = get_args(ReluRule)


def relu_backward(
    upstream: Float[Tensor, "*shape"], activation: Float[Tensor, "*shape"], rule: ReluRule
) -> Float[Tensor, "*shape"]:
    """What a ReLU, a = max(0, z), hands back to the layer below it.

    gradient:  R_z = 1[a > 0] · R_a            closed where the forward signal was off
    deconvnet: R_z = 1[R_a > 0] · R_a          closed where the backward signal is negative
    guided:    R_z = 1[a > 0] · 1[R_a > 0] · R_a

    upstream: R_a, what arrives from above. activation: a, what the ReLU gave in the forward pass. Any shape, the same
    for both; so is the result. Raises ValueError for any other rule.
    Source: Springenberg, Dosovitskiy, Brox & Riedmiller (2015), fig. 1c and sec. 3.4.
    """
    if rule == "gradient":
        return upstream * (activation > 0)
    if rule == "deconvnet":
        return upstream.clamp(min=0)
    if rule == "guided":
        return upstream.clamp(min=0) * (activation > 0)
    raise ValueError(f"There is no ReLU rule {rule!r}; choose 'gradient', 'deconvnet' or 'guided'.")


def unpool(
    pooled: Float[Tensor, "batch channels *places"],
    switches: Int[Tensor, "batch channels *places"],
    size: Sequence[int],
) -> Float[Tensor, "batch channels *space"]:
    """Undo max pooling: put every value back to where the maximum was, and zero everywhere else.

    out[n, c, p] = Σ over the windows whose switch is p of pooled[n, c, window]

    Windows may overlap; one place can then be the maximum of several of them, and gets the sum of their values.

    pooled: the values to put back. switches: for each, the place of its maximum, rows · columns counted through
    within one map, as ``F.max_pool2d(…, return_indices=True)`` gives them. size: (rows, columns) of the maps before pooling.
    Raises ValueError when a switch points outside such a map, or the shapes differ.
    Source: Zeiler & Fergus (2014), sec. 2.1.
    """
    size = tuple(size)
    places = int(torch.Size(size).numel())
    if pooled.shape != switches.shape:
        raise ValueError(
            f"pooled is {tuple(pooled.shape)}, switches {tuple(switches.shape)}: one switch per value."
        )
    if switches.numel() and not 0 <= int(switches.min()) <= int(switches.max()) < places:
        raise ValueError(
            f"Switches lie in 0 … {places - 1} for maps of size {size}; use the size before pooling."
        )
    empty = pooled.new_zeros(*pooled.shape[:2], places)
    return empty.scatter_add(2, switches.flatten(2), pooled.flatten(2)).unflatten(2, size)


PASSED = {"Relu"} | MOVES | SUMS | LAYERS | NORMALIZES


def set_relu_rule(output: Tensor, rule: ReluRule, model: nn.Module) -> None:
    """From now on, gradients of ``output`` follow ``rule`` at every ReLU that helped to compute it.

    The graph that autograd has recorded knows every ReLU, however the model spelled it. Raises ValueError, naming the
    layer of ``model``, where there is anything that is not a ReLU, linear or known to cut nothing: other rectifiers, for
    which neither paper has a rule, products of activations, and whatever could hide one.
    """
    if rule not in RELU_RULES:
        raise ValueError(f"There is no ReLU rule {rule!r}; choose one of {', '.join(RELU_RULES)}.")
    scripted = [name for name, part in model.named_modules() if isinstance(part, torch.jit.ScriptModule)]
    if scripted:
        raise ValueError(f"{_called(scripted[0])} is a torch script, whose steps cannot be seen.")
    depends = depends_on_input(output)
    for node in graph_nodes(output):
        if not depends[node]:
            continue
        if kind(node) not in PASSED or is_product(node, depends):
            raise ValueError(
                f"{_layer_with(node.name(), output, model)} has a step {node.name()}: the deconvnet and guided "
                "backpropagation have a backward rule for ReLU only. Explain this network by its gradient."
            )
        if kind(node) == "Relu" and rule == "deconvnet":
            node.register_hook(lambda down, up: (up[0].clamp(min=0),))
        elif kind(node) == "Relu" and rule == "guided":  # cut first; the ReLU's own gradient does the rest
            node.register_prehook(lambda up: (up[0].clamp(min=0),))


def _layer_with(step: str, output: Tensor, model: nn.Module) -> str:
    """For messages: the innermost layer that has a step of this kind, found by running the model once more."""
    culprits: list[nn.Module] = []

    def look(module: nn.Module, inputs: Any, result: Any) -> None:
        results = result if isinstance(result, tuple) else (result,)
        tensors = [part for part in results if isinstance(part, Tensor)]
        if any(step == node.name() for tensor in tensors for node in graph_nodes(tensor)):
            culprits.append(module)

    leaves = (getattr(node, "variable", None) for node in graph_nodes(output))
    x = next(leaf for leaf in leaves if leaf is not None and not isinstance(leaf, nn.Parameter))
    handles = [module.register_forward_hook(look) for module in model.modules()]
    try:
        with torch.enable_grad(), evaluation_mode(model):
            model(x.clone())
    finally:
        for handle in handles:
            handle.remove()
    names = {module: name for name, module in model.named_modules()}
    return _called(next((names[module] for module in culprits if names.get(module)), ""))


def _called(name: str) -> str:
    return f"Layer {name!r}" if name else "The model"


def deconvnet(
    model: nn.Module, x: Float[Tensor, "batch *image"], target: Int[Tensor, " batch"] | int | None = None
) -> Float[Tensor, "batch *image"]:
    """The deconvnet's picture of one class: the logit's signal sent down through the network, negative parts cut.

    Start with 1 at the target's logit and 0 at all others; then backwards, layer by layer: each convolution or dense
    layer transposed (as for the gradient), max pooling undone by its switches, each ReLU by the deconvnet rule.

    model: maps (batch, …) to logits (batch, classes); looked at in evaluation mode and left as it was.
    target: a class for all images, one per image, or None for the class that the model sees in each.
    Returns one map per image, shaped like x, in logits per unit of x.
    Raises ValueError, naming the layer, where the model has more than ReLU and linear steps: it would be ignored silently.
    Source: Zeiler & Fergus (2014), sec. 2.1.
    """
    x = x.detach().requires_grad_()
    with torch.enable_grad(), evaluation_mode(model):
        f = model(x.clone())  # a copy: the first layer may work in place
        set_relu_rule(f, "deconvnet", model)
        return torch.autograd.grad(f, x, one_hot(f, target))[0]


def guided_backprop(
    model: nn.Module, x: Float[Tensor, "batch *image"], target: Int[Tensor, " batch"] | int | None = None
) -> Float[Tensor, "batch *image"]:
    """Guided backpropagation's picture of one class: the gradient, with negative signals cut at each ReLU.

    Start with 1 at the target's logit and 0 at all others; then backwards as the gradient goes, except that each
    ReLU follows the guided rule: it lets through what is positive *and* was active.

    model: maps (batch, …) to logits (batch, classes); looked at in evaluation mode and left as it was.
    target: a class for all images, one per image, or None for the class that the model sees in each.
    Returns one map per image, shaped like x, in logits per unit of x.
    Raises ValueError, naming the layer, where the model has more than ReLU and linear steps: it would be ignored silently.
    Source: Springenberg, Dosovitskiy, Brox & Riedmiller (2015), sec. 3.4.
    """
    x = x.detach().requires_grad_()
    with torch.enable_grad(), evaluation_mode(model):
        f = model(x.clone())  # a copy: the first layer may work in place
        set_relu_rule(f, "guided", model)
        return torch.autograd.grad(f, x, one_hot(f, target))[0]


def reconstruct_feature(
    model: nn.Module, layer: str, x: Float[Tensor, "batch *image"], channel: int, rule: ReluRule
) -> Float[Tensor, "batch *image"]:
    """What in each image excites one map of a hidden layer: its strongest activation, sent back to the pixels.

    Keep the map's largest activation, a* = max a[n, channel, ·], at its place (the first, where several are equally
    large); set every other activation of the layer, of all maps, to zero; then go backwards from there to the pixels
    with the ReLU rule.

    model: any module; looked at in evaluation mode and left as it was. layer: a name from ``model.named_modules()``,
    a ReLU or a pooling behind it as a rule. channel: the map's (or the neuron's) number.
    Returns one picture per image, shaped like x; only pixels that the unit sees can differ from zero.
    Raises ValueError when the layer or the channel does not exist.
    Source: Zeiler & Fergus (2014), sec. 2.1 and fig. 2; with rule "guided" Springenberg et al. (2015), fig. 3.
    """
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        maps = feature_maps(model, layer, x.clone())  # a copy: the first layer may work in place
        set_relu_rule(maps, rule, model)
        if not 0 <= channel < maps.shape[1]:
            raise ValueError(f"Layer {layer!r} has the maps 0 … {maps.shape[1] - 1}, not {channel}.")
        strongest = maps[:, channel].unsqueeze(1).flatten(1).max(dim=1).values
        signal = (strongest * strongest.detach()).sum()  # its gradient starts from a* at the place of a*
        return torch.autograd.grad(signal, x)[0]


def randomize_from_top(
    model: nn.Module, layers: Sequence[str], generator: torch.Generator
) -> list[nn.Module]:
    """A trained network forgets, layer by layer from the output down: the models of Adebayo's sanity check.

    The k-th model returned is the trained one with the first k of ``layers`` drawn anew (k = 1 … len(layers)), so
    the last has all of them random. Weights are drawn from a normal distribution of mean 0 and variance 2 / fan-in
    (He's initialization), biases are 0. A layer once drawn stays the same in all later models.

    layers: names of dense or convolution layers, in the order in which they are to forget, the output's layer first.
    generator: gives all the randomness. ``model`` stays as it was; the copies share nothing with it.
    Raises ValueError for a name that is no dense or convolution layer.
    Source: Adebayo, Gilmer, Muelly, Goodfellow, Hardt & Kim (2018), sec. 3.1; He, Zhang, Ren & Sun (2015), eq. 10.
    """
    current, models = model, []
    for name in layers:
        current = copy.deepcopy(current)
        layer = dict(current.named_modules()).get(name)
        if not isinstance(layer, nn.Linear | nn.modules.conv._ConvNd):
            raise ValueError(
                f"{name!r} is no dense or convolution layer of the model: only those can forget here."
            )
        with torch.no_grad():
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            if layer.bias is not None:
                layer.bias.zero_()
        models.append(current)
    return models
