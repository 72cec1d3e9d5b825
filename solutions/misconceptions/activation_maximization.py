"""Chapter 3: what people write about climbing a network's preferences, and other right ways."""

import math

import torch
import torch.nn.functional as F

from solutions.activation_maximization import class_objective, maximize_activation, penalized
from solutions.filters import evaluation_mode, feature_maps

# --------------------------------------------------------------------------------------- class_objective


def _logits(model, x):
    with evaluation_mode(model):
        return model(x)


def _wanted(scores, target):
    wanted = scores.argmax(1) if target is None else torch.as_tensor(target)
    return wanted.expand(len(scores))


def _pick(scores, target):
    return scores.gather(1, _wanted(scores, target)[:, None])[:, 0]


def climbs_the_logit(model, target):
    """This is the logit of the class. It grows without bound and also when all other classes grow with it; log p only grows when the class gains on the others."""
    return lambda x: _pick(_logits(model, x), target)


def climbs_the_probability(model, target):
    """This is p, not log p. Where the model is sure of another class, p is nearly 0 and nearly flat: ascent would not get off the ground. The logarithm keeps the slope."""
    return lambda x: _pick(_logits(model, x).softmax(1), target)


def meets_log_zero(model, target):
    """Right while p is not too small. Where the network is sure of another class, the softmax rounds to exactly 0, its logarithm is −∞ and the gradient NaN: the image would turn into NaN. Take both in one step."""
    return lambda x: _pick(_logits(model, x).softmax(1), target).log()


def forgets_the_slope(model, target):
    """The values are right, but they have forgotten x: there is no gradient to climb. Look for `no_grad`, `detach`, `.item()` or numpy."""
    return lambda x: class_objective(model, target)(x).detach()


def lets_images_compete(model, target):
    """Your softmax runs over the batch: the images compete for one class, instead of the classes for one image. Look at `dim`."""
    return lambda x: _pick(_logits(model, x).log_softmax(0), target)


def averages_the_images(model, target):
    """You return the mean over the batch. f gives one number per image, so that every image can climb by itself and be looked at by itself."""
    return lambda x: class_objective(model, target)(x).mean()


def punishes_the_class(model, target):
    """You return −log p, the training loss: right for descending, but here f is climbed, and it would make the class as unlikely as possible."""
    return lambda x: -class_objective(model, target)(x)


def reads_while_training(model, target):
    """You run the model in training mode: its batch normalization then looks at the other images of the batch, and its stored statistics move with every step of the ascent."""

    return lambda x: _pick(model(x).log_softmax(1), target)


def takes_the_first_images_class(model, target):
    """Where the target is None, the class that the model sees in the first image is used for all of them. It should be the class that it sees in each: take the largest per row."""

    def f(x):
        log_p = _logits(model, x).log_softmax(1)
        return _pick(log_p, int(log_p[0].argmax()) if target is None else target)

    return f


def returns_every_class(model, target):
    """You return log p of all classes: a row of numbers per image. f gives one number per image, that of the class that is wanted."""
    return lambda x: _logits(model, x).log_softmax(1)


def pairs_every_image_with_every_class(model, target):
    """Right for one class for all, but with one class per image you get a whole square of numbers: every image with every image's class. Row i wants its own column, target[i]."""

    def f(x):
        log_p = _logits(model, x).log_softmax(1)
        wanted = log_p.argmax(1) if target is None else target
        return log_p[:, wanted]

    return f


def takes_another_logarithm(model, target):
    """Your values are right up to one factor everywhere, 1.44: this is the logarithm to the base 2. log is the natural one here."""
    return lambda x: class_objective(model, target)(x) / math.log(2)


def objective_by_logsumexp(model, target):
    def f(x):
        logits = _logits(model, x)
        return _pick(logits, target) - logits.logsumexp(1)

    return f


def objective_in_double(model, target):
    def f(x):
        log_p = _logits(model, x).double().log_softmax(1)
        return -F.nll_loss(log_p, _wanted(log_p, target), reduction="none")

    return f


