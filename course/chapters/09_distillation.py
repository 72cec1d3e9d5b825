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
# # Chapter 9 · Distillation
#
# **Can a model that I can read give the same answers?**
#
# You have a network that works, and that nobody understands. Chapter 8 made *the network* simpler. This chapter leaves it as it is and asks it
# questions; its answers teach **another model**, one that is small enough to run anywhere, or plain enough to read. That model may be a small network, a
# tree, or, for words and sentences, an automaton.

# %%
import torch

from course.data.digits import load_digits
from course.models.digits import load_digits_cnn
from course.settings import FAST

digits, network = load_digits(), load_digits_cnn()
with torch.no_grad():
    teacher, teacher_unseen = network(digits.train_images), network(digits.test_images)
right = (teacher_unseen.argmax(dim=1) == digits.test_labels).float().mean()
print(f"the teacher, a network with 93,418 weights, reads {right:.1%} of 1,000 unseen digits")

# %% [markdown]
# ## What a teacher knows that the labels do not say
#
# The label of an image says "3". The network's answer says "3; and if it were not, then rather a 5 or a 9 than a 6". Hinton calls that *dark
# knowledge*: it is there, but hidden, because the softmax rounds everything but the winner down to nearly 0. Divide the logits
# by a **temperature** before the softmax, and it comes to light:
#
# $$p_k = \frac{e^{z_k/T}}{\sum_j e^{z_j/T}}$$

# %%
from solutions.distillation import soft_targets

# %% tags=["demo"]
from ipywidgets import FloatLogSlider, IntSlider

from course.show.distillation import answer_bars
from course.show.explore import explore


def draw(image, temperature):
    answer = soft_targets(teacher_unseen[image], temperature)
    first, second = answer.topk(2).indices.tolist()
    answer_bars(
        digits.test_images[image],
        {"T = 1": soft_targets(teacher_unseen[image], 1.0), f"T = {temperature:.1f}": answer},
        alt=f"A digit and the network's answer. At T = {temperature:.1f}: {first} with {answer[first]:.0%}, then {second} with {answer[second]:.0%}.",
    )


explore(
    draw,
    image=IntSlider(158, min=0, max=999, description="digit", continuous_update=False),
    temperature=FloatLogSlider(
        4.0, min=-0.5, max=2, step=0.05, description="temperature", continuous_update=False
    ),
)

# %% [markdown]
# ## A small network learns from a large one
#
# The student learns two things at once: to answer softly like its teacher, and to be right.
#
# $$L = \alpha\,T^2\,\mathrm{KL}(p \,\Vert\, q) + (1-\alpha)\,\mathrm{CE}(\text{labels}, \operatorname{softmax}(\text{student})),\qquad
# p = \operatorname{softmax}(\text{teacher}/T),\quad q = \operatorname{softmax}(\text{student}/T)$$

# %%
from solutions.distillation import distillation_loss

# %% [markdown]
# Why $T^2$? Make a student that is hardly better than chance, and see how strongly the soft term pulls at its answers:

# %%
draft = 0.1 * torch.randn(4000, 10, generator=torch.Generator().manual_seed(0))
for temperature in (1.0, 4.0, 16.0):
    answers = draft.clone().requires_grad_()
    distillation_loss(answers, teacher, digits.train_labels, temperature, 1.0).backward()
    pull = answers.grad.norm()
    print(
        f"T = {temperature:4.1f}: the gradient's length is {pull:.4f} with T², {pull / temperature**2:.6f} without"
    )

# %% [markdown]
# With $T^2$ it stays in the same order of magnitude, and one $\alpha$ fits all temperatures.

# %% [markdown]
# One hidden layer of 30 cells, and only 400 images to learn from. Three lessons: with labels alone; with the teacher's answers to the same
# 400 images; and with the teacher's answers to 3,600 images more, **for which nobody has a label**.

# %%
from solutions.distillation import train_student  # given

# %%
from tqdm.auto import tqdm

from course.models.simpler import dense_network

SEEDS = range(1 if FAST else 5)
LESSONS = {
    "400 labels": (400, 1.0, 0.0, 150),
    "the teacher's answers to these 400": (400, 2.0, 1.0, 150),
    "its answers to 4,000, no label at all": (4000, 4.0, 1.0, 10 if FAST else 30),
}


