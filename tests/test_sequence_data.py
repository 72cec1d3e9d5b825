"""Dates, captions, tones, digit rows, ambiguous words and parallel corpora: what they promise."""

import datetime
import gzip

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course.data import DataError
from course.data.captions import NAMED, SIZE, WHERE, WORDS, make_scenes
from course.data.dates import (
    SOURCE,
    TARGET,
    date_in_words,
    day_in_words,
    is_held_out,
    make_dates,
    number_in_words,
    year_in_words,
)
from course.data.parallel import load_parallel, vocabulary_of, words_of
from course.data.sequences import SYMBOLS, exact, make_sequences, sequence_batch
from course.data.tones import BANDS, NOTES, PITCH, RATE, batch_spectrograms, make_utterances, spectrogram
from course.data.vocabulary import END, PAD, UNKNOWN, Vocabulary
from course.data.words_in_context import SENSES, context_batch, make_sentences
from course.data.words_in_context import WORDS as CONTEXT_WORDS

few = settings(max_examples=30, deadline=None)


# vocabulary


def test_a_vocabulary_decodes_what_it_encoded_up_to_the_end():
    words = Vocabulary(["yes", "no", "yes"])
    assert len(words) == 4 + 2
    assert words.decode(words.encode(["no", "yes"])) == ["no", "yes"]
    assert words.encode(["perhaps"]) == [UNKNOWN]
    assert words.decode([4, END, 5]) == ["yes"]
    batch = words.batch([["yes"], ["no", "yes"]], end=True)
    assert batch.tolist() == [[4, END, PAD], [5, 4, END]]


# dates


@few
@given(st.dates(datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)), st.integers(0, 99))
def test_every_date_can_be_written_out_in_known_words(date, seed):
    words = date_in_words(date, np.random.default_rng(seed))
    assert UNKNOWN not in SOURCE.encode(words)
    assert set(day_in_words(date.day)) <= set(words)


def test_numbers_are_said_as_people_say_them():
    assert number_in_words(42) == ["forty", "two"]
    assert day_in_words(23) == ["twenty", "third"]
    assert year_in_words(1905) == ["nineteen", "oh", "five"]
    assert year_in_words(2000) == ["two", "thousand"]
    assert year_in_words(2017) == ["twenty", "seventeen"]
    assert year_in_words(1900) == ["nineteen", "hundred"]


def test_no_two_numbers_sound_alike():
    assert len({tuple(number_in_words(number)) for number in range(100)}) == 100
    assert len({tuple(day_in_words(day)) for day in range(1, 32)}) == 31
    for style in (0, 1):
        assert len({tuple(year_in_words(year, style)) for year in range(1900, 2100)}) == 200


def test_held_out_dates_never_appear_in_training():
    for held_out in (False, True):
        for pair in make_dates(100, seed=3, dates=(1, 2, 3, 4), held_out=held_out):
            written = pair.iso.split("/")
            assert {is_held_out(datetime.date.fromisoformat(date)) for date in written} == {held_out}
            assert UNKNOWN not in TARGET.encode(pair.symbols)
    share = np.mean([is_held_out(datetime.date.fromordinal(day)) for day in range(700_000, 720_000)])
    assert 0.09 < share < 0.11


def test_the_same_seed_gives_the_same_sentences():
    assert make_dates(5, seed=1, dates=2) == make_dates(5, seed=1, dates=2)
    assert make_dates(5, seed=1) != make_dates(5, seed=2)
    with pytest.raises(ValueError, match="1 to 4"):
        make_dates(5, seed=1, dates=5)


# captions


def test_captions_say_what_the_boxes_show():
    scenes = make_scenes(60, seed=0)
    assert scenes.images.shape == (60, 3, SIZE, SIZE)
    assert scenes.images.min() >= 0
    assert scenes.images.max() <= 1
    assert torch.equal(make_scenes(60, seed=0).images, scenes.images)
    for caption, boxes in zip(scenes.captions, scenes.boxes, strict=True):
        assert len(caption) == len(NAMED)
        assert UNKNOWN not in WORDS.encode(caption)
        (top, left, bottom, right), (top_1, left_1, bottom_1, right_1) = boxes.tolist()
        assert bottom - top > bottom_1 - top_1, "the big one is first"
        down, across = (top_1 + bottom_1) - (top + bottom), (left_1 + right_1) - (left + right)
        vertical = abs(down) > abs(across)
        expected = (
            (WHERE[0] if down > 0 else WHERE[1]) if vertical else (WHERE[2] if across > 0 else WHERE[3])
        )
        assert caption[4] == expected
        assert bottom <= top_1 or bottom_1 <= top or right <= left_1 or right_1 <= left, "they do not overlap"


