"""Returns a dictionary whose keys hold the hidden inputs, for the feedback to list them.

Must happen: the feedback lists no names that the function made up.
"""

EXERCISE = """def EXERCISE(*inputs):
    return {'LEAK' + str(float(inputs[0].flatten()[0])): inputs[0]}
"""
LOSES = "first"
NEVER_SHOWS = "LEAK[0-9-]"
