"""Returns a tensor of 10^12 elements that takes no memory until somebody copies it.

Must happen: it is described, not copied; wrong.
"""

EXERCISE = """import torch
def EXERCISE(*inputs):
    return torch.zeros(1).expand(10**6, 10**6)
"""
LOSES = "first"
