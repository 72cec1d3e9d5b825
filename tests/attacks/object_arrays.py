"""Returns an array of Python objects, one of which claims to equal everything.

Must happen: described by its type, never unpickled; wrong.
"""

EXERCISE = """import numpy
class Yes:
    __eq__ = lambda self, other: True
    __reduce__ = lambda self: (print, ('executed',))
def EXERCISE(*inputs):
    return numpy.array([Yes()], dtype=object)
"""
LOSES = "first"
