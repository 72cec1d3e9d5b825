"""The numbers of chapters 12 and 13: translation, captions, speech, sorting and reversing, rollout.

    python benchmarks/numbers_sequences.py [--examples 1000]

Everything is measured on examples that no training has seen: held-out dates, fresh seeds for the rest. ± is one standard
error. Reported is whether each target is met; the exit code is the number of targets missed.
"""

import argparse
import math
import sys
import time

import torch
from targets import Table  # its neighbour in this folder
from torch import Tensor, nn

from course.data.captions import NAMED, WORDS, make_scenes
from course.data.dates import SOURCE, TARGET, DatePair, make_dates
from course.data.sequences import exact, make_sequences
from course.data.tones import NOTES, batch_spectrograms, make_utterances
from course.data.vocabulary import END, START
from course.data.words_in_context import SENSES, context_batch, make_sentences
from course.data.words_in_context import WORDS as CONTEXT_WORDS
from course.models.captioner import load_captioner
from course.models.listener import load_listener
from course.models.transformer import load_context_transformer, load_sequence_transformer
from course.models.translation import Translator, date_translator, load_date_translator
from solutions.self_attention import (
    attention_rollout,
    encoder_block,
    multi_head_attention,
    positional_encoding,
    scaled_dot_product_attention,
)
from solutions.sequence_attention import (
    attend_source,
    greedy_decode,
    monotonicity,
    pyramid,
    spatial_attention,
    translation_loss,
)


class Shares(Table):
    """A table that also knows how to print a share."""

    def share(self, what: str, right: Tensor, target: float | None = None) -> None:
        """A share in percent with its standard error, against a target to be reached."""
        p = right.float().mean().item()
        error = math.sqrt(p * (1 - p) / right.numel())
        self.line(
            what,
            f"{100 * p:5.1f} ± {100 * error:3.1f} %",
            f"≥ {100 * target:.0f} %" if target is not None else "",
            p >= target if target is not None else None,
        )


def starts(count: int) -> Tensor:
    return torch.full((count,), START)


@torch.no_grad()
def translated(model: Translator, pairs: list[DatePair]) -> Tensor:
    """Whether each pair is translated symbol by symbol."""
    encoded = model.encode(SOURCE.batch([pair.words for pair in pairs]))
    tokens, _ = greedy_decode(
        model.stepper(encoded, attend_source), encoded.state, starts(len(pairs)), END, 48
    )
    return torch.tensor([TARGET.decode(row) == pair.symbols for row, pair in zip(tokens, pairs, strict=True)])


def dates(table: Shares, examples: int) -> None:
    """Translation, with attention and without, by sentence length; and a network trained within seconds."""
    print("\nTranslation: written-out dates, held-out dates only")
    models = {"with attention": load_date_translator(), "one vector": load_date_translator(attends=False)}
    for name, model in models.items():
        pairs = make_dates(examples, seed=9000, dates=(1, 2, 3), held_out=True)
        table.share(
            f"{name}: one to three dates, exact", translated(model, pairs), 0.99 if model.attends else None
        )
        for number in (1, 2, 3, 4):
            pairs = make_dates(examples // 2, seed=9000 + number, dates=number, held_out=True)
            note = " (never seen in training)" if number == 4 else ""
            table.share(f"    {number} date(s){note}", translated(model, pairs))
    pairs = make_dates(2 * examples, seed=9010, dates=(1, 2, 3, 4), held_out=True)
    lengths = torch.tensor([len(pair.words) for pair in pairs])
    right = {name: translated(model, pairs) for name, model in models.items()}
    for low in range(4, 52, 6):
        chosen = (lengths >= low) & (lengths < low + 6)
        if chosen.sum() >= 20:
            shares = "  ".join(f"{100 * found[chosen].float().mean():5.1f} %" for found in right.values())
            table.line(f"    {low} to {low + 5} words: with attention / one vector", shares)
    start = time.process_time()
    fresh = beginner()
    seconds = time.process_time() - start
    table.share(
        f"trained in the chapter ({seconds:.0f} s of CPU, one date), exact",
        translated(fresh, make_dates(examples, seed=9020, held_out=True)),
    )


def beginner(steps: int = 300) -> Translator:
    """The network that chapter 12 trains before the reader's eyes."""
    torch.manual_seed(1)
    model = date_translator()
    optimizer = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=8e-3, total_steps=steps)
    for step in range(steps):
        pairs = make_dates(64, seed=step)
        tokens = TARGET.batch([pair.symbols for pair in pairs], end=True)
        logits, _ = model(SOURCE.batch([pair.words for pair in pairs]), tokens, attend_source)
        optimizer.zero_grad()
        translation_loss(logits, tokens).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return model


