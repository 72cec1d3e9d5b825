"""Reads the kernel's log, in which a friend's crash leaves a line.

Must happen: it is refused; every exercise counts.
"""

CELL = """import ctypes
if ctypes.CDLL(None).klogctl(10, None, 0) >= 0:
    print('OPEN')
"""
LOSES = "nothing"
NEVER_SHOWS = "OPEN"
