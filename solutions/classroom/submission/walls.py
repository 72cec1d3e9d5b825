"""Where students' code runs: what it sees of this machine, how that is enforced, and in words what is not.

With bubblewrap it has a root of its own that holds Python and the course. With Landlock it stays in this machine's, and
only the same folders exist for it. Where neither works, it is an ordinary user's process, and the instructor is told.
"""

import importlib.util
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from course.sandbox import confine

WAYS = ("bubblewrap", "landlock", "none")
"""How students' code can be isolated, the strongest first; "auto" stands for the first that works."""

COURSE = Path(importlib.util.find_spec("course").origin or "").resolve().parent  # type: ignore[union-attr]
_SOLUTIONS = Path(__file__).resolve().parents[2]
_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin")
_SETTINGS = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/localtime",
    "/etc/fonts",
    "/nix/store",
)
DEVICES = ("null", "zero", "full", "random", "urandom")
SCRATCH = "/scratch"
"""A notebook's folder behind bubblewrap's walls; each keeper puts one of its own there."""


class SandboxError(Exception):
    """The sandbox does not start, or ends by itself. The message says what to do."""


def environment(home: str, device: str) -> dict[str, str]:
    """All that a notebook sees of the grader's environment: nothing but where libraries lie."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": home,
        "USER": "student",
        "LOGNAME": "student",
        "LANG": "C.UTF-8",
        "IPYTHONDIR": f"{home}/.ipython",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": f"{home}/.matplotlib",
        "COURSE_FAST": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
        "TERM": "dumb",
    }
    for library in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB_MAXIMUM"):
        environment[f"{library}_NUM_THREADS"] = "1"
    if device == "cpu":
        environment["CUDA_VISIBLE_DEVICES"] = ""
    for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"):
        if name in os.environ:
            environment[name] = os.environ[name]
    return environment


def packages() -> list[Path]:
    """The folders of installed packages."""
    names = ("site-packages", "dist-packages")
    return [path for path in map(Path, sys.path) if path.name in names and path.is_dir()]


def interpreter() -> list[Path]:
    """Python itself: its folders, those of its packages, and those of libraries that the environment names."""
    named = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    folders = [Path(sys.prefix), Path(sys.base_prefix), *packages(), *(Path(name) for name in named if name)]
    return _outermost(folder for path in folders for folder in (path, path.resolve()) if path.is_dir())


def shared_folders() -> list[str]:
    """The folders that become each notebook's own; not /tmp when Python or the course itself lies there."""
    in_use = [*interpreter(), COURSE]
    return [name for name in ("/tmp", "/dev/shm") if not any(path.is_relative_to(name) for path in in_use)]


def _outermost(folders: Iterable[Path]) -> list[Path]:
    """These folders without those inside others of them; the whole disk or a whole home is refused."""
    kept: list[Path] = []
    too_wide = {Path("/"), Path.home(), Path("/home"), Path("/root"), Path("/tmp")}
    for folder in sorted(set(folders), key=lambda path: len(path.parts)):
        if folder in too_wide:
            raise SandboxError(
                f"Python is installed in {folder} itself; the sandbox cannot show that to students."
            )
        if not any(folder.is_relative_to(outer) for outer in kept):
            kept.append(folder)
    return kept


def check_that_others_can_read() -> None:
    """Behind walls nobody has root's right to read everything: Python and the course must be readable as they are."""
    for path in [*interpreter(), *packages(), Path(os.__file__), COURSE, COURSE / "__init__.py"]:
        needed = 0o005 if path.is_dir() else 0o004
        if path.stat().st_mode & needed != needed:
            raise SandboxError(
                f"Only root can read {path}, and students' code is not run as root: chmod -R o+rX {path}"
            )


def _hidden() -> list[Path]:
    """What only an instructor holds, wherever it lies."""
    return [_SOLUTIONS, COURSE / "chapters"]


