"""Keeps its recordings where the next submission could find and replay them, and looks for others' itself.

Must happen: nothing that one submission writes is seen by another; the honest function counts.
"""

CELL = """import course.sandbox.student, glob
folders = ('/tmp', '/dev/shm', '/var/tmp', '.')
old = [path for folder in folders for path in glob.glob(f'{folder}/attacked-recording-*')]
original = course.sandbox.student.answers_to
def keep(names, exercise, questions, device):
    said, answer = original(names, exercise, questions, device)
    for folder in folders:
        try:
            open(f'{folder}/attacked-recording-{exercise}', 'wb').write(answer)
        except OSError:
            pass
    return said, open(old[0], 'rb').read() if old else answer
course.sandbox.student.answers_to = keep
"""
LOSES = "nothing"
NEEDS_WALLS = True
WITHOUT_WALLS = "With neither, /tmp is shared by all submissions; a stale recording only ever loses its own student's points."
