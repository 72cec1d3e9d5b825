"""Layer-wise relevance propagation: f(x) handed back from layer to layer, until every pixel has its share.

A *rule* says how one dense or convolution layer hands its relevance back: ``rule(layer, a, relevance) → relevance``,
from R_j of its outputs to R_i of its inputs a_i. A *composite* is a mapping from names of layers to rules. The rules
below are the formulas; ``relevance_by_layer`` walks them through a chain of layers, ``lrp`` through any network.

Throughout, z_ij = a_i w_ij is what input i contributes to output j, and w⁺ = max(0, w), w⁻ = min(0, w).
"""

from collections.abc import Mapping
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from solutions.filters import evaluation_mode
from solutions.layers import (
    STABILIZER,
    HandBack,
    Layer,
    Rule,
    backward_with,
    forward_with,
    merge_batchnorm,
    never_zero,
    stabilized,
    weighted_layers,
)
from solutions.lrp_any_network import relevance_of_inputs
from solutions.lrp_shortcuts import ALPHA_BETA, BOX, EPSILON, GAMMA, Z_PLUS
from solutions.sensitivity import input_gradient, one_hot

__all__ = [
    "alpha_beta_rule", "backward_with", "epsilon_composite", "epsilon_gamma_box", "epsilon_plus", "epsilon_rule",
    "forward_with", "gamma_rule", "hand_back", "lrp", "merge_batchnorm", "relevance_by_layer",
    "relevance_through_branches", "stabilized",
    "w_square_rule", "weighted_layers", "z_box_rule", "z_plus_rule",
]  # fmt: skip

# --- the rules ---


def epsilon_rule(
    layer: Layer,
    a: Float[Tensor, "batch *inputs"],
    relevance: Float[Tensor, "batch *outputs"],
    epsilon: float = STABILIZER,
) -> Float[Tensor, "batch *inputs"]:
    """Relevance goes to each input in proportion to what it contributed to the output.

    R_i = Σ_j z_ij / (z_j + ε·sign(z_j)) · R_j,    z_ij = a_i w_ij,    z_j = Σ_i z_ij + b_j,    sign(0) = +1

    The bias takes part in z_j and keeps its share: it is no input, so nothing is handed back for it. ε only keeps
    the quotient finite; the larger it is, the more relevance it swallows where z_j is small.

    layer: nn.Linear or a convolution. a: its inputs. relevance: R_j of its outputs. Returns R_i, shaped like a.
    Source: Bach, Binder, Montavon, Klauschen, Müller & Samek (2015), eq. 56 and 58.
    """
    z = forward_with(layer, a, layer.weight, layer.bias)
    s = relevance / (z + epsilon * torch.where(z < 0, -1, 1))
    return a * backward_with(layer, a, layer.weight, s)


def gamma_rule(
    layer: Layer,
    a: Float[Tensor, "batch *inputs"],
    relevance: Float[Tensor, "batch *outputs"],
    gamma: float = 0.25,
) -> Float[Tensor, "batch *inputs"]:
    """Like the plain rule, but what agrees with the output counts 1 + γ times: fewer contradictions, a calmer map.

    R_i = Σ_j (z_ij + γ z*_ij) / ( Σ_i' (z_i'j + γ z*_i'j) + b_j + γ b*_j ) · R_j

    z*_ij = z_ij where it has the sign of the output z_j = Σ_i z_ij + b_j, else 0; b*_j likewise. So where z_j > 0, with inputs
    a ≥ 0 as they come out of a ReLU, this is the plain rule with w + γ w⁺ for w and b + γ b⁺ for b.
    Where z_j = 0, nothing is handed back. The denominator is kept off zero by 10⁻⁶, added with its own sign,
    sign(0) = +1. γ = 0 is the plain rule; as γ → ∞ only what agrees counts.

    layer: nn.Linear or a convolution. a: its inputs, of either sign. relevance: R_j of its outputs. Returns R_i, shaped like a.
    Source: Montavon, Binder, Lapuschkin, Samek & Müller (2019), sec. 10.2.1, for z_j > 0 and a ≥ 0; Andéol, Kawakami, Wada,
    Kanamori, Müller & Montavon (2021), for the others.
    """
    w, b = layer.weight, layer.bias
    w_plus, w_minus = w + gamma * w.clamp(min=0), w + gamma * w.clamp(max=0)
    b_plus, b_minus = (None, None) if b is None else (b + gamma * b.clamp(min=0), b + gamma * b.clamp(max=0))
    a_plus, a_minus = a.clamp(min=0), a.clamp(max=0)
    z = forward_with(layer, a, w, b)

    def shares(w: Tensor, v: Tensor, b: Tensor | None, part: Tensor) -> Tensor:  # of Σ (a⁺w + a⁻v) + b
        s = part / stabilized(forward_with(layer, a_plus, w, b) + forward_with(layer, a_minus, v))
        return a_plus * backward_with(layer, a, w, s) + a_minus * backward_with(layer, a, v, s)

    return shares(w_plus, w_minus, b_plus, relevance * (z > 0)) + shares(
        w_minus, w_plus, b_minus, relevance * (z < 0)
    )


