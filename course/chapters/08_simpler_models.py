# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Chapter 8 · Simpler models
#
# **How little of the network is enough?**
#
# Ninety-three thousand weights read our digits. Nobody can say what ninety-three thousand numbers mean. But must it be so many? What if nine in ten
# could go, and the network did not notice? What if the rest needed no decimals, only a sign?
#
# A simpler model that says the same is the most honest explanation there is: it does not *describe* the network, it *replaces* it.
# There are two ways to get one. **Prune**: throw weights away. **Binarize**: throw their digits away.

# %% [markdown]
# ## Penalties: let training throw away
#
# Chapter 1 let a penalty pull the weights of a linear model towards zero. The same works for every network, one step at a time:
#
# $$\min_w\; L(w) + l_1 \sum_k |w_k| + l_2 \sum_k w_k^2$$
#
# The square is smooth: its slope joins the gradient. But $|w|$ has a kink at zero, just where we want to arrive. So each step has two moves: walk downhill, then **shrink**.

# %%
from solutions.pruning import proximal_step

# %% [markdown]
# Softmax regression on digits, 784 weights for each class, in three ways:

# %%
import torch
from torch.nn import functional as F
from tqdm.auto import tqdm

from course.data.digits import load_digits
from course.settings import FAST
from course.show.simpler_models import weight_maps

digits = load_digits()
known = digits.train_images[: 1000 if FAST else None], digits.train_labels[: 1000 if FAST else None]
pixels, labels = known[0].flatten(1), known[1]


def train_linear(l1, l2, steps=60 if FAST else 150, lr=0.1):
    """Softmax regression by proximal steps on all digits at once. Returns (10, 784)."""
    w = torch.zeros(10, 784)
    one_hot = F.one_hot(labels, 10).float()
    for _ in range(steps):
        gradient = ((pixels @ w.T).softmax(1) - one_hot).T @ pixels / len(pixels)
        w = proximal_step(w, gradient, lr, l1, l2)
    return w


settings = {"no penalty": (0.0, 0.0), "L2": (0.0, 0.02), "L1": (0.002, 0.0)}
linear = {name: train_linear(*penalties) for name, penalties in settings.items()}
weight_maps(
    {name: w[:5].view(5, 28, 28) for name, w in linear.items()},
    captions=[f"class {k}" for k in range(5)],
    alt="Weights of the classes 0 to 4 as maps. No penalty and L2: coloured everywhere inside. L1: a few strokes, the rest grey, exactly zero.",
)
for name, w in linear.items():
    right = (digits.test_images.flatten(1) @ w.T).argmax(1) == digits.test_labels
    print(
        f"{name:>10}: {(w == 0).float().mean():.0%} of the weights are exactly zero, the largest is {w.abs().max():.2f}, {right.float().mean():.1%} read correctly"
    )

# %% [markdown]
# Without any penalty, some weights are zero, too: those of pixels that never see ink. L2 makes the weights smaller, and no more of them zero.
# L1 chooses: a few strokes that a person can follow with a finger.

# %% [markdown]
# ## Delete, and train again
#
# Deep networks are usually pruned **after** training. Give every weight a *saliency*, how much it seems to matter. Delete the least salient share.
# Let the others learn again, because they can take over. Then delete more.
#
# The simplest saliency is the size of the weight. The deleting is yours:

# %%
from solutions.pruning import prune_smallest

# %%
from solutions.pruning import magnitude_saliency  # given

# %%
from course.models.simpler import accuracy, delete, dense_network, join, separate, train, weights_of

EPOCHS = 6 if FAST else 15
DECAY = 1e-3  # a mild L2 penalty, ½ · DECAY · w², while training
base = dense_network([784, 100, 10], torch.Generator().manual_seed(0))
train(base, *known, EPOCHS, torch.Generator().manual_seed(0), decay=DECAY)
print(
    f"784–100–10, {len(join(weights_of(base))):,} weights: {accuracy(base, digits.test_images, digits.test_labels):.1f} %"
)

# %%
import copy


