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
# # Chapter 7 · LIME
#
# **Why did it say that, if I cannot look inside?**
#
# Gradients, backward rules, relevance: so far you always held the network in your hands. Often you do not. The model answers over the internet;
# or it is a thousand trees, and has no gradient; or it changes every month, and you want one method that outlives them all.
#
# All you can do then is **ask**. LIME (*local interpretable model-agnostic explanations*) asks cleverly.

# %% [markdown]
# ## The decision boundary is locally linear
#
# As a whole, the boundary between two classes may be as twisted as a river. From a bridge you see a few metres of it, and they are straight.
# So do not explain the model. Explain the model **near $x$**, by a model $g$ so simple that it explains itself: a linear one, chapter 1's.
#
# $$\text{explanation}(x) = \arg\min_g\; \underbrace{L(f, g, \pi_x)}_{\text{unlike } f \text{, near } x} \;+\; \underbrace{\Omega(g)}_{\text{complicated}}$$
#
# 1. **sample** variants of $x$;
# 2. **ask** the model $f$ about each;
# 3. **weigh** each by how near it is to $x$: $\pi_i$;
# 4. **fit** a straight line $g(z) = b + c \cdot z$ to the answers;
# 5. **read** the coefficients $c$, all or the $K$ most important ones.
#
# We begin with step 4, the heart of it.

# %%
from solutions.lime import fit_surrogate

# %% [markdown]
# Here is a model of two features with a twisted boundary. Nearby samples are drawn large.

# %%
import torch

from course.show.lime import local_line


def twisted(points):
    """The score of class 1 at points (n, 2); the boundary is where it is zero."""
    return points[:, 1] - torch.sin(2.2 * points[:, 0]) - 0.25 * points[:, 0] ** 2 + 0.4


def draw_local_line(x1=0.35, x2=0.5, width=0.5):
    """Sample around (x1, x2), weigh, fit, draw."""
    x = torch.tensor([x1, x2])
    samples = x + torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    weights = torch.exp(-(samples - x).square().sum(1) / width**2)
    line = fit_surrogate(samples, twisted(samples), weights, penalty=0.01)
    alt = f"A wavy black boundary. Near the star at ({x1:.1f}, {x2:.1f}) the dashed straight boundary follows it; far away it does not."
    local_line(twisted, x, samples, weights, line, alt)


draw_local_line()

# %% [markdown]
# Move the star along the river. Then widen your view: with a large width, far samples join in, and the line follows nobody.

# %% tags=["demo"]
from ipywidgets import FloatSlider

from course.show.explore import explore

slider = {"continuous_update": False}
explore(
    draw_local_line,
    x1=FloatSlider(0.35, min=-2, max=2, step=0.05, **slider),
    x2=FloatSlider(0.5, min=-2, max=2, step=0.05, **slider),
    width=FloatSlider(0.5, min=0.2, max=4, step=0.1, **slider),
)

# %% [markdown]
# ## Images: switch pieces off
#
# A pixel is too small to be a reason: change one, and nothing happens. So images are cut into **superpixels**, pieces of similar
# colour, and a variant of the image is made by hiding some of them.

# %%
from course.data.digits import load_digits
from course.data.superpixels import superpixels
from course.show.lime import segment_borders

digits = load_digits()
image = digits.test_images[8]
segments = superpixels(image, 40)
segment_borders(
    image, segments, "A handwritten eight, and the same eight cut into superpixels that follow its strokes."
)

# %% [markdown]
# Every variant is a row of coins $z' \in \{0, 1\}^n$, one per segment: visible or hidden. That row is also what the linear model gets to
# see: its features are *"segment 17 is there"*, which a person understands. That is the I in LIME.

# %%
from solutions.lime import sample_masks

# %%
from solutions.lime import apply_masks

# %%
from course.models.digits import load_digits_cnn
from course.show.images import image_grid

network = load_digits_cnn()
masks = sample_masks(segments, 9, torch.Generator().manual_seed(0))
variants = apply_masks(image, segments, masks, fill=0.0)
with torch.no_grad():
    scores = network(variants)
