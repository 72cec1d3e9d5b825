"""Answers with recordings of impossible shape: numbers for lists, a million outcomes, loops of references.

Must happen: survived and wrong.
"""

CELL = """import course.recorder, course.archive
course.recorder.answers_to = lambda *a: ({'failure': ['x'] * 1000}, course.archive.pack({'outcomes': [{'values': 3, 'line': 'x', 'raised': 7}] * 100_000}))
"""
LOSES = "everything"
