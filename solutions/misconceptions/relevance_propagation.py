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
    epsilon_gamma_box,
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


def _bias(layer, change):
    """A layer's bias, changed; None where it has none."""
    return None if layer.bias is None else change(layer.bias)


def _positive(t):
    return t.clamp(min=0)


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


def takes_the_sign_of_zero_for_zero(layer, a, relevance, epsilon=1e-6):
    """Where z_j is exactly 0, your relevance is not finite. There the sign has to be +1, so that ε keeps the quotient finite; `torch.sign(0)` is 0."""
    z = forward_with(layer, a, layer.weight, layer.bias)
    return a * backward_with(layer, a, layer.weight, relevance / (z + epsilon * z.sign()))


def ignores_epsilon(layer, a, relevance, epsilon=1e-6):
    """Whatever ε is asked for, your result is that of a tiny one. Does your denominator use `epsilon`?"""
    return epsilon_rule(layer, a, relevance, 1e-6)


def shares_by_size(layer, a, relevance, epsilon=1e-6):
    """You share out by |z_ij|. Then nobody speaks against the output any more: an input that pulled it the other way is owed a share of the other sign."""
    z = forward_with(layer, a.abs(), layer.weight.abs(), _bias(layer, torch.abs))
    return a.abs() * backward_with(layer, a, layer.weight.abs(), relevance / (z + epsilon))


def epsilon_entry_by_entry(layer, a, relevance, epsilon=1e-6):
    """With the layer written out as a matrix, in double precision."""
    flat = a.flatten(1).double()
    zero = forward_with(layer, torch.zeros_like(a[:1]), layer.weight, layer.bias).flatten(1).double()
    units = torch.eye(flat.shape[1]).view(-1, *a.shape[1:])
    matrix = forward_with(layer, units, layer.weight).flatten(1).double()
    z = flat @ matrix + zero
    shares = flat[:, :, None] * matrix / (z + epsilon * (1 - 2 * (z < 0).double()))[:, None]
    return torch.einsum("nij,nj->ni", shares, relevance.flatten(1).double()).view(a.shape).detach().numpy()


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
        lambda sign: (
            _more(w, gamma, sign) - w,
            _more(w, gamma, -sign) - w,
            None if b is None else _more(b, gamma, sign) - b,
        ),
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


def hands_back_from_zero(layer, a, relevance, gamma=0.25):
    """Outputs with z_j = 0 hand something back in yours. They have said neither yes nor no, so nothing can agree with them: look at `>` and `>=`."""
    w, b = layer.weight, layer.bias
    z = forward_with(layer, a, w, b)
    more = gamma_rule(layer, a, relevance * (z != 0), gamma)
    plus, minus = _more(w, gamma, 1), _more(w, gamma, -1)
    d = forward_with(layer, a.clamp(min=0), plus, _more(b, gamma, 1)) + forward_with(
        layer, a.clamp(max=0), minus
    )
    s = relevance * (z == 0) / stabilized(d)
    return (
        more
        + a.clamp(min=0) * backward_with(layer, a, plus, s)
        + a.clamp(max=0) * backward_with(layer, a, minus, s)
    )


def favours_only_the_numerator(layer, a, relevance, gamma=0.25):
    """What is favoured stands in your numerator only: the denominator is still z_j. Numerators and denominators must be made of the same z_ij, or the shares do not sum to one."""
    w = layer.weight
    z = forward_with(layer, a, w, layer.bias)
    a_plus, a_minus, total = a.clamp(min=0), a.clamp(max=0), 0
    for sign in (1, -1):
        s = relevance * (sign * z > 0) / stabilized(z)
        total = total + a_plus * backward_with(layer, a, _more(w, gamma, sign), s)
        total = total + a_minus * backward_with(layer, a, _more(w, gamma, -sign), s)
    return total


def ignores_gamma(layer, a, relevance, gamma=0.25):
    """Whatever γ is asked for, your result is that of γ = 0.25. Do your weights use `gamma`?"""
    return gamma_rule(layer, a, relevance, 0.25)


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
        if layer.bias is not None:
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
    w, b = layer.weight.clamp(min=0), _bias(layer, _positive)
    return a * backward_with(layer, a, w, relevance / stabilized(forward_with(layer, a, w, b)))


