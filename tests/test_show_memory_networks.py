"""The pictures of chapter 11, and the reader's own story: what can be answered is drawn, what cannot is said."""

import matplotlib.pyplot as plt
import pytest
import torch

import course.show.memory_networks as pictures
from course.data.stories import LECTURE_STORY
from course.models.memory_networks import (
    LECTURE_MEMORY,
    LECTURE_RECIPE,
    LECTURE_WORDS,
    lecture_lexicon,
    lecture_state,
)
from solutions.memory_networks import MemN2N

STORY = "\n".join(LECTURE_STORY)


@pytest.fixture
def drawn(monkeypatch):
    """What was shown: the alt texts, and the texts in each figure."""
    shown = []

    def keep(fig, alt):
        shown.append((alt, [text.get_text() for text in fig.findobj(plt.Text)]))
        plt.close(fig)

    monkeypatch.setattr(pictures, "show", keep)
    return shown


@pytest.fixture
def typed(drawn, monkeypatch):
    """The two fields of the widget, as somebody in a notebook sees them; the network is the lecture's own."""
    displayed = []
    monkeypatch.setattr(pictures, "can_be_moved", lambda: True)
    monkeypatch.setattr("IPython.display.display", displayed.append)
    pictures.ask_your_own(answer, LECTURE_STORY, ["Where is the milk now?"])
    story, question, _ = displayed[0].children
    return story, question


def answer(sentences, question):
    lexicon = lecture_lexicon()
    model = MemN2N(len(lexicon), LECTURE_RECIPE.dim, LECTURE_RECIPE.hops, LECTURE_MEMORY)
    model.load_state_dict(lecture_state())
    newest_first = [lexicon.encode(sentence, LECTURE_WORDS) for sentence in reversed(sentences)]
    logits, attention = model(
        torch.tensor([newest_first]), torch.tensor([lexicon.encode(question, LECTURE_WORDS)])
    )
    return lexicon.words[logits[0].argmax()], attention[0].flip(-1)


def test_a_story_shows_every_sentence_every_hop_and_the_answer(drawn):
    looked = torch.tensor([[0.9, 0.1], [0.0, 1.0]])
    pictures.story_attention(["One.", "Two."], {"Who?": ("me", looked)}, support=[(1,)])
    alt, texts = drawn[0]
    assert "hop 1 at 'One.' (0.90), hop 2 at 'Two.' (1.00)" in alt
    assert {"One.", "Two.", "hop 1", "hop 2", "0.90", "0.10", "1.00"} <= set(texts)
    assert "\nWho?\n→ me" in texts


def test_restarts_and_shares_say_their_numbers(drawn):
    pictures.restarts_and_hops({1: (torch.tensor([0.3, 0.2]), torch.tensor([0.1, 0.4]))})
    assert "chosen restart wrong on 40%" in drawn[0][0]
    pictures.accuracy_bars({"right": 0.5}, "12 questions")
    assert drawn[1][0] == "12 questions: right 50%."


def test_the_lectures_story_is_asked_in_scripts(drawn):
    pictures.ask_your_own(answer, LECTURE_STORY, ["Where is the milk now?"])
    assert "Where is the milk now? office." in drawn[0][0]


def test_a_reader_may_ask_and_tell_what_they_like(drawn, typed):
    story, question = typed
    question.value = "Where was Joe before the office?"
    assert "kitchen. Looks most" in drawn[-1][0]
    story.value = "Jane went to the garden.\nBill moved to the office.\n\nJane went to the hallway."
    question.value = "where is jane"
    assert "where is jane hallway." in drawn[-1][0]


@pytest.mark.parametrize(
    ("told", "asked", "said"),
    [
        (STORY, "Where is the dragon?", "unknown words: dragon. Known are: apple,"),
        ("Joe went to Paris.", "Where is Joe?", "unknown words: paris."),
        (STORY, "Where was Joe before the office now now?", "has 8 words; at most 6 fit"),
        ("...", "Where is Joe?", "'...' has no words"),
        ("", "Where is Joe?", "Tell at least one sentence"),
        (STORY, " ", "and ask something"),
    ],
)
def test_what_cannot_be_answered_is_said_in_a_sentence(drawn, typed, capsys, told, asked, said):
    story, question = typed
    story.value, question.value = told, asked
    pictures_before = len(drawn)
    capsys.readouterr()
    story.value = told + "\n\n"
    assert len(drawn) == pictures_before
    assert said in capsys.readouterr().out