image_grid(
    variants,
    titles=[f"score of 8:\n{score:.1f}" for score in scores[:, 8].tolist()],
    columns=9,
    alt="The eight, and eight variants of it with about half of the segments blanked out. Above each the network's score of 8.",
)

# %% [markdown]
# From nine such answers you could guess which segments matter. From a thousand, a line can tell.

# %% [markdown]
# ## What is near?
#
# For images, LIME measures the **cosine distance** between a mask and the row of ones, and lets the weight fall off like a bell:
#
# $$d_i = 1 - \frac{z'_i \cdot 1}{\|z'_i\|\,\|1\|},\qquad \pi_i = e^{-d_i^2/\text{width}^2}$$

# %%
from solutions.lime import locality_weights

# %%
from course.show.lime import weights_by_visibility

many = sample_masks(segments, 1000, torch.Generator().manual_seed(0))
staircase = torch.tril(torch.ones(many.shape[1], many.shape[1]))
weights_by_visibility(
    staircase.mean(1),
    {f"width {width}": locality_weights(staircase, width) for width in (0.1, 0.25, 1.0)},
    alt="Weight against the visible share. Width 0.1 falls from 1 to nearly zero at 60 percent; width 0.25 is still 0.25 at one half; width 1 is nearly flat.",
)
visible = many.mean(1)
print(f"our samples show between {visible[1:].min():.0%} and {visible[1:].max():.0%} of the segments")
for width in (0.1, 0.25, 1.0):
    pi = locality_weights(many, width)
    print(
        f"width {width}: the weights of {len(pi)} samples are worth {pi.sum() ** 2 / (pi**2).sum():.0f} equal ones"
    )

# %% [markdown]
# A sobering picture, and one that the method's papers rarely show. With coins, nearly all samples show about half of the image, so they are all **equally far** away.
# With width 0.25 the weights hardly tell them apart: such an explanation is not very local. (The lime package's default is wider still, 0.35 in our formula: it takes
# the root of the kernel.) With 0.1 it is local, and rests on some fifteen samples.

# %% [markdown]
# ## All together
#
# You have all the parts. The explanation may be asked for several classes at once: they can share the samples, for the network is the slow part.

# %%
from solutions.lime import lime_image

# %%
from course.show.lime import segment_maps

coefficients, _ = lime_image(
    network, image, segments, torch.tensor([8, 3, 9]), 1000, torch.Generator().manual_seed(0), 0.25, 1.0
)
segment_maps(
    image,
    segments,
    dict(zip(["why 8?", "why 3?", "why 9?"], coefficients, strict=True)),
    alt="Three maps over the eight. For 8 nearly all strokes are red. For 3 the strokes on the left side are blue: they speak against it.",
)

# %% [markdown]
# Red segments raise the score when they are shown, blue ones lower it. For *8* the strokes speak; what closes the loops on the left speaks **against** *3*.

# %% [markdown]
# ## Two things in one image
#
# The lecture's picture shows a dog that plays the guitar, and a network that says: electric guitar 0.32, acoustic guitar 0.24, labrador 0.21.
# LIME shows for each answer where it comes from. Ours has two digits side by side, and a network that learned to say which digits occur in an image.
# Nobody ever told it where.

# %%
from course.data.pairs import side_by_side
from course.models.pairs import load_pairs_cnn
from course.show.lime import supporting_segments

pairs_network = load_pairs_cnn()
pair = side_by_side(digits.test_images[33], digits.test_images[96])
pair_segments = superpixels(pair, 40)
with torch.no_grad():
    present = pairs_network(pair[None])[0].sigmoid()
three, six = lime_image(
    pairs_network,
    pair,
    pair_segments,
    torch.tensor([3, 6]),
    1000,
    torch.Generator().manual_seed(0),
    0.25,
    1.0,
)[0]
supporting_segments(
    pair,
    pair_segments,
    {f"why 3? ({present[3]:.2f})": three, f"why 6? ({present[6]:.2f})": six},
    k=4,
    alt="A three on the left and a six on the right. The four segments that explain 3 all lie on the three, those that explain 6 on the six.",
)

# %% [markdown]
# Each class is explained by its own half. One pretty picture proves little, so here are twenty pairs: how much of what speaks **for** a digit lies
# in that digit's half?