def objective_by_cross_entropy(model, target):
    def f(x):
        logits = _logits(model, x)
        return -F.cross_entropy(logits, _wanted(logits, target), reduction="none")

    return f


# ---------------------------------------------------------------------------------------- unit_objective


def takes_the_strongest_place(model, layer, unit):
    """You take the map's strongest place. Only that one place would then be climbed; the docstring asks for the mean over the whole map."""
    return lambda x: feature_maps(model, layer, x)[:, unit].reshape(len(x), -1).amax(1)


def sums_the_map(model, layer, unit):
    """You sum over the map. That climbs in the same direction but with steps that grow with the map's size, so a step size that suits one layer is wrong for the next: take the mean."""
    return lambda x: feature_maps(model, layer, x)[:, unit].reshape(len(x), -1).sum(1)


def averages_all_units(model, layer, unit):
    """You average over all units of the layer. Which one is meant is said by `unit`, along the second axis."""
    return lambda x: feature_maps(model, layer, x).flatten(1).mean(1)


def counts_units_through_the_map(model, layer, unit):
    """You flatten first and then take number `unit`: that is one place in the first map, not a map. Choose along the second axis before you flatten."""
    return lambda x: feature_maps(model, layer, x).flatten(1)[:, unit]


def averages_the_batch_too(model, layer, unit):
    """You average over the images as well. f gives one number per image."""
    return lambda x: feature_maps(model, layer, x)[:, unit].mean()


def leaves_the_places_apart(model, layer, unit):
    """Right for a neuron, but for a map you return its answer at every place. f gives one number per image: the mean over rows and columns."""
    return lambda x: feature_maps(model, layer, x)[:, unit]


def hears_only_what_fires(model, layer, unit):
    """You cut off what is negative before you take the mean, as a ReLU would. A unit that is silent then has no slope, and there is nothing to climb: take the layer's answers as they are."""
    return lambda x: feature_maps(model, layer, x)[:, unit].relu().reshape(len(x), -1).mean(1)


def counts_units_from_one(model, layer, unit):
    """This is the unit before the one that is meant: units are counted from 0."""
    return lambda x: feature_maps(model, layer, x)[:, unit - 1].reshape(len(x), -1).mean(1)


def unit_by_matrix(model, layer, unit):
    def f(x):
        maps = feature_maps(model, layer, x)
        if unit not in range(maps.shape[1]):
            raise ValueError("no such unit")
        chosen = torch.eye(maps.shape[1])[unit].to(maps)
        return torch.einsum("nc...,c->n...", maps, chosen).reshape(len(x), -1).mean(1)

    return f


# --------------------------------------------------------------------------------------------- penalized


def rewards_size(objective, penalty):
    """You add the penalty, so that large inputs are rewarded. The ascent would run away: a penalty is taken off what is climbed."""
    return lambda x: objective(x) + penalty * x.flatten(1).square().sum(1)


def forgets_the_square(objective, penalty):
    """You take the length ‖x‖, not its square. Its slope is the same however large x is, and undefined at x = 0; that of ‖x‖² grows with x."""
    return lambda x: objective(x) - penalty * x.flatten(1).norm(dim=1)


def shares_the_penalty(objective, penalty):
    """Every image pays for the size of the whole batch. Sum the squares of each image by itself: what an image costs must not depend on its company."""
    return lambda x: objective(x) - penalty * x.square().sum()


def averages_the_squares(objective, penalty):
    """You take the mean of the squares, not their sum: λ then means something else for every image size."""
    return lambda x: objective(x) - penalty * x.flatten(1).square().mean(1)


def charges_half(objective, penalty):
    """Your penalty is half as large as it should be: this formula has λ, not λ/2."""
    return lambda x: objective(x) - penalty / 2 * x.flatten(1).square().sum(1)


def charges_absolute_values(objective, penalty):
    """You take the sum of the absolute values. That is another norm: ‖x‖² adds up squares."""
    return lambda x: objective(x) - penalty * x.flatten(1).abs().sum(1)


