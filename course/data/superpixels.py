"""Cut an image into pieces that a person would call one thing: superpixels."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def superpixels(image: Float[Tensor, "channels height width"], count: int) -> Int[Tensor, "height width"]:
    """About `count` segments of similar colour and place (SLIC, by scikit-image), numbered 0, 1, … without holes.

    On digits, empty paper and strokes end up in segments of their own as far as that goes.
    """
    from skimage.segmentation import slic

    pixels = image.detach().cpu().movedim(0, -1).double().numpy()
    if pixels.shape[-1] == 1:
        numbers = slic(pixels[..., 0], count, compactness=0.2, sigma=0.5, channel_axis=None, start_label=0)
    else:
        numbers = slic(pixels, count, compactness=10, sigma=1, start_label=0)
    return torch.unique(torch.from_numpy(numbers), return_inverse=True)[1]
