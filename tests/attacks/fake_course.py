"""Shadows the `course` package by one whose cases are always the same, and whose recorder praises.

Must happen: cases come with the questions, the judge is elsewhere; nonsense gets nothing.
"""

EXERCISE = """import sys, types, pathlib
import course.exercises, course.judging.recording
pathlib.Path('course').mkdir(exist_ok=True)
pathlib.Path('course/__init__.py').write_text('raise SystemExit')
course.exercises.find('EXERCISE')[1].__dict__['cases'] = lambda seed: []
sys.modules['course.judging.verdict'] = types.ModuleType('course.judging.verdict')
def EXERCISE(*inputs):
    return inputs[0] * 0
"""
LOSES = "first"
