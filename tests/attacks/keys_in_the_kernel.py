"""Leaves a key in the kernel's key ring of its user, for the next submission to find.

Must happen: it is refused; every exercise counts.
"""

CELL = """import ctypes, platform
number = {'x86_64': 248, 'aarch64': 217}[platform.machine()]
if ctypes.CDLL(None).syscall(number, b'user', b'attacked', b'x', 1, -4) >= 0:
    print('OPEN')
"""
LOSES = "nothing"
NEVER_SHOWS = "OPEN"