@torch.no_grad()
def captions(table: Shares, examples: int) -> None:
    """Captions word for word, and the peak of attention on the thing that is named."""
    print("\nCaptions: generated scenes")
    model, scenes = load_captioner(), make_scenes(examples, seed=9100)
    features, state = model.encode(scenes.images)
    speak = model.stepper(features, spatial_attention)

    def step(token: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits, state, weights = speak(token, state)
        return logits, state, weights.flatten(-2)

    tokens, looks = greedy_decode(step, state, starts(examples), END, 12)
    said = [WORDS.decode(row) for row in tokens]
    table.share(
        "caption word for word",
        torch.tensor([a == b for a, b in zip(said, scenes.captions, strict=True)]),
        0.90,
    )
    hits, blind = {}, []
    for place, thing in enumerate(NAMED):
        if thing >= 0:
            name = f"{('colour', 'shape')[place in (3, 8)]} of the {('big', 'small')[thing]} thing"
            hits[name] = on_box(looks[:, place].argmax(-1), scenes.boxes[:, thing])
            blind.append(
                torch.stack([on_box(torch.full((examples,), p), scenes.boxes[:, thing]) for p in range(100)])
            )
    table.share("peak of attention on the thing being named", torch.cat(list(hits.values())), 0.80)
    for name, found in hits.items():
        table.share(f"    {name}", found)
    table.share("    for comparison, a peak anywhere", torch.cat(blind))


def on_box(place: Tensor, boxes: Tensor, cell: int = 4) -> Tensor:
    """Whether a place of the 10 × 10 overlaps the box."""
    row, col = place // 10 * cell, place % 10 * cell
    top, left, bottom, right = boxes.T
    return (row < bottom) & (row + cell > top) & (col < right) & (col + cell > left)


@torch.no_grad()
def speech(table: Shares, examples: int) -> None:
    """Words of notes, spelt letter for letter; and how often attention steps back."""
    print("\nSpeech: generated tone sequences")
    model, utterances = load_listener(), make_utterances(examples, seed=9200)
    frames, lengths = batch_spectrograms(utterances)
    heard = model.listen(frames, lengths, pyramid)
    tokens, alignment = greedy_decode(
        model.stepper(heard, attend_source), model.first_state(heard), starts(examples), END, 20
    )
    spelt = [NOTES.decode(row) for row in tokens]
    right = torch.tensor([word == utterance.notes for word, utterance in zip(spelt, utterances, strict=True)])
    table.share("spelt letter for letter, 3 to 8 notes", right, 0.95)
    steady = monotonicity(alignment)
    table.line("steps of attention that do not go back", f"{100 * steady.mean():.2f} %")
    table.share("    utterances without any step back", steady == 1)
    offsets = []  # seconds from the onset of the note being spelt to the peak of attention
    lasting = []  # whether the peak is not yet in the next note
    for utterance, looks, good in zip(utterances, alignment, right, strict=True):
        if good:
            peaks = (looks[: len(utterance.notes)].argmax(-1) * 0.04 + 0.02).tolist()
            offsets += [peak - start for peak, start in zip(peaks, utterance.starts, strict=True)]
            ends = [*utterance.starts[1:], math.inf]
            lasting += [peak < end for peak, end in zip(peaks, ends, strict=True)]
    offset, before_next = torch.tensor(offsets), torch.tensor(lasting)
    table.share("    peak from 0.1 s before its note to the next note", (offset > -0.1) & before_next)
    table.share("    peak before its note has begun", offset < 0)
    longer = make_utterances(examples // 2, seed=9201, lengths=(12, 12))
    frames, lengths = batch_spectrograms(longer)
    heard = model.listen(frames, lengths, pyramid)
    tokens, _ = greedy_decode(
        model.stepper(heard, attend_source), model.first_state(heard), starts(len(longer)), END, 20
    )
    spelt = [NOTES.decode(row) for row in tokens]
    table.share(
        "    12 notes (never seen in training)",
        torch.tensor([word == utterance.notes for word, utterance in zip(spelt, longer, strict=True)]),
    )


@torch.no_grad()
def agreement(table: Shares) -> None:
    """Largest difference to PyTorch's own attention, float32."""
    print("\nSelf-attention against PyTorch (float32, largest difference)")
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(8, 4, 32, 16, generator=generator) for _ in range(3))
    mask = torch.rand(8, 4, 32, 32, generator=generator) < 0.5
    mask[0, 0, :4] = False
    output, _ = scaled_dot_product_attention(q, k, v, mask)
    peer = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    gap = (output - peer).abs().max().item()
    table.line(
        "functional.scaled_dot_product_attention, 4 rows fully masked", f"{gap:.1e}", "≤ 1e-5", gap <= 1e-5
    )
    layer = nn.MultiheadAttention(64, 4, bias=False, batch_first=True)
    x = torch.randn(8, 32, 64, generator=generator)
    wq, wk, wv = (w.T for w in layer.in_proj_weight.chunk(3))
    seen = mask[:, 1] | torch.eye(32).bool()
    ours, _ = multi_head_attention(x, wq, wk, wv, layer.out_proj.weight.T, 4, seen)
    theirs, _ = layer(x, x, x, attn_mask=~seen.repeat_interleave(4, 0))
    gap = (ours - theirs).abs().max().item()
    table.line("nn.MultiheadAttention, masked", f"{gap:.1e}", "≤ 1e-5", gap <= 1e-5)


@torch.no_grad()
def rows_of_digits(table: Shares, examples: int) -> None:
    """Reversing and sorting, at the lengths of training and beyond."""
    print("\nReversing and sorting rows of digits, trained on 2 to 12")
    model = load_sequence_transformer()
    for task in ("reverse", "sort"):
        for low, high, target in (
            (2, 12, 0.99),
            (12, 12, None),
            (13, 13, None),
            (14, 14, None),
            (16, 16, None),
        ):
            rows = make_sequences(2 * examples if target else examples, 9300, (low, high), task)
            logits, _ = model(rows.inputs, encoder_block, positional_encoding, rows.mask)
            name = f"{task}, {low} to {high} digits" if low < high else f"    {low} digits"
            table.share(name + ", exact" * bool(target), exact(rows.answers, logits.argmax(-1)), target)


@torch.no_grad()
def meanings(table: Shares, examples: int) -> None:
    """Ambiguous words told apart; and which explanation names the word that told."""
    print("\nAmbiguous words in context")
    model = load_context_transformer()
    seen = {" ".join(words) for step in range(800) for words in make_sentences(64, seed=1_000_000 + step)[0]}
    drawn = zip(*make_sentences(3 * examples, seed=9400), strict=True)
    fresh = [(words, meaning) for words, meaning in drawn if " ".join(words) not in seen][:examples]
    sentences, asked = [words for words, _ in fresh], [meaning for _, meaning in fresh]
    batch = context_batch(sentences, asked)
    logits, weights = model(batch.inputs, encoder_block, positional_encoding, batch.mask)
    table.share(
        "every meaning right, in sentences never seen in training", exact(batch.answers, logits.argmax(-1))
    )
    rolled = attention_rollout(weights)
    cues = {
        cue: (word, sense)
        for word, senses in SENSES.items()
        for sense, cues in senses.items()
        for cue in cues
    }
    hits: dict[str, list[bool]] = {
        "first layer": [],
        "last layer": [],
        "rollout": [],
        "leaving words out": [],
    }
    for i, words in enumerate(sentences[: examples // 2]):
        for place, sense in asked[i].items():
            told_by = [j for j, word in enumerate(words) if cues.get(word) == (words[place], sense)]
            if not told_by:
                continue
            many = context_batch(
                [words] + [[*words[:j], "table", *words[j + 1 :]] for j in range(len(words))]
            )
            p, _ = model(many.inputs, encoder_block, positional_encoding, many.mask)
            p = p[:, place].softmax(-1)[:, CONTEXT_WORDS.encode([sense])[0]]
            amounts = (
                weights[0, i].mean(0)[place],
                weights[-1, i].mean(0)[place],
                rolled[i, place],
                p[0] - p[1:],
            )
            for name, amount in zip(hits, amounts, strict=True):
                others = amount[: len(words)].index_fill(0, torch.tensor(place), -1.0)
                hits[name].append(int(others.argmax()) in told_by)
    for name, found in hits.items():
        table.share(f"    the strongest other word is the cue: {name}", torch.tensor(found))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--examples", type=int, default=1000)
    examples = parser.parse_args().examples
    torch.set_num_threads(1)
    table = Shares(62, 18, 10)
    dates(table, examples)
    captions(table, examples)
    speech(table, examples)
    agreement(table)
    rows_of_digits(table, examples)
    meanings(table, examples)
    print(f"\n{table.missed} target(s) missed.")
    return table.missed


if __name__ == "__main__":
    sys.exit(main())
