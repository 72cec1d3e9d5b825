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
# # Chapter 5 · Deconvnet and guided backpropagation
#
# **What has this unit seen in the picture? And does a sharp answer mean a true one?**
#
# A unit deep in a network fires. Chapter 2 showed the patch that it looked at; but *what* in the patch? The idea of this chapter: send the unit's signal back down,
# layer by layer, until it is a picture again. Three methods do that. They differ in a single place, the ReLU, and that place decides how sharp the
# picture gets. At the end we test whether the sharpest of them explains anything.

# %% [markdown]
# ## Three ways back through a ReLU
#
# Forward, a ReLU gives $a = \max(0, z)$. On the way back a signal $R_a$ arrives from above. What should go on below?
#
# $$\text{gradient: } R_z = \mathbb 1[a>0]\,R_a \qquad \text{deconvnet: } R_z = \mathbb 1[R_a>0]\,R_a \qquad \text{guided: } R_z = \mathbb 1[a>0]\,\mathbb 1[R_a>0]\,R_a$$
#
# The gradient remembers which units were on. The deconvnet (Zeiler & Fergus) does not ask; it simply applies a ReLU to the signal on its way back. Guided backpropagation
# (Springenberg and others) wants both.

# %%
from solutions.deconvnet import relu_backward

# %%
import torch

from course.show.deconvnet import number_tables

z = torch.tensor([[1.0, -1.0, 5.0], [2.0, -5.0, -7.0], [-3.0, 2.0, 4.0]])
a = z.clamp(min=0)
back = torch.tensor([[-2.0, 3.0, -1.0], [6.0, -3.0, 1.0], [2.0, -1.0, 3.0]])
rules = ("gradient", "deconvnet", "guided")
number_tables(
    {"forward: z": z, "a = max(0, z)": a, "back: R_a": back}
    | {rule: relu_backward(back, a, rule) for rule in rules},
    alt="Six matrices of nine numbers. The gradient keeps five of the numbers that come back, negative ones too; the deconvnet keeps "
    "the five positive ones; guided backpropagation keeps only the two that are positive and whose unit was on.",
)

# %% [markdown]
# Read the three on the right: the guided rule is what *both* others let through.
#
# ## Back through max pooling
#
# Max pooling forgets three of four values, and where the fourth was. To go back, it must have noted the places: the **switches**.
# The value goes back to its place, all others are zero. (Windows may overlap, and then one place can be the winner of several windows. Think of what it should get.)

# %%
from solutions.deconvnet import unpool

# %% [markdown]
# ## One activation on its way down, by hand
#
# A digit goes up through the first six layers of our network. In map 11 of the second convolution we keep the strongest activation, set everything else to zero, and walk down:
# transposed convolution, unpooling, ReLU, transposed convolution.

# %%
import torch.nn.functional as F

from course.data.digits import load_digits
from course.models.digits import load_digits_cnn

digits, model = load_digits(), load_digits_cnn()
images, labels = digits.test_images, digits.test_labels


def down_by_hand(x, channel, rule, switched=True):
    a1 = model.relu1(model.conv1(x))
    pooled, switches = F.max_pool2d(a1, 2, return_indices=True)
    a2 = model.relu2(model.conv2(pooled))
    strongest = torch.zeros_like(a2)
    strongest[:, channel] = a2[:, channel] * (a2[:, channel] == a2[:, channel].amax((1, 2), keepdim=True))
    signal = relu_backward(strongest, a2, rule)
    signal = F.conv_transpose2d(signal, model.conv2.weight)
    if not switched:  # forget the places: always the top left corner of each window
        rows, columns = torch.arange(0, 24, 2)[:, None], torch.arange(0, 24, 2)
        switches = (24 * rows + columns).expand_as(pooled)
    signal = relu_backward(unpool(signal, switches, (24, 24)), a1, rule)
    return F.conv_transpose2d(signal, model.conv1.weight).detach()


# %%
from course.show.images import heatmap_grid

three = images[3:4]
with torch.no_grad():
    pictures = [down_by_hand(three, 11, rule) for rule in rules]
    pictures.append(down_by_hand(three, 11, "deconvnet", switched=False))
