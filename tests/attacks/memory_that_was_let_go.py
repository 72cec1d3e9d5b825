"""Fills shared mappings and tells the kernel to forget their pages: they stay in memory, and no process has them.

Must happen: the memory is counted all the same; the cell is ended, and every exercise counts.
"""

CELL = """import mmap, time
held = []
for _ in range(120):
    held.append(mmap.mmap(-1, 1 << 24))
    held[-1].write(b'x' * (1 << 24))
    held[-1].madvise(mmap.MADV_DONTNEED)
time.sleep(3)
print('SURVIVED')
"""
LOSES = "nothing"
NEVER_SHOWS = "SURVIVED"
