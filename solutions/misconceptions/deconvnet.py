"""Chapter 5: what people write about deconvnet and guided backpropagation, and other right ways."""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from solutions.deconvnet import graph_nodes, set_relu_rule
from solutions.filters import evaluation_mode, feature_maps
from solutions.sensitivity import input_gradient, target_score

# ----------------------------------------------------------------------------------------- relu_backward


def swaps_the_two_gates(upstream, activation, rule):
    """You have the two gates the wrong way round: yours looks backwards for the gradient and forwards for the deconvnet. Which of the two is the ordinary derivative of max(0, z)?"""
    gates = {"gradient": upstream > 0, "deconvnet": activation > 0}
    return upstream * gates.get(rule, (upstream > 0) & (activation > 0))


def guided_like_deconvnet(upstream, activation, rule):
    """For "guided" you cut only what is negative on the way back; that is the deconvnet. The guided rule also remembers the forward pass."""
    return upstream * (activation > 0) if rule == "gradient" else upstream.clamp(min=0)


def opens_either_gate(upstream, activation, rule):
    """For "guided" you let a signal pass when one of the two gates is open. Count the pixels that get through: guided should be the strictest of the three rules, yours is the most generous."""
    if rule == "guided":
        return upstream * ((activation > 0) | (upstream > 0))
    return upstream * (activation > 0) if rule == "gradient" else upstream.clamp(min=0)


def weighs_by_the_activation(upstream, activation, rule):
    """You multiply by the activation itself. A gate is open or closed: it does not make a signal stronger because the forward signal was strong."""
    signal = upstream if rule == "gradient" else upstream.clamp(min=0)
    return signal if rule == "deconvnet" else signal * activation


def opens_the_gate_at_zero(upstream, activation, rule):
    """Where the unit was off, the signal passes all the same: an activation of zero opens your gate, as `activation >= 0` does. Behind a ReLU that is true everywhere."""
    signal = upstream if rule == "gradient" else upstream.clamp(min=0)
    return signal if rule == "deconvnet" else signal * (activation >= 0)


def returns_the_gate(upstream, activation, rule):
    """Zeros and ones came back: the gate itself. What is handed down is the signal that passes through it."""
    gates = {"gradient": activation > 0, "deconvnet": upstream > 0}
    return gates.get(rule, (upstream > 0) & (activation > 0)).to(upstream)


def hands_back_the_activation(upstream, activation, rule):
    """Where the gate is open, the activation came back. It says what went *forward*; what goes back is the signal from above, R_a."""
    gates = {"gradient": activation > 0, "deconvnet": upstream > 0}
    return activation * gates.get(rule, (upstream > 0) & (activation > 0))


def relu_backward_by_where(upstream, activation, rule):
    if rule not in ("gradient", "deconvnet", "guided"):
        raise ValueError(rule)
    forward = activation > 0 if rule != "deconvnet" else torch.ones_like(activation, dtype=torch.bool)
    backward = upstream > 0 if rule != "gradient" else torch.ones_like(upstream, dtype=torch.bool)
    return torch.where(forward & backward, upstream, 0)


# ------------------------------------------------------------------------------------------------ unpool


def assigns_where_it_must_add(pooled, switches, size):
    """You write each value to its place, so where windows overlap the last one wins and the others are lost. One place can be the maximum of several windows: what then?"""
    flat = pooled.new_zeros(*pooled.shape[:2], size[0] * size[1])
    return flat.scatter(2, switches.flatten(2), pooled.flatten(2)).unflatten(2, tuple(size))