def z_plus_rule(
    layer: Layer, a: Float[Tensor, "batch *inputs"], relevance: Float[Tensor, "batch *outputs"]
) -> Float[Tensor, "batch *inputs"]:
    """Relevance goes only to the inputs that spoke for the output; nobody receives a negative share.

    R_i = Σ_j z⁺_ij / (Σ_i' z⁺_i'j + b⁺_j) · R_j,    z⁺_ij = max(0, a_i w_ij) = a⁺_i w⁺_ij + a⁻_i w⁻_ij

    The denominator is kept off zero by 10⁻⁶. Inputs may be negative: a negative input times a negative weight
    speaks for the output, too.

    layer: nn.Linear or a convolution. a: its inputs. relevance: R_j of its outputs. Returns R_i, shaped like a.
    Source: Bach et al. (2015), eq. 60 with α = 1, β = 0; Montavon, Lapuschkin, Binder, Samek & Müller (2017), sec. 4.2.
    """
    a_plus, a_minus = a.clamp(min=0), a.clamp(max=0)
    w_plus, w_minus = layer.weight.clamp(min=0), layer.weight.clamp(max=0)
    b_plus = None if layer.bias is None else layer.bias.clamp(min=0)
    z = forward_with(layer, a_plus, w_plus, b_plus) + forward_with(layer, a_minus, w_minus)
    s = relevance / stabilized(z)
    return a_plus * backward_with(layer, a, w_plus, s) + a_minus * backward_with(layer, a, w_minus, s)


def alpha_beta_rule(
    layer: Layer,
    a: Float[Tensor, "batch *inputs"],
    relevance: Float[Tensor, "batch *outputs"],
    alpha: float = 2.0,
    beta: float = 1.0,
) -> Float[Tensor, "batch *inputs"]:
    """What spoke for the output and what spoke against it are shared out apart, α times the one minus β times the other.

    R_i = Σ_j ( α · z⁺_ij / (Σ_i' z⁺_i'j + b⁺_j) − β · z⁻_ij / (Σ_i' z⁻_i'j + b⁻_j) ) · R_j

    z⁺_ij = max(0, a_i w_ij) and z⁻_ij = min(0, a_i w_ij). Denominators are kept off zero by 10⁻⁶, added with
    their own sign (sign(0) = +1). α − β = 1 keeps the sum.

    layer: nn.Linear or a convolution. a: its inputs. relevance: R_j of its outputs. Returns R_i, shaped like a.
    Raises ValueError unless α − β = 1 and β ≥ 0.
    Source: Bach et al. (2015), eq. 60.
    """
    if abs(alpha - beta - 1) > 1e-9 or beta < 0:
        raise ValueError(
            f"alpha − beta must be 1 with beta ≥ 0, not {alpha} − {beta}: the sum would not be kept."
        )
    a_plus, a_minus = a.clamp(min=0), a.clamp(max=0)
    w_plus, w_minus = layer.weight.clamp(min=0), layer.weight.clamp(max=0)
    bias = layer.bias
    b_plus, b_minus = (None, None) if bias is None else (bias.clamp(min=0), bias.clamp(max=0))

    def shares(w: Tensor, v: Tensor, b: Tensor | None) -> Tensor:  # of z = Σ (a⁺w + a⁻v) + b
        z = forward_with(layer, a_plus, w, b) + forward_with(layer, a_minus, v)
        s = relevance / stabilized(z)
        return a_plus * backward_with(layer, a, w, s) + a_minus * backward_with(layer, a, v, s)

    return alpha * shares(w_plus, w_minus, b_plus) - beta * shares(w_minus, w_plus, b_minus)