def without(model, saliency, share):
    """A copy of the model without the least salient share of its weights, all layers competing."""
    pruned = copy.deepcopy(model)
    delete(pruned, separate(prune_smallest(join(saliency), share), saliency))
    return pruned


sizes = {name: magnitude_saliency(w) for name, w in weights_of(base).items()}
for share in (0.5, 0.8, 0.9, 0.95):
    pruned = without(base, sizes, share)
    print(
        f"{share:.0%} deleted by size, not retrained: {accuracy(pruned, digits.test_images, digits.test_labels):.1f} %"
    )

# %% [markdown]
# ## Optimal Brain Damage
#
# Is a small weight an unimportant one? If it sits on a pixel that is always black it may even be large, and nobody would miss it. What counts is how much the **loss** rises.
# LeCun, Denker & Solla (1990) asked Taylor:
#
# $$\delta L = \underbrace{\sum_k g_k\,\delta w_k}_{0 \text{ at the minimum}} + \tfrac12 \sum_k h_{kk}\,\delta w_k^2 + \underbrace{\tfrac12 \sum_{k \ne l} h_{kl}\,\delta w_k\,\delta w_l}_{\text{neglected}} + \dots$$
#
# Deleting means $\delta w_k = -w_k$. What remains is a number for every weight, if we know how **curved** the loss is along it.

# %%
from solutions.pruning import hessian_diagonal

# %%
from solutions.pruning import obd_saliency

# %% [markdown]
# This saliency is more than an order: it is a **forecast**, in units of the loss. So we can check it. We need what Taylor assumed: a minimum. So: a small network (7×7 pixels,
# 20 cells), trained until nothing moves any more, on a loss that has its penalty inside.

# %%
from course.models.simpler import descend

small_images = F.avg_pool2d(digits.train_images, 4).flatten(1)[: 200 if FAST else 1000].double()
small_labels = digits.train_labels[: len(small_images)]


def penalised_loss(model):
    penalty = sum(p.square().sum() for p in model.parameters())
    return F.cross_entropy(model(small_images), small_labels) + DECAY / 2 * penalty


def forecast(activation, shares, seed=0):
    """Predicted and actual rise of the loss, for each share of deleted weights."""
    model = dense_network([49, 20, 10], torch.Generator().manual_seed(seed), activation).double()
    descend(model, penalised_loss)
    named = {name: p for name, p in model.named_parameters() if p.ndim > 1}
    curvatures = hessian_diagonal(penalised_loss(model), list(named.values()))
    saliency = {
        name: obd_saliency(w.detach(), h) for (name, w), h in zip(named.items(), curvatures, strict=True)
    }
    predicted, actual = [], []
    for share in shares:
        keep = prune_smallest(join(saliency), share)
        predicted.append(join(saliency)[~keep].sum())
        with torch.no_grad():
            actual.append(penalised_loss(without(model, saliency, share)) - penalised_loss(model))
    return torch.stack(predicted), torch.stack(actual)


# %%
from course.show.simpler_models import predicted_against_actual

shares = (0.1, 0.2, 0.4, 0.6, 0.8)
forecasts = {
    name: forecast(kind, shares) for name, kind in {"tanh": torch.nn.Tanh, "ReLU": torch.nn.ReLU}.items()
}
ratios = {
    name: ", ".join(f"{r:.2f} at {s:.0%}" for r, s in zip(predicted / actual, shares, strict=True))
    for name, (predicted, actual) in forecasts.items()
}
predicted_against_actual(
    forecasts,
    shares,
    alt="Predicted against actual rise of the loss, with a diagonal where both are the same; points above it cost more than predicted. Predicted / actual "
    + "; ".join(f"with {name}: {told}" for name, told in ratios.items()),
)
for name, told in ratios.items():
    print(f"{name}: predicted / actual = {told}")

# %% [markdown]
# With a smooth activation the forecast is good, as long as little is deleted. Where it breaks is just as instructive:
#
# - **much deleted:** the neglected terms, weights that depend on each other, add up;
# - **ReLU:** its kinks have a curvature that no derivative sees;
# - **no minimum:** large networks are never trained that far, and the gradient term is not zero.

