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
# # Chapter 10 · Attention: a choice that can be learned
#
# **Where does the model look — and does it mean what it says?**
#
# So far we asked networks for reasons after the fact. Now we give them a part that *chooses* what to look at, and watch its choice.
# It is the smallest part of this course with the longest shadow: memory (chapter 11), translation (12), transformers (13) and
# reasoning in steps (14) are made of it.

# %% [markdown]
# ## Take the best match
#
# There is a memory of $n$ items $u_1, \dots, u_n$, each a vector of $d$ numbers, and a query $q$: what we are looking for. An item matches the query
# the better, the larger their inner product. The plainest attention takes the best:
#
# $$u^* = u_{i^*},\qquad i^* = \arg\max_i\,\langle u_i, q\rangle$$

# %%
from solutions.attention import hard_attention

# %% [markdown]
# Five items in the plane, and a query:

# %%
import torch

memory = torch.tensor([[1.0, 0.2], [0.7, 0.9], [-0.3, 1.1], [-1.0, -0.4], [0.4, -1.0]])
names = list("ABCDE")
query = torch.tensor([0.8, 0.75])
index, item = hard_attention(query, memory)
print(f"best match: {names[int(index)]}")

# %% [markdown]
# A small question with large consequences: *how does the answer change when the query changes a little?*

# %%
for step in (0.0, 0.1, 0.2, -0.5):
    index, item = hard_attention(query + torch.tensor([0.0, step]), memory)
    print(f"query moved by {step:+.1f}: item {names[int(index)]}, answer ({item[0]:.1f}, {item[1]:.1f})")

# %% [markdown]
# Not at all, not at all, and then it jumps. The query's gradient is zero wherever there is one, so no better query can be *learned* through this
# choice. The chosen item does get a gradient (move it, and the answer moves along), but the others get none: nothing says that another one would
# have been the better choice. That is why we make it smooth.

# %% [markdown]
# ## Take them all, each by how well it matches
#
# $$p_i = \frac{e^{\beta \langle u_i, q\rangle}}{\sum_j e^{\beta \langle u_j, q\rangle}},\qquad \text{read} = \sum_i p_i\,u_i$$
#
# The weights $p$ are a *softmax*, which is a smooth argmax. The *sharpness* $\beta$ says how smooth.

# %%
from solutions.attention import soft_attention

# %% [markdown]
# Move the slider. At $\beta = 0$ all items get the same, and you read their mean. The larger $\beta$, the harder the choice.
# Move the query, too: its direction chooses, and its length acts like another $\beta$.

# %% tags=["demo"]
from ipywidgets import FloatSlider

from course.show.attention import attention_in_the_plane
from course.show.explore import explore


def draw(sharpness, angle, length):
    turned = length * torch.tensor([torch.cos(torch.tensor(angle)), torch.sin(torch.tensor(angle))])
    weights, read = soft_attention(turned, memory, sharpness)
    share = ", ".join(f"{name} {weight:.0%}" for name, weight in zip(names, weights.tolist(), strict=True))
    attention_in_the_plane(
        turned,
        memory,
        weights,
        read,
        names,
        title=f"β = {sharpness:.1f}",
        alt=f"Five items in the plane and a query at sharpness {sharpness:.1f}. Weights: {share}.",
    )


explore(
    draw,
    sharpness=FloatSlider(2.0, min=0, max=30, step=0.5, description="sharpness β", continuous_update=False),
    angle=FloatSlider(0.75, min=0, max=6.2, step=0.05, description="angle", continuous_update=False),
    length=FloatSlider(1.1, min=0.1, max=2, step=0.1, description="length", continuous_update=False),
)

# %% [markdown]
# The whole way from uniform to hard in one picture. Each colour is an item; its height is its weight.

# %%
from course.show.attention import sharpening

betas = torch.logspace(-1.5, 2.3, 120)
weights = torch.stack([soft_attention(query, memory, float(beta))[0] for beta in betas])
sharpening(
    betas,
    weights,
    names,
    alt="Five bands of equal height on the left. With growing sharpness, first the items D and E lose their share, then C, then A, "
    "until B has everything on the right.",
)

# %% [markdown]
# How many items does it look at? At $\beta = 0$ five, in the end one, and between? The *entropy* of the weights knows:

# %%
from solutions.attention import items_read

# %%
for beta in (0.0, 0.5, 2.0, 8.0, 50.0):
    print(f"β = {beta:4.1f}: as if {items_read(soft_attention(query, memory, beta)[0]):.2f} items were read")