def w_square_rule(
    layer: Layer, a: Float[Tensor, "batch *inputs"], relevance: Float[Tensor, "batch *outputs"]
) -> Float[Tensor, "batch *inputs"]:
    """Relevance goes to each input by the square of its weight alone, whatever the input's value.

    R_i = Σ_j w²_ij / (Σ_i' w²_i'j + b²_j) · R_j

    For a first layer whose inputs may be any real number, so that a zero is not "nothing". The denominator is kept off
    zero by 10⁻⁶. At a border, only the weights that reach real inputs count.

    layer: nn.Linear or a convolution. a: its inputs; only their shape matters. relevance: R_j of its outputs.
    Returns R_i, shaped like a.
    Source: Montavon, Lapuschkin, Binder, Samek & Müller (2017), sec. 4.1, "w²-rule"; b² is not in the paper.
    """
    squares = layer.weight.square()
    z = forward_with(layer, torch.ones_like(a), squares, None if layer.bias is None else layer.bias.square())
    return backward_with(layer, a, squares, relevance / stabilized(z))


def z_box_rule(
    layer: Layer,
    a: Float[Tensor, "batch *inputs"],
    relevance: Float[Tensor, "batch *outputs"],
    low: Tensor | float,
    high: Tensor | float,
) -> Float[Tensor, "batch *inputs"]:
    """For pixels: what counts is how far a pixel is from the extreme that would have spoken least for the output.

    R_i = Σ_j n_ij / Σ_i' n_i'j · R_j,    n_ij = a_i w_ij − l_i w⁺_ij − h_i w⁻_ij

    As l_i ≤ a_i ≤ h_i, no n_ij is negative. A black pixel can be relevant, too: it could have been white.
    The bias takes no part. The denominator is kept off zero by 10⁻⁶, added with its own sign (sign(0) = +1).

    layer: nn.Linear or a convolution that sees the pixels. a: the pixels. relevance: R_j of its outputs.
    low, high: l and h, numbers or tensors that fit a, e.g. (1, channels, 1, 1) for one range per colour.
    Returns R_i, shaped like a.
    Source: Montavon, Lapuschkin, Binder, Samek & Müller (2017), sec. 4.2, "z^B-rule".
    """
    above, below = a - torch.as_tensor(low).to(a), a - torch.as_tensor(high).to(a)
    w_plus, w_minus = layer.weight.clamp(min=0), layer.weight.clamp(max=0)
    z = forward_with(layer, above, w_plus) + forward_with(layer, below, w_minus)
    s = relevance / stabilized(z)
    return above * backward_with(layer, a, w_plus, s) + below * backward_with(layer, a, w_minus, s)


# --- the whole network ---


def hand_back(layer: nn.Module, a: Tensor, relevance: Tensor) -> Tensor:
    """What a layer without weights does with relevance, for propagation layer by layer.

    ReLU and dropout leave it unchanged, flatten reshapes it, max pooling gives it to the maximum of each window,
    average pooling shares it like the ε rule.
    """
    if isinstance(layer, nn.ReLU | nn.Dropout | nn.Identity | nn.Flatten):
        return relevance.reshape(a.shape)
    if not isinstance(layer, nn.MaxPool2d | nn.AvgPool2d | nn.AdaptiveAvgPool2d):
        raise ValueError(
            f"There is no way to hand relevance back through {layer}. "
            "A batch normalization must be merged into the layer before it; branches are no chain of layers."
        )
    with torch.enable_grad():
        start = a.detach().requires_grad_()
        z = layer(start)
        if isinstance(layer, nn.MaxPool2d):
            return torch.autograd.grad((z * relevance).sum(), start)[0]
        s = relevance / stabilized(z.detach())
        return a * torch.autograd.grad((z * s).sum(), start)[0]


