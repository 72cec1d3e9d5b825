"""Everything a student holds: exercises, data, networks, pictures and `check`.

Nothing in here imports `solutions`; only the chapter texts under `course/chapters` name it,
and those stay with the instructor.
"""

__version__ = "1.0.0"