def lesson(images, temperature, alpha, epochs, seed):
    """The share of unseen digits that a student reads after this lesson."""
    generator = torch.Generator().manual_seed(seed)
    student = dense_network([784, 30, 10], generator)
    x, labels = digits.train_images[:images], digits.train_labels[:images]
    train_student(student, x, teacher[:images], labels, temperature, alpha, epochs, generator)
    with torch.no_grad():
        return float((student(digits.test_images).argmax(dim=1) == digits.test_labels).float().mean())


results = {name: [lesson(*how, seed) for seed in SEEDS] for name, how in tqdm(LESSONS.items(), disable=None)}
for name, shares in results.items():
    print(f"{name:>38}: {sum(shares) / len(shares):.1%} (from {min(shares):.1%} to {max(shares):.1%})")

# %% [markdown]
# The same images teach more when a teacher answers. And a teacher never tires: it answers any image that you can find.
# (It has seen the labels of all 4,000. Something had to know them.)

# %% [markdown]
# ## A class that the student never saw
#
# The strangest experiment of Hinton's paper. Take **every 3 out of the lesson**. The student never sees one; all it hears of the 3 is that some 8s and
# 5s have a bit of it.

# %%
others = digits.train_labels != 3
generator = torch.Generator().manual_seed(0)
student = dense_network([784, 100, 10], generator)
train_student(
    student,
    digits.train_images[others],
    teacher[others],
    digits.train_labels[others],
    8.0,
    1.0,
    10 if FAST else 30,
    generator,
)

with torch.no_grad():
    said, said_in_training = student(digits.test_images), student(digits.train_images)
threes = digits.test_labels == 3
print(f"of the unseen 3s it reads {(said[threes].argmax(dim=1) == 3).float().mean():.0%}")

# %% [markdown]
# It has hardly ever heard "3" from its teacher, so it is shy of saying it: the class's *bias* is far too low. But one bias is one number. How
# large should it be? So large that "3" comes as often as 3s do: one time in ten.

# %%
from solutions.distillation import bias_for_share

# %%
raised = said.clone()
raised[:, 3] += bias_for_share(said_in_training, 3, 0.1)
print(f"with the bias raised it reads {(raised[threes].argmax(dim=1) == 3).float().mean():.0%} of the 3s,")
print(f"and {(raised.argmax(dim=1) == digits.test_labels).float().mean():.1%} of all digits")

# %% [markdown]
# More than four in five, of a digit that it has never met. All of that was in what the teacher says about *other* digits.

# %% [markdown]
# ## Does the student say the same?
#
# A student can be right where its teacher is wrong. For an explanation that is no merit: it should say what *the teacher* says. That is called
# **fidelity**, and it is something else than accuracy.

# %%
from solutions.distillation import fidelity

# %% [markdown]
# ## A tree of questions
#
# A small network is still a network. A **decision tree** can be read by everybody: it asks about one pixel after the other. We let it learn
# the network's answers.

# %%
from solutions.distillation import distill_tree

# %%
from course.show.distillation import tree_of_questions

tree = distill_tree(network, digits.train_images, 3)
tree_of_questions(
    tree,
    digits.test_images,
    alt="A tree of depth three. Each node shows the mean of the digits that come there, and a frame around the pixel that it asks about. The "
    "eight leaves look like blurred digits and answer 7, 1, 4, 9, 2, 6, 0 and 8; between 35 and 69 per cent of the digits there agree.",
)

# %% [markdown]
# Read it from the top: *is there ink in the frame? If so, go right.* Three questions, and you know why. Only: is it any good?

# %%
from sklearn.tree import DecisionTreeClassifier


def votes(tree):
    """The tree's votes for the ten classes, on the unseen digits."""
    rows = digits.test_images.flatten(1).numpy()
    answers = torch.zeros(len(rows), 10)
    answers[:, tree.classes_] = torch.from_numpy(tree.predict_proba(rows)).float()
    return answers


def grade(name, answers):
    """One line: how often it is right, how often it says what the network says."""
    right = (answers.argmax(dim=1) == digits.test_labels).float().mean()
    print(f"{name:>44}: right {right:.1%}, fidelity {fidelity(answers, teacher_unseen):.1%}")


pixels, held_out = digits.train_images.flatten(1), digits.test_images.flatten(1)
for depth in (3, 8) if FAST else (3, 5, 8):
    grade(
        f"depth {depth}, network's answers to 4,000", votes(distill_tree(network, digits.train_images, depth))
    )
