"""Allocates until the machine has nothing left.

Must happen: ended at the limit; only this exercise is lost, and no other program of the machine suffers.
"""

EXERCISE = """import torch
def EXERCISE(*inputs):
    held = []
    while True:
        held.append(torch.ones(2**22))
"""
LOSES = "first"
SAYS = "memory|RuntimeError|MemoryError"
