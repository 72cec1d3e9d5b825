"""The pictures and widgets of chapters 12 and 13: they draw, they have alt texts, they answer what is typed."""

import matplotlib.pyplot as plt
import pytest
import torch

import course.show.self_attention as around
import course.show.sequence_attention as back
from course.data.captions import make_scenes
from course.data.tones import make_utterances, spectrogram


@pytest.fixture
def drawn(monkeypatch):
    """What was shown: the alt texts, and the texts in each figure."""
    shown = []

    def keep(fig, alt):
        shown.append((alt, [text.get_text() for text in fig.findobj(plt.Text)]))
        plt.close(fig)

    monkeypatch.setattr(back, "show", keep)
    monkeypatch.setattr(around, "show", keep)
    return shown


@pytest.fixture
def notebook(monkeypatch):
    """Pretend that somebody is looking; gather the widgets that are displayed."""
    displayed = []
    monkeypatch.setattr(back, "in_notebook", lambda: True)
    monkeypatch.setattr(around, "in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", displayed.append)
    return displayed


def test_an_alignment_names_every_word_read_and_written(drawn):
    back.alignment_matrices(
        [torch.rand(5, 6)], [["two", "words"]], [["2", "-"]], alt="what to see", titles=["2-"]
    )
    alt, texts = drawn[0]
    assert alt == "what to see"
    assert {"two", "words", "2", "-", "read", "written", "attention weight"} <= set(texts)


def test_accuracy_by_length_and_the_other_pictures_draw(drawn):
    lengths = torch.arange(20).float()
    back.accuracy_by_length({"a": (lengths, lengths > 5)}, alt="a", trained=(0, 5))
    scenes = make_scenes(1, seed=0)
    back.looks_over_picture(
        scenes.images[0], scenes.captions[0], torch.rand(10, 10, 10), scenes.boxes[0], [0, 1], alt="b"
    )
    heard = spectrogram(make_utterances(1, seed=0)[0].sound)
    back.looks_along_sound(heard, torch.rand(4, -(-len(heard) // 4)), ["c", "d", "end"], 4, alt="c")
    around.attention_heads(torch.rand(2, 2, 3, 3), ["a", "b", "c"], alt="d")
    around.spread_by_width([4, 16], {"x": ([0.1, 0.2], [0.1, 0.2])}, alt="e")
    around.position_waves(torch.rand(5, 6), alt="f")
    around.words_in_space(torch.rand(2, 6, 4), ["u", "v"] * 3, alt="g")
    around.explanations_of_word(["a", "b"], {"x": torch.rand(2), "y": torch.zeros(2)}, alt="h", marked=1)
    assert [alt for alt, _ in drawn] == list("abcdefgh")
    assert "time (s)" in drawn[2][1]


def test_widgets_are_silent_in_scripts(drawn):
    back.translation_widget(lambda words: (words, torch.rand(1, 1)), ["one"], ["one"])
    back.caption_widget(torch.rand(1, 3, 40, 40), lambda image: (["a"], torch.rand(1, 10, 10)))
    around.context_widget(lambda words: ({}, torch.rand(1, 1, 1, 1)), ["one"], ["one"])
    assert drawn == []


def test_the_translation_widget_translates_what_is_typed_and_names_strange_words(drawn, notebook):
    back.translation_widget(
        lambda words: (list(words), torch.rand(len(words), len(words))), ["one two", "two"], ["one", "two"]
    )
    field, choice, notice, _ = notebook[0].children
    assert drawn[-1][0].endswith("onetwo.")
    choice.value = "two"
    assert field.value == "two"
    assert drawn[-1][0].endswith("with two.")
    field.value = "two zebras"
    assert "zebras" in notice.value
    field.value = ""
    assert notice.value == ""


def test_the_context_widget_tells_meanings_and_refuses_unknown_words(drawn, notebook):
    around.context_widget(
        lambda words: ({0: "Ufer"} if words[0] == "bank" else {}, torch.rand(1, 1, len(words), len(words))),
        ["bank of", "of"],
        ["bank", "of"],
    )
    field, choice, notice, _ = notebook[0].children
    assert notice.value == "bank = Ufer"
    choice.value = "of"
    assert "No ambiguous word" in notice.value
    pictures = len(drawn)
    field.value = "bank zebra"
    assert "zebra" in notice.value
    assert len(drawn) == pictures


def test_the_caption_widget_steps_through_scenes_and_words(drawn, notebook):
    asked = []

    def describe(image):
        asked.append(image)
        return ["a", "red", "cross"], torch.rand(3, 10, 10)

    back.caption_widget(torch.rand(2, 3, 40, 40), describe)
    assert "cross" in drawn[-1][0]
    scene, word = notebook[0].children[:2]
    word.value = 1
    assert "red" in drawn[-1][0]
    assert len(asked) == 1, "a scene is described once"
    scene.value = 1
    assert len(asked) == 2
