"""Other people's text, made harmless for whatever shows it: a terminal, a page, a spreadsheet."""

import re
import unicodedata

_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor movements
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # titles, links, clipboard
)
_JOINERS = "\u200c\u200d"
"""Invisible, but part of how some languages and emoji are written."""

_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def plain(text: object) -> str:
    """One line that only says something: no control characters, escape sequences or changes of writing direction."""
    said = _SEQUENCES.sub("", str(text)).replace("\r\n", " ")
    return "".join(map(_shown, said)).strip()


def _shown(character: str) -> str:
    if character.isspace():
        return " "
    kind = unicodedata.category(character)
    if kind == "Cs":  # a file's name that is no UTF-8
        return "\N{REPLACEMENT CHARACTER}"
    return "" if kind in ("Cc", "Cf") and character not in _JOINERS else character


def cell(text: object) -> str:
    """The same for a CSV file: no spreadsheet takes any part of it for a formula.

    Where a semicolon separates columns, what follows one begins a new cell; so there is none.
    """
    said = plain(text).replace(";", ",")
    return f"'{said}" if said.startswith(_FORMULA) else said
