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
# # Chapter 12 · Attention in sequence models
#
# **Where does a network look while it translates, describes or listens — and may we take the look for the reason?**
#
# You translate a long sentence. You do not learn it by heart first: you look back, word by word, at what you are translating. For years networks had to learn it
# by heart. Then they were allowed to look back. They became better at once, and by the way they began to *show what they were doing*.
#
# In this chapter you build that look, once, and use it three times: on **words**, on a **picture** and on **sound**.

# %% [markdown]
# ## One vector for a whole sentence
#
# Our language is small, so that everything trains on your computer: dates as people say them, to be written as machines want them.

# %%
import torch

from course.data.dates import SOURCE, TARGET, make_dates
from course.data.vocabulary import END, START
from course.settings import FAST

for pair in make_dates(5, seed=1, dates=(1, 1, 2)):
    print(f"{' '.join(pair.words)}\n    → {pair.iso}")

# %% [markdown]
# The year may come last and must be written first; *may* is a month, *second* is a day; the weekday is of no use at all. One date in ten is **held out**:
# no training sentence contains it, in any wording.
#
# An **encoder** reads the sentence $x_1 \dots x_n$ in both directions and leaves an *annotation* $h_j$ at every word. A **decoder** with state $s_t$ writes one symbol
# after the other:
#
# $$p(y_t \mid y_1 \dots y_{t-1}, x) = \mathrm{softmax}\big(g(s_t,\, c_t,\, y_{t-1})\big)$$
#
# The question is what it knows of the sentence while it writes: the *context* $c_t$. Before 2014 it was the same vector at every step, a summary of the whole.

# %% [markdown]
# ## Look back
#
# Bahdanau, Cho and Bengio let the decoder ask anew before every symbol: which words fit what I am about to write?
#
# $$e_{tj} = v^\top \tanh(W s_{t-1} + U h_j) \qquad \alpha_{tj} = \frac{\exp e_{tj}}{\sum_k \exp e_{tk}} \qquad c_t = \sum_j \alpha_{tj}\, h_j$$
#
# This is the smooth argmax of chapter 10 with a small network as the measure of fit. First the scores.

# %%
from solutions.sequence_attention import additive_scores

# %% [markdown]
# Try it on a decoder that has learnt nothing: its state, five annotations, one score each. The same state asks all five; change it, and the scores change.

# %%
generator = torch.Generator().manual_seed(0)
annotations = torch.randn(5, 6, generator=generator)
W, U, v = (torch.randn(*size, generator=generator) for size in ((8, 4), (8, 6), (8,)))
for state in torch.randn(2, 4, generator=generator):
    print("  ".join(f"{score:6.2f}" for score in additive_scores(state, annotations, W, U, v)))

# %% [markdown]
# Then the look itself. Sentences of a batch have different lengths; the shorter ones are filled up with padding, and nobody should look at that.

# %%
from solutions.sequence_attention import attend_source

# %% [markdown]
# ## Learn
#
# The network learns from the right translations: at each place, how likely did it find the right symbol? Here, too, padding must not count.

# %%
from solutions.sequence_attention import translation_loss

# %% [markdown]
# That is all that training needs. The network in `course.models.translation` has the recurrent cells and the matrices; **how it attends is your function**.
# It starts from nothing and sees sentences with one date.

# %% tags=["demo"]
from tqdm.auto import tqdm

from course.models.translation import date_translator

torch.manual_seed(1)
beginner = date_translator()
steps = 60 if FAST else 300
optimizer = torch.optim.Adam(beginner.parameters())
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=8e-3, total_steps=steps)
losses = []
for step in tqdm(range(steps), desc="learning dates"):
    pairs = make_dates(64, seed=step)
    tokens = TARGET.batch([pair.symbols for pair in pairs], end=True)
    logits, _ = beginner(SOURCE.batch([pair.words for pair in pairs]), tokens, attend_source)
    loss = translation_loss(logits, tokens)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(beginner.parameters(), 1.0)
    optimizer.step()
    schedule.step()
    losses.append(loss.item())
print(f"price per symbol: {losses[0]:.2f} at first, {losses[-1]:.4f} now")

# %% [markdown]
# ## Write
#
# In training a teacher gave the right previous symbol. Now the network is on its own: it hears only what it has said itself.

# %%
from solutions.sequence_attention import greedy_decode


# %%
def translate(model, sentences):
    """Translate sentences (lists of words): the symbols and where each looked."""
    with torch.no_grad():
        encoded = model.encode(SOURCE.batch(sentences))
        start = torch.full((len(sentences),), START)
        tokens, alignment = greedy_decode(
            model.stepper(encoded, attend_source), encoded.state, start, END, 48
        )
    return [TARGET.decode(row) for row in tokens], alignment


