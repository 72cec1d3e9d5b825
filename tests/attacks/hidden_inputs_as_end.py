"""Right on the public cases; how it ends on hidden ones tells of them: stopped for its time, memory, size, or gone.

Must happen: the feedback does not say how it ended.
"""

EXERCISE = """import os, torch
from course.judging.sheets import read_sheet
from course.exercises import find
from pathlib import Path
_sheet = read_sheet(next(Path.cwd().glob('*.answers')))['EXERCISE']
_cases = _sheet.cases(find('EXERCISE')[1])
def EXERCISE(*inputs):
    for case, want in zip(_cases, _sheet.expected):
        mine = next(iter(case.values()))
        if inputs[0].shape == mine.shape and inputs[0].equal(mine):
            if want.raised:
                raise ValueError
            return tuple(want.values.values())
    n = abs(hash(inputs[0].numpy().tobytes())) % 4
    if n == 0:
        os._exit(0)
    if n == 1:
        raise KeyboardInterrupt
    if n == 2:
        return {str(i): torch.ones(500_000) for i in range(5)}
    raise MemoryError
"""
LOSES = "first"
SAYS = "^Every public case is right, but not every hidden one"
NEVER_SHOWS = "ended its own|interrupted|returned more|memory"
PROMISE = "P10"
