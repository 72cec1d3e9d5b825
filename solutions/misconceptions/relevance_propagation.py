"""Chapter 6: what people write about relevance propagation, and other right ways."""

import copy
from contextlib import nullcontext
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from solutions.filters import evaluation_mode
from solutions.lrp import (
    alpha_beta_rule,
    backward_with,
    epsilon_rule,
    forward_with,
    gamma_rule,
    hand_back,
    merge_batchnorm,
    stabilized,
    weighted_layers,
    z_box_rule,
    z_plus_rule,
)

# ------------------------------------------------------------------------------------------ epsilon_rule


def forgets_the_sign(layer, a, relevance, epsilon=1e-6):
    """You add ε without the sign of z. For a negative z that pulls the denominator towards zero instead of away, and the relevance explodes exactly where ε should calm it."""
    z = forward_with(layer, a, layer.weight, layer.bias)
    return a * backward_with(layer, a, layer.weight, relevance / (z + epsilon))


def leaves_out_the_bias(layer, a, relevance, epsilon=1e-6):
    """Your z_j has no bias. Then nothing is lost, which is tempting, but the layer's output was another one: the inputs now divide among themselves what the bias had brought."""
    z = forward_with(layer, a, layer.weight)
    return a * backward_with(layer, a, layer.weight, relevance / (z + epsilon * torch.where(z < 0, -1, 1)))


def forgets_the_input(layer, a, relevance, epsilon=1e-6):
    """You went back through the weights and stopped: that is Σ_j w_ij s_j. An input that was zero has contributed nothing, and yet yours receives relevance."""
    z = forward_with(layer, a, layer.weight, layer.bias)
    return backward_with(layer, a, layer.weight, relevance / (z + epsilon * torch.where(z < 0, -1, 1)))


def clips_the_denominator(layer, a, relevance, epsilon=1e-6):
    """You replace small denominators by ε instead of adding ε. Small ones are then handled well, but the rule adds: large denominators grow by ε, too."""
    z = forward_with(layer, a, layer.weight, layer.bias)
    sign = torch.where(z < 0, -1, 1)
    return a * backward_with(layer, a, layer.weight, relevance / (sign * z.abs().clamp(min=epsilon)))


def divides_by_the_batch(layer, a, relevance, epsilon=1e-6):
    """Your denominators are summed over the batch: each image then pays for the others. Every row is an explanation of its own."""
    z = forward_with(layer, a, layer.weight, layer.bias).sum(dim=0, keepdim=True)
    s = relevance / (z + epsilon * torch.where(z < 0, -1, 1))
    return a * backward_with(layer, a, layer.weight, s)


def relevance_of_the_gradient(layer, a, relevance, epsilon=1e-6):
    """You multiplied relevance by the weights without dividing by z_j: a gradient step. Relevance is shared out in proportion, so the shares of one output must sum to (nearly) one."""
    return a * backward_with(layer, a, layer.weight, relevance)


def epsilon_by_autograd(layer, a, relevance, epsilon=1e-6):
    a = a.clone().requires_grad_()
    z = layer(a)
    s = relevance / (z + epsilon * ((z >= 0).to(z) * 2 - 1))
    (c,) = torch.autograd.grad((z * s.detach()).sum(), a)
    return (a * c).detach()


# -------------------------------------------------------------------------------------------- gamma_rule


def _more(t, gamma, sign):
    return None if t is None else t + gamma * (t.clamp(min=0) if sign > 0 else t.clamp(max=0))


def _on_two_sides(layer, a, relevance, side, numerators=None):
    """side(sign) → (w for a⁺, w for a⁻, b) of the outputs with that sign; the same for the numerators unless given."""
    z, total = forward_with(layer, a, layer.weight, layer.bias), 0
    a_plus, a_minus = a.clamp(min=0), a.clamp(max=0)
    for sign in (1, -1):
        w, v, b = side(sign)
        s = relevance * (sign * z > 0)
        s = s / stabilized(forward_with(layer, a_plus, w, b) + forward_with(layer, a_minus, v))
        w, v = (w, v) if numerators is None else numerators(sign)
        total = total + a_plus * backward_with(layer, a, w, s) + a_minus * backward_with(layer, a, v, s)
    return total


