"""Sets the time of /dev/full, which every submission can see, to leave a sign there.

Must happen: the time stays; every exercise counts.
"""

CELL = """import os
for name in ('null', 'zero', 'full', 'random', 'urandom'):
    before = os.stat(f'/dev/{name}').st_mtime_ns
    try:
        os.utime(f'/dev/{name}')
    except OSError:
        pass
    if os.stat(f'/dev/{name}').st_mtime_ns != before:
        print('OPEN')
"""
LOSES = "nothing"
NEVER_SHOWS = "OPEN"
