"""Returns NaN and infinities, which compare oddly.

Must happen: wrong, and the feedback may name them.
"""

EXERCISE = """import torch
def EXERCISE(*inputs):
    return inputs[0] * float('nan')
"""
LOSES = "first"
