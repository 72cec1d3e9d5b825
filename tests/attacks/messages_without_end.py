"""The first exercise answers with small messages that never end.

Must happen: the first of them is no recording; its points are lost, and nobody waits for the others.
"""

EXERCISE = """def EXERCISE(*inputs):
    import os
    from course.sandbox.link import Link
    numbers = [n for n in range(3, 200) if os.path.exists(f'/proc/self/fd/{n}')]
    while True:
        for n in numbers:
            try:
                os.set_blocking(n, False)
                os.write(n, Link.encode({}))
            except OSError:
                pass
"""
LOSES = "first"
SAYS = "could not be recorded|was stopped|ended its own process"
