"""Hands its pages to pipes and lets go of them: the pipes keep them, and no process has them.

Must happen: the call is refused; every exercise counts.
"""

CELL = """import ctypes, mmap, os
libc = ctypes.CDLL(None, use_errno=True)
class Part(ctypes.Structure):
    _fields_ = [('start', ctypes.c_void_p), ('size', ctypes.c_size_t)]
held = ctypes.create_string_buffer(1 << 16)
_, inlet = os.pipe()
if libc.vmsplice(inlet, ctypes.byref(Part(ctypes.addressof(held), 4096)), 1, 8) >= 0:
    print('OPEN')
"""
LOSES = "nothing"
NEVER_SHOWS = "OPEN"
