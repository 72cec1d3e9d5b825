"""The room that shows that the others work: exercises that reject and accept as they should, and a simulated class.

Only the command line and the tests come in.
"""
