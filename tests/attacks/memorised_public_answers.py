"""Reads the public answer sheet beside the notebook and returns its expected values.

Must happen: the cases that count have other inputs; wrong.
"""

EXERCISE = """import pathlib
from course.judging.sheets import read_sheet
sheet = read_sheet(sorted(pathlib.Path.cwd().glob('*.answers'))[0])
def EXERCISE(*inputs, state=iter([o for o in sheet['EXERCISE'].expected] * 100)):
    values = next(state).values
    return values.get('', tuple(values.values()))
"""
LOSES = "first"
PROMISE = "P3"
