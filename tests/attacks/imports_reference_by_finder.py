"""Asks the editable install's finder, every .pth file and the site module for the reference.

Must happen: Python was started without them, and the folder that they name is not there.
"""

EXERCISE = """import glob, importlib, os, site, sys
for folder in [p for p in sys.path if p.endswith('packages')]:
    site.addsitedir(folder)
    for finder in glob.glob(folder + '/__editable__*finder.py'):
        sys.path.insert(0, folder)
        importlib.import_module(os.path.basename(finder)[:-3]).install()
import solutions.attention
EXERCISE = solutions.attention.EXERCISE
"""
LOSES = "first"
NEEDS_WALLS = True
WITHOUT_WALLS = "With neither bubblewrap nor Landlock the reference can be read from the disk."
