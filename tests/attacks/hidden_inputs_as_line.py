"""Stops in a line whose number is taken from the hidden inputs.

Must happen: the line that is quoted is the one in which it stops on the public cases; those are no secret.
"""

_LINES = "\n".join(f"    if n == {n}:\n        raise ValueError  # LEAK {n}" for n in range(64))
EXERCISE = f"""import torch
from course.judging.sheets import read_sheet
from course.exercises import find
from pathlib import Path
_sheet = read_sheet(next(Path.cwd().glob('*.answers')))['EXERCISE']
_known = [next(iter(case.values())) for case in _sheet.cases(find('EXERCISE')[1])]
def EXERCISE(*inputs):
    if any(inputs[0].shape == x.shape and inputs[0].equal(x) for x in _known):
        raise ValueError('as everybody may know')
    n = abs(hash(inputs[0].numpy().tobytes())) % 64
{_LINES}
"""
LOSES = "first"
SAYS = "public case it stopped with ValueError"
NEVER_SHOWS = "# LEAK [0-9]+\\)"
PROMISE = "P10"
