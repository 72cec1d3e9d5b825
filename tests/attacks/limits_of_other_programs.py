"""Gives every program that it sees one second of processor time, the last place in every queue, and one core.

Must happen: nobody but itself has any of that; every exercise counts.
"""

CELL = """import os, resource
for pid in filter(str.isdigit, os.listdir('/proc')):
    for call in (lambda: resource.prlimit(int(pid), resource.RLIMIT_CPU, (1, 1)), lambda: os.setpriority(os.PRIO_PROCESS, int(pid), 19), lambda: os.sched_setaffinity(int(pid), [0])):
        try:
            if int(pid) != os.getpid():
                call()
                print('OPEN', pid)
        except OSError:
            pass
"""
LOSES = "nothing"
NEVER_SHOWS = "OPEN"
