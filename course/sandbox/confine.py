"""What a process gives up before it runs somebody else's code: one function per promise of the kernel.

Every function says by its return value whether the kernel granted it; nothing here decides what to do then.
Linux only, apart from the resource limits; on other systems the functions answer False.
"""

import contextlib
import ctypes
import os
import resource
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

LINUX = sys.platform == "linux"

_NEW_MOUNTS, _NEW_UTS, _NEW_IPC, _NEW_USER, _NEW_PIDS, _NEW_NET = (
    0x00020000,
    0x04000000,
    0x08000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
NAMESPACES = _NEW_MOUNTS | _NEW_UTS | _NEW_IPC | _NEW_USER | _NEW_PIDS | _NEW_NET
_READ_ONLY, _NO_SUID, _NO_DEVICES, _NO_EXEC, _REMOUNT, _BIND, _RECURSIVE, _PRIVATE = (
    1,
    2,
    4,
    8,
    32,
    4096,
    16384,
    1 << 18,
)
_SET_DEATH_SIGNAL, _SET_DUMPABLE, _KEEP_CAPABILITIES, _SET_SUBREAPER, _NO_NEW_PRIVILEGES = 1, 4, 8, 36, 38
_READ_EVERYTHING = 2  # CAP_DAC_READ_SEARCH

libc = ctypes.CDLL(None, use_errno=True)


def done(result: int) -> bool:
    return int(result) == 0


def _prctl(option: int, value: int) -> bool:
    return LINUX and done(libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0))


def die_with_parent() -> bool:
    """SIGKILL for this process when the thread that forked it ends."""
    return _prctl(_SET_DEATH_SIGNAL, 9)


def adopt_orphans() -> bool:
    """Make this process the parent of every orphan below it, so that none escapes."""
    return _prctl(_SET_SUBREAPER, 1)


def hide_memory(hidden: bool = True) -> bool:
    """Nobody of the same user may trace this process or read its memory."""
    return _prctl(_SET_DUMPABLE, 0 if hidden else 1)


def renounce_privileges() -> bool:
    """No program started from here gains rights, whatever its set-uid bit says."""
    return _prctl(_NO_NEW_PRIVILEGES, 1)


def volunteer_for_oom() -> None:
    """When the machine runs out of memory, this process goes first."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


# -- namespaces ---------------------------------------------------------------------------------------------------


def next_child_is_init() -> bool:
    """The next fork becomes process 1 of a process namespace of its own: when it ends, all in there ends."""
    return LINUX and done(libc.unshare(_NEW_PIDS))


def back_to(processes: int) -> bool:
    """Fork into this process namespace (an open /proc/…/ns/pid) again."""
    return LINUX and done(libc.setns(processes, _NEW_PIDS))


def own_room() -> bool:
    """Mounts, network, host name and shared memory of this process's own."""
    return LINUX and done(libc.unshare(_NEW_MOUNTS | _NEW_IPC | _NEW_UTS | _NEW_NET))


def own_user_namespace(uid: int, gid: int) -> bool:
    """A user namespace in which this user is the same one; process limits count per namespace."""
    if not (LINUX and done(libc.unshare(_NEW_USER))):
        return False
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    except OSError:
        return False
    return True


def _mount(source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> bool:
    words = [None if word is None else word.encode() for word in (source, target, kind, options)]
    return done(libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3]))


def furnish(scratch: str, size: int, files: int, shared: Iterable[str], read_only: Iterable[str]) -> bool:
    """A private /proc, a scratch folder of limited size that also serves as `shared`, and the rest read-only."""
    plain = _NO_SUID | _NO_DEVICES
    granted = [
        _mount("none", "/", None, _RECURSIVE | _PRIVATE),
        _mount("proc", "/proc", "proc", plain | _NO_EXEC),
        _mount("tmpfs", scratch, "tmpfs", plain, f"size={size},nr_inodes={files},mode=0777"),
    ]
    if not all(granted):
        return False
    for target in shared:
        inside = Path(scratch, ".tmp", Path(target).name)
        inside.mkdir(parents=True, mode=0o777)
        inside.chmod(0o777)
        granted.append(_mount(str(inside), target, None, _BIND))
    for target in read_only:
        # an ordinary user may not take back what a mount was forbidden outside
        kept = os.statvfs(target).f_flag & (_NO_SUID | _NO_DEVICES | _NO_EXEC)
        device = 0 if Path(target).is_char_device() else _NO_DEVICES
        granted.append(_mount("none", target, None, _REMOUNT | _BIND | _READ_ONLY | _NO_SUID | device | kept))
    return all(granted)


