"""Every mishap that can be foreseen: one sentence that names the thing and the remedy, exit code 2, no traceback."""

import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_class import CHAPTER, Person, small_class

from solutions.classroom import faults
from solutions.classroom.__main__ import main
from solutions.classroom.feedback import export, report
from solutions.classroom.folder import ClassFolder, ClassFolderError, configuration, new_class
from solutions.classroom.gradebook import IN_USE
from solutions.classroom.grading import grade
from solutions.classroom.grading.class_rules import class_rules
from solutions.classroom.grading.grade import grade_class
from solutions.classroom.submission import leftovers

COMMANDS = {
    "report": ["report", "CLASS"],
    "moodle": ["export", "CLASS", "--to", "moodle"],
    "grade": ["grade", "CLASS"],
}
"""Commands that read all that a class folder holds."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> ClassFolder:
    return small_class(tmp_path_factory.mktemp("faults"), [Person("ada"), Person("Zoë")])


@pytest.fixture
def folder(whole: ClassFolder, tmp_path: Path) -> ClassFolder:
    shutil.copytree(whole.root, tmp_path / "class")
    return ClassFolder(tmp_path / "class")


def _not_a_database(folder: ClassFolder) -> None:
    (folder.root / "gradebook.db").write_bytes(b"no database at all " * 99)


def _cut_short(folder: ClassFolder) -> None:
    path = folder.root / "gradebook.db"
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))


def _a_folder(folder: ClassFolder) -> None:
    (folder.root / "gradebook.db").unlink()
    (folder.root / "gradebook.db").mkdir()


def _other_tables(folder: ClassFolder) -> None:
    (folder.root / "gradebook.db").unlink()
    with sqlite3.connect(folder.root / "gradebook.db") as database:
        database.execute("create table assignment (id int)")


def _damage(name: str, data: bytes) -> Callable[[ClassFolder], None]:
    def do(folder: ClassFolder) -> None:
        path = folder.hidden / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    return do


VERDICT = f"verdicts/{CHAPTER}/ada.json"

DAMAGES = {
    "gradebook that is no database": (_not_a_database, "gradebook.db is damaged"),
    "gradebook cut short": (_cut_short, "gradebook.db is damaged"),
    "gradebook that is a folder": (_a_folder, "gradebook.db cannot be opened"),
    "gradebook of other tables": (_other_tables, "gradebook.db was not made by this version"),
    "verdict cut short": (_damage(VERDICT, b'{"unreadable": '), "ada.json is damaged"),
    "verdict that is a list": (_damage(VERDICT, b"[]"), "ada.json is damaged"),
    "verdict of binary": (_damage(VERDICT, b"\xff\x00\xfe"), "ada.json is damaged"),
    "verdict nested deeply": (_damage(VERDICT, b"[" * 100_000), "ada.json is damaged"),
    "verdict without parts": (_damage(VERDICT, b'{"unreadable": "", "notes": []}'), "ada.json is damaged"),
    "empty verdict": (_damage(VERDICT, b""), "ada.json is damaged"),
}


def _run(arguments: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    capsys.readouterr()
    code = main([str(folder) if part == "CLASS" else part for part in arguments])
    return code, capsys.readouterr().err


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("command", ["report", "moodle"])
def test_what_is_damaged_is_named_with_the_remedy(
    folder: ClassFolder, command: str, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    do, words = DAMAGES[damage]
    do(folder)
    code, said = _run(COMMANDS[command], folder.root, capsys)
    assert code == 2
    assert words in said
    assert said.count("\n") == 1
    assert "Traceback" not in said


@pytest.mark.parametrize("name", ["seeds.json", "built.json"])
@pytest.mark.parametrize("data", [b"{", b"[]", b"\xff", b""])
def test_the_class_folder_s_own_notes_are_named_when_they_are_damaged(
    folder: ClassFolder, name: str, data: bytes
) -> None:
    (folder.hidden / name).write_bytes(data)
    said = faults.sentence(ValueError("Expecting value"), folder.root)
    assert said is not None
    assert f"{name} is damaged" in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("c = get_config(\n", "SyntaxError"),
        ("import no_such_module\n", "no_such_module"),
        ("1 / 0\n", "line 1: ZeroDivision"),
    ],
)
def test_a_fault_in_nbgrader_config_is_said_with_its_line(
    folder: ClassFolder, text: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder.root / "nbgrader_config.py").write_text(text)
    try:
        class_rules(folder)
    except BaseException as error:
        said = faults.sentence(error, folder.root)
    assert said is not None
    assert "nbgrader_config.py, line" in said
    assert words in said


@pytest.mark.parametrize("command", COMMANDS)
def test_a_class_folder_that_is_a_file_or_missing_is_said_to_be_one(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("x")
    for name in ("file", "none", "file/below", "x" * 300):
        code, said = _run(COMMANDS[command], tmp_path / name, capsys)
        assert code == 2
        assert name in said
        assert said.count("\n") == 1


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named_though_the_error_does_not(folder: ClassFolder, code: int) -> None:
    said = faults.sentence(OSError(code, os.strerror(code)), folder.root)
    assert said is not None
    assert str(folder.root) in said
    assert "Make room" in said


def test_a_disk_that_is_really_full_is_named(whole: ClassFolder, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(small)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can only be mounted by root")
    try:
        shutil.copytree(whole.root, small / "class")
        (small / "ballast").write_bytes(b"x" * (shutil.disk_usage(small).free // 4096 * 4096))
        done = _started("report", str(small / "class"))
        assert done.returncode == 2
        assert str(small / "class") in done.stderr
        assert "No space left" in done.stderr
        assert "Traceback" not in done.stderr
        assert not list((small / "class").glob(".report.html*"))
    finally:
        subprocess.run(["umount", str(small)], check=False)


def _started(*arguments: str, **settings: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "solutions.classroom", *arguments]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | settings
    return subprocess.run(command, text=True, check=False, encoding="utf-8", errors="replace", **streams)  # type: ignore[call-overload, no-any-return]


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize("wanted", [ASCII, {"PYTHONIOENCODING": "latin-1"}, {"LANG": "C"}])
def test_a_terminal_that_has_no_such_sign_ends_nothing(folder: ClassFolder, wanted: dict[str, str]) -> None:
    done = _started("report", str(folder.root), env=os.environ | wanted)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_leaves_or_never_was_ends_nothing(folder: ClassFolder) -> None:
    command = f"{sys.executable} -m solutions.classroom report {folder.root}"
    for tail in ("| head -c 1", ">&-", "2>&-", ">&- 2>&-"):
        page = folder.root / "report.html"
        page.unlink(missing_ok=True)
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {command} {tail}"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (tail, done.stderr)
        assert done.stderr == ""
        assert page.exists()


def test_an_output_that_is_full_is_one_sentence(folder: ClassFolder) -> None:
    with open("/dev/full", "w") as full:
        done = _started("report", str(folder.root), stdout=full)
    assert done.returncode == 2
    assert "The output cannot be written (No space left on device)" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_ctrl_c_says_what_is_kept(
    folder: ClassFolder, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*arguments: object, **more: object) -> None:
        raise KeyboardInterrupt

    for module, name in ((grade, "grade_class"), (report, "write_page"), (export, "moodle")):
        monkeypatch.setattr(module, name, stop)
    code, said = _run(COMMANDS[command], folder.root, capsys)
    assert code == 130
    assert "What was finished is kept" in said


def _as_nobody(*arguments: str) -> subprocess.CompletedProcess[str]:
    """As a user for whom modes count."""
    if os.geteuid() != 0:
        return _started(*arguments)
    if shutil.which("setpriv") is None:
        pytest.skip("root may do everything, and there is no setpriv to become somebody else")
    other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    command = [*other, sys.executable, "-m", "solutions.classroom", *arguments]
    probe = subprocess.run(
        [*other, sys.executable, "-c", "import solutions"], capture_output=True, check=False
    )
    if probe.returncode:
        pytest.skip("another user cannot run this Python")
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_what_may_not_be_read_or_written_is_named(whole: ClassFolder, command: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        shutil.copytree(whole.root, Path(place) / "class")
        root = Path(place) / "class"
        for path in [root, *root.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        try:
            done = _as_nobody(*(str(root) if part == "CLASS" else part for part in COMMANDS[command]))
            (root / "gradebook.db").chmod(0)
            closed = _as_nobody(*(str(root) if part == "CLASS" else part for part in COMMANDS[command]))
        finally:
            for path in [root, *root.rglob("*")]:
                path.chmod(0o755)
    for one in (done, closed):
        assert one.returncode == 2, one.stderr
        assert str(root) in one.stderr
        assert "Traceback" not in one.stderr
        assert one.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EROFS, "Read-only file system", "/class/x"), "/class/x: The disk is read-only"),
        (PermissionError(errno.EACCES, "Permission denied", "/class/x"), "/class/x: Permission denied"),
        (OSError(errno.EMFILE, "Too many open files"), "ulimit -n"),
        (OSError(errno.EAGAIN, "Resource temporarily unavailable"), "--jobs"),
        (MemoryError(), "--jobs"),
        (ModuleNotFoundError("No module named 'nbgrader'", name="nbgrader.api"), "[instructor]"),
        (ModuleNotFoundError("No module named 'dask'", name="dask"), "[cluster]"),
    ],
)
def test_what_the_machine_lacks_is_said_with_the_remedy(error: Exception, words: str) -> None:
    said = faults.sentence(error, Path("/class"))
    assert said is not None
    assert words in said


def test_a_defect_of_ours_is_not_dressed_up(folder: ClassFolder) -> None:
    assert faults.sentence(ValueError("a bug"), folder.root) is None
    assert faults.sentence(AssertionError(), folder.root) is None
    locked = sqlite3.OperationalError("the text says locked")
    assert faults.sentence(locked, folder.root) != IN_USE


@pytest.mark.parametrize(
    "arguments",
    [
        ["grade", "CLASS", "--jobs", "0"], ["grade", "CLASS", "--jobs", "two"], ["grade", "CLASS", "--device", "tpu"],
        ["alike", "CLASS", "--least", "nan"], ["alike", "CLASS", "--least", "80"], ["formgrader", "CLASS", "--port", "70000"],
        ["export", "CLASS"], ["export", "CLASS", "--to", "excel"], ["report"], ["no-such-command"], [],
    ],
)  # fmt: skip
def test_arguments_that_mean_nothing_are_told(
    folder: ClassFolder, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        _run(arguments, folder.root, capsys)
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "_positive" not in said


def test_folders_of_killed_graders_are_removed_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    script = "import time; from solutions.classroom.submission.leftovers import own_folder; print(own_folder(), flush=True); time.sleep(99)"
    one, other = (
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    )
    assert one.stdout is not None
    assert other.stdout is not None
    left, kept = Path(one.stdout.readline().strip()), Path(other.stdout.readline().strip())
    (left / "closed").mkdir()
    (left / "closed" / "file").write_text("x")
    (left / "closed").chmod(0)
    elsewhere = tmp_path / kept.name.replace(leftovers._here(), "0" * 8)
    somebody_s = tmp_path / "classroom-notes"
    for path in (elsewhere, somebody_s):
        path.mkdir()
    (tmp_path / "target").mkdir()
    link = tmp_path / f"{left.name}x"
    link.symlink_to(tmp_path / "target")
    try:
        one.send_signal(signal.SIGKILL)
        one.wait()
        mine = leftovers.own_folder()
        assert not left.exists()
        assert (tmp_path / "target").exists()
        assert all(path.exists() for path in (mine, kept, elsewhere, somebody_s))
    finally:
        other.kill()
        other.wait()


def test_a_number_that_another_process_has_now_protects_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path("/proc/self/stat").exists():
        pytest.skip("this system does not tell when a process started")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    old = leftovers.own_folder()
    again = old.with_name(old.name.replace(f"-{leftovers._started(os.getpid())}-", "-1-"))
    old.rename(again)
    leftovers.clear()
    assert not again.exists()


def test_a_folder_is_removed_however_deep_it_is_and_whatever_its_modes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "left"
    (folder / "closed" / "inside").mkdir(parents=True)
    monkeypatch.chdir(folder)
    for _ in range(1_500):
        os.mkdir("d")
        os.chdir("d")
    os.chdir(tmp_path)
    (folder / "closed" / "inside").chmod(0)
    (folder / "closed").chmod(0)
    (folder / "link").symlink_to(tmp_path)
    leftovers.remove(folder)
    assert not folder.exists()
    assert tmp_path.exists()


def test_what_is_not_isolated_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = small_class(tmp_path, [Person("ada")])
    said: list[str] = []
    list(grade_class(folder, [], isolation="none", say=said.append))
    assert len(said) == 1
    assert "bubblewrap does not work here" in said[0]


def test_a_missing_configuration_is_named_with_the_remedy(tmp_path: Path) -> None:
    folder = small_class(tmp_path, [Person("ada")])
    (folder.root / "nbgrader_config.py").unlink()
    with pytest.raises(ClassFolderError, match="classroom new"):
        configuration(folder)


@pytest.mark.parametrize("steps", range(4))
def test_a_class_folder_whose_making_was_killed_is_made_by_the_same_command_again(
    steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """What a SIGKILL is to the files: the next step is never made."""

    made = 0
    make = Path.mkdir

    def mkdir(self: Path, *args: Any, **kwargs: Any) -> None:
        nonlocal made
        if made == steps:
            raise Killed
        make(self, *args, **kwargs)
        made += 1

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(Killed):
        new_class(tmp_path / "class")
    monkeypatch.undo()
    folder = new_class(tmp_path / "class")
    assert {path.name for path in folder.root.iterdir()} == {
        ".course",
        "source",
        "submitted",
        "nbgrader_config.py",
    }
