"""Starts threads without end.

Must happen: the limit on processes counts them; every exercise counts.
"""

CELL = """import threading, time
while True:
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
"""
LOSES = "nothing"
