"""Holds the grader up where no Python signal gets through: inside the regular expression engine.

Must happen: stopped by force from outside; only this exercise is lost.
"""

EXERCISE = """import re
def EXERCISE(*inputs):
    return re.match("(a+)+$", "a" * 64 + "b")
"""
LOSES = "first"
SAYS = "was stopped"