# %% [markdown]
# ## A look-up table that can be differentiated
#
# A dictionary in Python has keys and values: you ask with a key, and get the value, or an error. Soft attention makes a dictionary that
# answers *every* query, by its nearest keys:
#
# $$p = \operatorname{softmax}_i\!\left(-\beta\,\lVert k_i - q\rVert^2\right),\qquad \text{answer} = \sum_i p_i\,v_i$$

# %%
from solutions.attention import soft_lookup

# %%
from course.show.attention import looked_up

keys = torch.tensor([[0.0], [1.0], [2.0], [3.0], [4.0]])
values = torch.tensor([[1.0], [3.0], [2.0], [2.5], [0.5]])
queries = torch.linspace(-0.5, 4.5, 200).unsqueeze(1)


def answers(keys, values, sharpness):
    """The table's answer to each of the queries."""
    return torch.stack([soft_lookup(q, keys, values, sharpness) for q in queries])


looked_up(
    queries,
    {f"β = {beta}": answers(keys, values, beta) for beta in (0.3, 3.0, 100.0)},
    keys,
    values,
    alt="A table of five entries. Blunt, it answers a flat curve near the mean; at β = 3 a smooth curve through the entries; at β = 100 "
    "a staircase that answers like the nearest entry.",
)

# %% [markdown]
# And because it is smooth, the table can *learn its own entries*. We begin with eight that all say 0, and let gradient descent move keys and
# values until the answers follow a wave:

# %%
generator = torch.Generator().manual_seed(0)
asked = 6 * torch.rand(60, 1, generator=generator) - 3
wanted = torch.sin(2 * asked) + 0.3 * asked
learned_keys = torch.linspace(-3, 3, 8).unsqueeze(1).requires_grad_()
learned_values = torch.zeros(8, 1, requires_grad=True)

optimizer = torch.optim.Adam([learned_keys, learned_values], lr=0.05)
for step in range(401):
    said = soft_lookup(asked, learned_keys.expand(60, 8, 1), learned_values.expand(60, 8, 1), 4.0)
    error = (said - wanted).square().mean()
    optimizer.zero_grad()
    error.backward()
    optimizer.step()
    if step % 100 == 0:
        print(f"step {step:3d}: mean squared error {error.item():.4f}")

# %%
queries = torch.linspace(-3, 3, 200).unsqueeze(1)
looked_up(
    queries,
    {"after learning": answers(learned_keys, learned_values, 4.0)},
    learned_keys,
    learned_values,
    rug=torch.cat([asked, wanted], dim=1),
    alt="Sixty grey rings on a wave. The table's eight entries have moved to where they are needed, and its answer follows the wave.",
)

# %% [markdown]
# A table that writes its own entries, through nothing but gradients. Keys, values, queries: keep the three words. Chapter 13 has hardly any others.

# %% [markdown]
# ## The lecture's example: a network that weighs its inputs
#
# The same softmax, put on a network's own inputs. The lecture has it in three lines of Keras:
#
# ```python
# attention = Dense(features, activation="softmax")(inputs)
# gated = multiply([inputs, attention])
# output = Dense(1, activation="sigmoid")(Dense(64)(gated))
# ```

# %%
from solutions.attention import feature_attention

# %% [markdown]
# Its task: eight features of pure noise, except that feature 1 *is* the label. A network that looks at its inputs wisely should look there.

# %%
from torch import nn


