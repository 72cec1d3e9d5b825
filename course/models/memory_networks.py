"""Trains end-to-end memory networks quickly: ten restarts cost little more than one.

Three observations make it quick; none changes what is computed (the tests hold it against the plain network):

- The position encoding l_kj = (1 - j/J) - (k/d)(1 - 2j/J) has rank two: a sentence is two bags of words, one weighted
  by 1 - j/J, the other by 1 - 2j/J.
- A baby story says few different sentences: each is embedded once per step, and a memory slot is looked up as the
  row of its sentence plus the row of its time.
- Restarts differ in their first weights alone: they are stacked along a first axis and share every product.

The recipe is that of Sukhbaatar et al. (2015), section 4.2: gradient descent, the step halved every 25 epochs, each
weight matrix's gradient clipped to norm 40, random empty memories, and a linear start without softmax.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course.data import stories as told
from course.data.stories import Lexicon, StoryTensors
from course.models.checkpoints import load_checkpoint


class Recipe(NamedTuple):
    """How to train; the defaults are the paper's."""

    dim: int = 20
    hops: int = 3
    tying: str = "adjacent"
    restarts: int = 10
    epochs: int = 100
    linear_epochs: int = 20
    batch: int = 32
    rate: float = 0.01  # of the gradient summed over the batch
    halve_every: int = 25
    clip: float = 40.0
    empty: float = 0.1  # at most so many empty memories per told sentence


class Restarts(NamedTuple):
    """Trained networks: every parameter with a first axis of restarts, and the error of each on its training set."""

    parameters: dict[str, Tensor]
    training_loss: Float[Tensor, "restarts"]
    training_error: Float[Tensor, "restarts"]

    def state(self, restart: int) -> dict[str, Tensor]:
        """The state of one network, as `MemN2N.load_state_dict` takes it."""
        return {name: value[restart].clone() for name, value in self.parameters.items()}

    @property
    def best(self) -> int:
        """The restart with the lowest training loss."""
        return int(self.training_loss.argmin())

    @property
    def best_by_error(self) -> int:
        """The restart with the lowest training error, as Sukhbaatar et al. choose; among equals, the lowest loss."""
        pairs = zip(self.training_error.tolist(), self.training_loss.tolist(), strict=True)
        return min(enumerate(pairs), key=lambda numbered: numbered[1])[0]


class Bags(NamedTuple):
    """Examples as rows of a table of different sentences; row 0 is the empty sentence."""

    sentences: Float[Tensor, "2 different vocabulary"]
    stories: Int[Tensor, "examples memory"]
    questions: Float[Tensor, "2 examples vocabulary"]
    answers: Int[Tensor, "examples"]


def bags_of(data: StoryTensors, vocabulary: int) -> Bags:
    """Examples in the quick form."""
    memory, words = data.stories.shape[1:]
    flat = torch.cat([torch.zeros(1, words, dtype=torch.long), data.stories.reshape(-1, words)])
    different, row = flat.unique(dim=0, return_inverse=True)  # sorted: the empty sentence comes first
    return Bags(
        _two_bags(different, vocabulary),
        row[1:].reshape(-1, memory),
        _two_bags(data.questions, vocabulary),
        data.answers,
    )


def _two_bags(tokens: Int[Tensor, "n words"], vocabulary: int) -> Float[Tensor, "2 n vocabulary"]:
    words = tokens.shape[1]
    j = torch.arange(1, words + 1) / words
    bags = torch.zeros(2, len(tokens), vocabulary)
    bags[0].scatter_add_(1, tokens, (1 - j).expand(tokens.shape))
    bags[1].scatter_add_(1, tokens, (1 - 2 * j).expand(tokens.shape))
    bags[:, :, 0] = 0  # padding means nothing
    return bags


def _embed(bags: Float[Tensor, "2 n vocabulary"], tables: Tensor) -> Tensor:
    """Every sentence in every table: (..., vocabulary, dim) → (..., n, dim)."""
    dim = tables.shape[-1]
    k = torch.arange(1, dim + 1) / dim
    both = bags.reshape(-1, bags.shape[-1]) @ tables
    first, second = both.chunk(2, dim=-2)
    return first - k * second


def quick_logits(
    parameters: dict[str, Tensor],
    bags: Bags,
    rows: Int[Tensor, "batch"],
    ages: Int[Tensor, "batch memory"],
    recipe: Recipe,
    linear: bool = False,
) -> Float[Tensor, "restarts batch vocabulary"]:
    """What all restarts answer to some of the questions; `ages` says when each memory was told (0 = newest)."""
    tables, times = parameters["tables"], parameters["times"]
    restarts, (batch, memory), adjacent = len(tables), ages.shape, recipe.tying == "adjacent"
    shared = [(0, 1)] * recipe.hops  # which table a hop compares with, and which one it reads from
    tables_of_hops = [(hop, hop + 1) for hop in range(recipe.hops)] if adjacent else shared
    sentences = _embed(bags.sentences, tables[:, : times.shape[1]])
    rows_of_memory = torch.cat([sentences, times], dim=2)  # every sentence, then every time
    stories = bags.stories[rows]
    index = torch.cat([stories, bags.sentences.shape[1] + ages], dim=1).expand(restarts, batch, 2 * memory)
    hidden = stories == 0
    u = _embed(bags.questions[:, rows], tables[:, 0 if adjacent else 2])
    for a, c in tables_of_hops:
        of_sentence, of_time = (u @ rows_of_memory[:, a].mT).gather(2, index).chunk(2, dim=2)
        scores = of_sentence + of_time
        p = scores.masked_fill(hidden, 0) if linear else scores.masked_fill(hidden, -torch.inf).softmax(-1)
        weights = p.new_zeros(restarts, batch, rows_of_memory.shape[2]).scatter_add(
            2, index, p.repeat(1, 1, 2)
        )
        o = weights @ rows_of_memory[:, c]
        u = o + (u if adjacent else u @ parameters["transfer"].mT)
    return u @ tables[:, -1].mT