# %%
from tqdm.auto import tqdm

from course.settings import FAST


def share_in_own_half(left, right, seed):
    """Of all positive coefficients of the left and of the right digit: the share that lies in its own half."""
    pair = side_by_side(digits.test_images[left], digits.test_images[right])
    segments = superpixels(pair, 40)
    classes = digits.test_labels[[left, right]]
    c, _ = lime_image(
        pairs_network, pair, segments, classes, 500, torch.Generator().manual_seed(seed), 0.25, 1.0
    )
    columns = torch.arange(56).expand(28, 56)
    on_the_left = torch.zeros(c.shape[1]).index_add(0, segments.flatten(), (columns < 28).float().flatten())
    on_the_left = on_the_left / segments.flatten().bincount()
    speaks_for = c.clamp_min(0)
    share = (speaks_for * torch.stack([on_the_left, 1 - on_the_left])).sum(1) / speaks_for.sum(1)
    return share.tolist()


chooser = torch.Generator().manual_seed(0)
drawn = [
    pair for pair in torch.randint(0, 1000, (60, 2), generator=chooser).tolist() if (pair[0] - pair[1]) % 10
]
drawn = drawn[: 5 if FAST else 20]
shares = torch.tensor([share for k, pair in enumerate(tqdm(drawn)) for share in share_in_own_half(*pair, k)])
print(
    f"in the digit's own half: median {shares.median():.0%}, worst {shares.min():.0%} of {len(shares)} explanations"
)

# %% [markdown]
# ## Is the line any good?
#
# An explanation that does not imitate the model explains nothing. So LIME can, and should, be asked for its own mark: the weighted $R^2$.
#
# $$R^2 = 1 - \frac{\sum_i \pi_i\,(y_i - \hat y_i)^2}{\sum_i \pi_i\,(y_i - \bar y)^2}$$

# %%
from solutions.lime import local_fidelity

# %% [markdown]
# We judge it on samples that the line has **not** seen, for five digits, and cut each into fewer or more segments.

# %%
from course.show.lime import curves_with_spread


