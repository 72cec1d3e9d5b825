"""Sends a pickle in place of a recording; whoever opens it runs its code.

Must happen: recordings are never unpickled; all exercises of this student are unreadable, and nothing ran.
"""

CELL = """import os, pickle
import course.sandbox.student
class Bomb:
    def __reduce__(self):
        return (os.mkdir, ('/tmp/attacked-by-a-submission',))
course.sandbox.student.answers_to = lambda *a: ({}, pickle.dumps(Bomb()))
"""
LOSES = "everything"
SAYS = "could not be recorded"
