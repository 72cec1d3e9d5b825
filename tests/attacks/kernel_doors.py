"""Tries the system calls that lead out of containers: namespaces, mounts, tracing, kernel keys, file handles.

Must happen: every one is refused; every exercise counts.
"""

CELL = """import ctypes
libc = ctypes.CDLL(None, use_errno=True)
for name, call in {'unshare': lambda: libc.unshare(0x10000000), 'mount': lambda: libc.mount(b'none', b'/', b'tmpfs', 0, None), 'ptrace': lambda: libc.ptrace(16, 1, 0, 0), 'chroot': lambda: libc.chroot(b'/'), 'setuid': lambda: libc.setuid(0), 'keyctl': lambda: libc.syscall(250, 0, -3)}.items():
    if call() >= 0:
        print('OPEN', name)
"""
LOSES = "nothing"
NEVER_SHOWS = "OPEN"
