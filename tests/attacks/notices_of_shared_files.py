"""Asks the kernel to tell it when others open the files that every submission can open.

Must happen: every way to ask is refused; every exercise counts.
"""

CELL = """import ctypes, fcntl, os
libc = ctypes.CDLL(None, use_errno=True)
folder = os.open(os.path.dirname(os.__file__), os.O_RDONLY)
answers = [libc.inotify_init(), libc.inotify_init1(0), libc.fanotify_init(0x200, 0), libc.fcntl(folder, 1026, 0x80000001)]
answers.append(libc.fcntl(os.open('own', os.O_RDWR | os.O_CREAT), 1024, 0))
if max(answers) >= 0:
    print('OPEN')
"""
LOSES = "nothing"
NEVER_SHOWS = "OPEN"
