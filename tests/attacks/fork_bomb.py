"""Forks without end.

Must happen: the limit on processes holds, all of them are ended, and every exercise counts.
"""

CELL = """import os
while True:
    os.fork()
"""
LOSES = "nothing"
