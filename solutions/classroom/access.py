"""Who may open a class folder: its owner alone, or the assistants of one Unix group, who then work in it in turn."""

import grp
import os
import stat
from pathlib import Path

from course.judging.archive import SHARED


class GroupError(Exception):
    """The folder cannot be shared with this group. The message says what to do."""


def is_shared(root: Path) -> bool:
    """Whether a group works in this folder."""
    return root.stat().st_mode & SHARED == SHARED


def follow(root: Path) -> None:
    """From now on what this process writes into a shared class folder can be read and written by the group, and by nobody else."""
    if is_shared(root):
        os.umask(0o007)
        if not (root / "gradebook.db").exists():  # sqlite itself lets nobody but the owner write
            (root / "gradebook.db").touch(0o660)


def share(root: Path, group: str) -> None:
    """Give a class folder, and all that is in it, to a group; nobody else may open it. Raises GroupError."""
    try:
        number = grp.getgrnam(group).gr_gid
    except KeyError:
        raise GroupError(
            f"There is no group called '{group}' on this system. `sudo groupadd {group}` makes one."
        ) from None
    for path in [*sorted(root.rglob("*"), reverse=True), root]:
        mode = path.lstat().st_mode
        try:
            os.chown(path, -1, number, follow_symlinks=False)
            if stat.S_ISDIR(mode):
                path.chmod(0o2770)
            elif stat.S_ISREG(mode):
                path.chmod(mode & stat.S_IRWXU | (mode & stat.S_IRWXU) >> 3)
        except PermissionError:
            raise GroupError(
                f"You may not give {path} to the group '{group}': you have to own it, and to be in the group."
            ) from None
