"""Stops and kills whoever is above it: parent, group, grader, everybody.

Must happen: no signal arrives; every exercise counts.
"""

CELL = """import os, signal
for target in (os.getppid(), 1, -1, -os.getpgid(os.getppid())):
    for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(target, number)
        except OSError:
            pass
"""
LOSES = "nothing"
WITHOUT_WALLS = "An ordinary user's student code can stop that user's other programs, the grader too: run it in a user account of its own."
AS_ORDINARY_USER_NEEDS_WALLS = True
