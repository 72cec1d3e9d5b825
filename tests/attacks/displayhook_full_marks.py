"""Prints a score as the last line of every cell, which plain nbgrader takes for the points.

Must happen: scores come from the verdict; nonsense gets nothing.
"""

EXERCISE = """import sys
sys.displayhook(2.0)
get_ipython().events.register('post_run_cell', lambda *a: print(100.0))
def EXERCISE(*inputs):
    return inputs[0] * 0
100.0
"""
LOSES = "first"
PROMISE = "P2"
