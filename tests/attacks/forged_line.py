"""Rewrites its traceback: another cell, a line far below, a negative one, a file of the machine.

Must happen: only lines of the submission are quoted, and only such as exist.
"""

EXERCISE = """import course.judging.recording
_own = course.judging.recording.own_line
_places = iter([('cell:none', 1, '', ''), ('/etc/passwd', 1, 'root', 'LEAK1'), ('cell:', -5, '', 'LEAK2'), ('cell:', 2**80, '', 'LEAK3')] * 99)
course.judging.recording.own_line = lambda trace: next(_places)
def EXERCISE(*inputs):
    raise ValueError
"""
LOSES = "first"
SAYS = "stopped with ValueError"
NEVER_SHOWS = "LEAK[0-9]|root:"
PROMISE = "P12"
