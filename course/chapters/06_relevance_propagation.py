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
# # Chapter 6 · Relevance propagation
#
# **How much of the score is owed to each pixel?**
#
# A network says "3, with a score of 20". Chapter 4 asked how the score would *change*; chapter 5 drew sharp pictures that kept no accounts. Now we want a balance sheet: every pixel gets a share $R_i$
# of the score, and the shares add up,
#
# $$f(x) = \sum_i R_i$$
#
# The idea of **layer-wise relevance propagation** (Bach and others, 2015): treat the score like money. Each unit hands all it has received on to those below that have earned it, in proportion to what they
# contributed, until everything has arrived at the pixels. If no layer keeps anything, the sum at the bottom is the sum at the top.

# %% [markdown]
# ## One neuron
#
# A neuron has computed $z_j = \sum_i a_i w_{ij} + b_j$, and has been given relevance $R_j$. Input $i$ contributed $z_{ij} = a_i w_{ij}$. So its share is
#
# $$R_i = \sum_j \frac{z_{ij}}{z_j + \varepsilon \cdot \mathrm{sign}(z_j)}\, R_j$$
#
# The small $\varepsilon$ is there for neurons whose $z_j$ is nearly zero, where the quotient would explode.
#
# For dense layers and convolutions alike, the formula takes four steps: $z$; $s_j = R_j / (z_j + \dots)$; back through the same weights, $c_i = \sum_j w_{ij} s_j$; and $R_i = a_i c_i$. Two helpers
# go forward and backward through a layer with whatever weights you give them. A third, `stabilized(z)`, adds a fixed tiny amount to a denominator, away from zero; the rules further down take it, this one has an $\varepsilon$ of its own.

# %%
from solutions.layers import backward_with, forward_with, stabilized  # given

# %%
from solutions.lrp import epsilon_rule

# %%
import torch
from torch import nn

from course.show.relevance import one_neuron

neuron = nn.Linear(3, 1)
neuron.weight.data, neuron.bias.data = torch.tensor([[2.0, -1.0, 1.0]]), torch.tensor([1.0])
a, relevance = torch.tensor([[2.0, 1.0, 1.0]]), torch.tensor([[10.0]])
one_neuron(
    a[0],
    neuron.weight[0].detach(),
    1.0,
    epsilon_rule(neuron, a, relevance, 1e-6)[0].detach(),
    10.0,
    alt="Bars. The inputs contribute 4, −1 and 1, the bias 1, together 5. Of the relevance 10 the inputs get 8, −2 and 2: 8 in all; "
    "the bias's 2 go to nobody.",
)

# %% [markdown]
# Ten came in, and eight went on: the bias had contributed a fifth, and it is no input that could receive something. **Biases keep relevance.** (An input that spoke *against* the
# output gets a negative share. That is as it should be.)

# %% [markdown]
# ## From layer to layer
#
# The output layer starts with the logit itself, at the target's place. Then down: dense layers and convolutions follow their rule; all others only pass on, as `hand_back` does: a ReLU hands through
# what it gets, flattening reshapes, max pooling gives to the winner. `one_hot(logits, target)` is 1 at the target's place and 0 elsewhere, whichever way the target is given; `evaluation_mode(model)` gives the model its mode back.

# %%
from solutions.lrp import hand_back  # given

# %%
from solutions.filters import evaluation_mode  # given

# %%
from solutions.sensitivity import one_hot, target_class  # given

# %%
from solutions.lrp import relevance_by_layer

# %%
from course.data.digits import load_digits
from course.models.digits import load_digits_cnn
from course.show.images import heatmap_grid

digits, model = load_digits(), load_digits_cnn()
ten, labels = digits.test_images[:10], digits.test_labels[:10]
with torch.no_grad():
    f = model(ten)[range(10), labels]

R = relevance_by_layer(model, ten, labels, epsilon_rule)[0]
heatmap_grid(
    ten,
    R,
    titles=[f"f = {f[k]:.1f}\nΣ R = {R[k].sum():.1f}" for k in range(10)],
    columns=5,
    unit="score",
    alt="Ten digits with their relevance: red strokes with some blue. Above each the score and the sum of all shares: near each other, but up to 2.5 apart.",
)

