"""A recording that is one tensor of millions of numbers, where a list of a few cases should be.

Must happen: nobody takes it apart; nothing was recorded.
"""

CELL = """import torch
import course.sandbox.student, course.judging.archive
course.sandbox.student.answers_to = lambda names, exercise, questions, device: ({}, course.judging.archive.pack({'outcomes': torch.zeros(7_000_000, dtype=torch.int8)}))
"""
LOSES = "everything"
SAYS = "could not be recorded"
