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
# # Chapter 1 · Linear models
#
# **What does a model rely on — and when may we believe its weights?**
#
# A network reads your X-ray and says "ill". You ask why. "Because 25 million numbers came out that way" is true, and no answer.
# There are good reasons to want a better one:
#
# - **to trust, or not to:** is it the lung it looks at, or the hospital's stamp in the corner?
# - **to improve:** where does it go wrong, and what would help?
# - **to learn:** perhaps it has found something that we did not know.
# - **because you must:** people have a right to know why a machine decided about them.

# %% [markdown]
# ## The map of the course
#
# Two questions sort everything that follows. **What** is to be explained: *one decision* ("why is this a 4?") or *the whole model*
# ("what is a 4 for you?")? And **how** do we get at it: *from outside*, trying inputs and watching outputs, which works for any model;
# *from inside*, using the network's weights and gradients; or with a model that is *built to show* its work?

# %%
from course.show.linear_models import course_map

course_map()

# %% [markdown]
# | if you ask … | … go to |
# |---|---|
# | What do the weights of a model mean? | **1** linear models |
# | What is a hidden unit looking for? | **2** filters and activations |
# | What would the network's ideal 4 look like? | **3** activation maximization |
# | Which pixels would change the decision? | **4** sensitivity |
# | Which pattern made this unit fire? | **5** deconvnet, guided backpropagation |
# | How much did each pixel contribute to the score? | **6** relevance propagation |
# | Why, if I cannot look inside? | **7** LIME |
# | How little of the network is enough? | **8** simpler models |
# | Can something readable do the same? | **9** distillation |
# | Where does the model look while it decides? | **10–14** attention, memory, reasoning |
#
# We begin in the corner where explaining is easiest: with models that are their own explanation. You will see that even there
# it takes some care.

# %% [markdown]
# ## A model that explains itself
#
# 442 people with diabetes were examined. Of each we know ten measurements, and how far the disease had gone one year later, as a number
# between 25 (hardly) and 346 (far).

# %%
import torch

from course.data.diabetes import load_diabetes

people = load_diabetes()
for name, unit, value in zip(people.names, people.units, people.x[0].tolist(), strict=True):
    print(f"{name:>15}  {value:7.2f} {unit}")
print(f"\nprogression of the first person: {people.y[0]:.0f}")

# %% [markdown]
# A linear model gives every feature a weight and adds up:
#
# $$f(x) = w^\top x = \sum_j w_j\,x_j$$
#
# That is all there is to it, and therefore everything is open: the score is a sum, and $w_j x_j$ is what feature $j$ brought to it.

# %%
from solutions.linear import linear_scores

# %% [markdown]
# Your function, with weights that we made up: 2 points for every kg/m² of body mass, 1 for every mm Hg of blood pressure.

# %%
guess = torch.zeros(10)
guess[2], guess[3] = 2.0, 1.0
print("scores:     ", [f"{score:.0f}" for score in linear_scores(people.x, guess)[:6].tolist()])
print("progression:", [f"{target:.0f}" for target in people.y[:6].tolist()])

# %% [markdown]
# ## Which weights are best?
#
# Those that cost least. The cost adds up the squared errors over all people; and because large weights are usually a sign that a model
# has learned the noise by heart, it also charges for them:
#
# $$C(w) = \sum_i (w^\top x_i - y_i)^2 + \lambda\,\|w\|^2$$
#
# $\lambda$ is the *penalty*. Charging for the squares is called **L2** or *ridge*.

# %%
from solutions.linear import regularized_cost

# %% [markdown]
# The cost is a bowl, and at its lowest point the gradient is zero. For this one you can write down where that is.
# (We take the mean off all columns first, so that no constant term is needed.)

# %%
from solutions.linear import fit_ridge

# %%
x = people.x - people.x.mean(dim=0)
y = people.y - people.y.mean()
w = fit_ridge(x, y, penalty=0.0)

print(f"cost with all weights 0: {regularized_cost(torch.zeros(10), x, y, 0.0):12,.0f}")
print(f"cost with the best ones: {regularized_cost(w, x, y, 0.0):12,.0f}")
explained = 1 - regularized_cost(w, x, y, 0.0) / (y**2).sum()
print(f"the ten features explain {explained:.0%} of the variance")

