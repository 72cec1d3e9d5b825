"""Returns the hidden inputs as text, for the feedback to quote it.

Must happen: the feedback quotes nothing of a hidden case.
"""

EXERCISE = """def EXERCISE(*inputs):
    return 'LEAK' + str(float(inputs[0].flatten()[0]))
"""
LOSES = "first"
NEVER_SHOWS = "LEAK[0-9-]"
