"""The inside: what runs where strangers' code runs, and gives up all it can before it does.

Only `solutions.classroom.submission` comes in, which starts it from outside; no notebook, no check and no page imports it.
From here one goes to `course.judging` and `course.exercises`, for recording, and nowhere else: whatever is imported here
lies open to strangers' code.
"""