def drops_negative_inputs(layer, a, relevance):
    """You cut negative inputs to zero. But a negative input with a negative weight speaks for the output, and earns its share."""
    a, w, b = a.clamp(min=0), layer.weight.clamp(min=0), _bias(layer, _positive)
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


def divides_by_nothing(layer, a, relevance):
    """Where nothing spoke for an output, yours is NaN: 0/0. Keep the denominator off zero, as the docstring says; then 0 is shared out."""
    a_plus, a_minus, w = a.clamp(min=0), a.clamp(max=0), layer.weight
    w_plus, w_minus = w.clamp(min=0), w.clamp(max=0)
    z = forward_with(layer, a_plus, w_plus, _bias(layer, _positive)) + forward_with(layer, a_minus, w_minus)
    s = relevance / z
    return a_plus * backward_with(layer, a, w_plus, s) + a_minus * backward_with(layer, a, w_minus, s)


def counts_every_contribution_by_size(layer, a, relevance):
    """You took |a_i w_ij|. What spoke against the output then counts as if it had spoken for it; z⁺ leaves it out."""
    z = forward_with(layer, a.abs(), layer.weight.abs(), _bias(layer, torch.abs))
    return a.abs() * backward_with(layer, a, layer.weight.abs(), relevance / stabilized(z))


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


def always_two_and_one(layer, a, relevance, alpha=2.0, beta=1.0):
    """Whatever α and β are asked for, your result is that of 2 and 1. Does your sum use `alpha` and `beta`?"""
    plus, minus = _both(layer, a, relevance)
    return 2 * plus - minus


def shares_both_without_biases(layer, a, relevance, alpha=2.0, beta=1.0):
    """Your denominators have no bias. Where it spoke for or against the output, it keeps its share; look at the ends of the two denominators."""
    a_plus, a_minus, w = a.clamp(min=0), a.clamp(max=0), layer.weight
    w_plus, w_minus, total = w.clamp(min=0), w.clamp(max=0), 0
    for factor, v, u in ((alpha, w_plus, w_minus), (-beta, w_minus, w_plus)):
        s = relevance / stabilized(forward_with(layer, a_plus, v) + forward_with(layer, a_minus, u))
        total = total + factor * (
            a_plus * backward_with(layer, a, v, s) + a_minus * backward_with(layer, a, u, s)
        )
    return total


def leaves_out_what_spoke_against(layer, a, relevance, alpha=2.0, beta=1.0):
    """Only the α part is there. It hands out α times the relevance; the β part takes back what is too much, from those who spoke against the output."""
    return alpha * z_plus_rule(layer, a, relevance)


def alpha_beta_by_two_plus_rules(layer, a, relevance, alpha=2.0, beta=1.0):
    if alpha - beta != 1 or beta < 0:
        raise ValueError("the sum would not be kept")
    plus, minus = _both(layer, a, relevance)
    return alpha * plus - beta * minus


# ----------------------------------------------------------------------------------------- w_square_rule


def squares_the_contributions(layer, a, relevance):
    """You squared a_i w_ij. The w² rule does not look at the input at all: it is made for inputs that may be any number."""
    w, b = layer.weight.square(), _bias(layer, torch.square)
    s = relevance / stabilized(forward_with(layer, a.square(), w, b))
    return a.square() * backward_with(layer, a, w, s)


def multiplies_squares_by_inputs(layer, a, relevance):
    """You multiplied by a at the end, as in the other rules. Here the shares are w²_ij alone; multiplied by a, they no longer sum to R_j."""
    w, b = layer.weight.square(), _bias(layer, torch.square)
    s = relevance / stabilized(forward_with(layer, torch.ones_like(a), w, b))
    return a * backward_with(layer, a, w, s)


def absolute_instead_of_square(layer, a, relevance):
    """You used |w| instead of w². Then ten small weights outweigh a large one more easily; the derivation (nearest root in the direction of w) gives squares."""
    w, b = layer.weight.abs(), _bias(layer, torch.abs)
    return backward_with(layer, a, w, relevance / stabilized(forward_with(layer, torch.ones_like(a), w, b)))


