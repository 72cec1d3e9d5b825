"""Returns tensors without numbers: on the meta device, sparse, quantized, or raising on every touch.

Must happen: what cannot be made plain is an error of this exercise.
"""

EXERCISE = """import torch
class Touchy(torch.Tensor):
    @classmethod
    def __torch_function__(cls, *a, **k):
        raise RuntimeError('do not touch')
def EXERCISE(*inputs):
    return torch.empty(3, device='meta'), torch.eye(3).to_sparse(), torch.ones(2).as_subclass(Touchy)
"""
LOSES = "first"