# %% [markdown]
# ## The large network
#
# 79,400 rows of the Hessian are too many. But near a minimum, most of the curvature comes from the softmax and not from the network: the **Gauss–Newton**
# approximation needs first derivatives only.

# %%
from solutions.pruning import gauss_newton_diagonal  # given

# %%
SAMPLE = digits.train_images[: 50 if FAST else 150]


def obd(model, decay=DECAY):
    """OBD's saliency for a large network; the penalty is part of the loss, so its decay is part of the curvature."""
    names = [name for name, _ in model.named_parameters()]
    h = dict(zip(names, gauss_newton_diagonal(model, SAMPLE), strict=True))
    return {name: obd_saliency(w, h[name] + decay) for name, w in weights_of(model).items()}


def by_size(model):
    return {name: magnitude_saliency(w) for name, w in weights_of(model).items()}


def by_chance(model):
    coins = torch.Generator().manual_seed(1)
    return {name: torch.rand(w.shape, generator=coins) for name, w in weights_of(model).items()}


def delete_and_retrain(model, rate, shares, seed):
    """Accuracy after each share: delete, train again, delete more. rate=None deletes nothing: the control."""
    model, generator, accuracies = copy.deepcopy(model), torch.Generator().manual_seed(100 + seed), []
    keep = {name: torch.ones_like(w) for name, w in weights_of(model).items()}
    for share in shares:
        if rate:
            saliency = {name: torch.where(keep[name] > 0, s, -1.0) for name, s in rate(model).items()}
            keep = separate(prune_smallest(join(saliency), share).float(), saliency)
        train(model, *known, 3, generator, decay=DECAY, keep=keep)
        accuracies.append(accuracy(model, digits.test_images, digits.test_labels))
    return torch.tensor(accuracies)


# %%
from course.show.simpler_models import accuracy_by_share

shares = (0.6, 0.9) if FAST else (0.5, 0.8, 0.9, 0.95)
rates = {"Optimal Brain Damage": obd, "by size": by_size, "by chance": by_chance, "nothing deleted": None}
runs = {name: [] for name in rates}
for seed in tqdm(range(1 if FAST else 3), desc="networks"):
    network = dense_network([784, 100, 10], torch.Generator().manual_seed(seed))
    train(network, *known, EPOCHS, torch.Generator().manual_seed(seed), decay=DECAY)
    for name, rate in rates.items():
        runs[name].append(delete_and_retrain(network, rate, shares, seed))
curves = {name: torch.stack(run, dim=-1) for name, run in runs.items()}
typical = {name: values.median(-1).values for name, values in curves.items()}
costs = {name: typical["nothing deleted"] - values for name, values in typical.items() if rates[name]}
told = [
    f"{share:.0%} deleted, points lost: "
    + ", ".join(f"{points[place]:.1f} {name}" for name, points in costs.items())
    for place, share in enumerate(shares)
]
accuracy_by_share(
    shares,
    curves,
    alt="Accuracy against the share of weights kept, beside that of the untouched network. "
    + "; ".join(told),
)
print(*told, sep="\n")

# %% [markdown]
# Most of the weights can go, and little is lost. Careful choice is worth far more than chance.
#
# And be fair: compare Optimal Brain Damage with deleting **by size**. On this network, the Hessian gains you next to nothing: a mild penalty while training has already made useless weights
# small. What you get for its cost is a prediction in units of the loss.

# %% [markdown]
# And the course's convolutional network? It is trained already; we only delete, and do not even train again.

# %%
from course.models.digits import load_digits_cnn

cnn = load_digits_cnn()
candidates = {
    "by size": by_size(cnn),
    "OBD, penalty included": obd(cnn),
    "OBD, of the loss alone": obd(cnn, decay=0.0),
}
for name, saliency in candidates.items():
    left = [
        accuracy(without(cnn, saliency, share), digits.test_images, digits.test_labels)
        for share in (0.5, 0.8, 0.9)
    ]
    print(
        f"{name:>23}: "
        + ", ".join(
            f"{percent:.1f} % after {share:.0%}" for percent, share in zip(left, (0.5, 0.8, 0.9), strict=True)
        )
    )