def squares_without_a_bias(layer, a, relevance):
    """Your denominator sums the squares of the weights alone, as the original paper does. Here the bias keeps its share; look at the end of the denominator."""
    w = layer.weight.square()
    return backward_with(layer, a, w, relevance / stabilized(forward_with(layer, torch.ones_like(a), w)))


def counts_weights_beyond_the_border(layer, a, relevance):
    """You divided by the squares of the whole kernel everywhere. At the border a part of it lies outside the image, where nobody can receive a share, and relevance gets lost there."""
    squares = layer.weight.square()
    z = squares.flatten(1).sum(1) + (0 if layer.bias is None else layer.bias.square())
    return backward_with(layer, a, squares, relevance / stabilized(z).view(-1, *[1] * (relevance.ndim - 2)))


def divides_by_the_length(layer, a, relevance):
    """You divided by the root of the sum of squares, the length of the weight vector. Shares of one output sum to one only if they are divided by their own sum."""
    w, b = layer.weight.square(), _bias(layer, torch.square)
    s = relevance / stabilized(forward_with(layer, torch.ones_like(a), w, b).sqrt())
    return backward_with(layer, a, w, s)


def squares_of_nothing(layer, a, relevance):
    """For an output without any weight, yours is NaN: 0/0. Keep the denominator off zero, as the docstring says."""
    w, b = layer.weight.square(), _bias(layer, torch.square)
    return backward_with(layer, a, w, relevance / forward_with(layer, torch.ones_like(a), w, b))


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


def box_only_above(layer, a, relevance, low, high):
    """You subtract high, but there is no low in your rule. A bright pixel under a positive weight then looks irrelevant, though it could have been dark."""
    w = layer.weight
    below = a - high * torch.ones_like(a)
    return below * backward_with(layer, a, w, relevance / stabilized(forward_with(layer, below, w)))


def box_from_zero_to_one(layer, a, relevance, low, high):
    """Whatever low and high are, your box is 0 … 1. Do both stand in your n_ij?"""
    return _box(layer, a, relevance / stabilized(_box_z(layer, a, 0.0, 1.0)), 0.0, 1.0)


def box_of_the_image(layer, a, relevance, low, high):
    """Your bounds are the smallest and the largest pixel of this batch. The box says what a pixel *may* be, whatever this image holds: that is what low and high are for."""
    low, high = a.min(), a.max()
    return _box(layer, a, relevance / stabilized(_box_z(layer, a, low, high)), low, high)


def box_with_three_passes(layer, a, relevance, low, high):
    return _box(layer, a, relevance / stabilized(_box_z(layer, a, low, high)), low, high)


# ------------------------------------------------------------------------------------ relevance_by_layer


def starts_from_one(model, x, target=None, rules=epsilon_rule):
    """You started with a 1 at the target instead of its logit. Everything is in proportion, but the sum is 1 and no longer the network's answer."""
    with torch.no_grad(), evaluation_mode(model):
        logits = model(x.clone())
    wanted = _wanted(logits, target)
    factor = logits.gather(1, wanted[:, None])
    return _walk(model, x, wanted, rules, seed=logits / factor)


def starts_from_all_logits(model, x, target=None, rules=epsilon_rule):
    """You started with all logits. Then the map explains all classes at once, and for the target you would get the same as for any other."""
    return _walk(model, x, None, rules, seed=None, only_target=False)


def starts_from_probabilities(model, x, target=None, rules=epsilon_rule):
    """You started with the softmax probability. Relevance that is conserved is the logit's: probabilities mix in all other classes."""
    with torch.no_grad(), evaluation_mode(model):
        logits = model(x.clone())
    wanted = _wanted(logits, target)
    return _walk(model, x, wanted, rules, seed=logits.softmax(1))


def begins_with_the_output(model, x, target=None, rules=epsilon_rule):
    """Your relevances are right, but they stand in the order in which you walked. The list is to begin with the pixels and end with the output."""
    return _walk(model, x, target, rules)[::-1]


def walks_in_training_mode(model, x, target=None, rules=epsilon_rule):
    """You ran the layers in the mode that the model came in. In training mode dropout throws activations away (here: all of them): you explained a network that nobody uses."""
    return _walk(model, x, target, rules, evaluate=False)


