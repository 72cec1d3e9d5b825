"""The networks of chapters 12 and 13: they run on the reader's functions, and their checkpoints do what is said of them."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from course.data.captions import NAMED, WORDS, make_scenes
from course.data.dates import SOURCE, TARGET, make_dates
from course.data.sequences import exact, make_sequences
from course.data.tones import NOTES, batch_spectrograms, make_utterances
from course.data.vocabulary import END, START
from course.data.words_in_context import context_batch, make_sentences
from course.models.captioner import load_captioner
from course.models.listener import BothWays, load_listener
from course.models.transformer import (
    context_transformer,
    load_context_transformer,
    load_sequence_transformer,
)
from course.models.translation import date_translator, load_date_translator
from solutions.self_attention import encoder_block, positional_encoding
from solutions.sequence_attention import (
    attend_source,
    greedy_decode,
    monotonicity,
    pyramid,
    spatial_attention,
)


def starts(count: int) -> torch.Tensor:
    return torch.full((count,), START)


def translated(model, pairs):
    with torch.no_grad():
        encoded = model.encode(SOURCE.batch([pair.words for pair in pairs]))
        tokens, _ = greedy_decode(
            model.stepper(encoded, attend_source), encoded.state, starts(len(pairs)), END, 48
        )
    return torch.tensor([TARGET.decode(row) == pair.symbols for row, pair in zip(tokens, pairs, strict=True)])


def test_reading_both_ways_equals_a_bidirectional_layer_on_packed_rows():
    peer = nn.LSTM(5, 4, batch_first=True, bidirectional=True)
    both, state = BothWays(5, 4), peer.state_dict()
    both.there.load_state_dict({key: value for key, value in state.items() if "reverse" not in key})
    both.back.load_state_dict(
        {key.replace("_reverse", ""): value for key, value in state.items() if "reverse" in key}
    )
    frames, lengths = (
        torch.randn(3, 7, 5, generator=torch.Generator().manual_seed(0)),
        torch.tensor([7, 4, 1]),
    )
    packed = pack_padded_sequence(frames, lengths, batch_first=True, enforce_sorted=False)
    expected, _ = pad_packed_sequence(peer(packed)[0], batch_first=True)
    torch.testing.assert_close(both(frames, lengths), expected)


def test_a_translation_does_not_depend_on_its_neighbours_in_the_batch():
    model = date_translator()
    pairs = make_dates(6, seed=0, dates=(1, 3))
    together = model.encode(SOURCE.batch([pair.words for pair in pairs]))
    alone = model.encode(SOURCE.batch([pairs[0].words]))
    torch.testing.assert_close(together.annotations[0, : len(pairs[0].words)], alone.annotations[0])
    torch.testing.assert_close(together.state[0], alone.state[0])


def test_a_short_row_means_the_same_beside_a_long_one():
    model = context_transformer()
    sentences, _ = make_sentences(6, seed=0)
    short = min(sentences, key=len)
    with torch.no_grad():
        alone = model(*_arguments([short]))[0][0]
        beside = model(*_arguments([short, max(sentences, key=len)]))[0][0, : len(short)]
    torch.testing.assert_close(beside, alone, rtol=1e-4, atol=1e-4)


def _arguments(sentences):
    batch = context_batch(sentences)
    return batch.inputs, encoder_block, positional_encoding, batch.mask


def test_the_translator_writes_held_out_dates_and_only_attention_copes_with_two():
    one, two = (make_dates(100, seed=500 + n, dates=n, held_out=True) for n in (1, 2))
    assert translated(load_date_translator(), one + two).float().mean() >= 0.99
    forgetful = load_date_translator(attends=False)
    assert translated(forgetful, one).float().mean() >= 0.9
    assert translated(forgetful, two).float().mean() <= 0.2


def test_the_captioner_says_what_is_there_and_looks_at_it():
    model, scenes = load_captioner(), make_scenes(150, seed=501)
    with torch.no_grad():
        features, state = model.encode(scenes.images)
        step = model.stepper(features, spatial_attention)
        flat = lambda token, state: (*(out := step(token, state))[:2], out[2].flatten(-2))  # noqa: E731
        tokens, looks = greedy_decode(flat, state, starts(150), END, 12)
    said = [WORDS.decode(row) for row in tokens]
    assert sum(a == b for a, b in zip(said, scenes.captions, strict=True)) >= 0.93 * 150
    hits = []
    for place, thing in enumerate(NAMED):
        if thing >= 0:
            top, left, bottom, right = scenes.boxes[:, thing].T
            peak = looks[:, place].argmax(-1)
            row, col = peak // 10 * 4, peak % 10 * 4
            hits.append((row < bottom) & (row + 4 > top) & (col < right) & (col + 4 > left))
    assert torch.stack(hits).float().mean() >= 0.8


def test_the_listener_spells_what_was_sung_and_moves_forward():
    model, utterances = load_listener(), make_utterances(100, seed=502)
    frames, lengths = batch_spectrograms(utterances)
    with torch.no_grad():
        heard = model.listen(frames, lengths, pyramid)
        tokens, alignment = greedy_decode(
            model.stepper(heard, attend_source), model.first_state(heard), starts(100), END, 16
        )
    right = [NOTES.decode(row) == utterance.notes for row, utterance in zip(tokens, utterances, strict=True)]
    assert sum(right) >= 95
    assert monotonicity(alignment).mean() >= 0.97


@pytest.mark.parametrize("task", ["reverse", "sort"])
def test_the_sequence_transformer_is_right_at_trained_lengths_and_lost_beyond(task):
    model = load_sequence_transformer()
    shares = []
    for lengths in ((2, 12), (17, 18)):
        rows = make_sequences(300, seed=503, lengths=lengths, task=task)
        with torch.no_grad():
            logits, _ = model(rows.inputs, encoder_block, positional_encoding, rows.mask)
        shares.append(exact(rows.answers, logits.argmax(-1)).float().mean())
    assert shares[0] >= 0.98
    assert shares[1] <= 0.5


def test_the_context_transformer_tells_what_words_mean():
    sentences, meanings = make_sentences(300, seed=504)
    batch = context_batch(sentences, meanings)
    with torch.no_grad():
        logits, _ = load_context_transformer()(batch.inputs, encoder_block, positional_encoding, batch.mask)
    assert exact(batch.answers, logits.argmax(-1)).float().mean() >= 0.99
