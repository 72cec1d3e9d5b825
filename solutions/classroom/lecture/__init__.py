"""For the hall: the lecturer's notebook in which the reference is typed (live), and slides of the executed chapter.

Nothing of it is in the students' kit. It reads chapters, references and misconceptions; nobody but the command line comes in.
"""