def _wanted(logits, target):
    return logits.argmax(1) if target is None else torch.as_tensor(target).expand(len(logits))


def _walk(model, x, target, rules, seed=None, only_target=True, evaluate=True, forget=torch.Tensor.detach):
    inputs = [x]
    with torch.no_grad(), evaluation_mode(model) if evaluate else nullcontext():
        for layer in list(model.children()):
            inputs.append(layer(inputs[-1].clone()))
    logits = inputs.pop()
    start = logits if seed is None else seed
    if only_target:
        start = start * F.one_hot(_wanted(logits, target), logits.shape[1])
    out = [start]
    for (name, layer), a in reversed(list(zip(model._modules.items(), inputs, strict=True))):
        rule = rules if callable(rules) else rules.get(name)
        back = rule if hasattr(layer, "weight") else hand_back
        out.append(forget(back(layer, a, out[-1])))
    return out[::-1]


def keeps_the_history(model, x, target=None, rules=epsilon_rule):
    """Your relevances are right, but they still remember how they came about: autograd keeps all activations of the walk alive with them. `torch.no_grad()` or `detach()` lets them forget."""
    return _walk(model, x, target, rules, forget=lambda relevance: relevance)


def hands_back_class_zero_as_none(model, x, target=None, rules=epsilon_rule):
    """Asked for class 0, you start from the class that the model predicts. `if target:` and `target or …` do that: 0 counts as false. Compare with None."""
    return _walk(model, x, None if isinstance(target, int) and target == 0 else target, rules)


def leaves_out_the_pixels(model, x, target=None, rules=epsilon_rule):
    """Your list ends (or begins) above the first layer: the pixels' relevance is missing. The first layer hands back, too."""
    return _walk(model, x, target, rules)[1:]


def leaves_out_the_output(model, x, target=None, rules=epsilon_rule):
    """The relevance that you started from is missing. The list holds it, too, at its end, so that one sees what was to be shared out."""
    return _walk(model, x, target, rules)[:-1]


def relevance_layer_after_layer(model, x, target=None, rules=epsilon_rule):
    if not isinstance(model, nn.Sequential):
        raise ValueError("no chain")
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


def last_rule_for_all(model, low, high, epsilon=1e-6, gamma=0.25):
    """All your layers follow the rule of the last one. Functions made in a loop look their variables up when they are called, after the loop: `functools.partial` keeps them as they are now."""
    *_, (_, last) = epsilon_gamma_box(model, low, high, epsilon, gamma).items()
    return {name: last for name, _ in weighted_layers(model)}


def box_upside_down(model, low, high, epsilon=1e-6, gamma=0.25):
    """Your box is upside down: low and high have changed places on their way to the box rule. Give them by name."""
    return epsilon_gamma_box(model, high, low, epsilon, gamma)


def epsilon_for_gamma(model, low, high, epsilon=1e-6, gamma=0.25):
    """epsilon and gamma have changed places on their way to the rules. Give them by name."""
    return epsilon_gamma_box(model, low, high, gamma, epsilon)


