"""Calls home: TCP, UDP, names, the host's own services.

Must happen: no socket can be made; every exercise counts.
"""

CELL = """import socket, urllib.request
reached = []
for call in (lambda: socket.create_connection(('1.1.1.1', 53), 1), lambda: socket.getaddrinfo('example.org', 80), lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9)), lambda: urllib.request.urlopen('http://127.0.0.1', timeout=1), lambda: socket.socket(40, socket.SOCK_STREAM)):
    try:
        call()
        reached.append('REACHED')
    except OSError:
        pass
print(reached)
"""
LOSES = "nothing"
NEVER_SHOWS = "REACHED"
PROMISE = "P8"
