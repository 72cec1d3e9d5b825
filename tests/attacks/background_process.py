"""Leaves processes behind: a child, one in a session of its own, and a daemon.

Must happen: none is alive when the submission is graded; every exercise counts.
"""

CELL = """import os, subprocess
subprocess.Popen(['sleep', '606060'])
subprocess.Popen(['sleep', '606060'], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp('sleep', ['sleep', '606060'])
    os._exit(0)
"""
LOSES = "nothing"
PROMISE = "P9"