few = DecisionTreeClassifier(max_depth=8, random_state=0).fit(
    pixels[:400].numpy(), digits.train_labels[:400].numpy()
)
full = DecisionTreeClassifier(max_depth=8, random_state=0).fit(pixels.numpy(), digits.train_labels.numpy())
grade("depth 8, 400 labels, without the network", votes(few))
grade("depth 8, 4,000 labels, without the network", votes(full))

# %% [markdown]
# Two honest findings. With few labels a network helps a tree a lot, because it answers where nobody has a label. But a tree that has *all* the labels is as
# good without the network: the network knows its training images by heart, so there its answers *are* the labels. And single pixels are poor questions.

# %% [markdown]
# ## A soft tree, whose questions are pictures
#
# Frosst and Hinton let each node ask about *all* pixels, with a filter $w_i$, and answer softly:
#
# $$p_i(x) = \sigma(x^\top w_i + b_i)\quad\text{is the probability of turning right}$$
#
# The chance to end in a leaf is the product of the turns on the way.

# %%
from solutions.distillation import path_probabilities

# %% [markdown]
# Each leaf has one fixed answer, a distribution $Q^\ell$ over the classes. The tree's answer is their mixture:
#
# $$p(k\,|\,x) = \sum_\ell P^\ell(x)\,Q^\ell_k$$

# %%
from solutions.distillation import soft_tree_probabilities

# %% [markdown]
# Everything is smooth, so it is trained like a network, on the teacher's soft targets.

# %%
from solutions.distillation import soft_tree_loss  # given

# %%
from solutions.distillation import train_soft_tree  # given

# %%
w, b, leaves = train_soft_tree(
    pixels, soft_targets(teacher, 3.0), 4, 8 if FAST else 20, torch.Generator().manual_seed(0)
)
untrained = torch.zeros_like(w), torch.zeros_like(b), torch.zeros_like(leaves)
print(f"loss before: {soft_tree_loss(pixels, *untrained, soft_targets(teacher, 3.0), 0.1):.2f}")
print(f"loss after:  {soft_tree_loss(pixels, w, b, leaves, soft_targets(teacher, 3.0), 0.1):.2f}")
grade("soft tree of depth 4, network's answers", soft_tree_probabilities(held_out, w, b, leaves))

# %%
from course.show.distillation import tree_of_filters

one = 46
tree_of_filters(
    w,
    leaves,
    side=28,
    paths=path_probabilities(held_out[one : one + 1], w, b)[0],
    image=held_out[one],
    alt="A tree of depth four. Fifteen filters in red and blue, sixteen leaves with one or two favourite digits each. A digit stands in the "
    "upper left; thick lines show its way from the root to its leaf.",
)
print(f"the digit is a {digits.test_labels[one]}, the network says {teacher_unseen[one].argmax()}")

# %% [markdown]
# Ink on red sends a digit right, ink on blue left. With four such questions the tree says what the network says nearly nine times out of ten.
# The thick line is the *whole* explanation of one decision: four pictures. (The bars in a leaf are its answer, for the classes 0 to 9.)
#
# (On all 4,000 labels the same soft tree does as well without the network: 88.8 % right, against 88.3 %, means of five runs. It is the same story as before:
# a teacher helps where labels are few, and its tree explains *the teacher* only as far as the fidelity goes.)

# %% [markdown]
# ## From words to automata
#
# Now the network reads words. Trees do not help there: words have no fixed length. The readable model for words is an **automaton**.
# A *weighted* one gives every word a number, for example the probability that somebody writes it:
#
# $$f(w_1 \dots w_k) = \alpha_0^\top A_{w_1} A_{w_2} \cdots A_{w_k}\, \alpha_\infty$$
#
# $\alpha_0$ says where it begins, $\alpha_\infty$ how ready each state is to end, and each letter has a matrix of steps. This is the lecture's:

# %%
from course.data.strings import all_words, lecture_automaton, spelled
from course.show.distillation import automaton_graph

lecture = lecture_automaton()
automaton_graph(
    lecture,
    alt="Two states. It begins in q0, which reads a and stays with 0.5, or goes to q1 by a 0.17 or b 0.33. From q1, b 0.25 leads back, "
    "a 0.25 and b 0.25 stay, and the word ends with 0.25.",
)

# %%
from solutions.automata import word_value

# %%
for word in [(), (0,), (1,), (0, 1), (1, 1, 0)]:
    print(f"f({spelled(word)}) = {word_value(lecture, word):.4f}")
