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
# # Chapter 4 · Sensitivity
#
# **Which pixels does this decision hang on?**
#
# A linear model carries its explanation with it: one weight per feature. A deep network has no weight for a pixel. But change the pixel
# a little, and see what the score does: that is the *slope*, and near this one image it plays the part of the weight.
# In this chapter you build the whole family of explanations made of slopes, and find out which question each of them answers.

# %% [markdown]
# ## A network, and one decision
#
# A small network with two convolutional and two dense layers, trained on 4,000 real digits. For each of the ten classes it gives a *score*
# (also called logit); the highest wins.

# %%
import torch

from course.data.digits import load_digits
from course.models.digits import load_digits_cnn
from course.show.sensitivity import image_with_scores

digits, model = load_digits(), load_digits_cnn()
with torch.no_grad():
    scores = model(digits.test_images)
correct = (scores.argmax(dim=1) == digits.test_labels).float().mean()
print(f"{correct:.1%} of the held-out digits are read correctly")

image_with_scores(
    digits.test_images[3], scores[3], alt="A handwritten three; its class has by far the highest score."
)

# %% [markdown]
# Explaining needs a question: *the score of which class?* Throughout the course `target` says so: one class for all images, one class for each,
# or `None` for the class that the network predicts. This little function picks the scores; you will use it at once.

# %%
from solutions.sensitivity import target_score  # given

# %%
print("predicted:", [f"{f:.1f}" for f in target_score(scores[:4]).tolist()])
print("as a 9:   ", [f"{f:.1f}" for f in target_score(scores[:4], 9).tolist()])

# %% [markdown]
# ## The slope
#
# $$\frac{\partial f}{\partial x_i}$$
#
# says how much the score of the target class changes per unit of pixel $i$. Autograd knows how to get it: it is what learning uses too, only that
# here the *input* is varied and the weights stay.

# %%
from solutions.sensitivity import input_gradient

# %%
from course.show.images import heatmap_grid

ten = digits.test_images[:10]
labels = [f"as a {k}" for k in range(10)]
heatmap_grid(
    ten,
    input_gradient(model, ten, digits.test_labels[:10]),
    titles=labels,
    columns=5,
    unit="score per unit of ink",
    alt="Ten digits, each with the slope of its own class: red and blue specks on the strokes and also beside them.",
)

# %% [markdown]
# Red: more ink here, and the score rises. Blue: it falls. (The thin line is the digit; ± is each map's largest value.) Note the colour *beside* the strokes:
# where there is no ink, the network would react to ink.

# %% [markdown]
# ## Saliency and sensitivity
#
# If only the strength of the reaction matters, drop the sign. Two ways are common, the absolute value and the square:
#
# $$R_i = \left|\frac{\partial f}{\partial x_i}\right| \qquad\text{and}\qquad R_i = \left(\frac{\partial f}{\partial x_i}\right)^{\!2}$$
#
# The absolute value is Simonyan's. Their pictures were in colour, with three inputs per pixel, and they drew the largest of the three absolute values; our digits have one input per pixel, and we keep one number per input.

# %%
from solutions.sensitivity import saliency

# %%
from solutions.sensitivity import sensitivity

# %%
R = sensitivity(model, ten, digits.test_labels[:10])
heatmap_grid(
    torch.cat([ten[:5], ten[:5]]),
    torch.cat([saliency(model, ten, digits.test_labels[:10])[:5], R[:5]]),
    titles=[f"|∂f/∂x|, as a {k}" for k in range(5)] + [f"(∂f/∂x)², as a {k}" for k in range(5)],
    columns=5,
    unit="strength of reaction",
    alt="Top: absolute slopes of five digits, scattered over strokes and surroundings. Below: their squares, a few strong specks.",
)

# %% [markdown]
# What do these numbers add up to?
#
# $$\sum_i R_i = \sum_i \left(\frac{\partial f}{\partial x_i}\right)^{\!2} = \|\nabla f\|^2$$
#
# Not to the score! They add up to how *steep* the score is. So sensitivity does not explain the score. It explains how it could change:
# **"what would make this more, or less, of a three?"**, and that is another question than **"what makes this a three?"**

