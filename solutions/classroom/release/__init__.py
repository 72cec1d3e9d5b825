"""The room of the release: from a chapter's text to what students get, and to what is kept for grading them.

Here live the reading of chapters and of the reference's source, the building of notebooks, nbgrader's release, the answer
sheets, the secret seeds, and which course a class was released with. All later rooms may come in; from here one goes to
`course`, `solutions.misconceptions` and the class folder.
"""