def favours_positive_weights_everywhere(layer, a, relevance, gamma=0.25):
    """You favour w⁺ for every output. Behind a ReLU, where z_j > 0, that is the rule; where z_j < 0, a positive part speaks *against* the output, and more of it pulls the denominator to zero: the relevance explodes. Look at the sign of z_j."""
    w, b = _more(layer.weight, gamma, 1), _more(layer.bias, gamma, 1)
    return a * backward_with(layer, a, w, relevance / stabilized(forward_with(layer, a, w, b)))


def favours_by_the_weight_alone(layer, a, relevance, gamma=0.25):
    """You look at the sign of z_j, but then at that of the weight alone. It is z_ij = a_i w_ij that agrees or not: a negative input with a negative weight speaks for the output."""
    w, b = layer.weight, layer.bias
    return _on_two_sides(
        layer,
        a,
        relevance,
        lambda sign: (_more(w, gamma, sign), _more(w, gamma, sign), _more(b, gamma, sign)),
    )


def forgets_the_units_that_said_no(layer, a, relevance, gamma=0.25):
    """Outputs with z_j < 0 hand nothing back in yours. Behind a ReLU they have no relevance to give; behind a sum, or as a logit, they have, and it gets lost."""
    positive = forward_with(layer, a, layer.weight, layer.bias) > 0
    return gamma_rule(layer, a, relevance * positive, gamma)


def favours_only_the_denominator(layer, a, relevance, gamma=0.25):
    """What is favoured stands in your denominator only. Numerators and denominators must be made of the same z_ij, or the shares do not sum to one."""
    w, b = layer.weight, layer.bias
    return _on_two_sides(
        layer,
        a,
        relevance,
        lambda sign: (_more(w, gamma, sign), _more(w, gamma, -sign), _more(b, gamma, sign)),
        lambda sign: (w, w),
    )


def favours_what_disagrees(layer, a, relevance, gamma=0.25):
    """You favour the parts that speak against the output. The map gets wilder instead of calmer."""
    w, b = layer.weight, layer.bias
    return _on_two_sides(
        layer,
        a,
        relevance,
        lambda sign: (_more(w, gamma, -sign), _more(w, gamma, sign), _more(b, gamma, -sign)),
    )


def keeps_only_the_favoured(layer, a, relevance, gamma=0.25):
    """You use γ z*_ij alone. The plain z_ij are to stay; what agrees counts γ times *more*."""
    w, b = layer.weight, layer.bias
    return _on_two_sides(
        layer,
        a,
        relevance,
        lambda sign: (_more(w, gamma, sign) - w, _more(w, gamma, -sign) - w, _more(b, gamma, sign) - b),
    )


def forgets_the_favoured_bias(layer, a, relevance, gamma=0.25):
    """Your bias stayed as it was. It is a contribution like any other: when it agrees with the output, it counts 1 + γ times, too."""
    w, b = layer.weight, layer.bias
    return _on_two_sides(layer, a, relevance, lambda sign: (_more(w, gamma, sign), _more(w, gamma, -sign), b))


def favours_without_a_bias(layer, a, relevance, gamma=0.25):
    """Your denominator has no bias. Then the inputs divide among themselves what the bias had brought; look at the end of the denominator."""
    w = layer.weight
    return _on_two_sides(
        layer, a, relevance, lambda sign: (_more(w, gamma, sign), _more(w, gamma, -sign), None)
    )


def gamma_by_autograd(layer, a, relevance, gamma=0.25):
    a = a.detach().clone().requires_grad_()
    z = layer(a).detach()

    def q(sign):
        w, v = _more(layer.weight, gamma, sign), _more(layer.weight, gamma, -sign)
        return forward_with(layer, a.relu(), w, _more(layer.bias, gamma, sign)) - forward_with(
            layer, (-a).relu(), v
        )

    chosen = torch.where(z > 0, q(1), q(-1))
    s = torch.where(z == 0, 0, relevance / stabilized(chosen.detach()))
    return (a * torch.autograd.grad(chosen, a, s)[0]).detach()


