"""Goes through /proc: other processes' environments, memory, open files and roots.

Must happen: other processes are not there, or closed; every exercise counts.
"""

CELL = """import glob, os
found = []
for path in glob.glob('/proc/[0-9]*'):
    if path != f'/proc/{os.getpid()}':
        for name in ('environ', 'mem', 'maps', 'root/etc/shadow', 'cwd/gradebook.db'):
            try:
                found.append(open(f'{path}/{name}', 'rb').read(10))
            except (OSError, ValueError):
                pass
print('reached', [f for f in found if f])
"""
LOSES = "nothing"
