"""Sentences with ambiguous words: is a "bank" where money lies, or where a river ends?

The question is what each ambiguous word means in German: Bank or Ufer. Its sentence holds one word that tells, a cue
such as "river", and others that tell nothing, or that tell about another ambiguous word. A network that looks at
"bank" alone can only guess.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from course.data.vocabulary import PAD, Vocabulary

SENSES: dict[str, dict[str, tuple[str, ...]]] = {
    "bank": {"Bank": ("money", "loan", "cashier"), "Ufer": ("river", "boat", "reeds")},
    "bat": {"Schläger": ("ball", "player", "helmet"), "Fledermaus": ("cave", "wings", "moonlight")},
    "match": {"Spiel": ("referee", "goal", "stadium"), "Streichholz": ("fire", "candle", "smoke")},
    "bark": {"Rinde": ("tree", "forest", "trunk"), "Gebell": ("dog", "puppy", "kennel")},
    "spring": {"Frühling": ("april", "blossom", "swallow"), "Quelle": ("water", "rock", "bucket")},
}
"""Each ambiguous word, what it may mean in German, and the cues that tell."""

_PEOPLE = ("mary", "john", "sandra", "daniel", "nobody")
_NEUTRAL = ("table", "letter", "story", "window", "brother")
_TEMPLATES = (
    "{person} saw the {a} near the {x}",
    "the {x} made {person} think of the {a}",
    "{person} talked about the {a} and the {neutral} and then about the {x}",
    "because of the {x} {person} remembers the {a} and not the {neutral}",
    "{person} saw the {a} and the {b} and later the {x} and the {y}",
    "near the {x} and the {y} {person} thought of the {b} and of the {a}",
    "the {y} and the {x} made {person} think of the {neutral} and the {a} and the {b}",
)
_FRAME = " ".join(_TEMPLATES).replace("{", "").replace("}", "").split()

WORDS = Vocabulary(
    [
        *SENSES,
        *(cue for senses in SENSES.values() for cues in senses.values() for cue in cues),
        *(word for word in _FRAME if word not in ("a", "b", "x", "y", "person", "neutral")),
        *_PEOPLE,
        *_NEUTRAL,
        *(german for senses in SENSES.values() for german in senses),
    ]
)


class ContextBatch(NamedTuple):
    """inputs (batch, n) · answers (batch, n), <pad> at words that are not ambiguous · mask (batch, n, n).

    The mask is True where a word may look: everywhere but at padding.
    """

    inputs: Int[Tensor, "batch n"]
    answers: Int[Tensor, "batch n"]
    mask: Bool[Tensor, "batch n n"]


def make_sentences(count: int, seed: int) -> tuple[list[list[str]], list[dict[int, str]]]:
    """Return sentences in words, and for each the German word by place of every ambiguous one."""
    generator = np.random.default_rng(seed)
    sentences, meanings = [], []
    for _ in range(count):
        a, b = (str(word) for word in generator.choice(list(SENSES), size=2, replace=False))
        german = {word: str(generator.choice(list(SENSES[word]))) for word in (a, b)}
        words = (
            str(generator.choice(_TEMPLATES))
            .format(
                a=a,
                b=b,
                x=generator.choice(SENSES[a][german[a]]),
                y=generator.choice(SENSES[b][german[b]]),
                person=generator.choice(_PEOPLE),
                neutral=generator.choice(_NEUTRAL),
            )
            .split()
        )
        sentences.append(words)
        meanings.append({place: german[word] for place, word in enumerate(words) if word in german})
    return sentences, meanings


def context_batch(sentences: list[list[str]], meanings: list[dict[int, str]] | None = None) -> ContextBatch:
    """Return sentences as a batch; without meanings nothing is asked. Raises ValueError at an unknown word."""
    unknown = sorted({word for words in sentences for word in words} - set(WORDS.words))
    if unknown:
        raise ValueError(
            f"Not in this small vocabulary: {', '.join(unknown)}. Try one of SENSES' words and cues."
        )
    inputs = WORDS.batch(sentences)
    answers = torch.full_like(inputs, PAD)
    for row, asked in zip(answers, meanings or [], strict=meanings is not None):
        for place, german in asked.items():
            row[place] = WORDS.encode([german])[0]
    seen = inputs != PAD
    return ContextBatch(inputs, answers, seen.unsqueeze(1).expand(-1, inputs.shape[1], -1))
