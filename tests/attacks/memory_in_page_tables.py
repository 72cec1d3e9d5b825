"""Looks at one byte in every two megabytes of an enormous mapping: no page of it is its own, but the tables are.

Must happen: tables count as memory; the cell is ended or refused, and every exercise counts.
"""

CELL = """import mmap, time
held = []
for _ in range(200):
    m = mmap.mmap(-1, 4 << 30, flags=mmap.MAP_PRIVATE | 0x4000, prot=mmap.PROT_READ)
    m.madvise(15)
    for place in range(0, 4 << 30, 2 << 20):
        m[place]
    held.append(m)
time.sleep(3)
print('SURVIVED')
"""
LOSES = "nothing"
NEVER_SHOWS = "SURVIVED"
