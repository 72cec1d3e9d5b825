"""The numbers of chapter 11: errors on generated and real stories, single runs and best of ten restarts apart.

    python benchmarks/numbers_memory_networks.py
    COURSE_BABI=folder/with/the/real/files python benchmarks/numbers_memory_networks.py

Every line trains ten networks at once and chooses one by its *training* loss, and beside it one by its training error, as
the paper did. Times are CPU seconds of this process, on one thread, for all ten. The real files are measured when they are present or can be downloaded.
"""

import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from torch.nn import functional as F

from course.data import DataError
from course.data.stories import (
    Example,
    Lexicon,
    encode_examples,
    load_babi,
    longest_sentence,
    simulate_stories,
)
from course.models.memory_networks import (
    LECTURE_MEMORY,
    LECTURE_RECIPE,
    LECTURE_WORDS,
    Recipe,
    lecture_lexicon,
    lecture_state,
    measure,
    train_restarts,
)
from solutions.memory_networks import MemN2N

MEMORY, RECIPE = 50, Recipe()
LONGER = Recipe(epochs=24, linear_epochs=5, halve_every=6)  # as many steps, over five times the questions
PAPER = {
    1: 0.0,
    2: 8.3,
    3: 40.3,
}  # Sukhbaatar et al. (2015), Table 1, 3 hops PE LS RN, best of ten, error in percent


def ten_restarts(
    train: Sequence[Example], test: Sequence[Example], seed: int, recipe: Recipe = RECIPE
) -> str:
    """A line of numbers: the restart that the training loss chose, apart from single runs."""
    lexicon, words = Lexicon.of((*train, *test)), longest_sentence((*train, *test))
    told, asked, fresh = (
        encode_examples(examples, lexicon, MEMORY, words)
        for examples in (train, test, not_repeated(train, test))
    )
    start = time.process_time()
    trained = train_restarts(told, len(lexicon), recipe, torch.Generator().manual_seed(seed))
    spent = time.process_time() - start
    percent, percent_fresh = (
        [100 * e for e in measure(trained.parameters, data, len(lexicon), recipe)[1].tolist()]
        for data in (asked, fresh)
    )

    def chosen(how: str, best: int) -> str:
        return f"by {how} {percent[best]:4.1f} (without repeated questions {percent_fresh[best]:.1f})   "

    return (
        f"chosen {chosen('loss', trained.best)}{chosen('error', trained.best_by_error)}"
        f"single runs: median {statistics.median(percent):5.1f}, {min(percent):.1f} to {max(percent):.1f}   {spent:5.1f} s"
    )


def not_repeated(train: Sequence[Example], test: Sequence[Example]) -> list[Example]:
    """The test questions that do not stand, with their story, in the training set as well."""
    known = {(e.sentences[-MEMORY:], e.question) for e in train}
    return [e for e in test if (e.sentences[-MEMORY:], e.question) not in known]


def generated() -> None:
    """As many stories as the data set has questions, and as many questions as it has."""
    for title, questions, recipe in (
        ("1,000 stories, five questions each", 5000, LONGER),
        ("1,000 questions, in 200 stories", 1000, RECIPE),
    ):
        print(f"generated, {title}; 1,000 unseen questions; error in percent")
        for task in ("one_fact", "two_facts", "three_facts", "before", "yes_no", "counting", "lists"):
            for seed in (1, 2, 3) if task in ("one_fact", "two_facts") else (1,):
                train, test = (simulate_stories(task, n, 100 * seed + n) for n in (questions, 1001))
                print(
                    f"  {task:12} seed {seed}   {ten_restarts(train, test[:1000], seed, recipe)}", flush=True
                )


def lecture() -> None:
    lexicon = lecture_lexicon()
    model = MemN2N(len(lexicon), LECTURE_RECIPE.dim, LECTURE_RECIPE.hops, LECTURE_MEMORY)
    model.load_state_dict(lecture_state())
    right = []
    for seed in range(5):
        examples = simulate_stories("lecture", 1000, 1000 + seed)
        asked = encode_examples(examples, lexicon, LECTURE_MEMORY, LECTURE_WORDS)
        with torch.no_grad():
            said = model(asked.stories, asked.questions)[0].argmax(1)
        right.append(100 * (said == asked.answers).float().mean().item())
    print(
        f"the lecture's family, checkpoint trained on 20,000 questions: right on {statistics.mean(right):.1f} % of "
        f"5 × 1,000 unseen questions ({min(right):.1f} to {max(right):.1f})"
    )


def real() -> None:
    print("real bAbI files, 1,000 questions each; error in percent")
    for task, paper in PAPER.items():
        try:
            train, test = load_babi(task, "train"), load_babi(task, "test")
        except DataError as missing:
            print(f"  not measured: {missing}")
            return
        for seed in (1, 2, 3):
            line = ten_restarts(train, test, seed)
            print(f"  task {task}       seed {seed}   {line}   paper {paper}", flush=True)
        repeated = len(test) - len(not_repeated(train, test))
        print(f"  task {task}: {repeated} of {len(test)} test questions are repeated from the training set")


def speed() -> None:
    """One epoch of ten restarts, the quick way, against one epoch of one plain network."""
    examples = simulate_stories("two_facts", 1000, 1)
    lexicon = Lexicon.of(examples)
    data = encode_examples(examples, lexicon, MEMORY, longest_sentence(examples))
    model, start = MemN2N(len(lexicon), RECIPE.dim, RECIPE.hops, MEMORY), time.process_time()
    for rows in torch.arange(1000).split(RECIPE.batch):
        F.cross_entropy(model(data.stories[rows], data.questions[rows])[0], data.answers[rows]).backward()
    plain, start = time.process_time() - start, time.process_time()
    train_restarts(data, len(lexicon), RECIPE._replace(epochs=1), torch.Generator())
    quick = time.process_time() - start
    print(
        f"an epoch: plain network, one restart {plain:.2f} s; quick way, ten restarts {quick:.2f} s; "
        f"per restart {plain / (quick / 10):.0f} times as quick"
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    speed()
    lecture()
    real()
    generated()
