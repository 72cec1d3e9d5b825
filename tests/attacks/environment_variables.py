"""Prints the environment, in which graders keep tokens.

Must happen: only what the sandbox itself has set; every exercise counts.
"""

CELL = """import os
print(dict(os.environ))
print(open('/proc/self/environ').read())
"""
LOSES = "nothing"
NEVER_SHOWS = "attacked-by"
PROMISE = "P7"
