"""Imports the reference by its name.

Must happen: there is no such module.
"""

EXERCISE = """def EXERCISE(*inputs):
    import importlib
    import solutions.attention
    return importlib.import_module('solutions.attention').EXERCISE(*inputs)
"""
LOSES = "first"
SAYS = "ModuleNotFoundError"