heatmap_grid(
    three,
    torch.cat(pictures),
    titles=[*rules, "deconvnet,\nswitches forgotten"],
    unit="signal",
    size=2.0,
    alt="The same small part of a three, four times. A red bar along its upper stroke, blue above and below: broad with the gradient, narrower "
    "with the deconvnet and with guided backpropagation. Without switches a coarse chequered bar, a little off the stroke.",
)

# %% [markdown]
# The first three differ little yet: on this short way only one ReLU had something to cut. Without its switches the deconvnet draws a bar, too, but a chequered one, a little off the stroke.
#
# ## Guided backpropagation for a class
#
# From a class's score to the pixels it is the same walk, only longer. Nobody writes it by hand: autograd already knows the way. All we need is to change what each ReLU
# hands back. `set_relu_rule` does that on the graph that autograd has recorded, so it finds every ReLU, also where a model calls
# the function instead of using a module. (Hooks on `nn.ReLU` modules, the usual way, miss those and silently give the plain gradient.)

# %%
from solutions.deconvnet import set_relu_rule  # given

# %%
from solutions.filters import evaluation_mode, feature_maps  # given

# %%
from solutions.sensitivity import input_gradient, target_score  # given

# %%
from solutions.deconvnet import guided_backprop

# %%
from solutions.deconvnet import deconvnet

# %%
five, whose = images[3:8], labels[3:8]
methods = {"gradient": input_gradient, "deconvnet": deconvnet, "guided": guided_backprop}
heatmap_grid(
    torch.cat([five] * 3),
    torch.cat([method(model, five, whose) for method in methods.values()]),
    titles=[f"{name}, as a {k}" for name in methods for k in whose.tolist()],
    columns=5,
    unit="score per unit of ink",
    alt="Five digits in three rows. Gradient: red and blue specks, on the strokes and beside them. Deconvnet: the strokes, with blotches around. Guided "
    "backpropagation: the strokes themselves in clean red, with a little blue beside them.",
)

# %% [markdown]
# The guided maps look best by far: clean strokes, hardly a speck. Keep that impression; we shall come back to it.
#
# ## Zeiler's figure: what each map has seen
#
# Choose a map. Find the images that excite it most (chapter 2). In each, keep only the strongest activation and send it down.

# %%
from solutions.deconvnet import reconstruct_feature

# %%
with torch.no_grad():
    by_hand = down_by_hand(three, 11, "deconvnet")
print(
    "largest difference to the walk by hand:",
    (reconstruct_feature(model, "relu2", three, 11, "deconvnet") - by_hand).abs().max().item(),
)

# %%
from solutions.filters import crop_patch, layer_field, top_activations  # given

# %%
from course.settings import FAST
from course.show.deconvnet import patches_and_pictures

explored = digits.train_images[: 500 if FAST else 2000]


def zeilers_figure(layer, channels, field=None, k=4):
    """Patches, and both methods' pictures of them: (maps, k, side, side) each."""
    with torch.no_grad():
        _, image, row, col = top_activations(feature_maps(model, layer, explored), k)

    def cut(pictures, c):
        if field is None:
            return pictures[:, 0]
        places = zip(pictures, row[c], col[c], strict=True)
        return torch.cat([crop_patch(picture, i, j, field) for picture, i, j in places])

    patches = [cut(explored[image[c]], c) for c in channels]
    drawn = {
        rule: torch.stack(
            [cut(reconstruct_feature(model, layer, explored[image[c]], c, rule), c) for c in channels]
        )
        for rule in ("deconvnet", "guided")
    }
    return torch.stack(patches), drawn


# %%
channels, neurons = (0, 3, 11, 19, 26), (0, 3, 11, 26, 35)
for layer, drawn in (
    ("relu1", "the map's filter, in all of them"),
    ("relu2", "the strokes of the patch, in red"),
):
    field = layer_field(model, layer)
    patches_and_pictures(
        [f"map {c}" for c in channels],
        *zeilers_figure(layer, channels, field),
        title=f"{layer}: a unit sees {field[0]} × {field[0]} pixels",
        alt=f"Five maps of {layer}, one per row: four patches of digits that excite the map most, then the deconvnet's and guided "
        f"backpropagation's pictures of what excited it: {drawn}.",
    )
patches_and_pictures(
    [f"neuron {c}" for c in neurons],
    *zeilers_figure("relu3", neurons),
    title="relu3: a neuron sees the whole image",
    alt="Five neurons of the dense layer: four whole digits each, the deconvnet's blotchy pictures, and guided backpropagation's strokes of the digits.",
)