def ignores_the_switches(pooled, switches, size):
    """You put each value back without asking its switch, always to the same corner of its window. The switches are the only thing that still knows this image: without them all images look alike."""
    out = pooled.new_zeros(*pooled.shape[:2], *size)
    rows = torch.arange(pooled.shape[2]) * (size[0] // pooled.shape[2])
    columns = torch.arange(pooled.shape[3]) * (size[1] // pooled.shape[3])
    out[:, :, rows[:, None], columns] = pooled
    return out


def spreads_over_the_window(pooled, switches, size):
    """You spread each value over its whole window. That undoes average pooling; after max pooling only one place has earned it."""
    return F.interpolate(pooled, size=tuple(size))


def mixes_rows_and_columns(pooled, switches, size):
    """You split a switch into row and column by the number of rows. Places are counted along a row first, so that number is the number of columns."""
    out = pooled.new_zeros(*pooled.shape[:2], size[1], size[0]).flatten(2)
    out = out.scatter_add(2, switches.flatten(2), pooled.flatten(2))
    return out.unflatten(2, (size[1], size[0])).transpose(2, 3)


def keeps_the_largest_where_windows_meet(pooled, switches, size):
    """Where several windows have the same winner, only the largest of their values arrives. Each of them sends its value to that place: what becomes of several?"""
    flat = pooled.new_zeros(*pooled.shape[:2], size[0] * size[1])
    flat = flat.scatter_reduce(2, switches.flatten(2), pooled.flatten(2), "amax", include_self=False)
    return flat.unflatten(2, tuple(size))


def averages_where_windows_meet(pooled, switches, size):
    """Where several windows have the same winner, the mean of their values arrives. Nothing should get lost on the way down: read again what one place gets."""
    flat = pooled.new_zeros(*pooled.shape[:2], size[0] * size[1])
    flat = flat.scatter_reduce(2, switches.flatten(2), pooled.flatten(2), "mean", include_self=False)
    return flat.unflatten(2, tuple(size))


def unpool_by_one_hot(pooled, switches, size):
    places = size[0] * size[1]
    if switches.shape != pooled.shape or bool(((switches < 0) | (switches >= places)).any()):
        raise ValueError("no place for a value")
    there = F.one_hot(switches.flatten(2), places).to(pooled)
    return torch.einsum("ncw,ncwp->ncp", pooled.flatten(2), there).reshape(*pooled.shape[:2], *size).numpy()


def unpool_value_by_value(pooled, switches, size):
    if switches.shape != pooled.shape or not all(0 <= s < size[0] * size[1] for s in switches.flatten()):
        raise ValueError("no place for a value")
    flat = pooled.new_zeros(*pooled.shape[:2], size[0] * size[1])
    for n in range(pooled.shape[0]):
        for c in range(pooled.shape[1]):
            for place, value in zip(switches[n, c].flatten().tolist(), pooled[n, c].flatten(), strict=True):
                flat[n, c, place] += value
    return flat.reshape(*pooled.shape[:2], *size)


# --------------------------------------------------------------------------- guided_backprop, deconvnet


def _under(model, x, target, rule):
    x = x.detach().clone().requires_grad_()
    with torch.enable_grad(), evaluation_mode(model):
        f = target_score(model(x.clone()), target)
        set_relu_rule(f, rule, model)
    return torch.autograd.grad(f.sum(), x)[0]


def plain_gradient(model, x, target=None):
    """This is the plain gradient: every ReLU did what it always does. Did you set the rule, and before going backwards?"""
    return input_gradient(model, x, target)


def deconvnet_where_guided_is_asked(model, x, target=None):
    """This is the deconvnet's map. Guided backpropagation lets a signal through only where the ReLU was on in the forward pass, too."""
    return _under(model, x, target, "deconvnet")


def guided_where_deconvnet_is_asked(model, x, target=None):
    """This is guided backpropagation's map. The deconvnet does not ask whether a ReLU was on in the forward pass."""
    return _under(model, x, target, "guided")


def cuts_only_at_the_pixels(model, x, target=None):
    """You took the gradient and cut its negative part once, at the very end. The rule cuts at every ReLU on the way: what is cut above cannot cancel anything below."""
    return input_gradient(model, x, target).clamp(min=0)


def only_relu_modules(model, x, target=None):
    """On a network that calls F.relu instead of using nn.ReLU modules, this is the plain gradient: hooks on modules never see it. The graph that autograd records sees every ReLU."""
    x = x.detach().clone().requires_grad_()
    with torch.enable_grad(), evaluation_mode(model):
        f = target_score(model(x.clone()), target)
        if any(isinstance(part, nn.ReLU) for part in model.modules()):
            set_relu_rule(f, "guided", model)
    return torch.autograd.grad(f.sum(), x)[0]


def explains_the_probability(model, x, target=None):
    """You went back from the softmax probability. Its gradient mixes the scores of all classes, with negative signs for the others; start at the target's logit."""
    x = x.detach().clone().requires_grad_()
    with torch.enable_grad(), evaluation_mode(model):
        f = target_score(model(x.clone()).softmax(dim=1), target)
        set_relu_rule(f, "guided", model)
    return torch.autograd.grad(f.sum(), x)[0]


def leaves_gradients_on_the_weights(model, x, target=None):
    """Your map is right, but you left gradients on all weights: `backward()` fills them, too, and whoever trains the model next finds them there. Ask for the gradient of x alone."""
    x = x.detach().clone().requires_grad_()
    with torch.enable_grad(), evaluation_mode(model):
        f = target_score(model(x.clone()), target)
        set_relu_rule(f, "guided", model)
    f.sum().backward()
    return x.grad


def leaves_the_model_in_evaluation_mode(model, x, target=None):
    """Your map is right, but the model came in training mode and you left it in evaluation mode. Give it back as it was, also when something goes wrong on the way."""
    model.eval()
    return _under(model, x, target, "guided")


def averages_over_the_batch(model, x, target=None):
    """You went back from the mean over the batch: every map is too weak, by the number of images. Start with 1 at each image's own score."""
    return _under(model, x, target, "guided") / len(x)


def explains_in_training_mode(model, x, target=None):
    """You ran the model in training mode: batch normalization then uses this batch's statistics, and remembers them. The values are another network's, and the model is no longer as it was."""
    x = x.detach().clone().requires_grad_()
    f = target_score(model(x.clone()), target)
    set_relu_rule(f, "deconvnet", model)
    return torch.autograd.grad(f.sum(), x)[0]


def guides_in_training_mode(model, x, target=None):
    """You ran the model in the mode that it came in. In training mode batch normalization uses this batch's statistics, and remembers them: the values are another network's, and the model is no longer as it was."""
    x = x.detach().clone().requires_grad_()
    f = target_score(model(x.clone()), target)
    set_relu_rule(f, "guided", model)
    return torch.autograd.grad(f.sum(), x)[0]


def leaves_the_model_in_training_mode(model, x, target=None):
    """Your map is right, but a model that came in evaluation mode went home in training mode, as after `model.train()` at the end. Give it back in the mode in which it came."""
    map_ = _under(model, x, target, "guided")
    model.train()
    return map_


def guides_all_classes_at_once(model, x, target=None):
    """You went back from the sum of all logits. Start with 1 at the target's logit and 0 at all others."""
    return _from(model, x, lambda f: f.sum(), "guided")


def guides_from_the_logit_itself(model, x, target=None):
    """Your map is right up to its strength: you started with the target's logit, as relevance propagation will do. Here the walk starts with 1."""
    x = x.detach().clone().requires_grad_()
    with torch.enable_grad(), evaluation_mode(model):
        f = target_score(model(x.clone()), target)
        set_relu_rule(f, "guided", model)
    return torch.autograd.grad(f, x, f.detach())[0]


def cuts_the_guided_map_at_the_end(model, x, target=None):
    """Your map has nothing negative: what arrived at the pixels was cut once more. The rule cuts at ReLUs, and there is none between the pixels and the first layer."""
    return _under(model, x, target, "guided").clamp(min=0)


def guides_class_zero_as_none(model, x, target=None):
    """Asked for class 0, you explain the class that the model predicts. `if target:` and `target or …` do that: 0 counts as false. Compare with None."""
    return _under(model, x, None if isinstance(target, int) and target == 0 else target, "guided")


def deconvnet_of_all_classes(model, x, target=None):
    """You went back from the sum of all logits. Start with 1 at the target's logit and 0 at all others."""
    return _from(model, x, lambda f: f.sum(), "deconvnet")


def cuts_the_deconvnets_map_at_the_end(model, x, target=None):
    """Your map has nothing negative: what arrived at the pixels was cut once more. The rule cuts at ReLUs, and there is none between the pixels and the first layer."""
    return _under(model, x, target, "deconvnet").clamp(min=0)


def _from(model, x, number, rule):
    x = x.detach().clone().requires_grad_()
    with torch.enable_grad(), evaluation_mode(model):
        f = model(x.clone())
        set_relu_rule(f, rule, model)
    return torch.autograd.grad(number(f), x)[0]


def _by_node_hooks(model, x, target, cut):
    x = x.detach().clone().requires_grad_()
    with evaluation_mode(model):
        f = target_score(model(x.clone()), target)
    for node in graph_nodes(f):
        if "Elu" in node.name():
            raise ValueError(node.name())
        if node.name() == "ReluBackward0":
            node.register_hook(cut)
    f.sum().backward(inputs=[x])
    return x.grad


def guided_by_node_hooks(model, x, target=None):
    return _by_node_hooks(model, x, target, lambda down, up: (down[0].clamp(min=0),))


def deconvnet_by_node_hooks(model, x, target=None):
    return _by_node_hooks(model, x, target, lambda down, up: (up[0].clamp(min=0),))


# ----------------------------------------------------------------------------------- reconstruct_feature


def _reconstruct(model, layer, x, rule, channel, signal_of):
    """signal_of(maps as (images, maps, places)) → what starts from there."""
    x = x.detach().clone().requires_grad_()
    with torch.enable_grad():
        maps = feature_maps(model, layer, x.clone())
        set_relu_rule(maps, rule, model)
    if channel >= maps.shape[1]:
        raise ValueError(channel)
    flat = maps.detach().flatten(2) if maps.ndim > 2 else maps.detach().unsqueeze(2)
    return torch.autograd.grad(maps, x, signal_of(flat).view_as(maps))[0]


def _strongest_only(maps, channel):
    signal, (value, place) = torch.zeros_like(maps), maps[:, channel].max(dim=1)
    signal[torch.arange(len(maps)), channel, place] = value
    return signal


def sends_the_whole_map(model, layer, x, channel, rule):
    """You sent the whole map back, not its strongest activation alone. The pictures of many places lie on top of each other then, and nobody can tell what one unit saw."""

    def whole(maps):
        signal = torch.zeros_like(maps)
        signal[:, channel] = maps[:, channel]
        return signal

    return _reconstruct(model, layer, x, rule, channel, whole)


def sends_a_one(model, layer, x, channel, rule):
    """You started with a 1 where the strongest activation was. The place is right, but Zeiler keeps the activation itself: a weak response should give a faint picture."""

    def ones(maps):
        place = maps[:, channel].argmax(dim=1)
        signal = torch.zeros_like(maps)
        signal[torch.arange(len(maps)), channel, place] = 1
        return signal

    return _reconstruct(model, layer, x, rule, channel, ones)


def squares_the_activation(model, layer, x, channel, rule):
    """Your picture is right, but twice as strong as it should be: the derivative of a² is 2a. The walk is to start from a* itself."""
    return _reconstruct(model, layer, x, rule, channel, lambda maps: 2 * _strongest_only(maps, channel))


def strongest_of_the_batch(model, layer, x, channel, rule):
    """Only one image of your batch got a picture: you looked for the strongest activation of the whole batch. Each image has its own."""

    def one_image(maps):
        keep = torch.zeros(len(maps), 1, 1)
        keep[maps[:, channel].amax(1).argmax()] = 1
        return _strongest_only(maps, channel) * keep

    return _reconstruct(model, layer, x, rule, channel, one_image)


def strongest_of_all_maps(model, layer, x, channel, rule):
    """You took the strongest activation of the layer, whichever map it is in. Asked was for one map, `channel`."""

    def any_map(maps):
        strongest, best = maps.flatten(1).max(dim=1)
        signal = torch.zeros_like(maps).flatten(1)
        signal[torch.arange(len(maps)), best] = strongest
        return signal.view_as(maps)

    return _reconstruct(model, layer, x, rule, channel, any_map)


def ignores_the_rule(model, layer, x, channel, rule):
    """Whatever the rule, you return the plain gradient's picture. `set_relu_rule` must come before going backwards."""
    return _reconstruct(model, layer, x, "gradient", channel, lambda maps: _strongest_only(maps, channel))


def sends_every_place_that_is_as_strong(model, layer, x, channel, rule):
    """Where several places of the map are equally strong, you sent all of them. That is what a comparison with the maximum gives; the docstring keeps the first of them alone."""

    def all_of_them(maps):
        signal = torch.zeros_like(maps)
        chosen = maps[:, channel]
        signal[:, channel] = chosen * (chosen == chosen.amax(dim=1, keepdim=True))
        return signal

    return _reconstruct(model, layer, x, rule, channel, all_of_them)


def shares_it_among_the_strongest(model, layer, x, channel, rule):
    """Where several places of the map are equally strong, each got a share, as the gradient of `amax` gives it to them. The docstring keeps the first of them alone."""

    def shared(maps):
        signal = torch.zeros_like(maps)
        chosen = maps[:, channel]
        alike = (chosen == chosen.amax(dim=1, keepdim=True)).to(maps)
        signal[:, channel] = chosen * alike / alike.sum(dim=1, keepdim=True)
        return signal

    return _reconstruct(model, layer, x, rule, channel, shared)


def sends_the_largest_in_size(model, layer, x, channel, rule):
    """You looked for the activation of the largest size, so a strongly negative one may win. The largest value is asked for: what excites the unit most."""

    def largest(maps):
        place = maps[:, channel].abs().argmax(dim=1)
        signal, rows = torch.zeros_like(maps), torch.arange(len(maps))
        signal[rows, channel, place] = maps[rows, channel, place]
        return signal

    return _reconstruct(model, layer, x, rule, channel, largest)


def reconstruct_by_signal(model, layer, x, channel, rule):
    return _reconstruct(model, layer, x, rule, channel, lambda maps: _strongest_only(maps, channel))


def reconstruct_image_by_image(model, layer, x, channel, rule):
    pictures = []
    for image in x.split(1):
        image = image.detach().clone().requires_grad_()
        maps = feature_maps(model, layer, image * 1)
        if channel not in range(maps.shape[1]):
            raise ValueError(channel)
        set_relu_rule(maps, rule, model)
        mine = maps[0, channel].reshape(-1)
        strongest = mine[int(mine.argmax())]
        (strongest * strongest.item()).backward(inputs=[image])
        pictures.append(image.grad)
    return torch.cat(pictures)


# ------------------------------------------------------------------------------------ randomize_from_top


def _forget(layer, generator):
    with torch.no_grad():
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
        if layer.bias is not None:
            layer.bias.zero_()


def _forgetting(model, layers, draw):
    """The chain of models, with another way to draw a layer anew."""
    current, models = model, []
    for name in layers:
        current = copy.deepcopy(current)
        layer = current.get_submodule(name)
        with torch.no_grad():
            draw(layer.weight)
            if layer.bias is not None:
                layer.bias.zero_()
        models.append(current)
    return models


def forgets_one_layer_at_a_time(model, layers, generator):
    """Each of your models has forgotten one layer only; the layers above it know again what they knew. Adebayo calls that "independent" randomization; here they are to forget from the top down."""
    models = []
    for name in layers:
        models.append(copy.deepcopy(model))
        _forget(models[-1].get_submodule(name), generator)
    return models


def forgets_the_trained_model(model, layers, generator):
    """You changed the trained model itself, and all your models are one and the same. Copy before you forget."""
    models = []
    for name in layers:
        _forget(model.get_submodule(name), generator)
        models.append(model)
    return models


def draws_all_again(model, layers, generator):
    """In each model you drew all its random layers anew. Then two models differ in more than the one layer that was added; a layer once forgotten should stay as it is."""
    models = []
    for k in range(len(layers)):
        models.append(copy.deepcopy(model))
        for name in layers[: k + 1]:
            _forget(models[-1].get_submodule(name), generator)
    return models


def starts_from_below(model, layers, generator):
    """You went through the list backwards, from the pixels up. Its first name is the first to forget."""
    current, models = model, []
    for name in reversed(layers):
        current = copy.deepcopy(current)
        _forget(current.get_submodule(name), generator)
        models.append(current)
    return models


def keeps_the_biases(model, layers, generator):
    """You drew the weights anew but kept the trained biases: the layer has not forgotten everything."""
    current, models = model, []
    for name in layers:
        current = copy.deepcopy(current)
        layer = current.get_submodule(name)
        with torch.no_grad():
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
        models.append(current)
    return models


def takes_the_variance_for_the_deviation(model, layers, generator):
    """Your weights are far too small: 2 / fan-in is the variance, and `normal_` wants its square root."""
    return _forgetting(
        model, layers, lambda weight: weight.normal_(0, 2 / weight[0].numel(), generator=generator)
    )


def draws_from_its_own_seed(model, layers, generator):
    """Whichever generator comes in, your models forget in the same way. Perhaps you seeded a source of your own, or the generator anew: draw from it as it comes; whoever calls decides on the seed."""
    own, current, models = torch.Generator().manual_seed(42), model, []
    for name in layers:
        current = copy.deepcopy(current)
        _forget(current.get_submodule(name), own)
        models.append(current)
    return models


def takes_the_fan_out(model, layers, generator):
    """Your variance is 2 / fan-out: it counts the units that a weight goes to. Asked is for fan-in, the number of inputs that one unit adds up."""
    return _forgetting(
        model,
        layers,
        lambda weight: nn.init.kaiming_normal_(
            weight, mode="fan_out", nonlinearity="relu", generator=generator
        ),
    )


def forgets_the_two(model, layers, generator):
    """Your variance is 1 / fan-in. The 2 is there because a ReLU cuts half of what passes: without it, signals get weaker with every layer."""
    return _forgetting(
        model, layers, lambda weight: weight.normal_(0, weight[0].numel() ** -0.5, generator=generator)
    )


def counts_the_channels_only(model, layers, generator):
    """Your convolutions are drawn too large: you took the number of channels for the fan-in. A unit of a convolution adds up channels · rows · columns of its kernel."""
    return _forgetting(
        model, layers, lambda weight: weight.normal_(0, (2 / weight.shape[1]) ** 0.5, generator=generator)
    )


def shuffles_what_was_learned(model, layers, generator):
    """Your weights still spread as the trained ones did: they were shuffled or scaled, not drawn from He's distribution."""

    def shuffle(weight):
        order = torch.randperm(weight.numel(), generator=generator)
        weight.copy_(weight.flatten()[order].view_as(weight))

    return _forgetting(model, layers, shuffle)


def randomize_by_formula(model, layers, generator):
    models = [model]
    for name in layers:
        models.append(copy.deepcopy(models[-1]))
        layer = dict(models[-1].named_modules()).get(name)
        if not isinstance(layer, nn.Linear | nn.Conv2d):
            raise ValueError(name)
        noise = torch.randn(layer.weight.shape, generator=generator)
        layer.weight.data = noise * (2 / layer.weight[0].numel()) ** 0.5
        if layer.bias is not None:
            layer.bias.data = torch.zeros_like(layer.bias)
    return tuple(models[1:])


def draws_uniformly(model, layers, generator):
    """Your new weights have the right variance but the wrong shape: they are uniform, and none is far from zero. Asked for is a normal distribution."""
    return _forgetting(
        model,
        layers,
        lambda weight: nn.init.kaiming_uniform_(weight, nonlinearity="relu", generator=generator),
    )


def forgets_the_generator(model, layers, generator):
    """With the same generator twice, you draw something else each time, and nobody can repeat your experiment. That happens when the draws come from elsewhere; torch's take the generator as an argument."""
    return _forgetting(model, layers, lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu"))


MISCONCEPTIONS = {
    "relu_backward": [
        swaps_the_two_gates, guided_like_deconvnet, opens_either_gate, weighs_by_the_activation,
        opens_the_gate_at_zero, returns_the_gate, hands_back_the_activation,
    ],
    "unpool": [
        assigns_where_it_must_add, ignores_the_switches, spreads_over_the_window, mixes_rows_and_columns,
        keeps_the_largest_where_windows_meet, averages_where_windows_meet,
    ],
    "guided_backprop": [
        plain_gradient, deconvnet_where_guided_is_asked, cuts_only_at_the_pixels, only_relu_modules,
        explains_the_probability, leaves_gradients_on_the_weights, leaves_the_model_in_evaluation_mode,
        averages_over_the_batch, guides_in_training_mode, leaves_the_model_in_training_mode, guides_all_classes_at_once,
        guides_from_the_logit_itself, cuts_the_guided_map_at_the_end, guides_class_zero_as_none,
    ],
    "deconvnet": [
        plain_gradient, guided_where_deconvnet_is_asked, cuts_only_at_the_pixels, explains_in_training_mode,
        deconvnet_of_all_classes, cuts_the_deconvnets_map_at_the_end,
    ],
    "reconstruct_feature": [
        sends_the_whole_map, sends_a_one, squares_the_activation, strongest_of_the_batch, strongest_of_all_maps, ignores_the_rule,
        sends_every_place_that_is_as_strong, shares_it_among_the_strongest, sends_the_largest_in_size,
    ],
    "randomize_from_top": [
        forgets_one_layer_at_a_time, forgets_the_trained_model, draws_all_again, starts_from_below, keeps_the_biases,
        takes_the_variance_for_the_deviation, draws_uniformly, forgets_the_generator, draws_from_its_own_seed,
        takes_the_fan_out, forgets_the_two, counts_the_channels_only, shuffles_what_was_learned,
    ],
}  # fmt: skip

ALTERNATIVES = {
    "relu_backward": [relu_backward_by_where],
    "unpool": [unpool_value_by_value, unpool_by_one_hot],
    "guided_backprop": [guided_by_node_hooks],
    "deconvnet": [deconvnet_by_node_hooks],
    "reconstruct_feature": [reconstruct_by_signal, reconstruct_image_by_image],
    "randomize_from_top": [randomize_by_formula],
}
