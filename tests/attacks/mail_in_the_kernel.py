"""Leaves a message queue in the kernel, for the next submission to find.

Must happen: there is none to be had; every exercise counts.
"""

CELL = """import ctypes, os
if ctypes.CDLL('librt.so.1', use_errno=True).mq_open(b'/attacked-by-a-submission', os.O_CREAT | os.O_RDWR, 0o666, None) >= 0:
    print('OPEN')
"""
LOSES = "nothing"
NEVER_SHOWS = "OPEN"