def relevance_by_layer(
    model: nn.Sequential,
    x: Float[Tensor, "batch *image"],
    target: Int[Tensor, " batch"] | int | None = None,
    rules: Rule | Mapping[str, Rule] = epsilon_rule,
) -> list[Tensor]:
    """Hand the target's logit back through a chain of layers, and keep what each layer's inputs receive.

    R(output) = logit of the target at its place, 0 elsewhere;  then from the last layer to the first

        dense, convolution     R ← rule(layer, a, R),     a = what went into the layer for this x
        any other              R ← hand_back(layer, a, R)

    model: layers in a row, ending in logits (batch, classes). target: a class for all images, one per image, or
    None for the class that the model sees in each. rules: one rule for all layers, or a mapping from their names
    to rules; a rule is called as rule(layer, a, relevance).
    Returns len(model) + 1 tensors: the pixels' relevance, shaped like x, then that of each layer's outputs; the last one
    is R(output). Each carries no history. Raises ValueError for a model that is no chain of layers, no nn.Sequential.
    Source: Bach, Binder, Montavon, Klauschen, Müller & Samek (2015), sec. 2.
    """
    if not isinstance(model, nn.Sequential):
        raise ValueError(f"{type(model).__name__} is no chain of layers (nn.Sequential).")
    inputs = [x]
    with torch.no_grad(), evaluation_mode(model):
        for layer in model:
            inputs.append(layer(inputs[-1].clone()))  # a copy: a layer may work in place
        logits = inputs.pop()
        relevances = [logits * one_hot(logits, target)]
        for (name, layer), a in reversed(list(zip(model._modules.items(), inputs, strict=True))):
            if isinstance(layer, Layer):
                rule = rules[name] if isinstance(rules, Mapping) else rules
                relevances.append(rule(layer, a, relevances[-1]).detach())
            else:
                relevances.append(hand_back(layer, a, relevances[-1]).detach())
    return relevances[::-1]


def relevance_through_branches(
    model: nn.Module,
    x: Float[Tensor, "batch *image"],
    target: Int[Tensor, " batch"] | int | None = None,
    rules: Rule | Mapping[str, Rule] = epsilon_rule,
) -> Float[Tensor, "batch *image"]:
    """Hand the target's logit back through a network whose branches part and meet again in sums.

    Give every dense or convolution layer the value z that it always gives, but a gradient of its own: where g_j = R_j / z_j
    comes from above, it passes on g_i = R_i / a_i, with R_i from its rule. All else (ReLU, maxima, means, sums, a layer used
    twice) passes on R / z as it passes on a gradient. So input × gradient is relevance: R_i = x_i g_i.

    model: maps (batch, …) to logits (batch, classes), with nothing else in it: no other activations, no products, batch
    normalization merged before, no layer that works in place. w² and zᴮ only for the layers that see x. Nobody looks whether
    that is so.
    Returns one map per image, shaped like x.
    Source: Ancona, Ceolini, Öztireli & Gross (2018), proposition 1, for the ε rule.
    """

    def follow_rule(name: str, layer: nn.Module, inputs: tuple[Tensor], z: Tensor) -> Tensor:
        rule = rules[name] if isinstance(rules, Mapping) else rules
        return HandBack.apply(inputs[0], partial(rule, layer), z.detach())

    layers = weighted_layers(model)
    handles = [layer.register_forward_hook(partial(follow_rule, name)) for name, layer in layers]
    try:
        x = never_zero(x.detach())  # under zᴮ and w², a pixel of zero gets relevance, too
        return x * input_gradient(model, x, target)
    finally:
        for handle in handles:
            handle.remove()