def share_right(model, pairs):
    """Say for each pair whether the translation is right, symbol by symbol."""
    written, _ = translate(model, [pair.words for pair in pairs])
    return torch.tensor([symbols == pair.symbols for symbols, pair in zip(written, pairs, strict=True)])


# %% tags=["demo"]
held_out = make_dates(500, seed=77, held_out=True)
share = share_right(beginner, held_out).float().mean()
print(f"your network, {steps} steps old: {share:.1%} of 500 held-out dates exactly right")
if share < 0.5:
    print("So few steps are not enough yet. The network below has trained longer.")

# %% [markdown]
# ## What the lecture shows: the alignment
#
# Which words did it look at for each symbol? Rows are written from top to bottom. Nobody ever told it which word means which digit.
# (This is a network that has trained longer, on sentences with one to three dates: `datasets/recipes/date_translator.py`.)

# %% tags=["demo"]
from course.models.translation import load_date_translator
from course.show.sequence_attention import alignment_matrices

translator = load_date_translator()
examples = [
    "on tuesday the third of may nineteen eighty four",
    "in nineteen eighty four on the third of may",
    "twenty seventeen october thirty first",
]
sentences = [example.split() for example in examples]
written, alignment = translate(translator, sentences)
alignment_matrices(
    list(alignment),
    sentences,
    written,
    titles=["".join(symbols) for symbols in written],
    alt="Three alignment matrices. In the first two, the digits of the year look at the words of the year, wherever these stand in the sentence; then the month, then the day. In the third, the 0 of 2017 and the first digit of the month look at other words.",
)

# %% [markdown]
# The year is written first, so the look jumps to the end of the first sentence, then to the month, then back to the day. In the second sentence the same
# words stand elsewhere, and the look follows them. *eighty* is looked at for the 8, *four* for the 4; *tuesday* is ignored.
#
# The third is less tidy: for the 0 of 2017 the network looks at *thirty*, and for the first digit of the month at *twenty*, and both are right all the same. Keep that in
# mind until the end of the chapter.

# %% tags=["demo"]
from course.show.sequence_attention import translation_widget


def translate_one(words):
    """Return one sentence's symbols and alignment."""
    symbols, looks = translate(translator, [words])
    return symbols[0], looks[0]


translation_widget(
    translate_one,
    [*examples, "from may second two thousand and six to may the second twenty sixteen"],
    SOURCE.words,
)

# %% [markdown]
# ## What attention is good for: long sentences
#
# A second network is equal in everything, but its context is one vector for the whole sentence. Both saw the same sentences with one, two or three dates.

# %% tags=["demo"]
from course.show.sequence_attention import accuracy_by_length

forgetful = load_date_translator(attends=False)
tests = {n: make_dates(40 if FAST else 250, seed=78 + n, dates=n, held_out=True) for n in (1, 2, 3, 4)}
known = tests[1] + tests[2] + tests[3]


def by_length(model, pairs):
    """Return the number of words of each sentence, and whether it was translated exactly."""
    return torch.tensor([float(len(pair.words)) for pair in pairs]), share_right(model, pairs)


found = {
    n: [share_right(model, pairs).float().mean() for model in (translator, forgetful)]
    for n, pairs in tests.items()
}
told = "; ".join(f"of {n} in a sentence {a:.0%} with it, {b:.0%} without" for n, (a, b) in found.items())
accuracy_by_length(
    {
        "with attention": by_length(translator, known),
        "one vector for all": by_length(forgetful, known),
        "with attention, four dates": by_length(translator, tests[4]),
    },
    trained=(4, 42),
    bins=12,
    alt=f"Share of exactly right translations over sentence length, with attention and with one vector. Dates right: {told}.",
)
for n, (with_attention, without) in found.items():
    print(f"{n} in a sentence: {with_attention:6.1%} with attention, {without:6.1%} without")

# %% [markdown]
# One vector is enough for one date and too little for two. With attention three dates are as easy as one. **But look at four**, a number that neither has seen:
# the network writes three dates all the same. The first is right, the last is right, and the one between is a mixture of two. Being able to look everywhere is not the same as
# having understood the task.
#
# Real sentences? `course.data.download.fetch("multi30k")` brings 30,000 captions in English and German, and the same code reads them.

# %%
from course.data import DataError
from course.data.parallel import load_parallel, vocabulary_of

try:
    corpus = load_parallel("train", "en", "de")
    english = vocabulary_of(pair.source for pair in corpus)
    print(f"{len(corpus):,} pairs, {len(english):,} English words. The first one: {corpus[0]}")
except DataError as missing:
    print(missing)

