"""Replaces the shell's own `run_cell`, so that later cells never run.

Must happen: whoever breaks their own shell loses what comes after, and only that.
"""

CELL = """get_ipython().run_cell = lambda *a, **k: None
"""
LOSES = "everything"
