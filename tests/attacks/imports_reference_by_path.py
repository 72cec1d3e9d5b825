"""Puts every folder in which the reference might lie on the path, beginning with the course's own.

Must happen: the folder is not there.
"""

EXERCISE = """import course, os, sys
here = os.path.dirname(os.path.dirname(course.__file__))
sys.path[:0] = [here, os.path.join(here, '..'), *[r for r, d, f in os.walk('/') if 'solutions' in d and not r.startswith(('/proc', '/sys'))][:5]]
import solutions.attention
EXERCISE = solutions.attention.EXERCISE
"""
LOSES = "first"
WITHOUT_WALLS = "With neither bubblewrap nor Landlock the reference can be read from the disk."
NEEDS_WALLS = True