# %% [markdown]
# ## Look at a picture
#
# Nothing in your function says that it looks at *words*. Let a small convolutional network turn a picture into 10 × 10 places with features $h_p$, let a recurrent network
# say one word after the other, and let it look at the places each time: *Show, attend and tell* (Xu et al. 2015).
#
# $$\alpha_t = \mathrm{softmax}_p\; v^\top \tanh(W s_{t-1} + U h_p) \qquad c_t = \sum_p \alpha_{tp}\, h_p$$

# %%
from solutions.sequence_attention import spatial_attention

# %% [markdown]
# A speaker may be tempted to look at one spot for the whole sentence. The paper adds a price for places that nobody looked at:
#
# $$\lambda \sum_p \Big(1 - \sum_t \alpha_{tp}\Big)^2$$
#
# *Doubly stochastic* because the weights should now sum to one in two directions: over the places, which the softmax sees to, and over the steps, which nothing enforces.

# %%
from solutions.sequence_attention import doubly_stochastic_penalty

# %% tags=["demo"]
from course.data.captions import NAMED, WORDS, make_scenes
from course.models.captioner import load_captioner
from course.show.sequence_attention import looks_over_picture

speaker = load_captioner()
scenes = make_scenes(60 if FAST else 300, seed=5)


def describe(images):
    """Describe pictures (batch, 3, 40, 40): words, and weights over places for each word."""
    with torch.no_grad():
        features, state = speaker.encode(images)
        step = speaker.stepper(features, spatial_attention)
        height, width = features.shape[-2:]

        def flat_step(token, state):
            logits, state, weights = step(token, state)
            return logits, state, weights.flatten(-2)

        tokens, looks = greedy_decode(flat_step, state, torch.full((len(images),), START), END, 12)
    return [WORDS.decode(row) for row in tokens], looks.unflatten(-1, (height, width))


said, looks = describe(scenes.images)
looks_over_picture(
    scenes.images[3],
    said[3],
    looks[3],
    scenes.boxes[3],
    NAMED,
    alt=f"A scene, and the same scene once per word of its caption, “{' '.join(said[3])}”, lit where the speaker looked. Colour and shape words light up the framed thing they name.",
)

# %% [markdown]
# A white frame marks the thing that is being named. Does the look land on it in general? We count, for colour and shape words, whether the *peak* lies on the thing's box,
# and what blind looking would score.


# %% tags=["demo"]
def peak_on_box(weights, boxes, cell=4):
    """Say for each row whether the place with the largest weight overlaps the box (top, left, bottom, right in pixels)."""
    cols = weights.shape[-1]
    peak = weights.flatten(1).argmax(-1)
    top, left = peak // cols * cell, peak % cols * cell
    return (
        (top < boxes[:, 2]) & (top + cell > boxes[:, 0]) & (left < boxes[:, 3]) & (left + cell > boxes[:, 1])
    )


right = torch.tensor([words == caption for words, caption in zip(said, scenes.captions, strict=True)])
print(f"captions exactly right: {right.float().mean():.1%}")
every_place = torch.eye(100).view(100, 1, 10, 10)
for place, name in {
    2: "colour of the big thing",
    3: "shape of the big thing",
    7: "colour of the small thing",
    8: "shape of the small thing",
}.items():
    boxes = scenes.boxes[:, NAMED[place]]
    hit = peak_on_box(looks[:, place], boxes).float().mean()
    blind = (
        torch.stack([peak_on_box(spot.expand(len(boxes), -1, -1), boxes) for spot in every_place])
        .float()
        .mean()
    )
    print(f"{name:>25}: peak on it {hit:6.1%}   (blind: {blind:.1%})")
print(
    f"penalty per picture: {doubly_stochastic_penalty(looks):.0f}; it cannot reach 0, with 10 looks for 100 places"
)

# %% tags=["demo"]
from course.show.sequence_attention import caption_widget


def describe_one(image):
    """Return one picture's words and looks."""
    words, weights = describe(image[None])
    return words[0], weights[0]


caption_widget(scenes.images[:20], describe_one)

# %% [markdown]
# ## Listen
#
# *Listen, attend and spell* (Chan et al. 2015) hears a spectrogram and spells letters. Speech has a hundred frames a second and perhaps twelve letters: far too many
# places to look at. So the listener is a **pyramid**: each layer puts two neighbouring frames side by side, and time is halved.

# %%
from solutions.sequence_attention import pyramid

# %% [markdown]
# Our speech is a language of notes, sung by changing voices at changing speed over noise. Play it.

# %% tags=["demo"]
from course.data.tones import NOTES, RATE, batch_spectrograms, make_utterances
from course.models.listener import load_listener
from course.show.sequence_attention import looks_along_sound, play

listener = load_listener()
utterances = make_utterances(60 if FAST else 300, seed=6)
play(utterances[0].sound, RATE)