# %% [markdown]
# Half of its weights can go at once. Much further, OBD of the loss alone is the *worst* choice: it deletes large weights that look harmless one by one, on the few digits that it was shown, and are not harmless together.
# That is the neglected part of Taylor's series. So in practice: delete little at a time, train in between.

# %% [markdown]
# ## Whole cells, and whole pixels
#
# A network with holes is smaller, but not simpler to read. **Optimal Cell Damage** (Cibas, Fogelman-Soulié, Gallinari & Raudys, 1994) deletes whole cells, or inputs: the usefulness of a cell is the sum over all the
# weights that *leave* it.
#
# $$S_i = \sum_{j \in \text{fan-out}(i)} \tfrac12 h_{ji}\, w_{ji}^2$$

# %%
from solutions.pruning import cell_saliency

# %%
from course.show.simpler_models import pixel_choice

first = next(iter(weights_of(base)))
curvature = gauss_newton_diagonal(base, known[0][: 50 if FAST else 400])[0]
usefulness = cell_saliency(weights_of(base)[first], curvature)
keeps = {f"{share:.0%} dropped": prune_smallest(usefulness, share) for share in (0.3, 0.5, 0.7)}
pixel_choice(
    usefulness,
    pixels.mean(0),
    keeps,
    alt="A map of usefulness: high in the middle, falling to nothing at the borders. Then the pixels that stay when 30, 50 and 70 percent are dropped: the borders go first.",
)
inked = pixels.amax(0) > 0
found = (~keeps["30% dropped"])[~inked].float().mean()
print(
    f"{(~inked).float().mean():.0%} of the pixels never see ink; of these, {found:.0%} are among the first 30 % to be dropped"
)

# %%
for title, keep in {"nothing dropped": torch.ones(784), **keeps}.items():
    model = copy.deepcopy(base)
    mask = {first: keep.float().expand_as(weights_of(base)[first])}
    train(model, *known, 2 if FAST else 8, torch.Generator().manual_seed(0), decay=DECAY, keep=mask)
    print(f"{title:>15}, retrained: {accuracy(model, digits.test_images, digits.test_labels):.1f} %")

# %% [markdown]
# Nobody told it that the borders are empty. And this answer can be read: *these pixels are not needed.*

# %% [markdown]
# Delete for yourself. (Nothing is retrained here, so that it answers at once.)

# %% tags=["demo"]
from ipywidgets import Dropdown, FloatSlider

from course.show.explore import explore


def draw_pruned(rate, share):
    """The first cells of the network, with holes."""
    pruned = without(base, rates[rate](base), share)
    percent = accuracy(pruned, digits.test_images, digits.test_labels)
    weight_maps(
        {f"{share:.0%} deleted\n{percent:.1f} %": weights_of(pruned)[first][:8].view(8, 28, 28)},
        captions=[f"cell {k}" for k in range(8)],
        alt=f"Incoming weights of eight hidden cells with {share:.0%} of all weights deleted: {percent:.1f} percent read correctly.",
    )


explore(
    draw_pruned,
    rate=Dropdown(options=["Optimal Brain Damage", "by size", "by chance"], description="delete"),
    share=FloatSlider(0.8, min=0, max=0.99, step=0.01, description="share", continuous_update=False),
)

# %% [markdown]
# ## Only signs
#
# The other way to simplify: keep every weight, but let it say only *yes* or *no*, $+1$ or $-1$. The trouble is learning. A sign is flat: its slope is zero, and no gradient comes through.
#
# **BinaryConnect** (Courbariaux, Bengio & David, 2015): go forward with the sign; go backward as if it had not been there. This is the *straight-through* gradient.

# %%
from solutions.binarization import binarize_weights

# %% [markdown]
# Behind each sign there is a real weight. It collects small gradients, until they are enough to turn the sign.

