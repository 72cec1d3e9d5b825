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
# # Chapter 14 · General reasoning in several steps
#
# **Can a network think one thing after the other — and can we watch it think?**
#
# Look at these scenes, and answer the questions above them.

# %%
import torch

from course.data.scenes import CHAINS, KINDS, NON_RELATIONAL, RELATIONAL, simulate_questions, simulate_scenes
from course.settings import FAST
from course.show.reasoning import scene_grid

scenes = simulate_scenes(100 if FAST else 1000, seed=14)
shown = [
    simulate_questions((kind,), 20, seed=3, scenes=scenes) for kind in ("shape", "nearest_shape", "chain2")
]
scene_grid(
    scenes.take([asked.about[0] for asked in shown]),
    [asked.sentence(0).replace(" the thing", "\nthe thing") for asked in shown],
)

# %% [markdown]
# Did you notice what your eyes did? For the first question they went to one thing. For the second one they had to go from one thing to
# another. For the third one they walked: here, then there, then there. The answers:

# %%
print(*[asked.answer(0) for asked in shown], sep=", ")

# %% [markdown]
# That is reasoning in its simplest form: **the answer to one question is needed to ask the next one.** This chapter compares three networks:
# one without any means for it, one that compares all pairs at once, and one that takes steps, as you did.
#
# All three have the same eyes: a small convolution network that has learned to name colour and shape of one thing. It looks at each thing through
# a small window, as an object detector would hand it on; where the window lies is given too. What is left is the thinking.

# %%
from course.models.reasoning import load_eyes, see

eyes = load_eyes()
seen = see(eyes, scenes)
print("scenes, things, numbers per thing:", tuple(seen.shape))

# %% [markdown]
# ## Without reasoning
#
# The baseline looks at every thing by itself, in the light of the question, then puts all six side by side and sends them through a dense network.
# It has no other means to compare one thing with another. It was trained on half a million questions.

# %%
from course.models.reasoning import NoReasoning, load_trained

questions = simulate_questions((*NON_RELATIONAL, *RELATIONAL), 600 if FAST else 3000, seed=15, scenes=scenes)


@torch.no_grad()
def right_by_kind(run, questions):
    """The share of right answers for each kind of question; run(seen, words) → logits."""
    words, kinds = torch.from_numpy(questions.words), torch.from_numpy(questions.kinds)
    said = run(seen[torch.from_numpy(questions.about)], words).argmax(1)
    right = (said == torch.from_numpy(questions.answers)).float()
    return {KINDS[kind]: right[kinds == kind].mean().item() for kind in kinds.unique().tolist()}


baseline = load_trained(NoReasoning(), "scene_baseline")
without = right_by_kind(baseline, questions)
print({kind: f"{share:.0%}" for kind, share in without.items()})

# %% [markdown]
# ## All pairs at once: the relation network
#
# Santoro et al. (2017) built the missing thing into the network: **a relation is something that holds between two things**, so look at
# all pairs. First make them.

# %%
from solutions.reasoning import object_pairs

# %% [markdown]
# Then one network $g$ judges every pair, in the light of the question; the judgements are added up, and a second network $f$ concludes:
#
# $$\mathrm{RN} = f\Big(\sum_{i,j} g\big([o_i, o_j, q]\big)\Big)$$

# %%
from solutions.reasoning import relate

# %%
from course.models.reasoning import RelationNetwork
from course.show.reasoning import accuracy_by_kind

relations = load_trained(RelationNetwork(), "scene_relations")
with_pairs = right_by_kind(lambda seen, words: relations(seen, words, relate), questions)
accuracy_by_kind({"no reasoning": without, "relation network": with_pairs}, "Six kinds of questions")

# %% [markdown]
# Questions about single things are easy for both. (So is counting: one can learn by heart how six shapes add up.) Where one thing has to be compared
# with the others, the baseline is little better than naming the shape that is most frequent in the scene, and the relation network pulls away.
#
# But *why* did it say "circle"? It compared 36 pairs at once and added up what came out. There is no step to look at.

