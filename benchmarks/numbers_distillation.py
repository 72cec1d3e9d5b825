"""The numbers of chapter 9, with their spread over five seeds.

    python benchmarks/numbers_distillation.py

Everything is measured on the 1,000 held-out digits and on words that the string network has not seen. Times are
CPU seconds of this process, on one thread.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from sklearn.tree import DecisionTreeClassifier
from torch import Tensor
from torch.nn import functional as F

from course.data.digits import load_digits
from course.data.strings import all_words, lecture_automaton, perplexity, random_automaton, sample_words
from course.models.digits import load_digits_cnn
from course.models.simpler import dense_network
from course.models.string_rnn import LETTERS, SEED, STATES, load_string_rnn
from solutions.automata import compare_with_rnn, hankel_blocks, spectral_automaton, word_value
from solutions.distillation import (
    bias_for_share,
    distill_tree,
    fidelity,
    soft_targets,
    soft_tree_probabilities,
    train_soft_tree,
    train_student,
)

SEEDS = range(5)


class Digits:
    """The digits, the network's answers to them, and how answers are graded."""

    def __init__(self) -> None:
        self.data, self.network = load_digits(), load_digits_cnn()
        with torch.no_grad():
            self.teacher = self.network(self.data.train_images)
            self.unseen = self.network(self.data.test_images)
        self.pixels = self.data.train_images.flatten(1)
        self.held_out = self.data.test_images.flatten(1)

    def accuracy(self, answers: Tensor, only: int | None = None) -> float:
        """Percent of the held-out digits, or of one class, that are read correctly."""
        right = (answers.argmax(dim=1) == self.data.test_labels).float()
        return 100 * float(right[self.data.test_labels == only].mean() if only is not None else right.mean())

    def fidelity(self, answers: Tensor) -> float:
        """Percent of the held-out digits that are read as the network reads them."""
        return 100 * float(fidelity(answers, self.unseen.to(answers)))

    def votes(self, tree: DecisionTreeClassifier) -> Tensor:
        """A tree's votes for the ten classes."""
        answers = torch.zeros(len(self.held_out), 10, dtype=torch.float64)
        answers[:, tree.classes_] = torch.from_numpy(tree.predict_proba(self.held_out.numpy()))
        return answers

    def student(
        self, rows: Tensor, hidden: int, temperature: float, alpha: float, epochs: int, seed: int
    ) -> tuple[Tensor, Tensor]:
        """A small network's answers to the training and the held-out digits, after a lesson on `rows`."""
        generator = torch.Generator().manual_seed(seed)
        student = dense_network([784, hidden, 10], generator)
        images, labels = self.data.train_images[rows], self.data.train_labels[rows]
        train_student(student, images, self.teacher[rows], labels, temperature, alpha, epochs, generator)
        with torch.no_grad():
            return student(self.data.train_images), student(self.data.test_images)


def small_network(digits: Digits) -> None:
    """Distilled against trained on labels: the same network, the same images, the same number of steps."""
    print(f"teacher: {digits.accuracy(digits.unseen):.1f} % of the held-out digits")
    for images, epochs, temperature in ((400, 150, 2.0), (4000, 30, 4.0)):
        rows = torch.arange(images)
        label, soft = (
            [digits.accuracy(digits.student(rows, 30, t, alpha, epochs, seed)[1]) for seed in SEEDS]
            for t, alpha in ((1.0, 0.0), (temperature, 1.0))
        )
        gain = [b - a for a, b in zip(label, soft, strict=True)]
        print(
            f"784-30-10, {images} images: labels {spread(label)}, distilled (T = {temperature:g}) {spread(soft)}"
        )
        print(f"    gain {spread(gain)} points: {met(statistics.mean(gain) > 0, 'distilled beats labels')}")


def unseen_class(digits: Digits, missing: int = 3) -> None:
    """All images of one class are taken out of the lesson; then its bias is set by the class's share."""
    rows = (digits.data.train_labels != missing).nonzero().squeeze(1)
    before, after, overall = [], [], []
    for seed in SEEDS:
        known, said = digits.student(rows, 100, 8.0, 1.0, 30, seed)
        before.append(digits.accuracy(said, missing))
        said[:, missing] += bias_for_share(known, missing, 0.1)
        after.append(digits.accuracy(said, missing))
        overall.append(digits.accuracy(said))
    print(
        f"784-100-10 that never saw a {missing}: reads {spread(before)} of them, {spread(after)} with its bias set;"
    )
    print(
        f"    of all digits {spread(overall)}: {met(min(after) > 50, 'it learns a class that it never saw')}"
    )