# %% [markdown]
# In the first layer every picture of a row is the same, up to its strength: the filter itself. In the second layer the pictures follow the patch: a stroke of a certain
# direction, an end, a bend. In the dense layer the deconvnet becomes blotchy, and guided backpropagation draws the whole digit. (Red is positive, blue negative; each row has its own scale.)

# %% [markdown]
# ## A network without switches
#
# Springenberg and others asked: why pool at all? Let a convolution take steps of two instead. Such a network reads digits nearly as well. But what does the deconvnet do, when
# there are no switches, and it does not look at the ReLUs' forward pass either?

# %%
from course.models.all_cnn import load_all_cnn

stepping = load_all_cnn()
with torch.no_grad():
    print(f"read correctly: {(stepping(images).argmax(1) == labels).float().mean():.1%}")

eight = images[[0, 1, 3, 8]]
heatmap_grid(
    torch.cat([eight, eight]),
    torch.cat([deconvnet(stepping, eight, 3), guided_backprop(stepping, eight, 3)]),
    titles=["deconvnet, as a 3"] * 4 + ["guided, as a 3"] * 4,
    columns=4,
    unit="score per unit of ink",
    alt="Top row: for a zero, a one, a three and an eight the deconvnet draws one and the same picture. Below: guided backpropagation draws each digit's own strokes.",
)
same = deconvnet(stepping, images[:100], 3)
print(
    "largest difference between the deconvnet's pictures of 100 images:", (same - same[:1]).abs().max().item()
)

# %% [markdown]
# Exactly the same picture, whatever the image: without switches nothing on the deconvnet's way down knows the image any more. So all that a deconvnet's picture knows
# of an image, **the switches told it**. That is why guided backpropagation was invented: it takes what it needs from the ReLUs.

# %% [markdown]
# ## Play with it
#
# Any digit, any class, any method. Try the *same digit* as a 3, as a 5, as a 7. What changes?

# %% tags=["demo"]
from ipywidgets import Dropdown, IntSlider

from course.show.explore import explore


def draw(image, target, method):
    heatmap_grid(
        images[image : image + 1],
        methods[method](model, images[image : image + 1], target),
        titles=[f"{method}, as a {target}"],
        unit="score per unit of ink",
        size=3,
        alt=f"{method} for image {image}, explained as a {target}.",
    )


explore(
    draw,
    image=IntSlider(3, min=0, max=999, description="image", continuous_update=False),
    target=Dropdown(options=range(10), value=5, description="class"),
    method=Dropdown(options=list(methods), value="guided", description="method"),
)

# %% [markdown]
# ## Does it explain *this network*?
#
# Here is a test that every explanation should pass (Adebayo and others). Let the network *forget*: draw the weights of its last layer at random, then of the last two, and so on,
# until nothing of its learning is left. An explanation of what the network has learned must change when the learning is gone.

# %%
from solutions.deconvnet import randomize_from_top

# %%
layers = ["dense2", "dense1", "conv2", "conv1"]
forgetful = randomize_from_top(model, layers, torch.Generator().manual_seed(0))
with torch.no_grad():
    for name, network in zip(["nothing", *layers], [model, *forgetful], strict=True):
        print(
            f"forgotten down to {name:8} read correctly: {(network(images).argmax(1) == labels).float().mean():.0%}"
        )

# %%
from course.show.deconvnet import maps_in_rows

stages = ["trained", *layers]
maps_in_rows(
    {
        name: torch.cat([method(network, three, 3) for network in (model, *forgetful)])
        for name, method in methods.items()
    },
    stages,
    three[0],
    alt="Three rows, five columns. While layers forget, the gradient's map becomes another one at once, and then noise. The deconvnet's changes. Guided backpropagation draws the "
    "three in every column, even after all layers but the first have forgotten.",
)

# %% [markdown]
# Look at the bottom row. The network can no longer tell a three from a nine, and guided backpropagation goes on drawing the three.
#
# Now in numbers, over many digits: how like the trained network's map is each later one? We compare **on the ink only**. On blank paper most maps are zero, and agreeing there is no
# merit.

# %%
from course.show.deconvnet import foreground_similarity, forgetting_curves

many = slice(0, 60)