# %% [markdown]
# ## Why the sum equals the output
#
# Add up what one layer hands back, leaving bias and ε aside:
#
# $$\sum_i R_i = \sum_i \sum_j \frac{z_{ij}}{\sum_{i'} z_{i'j}} R_j = \sum_j \underbrace{\frac{\sum_i z_{ij}}{\sum_{i'} z_{i'j}}}_{=\,1} R_j = \sum_j R_j$$
#
# Each neuron's shares sum to one, so each layer hands on as much as it got. Layer after layer, like a chain:
#
# $$\sum_{\text{pixels}} R = \dots = \sum_{\text{layer } l} R = \sum_{\text{layer } l+1} R = \dots = f(x)$$
#
# With biases, $z_j$ is more than the sum of its $z_{ij}$, and the shares sum to less than one (or to more, where the bias pulls the other way). With a large ε as well. Here are the sums, layer by layer, of our network, of a copy whose biases
# are all zero, and with a large ε:

# %%
import copy
from functools import partial

from course.show.relevance import sums_by_layer

without = copy.deepcopy(model)
for name, parameter in without.named_parameters():
    if name.endswith("bias"):
        parameter.data.zero_()

names = ["output", *[f"into {name}" for name, _ in reversed(list(model.named_children()))]]
names[-1] = "pixels"


def sums(network, rules, image=5):
    parts = relevance_by_layer(network, ten[image : image + 1], labels[image : image + 1], rules)
    return [part.sum().item() for part in reversed(parts)]


sums_by_layer(
    names,
    {
        "without biases": sums(without, epsilon_rule),
        "with biases": sums(model, epsilon_rule),
        "without biases, ε = 0.25": sums(without, partial(epsilon_rule, epsilon=0.25)),
        "with biases, ε = 0.25": sums(model, partial(epsilon_rule, epsilon=0.25)),
    },
    alt="Sums of relevance from the output down to the pixels. Without biases a flat line at exactly 1. With biases it stays near 1 down to the first "
    "convolution, whose biases keep a fifth. With ε = 0.25 both fall step by step, at every dense layer and convolution.",
)
print(
    f"without biases: output {sums(without, epsilon_rule)[0]:.4f}, pixels {sums(without, epsilon_rule)[-1]:.4f}"
)
print(
    f"with biases:    output {sums(model, epsilon_rule)[0]:.4f}, pixels {sums(model, epsilon_rule)[-1]:.4f}"
)

# %% [markdown]
# So *conservation* is no empirical finding. It is built into the rule: shares of one thing sum to that thing.
#
# ## An old acquaintance
#
# Compare with chapter 4:

# %%
from solutions.sensitivity import gradient_times_input  # given

# %%
for epsilon in (1.0, 1e-2, 1e-4, 1e-6):
    R = relevance_by_layer(model, ten, labels, partial(epsilon_rule, epsilon=epsilon))[0]
    apart = (R - gradient_times_input(model, ten, labels)).abs().max()
    print(f"ε = {epsilon:g}: largest difference to gradient × input {apart:.6f}")

# %% [markdown]
# As ε goes to zero, ε-LRP on a ReLU network *is* gradient × input: $R_j / z_j$ is passed down exactly as a gradient is. Nothing new, then? What is new is the view. If relevance is shared out
# locally, one may choose *how*, layer by layer, and choose better.

# %% [markdown]
# ## Favour agreement: γ
#
# In the lower layers, many large contributions of both signs cancel in a small $z_j$; their shares are then large, positive and negative, and the map gets specks. The γ rule lets what speaks *for* the output count more:
#
# $$R_i = \sum_j \frac{a_i\,(w_{ij} + \gamma w_{ij}^+)}{\sum_{i'} a_{i'} (w_{i'j} + \gamma w_{i'j}^+) + b_j + \gamma b_j^+}\; R_j$$
#
# That is the formula for a unit that has said *yes*, $z_j > 0$, with inputs that come out of a ReLU. Where a unit has said *no* and still carries relevance, as it may behind the sum of two branches, more of what is positive would pull its denominator to zero, and the relevance would explode; so in general it is what
# *agrees with* $z_j$ that counts $1 + \gamma$ times:
#
# $$R_i = \sum_j \frac{z_{ij} + \gamma\, z_{ij}^*}{\sum_{i'} (z_{i'j} + \gamma\, z_{i'j}^*) + b_j + \gamma\, b_j^*}\; R_j, \qquad z_{ij}^* = z_{ij} \text{ where it has the sign of } z_j, \text{ else } 0$$
#
# In this and the following rules, the denominator is kept off zero by a fixed tiny amount: take `stabilized(z)`.

# %%
from solutions.lrp import gamma_rule

# %% [markdown]
# ## Only what speaks for it: z⁺, and α and β
#
# With γ → ∞ only positive contributions are left (where $z_j > 0$), $z_{ij}^+ = \max(0, a_i w_{ij})$. And if what speaks against is to be shown, but under control, share out both parts separately:
#
# $$R_i = \sum_j \left(\alpha\,\frac{z_{ij}^+}{\sum_{i'} z_{i'j}^+ + b_j^+} - \beta\,\frac{z_{ij}^-}{\sum_{i'} z_{i'j}^- + b_j^-}\right) R_j, \qquad \alpha - \beta = 1$$

