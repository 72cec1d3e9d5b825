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
# # Chapter 11 · Memory networks and baby stories
#
# **Which sentences did the answer come from?**
#
# Here is a story. A child of three can answer the questions below it.

# %%
from course.data.stories import LECTURE_EXAMPLES, LECTURE_STORY

print(*LECTURE_STORY, sep="\n")
print()
for example in LECTURE_EXAMPLES:
    print(f"{example.question:35} {example.answer}")

# %% [markdown]
# Watch yourself answer the first one. You **formulate a goal**: milk. You **recover what matches**: Joe left the milk. That is not
# yet the answer, so you **formulate another query**: where was Joe when he left it? You recover again: Joe travelled to the office. Now
# you **decide**: office.
#
# A network that answers like this shows which sentence it looked up at each step. That would be an explanation for free. This chapter
# builds two such networks, and then asks whether the explanation can be believed.

# %% [markdown]
# ## Four parts
#
# A *memory network* (Weston et al., 2015) has four parts:
#
# | part | what it does |
# |---|---|
# | **I** input | turns a sentence into a vector |
# | **G** generalization | writes it into the memory |
# | **O** output | recovers what matches the question, and then what matches the question *and* the first finding |
# | **R** response | says the best answer word |
#
# We begin with G. A memory has slots; a new sentence goes into an empty one:
#
# $$m_{H(x)} = I(x)$$
#
# $H(x)$ is the slot to write to. When the memory is full, the oldest sentence is forgotten. So the memory must also know how old
# everything in it is.

# %%
from solutions.memory_networks import write_memory

# %%
import torch

memory, age = torch.zeros(4, 1), torch.full((4,), -1)
for number, sentence in enumerate(LECTURE_STORY, start=1):
    memory, age = write_memory(memory, age, torch.tensor([float(number)]))
    print(f"{sentence:28} slots hold sentences {memory[:, 0].int().tolist()}, ages {age.tolist()}")

# %% [markdown]
# The first two sentences are gone. Whoever asks now where Fred is has asked too late.
#
# **O** compares the query with every memory and takes the best:
#
# $$o = \arg\max_i \; \langle q, m_i\rangle$$

# %%
from solutions.memory_networks import hard_lookup

# %% [markdown]
# An arg max has no gradient. How can such a network learn? Weston's answer: somebody tells it which sentences are needed (the
# **supporting facts**), and then each look-up is a ranking that can be trained. The right sentence $c$ should beat every other one by a margin
# $\gamma$:
#
# $$L = \sum_{i \neq c} \max(0,\; \gamma - s_c + s_i)$$
#
# Without a margin the network could make all scores equal and be content.

# %%
from solutions.memory_networks import margin_ranking_loss

# %% [markdown]
# `MemNN` puts the parts together: two look-ups with your `hard_lookup`, each trained with your `margin_ranking_loss`, and so is the
# answer. A sentence is the sum of its words' vectors, plus a vector for its age. We ask it 4,000 questions of the lecture's kind, and name the
# supporting facts of each.

# %%
from solutions.memory_networks import MemNN  # given

# %%
from course.data.stories import encode_examples, simulate_stories
from course.models.memory_networks import LECTURE_MEMORY, LECTURE_WORDS, lecture_lexicon
from course.settings import FAST
from course.show.memory_networks import story_attention

lexicon = lecture_lexicon()


def slots_of(examples):
    """The two memory slots (0 = newest) that each question needs; one that needs a single sentence names it twice."""
    return torch.tensor([[len(e.sentences) - 1 - (e.support * 2)[i] for i in (0, 1)] for e in examples])


def numbers_of(examples):
    return encode_examples(examples, lexicon, LECTURE_MEMORY, LECTURE_WORDS)


train = [
    e
    for e in simulate_stories("lecture", 1000 if FAST else 4000, seed=1)
    if len(e.sentences) <= LECTURE_MEMORY
]
unseen = [e for e in simulate_stories("lecture", 500, seed=2) if len(e.sentences) <= LECTURE_MEMORY]
new = numbers_of(unseen)
print(f"{len(train)} questions, for example after {len(train[2].sentences)} sentences: {train[2].question}")

# %% tags=["demo"]
from tqdm.auto import tqdm