print(
    f"all words up to length 12 together: {sum(word_value(lecture, word) for word in all_words(2, 12)):.3f}"
)

# %% [markdown]
# ## Could you guess the automaton from its values?
#
# Suppose you may only ask: *what is the value of abba?* Write the answers into a table, with a row for every beginning of a word and a column for
# every ending. That is the **Hankel matrix**. One more table per letter has that letter in between.

# %%
from solutions.automata import hankel_blocks

# %%
from course.show.distillation import hankel_table, singular_values

words = all_words(2, 2)
blocks = hankel_blocks(lambda word: word_value(lecture, word), words, words, 2)
hankel_table(
    blocks[0],
    words,
    words,
    title="H[prefix, suffix] = f(prefix suffix)",
    alt="A table of seven prefixes and seven suffixes with the values of the words that they make, from 0 for the empty word to 0.083 for b.",
)

# %%
singular_values(
    torch.linalg.svdvals(blocks[0]).clamp(min=1e-20),
    marked=2,
    alt="Seven singular values. Two are large; the other five are a million billion times smaller, that is, zero.",
)

# %% [markdown]
# Forty-nine numbers, but only rank two. That is no accident but a theorem: **the rank of the Hankel matrix** (of the whole one, with all words, of which
# this is a corner) **is the number of states** of the smallest automaton. And the singular vectors are all you need to build it:
#
# $$H \approx U D V^\top,\qquad F = HV,\qquad \alpha_0^\top = h_S^\top V,\qquad \alpha_\infty = F^{+} h_P,\qquad A_a = F^{+} H_a V$$

# %%
from solutions.automata import spectral_automaton

# %%
found = spectral_automaton(blocks, 2)
gaps = [abs(word_value(found, word) - word_value(lecture, word)) for word in all_words(2, 8)]
print(f"largest error on all {len(gaps)} words up to length 8: {max(gaps):.1e}")

# %%
begins, ends = (" and ".join(f"{weight:.2f}" for weight in part) for part in found[:2])
automaton_graph(
    found,
    alt=f"Two states, all arrows changed: initial weights {begins}, final weights {ends}, negative weights between.",
)

# %% [markdown]
# Every word has the right value. But is that an explanation? Negative weights in all places; nobody can read this.
#
# ## The same automaton in other words
#
# A state is a place in a space, and the singular vectors chose its axes. We may choose others, with any invertible matrix $Q$ whose
# rows are the new states:

# %%
from solutions.automata import change_basis

# %%
turned = change_basis(found, torch.tensor([[0.6, -0.8], [2.0, 1.0]], dtype=torch.float64))
gaps = [abs(word_value(turned, word) - word_value(lecture, word)) for word in all_words(2, 8)]
print(f"other numbers inside, {turned[0].tolist()} to begin with; largest error {max(gaps):.1e}")

# %% [markdown]
# So which states would *we* choose? Those that mean something: state "b" is **what you know after reading b**. That needs the probability that
# a word *begins* with b, which is a sum over infinitely many words, and yet one line:
#
# $$f(p\,\Sigma^*) = \alpha_0^\top A_p\,(I + A + A^2 + \dots)\,\alpha_\infty = \alpha_0^\top A_p\,(I - A)^{-1} \alpha_\infty,\qquad A = \sum_a A_a$$

# %%
from solutions.automata import prefix_value

# %%
for prefix in [(), (0,), (1,), (1, 0)]:
    print(f"a word begins with {spelled(prefix):>2} with probability {prefix_value(lecture, prefix):.4f}")

# %%
from solutions.automata import name_states  # given

# %%
chosen, named = name_states(found, all_words(2, 3))
automaton_graph(
    named,
    names=[spelled(word) for word in chosen],
    alt="Two states called ε and b, with the same weights as the lecture's automaton.",
)

# %% [markdown]
# The lecture's automaton, arrow by arrow, out of nothing but the values of words. Nobody told us about its states.

# %% [markdown]
# ## The black box
#
# Now the real thing: a recurrent network that has learned to write words with four letters. Its state is a vector of 48 numbers that nobody can read. We
# do not look at it. We *ask*: how probable is this word? and this?

# %%
from course.models.string_rnn import load_string_rnn

rnn = load_string_rnn().double()
for word in [(2, 1), (1, 2), (2, 1, 0), (0, 0, 0, 0)]:
    print(f"{spelled(word):>5}: {rnn.probability([word]).item():.6f}")

