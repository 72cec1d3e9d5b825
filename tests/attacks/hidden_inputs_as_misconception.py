"""Right on the public cases; on hidden ones it believes in one of two misconceptions, whichever the inputs say.

Must happen: no misconception is named that was only seen on hidden cases.
"""

EXERCISE = """import torch
from course.judging.sheets import read_sheet
from course.exercises import find
from pathlib import Path
_sheet = read_sheet(next(Path.cwd().glob('*.answers')))['EXERCISE']
_cases = _sheet.cases(find('EXERCISE')[1])
def EXERCISE(query, memory, *more):
    for case, want in zip(_cases, _sheet.expected):
        mine = next(iter(case.values()))
        if query.shape == mine.shape and query.equal(mine):
            if want.raised:
                raise ValueError
            return tuple(want.values.values())
    scores = memory @ query.unsqueeze(-1)
    scores = scores.squeeze(-1)
    if abs(hash(query.numpy().tobytes())) % 2:
        return scores.argmax(-1), scores.amax(-1)
    scores = scores / memory.norm(dim=-1)
    best = scores.argmax(-1)
    return best, memory.gather(-2, best[..., None, None].expand(*best.shape, 1, memory.shape[-1])).squeeze(-2)
"""
LOSES = "first"
SAYS = "^Every public case is right, but not every hidden one"
PROMISE = "P10"
