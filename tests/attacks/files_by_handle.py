"""Opens files by their number on the disk, past the folders that lead to them.

Must happen: it is refused; every exercise counts.
"""

CELL = """import ctypes, os, struct
libc = ctypes.CDLL(None, use_errno=True)
handle = ctypes.create_string_buffer(struct.pack('Ii', 8, 1) + struct.pack('II', 2, 0))
if libc.open_by_handle_at(os.open('/usr', os.O_RDONLY), handle, os.O_RDONLY) >= 0:
    print('OPEN')
room = ctypes.create_string_buffer(struct.pack('Ii', 128, 0) + bytes(128))
if libc.name_to_handle_at(-100, b'/usr', room, ctypes.byref(ctypes.c_int()), 0) >= 0:
    print('OPEN')
"""
LOSES = "nothing"
NEVER_SHOWS = "OPEN"