# %% tags=["demo"]
def listen(utterances):
    """Spell what was sung: letters, and where in time each was heard."""
    with torch.no_grad():
        frames, lengths = batch_spectrograms(utterances)
        heard = listener.listen(frames, lengths, pyramid)
        start = torch.full((len(utterances),), START)
        tokens, alignment = greedy_decode(
            listener.stepper(heard, attend_source), listener.first_state(heard), start, END, 16
        )
    return [NOTES.decode(row) for row in tokens], alignment, frames, lengths


letters, heard_at, frames, lengths = listen(utterances)
right = torch.tensor([word == utterance.notes for word, utterance in zip(letters, utterances, strict=True)])
print(f"words spelt exactly right: {right.float().mean():.1%}")
looks_along_sound(
    frames[0, : lengths[0]],
    heard_at[0],
    [*letters[0], "end"],
    frames_per_place=4,
    alt=f"Above, a spectrogram with {len(letters[0])} notes; below, for each letter of “{' '.join(letters[0])}”, where the speller listened: one light spot per note, going down to the right like stairs.",
)

# %% [markdown]
# The stairs only ever go down: sounds come in the order of their letters. Nothing in the network enforces that; it may look anywhere, and it has learnt not to.
#
# Look twice: most of the spots lie in the *pause before* their note. The listener reads in both directions, so the annotation of the pause has already heard what follows. A look
# points at an annotation, and an annotation knows more than its place.
#
# How often does the look step back?

# %%
from solutions.sequence_attention import monotonicity

# %% tags=["demo"]
_, date_alignment = translate(translator, [pair.words for pair in held_out])
print(
    f"steps that do not go back:  speech {monotonicity(heard_at).mean():.1%}   dates {monotonicity(date_alignment).mean():.1%}"
)

# %% [markdown]
# Order is a property of the task: speech is monotone, a date is not. One and the same mechanism finds out which.

# %% [markdown]
# ## What a look does not tell you
#
# Every symbol comes with a look. Is the look the *reason* for the symbol? We can ask the network: strike out the word that was looked at most, and see how much less
# likely the symbol becomes.


# %% tags=["demo"]
def loss_of_the_peak(pair):
    """For each symbol of a pair: its largest weight, and how much its probability falls without that word."""
    rows = [pair.words] + [pair.words[:j] + pair.words[j + 1 :] for j in range(len(pair.words))]
    tokens = TARGET.batch([pair.symbols] * len(rows), end=True)
    with torch.no_grad():
        logits, alignment = translator(SOURCE.batch(rows), tokens, attend_source)
    p = logits.softmax(-1).gather(-1, tokens[..., None])[..., 0]
    weight, peak = alignment[0].max(-1)
    return weight, p[0] - p.gather(0, peak[None] + 1)[0]


found = [torch.stack(loss_of_the_peak(pair)) for pair in held_out[: 20 if FAST else 100]]
weight, fall = torch.stack(found).mean(0)
for name, places in {"year": [0, 1, 2, 3], "month": [5, 6], "day": [8, 9], "the dashes": [4, 7]}.items():
    print(
        f"{name:>10}: largest weight {weight[places].mean():.2f}, probability falls by {fall[places].mean():.3f} without that word"
    )

# %% [markdown]
# For digits the look is honest on the whole: take the word away, and more than half of the digit's probability goes with it. For a **dash** the network looks at a word, too, with nearly half of its
# attention, and *nothing happens* when that word disappears. The softmax must give its weight to somebody, also when nothing is needed. The map looks the same in both cases.
#
# So a matrix of attention weights
#
# - says where the network **read**, not what it **used**;
# - says nothing about a word that needs no reading: *a*, *small* and the dash get a look all the same;
# - points at a *place*. The annotation there has heard the whole sentence, and a place in a picture has seen its neighbours;
# - does not say what would have happened **otherwise**. For that, change the input and try.

# %% [markdown] question="look-or-reason" points=3 minutes=8
# A hospital's captioner writes "fracture of the left wrist" under an X-ray. For the word *fracture* its attention peaks on the wrist. The maker says: "It saw the fracture." What does
# the map really show? Describe one experiment with the picture that could prove the maker wrong.

# %% [markdown]
# ## Further reading
#
# - Bahdanau, Cho & Bengio (2015): *Neural machine translation by jointly learning to align and translate.* Figures 2 and 3 are the ones you have just made.
# - Cho et al. (2014): *Learning phrase representations using RNN encoder–decoder.* The same without looking back.
# - Xu et al. (2015): *Show, attend and tell.* With many pictures, also of mistakes that the look explains.
# - Chan, Jaitly, Le & Vinyals (2015): *Listen, attend and spell.*
# - Jain & Wallace (2019): *Attention is not explanation*; Wiegreffe & Pinter (2019): *Attention is not not explanation.* Read both.
# - Elliott et al. (2016): *Multi30k: multilingual English–German image descriptions.*