# -- users and limits ---------------------------------------------------------------------------------------------


def become(uid: int, keep_reading: bool = False) -> None:
    """Root becomes an ordinary user for good; keep_reading: who may still read what root may read.

    Needed where the Python environment lies in a folder that is root's alone.
    """
    if keep_reading:
        _prctl(_KEEP_CAPABILITIES, 1)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    set_capabilities(1 << _READ_EVERYTHING if keep_reading else 0)


def set_capabilities(kept: int) -> bool:
    """Give up every capability but those in the mask `kept`."""
    if not LINUX:
        return False
    header = struct.pack("Ii", 0x20080522, 0)
    data = struct.pack("IIIIII", kept, kept, 0, 0, 0, 0)
    return done(libc.capset(header, data))


def readable_by_others(path: Path) -> bool:
    """Whether a user without rights reaches this path."""
    folders = [path, *path.parents]
    return all(folder.stat().st_mode & 0o001 for folder in folders if folder.is_dir())


def limit(kind: str, value: int, reserve: int = 0) -> bool:
    """Set a resource limit by its name ("DATA", "NPROC", …), never above the one that is there.

    reserve: how far `use_reserve` can still raise it.
    """
    name = getattr(resource, f"RLIMIT_{kind}", None)
    if name is None:
        return False
    hard = resource.getrlimit(name)[1]
    most = value + reserve if hard == resource.RLIM_INFINITY else min(value + reserve, hard)
    try:
        resource.setrlimit(name, (min(value, most), most))
    except (OSError, ValueError):
        return False
    return True


def use_reserve(kind: str) -> None:
    """Raise a limit by its reserve."""
    name = getattr(resource, f"RLIMIT_{kind}", None)
    if name is not None:
        with contextlib.suppress(OSError, ValueError):
            hard = resource.getrlimit(name)[1]
            resource.setrlimit(name, (hard, hard))


# -- Landlock: files, network and signals without any privilege ---------------------------------------------------

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER, _TRUNCATE = 1, 2, 4, 8, 1 << 14
_LOOK = _EXECUTE | _READ_FILE | _READ_FOLDER


def landlock_version() -> int:
    """Which Landlock the kernel has; 0 for none."""
    return max(0, int(libc.syscall(_CREATE_RULESET, None, 0, 1))) if LINUX else 0


def keep_to_folders(readable: Iterable[Path], writable: Iterable[Path]) -> bool:
    """Only these folders and files exist from now on; no TCP, no signals and no abstract sockets to the outside."""
    version = landlock_version()
    if version < 1:
        return False
    everything = (1 << 13) - 1
    everything |= (1 << 13 if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    everything |= 1 << 15 if version >= 5 else 0
    network, scopes = (3 if version >= 4 else 0), (3 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    attributes = struct.pack("QQQ", everything, network, scopes)[:size]
    ruleset = libc.syscall(_CREATE_RULESET, attributes, size, 0)
    if ruleset < 0:
        return False
    try:
        granted = [_allow(ruleset, path, _LOOK) for path in readable]
        granted += [_allow(ruleset, path, everything) for path in writable]
        return all(granted) and done(libc.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> bool:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        if not path.is_dir():
            rights &= _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | (1 << 15)
        rule = struct.pack("=Qi", rights, handle)
        return done(libc.syscall(_ADD_RULE, ruleset, 1, rule, 0))
    finally:
        os.close(handle)
