"""Brings its own module called `solutions`, for a grader that imports it from here.

Must happen: nobody imports anything from here; nonsense gets nothing.
"""

EXERCISE = """import sys, types, pathlib
fake = types.ModuleType('solutions')
sys.modules['solutions'] = sys.modules['solutions.attention'] = fake
pathlib.Path('solutions').mkdir(exist_ok=True)
pathlib.Path('solutions/__init__.py').write_text('')
def EXERCISE(*inputs):
    return inputs[0] * 0
fake.EXERCISE = EXERCISE
"""
LOSES = "first"
