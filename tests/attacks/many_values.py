"""Returns a dictionary of a million entries.

Must happen: more than a recording may hold is stopped; only this exercise is lost.
"""

EXERCISE = """def EXERCISE(*inputs):
    return {str(i): 'x' * 1000 for i in range(100_000)}
"""
LOSES = "first"
