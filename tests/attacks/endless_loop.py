"""Holds the grader up: the first exercise never returns.

Must happen: it is stopped; its points are lost and the feedback says so; nothing else is.
"""

EXERCISE = """def EXERCISE(*inputs):
    while True:
        pass
"""
LOSES = "first"
SAYS = "was stopped"
