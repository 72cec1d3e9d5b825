"""Where data comes from: real digits that ship with the course, seeded generators, checked downloads.

Each module is one kind of data and says in its docstring what a row, an axis and a unit is. Nothing here
draws from global randomness: generators take a seed. Who may come in: loaders and generators, no models and
no pictures.
"""


class DataError(RuntimeError):
    """Data or a checkpoint is missing, damaged or out of reach; the message says what to do about it."""
