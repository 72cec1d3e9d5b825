"""Puts keys into its namespace that raise when they are looked at, copied or compared.

Must happen: it harms itself at most.
"""

CELL = """class Key(str):
    def __hash__(self):
        return hash('x')
    def __eq__(self, other):
        raise SystemExit
try:
    globals()[Key('x')] = 1
except SystemExit:
    pass
"""
LOSES = "nothing or everything"