def likeness(method):
    """(rank correlation, structural similarity) of each network's maps with the trained network's."""
    maps = [method(network, images[many], labels[many]) for network in (model, *forgetful)]
    return [foreground_similarity(maps[0], each, images[many]) for each in maps]


curves = {name: likeness(method) for name, method in methods.items()}
for name, curve in curves.items():
    print(f"{name:10} rank correlation", "  ".join(f"{rank:5.2f}" for rank, _ in curve))

# %%
forgetting_curves(
    stages,
    curves,
    alt="Two diagrams. The gradient's likeness falls from 1 to about 0 as soon as the last layer has forgotten. Guided backpropagation stays near 0.9, then 0.8 and 0.7, "
    "and falls to about 0.4 only with the first layer. The deconvnet lies between.",
)

# %% [markdown]
# With the last layer random, the network's answers are guesses. The gradient's map has nothing left in common with the old one; guided backpropagation's map has kept its ranks almost
# as they were (0.87). It loses most when the *first* layer forgets, the one that finds edges.

# %% [markdown]
# ## What guided backpropagation does not show
#
# It does not even show *which class* it explains. Take the maps of all ten classes for one image, and compare them pair by pair:

# %%
pairs = [(i, j) for i in range(10) for j in range(i)]
few = images[: 5 if FAST else 20]
for name, method in methods.items():
    maps = [method(model, few, k) for k in range(10)]
    rank = [foreground_similarity(maps[i], maps[j], few)[0] for i, j in pairs]
    print(f"{name:10} rank correlation between the maps of two classes: {sum(rank) / len(rank):5.2f}")

# %%
maps_in_rows(
    {name: torch.cat([methods[name](model, three, k) for k in range(10)]) for name in ("gradient", "guided")},
    [f"as a {k}" for k in range(10)],
    three[0],
    alt="The three, explained as each of the ten digits. The gradient's maps differ; guided backpropagation's ten maps look nearly alike: the three.",
)

# %% [markdown]
# "Why is this a 3?" and "why is this a 7?" get nearly the same answer: *here are the strokes*. The reason is the rule itself. By cutting all that is negative at every layer, the way
# back loses what speaks *against*, and with it most of what distinguishes the classes; what remains is steered by which units were on, and in the lower layers that is
# decided by the edges of the image (Nie and others, 2018, prove it for random networks).
#
# So a guided map shows
#
# - **where the image has structure that the lower layers respond to**: a clean picture of the input's edges.
#
# It does **not** show
#
# - what the upper layers make of it: they may be random;
# - what distinguishes this class from another;
# - how much a pixel contributes: the values add up to nothing in particular.
#
# A picture that a person finds convincing may owe that to the *image*, not to the network. **Sharp is not the same as true.** Before you believe a map, let the network forget, and see
# whether the map notices.

# %% [markdown] question="sharp-or-true" points=3 minutes=10
# A hospital shows you guided-backpropagation maps of its tumour classifier: the tumours' outlines stand out beautifully, in every picture. "So the network looks at the tumour", they say.
# Explain in a few sentences why the maps do not show that, and propose one experiment with the network, and one with the images, that could.

# %% [markdown]
# ## The answer
#
# What has the unit seen? For **a single unit** and its patch, sending its activation down gives a good picture: it is the image's own structure, filtered by what the unit can
# respond to. As an answer to **"why this class?"** the sharpest method fails the simplest test. The gradient passes it, and is noisy. Can one have a map that is calm *and* keeps account of the score?
# The next chapter tries: it treats the score like money that must not get lost on its way down.
#
# **Further reading**
#
# - M. Zeiler & R. Fergus (2014): *Visualizing and understanding convolutional networks.* The deconvnet, and the figure of all layers.
# - J. Springenberg, A. Dosovitskiy, T. Brox & M. Riedmiller (2015): *Striving for simplicity: the all convolutional net.* Guided backpropagation, in an aside.
# - J. Adebayo et al. (2018): *Sanity checks for saliency maps.* The test by forgetting.
# - W. Nie, Y. Zhang & A. Patel (2018): *A theoretical explanation for perplexing behaviors of backpropagation-based visualizations.* Why guided maps restore the image.
# - A. Mahendran & A. Vedaldi (2016): *Salient deconvolutional networks.* What the switches and the masks contribute.