def gamma_by_changed_layers(layer, a, relevance, gamma=0.25):
    def changed(sign, bias):
        copied = copy.deepcopy(layer)
        copied.weight.data = _more(layer.weight, gamma, sign).data
        copied.bias.data = _more(layer.bias, gamma, bias).data if bias else torch.zeros_like(layer.bias)
        return copied

    z, total = layer(a), 0
    for sign in (1, -1):
        yes, no = changed(sign, sign), changed(-sign, 0)
        a_plus, a_minus = (t.detach().clone().requires_grad_() for t in (a.clamp(min=0), a.clamp(max=0)))
        q = yes(a_plus) + no(a_minus)
        s = relevance * (sign * z > 0) / (q + 1e-6 * torch.where(q < 0, -1, 1))
        for part, c in zip(
            (a_plus, a_minus), torch.autograd.grad(q, (a_plus, a_minus), s.detach()), strict=True
        ):
            total = total + part.detach() * c
    return total


# ------------------------------------------------------------------------------------------- z_plus_rule


def only_positive_weights(layer, a, relevance):
    """You used w⁺ on all inputs. For a ≥ 0 that is the rule; where an input is negative, a positive weight speaks *against* the output, and a negative one for it."""
    w, b = layer.weight.clamp(min=0), layer.bias.clamp(min=0)
    return a * backward_with(layer, a, w, relevance / stabilized(forward_with(layer, a, w, b)))


def drops_negative_inputs(layer, a, relevance):
    """You cut negative inputs to zero. But a negative input with a negative weight speaks for the output, and earns its share."""
    a, w, b = a.clamp(min=0), layer.weight.clamp(min=0), layer.bias.clamp(min=0)
    return a * backward_with(layer, a, w, relevance / stabilized(forward_with(layer, a, w, b)))


def cuts_the_result(layer, a, relevance):
    """You applied the plain rule and cut what came out negative. Then the sum grows: z⁺ must choose what counts before it divides, not after."""
    return epsilon_rule(layer, a, relevance).clamp(min=0)


def keeps_the_negative_bias(layer, a, relevance):
    """You let the whole bias into the denominator, b instead of b⁺. A negative bias makes it smaller, and the shares add up to more than one."""
    a_plus, a_minus, w = a.clamp(min=0), a.clamp(max=0), layer.weight
    z = forward_with(layer, a_plus, w.clamp(min=0), layer.bias) + forward_with(layer, a_minus, w.clamp(max=0))
    s = relevance / stabilized(z)
    return a_plus * backward_with(layer, a, w.clamp(min=0), s) + a_minus * backward_with(
        layer, a, w.clamp(max=0), s
    )


def shares_without_a_bias(layer, a, relevance):
    """Your denominator has no bias. When it spoke for the output, it keeps its share of the relevance; look at the end of the denominator."""
    a_plus, a_minus, w_plus, w_minus = (
        t for tensor in (a, layer.weight) for t in (tensor.clamp(min=0), tensor.clamp(max=0))
    )
    z = forward_with(layer, a_plus, w_plus) + forward_with(layer, a_minus, w_minus)
    s = relevance / stabilized(z)
    return a_plus * backward_with(layer, a, w_plus, s) + a_minus * backward_with(layer, a, w_minus, s)


def z_plus_as_alpha_one(layer, a, relevance):
    return alpha_beta_rule(layer, a, relevance, alpha=1.0, beta=0.0)


# --------------------------------------------------------------------------------------- alpha_beta_rule


def _both(layer, a, relevance):
    negated = copy.deepcopy(layer)
    for parameter in negated.parameters():
        parameter.data.neg_()
    return z_plus_rule(layer, a, relevance), z_plus_rule(negated, a, relevance)


def adds_what_spoke_against(layer, a, relevance, alpha=2.0, beta=1.0):
    """You add the β part. What spoke against the output is taken away; added, it becomes support, and the sum is α + β instead of α − β times R."""
    plus, minus = _both(layer, a, relevance)
    return alpha * plus + beta * minus