# %%
blank = (ten == 0).float()
for k in range(5):
    share = (R[k] * blank[k]).sum() / R[k].sum()
    print(
        f"{k}: score {scores[k, k]:5.1f}   Σ R = ‖∇f‖² = {R[k].sum():5.1f}   of it on blank paper: {share:.0%}"
    )

# %% [markdown]
# ## What makes it this class
#
# In a linear model, $w_i x_i$ is what pixel $i$ adds to the score. The slope stands in for the weight:
#
# $$R_i = x_i\,\frac{\partial f}{\partial x_i}$$

# %%
from solutions.sensitivity import gradient_times_input

# %%
R = gradient_times_input(model, ten, digits.test_labels[:10])
heatmap_grid(
    ten,
    R,
    titles=[f"f = {scores[k, k]:.1f}\nΣ R = {R[k].sum():.1f}" for k in range(10)],
    columns=5,
    unit="score",
    alt="Ten digits; now only the strokes are coloured, mostly red. The sums are near the scores, not equal to them.",
)

# %% [markdown]
# Now the unit is *score*, and the sums come close to $f$. For a ReLU network **without biases** they would be exactly equal, for such a network is linear
# as long as no ReLU switches: $f(\alpha x) = \alpha f(x)$. The biases are what is missing.

# %% [markdown]
# ## … rather than another
#
# Here is one of the 20 held-out digits that the network reads wrongly. It was meant to be a 4.

# %%
wrong = digits.test_images[764:765]
image_with_scores(
    wrong[0],
    scores[764],
    alt="A sloppy four, nearly closed at the top. The nine has the highest score, the four is second.",
)

# %% [markdown]
# "What makes it a 9?" is only half a question: much of what speaks for the 9 speaks for the 4 as well, the long stroke on the right, for instance.
# What we want to know is **why a 9 rather than a 4**. Ask for the difference of the scores:
#
# $$g(x) = f_9(x) - f_4(x)$$

# %%
from solutions.sensitivity import contrast

# %%
rather = contrast(model, target=9, other=4)
explanations = {
    f"a 9 (score {scores[764, 9]:.1f})": gradient_times_input(model, wrong, 9),
    f"a 4 (score {scores[764, 4]:.1f})": gradient_times_input(model, wrong, 4),
    f"a 9 rather than a 4 ({scores[764, 9] - scores[764, 4]:+.1f})": gradient_times_input(rather, wrong, 0),
}
heatmap_grid(
    wrong,
    torch.cat(list(explanations.values())),
    titles=list(explanations),
    unit="score",
    shared=True,
    size=2.4,
    alt="The same digit three times. For the 9: red where the top is closed. For the 4: red on the cross-bar. In the difference, the "
    "closed top speaks for the 9, the cross-bar and its left end against it.",
)

# %% [markdown]
# What both classes like, or dislike, cancels out. What is left is what the decision hangs on: the closed top speaks for the 9,
# the cross-bar that sticks out on the left for the 4.

# %% [markdown]
# ## Averaging the noise out: SmoothGrad
#
# A ReLU network is made of linear pieces, and the slope jumps from piece to piece. Much of the speckle in the maps is that. So let the image tremble a little, and
# average:
#
# $$R = \frac1S \sum_{s=1}^{S} \nabla f(x + \varepsilon_s), \qquad \varepsilon_s \sim \mathcal N(0, \sigma^2)$$

# %%
from solutions.sensitivity import smooth_grad

# %%
from course.settings import FAST

samples = 10 if FAST else 50
seven = digits.test_images[7:8]
sigmas = [0.0, 0.1, 0.2, 0.4, 0.8]
smoothed = [
    smooth_grad(model, seven, 7, sigma, samples, torch.Generator().manual_seed(0)) for sigma in sigmas
]
heatmap_grid(
    seven,
    torch.cat(smoothed),
    titles=[f"σ = {sigma}" for sigma in sigmas],
    unit="score per unit of ink",
    size=1.8,
    alt="The slope of a seven with more and more noise averaged: speckled on the left, smooth broad strokes in the middle, "
    "blurred on the right.",
)

# %% [markdown]
# Prettier, certainly. But note what it explains now: not this image, but an average over its neighbours. σ is a choice, and every choice gives another map.

