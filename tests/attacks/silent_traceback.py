"""Makes errors invisible: `showtraceback` and the custom exception handlers do nothing.

Must happen: what a function raised is in the recording, not on the screen.
"""

EXERCISE = """shell = get_ipython()
shell.showtraceback = lambda *a, **k: None
shell.set_custom_exc((BaseException,), lambda *a, **k: None)
def EXERCISE(*inputs):
    raise ValueError('invisible')
"""
LOSES = "first"
SAYS = "ValueError"
