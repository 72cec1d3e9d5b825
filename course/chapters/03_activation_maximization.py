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
# # Chapter 3 · Activation maximization
#
# **What does the network's ideal four look like?**
#
# In chapter 2 we let the network choose among images that exist. Now it may draw. Start from any image, ask in which direction each pixel must change for the network to see
# *more of a four*, go a small step that way, and repeat. What comes out is the image that the network likes best. Whether it is an image that *we* like is another question,
# and the answer to it is half of this chapter.

# %%
import torch

from course.data.digits import load_digits
from course.models.digits import load_digits_cnn
from course.settings import FAST

digits, model = load_digits(), load_digits_cnn()
classes = torch.arange(10)

# %% [markdown]
# ## Climbing
#
# $$x^{*} = \arg\max_x\; \log p(c \mid x) \;-\; \lambda \lVert x \rVert^2$$
#
# First what is climbed: how sure the network is of class $c$. Then the penalty, without which the image may grow without bound. Then the ascent itself.
#
# From chapter 2 you have

# %%
from solutions.filters import evaluation_mode, feature_maps  # given

# %%
from solutions.activation_maximization import class_objective

# %%
from solutions.activation_maximization import penalized

# %% [markdown]
# Training changes the network and leaves the image alone. Here it is the other way round: the image moves, the network stays.
# (`_refuse_flat`, which comes with this exercise, says so when there is nothing to climb. You may call it before the first step.)

# %%
from solutions.activation_maximization import maximize_activation

# %% [markdown]
# Ten images at once, one for each class. They begin as light grey paper with a trace of noise, so that ink can be taken away as well as added.

# %%
white = 0.01 * torch.randn(10, 1, 28, 28, generator=torch.Generator().manual_seed(0))
grey = 0.3 + white
steps, lr = (100, 0.2) if FAST else (200, 0.1)
plain = maximize_activation(class_objective(model, classes), grey, steps, lr, penalty=0.04)

# %%
from course.show.activation_maximization import liked_images