def _first_weights(
    vocabulary: int, memory: int, recipe: Recipe, generator: torch.Generator
) -> dict[str, Tensor]:
    adjacent = recipe.tying == "adjacent"

    def normal(*shape: int) -> Tensor:
        return 0.1 * torch.randn(recipe.restarts, *shape, generator=generator)

    parameters = {
        "tables": normal(recipe.hops + 1 if adjacent else 4, vocabulary, recipe.dim),
        "times": normal(recipe.hops + 1 if adjacent else 2, memory, recipe.dim),
    }
    if not adjacent:
        parameters["transfer"] = normal(recipe.dim, recipe.dim)
    return parameters


def random_ages(
    stories: Int[Tensor, "n memory"], empty: float, generator: torch.Generator
) -> Int[Tensor, "n memory"]:
    """When each memory was told, as if up to `empty` × (sentences told) empty memories lay between them.

    Such random noise regularises the time embedding (Sukhbaatar et al., section 4.1, RN).
    """
    n, memory = stories.shape
    told = (stories != 0).sum(1, keepdim=True)
    most = (empty * told).ceil()
    blanks = (torch.rand(n, 1, generator=generator) * (most + 1)).floor()
    slots = 2 * memory
    keys = torch.rand(n, slots, generator=generator).masked_fill(torch.arange(slots) >= told + blanks, 2)
    chosen = keys.argsort(1).argsort(1) < told  # of told + blanks places, as many as there are sentences
    order = (~chosen).long().argsort(dim=1, stable=True)[:, :memory]
    return order.clamp(max=memory - 1)


def train_restarts(
    data: StoryTensors,
    vocabulary: int,
    recipe: Recipe,
    generator: torch.Generator,
    watch: Callable[[int, Tensor], None] | None = None,
) -> Restarts:
    """Train `recipe.restarts` networks at once; `watch(epoch, mean loss of each)` is called after every epoch."""
    bags, n = bags_of(data, vocabulary), len(data.answers)
    parameters = _first_weights(vocabulary, data.stories.shape[1], recipe, generator)
    for p in parameters.values():
        p.requires_grad_(True)
    for epoch in range(recipe.epochs):
        linear = epoch < recipe.linear_epochs
        rate = recipe.rate * 0.5 ** (max(0, epoch - recipe.linear_epochs) // recipe.halve_every)
        rate = recipe.rate / 2 if linear else rate
        ages = random_ages(bags.stories, recipe.empty, generator)
        total = torch.zeros(recipe.restarts)
        for rows in torch.randperm(n, generator=generator).split(recipe.batch):
            logits = quick_logits(parameters, bags, rows, ages[rows], recipe, linear)
            losses = _losses(logits, bags.answers[rows])
            gradients = torch.autograd.grad(losses.sum(), list(parameters.values()))
            with torch.no_grad():
                total += losses.sum(1)
                for p, gradient in zip(parameters.values(), gradients, strict=True):
                    norm = gradient.norm(dim=(-2, -1), keepdim=True)
                    p -= rate * gradient * (recipe.clip / norm.clamp(min=1e-12)).clamp(max=1)
        if watch is not None:
            watch(epoch, total / n)
    loss, error = measure(parameters, data, vocabulary, recipe)
    return Restarts({name: p.detach() for name, p in parameters.items()}, loss, error)


def _losses(logits: Tensor, answers: Int[Tensor, "batch"]) -> Float[Tensor, "restarts batch"]:
    return -logits.log_softmax(-1).gather(2, answers.expand(len(logits), -1)[..., None])[..., 0]


@torch.no_grad()
def measure(
    parameters: dict[str, Tensor], data: StoryTensors, vocabulary: int, recipe: Recipe
) -> tuple[Float[Tensor, "restarts"], Float[Tensor, "restarts"]]:
    """The mean loss and the share of wrong answers of each restart."""
    bags = bags_of(data, vocabulary)
    ages = torch.arange(data.stories.shape[1]).expand(bags.stories.shape)
    losses, wrong = [], []
    for rows in torch.arange(len(data.answers)).split(250):
        logits = quick_logits(parameters, bags, rows, ages[rows], recipe)
        losses.append(_losses(logits, bags.answers[rows]))
        wrong.append((logits.argmax(-1) != bags.answers[rows]).float())
    return torch.cat(losses, 1).mean(1), torch.cat(wrong, 1).mean(1)


# --- The network that answers the lecture's story -------------------------------------------------------------------

LECTURE_RECIPE = Recipe(dim=40, restarts=3, epochs=60, linear_epochs=4, halve_every=12)
LECTURE_MEMORY = 40
LECTURE_WORDS = 6


def lecture_lexicon() -> Lexicon:
    """All words that stories of the lecture's family can use."""
    cast = told.LECTURE_CAST
    phrases = (*told.GO, *told.TAKE, *told.DROP, "where is the now", "where was before the")
    return Lexicon(w for s in (*cast.people, *cast.objects, *cast.places, *phrases) for w in told.words_of(s))


def lecture_state() -> dict[str, Tensor]:
    """The trained state of `MemN2N(len(lecture_lexicon()), 40, 3, 40)`: it answers stories like the lecture's."""
    return load_checkpoint("lecture_memory")
