"""Answers every exercise with the recording of the first one, and tries to answer for others on their sockets.

Must happen: an answer counts for the exercise whose question it was; only the first is right.
"""

CELL = """import course.sandbox.student
original = course.sandbox.student.answers_to
course.sandbox.student.answers_to = lambda names, exercise, questions, device: original(names, 'EXERCISE', questions, device)
"""
LOSES = "all but first"
