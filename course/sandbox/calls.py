"""Which system calls a process gives up (seccomp), and what it is told when it makes one all the same."""

import ctypes
import platform
import struct

from course.sandbox.confine import LINUX, NAMESPACES, done, libc

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
_ANY_NAMESPACE = NAMESPACES | 0x02000000
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
    return done(libc.prctl(set_seccomp, filter_mode, header, 0, 0))
