"""Generated speech: words of a language whose letters are notes, sung by changing voices over noise.

A word is three to eight notes of one octave. Every voice has its own pitch, speed and timbre; a short pause parts
the notes, so that "g g" is told from one long "g". What a listener gets is what speech recognition gets: a
spectrogram, one row of loudness per band for every hundredth of a second.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from course.data.vocabulary import Vocabulary

RATE = 8000
"""Samples of sound per second."""

FRAME = 80
"""Samples from one row of the spectrogram to the next: a hundredth of a second."""

WINDOW = 256
BANDS = 32
LOWEST_BIN = 12
"""The first of the 32 bands, 31.25 Hz apart, that the listener gets: 375 to 1344 Hz, all notes of the octave."""

PITCH = {"c": 523.25, "d": 587.33, "e": 659.25, "f": 698.46, "g": 783.99, "a": 880.00, "b": 987.77}
"""Frequencies in Hz of the fifth octave, equal temperament."""

NOTES = Vocabulary(PITCH)


class Utterance(NamedTuple):
    """sound (samples,) in [−1, 1] at 8,000 a second · notes, what was sung · starts, in seconds, of each note."""

    sound: np.ndarray
    notes: list[str]
    starts: list[float]


def make_utterances(count: int, seed: int, lengths: tuple[int, int] = (3, 8)) -> list[Utterance]:
    """Return `count` words of `lengths[0]` to `lengths[1]` notes."""
    generator = np.random.default_rng(seed)
    return [_sing(int(generator.integers(lengths[0], lengths[1] + 1)), generator) for _ in range(count)]


def _sing(length: int, generator: np.random.Generator) -> Utterance:
    notes = [str(note) for note in generator.choice(list(PITCH), size=length)]
    detune = 2 ** generator.uniform(-1 / 48, 1 / 48)
    tempo = generator.uniform(0.7, 1.4)
    overtones = generator.uniform(0, 0.5, size=2)
    pieces, starts, now = [], [], 0
    for note in notes:
        pause = np.zeros(int(RATE * tempo * generator.uniform(0.025, 0.06)))
        seconds = tempo * generator.uniform(0.06, 0.14)
        starts.append((now + len(pause)) / RATE)
        pieces += [pause, _tone(PITCH[note] * detune, seconds, overtones)]
        now += len(pause) + len(pieces[-1])
    pieces.append(np.zeros(int(RATE * 0.04)))
    sound = np.concatenate(pieces) * generator.uniform(0.3, 0.6)
    sound = sound + generator.normal(0, generator.uniform(0.005, 0.04), size=len(sound))
    return Utterance(sound.clip(-1, 1), notes, starts)


def _tone(hertz: float, seconds: float, overtones: np.ndarray) -> np.ndarray:
    """Return one note with two overtones, faded in and out over a hundredth of a second."""
    time = np.arange(int(seconds * RATE)) / RATE
    wave = np.sin(2 * np.pi * hertz * time)
    for multiple, strength in enumerate(overtones, start=2):
        wave += strength * np.sin(2 * np.pi * multiple * hertz * time)
    fade = np.minimum(1, np.minimum(time, time[::-1]) / 0.01)
    return wave * fade / (1 + overtones.sum())


def spectrogram(sound: np.ndarray) -> Float[Tensor, "frames bands"]:
    """Return the loudness of each band in each hundredth of a second: log(1e-3 + magnitude), scaled to about [−1, 1]."""
    wave = torch.from_numpy(np.asarray(sound, dtype=np.float32))
    spectrum = torch.stft(
        wave, WINDOW, FRAME, window=torch.hann_window(WINDOW), center=True, return_complex=True
    )
    bands = spectrum[LOWEST_BIN : LOWEST_BIN + BANDS].abs() / WINDOW
    return torch.log10(1e-3 + bands).T / 1.5 + 1


def batch_spectrograms(
    utterances: list[Utterance],
) -> tuple[Float[Tensor, "batch frames bands"], Float[Tensor, "batch"]]:
    """Return the spectrograms of several words, padded with silence to the longest, and each one's length in frames."""
    rows = [spectrogram(utterance.sound) for utterance in utterances]
    lengths = torch.tensor([len(row) for row in rows])
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1.0), lengths
