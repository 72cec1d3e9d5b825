"""Makes every comparison of torch agree, then returns nonsense.

Must happen: nothing is compared in here; the nonsense is judged outside and gets nothing.
"""

EXERCISE = """import torch, numpy
torch.allclose = torch.equal = lambda *a, **k: True
torch.testing.assert_close = numpy.testing.assert_allclose = lambda *a, **k: None
TensorEq = torch.Tensor.__eq__
def EXERCISE(*inputs):
    return inputs[0] * 0
"""
LOSES = "first"