# %%
from solutions.binarization import binaryconnect_step

# %%
from course.show.simpler_models import weight_behind_its_sign

pushes = torch.randn(200, generator=torch.Generator().manual_seed(3)) + torch.linspace(-0.6, 0.6, 200)
real, signs = [torch.tensor(-0.3)], []
for push in pushes:
    signs.append(float(binarize_weights(real[-1])))
    real.append(binaryconnect_step(real[-1], push, 0.06))
weight_behind_its_sign(
    [float(w) for w in real],
    signs,
    alt="A real weight wanders up to its limit of 1 and down to −1. The sign follows in jumps, only when the weight crosses zero.",
)

# %% [markdown]
# BinaryConnect also tosses coins: a weight of $0.5$ becomes $+1$ three times in four. On average that is the weight itself, and the noise keeps the network from learning by heart.

# %%
from solutions.binarization import stochastic_binarize

# %% [markdown]
# Activations can be binary as well. Then the whole network is a net of switches. Here the gradient must stop where a cell is sure, $|x| > 1$; or it would be pushed on forever.

# %%
from solutions.binarization import binary_activation

# %% [markdown]
# And if signs alone are too coarse: one real number per cell, the mean size of its weights (Rastegari et al., 2016).

# %%
from solutions.binarization import scaled_binary

# %%
from course.show.simpler_models import slopes

x = torch.linspace(-2, 2, 401)
ours = {}
for title, function in {
    "weight: straight through": binarize_weights,
    "activation: stops outside": binary_activation,
}.items():
    leaf = x.clone().requires_grad_()
    value = function(leaf)
    (slope,) = torch.autograd.grad(value.sum(), leaf)
    ours[title] = (value.detach(), slope)
slopes(
    ours,
    x,
    alt="Two steps from −1 to +1. The slope that goes backward is 1 everywhere for weights; for activations 1 inside and 0 outside of [−1, 1].",
)

# %% [markdown]
# ## Does it still read?
#
# First the naive way: train with real weights, then paste their signs. Then the right way: let the network know while it learns.

# %%
from course.models.simpler import Apply, measure_normalization


def trained(view, activation=torch.nn.ReLU, lr=1e-3):
    """784–256–10 with batch normalization, whose weights are seen through `view`."""
    model = dense_network([784, 256, 10], torch.Generator().manual_seed(0), activation, normalize=True)
    limit = 1.0 if view else None
    epochs = 3 if FAST else 10
    train(model, *known, epochs, torch.Generator().manual_seed(0), lr=lr, decay=0.0, view=view, limit=limit)
    return model


def pasted(model, view):
    """A copy of the model with the weights replaced by what `view` makes of them, its normalization measured anew."""
    copied = copy.deepcopy(model)
    with torch.no_grad():
        for weight in weights_of(copied).values():
            weight.copy_(view(weight))
    return measure_normalization(copied, known[0])


real = trained(None)
coins = torch.Generator().manual_seed(0)
tossed = trained(lambda w: stochastic_binarize(w, coins), lr=3e-2)
networks = {
    "real weights": real,
    "signs pasted afterwards": pasted(real, binarize_weights),
    "scaled signs pasted afterwards": pasted(real, scaled_binary),
    "trained as signs": pasted(trained(binarize_weights, lr=1e-2), binarize_weights),
    "trained as scaled signs": pasted(trained(scaled_binary, lr=3e-3), scaled_binary),
    "trained with coins, their mean used": pasted(tossed, lambda w: w.clamp(-1, 1)),
    "signs, and binary activations": pasted(
        trained(binarize_weights, lambda: Apply(binary_activation), lr=1e-2), binarize_weights
    ),
}
for name, model in networks.items():
    print(f"{name:>36}: {accuracy(model, digits.test_images, digits.test_labels):5.1f} %")

# %% [markdown]
# One bit instead of 32, and the digits are read about as well, **if the network knew while it learned**; signs that are pasted on afterwards cost some points.
# Coins make it learn more slowly; afterwards one uses their mean, which is the real weight. And even a net of nothing but switches reads most of them.

