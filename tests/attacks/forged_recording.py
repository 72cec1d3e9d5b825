"""Replaces the recorder: it answers every question with a recording of its own making.

Must happen: whoever does not know the inputs' answers cannot forge them; everything is wrong.
"""

CELL = """import torch
import course.sandbox.student, course.judging.archive
course.sandbox.student.answers_to = lambda names, exercise, questions, device: ({'right': True, 'points': 100}, course.judging.archive.pack({'outcomes': [{'values': {'': torch.ones(3)}, 'right': True}] * 2}))
"""
LOSES = "everything"
