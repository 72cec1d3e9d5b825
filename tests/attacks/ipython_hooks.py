"""Hooks into every stage of IPython and raises there.

Must happen: hooks of the student's shell are the student's own affair; every exercise counts.
"""

CELL = """def broken(*a, **k):
    raise RuntimeError('hook')
shell = get_ipython()
for event in ('pre_execute', 'pre_run_cell', 'post_execute', 'post_run_cell'):
    shell.events.register(event, broken)
shell.display_formatter.format = broken
"""
LOSES = "nothing"
