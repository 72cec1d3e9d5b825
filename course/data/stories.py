"""Baby stories: a small world of people, objects and places, told sentence by sentence, with questions about it.

The simulator tells stories in the manner of the bAbI tasks (Weston et al., 2016) and of the story in the Memory
Networks paper (Weston et al., 2015). Nothing is copied from the data set: people walk, take and drop things at
random, and each question is answered by looking back through what was *told*, noting the sentences that were needed.

    >>> story = simulate_stories("two_facts", questions=5, seed=0)[4]
    >>> story.sentences[-1], story.question, story.answer, story.support     # doctest: +SKIP

`read_babi` and `write_babi` speak the file format of the data set; `load_babi` reads the real files when they are
present (environment variable COURSE_BABI names their folder) or can be downloaded.
"""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from course.data import DataError
from course.data.download import fetch

PEOPLE = ("Mary", "John", "Daniel", "Sandra")
OBJECTS = ("milk", "football", "apple")
PLACES = ("kitchen", "bathroom", "bedroom", "garden", "hallway", "office")

GO = ("went to the", "travelled to the", "journeyed to the", "moved to the", "went back to the")
TAKE = ("picked up the", "took the", "got the", "grabbed the")
DROP = ("dropped the", "left the", "put down the", "discarded the")
NUMBERS = ("none", "one", "two", "three", "four", "five")


class Example(NamedTuple):
    """A question about the sentences told so far; `support` names the sentences needed (from 0, as they are needed)."""

    sentences: tuple[str, ...]
    question: str
    answer: str
    support: tuple[int, ...]


class Event(NamedTuple):
    """What one sentence says: who does what (go, take, drop) with which place or object."""

    person: str
    action: str
    target: str
    sentence: str


class Cast(NamedTuple):
    """Who and what appears in the stories."""

    people: tuple[str, ...] = PEOPLE
    objects: tuple[str, ...] = OBJECTS
    places: tuple[str, ...] = PLACES


LECTURE_CAST = Cast(people=("Joe", "Fred", "Bill", "Jane"))

# The story of the lecture (after Weston et al., 2015, Figure 1), with its three questions.
LECTURE_STORY = (
    "Joe went to the kitchen.",
    "Fred went to the kitchen.",
    "Joe picked up the milk.",
    "Joe travelled to the office.",
    "Joe left the milk.",
    "Joe went to the bathroom.",
)
LECTURE_EXAMPLES = (
    Example(LECTURE_STORY, "Where is the milk now?", "office", (4, 3)),
    Example(LECTURE_STORY, "Where is Joe?", "bathroom", (5,)),
    Example(LECTURE_STORY, "Where was Joe before the office?", "kitchen", (3, 0)),
)


# --- The world -----------------------------------------------------------------------------------------------------


class World:
    """People walk about, take what lies where they are, and drop what they carry.

    Where someone stands at the beginning is not told, so nobody takes or drops anything before having walked
    somewhere: every answer follows from the sentences alone.
    """

    def __init__(self, cast: Cast, rng: np.random.Generator, handling: float):
        self.cast, self.rng, self.handling = cast, rng, handling
        self.place: dict[str, str] = {}  # of each person who has walked
        self.lies = {
            thing: str(rng.choice(cast.places)) for thing in cast.objects
        }  # of each object not carried
        self.carried: dict[str, str] = {}  # object -> person
        self.history: list[Event] = []

    def step(self) -> None:
        """Tell one more sentence."""
        deeds = [
            *((self.carried[thing], "drop", thing) for thing in self.carried),
            *(
                (p, "take", thing)
                for p, here in self.place.items()
                for thing in self.lies
                if self.lies[thing] == here
            ),
        ]
        if deeds and self.rng.random() < self.handling:
            person, action, target = deeds[self.rng.integers(len(deeds))]
        else:
            person, action = str(self.rng.choice(self.cast.people)), "go"
            target = str(self.rng.choice([p for p in self.cast.places if p != self.place.get(person)]))
        self.tell(person, action, target)

    def tell(self, person: str, action: str, target: str) -> None:
        """Let `person` do one thing, and say so."""
        if action == "go":
            self.place[person] = target
        elif action == "take":
            self.carried[target] = person
            del self.lies[target]
        else:
            del self.carried[target]
            self.lies[target] = self.place[person]
        phrases = {"go": GO, "take": TAKE, "drop": DROP}[action]
        sentence = f"{person} {self.rng.choice(phrases)} {target}."
        self.history.append(Event(person, action, target, sentence))


# --- What the sentences tell: all answers are found by looking back -------------------------------------------------


