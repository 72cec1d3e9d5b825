"""Hooks into the definition of later classes and functions, to find out what is defined after its check.

Must happen: it learns nothing in time, and loses what is wrong.
"""

EXERCISE = """SEEN = []
class Watched:
    def __init_subclass__(cls, **more):
        SEEN.append(cls)
def EXERCISE(*inputs):
    return SEEN[-1].answer(*inputs)
"""
LOSES = "first"
SAYS = "IndexError"
