"""Answer sheets and recordings on disk: tensors and text only, never pickle.

A tree of dicts, lists, text, numbers, None and tensors becomes one safetensors file: the tensors as they are, the
tree as JSON in its header. Reading one can execute nothing, whoever wrote it.
"""

import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

Tree = Any

SHARED = stat.S_ISGID | stat.S_IRWXG
"""The mode of a folder in which a group works: what is made in it belongs to the group."""


class ArchiveError(Exception):
    """The file is missing, cut short, or no archive at all. The message says what to do."""


def pack(tree: Tree) -> bytes:
    """The bytes of a tree; the same tree gives the same bytes."""
    tensors: dict[str, Tensor] = {}

    def skeleton(node: Tree) -> Tree:
        if isinstance(node, Tensor):
            key = f"{len(tensors):06d}"
            tensors[key] = node.detach().cpu().contiguous().clone()
            return {"tensor": key}
        if isinstance(node, dict):
            return {"dict": [[key, skeleton(item)] for key, item in node.items()]}
        if isinstance(node, list | tuple):
            return [skeleton(item) for item in node]
        if node is None or isinstance(node, str | int | float | bool):
            return node
        raise TypeError(f"an archive holds tensors and text, not {type(node).__name__}")

    text = json.dumps(skeleton(tree), ensure_ascii=True)
    return save(tensors, metadata={"tree": text})


def unpack(data: bytes) -> Tree:
    """The tree in these bytes. Raises ArchiveError when they hold none."""
    try:
        size = int.from_bytes(data[:8], "little")
        text = json.loads(data[8 : 8 + size])["__metadata__"]["tree"]
        tensors = load(data)

        def grow(node: Tree) -> Tree:
            if isinstance(node, dict):
                if "tensor" in node:
                    return tensors[node["tensor"]]
                return {str(key): grow(item) for key, item in node["dict"]}
            return [grow(item) for item in node] if isinstance(node, list) else node

        return grow(json.loads(text))
    except RecursionError as error:
        raise ArchiveError("the archive is nested too deeply to be one of ours") from error
    except Exception as error:  # safetensors raises its own bare Exception subclass
        raise ArchiveError(f"not a readable archive ({type(error).__name__})") from error


def write(path: Path, tree: Tree) -> None:
    """Write the archive whole or not at all (temporary file, fsync, rename)."""
    write_bytes(path, pack(tree))


def write_bytes(path: Path, data: bytes, private: bool = False) -> None:
    """Write a file whole or not at all, also when the machine stops in the middle.

    private: for the owner's eyes. In a folder that a group shares it is the group's, private or not.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        shared = path.parent.stat().st_mode & SHARED == SHARED
        os.chmod(temporary, 0o660 if shared else 0o600 if private else 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read(path: Path) -> Tree:
    """Read an archive. Raises ArchiveError with the remedy when it is missing or damaged."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ArchiveError(
            f"{path.name} is missing: it belongs in {path.parent}. Copy it there again from the released assignment."
        ) from None
    try:
        return unpack(data)
    except ArchiveError as error:
        raise ArchiveError(
            f"{path} is damaged ({error}). Copy it again from the released assignment; your notebook is not touched."
        ) from None


def freeze(node: Any) -> Tree:
    """The tensors inside a case's arguments, model weights included; everything else is left to the seed."""
    if isinstance(node, Tensor):
        return node
    if isinstance(node, torch.nn.Module):
        return dict(node.state_dict())
    if isinstance(node, dict):
        return {str(key): freeze(item) for key, item in node.items()}
    if isinstance(node, list | tuple):
        return [freeze(item) for item in node]
    return None


def thaw(node: Any, frozen: Tree, device: str = "cpu") -> Any:
    """Put frozen tensors back into freshly made arguments, and move them to the device."""
    if isinstance(node, Tensor) and isinstance(frozen, Tensor):
        value = frozen.clone().to(device)
        return value.requires_grad_() if node.requires_grad else value
    if isinstance(node, torch.nn.Module) and isinstance(frozen, dict):
        node.load_state_dict(frozen)
        return node.to(device)
    if isinstance(node, dict) and isinstance(frozen, dict):
        return {key: thaw(item, frozen[str(key)], device) for key, item in node.items()}
    if isinstance(node, list | tuple) and isinstance(frozen, list):
        items = [thaw(item, ice, device) for item, ice in zip(node, frozen, strict=True)]
        return type(node)(*items) if hasattr(node, "_fields") else type(node)(items)
    return node
