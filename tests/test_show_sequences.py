"""The pictures and widgets of chapters 12 to 14: they draw, they have alt texts, they answer what is typed."""

import matplotlib.pyplot as plt
import pytest
import torch

import course.show.reasoning as stepwise
import course.show.self_attention as around
import course.show.sequence_attention as back
from course.data.captions import make_scenes
from course.data.scenes import COLOURS, simulate_questions
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
    monkeypatch.setattr(stepwise, "show", keep)
    return shown


@pytest.fixture
def notebook(monkeypatch):
    """Pretend that somebody is looking; gather the widgets that are displayed."""
    displayed = []
    monkeypatch.setattr(back, "can_be_moved", lambda: True)
    monkeypatch.setattr("course.show.explore.can_be_moved", lambda: True)
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


def test_steps_of_reasoning_say_in_words_where_each_step_looks(drawn):
    asked = simulate_questions(("chain1",), 1, seed=0)
    looks = torch.full((2, 6), 0.02)
    looks[0, 3], looks[1, 1] = 0.9, 0.9
    thoughts = torch.tensor([[0.7, 0.2, 0.1, 0, 0], [0, 0.2, 0.8, 0, 0]])
    stepwise.reasoning_steps(asked.scenes, 0, asked.words[0], "grey", looks, thoughts)
    alt, texts = drawn[0]
    assert asked.sentence(0) in alt
    for step, thing in enumerate((3, 1), start=1):
        assert f"step {step} at the {COLOURS[asked.scenes.colours[0, thing]]} thing (0.90)" in alt
    assert {"step 1", "step 2", "0.90", "colour", "attention\nto words"} <= set(texts)


def test_scenes_can_be_asked_about_by_their_alt_text(drawn):
    asked = simulate_questions(("shape",), 1, seed=0)
    stepwise.scene_grid(asked.scenes, [asked.sentence(0)])
    alt, _ = drawn[0]
    assert f"{COLOURS[asked.scenes.colours[0, asked.path[0, 0]]]} {asked.answer(0)}" in alt
    assert all(colour in alt for colour in COLOURS)


def test_accuracies_of_reasoners_stand_in_the_picture_and_in_its_alt_text(drawn):
    stepwise.accuracy_by_kind({"a": {"left_half": 0.5}, "b": {"left_half": 1.0}}, "who can")
    stepwise.steps_against_chain(torch.tensor([[1.0, 0.25], [1.0, 0.75]]), (1, 2), (0, 1))
    (kinds, first), (chains, second) = drawn
    assert "a: left_half 50%; b: left_half 100%" in kinds
    assert {"50%", "left\nhalf"} <= set(first)
    assert "1 step: 0 relations 100%, 1 relation 25%; 2 steps: 0 relations 100%, 1 relation 75%" in chains
    assert {"25%", "75%", "relations in the question"} <= set(second)
