"""Takes memory that belongs to no process: anonymous files and shared mappings.

Must happen: anonymous files are refused, mappings counted; every exercise counts.
"""

CELL = """import mmap, os, time
try:
    os.memfd_create('held')
except (OSError, AttributeError):
    pass
held = [mmap.mmap(-1, 1 << 24) for _ in range(60)]
for part in held:
    part.write(b'x' * (1 << 24))
time.sleep(60)
"""
LOSES = "nothing"
