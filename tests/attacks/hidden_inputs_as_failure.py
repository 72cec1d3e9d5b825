"""Puts the hidden inputs into the reason why there is no recording, for the feedback to tell it.

Must happen: reasons are fixed sentences; nothing of the inputs reaches the feedback.
"""

CELL = """import course.archive, course.recorder
def tell(names, exercise, questions, device):
    asked = course.archive.unpack(questions)
    return {'failure': 'LEAK' + str(asked['inputs'])[:200], 'reason': 'LEAK9'}, b''
course.recorder.answers_to = tell
"""
LOSES = "everything"
SAYS = "could not be recorded"
NEVER_SHOWS = "LEAK[0-9{]|tensor"
