"""A recording with a million empty cases.

Must happen: nobody takes them apart; nothing was recorded.
"""

CELL = """import course.sandbox.student, course.judging.archive
course.sandbox.student.answers_to = lambda names, exercise, questions, device: ({}, course.judging.archive.pack({'outcomes': [0] * 1_000_000}))
"""
LOSES = "everything"
SAYS = "could not be recorded"
