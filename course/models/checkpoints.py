"""Reading and writing trained weights: ``datasets/checkpoints/NAME.safetensors``, numbers only, no pickle."""

import os
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from course.data import DataError

FOLDER = Path(__file__).resolve().parents[2] / "datasets" / "checkpoints"


def load_checkpoint(name: str, folder: Path = FOLDER) -> dict[str, Tensor]:
    """The weights called ``name``, on the CPU, ready for ``model.load_state_dict``."""
    path = Path(folder) / f"{name}.safetensors"
    remedy = f"restore it from the course's repository, or run: python datasets/recipes/{name}.py"
    if not path.is_file():
        raise DataError(f"There is no checkpoint {name!r} ({path}): {remedy}")
    try:
        return load_file(path)
    except Exception as error:  # safetensors raises its own kind for each kind of damage
        raise DataError(f"The checkpoint {name!r} is damaged ({path}: {error}): {remedy}") from None


def save_checkpoint(name: str, state: dict[str, Tensor], folder: Path = FOLDER) -> Path:
    """Write weights under ``name``; a reader sees the old file or the new one, never half of one."""
    path = Path(folder) / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    try:
        save_file({key: value.detach().cpu().contiguous() for key, value in state.items()}, unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path
