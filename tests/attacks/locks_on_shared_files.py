"""Locks files that every submission can open, for a friend who is graded at the same time to notice.

Must happen: no lock is ever there, though nobody is told so; every exercise counts.
"""

CELL = """import fcntl, os
for path in (os.__file__, '/dev/null'):
    first, second = open(path), open(path)
    fcntl.flock(first, fcntl.LOCK_EX)
    try:
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print('OPEN')
"""
LOSES = "nothing"
NEVER_SHOWS = "OPEN"
