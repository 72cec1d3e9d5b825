"""Opens files until no more can be opened, and keeps them.

Must happen: the cell fails; what the recorder needs was opened before; at most this student's own exercises suffer.
"""

CELL = """held = []
try:
    while True:
        held.append(open('/dev/null'))
except OSError:
    held.clear()
"""
LOSES = "nothing"
