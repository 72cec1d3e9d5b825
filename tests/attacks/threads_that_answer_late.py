"""Starts a thread that goes on changing what was returned, and the namespace, while it is recorded.

Must happen: it gets what its recording is worth; others notice nothing.
"""

EXERCISE = """import threading, time, torch
def EXERCISE(*inputs):
    result = torch.zeros(3)
    def spoil():
        for n in range(10_000):
            result.fill_(n)
            globals()[f'late_{n % 50}'] = n
    threading.Thread(target=spoil, daemon=True).start()
    return result
"""
LOSES = "first"