# %% [markdown]
# ## What becomes readable — and what does not
#
# Here are the filters of the course's convolutional network: as learned; and after a little more training as scaled signs.

# %%
learned = weights_of(cnn)["conv1.weight"].clone()
before = accuracy(cnn, digits.test_images, digits.test_labels)
train(cnn, *known, 1 if FAST else 2, torch.Generator().manual_seed(0), decay=0.0, view=scaled_binary)
cnn = pasted(cnn, scaled_binary)
weight_maps(
    {"real": learned[:12, 0], "scaled signs": weights_of(cnn)["conv1.weight"][:12, 0]},
    alt="Twelve filters of five by five weights: in shades as learned, in two colours as scaled signs. Edges and bars are easier to see in two colours.",
)
print(
    f"real weights: {before:.1f} %; all weights scaled signs: {accuracy(cnn, digits.test_images, digits.test_labels):.1f} %"
)

# %% [markdown]
# In two colours, an edge is an edge. That is readable. But is a pruned network *the* explanation? Two equally good ones should then agree on what matters. Let us compare what two
# rates leave over, of the same network:

# %%
share = 0.9
kept = {name: prune_smallest(join(rate(base)), share) for name, rate in rates.items() if rate}
both = kept["Optimal Brain Damage"] & kept["by size"]
print(
    f"of the {1 - share:.0%} that OBD keeps, deleting by size keeps {both.sum() / kept['by size'].sum():.0%}"
)

other = dense_network([784, 100, 10], torch.Generator().manual_seed(7))
train(other, *known, EPOCHS, torch.Generator().manual_seed(7), decay=DECAY)
here = weights_of(without(base, obd(base), share))[first] != 0
there = weights_of(without(other, obd(other), share))[first] != 0
pixels_agree = torch.corrcoef(torch.stack([here.float().sum(0), there.float().sum(0)]))[0, 1]
print(f"another start of the training: number of weights kept per pixel correlates {pixels_agree:.2f}")
weight_maps(
    {
        "one start": (here * weights_of(base)[first])[:10].view(10, 28, 28),
        "another": (there * weights_of(other)[first])[:10].view(10, 28, 28),
    },
    captions=[f"cell {k}" for k in range(10)],
    alt="The tenth of the weights that is left in ten hidden cells of two networks: scattered specks and strokes, and no cell of one looks like its neighbour in the other.",
)

# %% [markdown]
# Both read about equally well, and yet:
#
# - **which pixels** are needed is an answer that two networks agree on;
# - **which weights** are needed is not: on the very same network two good choices keep different ones, and another start finds other cells altogether;
# - **small is not the same as understood.** Eight thousand weights are a tenth of eighty thousand, and still eight thousand.
# - A smaller network has also lost something. Little, on average; on *whose* digits, nobody has asked yet. Rare ones go first (Hooker et al., 2019).

# %% [markdown] question="ninety-percent" points=3 minutes=8
# A company advertises: *"Our network is explainable. We removed 90 % of its weights without any loss of accuracy, so every weight that is left is there for a reason."*
# Answer in three to five sentences. Which part is supported by this chapter, which is not, and what would you test before you believe it?

# %% [markdown]
# ## Further reading
#
# - LeCun, Denker & Solla (1990): *Optimal brain damage.* Eight pages, thirty-odd years ahead.
# - Hassibi & Stork (1993): *Second order derivatives for network pruning: optimal brain surgeon.* With the neglected terms.
# - Cibas, Fogelman-Soulié, Gallinari & Raudys (1994): *Variable selection with optimal cell damage.*
# - Courbariaux, Bengio & David (2015): *BinaryConnect.* · Rastegari et al. (2016): *XNOR-Net.*
# - Frankle & Carbin (2019): *The lottery ticket hypothesis.* Why was the large network needed at all?
# - Hooker, Courville, Clark, Dauphin & Frome (2019): *What do compressed deep neural networks forget?*
