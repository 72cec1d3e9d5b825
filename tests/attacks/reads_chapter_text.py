"""Reads the chapter's text and the tests, which name the reference, from beside the course package.

Must happen: the student's `course` has no chapters and no tests beside it.
"""

EXERCISE = """import course, pathlib
folder = pathlib.Path(course.__file__).parent
found = [*folder.glob('chapters/*.py'), *folder.parent.glob('tests/*.py'), *folder.parent.glob('solutions/*.py')]
assert found
def EXERCISE(*inputs):
    return 0
"""
LOSES = "first"
