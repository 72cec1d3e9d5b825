"""What a process gives up before it runs somebody else's code: one function per promise of the kernel.

Every function says by its return value whether the kernel granted it; nothing here decides what to do then.
Linux only, apart from the resource limits; on other systems the functions answer False.
"""

import contextlib
import ctypes
import os
import platform
import resource
import struct
import sys
from collections.abc import Iterable, Sequence
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

_libc = ctypes.CDLL(None, use_errno=True)


def _done(result: int) -> bool:
    return int(result) == 0


def _prctl(option: int, value: int) -> bool:
    return LINUX and _done(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0))


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
    return LINUX and _done(_libc.unshare(_NEW_PIDS))


def back_to(processes: int) -> bool:
    """Fork into this process namespace (an open /proc/…/ns/pid) again."""
    return LINUX and _done(_libc.setns(processes, _NEW_PIDS))


def own_room() -> bool:
    """Mounts, network, host name and shared memory of this process's own."""
    return LINUX and _done(_libc.unshare(_NEW_MOUNTS | _NEW_IPC | _NEW_UTS | _NEW_NET))


def own_user_namespace(uid: int, gid: int) -> bool:
    """A user namespace in which this user is the same one; process limits count per namespace."""
    if not (LINUX and _done(_libc.unshare(_NEW_USER))):
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
    return _done(_libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3]))


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
    return _done(_libc.capset(header, data))


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


# -- seccomp: system calls ----------------------------------------------------------------------------------------

_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_NUMBERS: dict[str, tuple[int | None, int | None]] = {
    # name: (x86_64, aarch64)
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_by_handle_at": (304, 265),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "kexec_load": (246, 104),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    # memory that no limit counts
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    # mail boxes in the kernel, which outlive their processes
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "syslog": (103, 116),
    # what happens to a file that others can open too
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "fanotify_init": (300, 262),
    "name_to_handle_at": (303, 264),
    "mincore": (27, 232),
    "cachestat": (451, 451),
    # counted for the whole machine, or held by nobody
    "io_setup": (206, 0),
    "vmsplice": (278, 75),
    # other programs of the same user: Landlock keeps signals from them, but not this
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
}
_LABELS: dict[str, tuple[int | None, int | None]] = {
    # what is written on a file: its mode, owner, times and attributes; Landlock watches only what is in it
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "removexattrat": (466, 466),
    "file_setattr": (469, 469),
}
_LOCKS: dict[str, tuple[int, int]] = {"flock": (73, 32), "fadvise64": (221, 223)}
_FCNTL, _PREADV2 = (72, 25), (327, 286)
_FCNTL_LOCKS = (5, 6, 7, 36, 37, 38)  # F_GETLK, F_SETLK, F_SETLKW, and those of open files
_FCNTL_SIGNS = (1024, 1025, 1026, 1035, 1036, 1037, 1038)  # leases, F_NOTIFY, hints on how a file is written
_PRLIMIT = (302, 261)
_CLONE, _CLONE3, _SOCKET = (56, 220), (435, 435), (41, 198)
_ANY_NAMESPACE = _NEW_MOUNTS | _NEW_UTS | _NEW_IPC | _NEW_USER | _NEW_PIDS | _NEW_NET | 0x02000000
_ALLOW, _PRETEND, _REFUSE, _ABSENT = 0x7FFF0000, 0x00050000, 0x00050000 | 1, 0x00050000 | 38  # EPERM, ENOSYS
_UNIX_SOCKETS = 1