# %%
from solutions.lrp import z_plus_rule

# %%
from solutions.lrp import alpha_beta_rule

# %%
three = ten[3:4]
everywhere = {
    "ε = 10⁻⁶": epsilon_rule,
    "ε = 0.25": partial(epsilon_rule, epsilon=0.25),
    "γ = 0.25": partial(gamma_rule, gamma=0.25),
    "γ = 2": partial(gamma_rule, gamma=2.0),
    "z⁺": z_plus_rule,
    "α = 2, β = 1": alpha_beta_rule,
}
maps = [relevance_by_layer(model, three, 3, rule)[0] for rule in everywhere.values()]
heatmap_grid(
    three,
    torch.cat(maps),
    titles=[f"{name}\nΣ R = {R.sum():.1f}" for name, R in zip(everywhere, maps, strict=True)],
    unit="score",
    columns=6,
    size=1.7,
    alt="One three under six rules. ε: red with blue specks; a larger ε drops the weak ones; γ: ever less blue; z⁺: only red, on all strokes alike; "
    "α = 2, β = 1: strong red and blue. The sums are near 20 except for the large ε.",
)

# %% [markdown]
# ## The first layer is special
#
# Under all these rules a pixel of zero gets nothing: $a_i = 0$ contributes nothing. In a hidden layer, zero means "nothing there". At the pixels, zero means *black* (or white), and black can be what matters. Two rules for the first
# layer. If a pixel may be any number, let only the weights decide; if it lies between $l_i$ and $h_i$, count how far it is from the extreme that would have spoken least:
#
# $$w^2:\; R_i = \sum_j \frac{w_{ij}^2}{\sum_{i'} w_{i'j}^2 + b_j^2} R_j \qquad\qquad z^{\mathcal B}:\; R_i = \sum_j \frac{a_i w_{ij} - l_i w_{ij}^+ - h_i w_{ij}^-}{\sum_{i'} (\dots)} R_j$$

# %%
from solutions.lrp import w_square_rule

# %%
from solutions.lrp import z_box_rule

# %% [markdown]
# ## Each layer the rule that suits it
#
# Close to the output, few units decide: ε. In the convolutions, many contradict each other: γ. At the pixels: the box. Such an assignment is called a **composite**. Here it is a dictionary from the layers' names to rules.

# %%
from solutions.layers import weighted_layers  # given

# %%
from solutions.lrp import epsilon_gamma_box

# %%
plain = {name: epsilon_rule for name, _ in weighted_layers(model)}
composites = {
    "ε everywhere": plain,
    "z⁺, dense ε": plain | {"conv1": z_plus_rule, "conv2": z_plus_rule},
    "w², γ, ε": plain | {"conv1": w_square_rule, "conv2": gamma_rule},
    "zᴮ, γ, ε": epsilon_gamma_box(model, 0.0, 1.0),
}
for image in (3, 4):
    x, label = ten[image : image + 1], labels[image : image + 1]
    maps = [relevance_by_layer(model, x, label, rules)[0] for rules in composites.values()]
    heatmap_grid(
        x,
        torch.cat(maps),
        titles=[f"{name}\nΣ R = {R.sum():.1f}" for name, R in zip(composites, maps, strict=True)],
        unit="score",
        size=2.0,
        alt=f"A {image} under four composites. The first two colour only the strokes; with w² and the box, the blank paper beside the strokes takes part, too, "
        "softly, and the map is smooth.",
    )

# %% [markdown]
# With w² and the box the paper takes part: beside and between the strokes it is softly red. For the box the reason is that ink there would have taken something away from what speaks for this
# class; w² does not look at the ink at all, only at where the weights are.

# %% [markdown]
# ## Play with it
#
# Any digit, any class, any composite; the sum is always there.

# %% tags=["demo"]
from ipywidgets import Dropdown, FloatLogSlider, IntSlider

from course.show.explore import explore


def draw(image, target, gamma, epsilon):
    x = digits.test_images[image : image + 1]
    rules = epsilon_gamma_box(model, 0.0, 1.0, epsilon, gamma)
    parts = relevance_by_layer(model, x, target, rules)
    heatmap_grid(
        x,
        parts[0],
        titles=[f"as a {target}: f = {parts[-1].sum():.2f}\nΣ R = {parts[0].sum():.2f}"],
        unit="score",
        size=3,
        alt=f"Relevance of image {image} as a {target}, γ = {gamma:g}, ε = {epsilon:g}.",
    )