def test_the_named_colour_is_in_the_box():
    scenes = make_scenes(40, seed=1)
    for image, caption, boxes in zip(*scenes, strict=True):
        top, left, bottom, right = boxes[0].tolist()
        middle = image[:, (top + bottom) // 2, (left + right) // 2]
        if caption[2] in ("red", "green", "blue"):
            assert middle.argmax() == ("red", "green", "blue").index(caption[2])


# tones


def test_the_loudest_band_of_a_note_is_its_pitch():
    for utterance in make_utterances(4, seed=0, lengths=(1, 2)):
        frames = spectrogram(utterance.sound)
        assert frames.shape[1] == BANDS
        for note, start in zip(utterance.notes, utterance.starts, strict=True):
            band = frames[int(start * 100) + 4].argmax()
            assert abs((12 + band) * RATE / 256 - PITCH[note]) < 40


def test_spectrograms_are_padded_with_silence():
    utterances = make_utterances(5, seed=1)
    frames, lengths = batch_spectrograms(utterances)
    assert frames.shape == (5, lengths.max(), BANDS)
    for row, length, utterance in zip(frames, lengths, utterances, strict=True):
        torch.testing.assert_close(row[:length], spectrogram(utterance.sound))
        assert (row[length:] == -1).all()
        assert UNKNOWN not in NOTES.encode(utterance.notes)
    assert (utterances[0].sound == make_utterances(5, seed=1)[0].sound).all()


# rows of digits


@few
@given(st.lists(st.sampled_from("0123456789"), min_size=1, max_size=15), st.sampled_from(["reverse", "sort"]))
def test_answers_stand_where_they_are_read_off(row, task):
    rows = sequence_batch(task, [row, ["1"]])
    answers = SYMBOLS.decode([n for n in rows.answers[0].tolist() if n != PAD])
    assert answers == (sorted(row) if task == "sort" else row[::-1])
    assert (rows.answers[0, 1 : 1 + len(row)] != PAD).all()
    assert (rows.mask == (rows.inputs != PAD)[:, None, :]).all()


def test_the_task_says_nothing_about_the_length():
    inputs = make_sequences(400, seed=1_000_005).inputs
    sizes, sort = (inputs != PAD).sum(1) - 2, inputs[:, 0] == SYMBOLS.encode(["sort"])[0]
    for lengths in ((2, 5), (6, 9), (10, 12)):
        chosen = (sizes >= lengths[0]) & (sizes <= lengths[1])
        assert 0.35 < sort[chosen].float().mean() < 0.65


def test_a_row_is_exact_only_when_every_digit_is_right():
    rows = make_sequences(20, seed=0)
    assert exact(rows.answers, rows.answers).all()
    wrong = rows.answers.clone()
    wrong[:, 1] += 1
    assert not exact(rows.answers, wrong).any()
    with pytest.raises(ValueError, match="tasks"):
        sequence_batch("shuffle", [["1"]])


# words in context


def test_the_cue_of_every_asked_meaning_can_be_in_its_sentence_and_the_other_meanings_cannot():
    sentences, meanings = make_sentences(200, seed=0)
    for words, asked in zip(sentences, meanings, strict=True):
        for place, german in asked.items():
            other = next(sense for sense in SENSES[words[place]] if sense != german)
            assert not set(SENSES[words[place]][other]) & set(words)
        assert any(set(SENSES[words[place]][german]) & set(words) for place, german in asked.items())
    batch = context_batch(sentences, meanings)
    assert UNKNOWN not in batch.inputs
    assert [CONTEXT_WORDS.words[n] for n in batch.answers[0] if n > 0] == list(meanings[0].values())


def test_unknown_words_are_refused_by_name():
    with pytest.raises(ValueError, match="zebra"):
        context_batch([["the", "zebra"]])


# parallel corpora


def test_parallel_files_load_plain_and_packed(tmp_path):
    (tmp_path / "train.en").write_text("A man's dog runs.\n\nTwo men.\n", encoding="utf-8")
    (tmp_path / "train.de.gz").write_bytes(gzip.compress("Ein Hund läuft.\nLeer.\nZwei Männer.\n".encode()))
    pairs = load_parallel("train", "en", "de", tmp_path)
    assert pairs[0].source == ["a", "man's", "dog", "runs", "."]
    assert [pair.target for pair in pairs] == [["ein", "hund", "läuft", "."], ["zwei", "männer", "."]]
    assert vocabulary_of((pair.target for pair in pairs), at_least=2).words[4:] == (".",)
    assert words_of("Ja, so!") == ["ja", ",", "so", "!"]


def test_parallel_files_that_are_missing_damaged_or_unequal_say_what_to_do(tmp_path):
    with pytest.raises(DataError, match="fetch"):
        load_parallel("train", "en", "de", tmp_path)
    (tmp_path / "train.en").write_text("one\ntwo\n")
    (tmp_path / "train.de").write_text("eins\n")
    with pytest.raises(DataError, match="line by line"):
        load_parallel("train", "en", "de", tmp_path)
    (tmp_path / "val.en.gz").write_bytes(b"not gzip")
    with pytest.raises(DataError, match="cannot be read"):
        load_parallel("val", "en", "de", tmp_path)
