"""Empties the notebook's namespace and puts a module of its own, which has every name, in the place of __main__.

Must happen: a function is looked for where the notebook's cells define it; what was emptied is lost to its author.
"""

CELL = """import sys, types
class Everything(types.ModuleType):
    def __getattr__(self, name):
        return lambda *a, **k: None
sys.modules['__main__'] = Everything('__main__')
get_ipython().user_module.__dict__.clear()
"""
LOSES = "everything"
SAYS = "is not defined"