def _walks(history: Sequence[Event], person: str) -> list[int]:
    """The sentences in which `person` walks, in order."""
    return [i for i, e in enumerate(history) if e.person == person and e.action == "go"]


def _journey(history: Sequence[Event], thing: str) -> list[tuple[str, int]]:
    """Where `thing` has been since it was first taken: each place, and the sentence that brought it there."""
    journey: list[tuple[str, int]] = []
    stands: dict[str, tuple[str, int]] = {}  # where each person stands, and since which sentence
    holder = None
    for i, e in enumerate(history):
        if e.action == "go":
            stands[e.person] = (e.target, i)
            if e.person == holder:
                journey.append(stands[e.person])
        elif e.target == thing:
            holder = e.person if e.action == "take" else None
            if not journey and e.person in stands:
                journey.append(stands[e.person])
    return journey


def read_events(sentences: Iterable[str]) -> list[Event]:
    """What sentences of this little language say: the other way round of telling them.

    Raises ValueError for a sentence that says nothing about going, taking or dropping.
    """
    actions = {"go": GO, "take": TAKE, "drop": DROP}
    first_words = {phrase.split()[0]: action for action, phrases in actions.items() for phrase in phrases}
    events = []
    for sentence in sentences:
        match = re.fullmatch(r"(\w+) (\w+) .*?(\w+)( there)?\.?", sentence.strip())
        if not match or match[2] not in first_words:
            raise ValueError(
                f"{sentence!r} is no sentence like: Mary went to the office. Mary took the milk."
            )
        events.append(Event(match[1], first_words[match[2]], match[3], sentence))
    return events


class Found(NamedTuple):
    """A question with its answer, and the sentences that were needed to find it."""

    question: str
    answer: str
    support: tuple[int, ...]


Asker = Callable[[Sequence[Event], Cast, np.random.Generator], "Found | None"]


def where_is_person(history: Sequence[Event], cast: Cast, rng: np.random.Generator) -> Found | None:
    """Task 1, one supporting fact: Where is Mary?"""
    known = [p for p in cast.people if _walks(history, p)]
    if not known:
        return None
    person = str(rng.choice(known))
    last = _walks(history, person)[-1]
    return Found(f"Where is {person}?", history[last].target, (last,))


def where_is_object(history: Sequence[Event], cast: Cast, rng: np.random.Generator) -> Found | None:
    """Task 2, two supporting facts: Where is the milk?"""
    handled = [thing for thing in cast.objects if any(e.target == thing for e in history)]
    if not handled:
        return None
    thing = str(rng.choice(handled))
    last = max(i for i, e in enumerate(history) if e.target == thing)
    walks = _walks(history, history[last].person)
    walk = walks[-1] if history[last].action == "take" else max(i for i in walks if i < last)
    return Found(f"Where is the {thing}?", history[walk].target, (last, walk))


def where_is_object_now(history: Sequence[Event], cast: Cast, rng: np.random.Generator) -> Found | None:
    """The lecture's first question: Where is the milk now? (half of the time without "now")"""
    found = where_is_object(history, cast, rng)
    if found is None or rng.random() < 0.5:
        return found
    return found._replace(question=found.question.replace("?", " now?"))


def where_was_object(history: Sequence[Event], cast: Cast, rng: np.random.Generator) -> Found | None:
    """Task 3, three supporting facts: Where was the milk before the office? (before its last visit)"""
    choices = []
    for thing in cast.objects:
        journey = _journey(history, thing)
        last_visit = dict(journey)
        choices += [(thing, *turn) for turn in pairwise(journey) if turn[1][1] == last_visit[turn[1][0]]]
    if not choices:
        return None
    thing, (before, came), (here, went) = choices[rng.integers(len(choices))]
    handled = max(i for i, e in enumerate(history) if e.target == thing)
    return Found(f"Where was the {thing} before the {here}?", before, (handled, went, came))


def where_was_person(history: Sequence[Event], cast: Cast, rng: np.random.Generator) -> Found | None:
    """The lecture's third question: Where was Joe before the office? (before his last visit there)"""
    choices = []
    for person in cast.people:
        walks = _walks(history, person)
        last_visit = {history[i].target: i for i in walks}
        choices += [(person, came, went) for came, went in pairwise(walks) if went in last_visit.values()]
    if not choices:
        return None
    person, came, went = choices[rng.integers(len(choices))]
    question = f"Where was {person} before the {history[went].target}?"
    return Found(question, history[came].target, (went, came))