# %% [markdown]
# ## When the slope says nothing: integrated gradients
#
# Take $f(x) = \min(x, 1)$. Going from 0 to 2 has earned a score of 1, and yet at $x = 2$ the slope is zero: the function is *saturated*.
# The slope looks only around its feet. **Integrated gradients** look at the whole way from a baseline $b$, "nothing to see", to the image:
#
# $$R_i = (x_i - b_i)\int_0^1 \frac{\partial f}{\partial x_i}\bigl(b + \alpha\,(x - b)\bigr)\,d\alpha, \qquad \sum_i R_i = f(x) - f(b)$$
#
# The second equation is called **completeness**: everything that the score has gained is shared out, nothing is lost. In code, the integral is a mean over midpoints.

# %%
from solutions.sensitivity import integrated_gradients


# %%
def saturated(x):
    return x.clamp(max=1)


two = torch.tensor([[2.0]])
print("gradient × input:    ", gradient_times_input(saturated, two, 0).item())
print("integrated gradients:", integrated_gradients(saturated, two, 0, 0.0, 64).item())

# %% [markdown]
# Networks saturate too: their *probabilities* do. Here is the probability of "3" on the way from white paper to our three, and its slope.
# At the image it is practically zero: for the slope alone, no pixel plays a part.

# %%
from course.show.sensitivity import along_the_way


def probabilities(x):
    return model(x).softmax(dim=1)


three = digits.test_images[3:4]
alphas = torch.linspace(0, 1, 201)
way = alphas.view(-1, 1, 1, 1) * three
along_the_way(
    alphas,
    values=probabilities(way)[:, 3].detach(),
    slopes=(input_gradient(probabilities, way, 3) * three).sum(dim=(1, 2, 3)),
    name="probability of 3",
    alt="The probability rises from 0.2 to nearly 1 in the first 40 % of the way and then stays flat; the slope is one hill there and zero afterwards.",
)
print(f"gradient × input:     Σ R = {gradient_times_input(probabilities, three, 3).sum():.4f}")
print(f"integrated gradients: Σ R = {integrated_gradients(probabilities, three, 3, 0.0, 64).sum():.4f}")

# %% [markdown]
# The score before the softmax does not saturate here, which is why gradient × input came so close above. How close, and how close do integrated
# gradients come? The distance between $\sum_i R_i$ and $f(x) - f(b)$:

# %%
with torch.no_grad():
    gain = scores[range(10), range(10)] - model(torch.zeros(1, 1, 28, 28))[0]
for steps in (1, 4, 16, 64):
    R = integrated_gradients(model, ten, digits.test_labels[:10], 0.0, steps)
    missing = (R.sum(dim=(1, 2, 3)) - gain).abs()
    print(f"{steps:3d} steps: missing {missing.mean():.3f} of {gain.mean():.1f} on average")
missing = (gradient_times_input(model, ten, digits.test_labels[:10]).sum(dim=(1, 2, 3)) - gain).abs()
print(f"gradient × input: {missing.mean():.3f}")

# %% [markdown]
# ## Play with it
#
# Any image, any class, any method. Try a class that the image does *not* belong to.

# %% tags=["demo"]
from ipywidgets import Dropdown, IntSlider

from course.show.explore import explore

methods = {
    "saliency": saliency,
    "sensitivity": sensitivity,
    "gradient": input_gradient,
    "gradient × input": gradient_times_input,
    "SmoothGrad": lambda model, x, k: smooth_grad(model, x, k, 0.2, 25, torch.Generator().manual_seed(0)),
    "integrated gradients": lambda model, x, k: integrated_gradients(model, x, k, 0.0, 32),
}


def draw(image, target, method):
    x = digits.test_images[image : image + 1]
    title = f"why a {target}? f = {scores[image, target]:.1f}"
    alt = f"{method} of image {image}, explained as a {target}."
    heatmap_grid(x, methods[method](model, x, target), titles=[title], size=3, alt=alt)


explore(
    draw,
    image=IntSlider(0, min=0, max=999, description="image", continuous_update=False),
    target=Dropdown(options=range(10), description="class"),
    method=Dropdown(options=list(methods), value="gradient × input", description="method"),
)

# %% [markdown]
# ## Which is best? Let the network say
#
# A good explanation should know what the network needs. So delete the pixels, the most relevant first, and watch the score. The sooner it falls, the better the
# explanation knew.