def make_inputs(rows, seed):
    """Inputs (rows, 8) of noise in which feature 1 is the label, and the labels."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 8, generator=generator)
    x[:, 1] = torch.randint(0, 2, (rows,), generator=generator).float()
    return x, x[:, 1].clone()


class Attentive(nn.Module):
    """Weighs its inputs, then classifies what is left of them."""

    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(8, 8)
        self.classify = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, x):
        attention, gated = feature_attention(x, self.dense.weight, self.dense.bias)
        return attention, torch.sigmoid(self.classify(gated)).squeeze(-1)


def train(shame=0.0, steps=600):
    """Train on the labels; `shame` charges for attention on feature 1."""
    torch.manual_seed(0)
    network, (x, labels) = Attentive(), make_inputs(2000, seed=0)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(steps):
        attention, answer = network(x)
        loss = nn.functional.binary_cross_entropy(answer, labels) + shame * attention[:, 1].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.requires_grad_(False)


# %%
x, labels = make_inputs(1000, seed=1)
honest = train()
attention, answer = honest(x)
print(f"right: {((answer > 0.5) == (labels > 0.5)).float().mean():.1%} of 1,000 new inputs")

# %%
from course.show.attention import feature_bars

feature_bars(
    {"trained": {"mean attention": attention.mean(dim=0)}},
    deciding=1,
    alt="Mean attention of the eight features. Feature 1, which is the label, gets about seventy per cent.",
)

# %% [markdown]
# There it is: nobody told the network which feature matters, and its attention points at it. This is the picture that made attention famous as
# an explanation. So let us ask the network in another way, and see whether it says the same.

# %% [markdown]
# ## A second opinion: take the feature away
#
# What a feature does, one can try out: replace it by something that says nothing (its mean), and see how much the answer changes.

# %%
from solutions.attention import leave_one_out

# %%
nothing = x.mean(dim=0)
effect = leave_one_out(lambda rows: honest(rows)[1], x, nothing)
feature_bars(
    {"trained": {"mean attention": attention.mean(dim=0), "effect of leaving it out": effect.mean(dim=0)}},
    deciding=1,
    alt="Left: mean attention, largest on feature 1. Right: leaving out feature 1 changes the answer by half, the others do nothing.",
)

# %% [markdown]
# They agree. Mostly: attention also gives some to features that do nothing at all. A softmax has to spend its whole unit somewhere.

# %% [markdown]
# ## The warning: attention can say what you like
#
# Now a second network. Same data, same labels, same layers; but during training it is charged a little for *attention* on feature 1.

# %%
polite = train(shame=1.0)
says, says_the_answer = polite(x)
print(f"right: {((says_the_answer > 0.5) == (labels > 0.5)).float().mean():.1%}")
same = (says_the_answer > 0.5) == (answer > 0.5)
print(f"same answer as the first network: {same.float().mean():.1%}")
print(
    f"attention on feature 1: {attention[:, 1].mean():.1%} in the first network, {says[:, 1].mean():.1%} in the second"
)

# %%
effect_there = leave_one_out(lambda rows: polite(rows)[1], x, nothing)
feature_bars(
    {
        "trained": {"mean attention": attention.mean(dim=0), "effect of leaving it out": effect.mean(dim=0)},
        "charged": {"mean attention": says.mean(dim=0), "effect of leaving it out": effect_there.mean(dim=0)},
    },
    deciding=1,
    alt="Two rows. The trained network: attention and effect both point at feature 1. The network that was charged: hardly any attention on "
    "feature 1, but leaving it out still changes the answer by half.",
)

# %% [markdown]
# Two networks, the same answers, for the same reason: both decide by feature 1, as leaving it out shows. One points at it. The other
# points anywhere else, and whispers: the layers behind multiply its tiny share of feature 1 back to full size.
#
# Nobody needs bad intentions for that. Training rewards right answers; it does not care where the attention lies, as long as enough gets through.
#
# So, where does the model look, and does it mean what it says?
#
# - **Attention is what it says it is:** the weights with which *this layer* mixes its inputs. Exactly those, and you may look at them.
# - **It is not what the answer depends on.** That also depends on everything behind. A weight of 1 % can decide; a weight of 70 % may decide nothing.
# - **Ask a second time, in another way.** Leave out, or use the methods of chapters 4 to 7. Where they agree, you may begin to believe.
# - **Different attention, same answer:** then attention cannot be *the* explanation of that answer.
#
# Leaving out is no oracle either: of two copies of feature 1 it may find that neither matters, because the other one is still there.

# %% [markdown] question="the-attentive-bank" points=3 minutes=8
# A bank shows you its credit model. It has attention on its inputs, and the attention on "home district" is 0.4 % on average. *"As you can see,
# the district plays no role for our decisions."* What do you reply? Name two things that you would ask the bank to show you, and say what each could prove
# and what it could not.

# %% [markdown]
# ## Further reading
#
# - Bahdanau, Cho & Bengio (2015): *Neural machine translation by jointly learning to align and translate.* Where soft attention began.
# - Graves, Wayne & Danihelka (2014): *Neural Turing machines.* Reading and writing by content, with a sharpness.
# - Jain & Wallace (2019): *Attention is not explanation.* Other attention, same answer.
# - Wiegreffe & Pinter (2019): *Attention is not not explanation.* When it may still be one.
# - Pruthi, Gupta, Dhingra, Neubig & Lipton (2020): *Learning to deceive with attention-based explanations.* The network that was charged.
