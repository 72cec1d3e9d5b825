"""Returns an object whose type is named after the hidden inputs, for the feedback to name it.

Must happen: the feedback names no type that the student made up.
"""

EXERCISE = """def EXERCISE(*inputs):
    return type('LEAK' + str(float(inputs[0].flatten()[0])), (), {})()
"""
LOSES = "first"
NEVER_SHOWS = "LEAK[0-9-]"
