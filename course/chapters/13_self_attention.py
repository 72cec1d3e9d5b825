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
# # Chapter 13 · Self-attention
#
# **What does a word mean when every word looks at every word — and can we follow the looks back to where the meaning came from?**
#
# *She sat on the bank.* Of the river? In front of the cashier? You cannot tell, and neither can a table that holds one vector per word. The word needs its sentence.
# In chapter 12 a decoder looked at a source. Here the sentence looks **at itself**.

# %%
import torch

from course.data.words_in_context import SENSES, WORDS, context_batch, make_sentences
from course.settings import FAST

generator = torch.Generator().manual_seed(0)
sentences, meanings = make_sentences(4, seed=3)
for words, german in zip(sentences, meanings, strict=True):
    print(
        f"{' '.join(words)}\n    → {', '.join(f'{words[place]} = {word}' for place, word in german.items())}"
    )

# %% [markdown]
# That is our language. What its ambiguous words mean is to be told in German, which has two words where English has one: *Bank* keeps money, *Ufer* is where a river ends.
# (German has its own: a *Bank* is a bench, too. Nobody sits on one here.) In each sentence one word gives the meaning away, and others mislead or say nothing.

# %% [markdown]
# ## Ask, be asked, answer
#
# Every word sends out a **query** (what am I looking for?), shows a **key** (what have I got?) and holds a **value** (what do I give?). A word reads the values of all words
# whose keys fit its query:
#
# $$\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\!\left(\frac{Q K^\top}{\sqrt{d}}\right) V$$

# %%
from solutions.self_attention import scaled_dot_product_attention

# %% [markdown]
# **Why √d?** The product of two random words is a sum of $d$ terms and spreads by $\sqrt d$. Let us watch the largest weight, and the gradient that reaches the scores, as
# vectors grow wider: with your function; with the root undone; and with a division by $d$.

# %% tags=["demo"]
from course.show.self_attention import spread_by_width

widths = [4, 16, 64, 256, 1024]
curves = {}
for name, power in {"divided by √d": 0.0, "not divided": 0.5, "divided by d": -0.5}.items():
    largest, gradient = [], []
    for d in widths:
        q, k = torch.randn(200, 1, d, generator=generator), torch.randn(200, 8, d, generator=generator)
        _, weights = scaled_dot_product_attention(q * d**power, k, k)
        top = weights.max(-1).values
        largest.append(top.mean().item())
        gradient.append((top * (1 - top)).mean().item())  # d(weight)/d(score) at the largest one
    curves[name] = (largest, gradient)
spread_by_width(
    widths,
    curves,
    alt="Left: the largest of eight weights stays near 0.35 when divided by the root of d, climbs to 1 when not divided, and sinks to one eighth when divided by d. Right: without division the gradient dies with growing d.",
)

# %% [markdown]
# Undivided, the softmax of wide vectors is a hard choice, and a hard choice cannot learn. Divided by $d$, all words are equal, and nobody is looked at. With the root, learning starts
# in the same way at every width. (At the start the numbers are random, as here; what becomes of queries and keys afterwards is up to training.)
#
# Whoever writes from left to right must not look at words that are yet to come:

# %%
from solutions.self_attention import causal_mask

# %%
x = torch.randn(6, 8, generator=generator)
changed = x.clone()
changed[4:] = 9.0
before, _ = scaled_dot_product_attention(x, x, x, causal_mask(6))
after, _ = scaled_dot_product_attention(changed, changed, changed, causal_mask(6))
change = (before - after).abs().amax(-1)
print("words 5 and 6 were replaced; outputs changed by", "  ".join(f"{amount:.2f}" for amount in change))

# %% [markdown]
# ## Several heads
#
# With one look a word gets one mixture. But *bank* may want to know two things. So the numbers of every word are dealt out to $H$ **heads**; each looks for itself, and a last matrix
# puts together what they found:
#
# $$\mathrm{head}_h = \mathrm{Attention}(xW^Q_h,\, xW^K_h,\, xW^V_h) \qquad \mathrm{MultiHead}(x) = [\mathrm{head}_1, \dots, \mathrm{head}_H]\, W^O$$

# %%
from solutions.self_attention import split_heads

# %%
from solutions.self_attention import merge_heads

# %%
words = torch.arange(12).view(2, 6)
print("two words of six numbers:", words.tolist())
for number, head in enumerate(split_heads(words, heads=3)):
    print(f"  head {number} sees", head.tolist())
print("merged again:", merge_heads(split_heads(words, heads=3)).tolist())

# %%
from solutions.self_attention import multi_head_attention

# %% [markdown]
# Something is missing. Shuffle the words, and see what comes out.

