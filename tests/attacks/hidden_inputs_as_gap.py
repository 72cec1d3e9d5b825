"""Pretends to stop at a gap of another exercise, whose name the hidden inputs choose.

Must happen: which exercise is still open is read in the source, not in the recording.
"""

EXERCISE = """import types
def stops(*inputs):
    raise NotImplementedError
def EXERCISE(*inputs):
    name = f'LEAK{abs(hash(inputs[0].numpy().tobytes())) % 100}'
    types.FunctionType(stops.__code__.replace(co_name=name), globals())()
"""
LOSES = "first"
SAYS = "^Not done yet"
NEVER_SHOWS = "LEAK[0-9]"
PROMISE = "P10"
