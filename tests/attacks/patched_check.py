"""Replaces `check`, the judge and the verdict by ones that are always content.

Must happen: the judge that counts runs elsewhere; nonsense gets nothing.
"""

EXERCISE = """import course.check, course.judging.verdict
check = course.check.check = lambda fn: print('right')
course.judging.verdict.compare = lambda *a, **k: course.judging.verdict.Verdict('x', 'right', 100, 100, 'Right.')
def EXERCISE(*inputs):
    return inputs[0] * 0
"""
LOSES = "first"