def swaps_alpha_and_beta(layer, a, relevance, alpha=2.0, beta=1.0):
    """You weighted the opponents by α and the supporters by β. The map's signs are turned around."""
    plus, minus = _both(layer, a, relevance)
    return beta * plus - alpha * minus


def one_denominator_for_both(layer, a, relevance, alpha=2.0, beta=1.0):
    """You divided both parts by the layer's output z_j. Each part has a denominator of its own, so that each shares out exactly R_j."""
    w, a_plus, a_minus = layer.weight, a.clamp(min=0), a.clamp(max=0)
    s = relevance / stabilized(forward_with(layer, a, w, layer.bias))
    w_plus, w_minus = w.clamp(min=0), w.clamp(max=0)
    plus = a_plus * backward_with(layer, a, w_plus, s) + a_minus * backward_with(layer, a, w_minus, s)
    minus = a_plus * backward_with(layer, a, w_minus, s) + a_minus * backward_with(layer, a, w_plus, s)
    return alpha * plus - beta * minus


def alpha_beta_by_two_plus_rules(layer, a, relevance, alpha=2.0, beta=1.0):
    plus, minus = _both(layer, a, relevance)
    return alpha * plus - beta * minus


# ----------------------------------------------------------------------------------------- w_square_rule


def squares_the_contributions(layer, a, relevance):
    """You squared a_i w_ij. The w² rule does not look at the input at all: it is made for inputs that may be any number."""
    w, b = layer.weight.square(), layer.bias.square()
    s = relevance / stabilized(forward_with(layer, a.square(), w, b))
    return a.square() * backward_with(layer, a, w, s)


def multiplies_squares_by_inputs(layer, a, relevance):
    """You multiplied by a at the end, as in the other rules. Here the shares are w²_ij alone; multiplied by a, they no longer sum to R_j."""
    w, b = layer.weight.square(), layer.bias.square()
    s = relevance / stabilized(forward_with(layer, torch.ones_like(a), w, b))
    return a * backward_with(layer, a, w, s)


def absolute_instead_of_square(layer, a, relevance):
    """You used |w| instead of w². Then ten small weights outweigh a large one more easily; the derivation (nearest root in the direction of w) gives squares."""
    w, b = layer.weight.abs(), layer.bias.abs()
    return backward_with(layer, a, w, relevance / stabilized(forward_with(layer, torch.ones_like(a), w, b)))


def squares_without_a_bias(layer, a, relevance):
    """Your denominator sums the squares of the weights alone, as the original paper does. Here the bias keeps its share; look at the end of the denominator."""
    w = layer.weight.square()
    return backward_with(layer, a, w, relevance / stabilized(forward_with(layer, torch.ones_like(a), w)))


def counts_weights_beyond_the_border(layer, a, relevance):
    """You divided by the squares of the whole kernel everywhere. At the border a part of it lies outside the image, where nobody can receive a share, and relevance gets lost there."""
    squares = layer.weight.square()
    z = squares.flatten(1).sum(1) + layer.bias.square()
    return backward_with(layer, a, squares, relevance / stabilized(z).view(-1, *[1] * (relevance.ndim - 2)))


def w_square_by_autograd(layer, a, relevance):
    changed = copy.deepcopy(layer)
    for parameter in changed.parameters():
        parameter.data.square_()
    ones = torch.ones_like(a).requires_grad_()
    z = changed(ones)
    return torch.autograd.grad(z, ones, relevance / stabilized(z.detach()))[0]


# -------------------------------------------------------------------------------------------- z_box_rule


def _box(layer, a, s, low, high):
    w = layer.weight
    one = torch.ones_like(a)
    return (
        a * backward_with(layer, a, w, s)
        - low * one * backward_with(layer, a, w.clamp(min=0), s)
        - high * one * backward_with(layer, a, w.clamp(max=0), s)
    )


def _box_z(layer, a, low, high, bias=None):
    w, one = layer.weight, torch.ones_like(a)
    return (
        forward_with(layer, a, w, bias)
        - forward_with(layer, low * one, w.clamp(min=0))
        - forward_with(layer, high * one, w.clamp(max=0))
    )


