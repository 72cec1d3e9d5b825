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
# # Chapter 2 · Filters, activations, exploring a data set
#
# **What is each unit of a network looking for?**
#
# There are three ways to find out, and none of them needs any new mathematics. *Read its weights. Watch it respond. Ask the data set which images
# it likes best.* In this chapter you do all three, and at the end you will know how much to believe them.

# %%
import torch

from course.data.digits import load_digits
from course.models.digits import load_digits_cnn

digits, model = load_digits(), load_digits_cnn()
for name, layer in model.named_children():
    print(f"{name:8} {layer}")

# %% [markdown]
# ## Read its weights
#
# A unit of the first layer multiplies a 5 × 5 patch of the image by its 25 weights. So its weights *are* an image, the one that it answers most
# strongly to (of all patches of the same length). To look at it we only have to bring weights, which may be negative, to the range of grey values:
#
# $$v = \frac{w - \min w}{\max w - \min w}$$

# %%
from solutions.filters import normalize_filters

# %%
from course.show.images import image_grid

image_grid(
    normalize_filters(model.conv1.weight.detach()),
    titles=[str(n) for n in range(32)],
    columns=8,
    cmap="gray",
    size=0.8,
    alt="The 32 filters of the first layer, 5 by 5 squares from black to white. Many are dark on one side and light "
    "on the other: edges and strokes in all directions.",
)

# %% [markdown]
# Light: ink here makes the unit fire. Dark: ink here silences it. You will find edges and short strokes in many directions, and some squares that
# tell you nothing. They are what the network found useful for reading digits; nobody drew them.
#
# This works for the first layer only. A filter of the second layer has 32 channels of 5 × 5 weights, and its channels are no colours: they are the maps of
# the first layer. **Weights are readable where their input is.**

# %% [markdown]
# The same function shows the famous filters of AlexNet, in colour, if its weights are on your machine. (They are 233 MB, so nothing here fetches them unasked.)

# %% tags=["demo"]
from pathlib import Path

import torchvision

weights = torchvision.models.AlexNet_Weights.IMAGENET1K_V1
if (Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name).exists():
    alexnet_filters = torchvision.models.alexnet(weights=weights).features[0].weight.detach()
    image_grid(
        normalize_filters(alexnet_filters),
        columns=16,
        size=0.6,
        alt="The 64 first-layer filters of AlexNet: striped edges in many directions and widths, and blobs of colour.",
    )
else:
    print(
        "AlexNet's weights are not here. With a network, torchvision.models.alexnet(weights='DEFAULT') fetches them once."
    )

# %% [markdown]
# ## Watch it respond
#
# A filter visits every place of the image, and its answers form a *map*. To see it we have to look into the network while it computes.
# PyTorch lets us hang a *hook* on any layer: a function that is called with the layer's output.
#
# Looking must not change what is looked at. So the model should be in evaluation mode (no dropout, no statistics of the batch) and come out as it was.
# This does it, and puts everything back also when something fails:

# %%
from solutions.filters import evaluation_mode  # given

# %%
from solutions.filters import feature_maps

# %%
from course.show.filters import image_and_maps

five = digits.test_images[5:6]
with torch.no_grad():
    answers = feature_maps(model, "relu1", five)
image_and_maps(
    five[0],
    answers[0],
    "relu1",
    alt="A handwritten five, and beside it the 32 maps of the first layer. Some light up along the upper edges of the strokes, "
    "others along the left or right edges; a few stay dark.",
)

# %% [markdown]
# Compare a few maps with the filters above, number by number: each lights up where the image looks like its filter. The five is still in all of them. (Two maps
# glow on blank paper too: that is their bias.) One layer deeper, after pooling, most maps stay dark and a few answer strongly:

# %%
with torch.no_grad():
    deeper = feature_maps(model, "relu2", five)
image_and_maps(
    five[0],
    deeper[0],
    "relu2",
    alt="The same five and the 32 maps of the second layer, 8 by 8 squares: most are dark, with a few bright spots each.",
)

