"""Leaves handlers that print full marks and write recordings when the process ends.

Must happen: they never run, or nobody listens; every exercise counts.
"""

CELL = """import atexit, os, weakref
atexit.register(lambda: print('100 points'))
atexit.register(lambda: [os.write(fd, b'{"right": true}') for fd in range(3, 20)])
os.register_at_fork(after_in_child=lambda: print('forked'))
"""
LOSES = "nothing"
