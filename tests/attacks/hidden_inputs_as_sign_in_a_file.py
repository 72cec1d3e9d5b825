"""Writes its hidden inputs into every folder that it can, for the next run of the same notebook to read and raise them.

Must happen: no later run finds a file of an earlier one; what it raises on public cases it cannot know.
"""

EXERCISE = """import glob, os, pathlib
def _places():
    return [pathlib.Path(d) / 'attacked-by-a-submission-sign' for d in ('.', '..', '/tmp', '/dev/shm', '/var/tmp', os.environ['HOME'])]
_found = [1 for p in _places() if p.exists()]
def EXERCISE(*inputs):
    for place in _places():
        try:
            place.write_text(str(inputs))
        except OSError:
            pass
    if _found:
        raise LookupError
    raise ValueError
"""
LOSES = "first"
SAYS = "stopped with ValueError"
NEVER_SHOWS = "LookupError"
NEEDS_WALLS = True
WITHOUT_WALLS = "the folders of the machine are open to it, and so is the gradebook"
