"""Fills the buffers of thousands of sockets, which belong to the kernel.

Must happen: where there are control groups, they are counted, else bounded; every exercise counts.
"""

CELL = """import os, socket, time
for _ in range(16):
    if os.fork() == 0:
        held = []
        try:
            while True:
                held.append(socket.socketpair())
                held[-1][0].setblocking(False)
                try:
                    while True:
                        held[-1][0].send(b'x' * 65536)
                except BlockingIOError:
                    pass
        except OSError:
            time.sleep(5)
        os._exit(0)
time.sleep(5)
"""
LOSES = "nothing"
