"""The room of what was handed in: it is found, read, put back on the release's rails, and recorded.

Here lives the trusted side of the sandbox, which alone starts `course.sandbox`; nothing in this room runs a stranger's line in
its own process, and nothing here knows a secret expected value. Grading and later rooms may come in; from here one goes to
the release and the class folder.
"""