# %%
matrices = [torch.randn(8, 8, generator=generator) for _ in range(4)]
order = torch.tensor([3, 5, 0, 1, 4, 2])
straight, _ = multi_head_attention(x, *matrices, heads=2)
shuffled, _ = multi_head_attention(x[order], *matrices, heads=2)
print(
    "largest difference after putting the words back in order:",
    f"{(straight[order] - shuffled).abs().max():.1e}",
)

# %% [markdown]
# Nothing changed: *dog bites man* is *man bites dog*. Attention sees a **set** of words.
#
# ## Positions
#
# So each word is told its place, by a pattern of waves that is added to it: fast waves tell neighbours apart, slow ones tell the beginning from the end.
#
# $$P_{i,2k} = \sin\frac{i}{10000^{2k/d}} \qquad P_{i,2k+1} = \cos\frac{i}{10000^{2k/d}}$$

# %%
from solutions.self_attention import positional_encoding

# %%
from course.show.self_attention import position_waves

position_waves(
    positional_encoding(40, 64),
    alt="Left: forty rows of sine and cosine waves, fast on the left and nearly constant on the right. Right: the products of all pairs of positions form a bright diagonal: near places are alike, and only the distance counts.",
)

# %% [markdown]
# The bands on the right run along the diagonal: the product of two encodings depends only on how far apart the places are. More than that: sine and cosine of one wavelength turn by the same
# angle with every step, so *one* matrix leads from each place to the place three further back, wherever it is. A head's $W^Q$ and $W^K$ can learn this matrix, and with it "three words back".
#
# ## One layer
#
# First the words look at each other; then each thinks for itself. What came in is added each time, so that no word loses itself, and the sum is brought back to mean 0 and variance 1.

# %%
from solutions.self_attention import encoder_block

# %% [markdown]
# That is a transformer. The network below is *only weights*: every operation is yours. Two layers, two heads, 32 numbers per word, trained before your eyes.

# %% tags=["demo"]
from tqdm.auto import tqdm

from course.data.sequences import exact
from course.models.transformer import context_transformer, load_context_transformer

torch.manual_seed(0)
reader = context_transformer()
steps = 20 if FAST else 400
optimizer = torch.optim.Adam(reader.parameters())
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps)
seen = set()
for step in tqdm(range(steps), desc="learning what words mean"):
    sentences, meanings = make_sentences(64, seed=1000 + step)
    seen.update(map(" ".join, sentences))
    batch = context_batch(sentences, meanings)
    logits, _ = reader(batch.inputs, encoder_block, positional_encoding, batch.mask)
    asked = batch.answers > 0
    loss = torch.nn.functional.cross_entropy(logits[asked], batch.answers[asked])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
if FAST:  # a few steps teach little: go on with one that has trained longer
    reader = load_context_transformer()

fresh = [pair for pair in zip(*make_sentences(1000, seed=9), strict=True) if " ".join(pair[0]) not in seen]
sentences, meanings = ([pair[side] for pair in fresh] for side in (0, 1))
batch = context_batch(sentences, meanings)
with torch.no_grad():
    logits, weights = reader(batch.inputs, encoder_block, positional_encoding, batch.mask)
share = exact(batch.answers, logits.argmax(-1)).float().mean()
print(f"every meaning right in {share:.1%} of {len(fresh)} sentences that it has never seen")

# %% [markdown]
# ## A word moves by its context
#
# Take *bank* out of all sentences, before the first layer and after each. Every point is the same word.

# %% tags=["demo"]
from course.show.self_attention import words_in_space

with torch.no_grad():
    states, _ = reader.states(batch.inputs, encoder_block, positional_encoding, batch.mask)
row, place = (batch.inputs == WORDS.encode(["bank"])[0]).nonzero(as_tuple=True)
senses = [meanings[int(r)][int(p)] for r, p in zip(row, place, strict=True)]
words_in_space(
    states[:, row, place],
    senses,
    titles=["before the first layer", "after layer 1", "after layer 2"],
    alt="The word bank in many sentences. Before the first layer both meanings lie on top of each other, spread only by position; after layer 1 they part; after layer 2 they are two groups far from each other.",
)

# %% [markdown]
# Before the first layer the points differ only by where the word stands. Two layers later there is no longer one *bank*: there are two. That is what **representation in context** means, and
# your functions did it.

# %% tags=["demo"]
from course.show.self_attention import attention_heads

sentence = [
    "mary",
    "saw",
    "the",
    "bank",
    "and",
    "the",
    "bat",
    "and",
    "later",
    "the",
    "river",
    "and",
    "the",
    "ball",
]


def understand(words):
    """Return what each ambiguous word of a sentence means, and all attention weights of it."""
    one = context_batch([words])
    with torch.no_grad():
        answer, looks = reader(one.inputs, encoder_block, positional_encoding, one.mask)
    return {
        place: WORDS.words[answer[0, place].argmax()] for place, word in enumerate(words) if word in SENSES
    }, looks[:, 0]


