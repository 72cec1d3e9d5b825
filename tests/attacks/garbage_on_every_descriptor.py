"""Writes garbage into every open file, the recorder's sockets among them.

Must happen: what arrives is no message; the notebook is run again without the cell, and every exercise counts.
"""

CELL = """import os
for number in range(3, 200):
    try:
        os.write(number, b'garbage!' * 4096)
    except OSError:
        pass
"""
LOSES = "nothing"