def refuse_system_calls(walled: bool) -> bool:
    """Refuse namespaces, mounts, tracing, kernel keys, memory outside the limits, other processes' limits and priorities,
    and every network socket.

    Two submissions that run at one time can open the same files: Python's, the course's, /dev/null. So nothing that one does to
    such a file may show to the other: no lock, no lease, no notice. Whoever locks a file is told that it is done, and
    nothing happens: libraries lock their own files, and here nobody else has those.

    walled: the file system, the network and the processes are this submission's own. Then sockets between processes of
    one machine stay, and so do files' modes and times; elsewhere whoever changes these is told that it is done, and
    nothing happens: copying a file would fail otherwise.
    """
    machine = platform.machine()
    if not LINUX or machine not in _AUDIT:
        return False
    column = list(_AUDIT).index(machine)
    load, equal, at_least, any_bit, answer = 0x20, 0x15, 0x35, 0x45, 0x06

    def step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("HBBI", code, yes, no, value)

    number, architecture, argument, second_argument = 0, 4, 16, 24
    program = [
        step(load, architecture),
        step(equal, _AUDIT[machine], 1, 0),
        step(answer, _REFUSE),
        step(load, number),
        step(at_least, 0x40000000, 0, 1),  # the x32 numbers of x86_64
        step(answer, _REFUSE),
    ]
    for numbers in _NUMBERS.values():
        if (known := numbers[column]) is not None:
            program += [step(equal, known, 0, 1), step(answer, _REFUSE)]
    for lock in _LOCKS.values():
        program += [step(equal, lock[column], 0, 1), step(answer, _PRETEND)]
    program += [step(equal, _PREADV2[column], 0, 1), step(answer, _ABSENT)]  # falls back to preadv
    commands = [step(load, second_argument)]
    for command in (*_FCNTL_LOCKS, *_FCNTL_SIGNS):
        commands += [
            step(equal, command, 0, 1),
            step(answer, _PRETEND if command in _FCNTL_LOCKS else _REFUSE),
        ]
    program += [step(equal, _FCNTL[column], 0, len(commands) + 1), *commands, step(answer, _ALLOW)]
    for label in () if walled else _LABELS.values():
        if (known := label[column]) is not None:
            program += [step(equal, known, 0, 1), step(answer, _PRETEND)]
    program += [  # limits of one's own, which have the process number 0
        step(equal, _PRLIMIT[column], 0, 4),
        step(load, argument),
        step(equal, 0, 0, 1),
        step(answer, _ALLOW),
        step(answer, _REFUSE),
    ]
    program += [
        step(equal, _CLONE3[column], 0, 1),
        step(answer, _ABSENT),
    ]  # the C library falls back to clone
    program += [
        step(equal, _CLONE[column], 0, 4),
        step(load, argument),
        step(any_bit, _ANY_NAMESPACE, 0, 1),
        step(answer, _REFUSE),
        step(answer, _ALLOW),
    ]
    program += [step(equal, _SOCKET[column], 0, 3 if walled else 1)]
    if walled:
        program += [step(load, argument), step(equal, _UNIX_SOCKETS, 1, 0)]
    program += [step(answer, _REFUSE), step(answer, _ALLOW)]

    code = ctypes.create_string_buffer(b"".join(program))
    header = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    set_seccomp, filter_mode = 22, 2
    return _done(_libc.prctl(set_seccomp, filter_mode, header, 0, 0))


# -- Landlock: files, network and signals without any privilege ---------------------------------------------------

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER, _TRUNCATE = 1, 2, 4, 8, 1 << 14
_LOOK = _EXECUTE | _READ_FILE | _READ_FOLDER


def landlock_version() -> int:
    """Which Landlock the kernel has; 0 for none."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, 0, 1))) if LINUX else 0


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
    ruleset = _libc.syscall(_CREATE_RULESET, attributes, size, 0)
    if ruleset < 0:
        return False
    try:
        granted = [_allow(ruleset, path, _LOOK) for path in readable]
        granted += [_allow(ruleset, path, everything) for path in writable]
        return all(granted) and _done(_libc.syscall(_RESTRICT_SELF, ruleset, 0))
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
        return _done(_libc.syscall(_ADD_RULE, ruleset, 1, rule, 0))
    finally:
        os.close(handle)


# -- control groups -----------------------------------------------------------------------------------------------


class Counters:
    """What the kernel counts for a control group, read through files that were opened outside the walls.

    Version 1 and version 2 of the groups write the same things differently; false where there are no such files.
    """

    FILES = 3

    def __init__(self, files: Sequence[int] = ()) -> None:
        """files: memory in use, memory by kind, and processor time; the last may be missing."""
        self._files = list(files)

    def __bool__(self) -> bool:
        return len(self._files) >= 2

    def close(self) -> None:
        while self._files:
            os.close(self._files.pop())

    def memory(self, above: int = 0) -> int:
        """Bytes of memory in use beyond `above`, without what the kernel only remembers of files on disks."""
        used = self._numbers(0).get("", 0) if self else 0
        if used <= above:
            return 0
        kinds = self._numbers(1)
        remembered = [
            kinds.get(f"total_{name}", kinds.get(name, 0)) for name in ("inactive_file", "active_file")
        ]
        return max(0, used - sum(remembered) - above)

    def cpu(self) -> float:
        """Seconds of processor time of all processes that are or were in the group; 0 where that is not counted."""
        numbers = self._numbers(2) if len(self._files) > 2 else {}
        return numbers.get("usage_usec", 0) / 1e6 or numbers.get("", 0) / 1e9

    def _numbers(self, position: int) -> dict[str, int]:
        """The lines "name number" of a file; a number that stands alone has no name."""
        try:
            lines = os.pread(self._files[position], 1 << 14, 0).decode().splitlines()
        except OSError:
            return {}
        pairs = (line.rpartition(" ") for line in lines)
        return {name: int(number) for name, _, number in pairs if number.isdigit()}


# -- memory -------------------------------------------------------------------------------------------------------


def gather_memory() -> None:
    """Lay this process's memory into large pages: forking it then costs a third."""
    if not LINUX:
        return
    large, collapse = 2 << 20, 25
    _libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for line in Path("/proc/self/maps").read_text().splitlines():
        words = line.split()
        if words[1] != "rw-p" or words[5:] not in ([], ["[heap]"]):
            continue
        start, end = (int(address, 16) for address in words[0].split("-"))
        start, end = (start + large - 1) // large * large, end // large * large
        if end > start:
            _libc.madvise(start, end - start, collapse)
