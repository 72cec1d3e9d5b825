"""Fills the disk with one file.

Must happen: the scratch folder has a size; every exercise counts.
"""

CELL = """with open('huge', 'wb') as file:
    while True:
        file.write(bytes(1 << 20))
"""
LOSES = "nothing"