# %% [markdown]
# ## Where does a unit look?
#
# A unit of the second layer sees a patch of maps, each of which saw a patch of the image. What does it see *of the image*? That is its **receptive field**: a square of some *size*;
# the squares of two neighbours lie *jump* pixels apart, and that of the first unit *starts* somewhere, perhaps in the padding. It is plain arithmetic. Along one direction, unit $u$ of a layer with
# kernel $k$, stride $s$ and padding $p$ sees, of the layer below, the units
#
# $$u\,s - p,\quad u\,s - p + 1,\quad \dots,\quad u\,s - p + k - 1$$
#
# Draw three layers of a few units on paper, and work out what a unit of the uppermost sees of the lowest.

# %%
from solutions.filters import receptive_field

# %% [markdown]
# Two famous networks to try it on. The numbers to compare with were published:

# %%
alexnet = [(11, 4, 2), (3, 2, 0), (5, 1, 2), (3, 2, 0), (3, 1, 1), (3, 1, 1), (3, 1, 1), (3, 2, 0)]
zfnet = [(7, 2, 1), (3, 2, 1), (5, 2, 0), (3, 2, 1), (3, 1, 1), (3, 1, 1), (3, 1, 1), (3, 2, 0)]
published = {"AlexNet": (11, 19, 51, 67, 99, 131, 163, 195), "ZFNet": (7, 11, 27, 43, 75, 107, 139, 171)}
for (name, expected), layers in zip(published.items(), (alexnet, zfnet), strict=True):
    sizes = tuple(receptive_field(layers[: depth + 1])[0] for depth in range(8))
    print(f"{name:8} {sizes}  {'as published' if sizes == expected else f'published: {expected}'}")

# %% [markdown]
# And our network, with one unit of each layer, all looking at the same corner of the five:

# %%
from course.show.filters import fields_on_image

ours = {"conv1": (5, 1, 0), "pool1": (2, 2, 0), "conv2": (5, 1, 0), "pool2": (2, 2, 0)}
names = list(ours)
fields = {name: receptive_field([ours[each] for each in names[: n + 1]]) for n, name in enumerate(names)}
fields_on_image(
    five[0],
    fields,
    unit={"conv1": 10, "pool1": 5, "conv2": 3, "pool2": 1},
    alt="The five with four squares on it: a unit of conv1 sees 5 by 5 pixels, of pool1 6 by 6, of conv2 14 by 14, of pool2 16 by 16.",
)

# %% [markdown]
# Is the arithmetic true? The network knows. If a pixel lies outside the field, the unit cannot depend on it: the slope of the unit with respect to that pixel is exactly zero.
# Autograd gives the slopes; here is their mean size over 200 digits, for the unit in row 1, column 2 of `pool2`.

# %%
from course.show.filters import slope_and_field

images = digits.test_images[:200].clone().requires_grad_()
unit = feature_maps(model, "pool2", images)[:, :, 1, 2]
(slope,) = torch.autograd.grad(unit.sum(), images)
reach = slope.abs().mean(dim=(0, 1))
slope_and_field(
    reach,
    1,
    2,
    fields["pool2"],
    alt="A map of slopes: zero everywhere but in a 16 by 16 square, which is exactly the square that the arithmetic gives.",
)
size, jump, start = fields["pool2"]
outside = reach.clone()
outside[start + jump : start + jump + size, start + 2 * jump : start + 2 * jump + size] = 0
print(
    f"pixels that move the unit: {(reach > 0).sum()} = {size} × {size}   of these outside the field: {(outside > 0).sum()}"
)

# %% [markdown]
# The field is a promise of where a unit *cannot* look. Inside, it does not look everywhere alike: the middle counts most.
#
# For networks with branches one follows the graph of the model. That is not your task; this function does it, for torchvision's networks as well:

# %%
from solutions.filters import layer_field  # given

# %%
import torchvision

