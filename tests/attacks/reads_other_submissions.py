"""Looks for the other submissions and for the gradebook, and prints them.

Must happen: neither is there.
"""

CELL = """import glob, os
hits = []
for root, folders, files in os.walk('/'):
    if root.startswith(('/proc', '/sys', '/usr', '/dev')) or root.endswith('-packages'):
        folders.clear()
        continue
    hits += [os.path.join(root, f) for f in files if f == 'gradebook.db' or f.endswith('.ipynb')]
    if len(hits) > 5:
        break
print('HITS', hits)
for hit in hits:
    try:
        print('READ', len(open(hit, 'rb').read()))
    except OSError as error:
        print(error)
"""
LOSES = "nothing"
NEVER_SHOWS = r"HITS \[.*(gradebook|submitted|10_attention)"
NEEDS_WALLS = True
WITHOUT_WALLS = "With neither bubblewrap nor Landlock, files of the machine can be read, submissions and gradebook among them."
PROMISE = "P7"