# %%
from solutions.automata import distill_rnn  # given

# %%
asked = all_words(4, 2)
told = dict(zip(all_words(4, 5), rnn.probability(all_words(4, 5)).tolist(), strict=True))
tables = hankel_blocks(told.__getitem__, asked, asked, 4)
singular_values(
    torch.linalg.svdvals(tables[0])[:12],
    marked=5,
    alt="Twelve singular values on a logarithmic scale. The first five fall from 1 to 0.02; then comes a step down to 0.003, and a slow decline.",
)

# %% [markdown]
# No exact zeros: the network is no automaton. But there is a step after the fifth. How good is an automaton with 1, 2, 3 … states? Three judges:
# the **KL divergence** of its values from the network's; its **word error rate**, when it has to guess each next letter; and its **ranking** of the next letters,
# which is graded by the network's own probabilities:
#
# $$\mathrm{NDCG}_k = \frac{\sum_{j=1}^k p(\hat a_j) / \log_2(j+1)}{\sum_{j=1}^k p(a_j) / \log_2(j+1)}$$

# %%
from solutions.automata import ndcg

# %%
hopes = torch.tensor([0.5, 0.3, 0.1, 0.1])
for guess in ([4.0, 3.0, 2.0, 1.0], [3.0, 4.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0]):
    print(f"ranking by {guess}: NDCG {ndcg(hopes, torch.tensor(guess), 2):.3f}")

# %%
from solutions.automata import next_letter_values  # given

# %%
from solutions.automata import compare_with_rnn  # given

# %%
from course.data.strings import random_automaton, sample_words
from course.models.string_rnn import LETTERS, SEED, STATES
from course.show.distillation import rank_curves

writer = random_automaton(STATES, LETTERS, SEED)
unseen = sample_words(writer, 80 if FAST else 300, seed=99)
after_c = next_letter_values(writer, (2,))
print("after c:", ", ".join(f"{letter} {p:.0%}" for letter, p in zip([*"abcd", "end"], after_c, strict=True)))
curves = {
    rank: compare_with_rnn(spectral_automaton(tables, rank), rnn.probability, rnn.next_letters, unseen)
    for rank in tqdm(range(1, 6 if FAST else 9), disable=None)
}
places = [(word[:i], (*word, LETTERS)[i]) for word in unseen for i in range(len(word) + 1)]
guesses = rnn.next_letters([prefix for prefix, _ in places]).argmax(dim=1).tolist()
wrong = sum(guess != symbol for guess, (_, symbol) in zip(guesses, places, strict=True)) / len(places)
rank_curves(
    curves,
    {"WER": wrong},
    alt="Three curves against the number of states. The KL divergence falls from 0.4 to 0.0004 at five states, then only slowly. The word error rate "
    "reaches the network's own at five states. NDCG rises from 0.83 to 0.997 at five.",
)

# %% [markdown]
# All three say **five**. With five states the automaton predicts as well as the network. And we can look at it:

# %%
five = distill_rnn(rnn.probability, asked, asked, 4, 5)
chosen, named = name_states(five, asked)
automaton_graph(
    named,
    names=[spelled(word) for word in chosen],
    threshold=0.14,
    alt="Five states, named after the prefixes ε, b, c, d and cc, with the ten arrows whose weight is at least 0.14.",
)

# %% [markdown]
# Is it true? For once we can know. The words on which the network was trained were written by an automaton, which you have not seen so far. It has five
# states. To compare like with like, we name them in the same way, after the same five prefixes:

# %%
again, basis = name_states(writer, chosen)
order = [again.index(word) for word in chosen]
written = basis[0][order], basis[1][order], basis[2][:, order][:, :, order]
automaton_graph(
    written,
    names=[spelled(word) for word in chosen],
    threshold=0.14,
    alt="The automaton that wrote the training words, in the same five states: the same arrows as in the distilled one, with nearly the same weights.",
)
print(f"largest difference between two weights: {(named[2] - written[2]).abs().max():.2f}")

# %% [markdown]
# Hold them side by side: the same arrows, and no weight, drawn or not, is off by a tenth. We asked a black box for the probabilities of words, and got
# back the rules that it had learned.
#
# (It starts with 0.96 instead of 1: summed over all words, it is a little short of long ones. And among the small weights, which are not drawn, some go
# down to −0.1, on both sides. In its own five states the writer has no negative weight; but whoever has read cc may be in several of
# them, and where states are such mixtures, weights can fall below zero.)
#
# Competitions in learning automata, like PAutomaC, score a model $P_C$ by its *perplexity* on test words whose true probabilities $P_T$ are known,
# $2^{-\sum_x P_T(x) \log_2 P_C(x)}$: the lower, the better.

