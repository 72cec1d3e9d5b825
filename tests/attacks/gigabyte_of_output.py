"""Prints a gigabyte.

Must happen: the cell is stopped, 20 kB of it are kept, and every exercise counts.
"""

CELL = """for _ in range(10_000):
    print('x' * 100_000)
"""
LOSES = "nothing"