def swaps_low_and_high(layer, a, relevance, low, high):
    """You paired low with w⁻ and high with w⁺. A positive weight speaks least when its pixel is *low*; the other way round n_ij is negative."""
    return _box(layer, a, relevance / stabilized(_box_z(layer, a, high, low)), high, low)


def keeps_the_bias_in_the_box(layer, a, relevance, low, high):
    """You left the bias in the denominator. It is the same at the extreme point and at x, so it cancels out of the difference."""
    return _box(layer, a, relevance / stabilized(_box_z(layer, a, low, high, layer.bias)), low, high)


def box_only_below(layer, a, relevance, low, high):
    """You subtract low, but there is no high in your rule. A dark pixel under a negative weight then looks irrelevant, though it could have been bright."""
    w = layer.weight
    one = torch.ones_like(a)
    z = forward_with(layer, a - low * one, w)
    return (a - low) * backward_with(layer, a, w, relevance / stabilized(z))


def subtracts_only_in_the_denominator(layer, a, relevance, low, high):
    """You have the box in the denominator, but share out a_i w_ij. Numerators and denominators must be made of the same n_ij: look at the sum of your shares."""
    return a * backward_with(layer, a, layer.weight, relevance / stabilized(_box_z(layer, a, low, high)))


def box_with_three_passes(layer, a, relevance, low, high):
    return _box(layer, a, relevance / stabilized(_box_z(layer, a, low, high)), low, high)


# ------------------------------------------------------------------------------------ relevance_by_layer


def starts_from_one(model, x, target=None, rules=epsilon_rule):
    """You started with a 1 at the target instead of its logit. Everything is in proportion, but the sum is 1 and no longer the network's answer."""
    with torch.no_grad(), evaluation_mode(model):
        logits = model(x.clone())
    wanted = logits.argmax(1) if target is None else target
    factor = logits.gather(1, wanted[:, None])
    return _walk(model, x, wanted, rules, seed=logits / factor)


def starts_from_all_logits(model, x, target=None, rules=epsilon_rule):
    """You started with all logits. Then the map explains all classes at once, and for the target you would get the same as for any other."""
    return _walk(model, x, None, rules, seed=None, only_target=False)


def starts_from_probabilities(model, x, target=None, rules=epsilon_rule):
    """You started with the softmax probability. Relevance that is conserved is the logit's: probabilities mix in all other classes."""
    with torch.no_grad(), evaluation_mode(model):
        logits = model(x.clone())
    wanted = logits.argmax(1) if target is None else target
    return _walk(model, x, wanted, rules, seed=logits.softmax(1))


def begins_with_the_output(model, x, target=None, rules=epsilon_rule):
    """Your relevances are right, but they stand in the order in which you walked. The list is to begin with the pixels and end with the output."""
    return _walk(model, x, target, rules)[::-1]


def walks_in_training_mode(model, x, target=None, rules=epsilon_rule):
    """You ran the layers in the mode that the model came in. In training mode dropout throws activations away (here: all of them): you explained a network that nobody uses."""
    return _walk(model, x, target, rules, evaluate=False)


def _walk(model, x, target, rules, seed=None, only_target=True, evaluate=True):
    inputs = [x]
    with torch.no_grad(), evaluation_mode(model) if evaluate else nullcontext():
        for layer in model:
            inputs.append(layer(inputs[-1].clone()))
    logits = inputs.pop()
    start = logits if seed is None else seed
    if only_target:
        wanted = logits.argmax(1) if target is None else target
        start = start * F.one_hot(wanted, logits.shape[1])
    out = [start]
    for (name, layer), a in reversed(list(zip(model._modules.items(), inputs, strict=True))):
        rule = rules if callable(rules) else rules.get(name)
        back = rule if hasattr(layer, "weight") else hand_back
        out.append(back(layer, a, out[-1]).detach())
    return out[::-1]


def relevance_layer_after_layer(model, x, target=None, rules=epsilon_rule):
    return tuple(_walk(model, x, target, rules))


# ------------------------------------------------------------------------------------- epsilon_gamma_box


