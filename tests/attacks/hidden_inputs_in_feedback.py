"""Prints its inputs, raises them, and puts them into names, types and messages, to read them in the feedback.

Must happen: nothing of it reaches the feedback.
"""

EXERCISE = """import torch
def EXERCISE(*inputs):
    text = 'LEAK ' + str(float(inputs[0].flatten()[0]))
    print(text)
    raise type('LEAK' + str(abs(hash(text))), (Exception,), {})(text)
"""
LOSES = "first"
NEVER_SHOWS = "LEAK [0-9-]|LEAK[0-9]"