# %% [markdown]
# ## Relevance: how much does the model depend on a feature?
#
# Change feature $j$ by one unit and the score changes by $w_j$. So the size of the weight says how much the model depends on the feature:
#
# $$R_j = |w_j|$$

# %%
from solutions.linear import feature_relevance

# %%
from course.show.linear_models import weight_bars

weight_bars(
    {"relevance of each feature": feature_relevance(w)},
    people.names,
    units="progression per unit of the feature",
    alt="Bars of |w| for the ten features as measured. Log lipids dwarf everything with 68, then sex with 23.",
)

# %% [markdown]
# Log lipids matter most, and body mass hardly at all? Look at the unit below the bars: progression **per unit of the feature**. One unit of
# log lipids is a lot: two standard deviations. One unit of cholesterol, 1 mg/dl, is next to nothing. Had the laboratory
# reported grams instead of milligrams, that bar would be a thousand times longer, and the model would predict exactly the same.
#
# $|w_j|$ compares features only when they are **on one scale**.

# %%
from solutions.linear import standardize

# %%
z = standardize(people.x)
v = fit_ridge(z, y, penalty=0.0)

weight_bars(
    {"as measured": feature_relevance(w), "on one scale": feature_relevance(v)},
    people.names,
    units=["progression per unit of the feature", "progression per standard deviation"],
    alt="Two sets of bars. As measured, log lipids and sex lead. On one scale, cholesterol, log lipids, body mass and LDL do.",
)
print(f"largest difference between the two models' predictions: {(x @ w - z @ v).abs().max():.3f}")

# %% [markdown]
# The same predictions, another ranking: cholesterol, log lipids, body mass. (Keep cholesterol in mind. We shall meet it again.)

# %% [markdown]
# ## The same by walking downhill
#
# For deep networks nobody can write down the best weights. One walks: a small step against the gradient, again and again.
# Here we can watch that arrive where the closed form is.

# %%
from solutions.linear import cost_gradient


# %%
def walk_down(x, y, penalty, steps):
    """How far the cost is above its minimum, after each step of the safe length."""
    lowest = regularized_cost(fit_ridge(x, y, penalty), x, y, penalty)
    length = 1 / (2 * (torch.linalg.matrix_norm(x, 2) ** 2 + penalty))
    w, above = torch.zeros(x.shape[1], dtype=x.dtype), []
    for _ in range(steps):
        above.append(float(regularized_cost(w, x, y, penalty) - lowest))
        w = w - length * cost_gradient(w, x, y, penalty)
    return above


# %%
from course.show.linear_models import learning_curves

learning_curves(
    {
        "features as measured": walk_down(x.double(), y.double(), 1.0, 400),
        "features on one scale": walk_down(z.double(), y.double(), 1.0, 400),
    },
    alt="On one scale the cost falls steadily towards its minimum; as measured it stays far above it for all 400 steps.",
)

# %% [markdown]
# A second reason for one scale: the bowl becomes rounder, and walking downhill gets somewhere.

# %% [markdown]
# ## Useless weights should go to zero
#
# An explanation with ten reasons is better than one with a thousand. Can learning itself throw out what is useless? The two common
# penalties behave very differently. What does each make of a single weight?
#
# **L2**, $\tfrac12 (v-w)^2 + \tfrac{\lambda}{2} v^2$: the best $v$ is $w/(1+\lambda)$. Every weight shrinks by the same *factor*; none becomes zero.
#
# **L1**, $\tfrac12 (v-w)^2 + \lambda |v|$: the charge per unit is the same for small and large weights, so small ones do not pay.

# %%
from solutions.linear import soft_threshold

# %%
from course.show.linear_models import shrinking_curves

shrinking_curves(
    {"L2, penalty 1": lambda w: w / 2, "L1, penalty 1": lambda w: soft_threshold(w, 1.0)},
    alt="L2 is a flatter line through zero. L1 is flat at zero between −1 and 1, and parallel to the diagonal outside.",
)

# %% [markdown]
# Alternate that with steps downhill, and you have the **Lasso**: linear regression that selects its features.