data, support = numbers_of(train), slots_of(train)
memnn = MemNN(len(lexicon), 32, LECTURE_MEMORY, torch.Generator().manual_seed(0))
epochs, order = 6 if FAST else 12, torch.Generator().manual_seed(0)
optimizer = torch.optim.Adam(memnn.parameters(), 5e-3)
schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, total_iters=epochs)
for _ in tqdm(range(epochs)):
    for rows in torch.randperm(len(train), generator=order).split(32):
        optimizer.zero_grad()
        memnn.loss(
            data.stories[rows], data.questions[rows], support[rows], data.answers[rows], margin=0.1
        ).backward()
        optimizer.step()
    schedule.step()

scores, looked_up = memnn(new.stories, new.questions)
print(f"right on unseen stories: {(scores.argmax(1) == new.answers).float().mean():.0%}")
first, second = (looked_up == slots_of(unseen)).float().mean(0)
print(f"right sentence found by look-up 1: {first:.0%}, by look-up 2: {second:.0%}")

# %% tags=["demo"]
from torch.nn.functional import one_hot

ours = numbers_of(LECTURE_EXAMPLES)
scores, looked_up = memnn(ours.stories, ours.questions)
looks = one_hot(len(LECTURE_STORY) - 1 - looked_up, len(LECTURE_STORY))  # in the order told
story_attention(
    LECTURE_STORY,
    {
        e.question: (lexicon.words[s.argmax()], look)
        for e, s, look in zip(LECTURE_EXAMPLES, scores, looks, strict=True)
    },
    support=[e.support for e in LECTURE_EXAMPLES],
    what="look-up",
)

# %% [markdown]
# An orange frame marks the sentences that are needed. Where a look-up misses it, you can see at once what went wrong: that is the charm
# of a network that shows its work. But this one was *told* which sentences are needed, and where its look-ups agree with us, they do
# because we taught it to agree. Nobody annotates the supporting facts of real texts. Can a network find them by itself, from
# questions and answers alone?

# %% [markdown]
# ## From hard to soft: the end-to-end memory network
#
# *MemN2N* (Sukhbaatar et al., 2015) makes the look-up soft, as chapter 10 did: every sentence is read, weighted by how well it
# matches. Now there is a gradient all the way, and the answer alone is enough to learn from.
#
# First the sentences. A plain sum of word vectors forgets the order of the words, and *Joe left the milk* should not be *the milk left Joe*. So
# each word is weighted by its place, differently in every dimension:
#
# $$l_{jk} = \left(1 - \frac{j}{J}\right) - \frac{k}{d}\left(1 - \frac{2j}{J}\right) \qquad m_i = \sum_j l_j \circ A x_{ij}$$

# %%
from solutions.memory_networks import position_encoding

# %%
from course.show.memory_networks import position_table

position_table(position_encoding(6, 20))

# %% [markdown]
# The first word speaks in the first dimensions, the last word in the last ones. Now use it.

# %%
from solutions.memory_networks import embed_sentences

# %% [markdown]
# Does the order count now? Two sentences of the same words:

# %%
table = torch.randn(len(lexicon), 20, generator=torch.Generator().manual_seed(0))
pair = torch.tensor(
    [lexicon.encode(s, 6) for s in ("Where was Joe before the office?", "The office was before Joe where?")]
)
for name, encoding in {"bag of words": torch.ones(6, 20), "with position": position_encoding(6, 20)}.items():
    one, other = embed_sentences(pair, table, encoding)
    print(f"{name:14} distance of the two sentences: {(one - other).norm():.2f}")

# %% [markdown]
# Each sentence is stored twice, by two tables of word vectors: $m_i$ is what it is **found** by, $c_i$ is what it **tells**. (*Joe left the
# milk* is found by "milk", and tells "Joe".) One look-up, a **hop**:
#
# $$p_i = \mathrm{softmax}_i\big(u^\top m_i\big) \qquad o = \sum_i p_i\, c_i$$

# %%
from solutions.memory_networks import memory_hop

# %% [markdown]
# "Formulate another query": the next query is the old one plus what was found.
#
# $$u_{k+1} = H u_k + o_k$$
#
# With *adjacent* tying $H$ is the identity, and what one hop reads from is what the next one compares with: $A_{k+1} = C_k$. With *layer-wise* tying
# all hops share $A$ and $C$, and $H$ is learned.

# %%
from solutions.memory_networks import repeat_hops