def is_person_there(history: Sequence[Event], cast: Cast, rng: np.random.Generator) -> Found | None:
    """Task 6, yes or no: Is Mary in the office? (each answer half of the time)"""
    found = where_is_person(history, cast, rng)
    if found is None:
        return None
    person = found.question.removeprefix("Where is ").removesuffix("?")
    if rng.random() < 0.5:
        return Found(f"Is {person} in the {found.answer}?", "yes", found.support)
    elsewhere = str(rng.choice([place for place in cast.places if place != found.answer]))
    return Found(f"Is {person} in the {elsewhere}?", "no", found.support)


def _belongings(history: Sequence[Event], person: str) -> tuple[list[str], tuple[int, ...]]:
    """What `person` carries, in the order it was taken, and every sentence in which they took or dropped something."""
    carried: list[str] = []
    deeds = [i for i, e in enumerate(history) if e.person == person and e.action != "go"]
    for i in deeds:
        if history[i].action == "take":
            carried.append(history[i].target)
        else:
            carried.remove(history[i].target)
    return carried, tuple(deeds)


def how_many_carried(history: Sequence[Event], cast: Cast, rng: np.random.Generator) -> Found | None:
    """Task 7, counting: How many objects is Mary carrying?"""
    active = [p for p in cast.people if _belongings(history, p)[1]]
    if not active:
        return None
    person = str(rng.choice(active))
    carried, deeds = _belongings(history, person)
    return Found(f"How many objects is {person} carrying?", NUMBERS[len(carried)], deeds)


def what_is_carried(history: Sequence[Event], cast: Cast, rng: np.random.Generator) -> Found | None:
    """Task 8, lists: What is Mary carrying? (the objects joined by commas, or nothing)"""
    active = [p for p in cast.people if _belongings(history, p)[1]]
    if not active:
        return None
    person = str(rng.choice(active))
    carried, deeds = _belongings(history, person)
    return Found(f"What is {person} carrying?", ",".join(carried) or "nothing", deeds)


class Task(NamedTuple):
    """Which questions are asked, and how the stories are told."""

    ask: tuple[Asker, ...]
    gap: int  # sentences between two questions
    handling: float  # how often somebody takes or drops something, when anybody can
    cast: Cast = Cast()


TASKS = {
    "one_fact": Task((where_is_person,), gap=2, handling=0.0),
    "two_facts": Task((where_is_object,), gap=3, handling=0.6),
    "three_facts": Task((where_was_object,), gap=5, handling=0.6),
    "before": Task((where_was_person,), gap=3, handling=0.0),
    "yes_no": Task((is_person_there,), gap=2, handling=0.0),
    "counting": Task((how_many_carried,), gap=3, handling=0.7),
    "lists": Task((what_is_carried,), gap=3, handling=0.7),
    "lecture": Task(
        (where_is_object_now, where_is_person, where_was_person), gap=3, handling=0.6, cast=LECTURE_CAST
    ),
}


def simulate_stories(task: str, questions: int, seed: int, questions_per_story: int = 5) -> list[Example]:
    """Questions about freshly told stories of one kind (see TASKS); equal seeds tell equal stories.

    As in the data set, several questions are asked in the course of one story, so that an example's sentences go on
    where those of the one before stopped. A task with several kinds of question asks them in turn.
    """
    if task not in TASKS:
        raise ValueError(f"no such task: {task!r}; choose one of {', '.join(TASKS)}")
    kind, rng = TASKS[task], np.random.default_rng(seed)
    examples: list[Example] = []
    while len(examples) < questions:
        world = World(kind.cast, rng, kind.handling)
        asked = 0
        while asked < questions_per_story and len(examples) < questions:
            for _ in range(int(rng.integers(1, 2 * kind.gap))):
                world.step()
            found = kind.ask[len(examples) % len(kind.ask)](world.history, kind.cast, rng)
            if found is not None:
                examples.append(Example(tuple(e.sentence for e in world.history), *found))
                asked += 1
    return examples


# --- The file format of the data set ---------------------------------------------------------------------------------


def read_babi(text: str) -> list[Example]:
    """The examples of one bAbI file: lines `ID sentence` or `ID question<tab>answer<tab>supporting IDs`."""
    examples: list[Example] = []
    sentences: list[str] = []
    place_of: dict[int, int] = {}  # line ID -> which sentence
    for row, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        head, _, rest = line.partition(" ")
        if not head.isdigit() or not rest:
            raise ValueError(f"line {row} is no bAbI line (`ID text`): {line!r}")
        if int(head) == 1:
            sentences, place_of = [], {}
        question, *answer = rest.split("\t")
        if answer:
            ids = [int(i) for i in answer[1].split()] if len(answer) > 1 else []
            if unknown := [i for i in ids if i not in place_of]:
                raise ValueError(f"line {row}: supporting facts {unknown} are no sentences of this story")
            support = tuple(place_of[i] for i in ids)
            examples.append(Example(tuple(sentences), question.strip(), answer[0].strip(), support))
        else:
            place_of[int(head)] = len(sentences)
            sentences.append(rest.strip())
    return examples


