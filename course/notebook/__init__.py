"""What a notebook holds as it is saved, and what grading will have at each check: read from its source, never run.

    names       which names a cell makes and uses
    saved       the notebook's file: found, read, its cells in the order in which grading runs them
    foreseen    what the kernel has and the saved notebook, run from top to bottom, has not
    ticks       how far somebody is, beside the notebook, so that it survives a restart

`course.check` uses all of it; grading uses `names`, so that both read a cell alike.
"""
