"""Reads address 0.

Must happen: the notebook is run again without that cell; every exercise counts.
"""

CELL = """import ctypes
ctypes.string_at(0)
"""
LOSES = "nothing"
