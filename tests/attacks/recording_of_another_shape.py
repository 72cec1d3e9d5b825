"""Answers with recordings of impossible shape: numbers for lists, a million outcomes, loops of references.

Must happen: survived and wrong.
"""

CELL = """import course.sandbox.student, course.judging.archive
course.sandbox.student.answers_to = lambda *a: ({'failure': ['x'] * 1000}, course.judging.archive.pack({'outcomes': [{'values': 3, 'line': 'x', 'raised': 7}] * 100_000}))
"""
LOSES = "everything"