for name, layer in [("alexnet", "features.12"), ("vgg11", "features.20"), ("resnet18", "layer4.1.relu")]:
    with torch.device("meta"):  # shapes only, no weights
        network = getattr(torchvision.models, name)(weights=None)
    print(f"{name:9} {layer:14} sees {layer_field(network, layer)[0]} pixels")

# %% [markdown]
# The last units of ResNet see more than the 224 × 224 pixels of the image that they are usually given: three quarters of their field is padding.

# %% [markdown]
# ## Ask the data set
#
# Weights are readable in the first layer, maps one image at a time. The third way works for every unit: **forward the whole data set, and find the images
# that excite the unit most**, and for a map also the *place* in the image where it happened.

# %%
from solutions.filters import top_activations

# %% [markdown]
# With the place and the field, cut out what the unit saw:

# %%
from solutions.filters import crop_patch

# %%
explored = digits.train_images
with torch.no_grad():
    maps = torch.cat([feature_maps(model, "pool2", batch) for batch in explored.split(500)])
values, image, row, col = top_activations(maps, 9)

# %%
from course.show.filters import image_rows


def patches(channel: int) -> torch.Tensor:
    """The nine patches that excite one map of pool2 most."""
    found = zip(image[channel], row[channel], col[channel], strict=True)
    return torch.stack([crop_patch(explored[n], int(i), int(j), fields["pool2"]) for n, i, j in found])


image_rows(
    {f"map {channel}": patches(channel) for channel in range(0, 32, 4)},
    alt="Eight maps of the second layer, one per row, each with the nine patches that excite it most. Within a row the patches "
    "resemble each other: the same bow, crossing or end of a stroke.",
)

# %% [markdown]
# Every row has its theme: a bow, a crossing, the end of a stroke. **In the second layer, filters that we could not read have become readable.** And with the frame in place:

# %%
from course.show.filters import framed_images

channel = 12
framed_images(
    explored[image[channel]],
    list(zip(row[channel].tolist(), col[channel].tolist(), strict=True)),
    fields["pool2"],
    values[channel],
    title=f"map {channel} of pool2 fires most strongly here (above: its activation)",
    alt=f"Nine digits, each with a frame around the 16 by 16 pixels that excite map {channel} most.",
)

# %% [markdown]
# ## The whole data set, and not all at once
#
# We kept the maps of all images in memory: 4,000 × 32 × 4 × 4 numbers are few. For `conv1` it would be 300 megabytes, for a real network on a real data set terabytes.
# But only the best $k$ matter at any time.

# %%
from solutions.filters import explore_dataset

# %%
values, image, _, _ = explore_dataset(model, "dense1", explored.split(250), 9)
neurons = [2, 11, 21, 60, 93, 116]
image_rows(
    {f"neuron {n}": explored[image[n]] for n in neurons},
    alt="Six neurons of the dense layer, one per row, each with the nine whole images that excite it most. Several rows show one digit only.",
)

# %% [markdown]
# Neurons of a dense layer see the whole image, so here whole images win. Some rows show a single digit. Have we found "the neuron for" that digit?

# %% [markdown]
# ## What this can *not* tell you
#
# Nine images of 4,000 are the tip of the iceberg. Look at all of them. Each dot is an image; the nine winners are the diamonds.

# %%
from course.show.filters import activation_by_class

labels = digits.train_labels[: len(explored)]
with torch.no_grad():
    dense = torch.cat([feature_maps(model, "dense1", batch) for batch in explored.split(500)])
neuron = 21
activation_by_class(
    dense[:, neuron],
    labels,
    9,
    f"neuron {neuron}",
    alt="One dot per image, by class. The nine strongest images of the neuron are of one class, but images of most other classes "
    "also drive it to more than half of its maximum.",
)
favourite = labels[dense[:, neuron].topk(9).indices].mode().values
strong = labels[dense[:, neuron] > dense[:, neuron].max() / 2]
print(
    f"of its 9 strongest images, {(labels[dense[:, neuron].topk(9).indices] == favourite).sum()} show a {favourite}"
)
print(
    f"of the {len(strong)} images that drive it to half its maximum, {(strong == favourite).float().mean():.0%} do"
)

