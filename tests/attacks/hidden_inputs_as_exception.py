"""Raises one of many exceptions; which one, the hidden inputs say. On the public cases it raises a ValueError.

Must happen: the feedback names the ValueError.
"""

EXERCISE = """import builtins
from course.judging.sheets import read_sheet
from course.exercises import find
from pathlib import Path
_sheet = read_sheet(next(Path.cwd().glob('*.answers')))['EXERCISE']
_known = [next(iter(case.values())) for case in _sheet.cases(find('EXERCISE')[1])]
_kinds = [k for k in vars(builtins).values() if isinstance(k, type) and issubclass(k, ArithmeticError | LookupError | OSError)]
def EXERCISE(*inputs):
    if any(inputs[0].shape == x.shape and inputs[0].equal(x) for x in _known):
        raise ValueError
    raise _kinds[abs(hash(inputs[0].numpy().tobytes())) % len(_kinds)]
"""
LOSES = "first"
SAYS = "public case it stopped with ValueError"
NEVER_SHOWS = "(Arithmetic|Lookup|OS|Key|Index|ZeroDivision|Overflow|File|Connection|Timeout)[A-Za-z]*Error"
PROMISE = "P10"
