"""Computes in children that no parent waits for: the kernel then adds their time to nobody's.

Must happen: their time counts; the cell is stopped, and every exercise counts.
"""

CELL = """import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for _ in range(40):
    if os.fork() == 0:
        end = time.process_time() + 0.25
        while time.process_time() < end:
            pass
        os._exit(0)
    time.sleep(0.3)
print('SURVIVED')
"""
LOSES = "nothing"
NEVER_SHOWS = "SURVIVED"