def penalized_by_products(objective, penalty):
    def f(x):
        rows = x.reshape(len(x), -1)
        return objective(x) - penalty * torch.einsum("ni,ni->n", rows, rows)

    return f


# ----------------------------------------------------------------------------------- maximize_activation


def _ascend(objective, start, steps, lr, penalty, step):
    f, x = penalized(objective, penalty), start.clone()
    for _ in range(steps):
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(f(x).sum(), x)
        x = step(x.detach(), gradient)
    return x


def descends(objective, start, steps, lr, penalty=0.0):
    """You go downhill: x − η∇f is the step that training takes on a loss. Here f is to become as large as possible."""
    return _ascend(objective, start, steps, lr, penalty, lambda x, gradient: x - lr * gradient)


def trains_the_image(objective, start, steps, lr, penalty=0.0):
    """You hand f to an optimizer as if it were a loss, so it goes downhill: optimizers minimize unless told otherwise. And `backward` leaves gradients on the network; ask for the gradient of x alone."""
    x = start.clone().requires_grad_()
    optimizer = torch.optim.SGD([x], lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        penalized(objective, penalty)(x).sum().backward()
        optimizer.step()
    return x.detach()


def forgets_the_penalty(objective, start, steps, lr, penalty=0.0):
    """λ changes nothing in your ascent. What is climbed is f(x) − λ‖x‖²; you have just written a function for it."""
    return _ascend(objective, start, steps, lr, 0.0, lambda x, gradient: x + lr * gradient)


def penalizes_half(objective, start, steps, lr, penalty=0.0):
    """Your penalty pulls half as hard as it should: the slope of λ‖x‖² is not λx. Let autograd differentiate the whole objective."""
    return _ascend(objective, start, steps, lr, penalty / 2, lambda x, gradient: x + lr * gradient)


def piles_up_gradients(objective, start, steps, lr, penalty=0.0):
    """From the second step on you also walk along the gradients of all steps before: `backward` adds to `x.grad` (and to the network's parameters). Set it to zero, or use a gradient that is returned."""
    x, f = start.clone().requires_grad_(), penalized(objective, penalty)
    for _ in range(steps):
        f(x).sum().backward()
        with torch.no_grad():
            x += lr * x.grad
    return x.detach()


def climbs_the_mean(objective, start, steps, lr, penalty=0.0):
    """You climb the mean over the batch, so each image walks slower the more images there are. Every row climbs its own objective: the gradient of their sum does that."""
    return _ascend(objective, start, steps, lr, penalty, lambda x, gradient: x + lr * gradient / len(x))


def walks_by_the_sign(objective, start, steps, lr, penalty=0.0):
    """You step by the sign of the gradient. That is the fast gradient sign attack; the ascent here uses the gradient itself."""
    return _ascend(objective, start, steps, lr, penalty, lambda x, gradient: x + lr * gradient.sign())


def moves_the_start(objective, start, steps, lr, penalty=0.0):
    """The result is right, but `start` has changed with it: you walked in the caller's own tensor. Whoever starts there again starts elsewhere. Walk in a copy."""
    x = maximize_activation(objective, start, steps, lr, penalty)
    start.copy_(x)
    return x


def teaches_the_network(objective, start, steps, lr, penalty=0.0):
    """The result is right, but `backward` has also left gradients on the network's parameters: an optimizer would take them for lessons. Ask for the gradient of x alone."""
    x, f = start.clone(), penalized(objective, penalty)
    for _ in range(steps):
        x = x.detach().requires_grad_()
        f(x).sum().backward()
        x = x.detach() + lr * x.grad
    return x.detach()


def keeps_the_history(objective, start, steps, lr, penalty=0.0):
    """The result is right, but it still carries its history: it requires gradients, and numpy and matplotlib will refuse it. Detach it."""
    return maximize_activation(objective, start, steps, lr, penalty).requires_grad_()


def takes_one_step_too_many(objective, start, steps, lr, penalty=0.0):
    """You went one step further than asked for: count how often x moves; for 0 steps it does not."""
    return _ascend(objective, start, steps + 1, lr, penalty, lambda x, gradient: x + lr * gradient)


def walks_at_one_pace(objective, start, steps, lr, penalty=0.0):
    """Your steps all have the same length, however steep it is: the gradient was divided by its own. Here a step is η times the gradient itself, and becomes short near the top."""

    def step(x, gradient):
        length = gradient.flatten(1).norm(dim=1).reshape(-1, *[1] * (x.ndim - 1))
        return x + lr * gradient / length

    return _ascend(objective, start, steps, lr, penalty, step)


def stays_on_paper(objective, start, steps, lr, penalty=0.0):
    """You keep x between 0 and 1 after each step. Nothing in the formula holds it there; printing comes afterwards."""
    return _ascend(objective, start, steps, lr, penalty, lambda x, gradient: (x + lr * gradient).clamp(0, 1))


def walks_with_adam(objective, start, steps, lr, penalty=0.0):
    """Your steps hardly depend on how steep it is: Adam divides each by the size that the gradients have had. The ascent here is the plain one, η times the gradient."""
    x, f = start.clone().requires_grad_(), penalized(objective, penalty)
    optimizer = torch.optim.Adam([x], lr=lr, maximize=True)
    for _ in range(steps):
        x.grad = None
        f(x).sum().backward(inputs=[x])
        optimizer.step()
    return x.detach()


def complains_on_the_way(objective, start, steps, lr, penalty=0.0):
    """Right as long as there is a slope, but where a row comes to flat ground on its way, you stop with an error. Only a start without slope is hopeless: look once, before the first step."""
    x = start.clone()
    for _ in range(steps):
        x = maximize_activation(objective, x, 1, lr, penalty)
    return x


def ascend_by_optimizer(objective, start, steps, lr, penalty=0.0):
    x = start.clone().requires_grad_()
    (slope,) = torch.autograd.grad(objective(x).sum(), x)
    if steps and not slope.flatten(1).any(1).all():
        raise ValueError("flat")
    optimizer = torch.optim.SGD([x], lr=lr, maximize=True)
    f = penalized(objective, penalty)
    for _ in range(steps):
        x.grad = None
        f(x).sum().backward(inputs=[x])
        optimizer.step()
    return x.detach()


# --------------------------------------------------------------------------------------- total_variation


def _steps(x):
    return x[:, :, 1:] - x[:, :, :-1], x[..., 1:] - x[..., :-1]


def squares_the_steps(x):
    """You square the differences. A few strong edges then cost more than much faint noise; total variation takes absolute values, so that an edge costs its height, however steep."""
    return sum(step.square().flatten(1).sum(1) for step in _steps(x))


def closes_the_image(x):
    """Your differences wrap around: the last row is compared with the first. `roll` does that; only neighbours inside the image count."""
    return sum((x.roll(1, dims=dim) - x).abs().flatten(1).sum(1) for dim in (2, 3))


def looks_one_way(x):
    """You only compare neighbours in one direction: stripes in the other direction cost nothing. Add both."""
    return _steps(x)[1].abs().flatten(1).sum(1)


def averages_the_steps(x):
    """You take the mean of the differences, not their sum."""
    return sum(step.abs().flatten(1).mean(1) for step in _steps(x))


def forgets_the_absolute_value(x):
    """You add up differences with their signs: they cancel, and only the edge of the image is left. Take absolute values first."""
    return sum(step.flatten(1).sum(1) for step in _steps(x))


def joins_the_batch(x):
    """You return one number for the whole batch: one per image, please."""
    return sum(step.abs().sum() for step in _steps(x))


def measures_as_the_crow_flies(x):
    """At each pixel you join the two differences to one length, √(down² + right²). That is the other, isotropic total variation; the formula adds the two absolute values."""
    down = F.pad(_steps(x)[0], (0, 0, 0, 1))
    right = F.pad(_steps(x)[1], (0, 1))
    return (down.square() + right.square()).add(1e-12).sqrt().flatten(1).sum(1)


def counts_every_pair_twice(x):
    """Twice too much: each pair of neighbours was counted from both sides."""
    return 2 * variation_by_diff(x)


def looks_at_one_channel(x):
    """Only the first channel counts in your sum. In a colour image all three can be restless."""
    return variation_by_diff(x[:, :1])


def variation_by_diff(x):
    return x.diff(dim=-1).abs().sum((1, 2, 3)) + x.diff(dim=-2).abs().sum((1, 2, 3))


# ------------------------------------------------------------------- discriminator_loss and generator_loss


def swaps_the_roles(real_logits, fake_logits):
    """You ask for "drawn" on real images and for "real" on drawn ones. In the formula, D is the probability of being real."""
    return F.softplus(real_logits).mean() + F.softplus(-fake_logits).mean()


def forgets_the_fakes(real_logits, fake_logits):
    """Only the real images count in your loss: a discriminator that says "real" to everything would be perfect."""
    return F.softplus(-real_logits).mean()


def takes_both_for_real(real_logits, fake_logits):
    """You ask for "real" on both kinds of images. The second mean is over log(1 − D)."""
    return F.softplus(-real_logits).mean() + F.softplus(-fake_logits).mean()


def adds_up_the_batch(real_logits, fake_logits):
    """You sum over the batch instead of taking the mean, so the step size depends on the batch size."""
    return F.softplus(-real_logits).sum() + F.softplus(fake_logits).sum()


def halves_the_loss(real_logits, fake_logits):
    """You take the mean of the two halves; the formula adds them. Real and drawn batches may also differ in size, so no joint mean either."""
    return (F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()) / 2


def rounds_to_certainty(real_logits, fake_logits):
    """Right for small logits, but σ rounds to exactly 0 or 1 for large ones, and log 0 is −∞. There is a function that takes the logit and never meets log 0."""
    return -real_logits.sigmoid().log().mean() - (1 - fake_logits.sigmoid()).log().mean()


def caps_the_logarithm(real_logits, fake_logits):
    """Right for small logits. For large ones σ rounds to 0 or 1, and torch's cross entropy of probabilities stops at −log = 100: no slope is left there. A sister of that function takes the logits themselves."""
    real, fake = real_logits.sigmoid(), fake_logits.sigmoid()
    return F.binary_cross_entropy(real, torch.ones_like(real)) + F.binary_cross_entropy(
        fake, torch.zeros_like(fake)
    )


def forgets_the_reals(real_logits, fake_logits):
    """Only the drawn images count in your loss: a discriminator that says "drawn" to everything would be perfect."""
    return F.softplus(fake_logits).mean()


def turns_the_game_round(real_logits, fake_logits):
    """The sign is the wrong one: this is mean log D + mean log(1 − D), which the discriminator wants large. A loss is minimized."""
    return -F.softplus(-real_logits).mean() - F.softplus(fake_logits).mean()


def weighs_all_images_alike(real_logits, fake_logits):
    """You take one mean over all images together. The formula has a mean over the real ones and a mean over the drawn ones, and adds them."""
    each = [F.softplus(-real_logits).flatten(), F.softplus(fake_logits).flatten()]
    return torch.cat(each).mean()


def measures_by_hinge(real_logits, fake_logits):
    """This is the hinge loss, which other games are played with: it stops caring as soon as a logit is beyond ±1. Here it is −log of the probabilities."""
    return F.relu(1 - real_logits).mean() + F.relu(1 + fake_logits).mean()


def expert_by_cross_entropy(real_logits, fake_logits):
    loss = F.binary_cross_entropy_with_logits
    return loss(real_logits, torch.ones_like(real_logits)) + loss(fake_logits, torch.zeros_like(fake_logits))


def saturates(fake_logits):
    """You minimize mean log(1 − D), the game's own formula. It is flat exactly where the generator is found out (D near 0), so it learns least when it needs most: Goodfellow's section 3 has the cure."""
    return -F.softplus(fake_logits).mean()


def helps_the_expert(fake_logits):
    """This is the discriminator's own loss on drawn images: minimizing it makes the generator easier to find out."""
    return F.softplus(fake_logits).mean()


def climbs_its_own_loss(fake_logits):
    """You return mean log D. It is to be minimized, so its sign must be the other one."""
    return -F.softplus(-fake_logits).mean()


def rounds_its_chances(fake_logits):
    """Right for small logits, but for a logit of −300 σ is exactly 0 and its logarithm −∞. There is a function that takes the logit and never meets log 0."""
    return -fake_logits.sigmoid().log().mean()


def caps_its_chances(fake_logits):
    """Right for small logits. For a logit of −300 σ rounds to 0, and torch's cross entropy of probabilities stops at −log = 100: no slope is left there. A sister of that function takes the logits themselves."""
    chances = fake_logits.sigmoid()
    return F.binary_cross_entropy(chances, torch.ones_like(chances))


def adds_up_its_failures(fake_logits):
    """You sum over the batch instead of taking the mean, so the step size depends on the batch size."""
    return F.softplus(-fake_logits).sum()


def climbs_the_logit_itself(fake_logits):
    """You return minus the mean logit. It never has enough: an image that is believed already counts as much as one that is not. −log D lets go of those."""
    return -fake_logits.mean()


def measures_the_distance_to_one(fake_logits):
    """You take (1 − D)², which is nearly flat where the generator is found out (D near 0). −log D is steep there."""
    return (1 - fake_logits.sigmoid()).square().mean()


def forger_by_cross_entropy(fake_logits):
    return F.binary_cross_entropy_with_logits(fake_logits, torch.ones_like(fake_logits))


# --------------------------------------------------------------------------------------- maximize_latent


def climbs_pixels(objective, generator, start, steps, lr, penalty):
    """You start from g(z) and then move the pixels themselves, so the image leaves what the generator can draw: the prior is lost. Move z, and let g draw after every step."""
    return start, maximize_activation(objective, generator(start), steps, lr, penalty)


def penalizes_the_image(objective, generator, start, steps, lr, penalty):
    """Your penalty is on the image g(z). The formula's λ‖z‖² is on the latent: it keeps z where the generator was trained."""
    z = maximize_activation(lambda z: penalized(objective, penalty)(generator(z)), start, steps, lr)
    return z, generator(z).detach()


def forgets_the_latent_penalty(objective, generator, start, steps, lr, penalty):
    """λ changes nothing. Without it z runs far away from where the generator was trained, and its images fall apart."""
    z = maximize_activation(lambda z: objective(generator(z)), start, steps, lr)
    return z, generator(z).detach()


def shows_the_image_before(objective, generator, start, steps, lr, penalty):
    """Your image belongs to the z before the last step. Draw once more after the loop: x̂ = g(ẑ)."""

    def f(z):
        return objective(generator(z))

    before = maximize_activation(f, start, steps - 1, lr, penalty)
    return maximize_activation(f, before, 1, lr, penalty), generator(before).detach()


def draws_with_history(objective, generator, start, steps, lr, penalty):
    """The result is right, but your last drawing x̂ still carries its history: it requires gradients (the generator's parameters do), and matplotlib will refuse it. Draw it without."""
    z = maximize_activation(lambda z: objective(generator(z)), start, steps, lr, penalty)
    return z, generator(z)


def teaches_both_networks(objective, generator, start, steps, lr, penalty):
    """The result is right, but `backward` has also left gradients on both networks' parameters: an optimizer would take them for lessons. Ask for the gradient of z alone."""
    z = start.clone().requires_grad_()
    optimizer = torch.optim.SGD([z], lr=lr, maximize=True)
    for _ in range(steps):
        optimizer.zero_grad()
        (objective(generator(z)) - penalty * z.square().sum(1)).sum().backward()
        optimizer.step()
    return z.detach(), generator(z).detach()


def swaps_latent_and_image(objective, generator, start, steps, lr, penalty):
    """Both are there, but in the other order: first ẑ, then x̂."""
    z = maximize_activation(lambda z: objective(generator(z)), start, steps, lr, penalty)
    return generator(z).detach(), z


def draws_the_start(objective, generator, start, steps, lr, penalty):
    """ẑ is right, but the image is that of the first z: draw the one to which the climb has led."""
    z = maximize_activation(lambda z: objective(generator(z)), start, steps, lr, penalty)
    return z, generator(start).detach()


def latent_by_hand(objective, generator, start, steps, lr, penalty):
    z = start.clone()
    for _ in range(steps):
        z.requires_grad_()
        value = objective(generator(z)) - penalty * (z**2).sum(1)
        z = (z + lr * torch.autograd.grad(value.sum(), z)[0]).detach()
    return z, generator(z).detach()


MISCONCEPTIONS = {
    "class_objective": [
        climbs_the_logit,
        climbs_the_probability,
        meets_log_zero,
        forgets_the_slope,
        lets_images_compete,
        averages_the_images,
        punishes_the_class,
        reads_while_training,
        takes_the_first_images_class,
        returns_every_class,
        pairs_every_image_with_every_class,
        takes_another_logarithm,
    ],
    "unit_objective": [
        takes_the_strongest_place,
        sums_the_map,
        averages_all_units,
        counts_units_through_the_map,
        averages_the_batch_too,
        leaves_the_places_apart,
        hears_only_what_fires,
        counts_units_from_one,
    ],
    "penalized": [
        rewards_size,
        forgets_the_square,
        shares_the_penalty,
        averages_the_squares,
        charges_half,
        charges_absolute_values,
    ],
    "maximize_activation": [
        descends,
        trains_the_image,
        forgets_the_penalty,
        penalizes_half,
        piles_up_gradients,
        climbs_the_mean,
        walks_by_the_sign,
        moves_the_start,
        teaches_the_network,
        keeps_the_history,
        takes_one_step_too_many,
        walks_at_one_pace,
        stays_on_paper,
        walks_with_adam,
        complains_on_the_way,
    ],
    "total_variation": [
        squares_the_steps,
        closes_the_image,
        looks_one_way,
        averages_the_steps,
        forgets_the_absolute_value,
        joins_the_batch,
        measures_as_the_crow_flies,
        counts_every_pair_twice,
        looks_at_one_channel,
    ],
    "discriminator_loss": [
        swaps_the_roles,
        forgets_the_fakes,
        takes_both_for_real,
        adds_up_the_batch,
        halves_the_loss,
        rounds_to_certainty,
        caps_the_logarithm,
        forgets_the_reals,
        turns_the_game_round,
        weighs_all_images_alike,
        measures_by_hinge,
    ],
    "generator_loss": [
        saturates,
        helps_the_expert,
        climbs_its_own_loss,
        rounds_its_chances,
        caps_its_chances,
        adds_up_its_failures,
        climbs_the_logit_itself,
        measures_the_distance_to_one,
    ],
    "maximize_latent": [
        climbs_pixels,
        penalizes_the_image,
        forgets_the_latent_penalty,
        shows_the_image_before,
        draws_with_history,
        teaches_both_networks,
        swaps_latent_and_image,
        draws_the_start,
    ],
}

ALTERNATIVES = {
    "class_objective": [objective_by_cross_entropy, objective_by_logsumexp, objective_in_double],
    "unit_objective": [unit_by_matrix],
    "penalized": [penalized_by_products],
    "maximize_activation": [ascend_by_optimizer],
    "total_variation": [variation_by_diff],
    "discriminator_loss": [expert_by_cross_entropy],
    "generator_loss": [forger_by_cross_entropy],
    "maximize_latent": [latent_by_hand],
}