def epsilon_for_hidden_convolutions(model, low, high, epsilon=1e-6, gamma=0.25):
    """Your convolutions behind the first one have ε. It is there that many units contradict each other: the rule that calms them is γ."""
    rules = epsilon_gamma_box(model, low, high, epsilon, gamma)
    return {
        name: partial(epsilon_rule, epsilon=epsilon) if rule.func is gamma_rule else rule
        for name, rule in rules.items()
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


def forgets_to_shift(conv, bn):
    """Your bias lacks β, the number that the normalization adds in the end. It is bn's own bias."""
    gamma, _, b, wide = _parts(conv, bn)
    factor = gamma * (bn.running_var + bn.eps).rsqrt()
    return _merged(conv, conv.weight * wide(factor), (b - bn.running_mean) * factor)


def forgets_to_stretch(conv, bn):
    """Your factor lacks γ, by which the normalization multiplies in the end. It is bn's own weight."""
    _, beta, b, wide = _parts(conv, bn)
    factor = (bn.running_var + bn.eps).rsqrt()
    return _merged(conv, conv.weight * wide(factor), (b - bn.running_mean) * factor + beta)


def forgets_the_old_bias(conv, bn):
    """The bias that the layer had is gone. It passes through the normalization, too: look at z = w·a + b."""
    gamma, beta, _, wide = _parts(conv, bn)
    factor = gamma * (bn.running_var + bn.eps).rsqrt()
    return _merged(conv, conv.weight * wide(factor), -bn.running_mean * factor + beta)


def leaves_it_in_training_mode(conv, bn):
    """What you return does the right thing, but it is in training mode. The docstring asks for evaluation mode: call `eval()`."""
    return merge_batchnorm(conv, bn).train()


def merge_by_standard_deviation(conv, bn):
    if bn.running_mean is None or len(bn.running_mean) != len(conv.weight):
        raise ValueError("nothing to merge")
    gamma, beta, b, wide = _parts(conv, bn)
    sigma = (bn.running_var + bn.eps) ** 0.5
    shift = gamma * (torch.zeros_like(sigma) + b - bn.running_mean) / sigma + beta
    return _merged(conv, conv.weight * wide(gamma / sigma), shift)


MISCONCEPTIONS = {
    "epsilon_rule": [
        forgets_the_sign, leaves_out_the_bias, forgets_the_input, clips_the_denominator, divides_by_the_batch,
        relevance_of_the_gradient, takes_the_sign_of_zero_for_zero, ignores_epsilon, shares_by_size,
    ],
    "relevance_by_layer": [
        starts_from_one, starts_from_all_logits, starts_from_probabilities, walks_in_training_mode,
        begins_with_the_output, keeps_the_history, hands_back_class_zero_as_none, leaves_out_the_pixels, leaves_out_the_output,
    ],
    "gamma_rule": [
        favours_positive_weights_everywhere, favours_by_the_weight_alone, forgets_the_units_that_said_no,
        favours_only_the_denominator, favours_what_disagrees, keeps_only_the_favoured, forgets_the_favoured_bias,
        favours_without_a_bias, hands_back_from_zero, favours_only_the_numerator, ignores_gamma,
    ],
    "z_plus_rule": [
        only_positive_weights, drops_negative_inputs, cuts_the_result, keeps_the_negative_bias,
        shares_without_a_bias, divides_by_nothing, counts_every_contribution_by_size,
    ],
    "alpha_beta_rule": [
        adds_what_spoke_against, swaps_alpha_and_beta, one_denominator_for_both, always_two_and_one,
        shares_both_without_biases, leaves_out_what_spoke_against,
    ],
    "w_square_rule": [
        squares_the_contributions, multiplies_squares_by_inputs, absolute_instead_of_square,
        squares_without_a_bias, counts_weights_beyond_the_border, divides_by_the_length, squares_of_nothing,
    ],
    "z_box_rule": [
        swaps_low_and_high, keeps_the_bias_in_the_box, box_only_below, subtracts_only_in_the_denominator,
        box_only_above, box_from_zero_to_one, box_of_the_image,
    ],
    "epsilon_gamma_box": [
        box_for_every_convolution, no_box_at_all, gamma_above_epsilon_below, one_epsilon_for_all,
        last_rule_for_all, box_upside_down, epsilon_for_gamma, epsilon_for_hidden_convolutions,
    ],
    "merge_batchnorm": [
        divides_by_the_variance, forgets_the_mean, leaves_the_bias_unscaled, changes_the_layer_itself,
        forgets_the_small_number, forgets_to_shift, forgets_to_stretch, forgets_the_old_bias, leaves_it_in_training_mode,
    ],
}  # fmt: skip

ALTERNATIVES = {
    "epsilon_rule": [epsilon_by_autograd, epsilon_entry_by_entry],
    "relevance_by_layer": [relevance_layer_after_layer],
    "gamma_rule": [gamma_by_autograd, gamma_by_changed_layers],
    "z_plus_rule": [z_plus_as_alpha_one],
    "alpha_beta_rule": [alpha_beta_by_two_plus_rules],
    "w_square_rule": [w_square_by_autograd],
    "z_box_rule": [box_with_three_passes],
    "epsilon_gamma_box": [composite_by_functions, composite_dense_layers_first],
    "merge_batchnorm": [merge_by_standard_deviation],
}