# %%
from solutions.linear import fit_lasso

# %% [markdown]
# A test of character. We add ten columns that are certainly useless: each is one of the real columns, shuffled among the people.
# Then we let the penalty grow.

# %% tags=["demo"]
shuffler = torch.Generator().manual_seed(0)
shuffled = [z[torch.randperm(len(z), generator=shuffler), j] for j in range(10)]
both = torch.cat([z, torch.stack(shuffled, dim=1)], dim=1)
penalties = torch.logspace(0, 4, 40)

paths = {
    "L2 shrinks": torch.stack([fit_ridge(both, y, float(penalty)) for penalty in penalties]),
    "L1 zeroes": torch.stack([fit_lasso(both, y, float(penalty), 1000) for penalty in penalties]),
}

# %% tags=["demo"]
from course.show.linear_models import weight_paths

weight_paths(
    penalties,
    paths,
    people.names,
    useless=10,
    alt="Left, L2: all twenty weights fade together and none reaches zero. Right, L1: one after the other becomes exactly "
    "zero, the grey useless ones early, body mass and log lipids last.",
)

# %% [markdown]
# Move the penalty yourself. A black dot marks a weight that is exactly zero.

# %% tags=["demo"]
from ipywidgets import FloatLogSlider

from course.show.explore import explore


def draw(penalty):
    ridge, lasso = fit_ridge(both, y, penalty), fit_lasso(both, y, penalty, 1000)
    zeros = int((lasso == 0).sum())
    weight_bars(
        {"L2 (ridge)": ridge, f"L1 (lasso): {zeros} of 20 are zero": lasso},
        [*people.names, *["useless"] * 10],
        units="progression per standard deviation",
        alt=f"Weights at penalty {penalty:.0f}: ridge has no zeros, the lasso has {zeros}.",
    )


slider = FloatLogSlider(
    1000, min=0, max=4, step=0.1, readout_format=".0f", description="penalty", continuous_update=False
)
explore(draw, penalty=slider)

# %% [markdown]
# At 1,000 the lasso has dropped nine of the ten useless columns, and lost age, LDL and chol./HDL on the way; one useless column has
# survived, by luck. Zero means "not worth its charge", not "certainly useless".

# %% [markdown]
# ## Ten weight maps: softmax regression on digits
#
# Now images. The features are 784 pixels, all on one scale already: 0 is paper, 1 is ink. There is one column of weights per
# class, and *softmax* turns the ten scores into probabilities:
#
# $$s_k = w_k^\top x,\qquad p_k = \frac{e^{s_k}}{\sum_l e^{s_l}},\qquad C(w) = -\frac1n \sum_i \log p_{i,\text{label}_i} + \frac{\lambda}{2}\,\|w\|^2$$

# %%
from course.data.digits import load_digits
from course.show.images import image_grid

digits = load_digits()
image_grid(digits.train_images[:20], alt="Twenty handwritten digits, two of each kind, black on white.")

# %%
from solutions.linear import softmax_gradient

# %% [markdown]
# Before we use it, look at it. All weights start at zero; the very first step goes against this gradient. Seen as images:

# %%
from course.show.images import heatmap_grid

pixels, held_out = digits.train_images.flatten(1), digits.test_images.flatten(1)
first_step = -softmax_gradient(torch.zeros(784, 10), pixels, digits.train_labels, penalty=0.0)
heatmap_grid(
    None,
    first_step.T.view(10, 28, 28),
    titles=[f"first step for {k}" for k in range(10)],
    columns=5,
    unit="− gradient",
    shared=True,
    alt="Ten blurred digits in red on blue: the average image of each class, minus the average of all.",
)

# %% [markdown]
# Each class begins with its average image, minus the average of all. The rest is walking on (with some momentum, which is quicker):

# %%
from solutions.linear import fit_softmax  # given

# %%
weights = fit_softmax(pixels, digits.train_labels, classes=10, penalty=0.01, steps=100, rate=0.1)
right = linear_scores(held_out, weights).argmax(dim=1) == digits.test_labels
print(f"{right.float().mean():.1%} of the held-out digits are read correctly")