def trees(digits: Digits) -> None:
    """Fidelity and accuracy, against the same tree on labels."""
    for images in (400, 4000):
        for depth in (3, 5, 8):
            rows = digits.pixels[:images].numpy()
            labels = digits.data.train_labels[:images].numpy()
            plain = DecisionTreeClassifier(max_depth=depth, random_state=0).fit(rows, labels)
            distilled = distill_tree(digits.network, digits.data.train_images[:images], depth)
            for name, tree in (("labels", plain), ("network", distilled)):
                grade(digits, f"tree of depth {depth}, {images} images, {name}", [digits.votes(tree)])
    hard = F.one_hot(digits.data.train_labels, 10).float()
    for name, targets in (("labels", hard), ("network, T = 3", soft_targets(digits.teacher, 3.0))):
        answers = []
        for seed in SEEDS:
            tree = train_soft_tree(digits.pixels, targets, 4, 20, torch.Generator().manual_seed(seed))
            answers.append(soft_tree_probabilities(digits.held_out, *tree))
        grade(digits, f"soft tree of depth 4, 4000 images, {name}", answers)


def automata() -> None:
    """The lecture's automaton recovered, and the string network against automata of growing rank."""
    lecture, words = lecture_automaton(), all_words(2, 2)
    found = spectral_automaton(hankel_blocks(lambda word: word_value(lecture, word), words, words, 2), 2)
    error = max(float((word_value(found, w) - word_value(lecture, w)).abs()) for w in all_words(2, 8))
    print(
        f"lecture's automaton, 511 words up to length 8: error {error:.1e}: {met(error < 1e-8, 'below 1e-8')}"
    )

    rnn, writer = load_string_rnn().double(), random_automaton(STATES, LETTERS, SEED)
    unseen = sample_words(writer, 1000, seed=99)
    different = sorted(set(unseen))
    truth = torch.stack([word_value(writer, word) for word in different])
    best, network = perplexity(truth, truth), perplexity(truth, rnn.probability(different))
    places = [(word[:i], (*word, LETTERS)[i]) for word in unseen for i in range(len(word) + 1)]
    guesses = rnn.next_letters([prefix for prefix, _ in places]).argmax(dim=1).tolist()
    wrong = sum(guess != symbol for guess, (_, symbol) in zip(guesses, places, strict=True)) / len(places)
    print(
        f"{len(unseen)} unseen words, {len(different)} different; perplexity of the writer {best:.2f}, of the network {network:.2f}"
    )
    print("states   KL to the network   word error rate   NDCG_5   perplexity")
    print(f"network  {0:17.5f}   {wrong:15.3f}   {1:6.4f}   {network:10.2f}")
    asked = all_words(LETTERS, 2)
    longest = all_words(LETTERS, 5)
    told = dict(zip(longest, rnn.probability(longest).tolist(), strict=True))
    blocks = hankel_blocks(told.__getitem__, asked, asked, LETTERS)
    for rank in range(1, 11):
        automaton = spectral_automaton(blocks, rank)
        judged = compare_with_rnn(automaton, rnn.probability, rnn.next_letters, unseen)
        values = torch.stack([word_value(automaton, word) for word in different])
        score = perplexity(truth, values, floor=1e-12)
        print(
            f"{rank:6}   {judged['KL']:17.5f}   {judged['WER']:15.3f}   {judged['NDCG']:6.4f}   {score:10.2f}"
        )


def grade(digits: Digits, name: str, answers: list[Tensor]) -> None:
    right = spread([digits.accuracy(each) for each in answers])
    print(f"{name:>47}: accuracy {right}, fidelity {spread([digits.fidelity(each) for each in answers])}")


def spread(values: list[float]) -> str:
    """Mean and range, in percent or points."""
    if len(values) == 1:
        return f"{values[0]:.1f}"
    return f"{statistics.mean(values):.1f} ({min(values):.1f} … {max(values):.1f})"


def met(holds: bool, aim: str) -> str:
    return f"{aim}: {'met' if holds else 'NOT met'}"


def timed(part: Callable[[], None]) -> None:
    start = time.process_time()
    part()
    print(f"    [{time.process_time() - start:.0f} s of CPU]\n", flush=True)


def main() -> None:
    torch.set_num_threads(1)
    digits = Digits()
    timed(lambda: small_network(digits))
    timed(lambda: unseen_class(digits))
    timed(lambda: trees(digits))
    timed(automata)


if __name__ == "__main__":
    main()