def lrp(
    model: nn.Module,
    x: Float[Tensor, "batch *image"],
    target: Int[Tensor, " batch"] | int | None = None,
    rules: Rule | Mapping[str, Rule] = epsilon_rule,
) -> Float[Tensor, "batch *image"]:
    """Hand the target's logit back through the whole network: what each pixel has contributed to it.

    R(output) = logit of the target at its place, 0 elsewhere;  then from the last layer to the first

        dense, convolution     R ← rule(layer, a, R),  a = the layer's inputs for this x
        activations, dropout   R unchanged
        flatten                R, reshaped
        max pooling            each R to the place of its window's maximum
        average pooling        like a dense layer with equal weights under the ε rule

    so that Σ_i R_i = f(x), up to what biases and ε keep back.

    model: maps (batch, …) to logits (batch, classes); looked at in evaluation mode and left as it was. Residual sums are
    linear layers, too; batch normalization right behind a layer is merged into it (``merge_batchnorm``).
    target: one class per image, or None for the class that the model sees in each.
    rules: one rule for all dense and convolution layers, or a mapping from their names to rules; a rule is
    called as rule(layer, a, relevance), such as ``functools.partial(gamma_rule, gamma=0.1)``.
    Returns one map per image, shaped like x, in units of the logit.
    Raises ValueError, naming the layer, where no rule is given or the network does what no rule describes.
    Source: Bach et al. (2015), sec. 2; Montavon et al. (2019), sec. 10.2 and 10.3.
    """
    return relevance_of_inputs(model, x, target, rules, _SHORTCUTS)


# These rules ``lrp`` need not call as they stand; it has a quicker way for each, with the same result.
_SHORTCUTS = {
    epsilon_rule: EPSILON,
    gamma_rule: GAMMA,
    z_plus_rule: Z_PLUS,
    alpha_beta_rule: ALPHA_BETA,
    z_box_rule: BOX,
}


def epsilon_composite(model: nn.Module, epsilon: float = STABILIZER) -> dict[str, Rule]:
    """The ε rule for every dense and convolution layer of the model, by name."""
    return {name: partial(epsilon_rule, epsilon=epsilon) for name, _ in weighted_layers(model)}


def epsilon_plus(model: nn.Module, epsilon: float = STABILIZER) -> dict[str, Rule]:
    """The z⁺ rule for convolutions, the ε rule for dense layers: the simplest composite that gives calm maps."""
    return {
        name: partial(epsilon_rule, epsilon=epsilon) if isinstance(layer, nn.Linear) else z_plus_rule
        for name, layer in weighted_layers(model)
    }


def epsilon_gamma_box(
    model: nn.Module,
    low: Tensor | float,
    high: Tensor | float,
    epsilon: float = STABILIZER,
    gamma: float = 0.25,
) -> dict[str, Rule]:
    """Each layer the rule that suits it: zᴮ for the convolution that sees pixels, γ for the others, ε for dense layers.

    Close to the output few units decide and all of their parts matter (ε); in the convolutions many units
    contradict each other, and favouring agreement calms the map (γ); pixels have bounds (zᴮ).

    model: its dense and convolution layers, in the order of ``model.named_modules()``; the first convolution sees the pixels.
    low, high: bounds of a pixel, numbers or tensors. Returns {name of the layer: rule}, each rule a function
    that wants only (layer, a, relevance), such as ``functools.partial`` makes.
    Source: Montavon, Binder, Lapuschkin, Samek & Müller (2019), sec. 10.3.
    """
    rules: dict[str, Rule] = {}
    pixels_seen = False
    for name, layer in weighted_layers(model):
        if isinstance(layer, nn.Linear):
            rules[name] = partial(epsilon_rule, epsilon=epsilon)
        elif pixels_seen:
            rules[name] = partial(gamma_rule, gamma=gamma)
        else:
            rules[name] = partial(z_box_rule, low=low, high=high)
            pixels_seen = True
    return rules