explore(
    draw,
    image=IntSlider(4, min=0, max=999, description="image", continuous_update=False),
    target=Dropdown(options=range(10), value=4, description="class"),
    gamma=FloatLogSlider(0.25, base=10, min=-2, max=2, description="γ", continuous_update=False),
    epsilon=FloatLogSlider(1e-6, base=10, min=-6, max=1, description="ε", continuous_update=False),
)

# %% [markdown]
# ## Batch normalization, sums of branches
#
# A rule redistributes what *one* linear layer computed. Batch normalization behind a convolution is linear, too (in evaluation mode), and full of biases. Handing relevance through the two one after the other gives
# another result than treating them as what they are together: one layer. So merge them first.

# %%
from solutions.layers import merge_batchnorm

# %%
conv, norm = nn.Conv2d(1, 4, 5).eval(), nn.BatchNorm2d(4).eval()
norm.running_mean, norm.running_var = torch.linspace(-0.2, 0.2, 4), torch.linspace(0.02, 0.3, 4)
with torch.no_grad():
    apart = (merge_batchnorm(conv, norm)(ten) - norm(conv(ten))).abs().max()
print(f"largest difference between one merged layer and the two: {apart:.1e}")

# %% [markdown]
# What about residual networks, where a branch is added to a shortcut? The sum is a linear layer like any other: branch and shortcut get shares in proportion to what each brought (if the branch brought 3 and the shortcut 1, then of a relevance of 8 they get 6 and 2). A program that hands the *whole* relevance to both
# doubles it at every block.
#
# Our walk through a chain of layers cannot follow branches. But there is a way that needs no walk. Wherever nothing but sums, ReLU and maxima lies between two layers, $R/a$ is passed down exactly as a gradient is: that was the old acquaintance above. So let every dense layer and convolution give its usual
# value, and teach it another *gradient*: $R_j / z_j$ comes in, the layer's rule turns $R_j$ into $R_i$, and $R_i / a_i$ goes out. Then autograd does the walking, through whatever branches there are, and input × gradient is the relevance.

# %%
from solutions.lrp import relevance_through_branches  # given

# %% [markdown]
# Here is a small residual network: three blocks, in each of which a branch of two convolutions is added to what came in. It has a batch normalization behind every convolution; so your `merge_batchnorm` first.

# %%
from course.models.digits_resnet import load_digits_resnet

resnet = load_digits_resnet()
merged = copy.deepcopy(resnet)
for part, conv, norm in [(merged, "conv", "norm")] + [
    (getattr(merged, f"block{k}"), f"conv{j}", f"norm{j}") for k in (1, 2, 3) for j in (1, 2)
]:
    setattr(part, conv, merge_batchnorm(getattr(part, conv), getattr(part, norm)))
    setattr(part, norm, nn.Identity())

with torch.no_grad():
    f = resnet(ten).gather(1, labels[:, None])[:, 0]
    apart = (merged(ten) - resnet(ten)).abs().max()
print(f"largest difference between the logits of the two networks: {apart:.1e}")

# %% [markdown]
# Does the sum come out? Without biases it must, to the last digit: through every branch and every sum. With them (the merged network is full of biases) it need not.

# %%
bare = copy.deepcopy(merged)
for name, parameter in bare.named_parameters():
    if name.endswith("bias"):
        parameter.data.zero_()
with torch.no_grad():
    f_bare = bare(ten).gather(1, labels[:, None])[:, 0]

branched = {
    "ε everywhere": epsilon_rule,
    "z⁺, dense ε": {
        name: epsilon_rule if isinstance(layer, nn.Linear) else z_plus_rule
        for name, layer in weighted_layers(merged)
    },
    "zᴮ, γ, ε": epsilon_gamma_box(merged, 0.0, 1.0),
}
maps = {name: relevance_through_branches(merged, ten, labels, rules) for name, rules in branched.items()}
for name, rules in branched.items():
    kept = relevance_through_branches(bare, ten, labels, rules).sum((1, 2, 3)) / f_bare
    with_biases = maps[name].sum((1, 2, 3)) / f
    print(
        f"{name:13} Σ R / f without biases {kept.min():.3f} … {kept.max():.3f},   "
        f"with biases {with_biases.min():.2f} … {with_biases.max():.2f}"
    )

# %%
for image in (3, 4):
    heatmap_grid(
        ten[image : image + 1],
        torch.cat([R[image : image + 1] for R in maps.values()]),
        titles=[f"{name}\nf = {f[image]:.1f}, Σ R = {R[image].sum():.1f}" for name, R in maps.items()],
        unit="score",
        size=2.0,
        alt=f"A {image} through the residual network. ε: red and blue pixels next to each other all along the strokes. z⁺: nearly all red, calmer, the most "
        "of it in a few places. The composite: the same places, softer, and some red on the paper around them.",
    )