german, looks = understand(sentence)
print(" · ".join(f"{sentence[place]} = {word}" for place, word in german.items()))
attention_heads(
    looks,
    sentence,
    alt="Four attention matrices, two layers with two heads each, over a sentence of fourteen words with bank, bat, river and ball. Many words look at river and ball.",
)

# %% tags=["demo"]
from course.show.self_attention import context_widget

context_widget(
    understand,
    [
        " ".join(sentence),
        "mary saw the bank near the river",
        "mary saw the bank near the money",
        "mary saw the bank near the table",
        "because of the dog nobody remembers the bark and not the tree",
    ],
    WORDS.words,
)

# %% [markdown]
# Try *the bank near the table*: no cue at all. The network answers all the same. And try a sentence with *two* cues that disagree.
#
# ## Tasks that no word can solve alone
#
# Reverse a row of digits; sort it. Each place must find out which digit belongs to it. One network, two layers, four heads, trained on rows of two to twelve digits
# (`datasets/recipes/sequence_transformer.py`). And what does it do with longer rows?

# %% tags=["demo"]
from course.data.sequences import SYMBOLS, TASKS, make_sequences, sequence_batch
from course.models.transformer import load_sequence_transformer
from course.show.sequence_attention import accuracy_by_length

worker = load_sequence_transformer()


def solved(rows):
    """Say for each row whether the network answers it exactly."""
    with torch.no_grad():
        answer, _ = worker(rows.inputs, encoder_block, positional_encoding, rows.mask)
    return exact(rows.answers, answer.argmax(-1))


series = {}
for task in TASKS:
    rows = {
        n: make_sequences(50 if FAST else 300, seed=50 + n, lengths=(n, n), task=task) for n in range(2, 19)
    }
    right = {n: solved(batch) for n, batch in rows.items()}
    series[task] = (
        torch.cat([torch.full((len(r),), float(n)) for n, r in right.items()]),
        torch.cat(list(right.values())),
    )
    trained = torch.cat([right[n] for n in range(2, 13)]).float().mean()
    print(
        f"{task:>8}: {trained:.2%} exactly right at 2 to 12 digits, {right[13].float().mean():.0%} at 13, {right[16].float().mean():.0%} at 16"
    )
accuracy_by_length(
    series,
    trained=(2, 12),
    xlabel="digits in the row",
    bins=[n - 0.5 for n in range(2, 20)],
    alt="Share of rows exactly right over their length. Both tasks stay near 1 for two to twelve digits, the lengths of training, and fall steeply for longer rows.",
)

# %% [markdown]
# Perfect where it was trained, lost two digits further. It has not learnt *to reverse*; it has learnt *to reverse up to twelve*. Look at how:

# %% tags=["demo"]
digits = list("31415926")
task = sequence_batch("reverse", [digits])
with torch.no_grad():
    _, looks = worker(task.inputs, encoder_block, positional_encoding, task.mask)
attention_heads(
    looks[:, 0],
    [SYMBOLS.words[number].strip("<>") for number in task.inputs[0]],
    alt="Eight attention matrices of the network that reverses eight digits. Some heads show an antidiagonal: the first place looks at the last digit, the second at the last but one, and so on.",
)

# %% [markdown]
# Read it from below. In layer 2 the line falls from right to left: the first place looks at the last digit, the second at the last but one. But how does a place know where that is? In
# layer 1 many places look at the ends, and where the row ends tells how long it is. Two layers, two steps of a program that nobody wrote: so the maps suggest.
#
# ## Can we follow the looks?
#
# A matrix of the last layer tells which *positions* were read. But these hold mixtures by then. **Attention rollout** follows the looks down to the words, counting the residual
# connection as a look at oneself:
#
# $$A_l = \tfrac12 \overline{W}_l + \tfrac12 I \qquad \mathrm{rollout} = A_L \cdots A_2 A_1$$

# %%
from solutions.self_attention import attention_rollout

# %% [markdown]
# Which word told the network what *bank* means? Three answers; and, as the judge, an experiment: replace each other word by *table* and see how far the probability of the right meaning falls.

# %% tags=["demo"]
from course.show.self_attention import explanations_of_word


def fall_without(model, words, place, german):
    """For each word: how much less likely the meaning at `place` becomes when the word is replaced by "table"."""
    rows = [words] + [[*words[:j], "table", *words[j + 1 :]] for j in range(len(words))]
    many = context_batch(rows)
    with torch.no_grad():
        answer, _ = model(many.inputs, encoder_block, positional_encoding, many.mask)
    p = answer[:, place].softmax(-1)[:, WORDS.encode([german])[0]]
    return p[0] - p[1:]