def bubblewrap_arguments(device: str) -> list[str]:
    """bubblewrap's arguments: a root that holds the environment and the course, and nothing else of this machine."""
    words = [
        "bwrap",
        "--unshare-pid",
        "--unshare-net",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-cgroup-try",
    ]
    words += ["--hostname", "sandbox"]
    if os.getuid() != 0:
        words += ["--unshare-user", "--cap-add", "ALL"]
    bound: list[Path] = []
    for name in _SYSTEM:
        path = Path(name)
        if path.is_symlink():
            words += ["--symlink", os.readlink(path), name]
        elif path.is_dir():
            words += ["--ro-bind", name, name]
            bound.append(path)
    for name in _SETTINGS:
        words += ["--ro-bind-try", name, name]
    datasets = COURSE.parent / "datasets"
    for path in [*interpreter(), COURSE, *([datasets] if datasets.is_dir() else [])]:
        if not any(path.is_relative_to(outer) for outer in bound):
            for above in reversed(path.parents[:-1]):  # open to all, whatever they are outside
                words += ["--dir", str(above)]
            words += ["--ro-bind", str(path), str(path)]
            bound.append(path)
    for path in _hidden():
        if path.is_dir() and any(path.is_relative_to(outer) for outer in bound):
            words += ["--tmpfs", str(path), "--remount-ro", str(path)]
    words += ["--proc", "/proc", "--tmpfs", "/dev"]
    for name in DEVICES:
        words += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
    words += ["--symlink", "/proc/self/fd", "/dev/fd"]
    if device != "cpu":
        for path in sorted(Path("/dev").glob("nvidia*")):
            words += ["--dev-bind", str(path), str(path)]
        words += ["--ro-bind-try", "/sys", "/sys"]
    for folder in ("/dev/shm", "/tmp", SCRATCH, "/home/server"):
        words += ["--dir", folder]
    return [*words, "--chdir", "/home/server", "--"]


def readable_with_landlock() -> list[Path]:
    """What Landlock leaves visible: the same as behind the walls. It cannot hide a folder in a visible one."""
    paths = [*map(Path, _SYSTEM), *map(Path, _SETTINGS), Path("/proc"), Path("/sys/devices/system/cpu")]
    paths += [Path("/dev", name) for name in DEVICES]
    datasets = COURSE.parent / "datasets"
    found: list[Path] = []
    for path in [*paths, *interpreter(), COURSE, datasets]:
        found += _without_hidden(path.resolve())
    return found


def _without_hidden(path: Path) -> list[Path]:
    """The path; or, where something hidden is inside, its other contents."""
    inside = [hidden for hidden in _hidden() if hidden.is_relative_to(path)]
    if path in inside or not path.exists():
        return []
    return [part for child in path.iterdir() for part in _without_hidden(child)] if inside else [path]


_UNPROTECTED = {
    "landlock": "bubblewrap does not work here, so student code can see which programs run on this machine,"
    " and its disk space is watched instead of capped.",
    "none": "bubblewrap does not work here and Landlock is not used, so student code can read the files that you can read"
    "{write}.",
}
_REFUSED = {
    "processes": "submissions that run at the same time can see each other's processes",
    "room": "submissions that run at the same time share their scratch folder",
    "users": "the limit on processes is shared by all submissions",
    "privileges": "set-uid programs keep their rights",
    "files": "student code can read and change the files that you can",
    "signals": "student code can stop your other programs",
    "calls": "unusual system calls and network sockets are not refused",
}


def what_is_not_isolated(kind: str, missing: list[str]) -> str:
    """What is not isolated, in words; empty when everything is."""
    write = "" if os.getuid() == 0 else " and change them, and stop your programs"
    if kind == "landlock" and os.getuid() != 0 and confine.landlock_version() < 6:
        missing = [*missing, "signals"]
    sentences = [_UNPROTECTED[kind].format(write=write)] if kind in _UNPROTECTED else []
    refused = [_REFUSED.get(word, word) for word in missing]
    if refused:
        sentences.append(f"The kernel refused a part of the isolation: {'; '.join(refused)}.")
    return " ".join(sentences)