def box_for_every_convolution(model, low, high, epsilon=1e-6, gamma=0.25):
    """All your convolutions have the box rule. Only the first one sees pixels; a hidden activation has no upper bound."""
    return {
        name: partial(epsilon_rule, epsilon=epsilon)
        if isinstance(layer, nn.Linear)
        else partial(z_box_rule, low=low, high=high)
        for name, layer in weighted_layers(model)
    }


def no_box_at_all(model, low, high, epsilon=1e-6, gamma=0.25):
    """The first convolution got γ like the others. At the pixels, zero is not "nothing": black is a colour, and that is what the box rule is for."""
    return {
        name: partial(epsilon_rule, epsilon=epsilon)
        if isinstance(layer, nn.Linear)
        else partial(gamma_rule, gamma=gamma)
        for name, layer in weighted_layers(model)
    }


def gamma_above_epsilon_below(model, low, high, epsilon=1e-6, gamma=0.25):
    """You gave γ to the dense layers and ε to the convolutions. It is the many units of convolutions that contradict each other and need calming."""
    rules = {}
    for k, (name, layer) in enumerate(weighted_layers(model)):
        dense = isinstance(layer, nn.Linear)
        rules[name] = partial(gamma_rule, gamma=gamma) if dense else partial(epsilon_rule, epsilon=epsilon)
        if k == 0:
            rules[name] = partial(z_box_rule, low=low, high=high)
    return rules


def one_epsilon_for_all(model, low, high, epsilon=1e-6, gamma=0.25):
    """Your rules use their default numbers, whatever epsilon and gamma were asked for. `partial` must pass them on."""
    rules = {}
    for name, layer in weighted_layers(model):
        rules[name] = epsilon_rule if isinstance(layer, nn.Linear) else gamma_rule
    return {
        name: partial(z_box_rule, low=low, high=high) if k == 0 else rule
        for k, (name, rule) in enumerate(rules.items())
    }


def composite_dense_layers_first(model, low, high, epsilon=1e-6, gamma=0.25):
    layers = dict(model.named_modules())
    dense = [name for name, layer in layers.items() if isinstance(layer, nn.Linear)]
    first, *others = [name for name, layer in layers.items() if isinstance(layer, nn.Conv2d)]
    return (
        dict.fromkeys(dense, partial(epsilon_rule, epsilon=epsilon))
        | dict.fromkeys(others, partial(gamma_rule, gamma=gamma))
        | {first: partial(z_box_rule, low=low, high=high)}
    )


def composite_by_functions(model, low, high, epsilon=1e-6, gamma=0.25):
    names = weighted_layers(model)
    first = next(name for name, layer in names if not isinstance(layer, nn.Linear))

    def rule_for(name, layer):
        if name == first:
            return lambda layer, a, relevance: z_box_rule(layer, a, relevance, low, high)
        if isinstance(layer, nn.Linear):
            return lambda layer, a, relevance: epsilon_rule(layer, a, relevance, epsilon)
        return lambda layer, a, relevance: gamma_rule(layer, a, relevance, gamma)

    return {name: rule_for(name, layer) for name, layer in names}


# --------------------------------------------------------------------------------------- merge_batchnorm


def _merged(conv, weight, bias):
    layer = copy.deepcopy(conv).eval()
    layer.weight = nn.Parameter(weight.detach())
    layer.bias = nn.Parameter(bias.detach())
    return layer


def _parts(conv, bn):
    gamma = 1 if bn.weight is None else bn.weight
    beta = 0 if bn.bias is None else bn.bias
    b = 0 if conv.bias is None else conv.bias
    across = [1] * (conv.weight.ndim - 1)
    return gamma, beta, b, lambda factor: factor.view(-1, *across)


def divides_by_the_variance(conv, bn):
    """You divided by σ² + ε. The normalization divides by the standard deviation, its square root."""
    gamma, beta, b, wide = _parts(conv, bn)
    factor = gamma / (bn.running_var + bn.eps)
    return _merged(conv, conv.weight * wide(factor), (b - bn.running_mean) * factor + beta)