german, looks = understand(sentence)
place = sentence.index("bank")
rows = {
    "first layer": looks[0].mean(0)[place],
    "last layer": looks[-1].mean(0)[place],
    "rollout": attention_rollout(looks)[place],
    "experiment": fall_without(reader, sentence, place, german[place]).index_fill(
        0, torch.tensor(place), 0.0
    ),
}


def in_words(amounts):
    """Which word an explanation names first, and how many others with it."""
    amounts = amounts[: len(sentence)].index_fill(0, torch.tensor(place), 0.0)
    more = int((amounts > amounts.max() / 4).sum()) - 1
    return f"{sentence[int(amounts.argmax())]} most, {more} other words at least a quarter as much"


told = "; ".join(f"{name}: {in_words(amounts)}" for name, amounts in rows.items())
explanations_of_word(
    sentence,
    rows,
    marked=place,
    alt=f"Four explanations of the meaning of bank in one sentence, a row each. Apart from bank itself, {told}.",
)

# %% [markdown]
# One sentence proves nothing. Over many: how often is the strongest word (other than the ambiguous one itself) really the cue?

# %% tags=["demo"]
cues = {
    cue: (word, german)
    for word, senses in SENSES.items()
    for german, words in senses.items()
    for cue in words
}
rolled = attention_rollout(weights)
hits = {name: [] for name in ("first layer", "last layer", "rollout", "experiment")}
for i, words in enumerate(sentences[: 60 if FAST else 300]):
    for place, german in meanings[i].items():
        told_by = [j for j, word in enumerate(words) if cues.get(word) == (words[place], german)]
        if not told_by:
            continue
        found = {
            "first layer": weights[0, i].mean(0)[place],
            "last layer": weights[-1, i].mean(0)[place],
            "rollout": rolled[i, place],
            "experiment": fall_without(reader, words, place, german),
        }
        for name, amounts in found.items():
            others = amounts[: len(words)].index_fill(0, torch.tensor(place), -1.0)
            hits[name].append(int(others.argmax()) in told_by)
for name, found in hits.items():
    print(f"{name:>12}: names the cue in {sum(found) / len(found):.0%} of {len(found)} cases")

# %% [markdown]
# Following the looks through both layers names the cue more often than any single layer. That is the good news. How often depends on the training: begun from other
# random weights, the network reads as well, and rollout names the cue in 60 to 90 % of the cases.
#
# ## What a look still does not tell you
#
# We blind the network: all **values** are set to zero. Words still look at each other, but nothing is handed over. Its answers can no longer depend on any other word.

# %% tags=["demo"]
import copy

blind = copy.deepcopy(reader)
with torch.no_grad():
    for block in blind.blocks:
        block["wv"].zero_()
    one = context_batch([sentence])
    _, blind_looks = blind(one.inputs, encoder_block, positional_encoding, one.mask)
place = sentence.index("bank")
river = sentence.index("river")
german = understand(sentence)[0][place]
for name, model, seen in (("seeing", reader, looks), ("blind", blind, blind_looks[:, 0])):
    share = attention_rollout(seen)[place, river]
    fall = fall_without(model, sentence, place, german)[river]
    print(
        f"{name:>7} network: rollout says {share:.2f} of “bank” comes from “river”; without “river” its meaning loses {fall:.3f}"
    )

# %% [markdown]
# In the blind network *nothing* of "bank" comes from "river", and rollout still reports a share. It knows the weights, and neither the values nor the layers in between.
#
# So attention weights and their rollout
#
# - say where was **looked**; what was **handed over** is in the values, and whether it **mattered** is decided further up;
# - are the same for every class: rollout cannot say what spoke *for* and what *against*;
# - always give the word itself at least $2^{-L}$, by construction, whether it matters or not;
# - are a hypothesis. The experiment, changing the input, is the test.

# %% [markdown] question="two-maps" points=3 minutes=10
# Two networks give the same answers to all inputs, but their attention maps are quite different. Can both maps be explanations? Say what an attention map explains, and what it does
# not, with an example of how two such networks can come about.

# %% [markdown]
# ## Further reading
#
# - Vaswani et al. (2017): *Attention is all you need.* Sections 3.1 to 3.5 are this chapter.
# - Abnar & Zuidema (2020): *Quantifying attention flow in transformers.* Rollout, and its sister, flow.
# - Clark et al. (2019): *What does BERT look at?* Heads that learnt grammar.
# - Serrano & Smith (2019): *Is attention interpretable?* Striking weights out, as we struck words out.
# - Chefer, Gur & Wolf (2021): *Transformer interpretability beyond attention visualization.* Relevance propagation (chapter 6) for transformers.
# - Delétang et al. (2023): *Neural networks and the Chomsky hierarchy.* Why longer rows are hard.
