"""A process that outlives the notebook waits for the questions, to print them into the notebook's output.

Must happen: it is ended, and the output closed, before there are questions.
"""

CELL = """import os, time
if os.fork() == 0:
    for _ in range(1000):
        time.sleep(0.01)
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                data = open(f'/proc/{pid}/mem', 'rb').read(1)
                os.write(1, b'LEAK of memory')
            except (OSError, ValueError):
                pass
    os._exit(0)
"""
LOSES = "nothing"
NEVER_SHOWS = "LEAK of memory"
PROMISE = "P11"