# %%
from course.data.strings import perplexity

different = sorted(set(unseen))
truth = torch.stack([word_value(writer, word) for word in different])
small = torch.stack([word_value(five, word) for word in different])
print(f"the best possible: {perplexity(truth, truth):.2f}")
print(f"the network:       {perplexity(truth, rnn.probability(different)):.2f}")
print(f"five states:       {perplexity(truth, small, floor=1e-12):.2f}")

# %% [markdown]
# (With the competition's files in place, `course.data.strings.load_pautomac(1)` loads a real problem, and all of the above works on it.)
#
# Choose the number of states yourself:

# %% tags=["demo"]


def draw_states(states):
    smaller = distill_rnn(rnn.probability, asked, asked, 4, states)
    try:
        known, readable = name_states(smaller, asked)
    except ValueError as reason:
        print(f"{states} states: {reason}")
        return
    automaton_graph(
        readable,
        names=[spelled(word) for word in known],
        threshold=0.1,
        alt=f"The automaton with {states} states, named after {', '.join(spelled(word) for word in known)}.",
    )


explore(draw_states, states=IntSlider(3, min=1, max=7, description="states", continuous_update=False))

# %% [markdown]
# ## What distillation cannot tell you
#
# **It says what the network answers, not how it gets there.** The tree asks about single pixels; the network never did. And it says the same only
# *where you asked*. Push the unseen digits three pixels to the right:

# %%
pushed = torch.roll(digits.test_images, 3, dims=3)
with torch.no_grad():
    network_pushed = network(pushed)
for name, before, after in (
    ("network", teacher_unseen, network_pushed),
    (
        "soft tree",
        soft_tree_probabilities(held_out, w, b, leaves),
        soft_tree_probabilities(pushed.flatten(1), w, b, leaves),
    ),
):
    share = [(answers.argmax(dim=1) == digits.test_labels).float().mean() for answers in (before, after)]
    print(
        f"{name:>10}: right {share[0]:.0%}, pushed {share[1]:.0%}; fidelity pushed {fidelity(after, network_pushed):.0%}"
    )

# %% [markdown]
# On the digits that it was asked about, the tree speaks for the network. Three pixels further it speaks for itself. A fidelity of 88 % also means that
# one answer in eight is *not* explained, and that may be just the one that you care about.
#
# **And it need not keep the rules.** An automaton that is too small gives some words a negative "probability", and the values of all words
# need not sum to 1:

# %%
four = spectral_automaton(tables, 4)
worst = min(all_words(4, 4), key=lambda word: float(word_value(four, word)))
print(
    f"four states: f({spelled(worst)}) = {word_value(four, worst):.6f}, the network says {rnn.probability([worst]).item():.6f}"
)
print(f"all words together: {prefix_value(four, ()):.3f}")

# %% [markdown]
# So: can a model that you can read give the same answers? Sometimes, nearly, and where you asked. Always report the fidelity beside the explanation, and say
# on which inputs you measured it.

# %% [markdown] question="the-faithful-tree" points=3 minutes=8
# A hospital's network decides who is examined first. A company distils it into a tree of depth 4: *"Fidelity 94 %, and every doctor can read it. Now you know how the
# network decides."* Answer them in three to five sentences. What do you know now, and what not? On which patients should the fidelity have been measured?

# %% [markdown]
# ## Further reading
#
# - Hinton, Vinyals & Dean (2015): *Distilling the knowledge in a neural network.* Temperature, T², and the class that was never seen.
# - Craven & Shavlik (1996): *Extracting tree-structured representations of trained networks.* Asking the network on inputs of your own.
# - Frosst & Hinton (2017): *Distilling a neural network into a soft decision tree.* The tree of filters.
# - Balle, Carreras, Luque & Quattoni (2014): *Spectral learning of weighted automata.* From the Hankel matrix to the automaton, with proofs.
# - Ayache, Eyraud & Goudian (2018): *Explaining black boxes on sequential data using weighted automata.* The method of this chapter, on fifty data sets.
# - Weiss, Goldberg & Yahav (2018): *Extracting automata from recurrent neural networks using queries and counterexamples.* Another way to ask.
