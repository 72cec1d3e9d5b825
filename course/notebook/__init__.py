"""What a notebook holds as it is saved, and what grading will have at each check: read from its source, never run.

    names       which names a cell makes and uses
    saved       the notebook's file: found, read, its cells in the order in which grading runs them
    kernel      what the kernel itself says: which names are its own, and when a cell ran
    foreseen    what the kernel has and the saved notebook, run from top to bottom, has not
    here_and_graded   a function asked with what the kernel has, and with what grading will have
    ticks       how far somebody is, beside the notebook, so that it survives a restart

`course.check` uses all of it; grading uses `names`, so that both read a cell alike.
"""