# %% [markdown]
# `MemN2N` is now a few lines around your functions. It also adds to each sentence a learned vector for its age: otherwise *Joe went to the
# kitchen* would be as good on the last line as on the first. We load the weights of a network that has read 20,000 questions of this kind
# (`datasets/recipes/lecture_memory.py`). Nobody told it any supporting fact.

# %%
from solutions.memory_networks import linear_hop  # given

# %%
from solutions.memory_networks import MemN2N  # given

# %%
from course.models.memory_networks import LECTURE_RECIPE, lecture_state

network = MemN2N(len(lexicon), LECTURE_RECIPE.dim, LECTURE_RECIPE.hops, LECTURE_MEMORY)
network.load_state_dict(lecture_state())


@torch.no_grad()
def answer(sentences, question):
    """The network's answer, and what each hop looked at: weights (hops, sentences), in the order told."""
    if len(sentences) > LECTURE_MEMORY:
        raise ValueError(f"The memory holds {LECTURE_MEMORY} sentences; this story has {len(sentences)}.")
    newest_first = [lexicon.encode(sentence, LECTURE_WORDS) for sentence in reversed(sentences)]
    asked = lexicon.encode(question, LECTURE_WORDS)
    logits, attention = network(torch.tensor([newest_first]), torch.tensor([asked]))
    return lexicon.words[logits[0].argmax()], attention[0].flip(-1)


story_attention(
    LECTURE_STORY,
    {e.question: answer(e.sentences, e.question) for e in LECTURE_EXAMPLES},
    support=[e.support for e in LECTURE_EXAMPLES],
)

# %% [markdown]
# Read the columns from left to right: this is the lecture's picture, made by your own functions. Follow the first question from *milk* to
# *Joe* to *office*.
#
# Now it is your turn: tell a story, and ask. It knows Joe, Fred, Bill and Jane; milk, football and apple; kitchen, bathroom, bedroom, garden,
# hallway and office.

# %% tags=["demo"]
from course.show.memory_networks import ask_your_own

ask_your_own(answer, LECTURE_STORY, [e.question for e in LECTURE_EXAMPLES])

# %% [markdown]
# ## How it learns
#
# Such a network is not easy to train: the first hop is useless until the second one is good, and the other way round. Four things help:
#
# - **Clipping.** Gradients explode now and then. Each *matrix* whose gradient is longer than 40 is shortened, by itself.
# - **Linear start.** For the first epochs (20 in the paper's own program) the hops go without their softmax (`linear_hop`). Everything is then a product of matrices, and learns
#   quickly who belongs to whom.
# - **Random empty memories.** Ages are shaken a little, so that "three sentences ago" is not learned by heart.
# - **Restarts.** Train ten, keep the one with the lowest *training* loss.

# %%
from solutions.memory_networks import clip_each_matrix

# %%
wild = [torch.full((2, 2), 100.0), torch.full((3, 3), 0.1)]
print("norms before:", [f"{g.norm():.1f}" for g in wild])
print("norms after: ", [f"{g.norm():.1f}" for g in clip_each_matrix(wild, 40.0)])

# %% [markdown]
# How many hops does a question need? *"Where is the milk?"* takes two facts. We train networks with one, two and three hops on 1,000 such
# questions. (`train_restarts` trains all restarts at once; how, and why that is quick, stands in `course/models/memory_networks.py`.)

# %% tags=["demo"]
from course.data.stories import Lexicon, longest_sentence
from course.models.memory_networks import Recipe, measure, train_restarts
from course.show.memory_networks import restarts_and_hops

told, asked_later = simulate_stories("two_facts", 1000, seed=1), simulate_stories("two_facts", 500, seed=2)
words = Lexicon.of(told + asked_later)
known, later = (encode_examples(e, words, 50, longest_sentence(told)) for e in (told, asked_later))

outcomes = {}
for hops in tqdm((1, 2, 3)):
    recipe = Recipe(
        hops=hops, restarts=3, epochs=10 if FAST else 50, linear_epochs=4 if FAST else 12, halve_every=12
    )
    trained = train_restarts(known, len(words), recipe, torch.Generator().manual_seed(0))
    outcomes[hops] = trained.training_loss, measure(trained.parameters, later, len(words), recipe)[1]
restarts_and_hops(outcomes)

# %% [markdown]
# One hop cannot do it: it finds the milk, or the office, but not one *through* the other. More hops can.
#
# Published figures are usually "the best of ten restarts". Say so when you quote them, and say what chose the best one: choosing by the
# error on unseen stories would be cheating.