def write_babi(examples: Iterable[Example]) -> str:
    """The examples as the text of a bAbI file; `read_babi` gives the same examples back."""
    lines: list[str] = []
    told: tuple[str, ...] | None = None
    ids: list[int] = []
    number = 0
    for example in examples:
        if told is None or example.sentences[: len(told)] != told or not told:
            told, ids, number = (), [], 0
        for sentence in example.sentences[len(told) :]:
            number += 1
            ids.append(number)
            lines.append(f"{number} {sentence}")
        told = example.sentences
        number += 1
        support = " ".join(str(ids[i]) for i in example.support)
        lines.append(f"{number} {example.question} \t{example.answer}\t{support}")
    return "\n".join(lines) + "\n" if lines else ""


def load_babi(task: int, split: str) -> list[Example]:
    """The real bAbI examples (v1.2, English, 1,000 questions) of one of the 20 tasks; split is "train" or "test".

    Reads the folder that COURSE_BABI names, otherwise the downloaded data set (CC BY 3.0, Facebook).
    Raises DataError, which says what to do, when there is neither a file nor a network.
    """
    if task not in range(1, 21) or split not in ("train", "test"):
        raise ValueError(f"task must be 1 to 20 and split train or test, not {task!r} and {split!r}")
    given = os.environ.get("COURSE_BABI")
    folder = Path(given) if given else fetch("babi") / "tasks_1-20_v1-2" / "en"
    for path in sorted((*folder.glob(f"qa{task}_*_{split}.txt"), *folder.glob(f"en/qa{task}_*_{split}.txt"))):
        return read_babi(path.read_text(encoding="ascii"))
    raise DataError(f"{folder} holds no file qa{task}_…_{split}.txt: put the data set's folder en there.")


# --- From words to numbers -------------------------------------------------------------------------------------------

PADDING = "<pad>"


def words_of(sentence: str) -> list[str]:
    """The lower-case words of a sentence, punctuation dropped; a comma-joined list is one word."""
    return re.findall(r"[a-z]+(?:,[a-z]+)*", sentence.lower())


class Lexicon:
    """Words and their numbers; number 0 is padding."""

    def __init__(self, words: Iterable[str]):
        self.words = [PADDING, *sorted(set(words) - {PADDING})]
        self.number = {word: i for i, word in enumerate(self.words)}

    @classmethod
    def of(cls, examples: Iterable[Example]) -> "Lexicon":
        """All words of some examples: sentences, questions and answers."""
        return cls({w for e in examples for s in (*e.sentences, e.question, e.answer) for w in words_of(s)})

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, sentence: str, length: int) -> list[int]:
        """The numbers of a sentence's words, padded with 0 to `length`."""
        words = words_of(sentence)
        if unknown := [word for word in words if word not in self.number]:
            raise ValueError(f"unknown words: {', '.join(unknown)}. Known are: {', '.join(self.words[1:])}")
        if not words:
            raise ValueError(f"{sentence!r} has no words")
        if len(words) > length:
            raise ValueError(f"{sentence!r} has {len(words)} words; at most {length} fit")
        return [self.number[word] for word in words] + [0] * (length - len(words))


class StoryTensors(NamedTuple):
    """Examples as numbers. Slot 0 of a story is its *newest* sentence; empty slots and missing words are 0."""

    stories: Int[Tensor, "examples memory words"]
    questions: Int[Tensor, "examples words"]
    answers: Int[Tensor, "examples"]


def longest_sentence(examples: Iterable[Example]) -> int:
    """The number of words in the longest sentence or question."""
    return max(len(words_of(s)) for e in examples for s in (*e.sentences, e.question))


def encode_examples(examples: Sequence[Example], lexicon: Lexicon, memory: int, words: int) -> StoryTensors:
    """Examples as numbers; of longer stories the `memory` newest sentences are kept, newest first."""
    stories = np.zeros((len(examples), memory, words), dtype=np.int64)
    for n, example in enumerate(examples):
        for slot, sentence in enumerate(reversed(example.sentences[-memory:])):
            stories[n, slot] = lexicon.encode(sentence, words)
    questions = [lexicon.encode(example.question, words) for example in examples]
    answers = [lexicon.encode(example.answer, 1)[0] for example in examples]
    return StoryTensors(torch.from_numpy(stories), torch.tensor(questions), torch.tensor(answers))
