"""The room of the marks: recordings are held against the secret answers, and the gradebook is written.

Here live our hooks inside nbgrader, the grading of a whole class, and the checking of one notebook. Feedback, proof and the
command line may come in; from here one goes to submissions, releases and the class folder.
"""
