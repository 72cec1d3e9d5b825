"""Hangs in a cell of its own, before any exercise, and swallows every exception.

Must happen: the cell is stopped, the notebook is run again without it, and every exercise counts.
"""

CELL = """while True:
    try:
        while True:
            pass
    except BaseException:
        pass
"""
LOSES = "nothing"
