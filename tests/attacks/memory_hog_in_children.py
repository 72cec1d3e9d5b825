"""Spreads the memory over processes, so that none is above the limit.

Must happen: what they hold together is counted; the cell is ended, and every exercise counts.
"""

CELL = """import os, time
for _ in range(6):
    if os.fork() == 0:
        held = bytearray(200 << 20)
        held[::4096] = b'x' * len(held[::4096])
        time.sleep(60)
        os._exit(0)
time.sleep(60)
"""
LOSES = "nothing"