# %% [markdown]
# ## One step after the other
#
# *MAC* (Hudson & Manning, 2018: memory, attention, composition) thinks in steps. Each step has three units, and each of them is a piece of attention that you
# know by now:
#
# | unit | question | attends to |
# |---|---|---|
# | **control** | What is this step about? | the words of the question |
# | **read** | What do I need for it, given what I know? | the things in the scene |
# | **write** | What do I know now? | |
#
# The control unit looks at the words, given what the step before was about:
#
# $$cq = W\,[c,\, q] \qquad a_s = w \cdot (cq \circ x_s) \qquad p = \mathrm{softmax}(a) \qquad c' = \sum_s p_s\, x_s$$

# %%
from solutions.reasoning import control_unit

# %% [markdown]
# The read unit looks at the things $k_i$. The memory $m$ meets each of them ("nearest to *that one*"), and the control says what counts:
#
# $$I_i = (W_m m) \circ (W_k k_i) \qquad I'_i = W_I\,[I_i,\, k_i] \qquad p = \mathrm{softmax}_i\big(w \cdot (c \circ I'_i)\big) \qquad r = \sum_i p_i\, k_i$$

# %%
from solutions.reasoning import read_unit

# %% [markdown]
# The write unit keeps what was found: $m' = W\,[r,\, m]$.

# %%
from solutions.reasoning import write_unit

# %% [markdown]
# And now let it think: control, read, write; control, read, write; and conclude.

# %%
from solutions.reasoning import reason

# %% [markdown]
# We load a network with four steps. The title of each picture says the step, the rings say what it looks at, and the bars below say which word it
# is working on. (The words stand from the inside out, as one has to think: where to start, then the relations, then what is asked.)

# %%
from course.models.reasoning import StepByStep
from course.data.scenes import ANSWERS
from course.show.reasoning import reasoning_steps

thinker = load_trained(StepByStep(4), "scene_steps_4")


@torch.no_grad()
def think(scene, words, network=thinker):
    """The answer, what each step looked at (steps, things), and which words it worked on (steps, words)."""
    padded = torch.tensor([[*words, *[0] * (5 - len(words))]])
    logits, looks, thoughts = network(seen[[scene]], padded, reason)
    return ANSWERS[logits[0].argmax()], looks[0], thoughts[0]


chained = simulate_questions(("chain2", "chain3"), 20, seed=3, scenes=scenes)
for row in (0, 1):
    scene, words = int(chained.about[row]), [int(w) for w in chained.words[row] if w]
    reasoning_steps(scenes, scene, words, *think(scene, words))

# %% [markdown]
# The first step finds the thing to start at, the next ones follow one relation each; when the question is at its end, the network stays where it is.
#
# Put together a question of your own, and watch.

# %% tags=["demo"]
from course.data.scenes import WORDS
from course.show.reasoning import ask_about_a_scene

ask_about_a_scene(think, scenes, [WORDS.index(w) for w in ("red", "nearest", "left", "colour")])

# %% [markdown]
# ## How many steps does a thought need?
#
# A question with three relations visits four things; ours never come back to one of them. We let networks with one, two, three and four steps answer questions with zero to three relations.

# %%
from course.show.reasoning import steps_against_chain

chains = simulate_questions(("shape", *CHAINS), 400 if FAST else 4000, seed=16, scenes=scenes)
rows = []
for steps in (1, 2, 3, 4):
    network = load_trained(StepByStep(steps), f"scene_steps_{steps}")
    shares = right_by_kind(lambda seen, words, network=network: network(seen, words, reason)[0], chains)
    rows.append([shares[kind] for kind in ("shape", *CHAINS)])
steps_against_chain(torch.tensor(rows), (1, 2, 3, 4), (0, 1, 2, 3))

# %% [markdown]
# Read it along the diagonal: a question with $n$ relations needs $n + 1$ steps, one for each thing that it visits. A network with fewer steps
# has to guess among the things where it has not been yet: one of five after one step, one of four after two, one of three after three. More steps than needed do
# no harm: the network waits.

# %% [markdown]
# ## What the steps cannot tell you
#
# Such pictures are hard to doubt. So doubt them:
#
# **1. Who taught it to look there?** We did. These networks were trained with the right answers *and* shown which thing each step should look at
# (`datasets/recipes/scene_networks.py`). Which *word* a step works on, nobody told them. Here is the same network, trained three times as long, on the answers alone:

