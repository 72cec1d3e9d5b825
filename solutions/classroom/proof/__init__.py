"""The room that shows that the others work: exercises that reject and accept as they should, a simulated class, the long check.

Only the command line and the tests come in.
"""
