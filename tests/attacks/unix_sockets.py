"""Talks to services of the machine through their sockets: X11, D-Bus, Docker, the journal.

Must happen: none is there, or no socket can be made; every exercise counts.
"""

CELL = """import glob, socket
for path in ['/var/run/docker.sock', '/run/dbus/system_bus_socket', '/run/systemd/journal/dev-log', '\\0/tmp/.X11-unix/X0', *glob.glob('/run/**/*.sock', recursive=True)[:20]]:
    try:
        socket.socket(socket.AF_UNIX).connect(path)
        print('REACHED', path)
    except OSError:
        pass
"""
LOSES = "nothing"
NEVER_SHOWS = "REACHED"
PROMISE = "P8"
