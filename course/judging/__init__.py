"""The one mechanism: verdict = compare(recording, answer sheet), the same for `check`, for grading and for proving.

Here live what an exercise is (`exercise`), the record of what a function does (`recording`), what a call leaves behind (`traces`; `randomness`: the random
numbers that everybody shares), how it compares (`verdict`, `differences`), the files of both (`archive`, `sheets`), and what an open gap says (`gaps`).
Everybody may come in; from here one goes only to `course`, never to the sandbox, and never to `solutions`.
"""
