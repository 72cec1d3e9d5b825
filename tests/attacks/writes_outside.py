"""Writes and deletes outside its folder: the course, the home folder, /tmp, /usr, /etc.

Must happen: refused everywhere; every exercise counts.
"""

CELL = """import course, os, pathlib, shutil
places = [pathlib.Path(course.__file__).parent, pathlib.Path('/tmp'), pathlib.Path('/usr'), pathlib.Path('/etc'), pathlib.Path('/home'), pathlib.Path('/root')]
for place in places:
    try:
        (place / 'attacked-by-a-submission').write_text('x')
    except OSError:
        pass
shutil.rmtree(places[0], ignore_errors=True)
"""
LOSES = "nothing"
WITHOUT_WALLS = "With neither, /tmp can be written to, and as an ordinary user everything of that user's."
NEEDS_WALLS = True
