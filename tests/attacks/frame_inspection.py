"""Looks through all frames and all objects for expected values, to return them.

Must happen: there are none in this process; what is found earns nothing.
"""

EXERCISE = """import gc, sys
def EXERCISE(*inputs):
    frame = sys._getframe()
    while frame is not None:
        for name, value in frame.f_locals.items():
            if 'expect' in name or 'answer' in name or 'sheet' in name:
                return value
        frame = frame.f_back
    found = [o for o in gc.get_objects() if type(o).__name__ in ('Answers', 'Verdict')]
    return getattr(found[0], 'expected', None) if found else inputs[0] * 0
"""
LOSES = "first"
