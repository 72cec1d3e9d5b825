"""From chapter texts to graded feedback, on top of nbgrader; one room per stage.

- `release`: a chapter's text becomes the notebook that students get, with its answer sheets.
- `submission`: what was handed in is read, and recorded in the sandbox.
- `grading`: recordings become verdicts, and verdicts the gradebook.
- `feedback`: the gradebook becomes pages, reports and exports.
- `lecture`: the lecturer's notebook, typed live, and slides.
- `site`: pages for the world, without solutions.
- `proof`: shows that all of this works, with misconceptions and with a simulated class.

Each room uses those above it in this list and never those below. All use `folder` (a class folder), `access` (who may open it),
`plain_text` (strangers' words on a terminal) and `faults` (mishaps as one sentence). `__main__` is the command line, and
`nbgrader_parts` the name under which class folders find our configuration. docs/architecture.md draws it.
"""
