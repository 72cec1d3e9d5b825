"""Puts its tensors into shared memory and changes them from another process, as a training program does.

Must happen: that works, and the memory counts as its own; every exercise counts.
"""

CELL = """import os
import torch
shared = torch.zeros(1000).share_memory_()
if os.fork() == 0:
    shared.fill_(1)
    os._exit(0)
os.wait()
if not shared.is_shared() or shared.sum() != 1000:
    print('BROKEN')
"""
LOSES = "nothing"
NEVER_SHOWS = "BROKEN"
