"""Written-out dates and what they mean: "the third of may nineteen eighty four" is 1984-05-03.

People write the day before or after the month, the year first or last, with or without the weekday.
A sentence holds one to four dates; its translation is the ISO form, several dates parted by a slash.
One date in ten is held out: it appears in no training sentence, in no way of writing.
"""

import datetime
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from course.data.vocabulary import Vocabulary

FIRST_DAY = datetime.date(1900, 1, 1)
LAST_DAY = datetime.date(2099, 12, 31)

_words = str.split

_ONES = _words("zero one two three four five six seven eight nine")
_TEENS = _words("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen")
_TENS = _words("twenty thirty forty fifty sixty seventy eighty ninety")
_ORDINALS = _words(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
)
_MONTHS = _words("january february march april may june july august september october november december")
_WEEKDAYS = _words("monday tuesday wednesday thursday friday saturday sunday")
_SMALL_WORDS = _words("the of on in year day hundred thousand oh and from to between then also thirtieth")

SOURCE = Vocabulary([*_SMALL_WORDS, *_ONES, *_TEENS, *_TENS, *_ORDINALS, *_MONTHS, *_WEEKDAYS])
TARGET = Vocabulary("0123456789-/")


class DatePair(NamedTuple):
    """A sentence in words and its translation, symbol by symbol."""

    words: list[str]
    symbols: list[str]

    @property
    def iso(self) -> str:
        return "".join(self.symbols)


def number_in_words(number: int) -> list[str]:
    """Return a number from 0 to 99 in words: 42 is ["forty", "two"]."""
    if not 0 <= number <= 99:
        raise ValueError(f"number_in_words knows 0 to 99, not {number}.")
    if number < 10:
        return [_ONES[number]]
    if number < 20:
        return [_TEENS[number - 10]]
    tens, ones = divmod(number, 10)
    return [_TENS[tens - 2]] + ([_ONES[ones]] if ones else [])


def day_in_words(day: int) -> list[str]:
    """Return a day of the month as an ordinal: 23 is ["twenty", "third"]."""
    if not 1 <= day <= 31:
        raise ValueError(f"A day of the month is 1 to 31, not {day}.")
    if day <= 20:
        return [_ORDINALS[day - 1]]
    if day == 30:
        return ["thirtieth"]
    tens, ones = divmod(day, 10)
    return [_TENS[tens - 2], _ORDINALS[ones - 1]]


def year_in_words(year: int, style: int = 0) -> list[str]:
    """Return a year in words; `style` picks among the ways in which people say it."""
    century, rest = divmod(year, 100)
    if century == 20 and (rest < 10 or style == 1):
        return ["two", "thousand"] + (["and", *number_in_words(rest)] if rest else [])
    if rest == 0:
        return [*number_in_words(century), "hundred"]
    if rest < 10:
        middle = ["hundred", "and"] if style == 1 else ["oh"]
        return [*number_in_words(century), *middle, *number_in_words(rest)]
    return [*number_in_words(century), *number_in_words(rest)]


def date_in_words(date: datetime.date, generator: np.random.Generator) -> list[str]:
    """Write one date out, in one of the ways in which people do."""
    day, month = day_in_words(date.day), _MONTHS[date.month - 1]
    year = year_in_words(date.year, int(generator.integers(2)))
    weekday = [_WEEKDAYS[date.weekday()]] if generator.random() < 0.4 else []
    ways = (
        [*weekday, "the", *day, "of", month, *year],
        [*weekday, month, "the", *day, *year],
        [*weekday, month, *day, "in", "the", "year", *year],
        ["the", *day, "day", "of", month, "in", "the", "year", *year],
        ["in", *year, "on", *weekday, "the", *day, "of", month],
        [*year, month, *day],
    )
    return ways[generator.integers(len(ways))]


def is_held_out(date: datetime.date) -> bool:
    """Say whether this date is kept for testing: one date in ten, scattered over the two centuries."""
    return zlib.crc32(date.isoformat().encode()) % 10 == 0


def make_dates(
    count: int, seed: int, dates: int | Sequence[int] = 1, held_out: bool = False
) -> list[DatePair]:
    """Return `count` sentences of one to four dates each, all of them held out, or none.

    `dates` is the number of dates in a sentence, or the numbers to draw from.
    """
    generator = np.random.default_rng(seed)
    choices = [dates] if isinstance(dates, int) else list(dates)
    if not choices or not set(choices) <= {1, 2, 3, 4}:
        raise ValueError(f"A sentence holds 1 to 4 dates, not {dates}.")
    return [_sentence(int(generator.choice(choices)), generator, held_out) for _ in range(count)]


def _sentence(dates: int, generator: np.random.Generator, held_out: bool) -> DatePair:
    chosen = [_draw_date(generator, held_out) for _ in range(dates)]
    written = [date_in_words(date, generator) for date in chosen]
    joints: list[list[str]]
    if dates == 1:
        joints = [[["on"], []][generator.integers(2)]]
    elif dates == 2:
        joints = [[["from"], ["to"]], [["between"], ["and"]]][generator.integers(2)]
    else:
        joints = [["on"], *[["then"]] * (dates - 2), ["and", "also"]]
    for joint, date in zip(joints, written, strict=True):
        if joint == ["on"] and date[0] not in ("the", *_MONTHS, *_WEEKDAYS):
            joint.clear()
    words = [word for joint, date in zip(joints, written, strict=True) for word in (*joint, *date)]
    return DatePair(words, list("/".join(date.isoformat() for date in chosen)))


def _draw_date(generator: np.random.Generator, held_out: bool) -> datetime.date:
    while True:
        date = datetime.date.fromordinal(
            int(generator.integers(FIRST_DAY.toordinal(), LAST_DAY.toordinal() + 1))
        )
        if is_held_out(date) == held_out:
            return date
