"""Names one large tensor thousands of times in a recording: small on the wire, enormous once written down.

Must happen: weighed before it is kept; too much, so this student's exercises are lost, and the grader goes on.
"""

CELL = """import course.judging.archive, course.sandbox.student, torch
original = course.judging.archive.pack
def forged(names, exercise, questions, device):
    answer = original({'outcomes': [{'values': {'': torch.zeros(200_000)}}]})
    size = int.from_bytes(answer[:8], 'little')
    import json
    header = json.loads(answer[8 : 8 + size])
    tree = json.loads(header['__metadata__']['tree'])
    outcome = tree['dict'][0][1][0]
    tree['dict'][0][1] = [outcome] * 20_000
    header['__metadata__']['tree'] = json.dumps(tree)
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    return {}, len(text).to_bytes(8, 'little') + text + answer[8 + size :]
course.sandbox.student.answers_to = forged
"""
LOSES = "everything"
SAYS = "returned more than|could not be recorded"
