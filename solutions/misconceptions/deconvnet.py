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


def relu_backward_by_where(upstream, activation, rule):
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


def unpool_value_by_value(pooled, switches, size):
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


def _by_node_hooks(model, x, target, cut):
    x = x.detach().clone().requires_grad_()
    with evaluation_mode(model):
        f = target_score(model(x.clone()), target)
    for node in graph_nodes(f):
        if node.name() == "ReluBackward0":
            node.register_hook(cut)
    f.sum().backward(inputs=[x])
    return x.grad


def guided_by_node_hooks(model, x, target=None):
    return _by_node_hooks(model, x, target, lambda down, up: (down[0].clamp(min=0),))


def deconvnet_by_node_hooks(model, x, target=None):
    return _by_node_hooks(model, x, target, lambda down, up: (up[0].clamp(min=0),))


# ----------------------------------------------------------------------------------- reconstruct_feature


def _reconstruct(model, layer, x, rule, signal_of):
    x = x.detach().clone().requires_grad_()
    with torch.enable_grad():
        maps = feature_maps(model, layer, x.clone())
        set_relu_rule(maps, rule, model)
    return torch.autograd.grad(maps, x, signal_of(maps.detach()))[0]


def _strongest_only(maps, channel):
    flat = torch.zeros_like(maps).flatten(2)
    strongest = maps[:, channel].flatten(1).max(dim=1)
    flat[torch.arange(len(maps)), channel, strongest.indices] = strongest.values
    return flat.view_as(maps)


def sends_the_whole_map(model, layer, x, channel, rule):
    """You sent the whole map back, not its strongest activation alone. The pictures of many places lie on top of each other then, and nobody can tell what one unit saw."""

    def whole(maps):
        signal = torch.zeros_like(maps)
        signal[:, channel] = maps[:, channel]
        return signal

    return _reconstruct(model, layer, x, rule, whole)


def sends_a_one(model, layer, x, channel, rule):
    """You started with a 1 where the strongest activation was. The place is right, but Zeiler keeps the activation itself: a weak response should give a faint picture."""
    return _reconstruct(model, layer, x, rule, lambda maps: _strongest_only(maps, channel).sign())


def squares_the_activation(model, layer, x, channel, rule):
    """Your picture is right, but twice as strong as it should be: the derivative of a² is 2a. The walk is to start from a* itself."""
    return _reconstruct(model, layer, x, rule, lambda maps: 2 * _strongest_only(maps, channel))


def strongest_of_the_batch(model, layer, x, channel, rule):
    """Only one image of your batch got a picture: you looked for the strongest activation of the whole batch. Each image has its own."""

    def one_image(maps):
        signal = _strongest_only(maps, channel)
        best = maps[:, channel].flatten(1).amax(1).argmax()
        keep = torch.zeros(len(maps), dtype=maps.dtype)
        keep[best] = 1
        return signal * keep.view(-1, 1, 1, 1)

    return _reconstruct(model, layer, x, rule, one_image)


def strongest_of_all_maps(model, layer, x, channel, rule):
    """You took the strongest activation of the layer, whichever map it is in. Asked was for one map, `channel`."""

    def any_map(maps):
        best = maps.flatten(1).argmax(dim=1)
        signal = torch.zeros_like(maps).flatten(1)
        signal[torch.arange(len(maps)), best] = maps.flatten(1).amax(dim=1)
        return signal.view_as(maps)

    return _reconstruct(model, layer, x, rule, any_map)


def ignores_the_rule(model, layer, x, channel, rule):
    """Whatever the rule, you return the plain gradient's picture. `set_relu_rule` must come before going backwards."""
    return _reconstruct(model, layer, x, "gradient", lambda maps: _strongest_only(maps, channel))


def reconstruct_by_signal(model, layer, x, channel, rule):
    return _reconstruct(model, layer, x, rule, lambda maps: _strongest_only(maps, channel))


# ------------------------------------------------------------------------------------ randomize_from_top


def _forget(layer, generator):
    with torch.no_grad():
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
        layer.bias.zero_()


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
    current, models = model, []
    for name in layers:
        current = copy.deepcopy(current)
        layer = current.get_submodule(name)
        with torch.no_grad():
            layer.weight.normal_(0, 2 / layer.weight[0].numel(), generator=generator)
            layer.bias.zero_()
        models.append(current)
    return models


def draws_from_its_own_seed(model, layers, generator):
    """Whichever generator comes in, your models forget in the same way: you seeded a source of your own. Draw from the generator; whoever calls decides on the seed."""
    own, current, models = torch.Generator().manual_seed(42), model, []
    for name in layers:
        current = copy.deepcopy(current)
        _forget(current.get_submodule(name), own)
        models.append(current)
    return models


def randomize_by_formula(model, layers, generator):
    models = [model]
    for name in layers:
        models.append(copy.deepcopy(models[-1]))
        layer = models[-1].get_submodule(name)
        noise = torch.randn(layer.weight.shape, generator=generator)
        layer.weight.data = noise * (2 / layer.weight[0].numel()) ** 0.5
        layer.bias.data = torch.zeros_like(layer.bias)
    return tuple(models[1:])


def draws_uniformly(model, layers, generator):
    """Your new weights have the right variance but the wrong shape: they are uniform, and none is far from zero. Asked for is a normal distribution."""
    current, models = model, []
    for name in layers:
        current = copy.deepcopy(current)
        layer = current.get_submodule(name)
        with torch.no_grad():
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
            layer.bias.zero_()
        models.append(current)
    return models


def forgets_the_generator(model, layers, generator):
    """You did not use the generator that you were given: with the same one twice, you draw something else each time, and nobody can repeat your experiment."""
    current, models = model, []
    for name in layers:
        current = copy.deepcopy(current)
        layer = current.get_submodule(name)
        with torch.no_grad():
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            layer.bias.zero_()
        models.append(current)
    return models


MISCONCEPTIONS = {
    "relu_backward": [
        swaps_the_two_gates, guided_like_deconvnet, opens_either_gate, weighs_by_the_activation,
    ],
    "unpool": [
        assigns_where_it_must_add, ignores_the_switches, spreads_over_the_window, mixes_rows_and_columns,
    ],
    "guided_backprop": [
        plain_gradient, deconvnet_where_guided_is_asked, cuts_only_at_the_pixels, only_relu_modules,
        explains_the_probability, leaves_gradients_on_the_weights, leaves_the_model_in_evaluation_mode,
        averages_over_the_batch,
    ],
    "deconvnet": [
        plain_gradient, guided_where_deconvnet_is_asked, cuts_only_at_the_pixels, explains_in_training_mode,
    ],
    "reconstruct_feature": [
        sends_the_whole_map, sends_a_one, squares_the_activation, strongest_of_the_batch, strongest_of_all_maps, ignores_the_rule,
    ],
    "randomize_from_top": [
        forgets_one_layer_at_a_time, forgets_the_trained_model, draws_all_again, starts_from_below, keeps_the_biases,
        takes_the_variance_for_the_deviation, draws_uniformly, forgets_the_generator, draws_from_its_own_seed,
    ],
}  # fmt: skip

ALTERNATIVES = {
    "relu_backward": [relu_backward_by_where],
    "unpool": [unpool_value_by_value],
    "guided_backprop": [guided_by_node_hooks],
    "deconvnet": [deconvnet_by_node_hooks],
    "reconstruct_feature": [reconstruct_by_signal],
    "randomize_from_top": [randomize_by_formula],
}