# %% [markdown]
# ## What the attention cannot tell you
#
# The picture of the lecture's story looks convincing. How often is it right? We ask 500 new questions, and count how often the
# largest weight of some hop lies on a sentence that is needed. And we put the explanation to the test: **take the sentence away** that got most attention. If the answer came from
# there, it should change. Then take away, from the same stories, a sentence that got hardly any.


# %%
@torch.no_grad()
def predicted(stories, questions):
    return network(stories, questions)[0].argmax(1)


def without(stories, slots):
    """The stories with one memory slot each blanked."""
    blanked = stories.clone()
    blanked[torch.arange(len(stories)), slots] = 0
    return blanked


with torch.no_grad():
    logits, attention = network(new.stories, new.questions)
said, strongest = logits.argmax(1), attention.amax(1)
right = said == new.answers
needed = slots_of(unseen)
seen = torch.stack(
    [(attention.argmax(2) == needed[:, [i]]).any(1) for i in (0, 1)]
)  # by the largest weight of some hop
all_empty = (new.stories == 0).all(-1)
most, least = strongest.argmax(1), strongest.masked_fill(all_empty, 2).argmin(1)

# %%
from course.show.memory_networks import accuracy_bars

accuracy_bars(
    {
        "answers are right": right.float().mean(),
        "some hop's peak is on the fact that is found first": seen[0].float().mean(),
        "some hop's peak is on the fact that tells the answer": seen[1].float().mean(),
        "answer changes without the most attended sentence": (
            predicted(without(new.stories, most), new.questions) != said
        )
        .float()
        .mean(),
        "answer changes without the least attended one": (
            predicted(without(new.stories, least), new.questions) != said
        )
        .float()
        .mean(),
    },
    "500 unseen questions",
)

# %% [markdown]
# Be careful with each of these numbers:
#
# - The peaks are usually where we would look, and nobody taught the network to look there. That is a real success.
# - But *usually* is not *always*: answers are right more often than the first fact is found. Then the network got there by another way, and
#   its picture would not have told you.
# - The least attended sentence hardly ever matters. The most attended one matters often, but **in about a third of the stories the answer
#   stays without it.** Sometimes another sentence says the same (*Joe got the milk* two lines before *Joe left the milk*). Sometimes
#   the other hops had enough. A large weight says **"this was read"**, not "this was decisive".
# - And look once more at *Where is Joe?* above: hop 1 reads three of Joe's walks at once. Its weights say how much of each was read, not
#   what was made of it: that happens in $c_i$, $u$ and the answer's matrix, which the picture does not show.
#
# So: attention is a good **question** to put to a network ("why did you read this?"), and a test like the one above is how to check the
# reply. And it depends on the world that it has learned. Tell it a story that its world never had:

# %%
story = ["Joe took the milk.", "Joe went to the office.", "Fred took the milk.", "Fred went to the garden."]
story_attention(
    story, {q: answer(story, q) for q in ("Where is the milk?", "Where was Fred before the office?")}
)

# %% [markdown]
# Nobody had walked anywhere before taking the milk, and Fred has never been in the office. There is no such thing as *I do not know* among its answers: asked nonsense, it looks somewhere and says
# something, with weights that look as sure as ever.

# %% [markdown] question="a-hop-explained" points=3 minutes=8
# Take the picture of *"Where was Joe before the office?"* (three hops). Say in your own words what each hop asked and what it found. A colleague
# concludes: *"The network answered kitchen* because of *the first sentence."* Which experiment would support or refute this claim, and what would you
# expect to see? Answer in four to six sentences.

# %% [markdown]
# ## Further reading
#
# - Weston, Chopra & Bordes (2015): *Memory networks.* The four parts, and this chapter's story (Figure 1).
# - Sukhbaatar, Szlam, Weston & Fergus (2015): *End-to-end memory networks.* Hops, position encoding, linear start.
# - Weston et al. (2016): *Towards AI-complete question answering: a set of prerequisite toy tasks.* The bAbI tasks. With the real files
#   (`course.data.stories.load_babi`) everything in this chapter runs on them as well. Their test sets repeat some training stories:
#   count those apart.
# - Kumar et al. (2016): *Ask me anything: dynamic memory networks.* The memory is read by a recurrent network.
# - Jain & Wallace (2019): *Attention is not explanation*, and Wiegreffe & Pinter (2019): *Attention is not not explanation.* Read both.
