"""Stops in a line that is markup: of rich's tables, of HTML, of a terminal, of a spreadsheet.

Must happen: it is quoted as text wherever it is shown; control characters are dropped; grading goes on.
"""

EXERCISE = (
    "def EXERCISE(*inputs):\n"
    "    raise ValueError  # [/b] [link=http://x]x[i] \x1b[31m\x07\x9b <img src=x onerror=window.attacked=1> ;=cmd|' /C calc'!A0 \u202e {0} %s\n"
)
LOSES = "first"
SAYS = r"\[/b\]"
NEVER_SHOWS = r"\\u001b|\\u0007|\\u009b|[\x1b\x07\x9b\u202e]"
PROMISE = "P12"