def sureness(network: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    """p of class 0 for the first image, of class 1 for the second, …"""
    with torch.no_grad():
        return network(images).softmax(dim=1).diagonal()


wanted, p = [f"as a {c}" for c in range(10)], sureness(model, plain)
liked_images(
    {"plain ascent": plain},
    captions={"plain ascent": [f"p = {each:.2f}" for each in p]},
    titles=wanted,
    limit=0.7,
    alt="Ten restless images of red and blue specks on faintly tinted paper. With good will one sees parts of digits: a ring, an open top. "
    f"The network gives each its class with p from {p.min():.2f} to {p.max():.2f}.",
)

# %% [markdown]
# The network is sure of every one of them. Nobody wrote them, and you would not take them for writing. Look for the strokes: the ring of the 0, the open top of the 4, the crossing of the 8. The network is not mad. It has found what *it* needs, and nothing holds it to what
# digits look like: it draws in blue, which is less than no ink, it breaks strokes into specks, and it puts each part wherever it helps.
#
# ## A second opinion
#
# Is the image a four, or does it only please this network? Ask another one, which shares nothing with it: other layers, another training. And measure likeness: the cosine distance to
# the nearest of 4,000 real digits. To be fair, the images are *printed* first: nothing below zero, and the strongest ink is full ink.

# %%
import torch.nn.functional as F

from course.models.digit_judge import load_digit_judge

judge = load_digit_judge()
known = F.normalize(digits.train_images.flatten(1))


def printed(images: torch.Tensor) -> torch.Tensor:
    """What paper can show of an image."""
    return (images / images.amax(dim=(1, 2, 3), keepdim=True)).clamp(0, 1)


def unlikeness(images: torch.Tensor) -> torch.Tensor:
    """Cosine distance to the nearest real digit, per image."""
    return 1 - (F.normalize(images.flatten(1)) @ known.T).amax(dim=1)


def agreement(images: torch.Tensor) -> int:
    """For how many of the ten images the judge names the wanted class."""
    with torch.no_grad():
        return int((judge(images).argmax(dim=1) == classes).sum())


real = float(unlikeness(digits.test_images).mean())
print(f"the judge agrees on {agreement(printed(plain))} of 10")
print(
    f"cosine distance to the nearest digit: {unlikeness(printed(plain)).mean():.2f};  real digits: {real:.2f}"
)

# %% [markdown]
# The judge believes nearly all of them. So they are no private joke of one network: **what fools one fools the other. It does not fool you, and the distance says why:** the images are more than twice as far from the nearest
# digit as real digits are. Follow both opinions during the climb:

# %%
from course.show.activation_maximization import climbs

every = 10
opinions: dict[str, list[float]] = {"the network": [], "the judge, of the print": []}
x = grey
for _ in range(steps // every + 1):
    opinions["the network"].append(float(sureness(model, x).mean()))
    opinions["the judge, of the print"].append(float(sureness(judge, printed(x)).mean()))
    x = maximize_activation(class_objective(model, classes), x, every, lr, penalty=0.04)
sure, believing = (
    next((every * n for n, p in enumerate(curve) if p > level), steps)
    for curve, level in zip(opinions.values(), (0.9, 0.15), strict=True)
)
climbs(
    opinions,
    every,
    alt=f"The network's p rises to 0.9 within {sure} steps. The judge's starts near 0.1, which is chance, passes 0.15 only at step {believing}, "
    f"and ends at {opinions['the judge, of the print'][-1]:.2f}.",
)
from_white = maximize_activation(class_objective(model, classes), white, steps, lr, penalty=0.04)
print(f"begun on white paper, the judge agrees on {agreement(printed(from_white))} of 10")
print(f"the network's mean p there: {sureness(model, from_white).mean():.2f}")

# %% [markdown]
# The network is sure long before the judge: until the grey of the paper has faded, there is little in print. And how many of the ten the judge believes hangs on where the climb began; the network is as sure either way.
#
# There are far more images than digits: 784 directions to go, and in nearly all of them lies no digit.
# No network was ever shown what lies out there, so it says *something*, and the ascent finds the place where one says "four" most loudly. **Fooling a network is no accident of this method: it is what
# maximizing does when nothing says "stay among the digits".** And networks that have learned from the same digits are easily fooled alike.

# %% [markdown]
# ## Simple priors
#
# So let us say it. What do we know about pictures of digits? They are *smooth*. Three old tricks:
#
# - **total variation**: every difference between neighbours costs something;
# - **blur**: what is climbed is the blurred image;
# - **jitter**: the image is moved a little at random before each step, so no part can rely on its exact place.

# %%
from solutions.activation_maximization import total_variation

# %%
from solutions.activation_maximization import gaussian_blur, jitter  # given

# %%
f = class_objective(model, classes)
moves = torch.Generator().manual_seed(0)
smooth = maximize_activation(lambda x: f(x) - 0.01 * total_variation(x), grey, steps, lr, penalty=0.04)
soft = maximize_activation(
    lambda x: f(jitter(gaussian_blur(x, 1.0), 3, moves)), grey, 200, lr=0.5, penalty=0.01
)
soft = gaussian_blur(soft, 1.0)

liked_images(
    {"plain": plain, "total variation": smooth, "blur and jitter": soft},
    titles=wanted,
    limit=0.6,
    alt="Three rows of ten images. With total variation: flat patches with sharp edges. With blur and jitter: soft strokes, of which "
    f"the second network reads {agreement(printed(soft))} as the digits that were wanted.",
)
for name, images in {"plain": plain, "total variation": smooth, "blur and jitter": soft}.items():
    print(
        f"{name:16} judge {agreement(printed(images)):2d} of 10   distance {unlikeness(printed(images)).mean():.2f}"
    )

# %% [markdown]
# With some good will you now see what the network looks for: the ring of the 0, the open top of the 4, the waist of the 8. And likeness has grown, at least with blur and jitter. But smooth is not the same as *digit*: even the soft ones
# are further from real digits than these are from one another. Agreement was never what is missing: likeness is.

# %% [markdown]
# ## Not only classes
#
# Any unit can be climbed: a neuron, or a whole map. Only the objective changes.

# %%
from solutions.activation_maximization import unit_objective

# %%
neuron, layer_map = 21, 12
of_neuron = maximize_activation(
    unit_objective(model, "dense1", neuron), white[:5], 200, lr=0.05, penalty=0.05
)
of_map = maximize_activation(unit_objective(model, "conv2", layer_map), white[:5], 200, lr=0.5, penalty=0.01)
liked_images(
    {f"neuron {neuron} of dense1": of_neuron, f"map {layer_map} of conv2": of_map},
    limit=2,
    alt="Five images each, from five starts on white paper. The neuron's show a curl in the upper middle; the map's are textures of slanted strokes all over the image.",
)

# %% [markdown]
# A map has no place, so its favourite image is a texture. And one warning: climb the layer *before* its ReLU. Where a ReLU is silent it is flat, and no number of steps would move the image:

# %%
try:
    maximize_activation(unit_objective(model, "relu3", 4), white[:2], steps, lr=0.1)
    print("No complaint, and yet the image has not moved.")
except ValueError as error:
    print(error)

# %% [markdown]
# ## A learned prior
#
# We cannot write down what makes an image a digit. But we can *learn* it: train a **generator** $g$ that turns 32 random numbers $z$ into digits, and let the network choose only among what $g$ can draw.
#
# How is $g$ trained? As a game of two. The **discriminator** $D$ learns to tell real digits from drawn ones; the generator learns to be taken for real:
#
# $$L_D = -\,\mathrm{mean}\log D(x) - \mathrm{mean}\log\bigl(1 - D(g(z))\bigr) \qquad\qquad L_G = -\,\mathrm{mean}\log D(g(z))$$
#
# with $D = \sigma(\text{logit})$. The two losses are yours:

# %%
from solutions.activation_maximization import discriminator_loss

# %%
from solutions.activation_maximization import generator_loss

# %% [markdown]
# Let them play! Each column is one $z$, each row some rounds later. The first thing that the generator learns is where ink goes; digits come much later.

# %% tags=["demo"]
from tqdm.auto import trange

from course.models.digit_generator import LATENT, digit_discriminator, digit_generator
from course.show.filters import image_rows

torch.manual_seed(0)  # the layers' first weights
source = torch.Generator().manual_seed(0)
forger, expert = digit_generator(), digit_discriminator()
forger_step = torch.optim.Adam(forger.parameters(), 1e-3, betas=(0.5, 0.99))
expert_step = torch.optim.Adam(expert.parameters(), 4e-4, betas=(0.5, 0.99))
watched = torch.randn(10, LATENT, generator=source)
rounds = (0, 10, 20, 40) if FAST else (0, 100, 300, 800)
history = {}
for turn in trange(rounds[-1] + 1, desc="rounds", mininterval=1):
    if turn in rounds:
        with torch.no_grad():
            history[f"round {turn}"] = forger(watched)
    real_images = digits.train_images[torch.randint(4000, (32,), generator=source)]
    drawn = forger(torch.randn(32, LATENT, generator=source))
    expert_step.zero_grad()
    discriminator_loss(expert(real_images), expert(drawn.detach())).backward()
    expert_step.step()
    forger_step.zero_grad()
    generator_loss(expert(drawn)).backward()
    forger_step.step()
ending = (
    "faint dots all over, then a dark blot in the middle of the paper"
    if FAST
    else "blots, and at the end bold shapes, some of which are nearly digits"
)
image_rows(
    history,
    note="ten fixed z",
    alt=f"Ten drawings each after {', '.join(map(str, rounds))} rounds: grey noise at first, then dotted patterns, then {ending}.",
)

# %% [markdown]
# The game takes patience, and some care to keep it stable. We played 10,000 rounds for you (`datasets/recipes/digit_generator.py`). It has never seen a label: it knows what digits look like, not what they are called.

# %%
from course.models.digit_generator import LATENT, load_digit_generator
from course.show.images import image_grid

generator = load_digit_generator()
with torch.no_grad():
    drawings = generator(torch.randn(20, LATENT, generator=torch.Generator().manual_seed(5)))
image_grid(
    drawings,
    columns=10,
    size=0.8,
    alt="Twenty drawings of the generator. Most are digits in ink, a few are something between two digits.",
)

# %% [markdown]
# ## Choosing among digits
#
# $$\hat z = \arg\max_z\; \log p(c \mid g(z)) - \lambda\lVert z\rVert^2 \qquad\qquad \hat x = g(\hat z)$$
#
# The same ascent, one step further back. The penalty keeps $z$ where $g$ was trained: most of its $z$ were short.

# %%
from solutions.activation_maximization import maximize_latent

# %% [markdown]
# Ascent ends on the nearest hill, and among digits there are several. So we start four times per class and keep the best, by the very number that is climbed.

# %%
starts = 4
f4 = class_objective(model, classes.repeat_interleave(starts))
z0 = torch.randn(10 * starts, LATENT, generator=torch.Generator().manual_seed(0))
z, images = maximize_latent(f4, generator, z0, 120 if FAST else 200, lr=0.1, penalty=0.03)
with torch.no_grad():
    height = penalized(lambda z: f4(generator(z)), 0.03)(z).reshape(10, starts)
best = images.reshape(10, starts, 1, 28, 28)[classes, height.argmax(dim=1)]

# %%
rows = {"plain": printed(plain), "blur and jitter": printed(soft), "learned prior": best}


def opinions_on(images: torch.Tensor) -> list[str]:
    """What the network and the judge say of each image."""
    with torch.no_grad():
        judged = judge(images).argmax(dim=1).tolist()
    return [f"p = {p:.2f}\njudge: {j}" for p, j in zip(sureness(model, images), judged, strict=True)]


liked_images(
    rows,
    captions={name: opinions_on(images) for name, images in rows.items()},
    titles=wanted,
    alt="Three rows of ten images, printed. Plain ascent: specks and fragments. Blur and jitter: blurred strokes. Learned prior: ten clean digits. Read as wanted by the judge: "
    + ", ".join(f"{agreement(images)} of 10 ({name})" for name, images in rows.items())
    + ".",
)

# %%
from course.show.activation_maximization import likeness_dots

distances = {
    "plain": unlikeness(printed(plain)),
    "total variation": unlikeness(printed(smooth)),
    "blur and jitter": unlikeness(printed(soft)),
    "learned prior": unlikeness(best),
}
likeness_dots(
    distances,
    real,
    alt="Mean distance to the nearest real digit: "
    + ", ".join(f"{each.mean():.2f} for {name}" for name, each in distances.items())
    + f"; {real:.2f} for real digits that nobody has seen.",
)
ratio = distances["learned prior"].mean() / distances["plain"].mean()
with torch.no_grad():
    single = (judge(images).argmax(dim=1) == classes.repeat_interleave(starts)).float().mean()
print(f"the judge agrees on {agreement(best)} of 10; distance {ratio:.2f} times that of plain ascent")
print(f"of all {len(images)} climbs, also those that ended lower, the judge agrees with {single:.0%}")

# %% [markdown]
# Now the network's favourite four is a four for you, too. The judge believed the plain ones as well: what the learned prior buys is not agreement but likeness. Some are even *nearer* to the training digits than real digits are: the penalty prefers short $z$, the middle of the road.
# But not every single climb gets there. Among what $g$ can draw, too, there are images that please the network and nobody else.
#
# With the prior, neuron 21 of chapter 2 speaks more clearly as well. Its nine strongest images were all nines, but it answered to 3, 4, 5, 7 and 8 too. What does it want, if it may choose among all that $g$ can draw?

# %%
z_n, favourites = maximize_latent(
    unit_objective(model, "dense1", neuron),
    generator,
    torch.randn(10, LATENT, generator=torch.Generator().manual_seed(1)),
    200,
    lr=0.05,
    penalty=0.1,
)
with torch.no_grad():
    heights = unit_objective(model, "dense1", neuron)(favourites)
    strongest = unit_objective(model, "dense1", neuron)(digits.train_images).max()
image_grid(
    favourites,
    titles=[f"{height:.1f}" for height in heights],
    columns=10,
    size=0.9,
    alt="Ten drawings from ten starts, nearly all alike: a flat loop with a stroke to either side, on top of a straight stem.",
)
print(f"activation above each image; the strongest of 4,000 real digits reaches {strongest:.1f}")

# %% [markdown]
# A flat loop, a stroke to either side, a stem: something of a 4, a 7 and a 9 at once. It excites the neuron more than any real digit does. No single class, and the nine strongest images had hidden it.

# %% [markdown]
# ## What this can *not* tell you
#
# The pictures have become beautiful. Whose merit is that? Take the network's weights and shuffle them within each layer, so that everything it ever learned is gone. Then ask for its ideal digits.

# %%
shuffled, dice = load_digits_cnn(), torch.Generator().manual_seed(0)
with torch.no_grad():
    for weights in shuffled.parameters():
        weights.copy_(weights.flatten()[torch.randperm(weights.numel(), generator=dice)].view_as(weights))
    right = (shuffled(digits.test_images).argmax(1) == digits.test_labels).float().mean()
_, nonsense = maximize_latent(
    class_objective(shuffled, classes), generator, z0[::starts], 120 if FAST else 200, 0.1, 0.03
)
who = "a network that\nlearned nothing"
liked_images(
    {who: nonsense},
    captions={who: [says.split("\n")[1] for says in opinions_on(nonsense)]},
    titles=wanted,
    alt="Ten images asked for as 0 to 9 from a network with shuffled weights: clean digits. The judge reads "
    f"{agreement(nonsense)} of them as the one that was asked for.",
)
print(f"the shuffled network reads {right:.0%} of the digits")
print(f"distance of its favourites to the nearest real digit: {unlikeness(nonsense).mean():.2f}")

# %% [markdown]
# Fine digits, from a network that cannot read. (Hardly any is the wanted one, but would you have noticed for a hidden neuron, where nobody knows what is wanted?) **The beauty comes from the generator. What the network contributes is only the choice.**
# So a learned prior shows the network's preference *among plausible images*, and hides its preference for implausible ones: the plain images above, which nobody would write, are the ones that show that the network can be fooled.
# And whatever the generator cannot draw, the network cannot ask for.

# %% [markdown]
# ## Play
#
# Which class, how strong a penalty, how many steps? Try a penalty of 0, and watch $z$ leave the generator's world.

# %% tags=["demo"]
from ipywidgets import Dropdown, FloatLogSlider, IntSlider

from course.show.explore import explore


def ideal(wanted: int, prior: str, penalty: float, steps: int) -> None:
    goal = class_objective(model, wanted)
    if prior == "learned":
        _, x = maximize_latent(goal, generator, z0[:4], steps, 0.1, penalty)
    else:
        x = maximize_activation(goal, grey[:4], steps, 0.1, penalty)
    with torch.no_grad():
        p, second = model(x).softmax(1)[:, wanted], judge(printed(x)).argmax(1)
    captions = [f"p = {a:.2f}\njudge: {b}" for a, b in zip(p.tolist(), second.tolist(), strict=True)]
    liked_images(
        {prior: x},
        captions={prior: captions},
        alt=f"Four images that the network likes as a {wanted}, prior: {prior}.",
    )


explore(
    ideal,
    wanted=Dropdown(options=list(range(10)), value=4, description="class"),
    prior=Dropdown(options=["learned", "none"], description="prior"),
    penalty=FloatLogSlider(value=0.03, min=-4, max=0, description="penalty λ", continuous_update=False),
    steps=IntSlider(value=120, min=0, max=200, step=20, description="steps", continuous_update=False),
)

# %% [markdown] question="beautiful-pictures" points=2 minutes=8
# Two teams explain the same network. Team A shows noisy images that the network takes for fours with p = 0.99. Team B, with a learned prior, shows beautiful fours.
# Which question about the network does each team's picture answer, and which picture would you show to somebody who must decide whether the network may read cheques at a bank?

# %% [markdown]
# ## The answer
#
# What does the network's ideal four look like? If it may choose among *all* images: specks with something of a four, for the network has never been told what a four is *not*. If it may choose among images of digits:
# like a clean four. Both are true, and they answer different questions. In both cases you see what the network *prefers*, not how it decides about the image on your desk. That is the question of the next chapters.
#
# **Further reading**
#
# - D. Erhan, Y. Bengio, A. Courville & P. Vincent (2009): *Visualizing higher-layer features of a deep network.* The idea.
# - K. Simonyan, A. Vedaldi & A. Zisserman (2014): *Deep inside convolutional networks.* Classes of a large network, with the ‖x‖² penalty.
# - A. Nguyen, J. Yosinski & J. Clune (2015): *Deep neural networks are easily fooled.*
# - A. Mahendran & A. Vedaldi (2015): *Understanding deep image representations by inverting them.* Total variation as a prior.
# - I. Goodfellow et al. (2014): *Generative adversarial nets.* The game.
# - A. Nguyen et al. (2016): *Synthesizing the preferred inputs for neurons in neural networks via deep generator networks.* The learned prior.
# - C. Olah, A. Mordvintsev & L. Schubert (2017): *Feature visualization.* Distill.
