"""Returns a tensor subclass that says yes to every comparison.

Must happen: only plain numbers leave the process; they are wrong.
"""

EXERCISE = """import torch
class Yes(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        if function.__name__ in ('eq', '__eq__', 'equal', 'allclose', 'isclose'):
            return True
        return super().__torch_function__(function, types, args, kwargs or {})
def EXERCISE(*inputs):
    return (inputs[0] * 0).as_subclass(Yes)
"""
LOSES = "first"