def forgets_the_mean(conv, bn):
    """Your bias does not know the running mean. The normalization subtracts it before anything else."""
    gamma, beta, b, wide = _parts(conv, bn)
    factor = gamma * (bn.running_var + bn.eps).rsqrt()
    return _merged(conv, conv.weight * wide(factor), b * factor + beta + 0 * bn.running_mean)


def leaves_the_bias_unscaled(conv, bn):
    """You subtract the mean, but do not scale what is left: the bias passes through the normalization, too, and is multiplied by γ/√(σ² + ε)."""
    gamma, beta, b, wide = _parts(conv, bn)
    factor = gamma * (bn.running_var + bn.eps).rsqrt()
    return _merged(conv, conv.weight * wide(factor), b - bn.running_mean + beta)


def forgets_the_small_number(conv, bn):
    """You divided by √σ² alone. The normalization adds its small number, `bn.eps`, before it takes the root, and it need not be that small."""
    gamma, beta, b, wide = _parts(conv, bn)
    factor = gamma * bn.running_var.rsqrt()
    return _merged(conv, conv.weight * wide(factor), (b - bn.running_mean) * factor + beta)


def changes_the_layer_itself(conv, bn):
    """What you return is right, but it is the old layer with other weights: the network that it came from now normalizes twice. Return a copy."""
    merged = merge_batchnorm(conv, bn)
    conv.weight.data.copy_(merged.weight)
    return merged


def merge_by_standard_deviation(conv, bn):
    gamma, beta, b, wide = _parts(conv, bn)
    sigma = (bn.running_var + bn.eps) ** 0.5
    shift = gamma * (torch.zeros_like(sigma) + b - bn.running_mean) / sigma + beta
    return _merged(conv, conv.weight * wide(gamma / sigma), shift)


MISCONCEPTIONS = {
    "epsilon_rule": [
        forgets_the_sign, leaves_out_the_bias, forgets_the_input, clips_the_denominator, divides_by_the_batch,
        relevance_of_the_gradient,
    ],
    "relevance_by_layer": [
        starts_from_one, starts_from_all_logits, starts_from_probabilities, walks_in_training_mode,
        begins_with_the_output,
    ],
    "gamma_rule": [
        favours_positive_weights_everywhere, favours_by_the_weight_alone, forgets_the_units_that_said_no,
        favours_only_the_denominator, favours_what_disagrees, keeps_only_the_favoured, forgets_the_favoured_bias,
        favours_without_a_bias,
    ],
    "z_plus_rule": [
        only_positive_weights, drops_negative_inputs, cuts_the_result, keeps_the_negative_bias,
        shares_without_a_bias,
    ],
    "alpha_beta_rule": [adds_what_spoke_against, swaps_alpha_and_beta, one_denominator_for_both],
    "w_square_rule": [
        squares_the_contributions, multiplies_squares_by_inputs, absolute_instead_of_square,
        squares_without_a_bias, counts_weights_beyond_the_border,
    ],
    "z_box_rule": [
        swaps_low_and_high, keeps_the_bias_in_the_box, box_only_below, subtracts_only_in_the_denominator,
    ],
    "epsilon_gamma_box": [
        box_for_every_convolution, no_box_at_all, gamma_above_epsilon_below, one_epsilon_for_all,
    ],
    "merge_batchnorm": [
        divides_by_the_variance, forgets_the_mean, leaves_the_bias_unscaled, changes_the_layer_itself,
        forgets_the_small_number,
    ],
}  # fmt: skip

ALTERNATIVES = {
    "epsilon_rule": [epsilon_by_autograd],
    "relevance_by_layer": [relevance_layer_after_layer],
    "gamma_rule": [gamma_by_autograd, gamma_by_changed_layers],
    "z_plus_rule": [z_plus_as_alpha_one],
    "alpha_beta_rule": [alpha_beta_by_two_plus_rules],
    "w_square_rule": [w_square_by_autograd],
    "z_box_rule": [box_with_three_passes],
    "epsilon_gamma_box": [composite_by_functions, composite_dense_layers_first],
    "merge_batchnorm": [merge_by_standard_deviation],
}
