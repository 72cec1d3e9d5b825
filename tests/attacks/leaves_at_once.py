"""Ends the process in the middle of the notebook, without an exception.

Must happen: the notebook is run again without that cell; every exercise counts.
"""

CELL = """import os
os._exit(0)
"""
LOSES = "nothing"
