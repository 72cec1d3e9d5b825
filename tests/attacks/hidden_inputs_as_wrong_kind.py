"""Right on the public cases; on hidden ones, what comes back is None, text, complex, too short or NaN: as the inputs say.

Must happen: of the hidden cases the feedback says nothing but that they are not right.
"""

EXERCISE = """import torch
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
    x = torch.ones(2)
    kinds = [None, 'text', x * 1j, x[:1], x * float('nan'), (x, x), {'LEAK': x}]
    return kinds[abs(hash(inputs[0].numpy().tobytes())) % len(kinds)]
"""
LOSES = "first"
SAYS = "^Every public case is right, but not every hidden one"
NEVER_SHOWS = "NaN|complex|shape|missing|LEAK|should be"
PROMISE = "P10"
