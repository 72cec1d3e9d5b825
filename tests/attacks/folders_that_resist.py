"""Leaves folders that nobody may open, and fifteen hundred inside each other, for whoever clears up afterwards.

Must happen: they are removed with everything else; nobody's grading ends.
"""

CELL = """import os
os.mkdir("closed")
os.mkdir("closed/inside", 0)
os.mkdir("shut", 0)
here = os.getcwd()
for _ in range(1500):
    os.mkdir("d")
    os.chdir("d")
os.chdir(here)
"""
LOSES = "nothing"
PROMISE = "P9"