# %% [markdown]
# 784 weights are too many to read, but they have places. Put each column back into the shape of an image, and look at it.

# %%
heatmap_grid(
    None,
    weights.T.view(10, 28, 28),
    titles=[f"weights for {k}" for k in range(10)],
    columns=5,
    unit="weight",
    shared=True,
    alt="Ten maps of weights. In the map of 0 a red ring surrounds a blue centre; in the others, red follows the strokes of the "
    "digit and blue the places where other digits have ink.",
)

# %% [markdown]
# You can read them: ink on red speaks **for** the class, ink on blue **against** it. The 0 wants a ring and detests ink in the middle.
# And a decision can be taken apart completely, for the score is a sum over pixels. Here is one four, with what every
# pixel adds to the score of "4", and to the score of "9":

# %%
four = held_out[4]
heatmap_grid(
    four.view(1, 28, 28),
    torch.stack([four * weights[:, 4], four * weights[:, 9]]).view(2, 28, 28),
    titles=[f"for 4: Σ = {four @ weights[:, 4]:.1f}", f"for 9: Σ = {four @ weights[:, 9]:.1f}"],
    unit="pixel × weight",
    shared=True,
    size=2.2,
    alt="A handwritten four twice, coloured by what each pixel adds to the score of 4 and of 9.",
)

# %% [markdown]
# Remember $x_i w_i$: in chapter 4 it comes back for deep networks, as *gradient × input*.

# %% [markdown]
# ## What the weights cannot tell you
#
# Back to the patients. On one scale, cholesterol had the largest weight of all, and it was **negative**: more cholesterol, less
# disease? Let us put a tiny penalty on the weights and look again.

# %%
gentle = fit_ridge(z, y, penalty=10.0)
weight_bars(
    {"no penalty": v, "penalty 10": gentle},
    people.names,
    units="progression per standard deviation",
    alt="Without penalty cholesterol has weight −38 and LDL +23. With penalty 10 they are −11 and +2, and HDL has changed its sign.",
)
for name, weight in {"no penalty": v, "penalty 10": gentle}.items():
    print(f"{name}: explains {1 - regularized_cost(weight, z, y, 0.0) / (y**2).sum():.1%} of the variance")

# %%
correlation = z.T @ z / len(z)
print(f"correlation of cholesterol with LDL: {correlation[4, 5]:.2f}")
print(f"correlation of cholesterol with progression: {z[:, 4] @ y / len(y) / y.std():+.2f}")

# %% [markdown]
# Cholesterol and LDL nearly say the same. What one gets too much, the other can give back: −38 and +23, or −11 and +2, it is nearly the
# same model, equally good. The data do not decide between them; the penalty does. So the weights tell you
#
# - what **this model** does with its features, exactly and completely;
# - **not** what it could as well have done: features that say the same share, or steal, each other's relevance;
# - **not** what happens in the world when somebody's cholesterol changes. On its own, cholesterol goes *up* with the disease.
#
# And it only works because the model is a single sum. A deep network has no $w_j$ of its own for every pixel. But near any one
# image it is nearly linear, and that is where chapter 4 begins.

# %% [markdown] question="the-weight-of-cholesterol" points=3 minutes=8
# A newspaper prints the result of this chapter: *"Artificial intelligence discovers: cholesterol protects from diabetes! Of all
# measurements it has the strongest effect, with a weight of −38."* Write a letter to the editor, in three to five sentences. What does the weight really say?
# What does it not say, and which number from this chapter would you show them?

# %% [markdown]
# ## Further reading
#
# - Hastie, Tibshirani & Friedman (2009): *The Elements of Statistical Learning*, chapter 3. Ridge and lasso side by side.
# - Tibshirani (1996): *Regression shrinkage and selection via the lasso.* Where the zeros come from.
# - Efron, Hastie, Johnstone & Tibshirani (2004): *Least angle regression.* The diabetes data, and all lasso solutions at once.
# - Haufe et al. (2014): *On the interpretation of weight vectors of linear models in multivariate neuroimaging.* Why a large weight may
#   belong to a feature that knows nothing of the target.
# - Lipton (2018): *The mythos of model interpretability.* What do we want when we want explanations?
