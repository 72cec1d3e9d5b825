"""Puts the hidden inputs into the reason why there is no recording, for the feedback to tell it.

Must happen: reasons are fixed sentences; nothing of the inputs reaches the feedback.
"""

CELL = """import course.judging.archive, course.sandbox.student
def tell(names, exercise, questions, device):
    asked = course.judging.archive.unpack(questions)
    return {'failure': 'LEAK' + str(asked['inputs'])[:200], 'reason': 'LEAK9'}, b''
course.sandbox.student.answers_to = tell
"""
LOSES = "everything"
SAYS = "could not be recorded"
NEVER_SHOWS = "LEAK[0-9{]|tensor"