# %% [markdown]
# The tip said "one digit". The iceberg says something else: this neuron answers to many digits, and some other thing must be what it is about.
#
# It gets worse. Is a *neuron* special at all? Take 128 directions at random, each a mixture of all 128 neurons, and look at *their* nine strongest images:

# %%
from course.show.filters import purity_bars


def same_digit(activations: torch.Tensor, k: int = 9) -> torch.Tensor:
    """Per unit: how many of its k strongest images show the digit that is most frequent among them."""
    _, image, _, _ = top_activations(activations, k)
    return torch.stack([labels[of_one].bincount(minlength=10).max() for of_one in image])


mixtures = torch.randn(128, 128, generator=torch.Generator().manual_seed(0))
purity_bars(
    {"neurons": same_digit(dense), "random mixtures": same_digit((dense - dense.mean(0)) @ mixtures)},
    9,
    alt="Two histograms that look alike: of the nine strongest images, about seven show the same digit, for neurons as for random mixtures of neurons.",
)

# %% [markdown]
# No difference. Random mixtures look as meaningful as neurons (Szegedy et al., 2014, saw the same). **The strongest images tell you what a unit responds to at its most extreme. They do
# not tell you what it is for, nor that the unit is a unit of meaning.** What the layer knows is spread over its neurons; whoever looks at them one by one finds a story in each, and would find
# one in noise too.

# %% [markdown]
# ## Play
#
# Every layer, every unit: which nine images excite it most, and where?

# %% tags=["demo"]
from ipywidgets import Dropdown, IntSlider

from course.show.explore import explore

rankings = {
    name: explore_dataset(model, name, explored.split(250), 9)
    for name in ("conv1", "pool1", "conv2", "pool2")
}


def strongest(layer: str, channel: int) -> None:
    best, image, row, col = (each[channel] for each in rankings[layer])
    framed_images(
        explored[image],
        list(zip(row.tolist(), col.tolist(), strict=True)),
        layer_field(model, layer),
        best,
        title=f"map {channel} of {layer}",
        alt=f"Nine digits with frames around what excites map {channel} of {layer} most.",
    )


explore(
    strongest,
    layer=Dropdown(options=list(rankings), value="conv2", description="layer"),
    channel=IntSlider(value=3, min=0, max=31, description="map"),
)

# %% [markdown] question="one-digit-neuron" points=2 minutes=8
# The nine strongest images of a neuron all show a 7. A colleague writes: "This is the network's 7-detector; if we remove it, the network can no longer read sevens."
# Which two observations or experiments would you ask for before you believe the first half of the sentence, and which one for the second half?

# %% [markdown]
# ## The answer
#
# What is a unit looking for? In the first layer, read it off the weights. In the others, the strongest images and patches give a good *first guess*, and the receptive field says exactly what the guess may be about.
# It stays a guess: it shows the extreme, not the usual, and it presupposes that single units mean something.
#
# All images here were chosen from a data set. If the unit wants something that is in none of them, we shall never know. In the next chapter we therefore stop choosing, and let the network *draw* what it likes.
#
# **Further reading**
#
# - M. Zeiler & R. Fergus (2014): *Visualizing and understanding convolutional networks.* Strongest patches for all layers of a large network.
# - C. Szegedy et al. (2014): *Intriguing properties of neural networks.* Section 3: random directions look as meaningful as units.
# - J. Yosinski et al. (2015): *Understanding neural networks through deep visualization.* Watching maps live, through a camera.
# - A. Araujo, W. Norris & J. Sim (2019): *Computing receptive fields of convolutional neural networks.* Distill.
# - D. Bau et al. (2017): *Network dissection.* Measures, instead of guessing, which units agree with human concepts.