# %%
from solutions.sensitivity import deletion_curve

# %% [markdown]
# Against what do we compare? Random order is too easy a rival: most of the image is blank. The honest one is the simplest "explanation" that never looked at
# the network: **the pixel itself**, the darkest first.

# %% tags=["demo"]
many = digits.test_images[: 20 if FAST else 100]
winner = scores[: len(many)].argmax(dim=1)
noise = torch.Generator().manual_seed(0)
rankings = {
    "random": torch.rand(many.shape, generator=noise),
    "the pixel itself": many,
    "saliency": saliency(model, many, winner),
    "gradient": input_gradient(model, many, winner),
    "gradient × input": gradient_times_input(model, many, winner),
    "integrated gradients": integrated_gradients(model, many, winner, 0.0, 16),
}

# %% tags=["demo"]
from course.show.sensitivity import deletion_curves

deletion_curves(
    {name: deletion_curve(model, many, ranking, winner, 49) for name, ranking in rankings.items()},
    alt="Mean score while pixels are deleted. Random falls slowly. Saliency and the pixel itself are close together. Gradient, gradient × input and "
    "integrated gradients fall much faster, integrated gradients lowest.",
)

# %% [markdown]
# Saliency does no better than deleting dark pixels without asking the network at all. It was never meant to: it tells where the score is *steep*, not what
# it is *made of*. The explanations with a sign, that say what speaks *for* the class, fall much faster.

# %% [markdown]
# ## What these explanations cannot tell you
#
# Gradient × input gives a blank pixel ($x_i = 0$) no relevance, always. But a 4 is a 4 *because* it is open at the top: the paper matters. Let us print the digits in
# the negative, white on black, and let the network see them through the same negative. It decides exactly as before:

# %%
negative = 1 - wrong


def through_negative(z):
    return model(1 - z)


print("same scores:", torch.allclose(model(wrong), through_negative(negative)))

R = gradient_times_input(model, wrong, 9)
R_negative = gradient_times_input(through_negative, negative, 9)
heatmap_grid(
    wrong,
    torch.cat([R, R_negative]),
    titles=["ink = 1, paper = 0", "ink = 0, paper = 1"],
    unit="score",
    size=2.4,
    alt="Left, relevance lies on the strokes only. Right, for the same decision, it lies on the paper around and between the strokes, and not on them.",
)

# %% [markdown]
# The same decision, the same knowledge, and the relevance has moved to everywhere it was not. What counts as zero was *our* choice, when we wrote the image as
# numbers. Integrated gradients do not escape: they make the choice visible, and call it the baseline.
#
# So an explanation of this chapter
#
# - is about **this image, this class, this network**; the next image may be decided otherwise;
# - says what **the network** reacts to; not what makes a four a four;
# - depends on what you call **nothing**: zero, or the baseline;
# - and a slope knows only the **immediate neighbourhood**.
#
# Is a speckled map wrong because it is ugly? Chapter 5 makes beautiful ones, and shows that they are wrong. Chapter 6 shares the score out layer by layer.

# %% [markdown] question="more-or-less-of-a-three" points=3 minutes=8
# A friend shows you the *sensitivity* map of an X-ray that a network calls "ill". The strongest spot lies outside the lung. *"So the network decides by the
# edge of the picture!"* What does the map really say about that spot? Which method of this chapter would you use to check the claim, and what would you have to decide
# before you can use it?

# %% [markdown]
# ## Further reading
#
# - Simonyan, Vedaldi & Zisserman (2014): *Deep inside convolutional networks.* Saliency maps.
# - Montavon, Samek & Müller (2018): *Methods for interpreting and understanding deep neural networks.* Sensitivity against decomposition, clearly told.
# - Smilkov et al. (2017): *SmoothGrad: removing noise by adding noise.*
# - Sundararajan, Taly & Yan (2017): *Axiomatic attribution for deep networks.* Integrated gradients, and what one may demand of them.
# - Sturmfels, Lundberg & Lee (2020): *Visualizing the impact of feature attribution baselines.* The choice of nothing, in pictures.
# - Kindermans et al. (2019): *The (un)reliability of saliency methods.* More experiments like the negative above.
# - Samek et al. (2017): *Evaluating the visualization of what a deep neural network has learned.* Deleting pixels as a test.
