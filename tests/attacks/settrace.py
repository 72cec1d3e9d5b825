"""Traces every function call and changes local variables on the way.

Must happen: outside there is nothing to trace; every exercise counts.
"""

CELL = """import sys, threading
def tracer(frame, event, argument):
    return tracer
sys.settrace(tracer)
threading.settrace(tracer)
sys.setprofile(lambda *a: None)
"""
LOSES = "nothing"
