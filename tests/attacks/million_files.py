"""Makes a million files.

Must happen: the scratch folder is full after some hundred, or the cell is stopped; the folder vanishes; every exercise counts.
"""

CELL = """for number in range(1_000_000):
    open(f'{number}', 'w').close()
"""
LOSES = "nothing"