def questions(image, count, samples, seed):
    """Masks, and the network's scores for the variants that they make."""
    segments = superpixels(image, count)
    masks = sample_masks(segments, samples, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        return masks, network(apply_masks(image, segments, masks))


def judged(digit, count):
    """Fit on 1000 samples, judge on 500 others: R² when the score is explained, and when the probability is."""
    masks, scores = questions(digits.test_images[digit], count, 1500, seed=digit)
    weights, marks = locality_weights(masks, 0.25), []
    for y in (scores[:, digit], scores.softmax(1)[:, digit]):
        line = fit_surrogate(masks[:1000], y[:1000], weights[:1000], 1.0)
        marks.append(local_fidelity(masks[1000:], y[1000:], weights[1000:], *line))
    return torch.stack(marks)


counts = (10, 20, 40, 80)
by_count = torch.stack(
    [torch.stack([judged(digit, n) for digit in range(3, 8)], dim=-1) for n in tqdm(counts)], dim=1
)
marks = dict(zip(["the score is explained", "the probability is explained"], by_count, strict=True))
curves_with_spread(
    counts,
    marks,
    "number of segments asked for",
    "weighted R² on fresh samples",
    alt="R² against the number of segments. Scores stay above 0.9 in the median; probabilities fall from nearly 1 to 0.6, with a wide band.",
    log=True,
)

# %% [markdown]
# Larger pieces are easier to imitate, and tell you less. And a probability is harder to imitate than the score beneath it: near 0 and 1 it is flat, and a straight line cannot be.

# %% [markdown]
# ## The same question, asked twice
#
# LIME throws coins. With other coins, does it say the same? We ask ten times, and compare which segments are named.

# %%
from solutions.lime import explanation_stability

# %%
from course.show.lime import spread_over_seeds

seeds = range(4 if FAST else 10)


def explanations(samples, count=40, width=0.25, penalty=1.0, probability=False):
    """One row of coefficients per seed, for the eight."""
    rows = []
    for seed in seeds:
        masks, scores = questions(image, count, samples, seed)
        y = (scores.softmax(1) if probability else scores)[:, 8]
        rows.append(fit_surrogate(masks, y, locality_weights(masks, width), penalty)[0])
    return torch.stack(rows)


panels = {f"{samples} samples": explanations(samples) for samples in (60, 250, 2000)}
spread_over_seeds(
    panels,
    unit="coefficient (score when shown)",
    alt="Coefficients of all segments, one dot per seed. With 60 samples the dots of one segment scatter over half the range; with 2000 they nearly coincide.",
)

# %%
sizes = (60, 125, 250, 500, 1000)


def stabilities(**settings):
    """For each number of samples, the stability over all seeds."""
    return torch.stack(
        [explanation_stability(explanations(samples, **settings), 5) for samples in tqdm(sizes)]
    ).unsqueeze(1)


curves_with_spread(
    sizes,
    {
        "40 segments": stabilities(),
        "80 segments": stabilities(count=80),
        "40 segments, narrow (width 0.1)": stabilities(width=0.1, penalty=0.01),
        "40 segments, of the probability": stabilities(probability=True),
    },
    "samples",
    "overlap of the five strongest segments",
    alt="Overlap against the number of samples, four rising curves. 40 segments is highest and reaches 1 with 125 samples, a narrow width with 500; "
    "80 segments and explaining the probability stay below 0.85.",
    log=True,
)

# %% [markdown]
# What helps: **more samples**, **fewer and larger segments**, and to explain the **score** and not the probability. A wider view helps, too, but then you explain
# less of *here*. Averaging ten seeds is much like taking ten times as many samples. What does not help is to keep the nicest of ten pictures.

# %% [markdown]
# ## A few reasons are enough
#
# Nobody reads forty coefficients. LIME keeps the $K$ features that *together* imitate the model best. Together, because two that say the same
# are only worth one.

# %%
from solutions.lime import select_features

# %%
fitted = sample_masks(segments, 1000, torch.Generator().manual_seed(0))
with torch.no_grad():
    y = network(apply_masks(image, segments, fitted))[:, 8]
pi = locality_weights(fitted, 0.25)
order = select_features(fitted, y, pi, 15)
for k in (1, 3, 6, 10, 15):
    few = fitted[:, order[:k]]
    fidelity = local_fidelity(few, y, pi, *fit_surrogate(few, y, pi, 1.0))
    print(f"the best {k:2d} of {fitted.shape[1]} segments: R² {fidelity:.2f}")

# %% [markdown]
# ## Tables: shake the features
#
# The same idea, without any picture. A variant of a row $x$ is $x + \text{scale} \cdot z$ with noise $z$, the scale being each feature's standard
# deviation. The line sees $z$, so its coefficients say: *one standard deviation more of this feature, so much more score.*

# %%
from solutions.lime import lime_tabular

# %% [markdown]
# The model is a random forest, three hundred trees that sort wines by their grower. It has no gradient anywhere. LIME does not mind.

# %%
from sklearn.ensemble import RandomForestClassifier

from course.data.wines import load_wines
from course.show.lime import coefficient_bars

wines = load_wines()
forest = RandomForestClassifier(300, random_state=0).fit(wines.x[::2].numpy(), wines.grower[::2].numpy())
print(
    f"{forest.score(wines.x[1::2].numpy(), wines.grower[1::2].numpy()):.0%} of the wines it never saw are sorted correctly"
)


def ask_forest(rows):
    return torch.from_numpy(forest.predict_proba(rows.numpy())).float()


wine = wines.x[21]
growers, _ = lime_tabular(
    ask_forest,
    wine,
    wines.x.std(0),
    torch.tensor([0, 1, 2]),
    2000,
    torch.Generator().manual_seed(0),
    2.0,
    1.0,
)
coefficient_bars(
    {f"grower {k}": row for k, row in enumerate(growers)},
    wines.names,
    unit="probability per deviation",
    alt="Coefficients of thirteen measurements for the three growers. Proline, flavanoids, alcohol and colour intensity have the longest bars.",
)
print(
    "forest on this wine:",
    [f"{p:.2f}" for p in ask_forest(wine[None])[0].tolist()],
    "true grower:",
    int(wines.grower[21]),
)

# %% [markdown]
# ## What LIME cannot tell you
#
# Everything LIME knows, it learned from its own variants. But who has ever seen an eight with holes, or a person who is 25 and has been in the same job for 40 years?
# If a model behaves differently **there**, then LIME explains that other behaviour. A bank with something to hide can use this
# (Slack et al., 2020). It refuses everybody of origin 1:

# %%
from course.data.loans import LUCKY, NAMES, ORIGIN, draw_loans

real = draw_loans(2000, torch.Generator().manual_seed(0))


def honest_face(rows):
    """What the bank would like to be seen doing: loans for a lucky number above 5."""
    grants = (rows[:, LUCKY] > 5).float()
    return torch.stack([1 - grants, grants], dim=1)


def true_rule(rows):
    """What the bank does: no loan for origin 1."""
    grants = (rows[:, ORIGIN] < 0.5).float()
    return torch.stack([1 - grants, grants], dim=1)


# %% [markdown]
# For an inspector with LIME it has prepared a little detector, which can tell real applications from shaken ones:

# %%
shaken = real + real.std(0) * torch.randn(real.shape, generator=torch.Generator().manual_seed(1))
rows, is_real = torch.cat([real, shaken]), torch.cat([torch.ones(2000), torch.zeros(2000)])
detector = RandomForestClassifier(100, max_depth=10, random_state=0).fit(rows.numpy(), is_real.numpy())


def bank(rows):
    """Discriminates against real people; shows the inspector's variants its honest face."""
    looks_real = torch.from_numpy(detector.predict(rows.numpy())).float().unsqueeze(1)
    return looks_real * true_rule(rows) + (1 - looks_real) * honest_face(rows)


new = draw_loans(1000, torch.Generator().manual_seed(2))
same = (bank(new).argmax(1) == true_rule(new).argmax(1)).float().mean()
print(f"of 1,000 new people, {same:.1%} get the discriminating answer")

# %%
person = new[(new[:, ORIGIN] == 1) & (new[:, LUCKY] == 5)][0]
inspected = {
    name: lime_tabular(model, person, real.std(0), 1, 2000, torch.Generator().manual_seed(0), None, 1.0)[0]
    for name, model in {"the rule in the open": true_rule, "the bank that hides it": bank}.items()
}
coefficient_bars(
    inspected,
    NAMES,
    unit="chance of a loan per deviation",
    alt="Left, the open rule: origin has a large negative bar. Right, the hiding bank: the lucky number has the large bar and origin nearly none.",
)

# %% [markdown]
# The same decisions about people, and LIME sees an eccentric bank that believes in numbers. Before you trust an explanation by variants, look at the variants.
# And remember the rest of this chapter: a poor $R^2$, other coins, another cut of the image, a colour for the hidden parts, the width. Each changes
# the answer, and none of them comes from the model.
#
# What stays is worth a lot: a question asked of *any* model, with a number that says how good the answer is.

# %% [markdown] question="two-seeds-two-reasons" points=3 minutes=8
# A hospital runs LIME on its X-ray network. On Monday it names the lung, on Tuesday, for **the same image and the same network**, a clip on the
# collarbone. A doctor concludes: *"The network is unreliable."* In three to five sentences: is she right? Which two numbers from this
# chapter would you ask for, and what would you do with each result?

# %% [markdown]
# ## Further reading
#
# - Ribeiro, Singh & Guestrin (2016): *"Why should I trust you?" Explaining the predictions of any classifier.* LIME, and the dog with the guitar.
# - Garreau & Mardaoui (2021): *What does LIME really see in images?* What the coefficients converge to, worked out.
# - Zafar & Khan (2019): *DLIME.* · Visani et al. (2022): *Statistical stability indices for LIME.* Ask twice, and measure.
# - Slack, Hilgard, Jia, Singh & Lakkaraju (2020): *Fooling LIME and SHAP.* The bank's trick.
# - Lundberg & Lee (2017): *A unified approach to interpreting model predictions.* SHAP: with the right weights $\pi$, the coefficients become Shapley values.