# %% [markdown]
# Without biases, all of $f$ arrives, through every branch. With them, z⁺ loses 15 to 40 % of it to the positive biases and the composite 3 to 20 %; what ε loses differs from image to image, and once it is the whole score. A program that is to explain any network does the same with a second pair of eyes: it merges
# the normalizations on its own, watches all that lies between the layers, and refuses by name what no rule describes.

# %% [markdown]
# ## What relevance propagation cannot tell you
#
# **The sum proves nothing.** Here is another map that adds up exactly: give every pixel the same share, $R_i = f(x) / 784$. Or give it to the ink. Both keep accounts perfectly, and know nothing about the network.
# Conservation says that no relevance was lost, not that it went to those who earned it.
#
# **The rules are choices**, and a calmer map is not a truer one. Ask the network itself, as in chapter 4: delete the pixels, the most relevant first. The lower the score falls, the better the map knew.

# %%
from solutions.sensitivity import deletion_curve  # given

# %%
from course.settings import FAST
from course.show.sensitivity import deletion_curves

many, classes = digits.test_images[: 15 if FAST else 60], digits.test_labels[: 15 if FAST else 60]
candidates = {name: relevance_by_layer(model, many, classes, rules)[0] for name, rules in composites.items()}
candidates["z⁺ everywhere"] = relevance_by_layer(model, many, classes, z_plus_rule)[0]
candidates["f · ink / Σ ink"] = many / many.sum((1, 2, 3), keepdim=True)
curves = {name: deletion_curve(model, many, R, classes, 49) for name, R in candidates.items()}
deletion_curves(
    curves,
    alt="Mean score while the most relevant pixels are deleted. Deleting by ink falls slowest, z⁺ everywhere little faster; "
    "the composites follow; ε everywhere, which is gradient times input, falls fastest.",
)
for name, curve in curves.items():
    print(f"{name:16} mean score while deleting: {curve.mean():6.2f}")

# %% [markdown]
# The prettiest map, z⁺ everywhere, is hardly better than "the ink itself"; the speckled one, ε everywhere, knows best *by this test*. (By this test: it sets pixels to zero, and gradient × input is made for that question. Zero ink is itself a choice.)
#
# So relevance propagation
#
# - **does** say how the score can be shared out among the pixels, without loss, and lets you check every layer's account;
# - does **not** give *the* explanation: each rule shares by another idea of fairness, and the sum cannot decide between them;
# - does **not** say what would happen if a pixel changed: a share is no slope (chapter 4), and no experiment;
# - cannot treat what it has no rule for: softmax, products of activations, gates. A good program refuses those by name.

# %% [markdown] question="sum-and-truth" points=3 minutes=10
# Explain to a fellow student, without formulas, why the relevances of all pixels sum to the network's output, and name two things that keep them from doing so exactly. Then: a colleague's tool shows a map whose sum is *twice* the output, on a residual network.
# What has probably happened? And if the sum had been right, would you believe the map?

# %% [markdown]
# ## The answer
#
# How much of the score is owed to each pixel? As much as the rule hands it, and the rule hands on all that it gets: **each unit's shares sum to one, so each layer's sum is the next one's, and the last one's is $f(x)$**. That makes relevance propagation the first of our methods whose
# numbers have a unit and a total. What a share *means* depends on the rule, and whether it is deserved must be tested otherwise.
#
# The next chapter asks nothing about the inside at all, and explains a network that it may only *query*.
#
# **Further reading**
#
# - S. Bach, A. Binder, G. Montavon, F. Klauschen, K.-R. Müller & W. Samek (2015): *On pixel-wise explanations for non-linear classifier decisions by layer-wise relevance propagation.*
# - G. Montavon, S. Lapuschkin, A. Binder, W. Samek & K.-R. Müller (2017): *Explaining nonlinear classification decisions with deep Taylor decomposition.* Where z⁺, w² and zᴮ come from.
# - G. Montavon, A. Binder, S. Lapuschkin, W. Samek & K.-R. Müller (2019): *Layer-wise relevance propagation: an overview.* Which rule for which layer.
# - L. Sixt, M. Granz & T. Landgraf (2020): *When explanations lie.* What is lost when only positive parts are propagated.
# - A. Shrikumar, P. Greenside & A. Kundaje (2017): *Learning important features through propagating activation differences.* The relation to gradient × input, and another way on.