# %%
alone = load_trained(StepByStep(4), "scene_steps_4_from_answers")
for name, network in {"shown where to look": thinker, "answers alone": alone}.items():
    shares = right_by_kind(lambda seen, words, network=network: network(seen, words, reason)[0], chains)
    print(f"{name:20}", {kind: f"{share:.0%}" for kind, share in shares.items()})
scene, words = int(chained.about[0]), [int(w) for w in chained.words[0] if w]
reasoning_steps(scenes, scene, words, *think(scene, words, alone))

# %% [markdown]
# From the answers alone it learns single things and, mostly, single relations. In a chain it gets lost: the answer comes too late to tell the first steps what they
# should have done. Hudson & Manning's network did learn long questions from answers alone: from 700,000 of them, each seen many times. What such steps then
# look at is what *they* found useful, and sometimes nothing that we would call a step.

# %% [markdown]
# **2. Does a right answer mean a right path?** We know the path that each question follows, so we can count.

# %%
with torch.no_grad():
    about, words = torch.from_numpy(chains.about), torch.from_numpy(chains.words)
    logits, looks, _ = thinker(seen[about], words, reason)
path = torch.from_numpy(chains.path)
visited = path >= 0
on_path = ((looks.argmax(2) == path) | ~visited).all(1)
right = logits.argmax(1) == torch.from_numpy(chains.answers)
print(
    f"right answer, right path: {(right & on_path).float().mean():.1%}     right answer, another path: {(right & ~on_path).float().mean():.1%}"
)
print(
    f"wrong answer, right path: {(~right & on_path).float().mean():.1%}     wrong answer, another path: {(~right & ~on_path).float().mean():.1%}"
)

# %% [markdown]
# Nearly always it does, here. But a few answers in a hundred are right by another path. Here is one: where does it leave the way?

# %%
row = int((right & ~on_path).nonzero()[0])
scene, said = int(chains.about[row]), [int(w) for w in chains.words[row] if w]
reasoning_steps(scenes, scene, said, *think(scene, said))

# %% [markdown]
# **3. Is what it looked at what it used?** Put something else in its place. We exchange one thing for a thing from another scene: once the thing
# that the last step looked at, once a thing that no step looked at.


# %%
def replaced(seen, which):
    """The scenes with one thing each replaced by one from the next scene."""
    changed = seen.clone()
    every = torch.arange(len(seen))
    changed[every, which] = seen.roll(1, dims=0)[every, which]
    return changed


with torch.no_grad():
    for name, which in {
        "looked at last": looks[:, -1].argmax(1),
        "never looked at": looks.amax(1).argmin(1),
    }.items():
        again = thinker(replaced(seen[about], which), words, reason)[0].argmax(1)
        print(
            f"answer changes when the thing {name} is replaced: {(again != logits.argmax(1)).float().mean():.0%}"
        )

# %% [markdown]
# What it looked at last, it used: with another thing in that place, the answer changes, unless the new thing has the same colour (or shape, where that is asked).
# What no step looked at matters less, though not never: a new thing may be nearer, or further, than the one that was right before, and then it *should* change the answer. Such experiments, not the
# pictures, are the evidence.

# %% [markdown] question="a-right-answer-by-another-path" points=3 minutes=8
# A network of this kind is to decide which of two cars had the right of way. It answers well on the test set, and its step-by-step pictures look
# reasonable. The maker says: *"You can see how it reasons."* Which two checks from this chapter would you ask for before you believe it, and which result would
# change your mind? Answer in four to six sentences.

# %% [markdown]
# ## Further reading
#
# - Santoro et al. (2017): *A simple neural network module for relational reasoning.* Relation networks, and Sort-of-CLEVR.
# - Hudson & Manning (2018): *Compositional attention networks for machine reasoning.* MAC, on 700,000 questions about rendered scenes.
# - Johnson et al. (2017): *CLEVR: a diagnostic dataset for compositional language and elementary visual reasoning.*
# - Andreas, Rohrbach, Darrell & Klein (2016): *Neural module networks.* A network is put together anew for every question.
# - Lake & Baroni (2018): *Generalization without systematicity.* What happens with combinations that were never trained.
