"""Prints markup of tables, terminals and pages in a cell of its own, and stops in a cell whose error is markup.

Must happen: the class is graded; the exercises are right.
"""

CELL = r"""print('[/b][red]x[i]\x1b]0;title\x07\x1b[2J\x00\x9b\u202e<script>window.attacked=1</script></pre>')
raise ValueError('[/b]\x1b[2J<img src=x onerror=window.attacked=1>')
"""
LOSES = "nothing"
