"""Stops in a line of thirty thousand characters.

Must happen: the feedback quotes the beginning of it.
"""

EXERCISE = "def EXERCISE(*inputs):\n    raise ValueError('" + "y" * 30_000 + "')\n"
LOSES = "first"
SAYS = "ValueError in your line"
NEVER_SHOWS = "y{1000}"
PROMISE = "P12"
