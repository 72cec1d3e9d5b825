"""Begins a message of eight megabytes on each of its sockets and goes on with it a byte at a time.

Must happen: whoever listens still looks at the clock; the cell is stopped, and every exercise counts.
"""

CELL = """import os, struct
numbers = [n for n in range(3, 200) if os.path.exists(f'/proc/self/fd/{n}')]
def send(data):
    for n in numbers:
        try:
            os.write(n, data)
        except OSError:
            pass
for n in numbers:
    os.set_blocking(n, False)
send(struct.pack('<IQ', 60_000, 8 << 20))
while True:
    send(b'x')
"""
LOSES = "nothing"
