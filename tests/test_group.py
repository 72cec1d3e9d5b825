"""Who can open a class folder: its owner alone, or two assistants of a group, who work in it in turn."""

import grp
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from course.judging import archive
from solutions.classroom.__main__ import main
from solutions.classroom.assignment import Assignment
from solutions.classroom.folder import ClassFolder
from solutions.classroom.gradebook import open_gradebook
from solutions.classroom.opening import open_class
from solutions.classroom.release.publish import release
from solutions.classroom.release.seeds import secret_seeds

pytestmark = pytest.mark.promise("P18")

CHAPTER = "10_attention"
ASSISTANTS = (45_001, 45_002)
"""Users that no system has: who is in the group is what counts."""


@pytest.fixture(autouse=True)
def same_umask() -> Iterator[None]:
    mask = os.umask(0o022)
    yield
    os.umask(mask)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_class_folder_is_private(tmp_path: Path) -> None:
    assert main(["new", str(tmp_path / "class")]) == 0
    folder = ClassFolder(tmp_path / "class")
    assert {_mode(path) for path in (folder.root, folder.hidden)} == {0o700}
    secret_seeds(Assignment(folder, CHAPTER))
    assert {_mode(folder.hidden / name) for name in ("secret", "seeds.json")} == {0o600}


def test_making_it_again_keeps_its_configuration_and_mode(tmp_path: Path) -> None:
    assert main(["new", str(tmp_path / "class")]) == 0
    config = tmp_path / "class" / "nbgrader_config.py"
    config.write_text(config.read_text() + "c = get_config()\n")
    config.parent.chmod(0o750)
    assert main(["new", str(tmp_path / "class")]) == 0
    assert config.read_text().endswith("c = get_config()\n")
    assert _mode(config.parent) == 0o750


def test_a_group_that_there_is_not_is_said_to_be_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", str(tmp_path / "class"), "--group", "nobody-s-group"]) == 2
    assert "There is no group called 'nobody-s-group'" in capsys.readouterr().err


def test_what_is_written_into_a_group_s_folder_is_the_group_s(tmp_path: Path) -> None:
    tmp_path.chmod(0o2770)
    archive.write_bytes(tmp_path / "open", b"")
    archive.write_bytes(tmp_path / "secret", b"", private=True)
    assert {_mode(tmp_path / name) for name in ("open", "secret")} == {0o660}


@pytest.fixture
def shared() -> Iterator[ClassFolder]:
    """A class of two, graded by its owner: one handed in the release, the other what cannot be read."""
    if os.geteuid() != 0:
        pytest.skip("only root can be two assistants")
    place = Path(tempfile.mkdtemp(prefix="school-"))
    place.chmod(0o755)
    group = next(entry for entry in grp.getgrall() if entry.gr_gid > 0)
    assert main(["new", str(place / "class"), "--group", group.gr_name]) == 0
    folder = open_class(place / "class")
    release(folder, CHAPTER)
    for student in ("ada", "ben"):
        folder.submitted(student, CHAPTER).mkdir(parents=True)
    shutil.copy(folder.release(CHAPTER) / f"{CHAPTER}.ipynb", folder.submitted("ada", CHAPTER))
    (folder.submitted("ben", CHAPTER) / f"{CHAPTER}.ipynb").write_text("{")
    assert main(["grade", str(folder.root)]) == 0
    yield folder
    shutil.rmtree(place)


def _as_user(user: int, folder: ClassFolder, what: Callable[[], object]) -> None:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            group = folder.root.stat().st_gid
            os.setgroups([group])
            os.setresgid(user, user, user)  # the group is none that new files get by themselves
            os.setresuid(user, user, user)
            os.umask(0o022)
            os.environ["HOME"] = "/nonexistent"
            what()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _grade_and_score(folder: ClassFolder, points: float) -> None:
    """What an assistant does in turn: grade, then enter points as formgrader does."""
    assert main(["grade", str(folder.root)]) == 0
    with open_gradebook(open_class(folder.root)) as book:
        grade = next(
            grade
            for grade in book.find_submission_notebook(CHAPTER, CHAPTER, "ada").grades
            if grade.cell.cell_type == "markdown"
        )
        grade.manual_score, grade.needs_manual_grade = points, False
        book.db.commit()


def test_two_assistants_of_a_group_grade_and_score_in_turn(shared: ClassFolder) -> None:
    for turn, user in enumerate(ASSISTANTS):
        _as_user(user, shared, lambda turn=turn: _grade_and_score(shared, turn + 1))  # type: ignore[misc]
    with sqlite3.connect(shared.root / "gradebook.db") as database:
        scores = database.execute("select manual_score from grade where manual_score is not null").fetchall()
    assert scores == [(2.0,)]
    written_by = {path.stat().st_uid for path in (shared.root / "autograded").rglob("*.ipynb")}
    assert written_by == {ASSISTANTS[1]}
    group = shared.root.stat().st_gid
    for path in [shared.root, *shared.root.rglob("*")]:
        facts = path.lstat()
        assert facts.st_gid == group, path
        assert not facts.st_mode & stat.S_IROTH or path.is_file(), path
        if path.is_dir():
            assert facts.st_mode & 0o2770 == 0o2770, path
    with pytest.raises(AssertionError):
        _as_user(ASSISTANTS[0] + 10, ClassFolder(Path("/")), lambda: os.listdir(shared.root))


def test_a_folder_that_is_there_is_given_to_a_group(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder to any group")
    group = next(entry for entry in grp.getgrall() if entry.gr_gid > 0)
    assert main(["new", str(tmp_path / "class")]) == 0
    folder = ClassFolder(tmp_path / "class")
    secret_seeds(Assignment(folder, CHAPTER))
    (folder.root / "submitted" / "link").symlink_to("/etc/passwd")
    assert main(["new", str(folder.root), "--group", group.gr_name]) == 0
    for path in [folder.root, *folder.root.rglob("*")]:
        assert path.lstat().st_gid == group.gr_gid, path
        if path.is_dir():
            assert _mode(path) == 0o2770, path
        elif not path.is_symlink():
            assert _mode(path) & 0o077 == 0o060, path
    assert Path("/etc/passwd").stat().st_gid != group.gr_gid or group.gr_gid == 0
