"""The whole round through nbgrader's exchange: what is handed in is graded, and its feedback reaches whoever handed it in."""

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import traceback
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import nbformat
import nbgrader.apps.nbgraderapp
import pytest

from solutions.classroom.__main__ import main
from solutions.classroom.assignment import Assignment
from solutions.classroom.feedback.report import rows, verdicts_of
from solutions.classroom.folder import ClassFolder, new_class
from solutions.classroom.gradebook import open_gradebook
from solutions.classroom.grading.exchange import NOT_FOLLOWED, SECRET, STAMP, read_stamp
from solutions.classroom.grading.grade import grade_class
from solutions.classroom.plain_text import plain
from solutions.classroom.proof.simulated_class import full_marks, solved
from solutions.classroom.release.publish import release
from solutions.classroom.release.source_notebook import ANSWER, notebook_bytes
from solutions.classroom.roster import unmatched
from solutions.classroom.submission.sandbox import Sandbox

pytestmark = pytest.mark.promise("P18")

CHAPTER = "10_attention"
ABSENT = "zoe-who-is-absent"
EXCHANGE = """
c = get_config()  # noqa: F821
c.Exchange.root = "{root}"
"""


@dataclass(frozen=True)
class Person:
    """Somebody with a home; as root, a real user of this system, so that the exchange's own walls are met."""

    name: str
    home: Path
    uid: int = 0

    def nbgrader(self, *arguments: str, where: Path | None = None) -> str:
        """One nbgrader command as this person, in a forked process: without the seconds that a start takes."""
        status, said = self.does(
            lambda: nbgrader.apps.nbgraderapp.NbGraderApp.launch_instance(list(arguments)),
            where or self.home / "work",
        )
        assert status == 0, said
        return said

    def does(self, what: Callable[[], object], where: Path) -> tuple[int, str]:
        with tempfile.TemporaryFile("w+") as log:
            child = os.fork()
            if child == 0:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
                _in_the_child(self, what, where)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            log.seek(0)
            return status, log.read()

    @property
    def whose(self) -> tuple[str, ...]:
        """Where everybody is one user, nbgrader is told who is meant."""
        return () if self.uid else ("--student", self.name)


def _in_the_child(person: Person, what: Callable[[], object], where: Path) -> None:
    code = 1
    try:
        if person.uid:
            os.setgroups([])
            os.setresgid(person.uid, person.uid, person.uid)
            os.setresuid(person.uid, person.uid, person.uid)
        os.environ |= {
            "HOME": str(person.home),
            "JUPYTER_CONFIG_DIR": str(person.home / ".jupyter"),
            "JUPYTER_DATA_DIR": str(person.home / ".local"),
            "JUPYTER_RUNTIME_DIR": str(person.home / ".run"),
        }
        os.chdir(where)
        sys.stdout = sys.stderr = open(1, "w", closefd=False)
        what()
        code = 0
    except SystemExit as done:
        code = int(done.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


@dataclass(frozen=True)
class School:
    folder: ClassFolder
    exchange: Path
    teacher: Person
    ada: Person
    ben: Person
    sandbox: Sandbox

    def nbgrader(self, *arguments: str) -> str:
        return self.teacher.nbgrader(*arguments, where=self.folder.root)

    def grade(self, *students: str, again: bool = False) -> None:
        """What `classroom grade` does, in a sandbox that is warm already."""
        who, sandbox = list(students) or None, self.sandbox
        assert list(grade_class(self.folder, [CHAPTER], who, again=again, record=sandbox.run))

    def pages(self) -> list[Path]:
        return sorted((self.exchange / self.folder.root.name / "feedback").glob("*.html"))

    def fetched(self, person: Person) -> list[str]:
        """The pages that this person fetches now, the oldest submission's first."""
        shutil.rmtree(person.home / "work" / CHAPTER / "feedback", ignore_errors=True)
        person.nbgrader("fetch_feedback", CHAPTER, *person.whose)
        found = (person.home / "work" / CHAPTER / "feedback").glob(f"*/{CHAPTER}.html")
        return [path.read_text() for path in sorted(found)]


@pytest.fixture(scope="module")
def collected() -> Iterator[School]:
    """A class of three: one handed in everything solved, one a file that cannot be read, one nothing."""
    place = Path(tempfile.mkdtemp(prefix="school-"))
    place.chmod(0o755)
    sandbox = Sandbox()
    try:
        yield _collected(place, sandbox)
    finally:
        sandbox.close()
        shutil.rmtree(place)


def _collected(place: Path, sandbox: Sandbox) -> School:
    exchange = place / "exchange"
    ada, ben = _students(place)
    teacher = Person("teacher", _home(place, "teacher", 0))
    for person in (ada, ben):
        config = EXCHANGE.format(root=exchange) + 'c.CourseDirectory.course_id = "class"\n'
        (person.home / ".jupyter" / "nbgrader_config.py").write_text(config)
    folder = new_class(place / "class")
    _configure(folder, EXCHANGE.format(root=exchange))
    release(folder, CHAPTER)
    with open_gradebook(folder) as book:
        book.add_student(ABSENT)
    school = School(folder, exchange, teacher, ada, ben, sandbox)
    school.nbgrader("release_assignment", CHAPTER)
    for person in (ada, ben):
        person.nbgrader("fetch_assignment", CHAPTER)
    _hand_in(ada, _solved(folder, "Because it asks for a bank."))
    _hand_in(ben, b"{ this is no notebook")
    school.nbgrader("collect", CHAPTER)
    assert {path.name for path in (folder.root / "submitted").iterdir()} == {ada.name, ben.name}
    return school


def _students(place: Path) -> list[Person]:
    users = [
        user for user in pwd.getpwall() if 0 < user.pw_uid < 60_000 and user.pw_name not in ("jovyan", "sync")
    ]
    if os.geteuid() == 0 and len(users) >= 2:
        return [
            Person(user.pw_name, _home(place, user.pw_name, user.pw_uid), user.pw_uid) for user in users[:2]
        ]
    return [Person(name, _home(place, name, 0)) for name in ("ada", "ben")]


def _home(place: Path, name: str, uid: int) -> Path:
    home = place / "homes" / name
    for part in (home, home / "work", home / ".jupyter"):
        part.mkdir(parents=True, mode=0o700)
        if uid:
            os.chown(part, uid, uid)
    return home


def _configure(folder: ClassFolder, text: str) -> None:
    path = folder.root / "nbgrader_config.py"
    path.write_text(path.read_text() + text)


def _solved(folder: ClassFolder, answer: str) -> bytes:
    notebook = solved(Assignment(folder, CHAPTER).notebook, CHAPTER)
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source == ANSWER:
            cell.source = answer
    return notebook_bytes(notebook)


def _hand_in(person: Person, data: bytes) -> None:
    (person.home / "work" / CHAPTER / f"{CHAPTER}.ipynb").write_bytes(data)
    person.nbgrader("submit", CHAPTER, *person.whose)


@pytest.fixture(scope="module")
def graded(collected: School) -> School:
    assert main(["grade", str(collected.folder.root)]) == 0
    return collected


@pytest.fixture
def copy(graded: School) -> Iterator[School]:
    """The graded class once more; the exchange is everybody's."""
    place = Path(tempfile.mkdtemp(dir=graded.folder.root.parent))
    shutil.copytree(graded.folder.root, place / "class")
    for page in graded.pages():
        page.unlink()
    yield replace(graded, folder=ClassFolder(place / "class"))
    shutil.rmtree(place)


def _feedback(school: School) -> None:
    school.nbgrader("generate_feedback", CHAPTER, "--force")
    school.nbgrader("release_feedback", CHAPTER)


@pytest.mark.parametrize("way", ["classroom grade", "nbgrader autograde"])
def test_each_page_is_fetched_by_its_owner_and_by_nobody_else(copy: School, way: str) -> None:
    if way == "nbgrader autograde":
        for made in ("autograded", "gradebook.db"):
            path = copy.folder.root / made
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        copy.nbgrader("generate_assignment", CHAPTER, "--force")
        copy.nbgrader("db", "student", "add", ABSENT)
        copy.nbgrader("autograde", CHAPTER)
    _feedback(copy)
    assert len(copy.pages()) == 2
    mine, theirs = copy.fetched(copy.ada), copy.fetched(copy.ben)
    assert len(mine) == len(theirs) == 1
    assert sorted([*mine, *theirs]) == sorted(page.read_text() for page in copy.pages())
    assert "Because it asks for a bank." in mine[0]
    assert "not a notebook" in theirs[0]
    if copy.ben.uid:
        place = copy.pages()[0].parent
        status, said = copy.ben.does(lambda: os.listdir(place), copy.ben.home)
        assert status == 1, said
        assert "Permission denied" in said


def test_whoever_hands_in_nothing_has_no_submission(copy: School) -> None:
    assert not copy.folder.autograded(ABSENT, CHAPTER).exists()
    assert ABSENT not in verdicts_of(copy.folder, CHAPTER)
    with open_gradebook(copy.folder) as book:
        assert {one.student_id for one in book.assignment_submissions(CHAPTER)} == {
            copy.ada.name,
            copy.ben.name,
        }
    states = {row.student: row.state for row in rows(copy.folder, [CHAPTER])}
    assert states[ABSENT] == "nothing handed in"
    assert states[copy.ben.name] == "unreadable"


def test_what_an_older_version_made_of_the_absent_is_cleared(copy: School) -> None:
    for place in (copy.folder.autograded(ABSENT, CHAPTER), copy.folder.feedback(ABSENT, CHAPTER)):
        place.mkdir(parents=True)
    shutil.copy(
        copy.folder.autograded(copy.ben.name, CHAPTER) / f"{CHAPTER}.ipynb",
        copy.folder.autograded(ABSENT, CHAPTER),
    )
    (copy.folder.feedback(ABSENT, CHAPTER) / f"{CHAPTER}.html").write_text("An old page.")
    verdicts = copy.folder.hidden / "verdicts" / CHAPTER
    old = json.loads((verdicts / f"{copy.ben.name}.json").read_text())
    old["unreadable"] = "Nothing was handed in: there is no 10_attention.ipynb."
    (verdicts / f"{ABSENT}.json").write_text(json.dumps(old))
    with open_gradebook(copy.folder) as book:
        book.add_submission(CHAPTER, ABSENT)
    copy.grade()
    test_whoever_hands_in_nothing_has_no_submission(copy)
    _feedback(copy)
    assert len(copy.pages()) == 2


def test_what_a_person_entered_for_the_absent_stays(copy: School) -> None:
    with open_gradebook(copy.folder) as book:
        book.add_submission(CHAPTER, ABSENT)
        for grade in book.find_submission_notebook(CHAPTER, CHAPTER, ABSENT).grades:
            grade.manual_score, grade.needs_manual_grade = 1, False
        book.db.commit()
    copy.grade()
    with open_gradebook(copy.folder) as book:
        assert book.find_submission(CHAPTER, ABSENT).score > 0


def test_a_resubmission_a_late_policy_and_an_extension(copy: School) -> None:
    yesterday = datetime.utcnow() - timedelta(days=1)
    with open_gradebook(copy.folder) as book:
        book.update_or_create_assignment(CHAPTER, duedate=yesterday)
    _configure(copy.folder, 'c.LateSubmissionPlugin.penalty_method = "zero"\n')
    untouched = notebook_bytes(Assignment(copy.folder, CHAPTER).notebook)
    _hand_in(copy.ada, untouched)
    _hand_in(copy.ada, _solved(copy.folder, "Because it asks for a bank, once more."))
    copy.nbgrader("collect", CHAPTER, "--update")
    copy.grade()
    assert _points(copy, copy.ada) == (full_marks(CHAPTER), full_marks(CHAPTER))
    with open_gradebook(copy.folder) as book:
        book.grant_extension(CHAPTER, copy.ada.name, days=2)
    copy.grade()
    assert _points(copy, copy.ada) == (full_marks(CHAPTER), 0)
    _feedback(copy)
    pages = copy.fetched(copy.ada)
    assert len(pages) == 1, "only what was collected has a page"
    assert "once more" in pages[0]


_FAILS_FOR_ADA = """
from nbgrader.plugins import BasePlugin

class Picky(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return 1 / (student_id != "ADA")

c.AssignLatePenalties.plugin_class = Picky
"""


def test_a_late_policy_that_fails_for_one_ends_nobody_else_s_grading(copy: School) -> None:
    with open_gradebook(copy.folder) as book:
        book.update_or_create_assignment(CHAPTER, duedate=datetime.utcnow() - timedelta(days=1))
    shutil.copytree(copy.folder.submitted(copy.ada.name, CHAPTER), copy.folder.submitted("zelda", CHAPTER))
    _configure(copy.folder, _FAILS_FOR_ADA.replace("ADA", copy.ada.name))
    found = {
        graded.student: graded for graded in grade_class(copy.folder, [CHAPTER], record=copy.sandbox.run)
    }
    assert "could not be processed" in found[copy.ada.name].trouble
    assert not found["zelda"].trouble
    with open_gradebook(copy.folder) as book:
        assert book.find_submission(CHAPTER, "zelda").late_submission_penalty == 1


def _points(school: School, person: Person) -> tuple[float, float]:
    """Points, and what is deducted for being late."""
    with open_gradebook(school.folder) as book:
        submission = book.find_submission(CHAPTER, person.name)
        return submission.score, submission.late_submission_penalty or 0


def test_no_link_out_of_a_submission_is_followed_when_it_is_collected(copy: School) -> None:
    theirs = copy.folder.submitted(copy.ada.name, CHAPTER)
    _hand_in(copy.ben, b"{}")
    inbound = copy.exchange / "class" / "inbound"
    mine = max(inbound.glob(f"{copy.ben.name}+*"), key=lambda path: path.name)
    for name in (f"{CHAPTER}.ipynb", SECRET):
        (mine / name).unlink()
        (mine / name).symlink_to(theirs / name)
    (mine / "all").symlink_to(copy.folder.root / "submitted")
    (mine / "dead").symlink_to(mine / "nowhere")
    (mine / "own").symlink_to(mine / STAMP)
    (mine / "round").symlink_to(mine)
    os.mkfifo(mine / "pipe")
    copy.nbgrader("collect", CHAPTER, "--update")
    shutil.rmtree(mine)
    place = copy.folder.submitted(copy.ben.name, CHAPTER)
    assert (place / f"{CHAPTER}.ipynb").read_bytes() == (place / SECRET).read_bytes() == NOT_FOLLOWED
    assert (place / "own").read_text() == (place / STAMP).read_text()
    assert not (place / "all").exists()
    assert not (place / "round").exists()
    copy.grade()
    _feedback(copy)
    assert "Because it asks for a bank" in copy.fetched(copy.ada)[0]
    assert not [page for page in copy.fetched(copy.ben) if "Because it asks for a bank" in page]


BAD_SECRETS: dict[str, bytes | str] = {
    "empty": b"",
    "binary": b"\xff\xfe",
    "huge": b"x" * 10_000,
    "folder": "folder",
    "link": "link",
    "dead link": "dead link",
    "pipe": "pipe",
}


def test_a_secret_that_cannot_be_read_stops_nobody_else_s_feedback(copy: School) -> None:
    for kind, secret in BAD_SECRETS.items():
        place = copy.folder.submitted(kind, CHAPTER)
        shutil.copytree(copy.folder.submitted(copy.ben.name, CHAPTER), place)
        _lay(place / SECRET, secret, copy.folder.submitted(copy.ada.name, CHAPTER) / SECRET)
    none = copy.folder.submitted("none", CHAPTER)
    none.mkdir(parents=True)
    shutil.copy(copy.folder.submitted(copy.ada.name, CHAPTER) / f"{CHAPTER}.ipynb", none)
    copy.grade()
    _feedback(copy)
    assert len(copy.pages()) == len(BAD_SECRETS) + 3
    assert [len(copy.fetched(person)) for person in (copy.ada, copy.ben)] == [1, 1]
    assert "Because it asks for a bank." in copy.fetched(copy.ada)[0]


def _lay(path: Path, what: bytes | str, target: Path) -> None:
    """A file of these bytes, or what is no plain file."""
    path.unlink(missing_ok=True)
    if isinstance(what, bytes):
        path.write_bytes(what)
    elif what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(target if what == "link" else path.with_name("nowhere"))


BAD_STAMPS: dict[str, bytes | str] = {
    "a word": b"yesterday",
    "a month's name": b"may",
    "a clock without a day": b"23:59",
    "a 13th month": b"2027-13-15 10:00 UTC",
    "1e400": b"1e400",
    "NUL": b"2027-01-15\x0023:59",
    "nothing": b"",
    "huge": b"9" * 100_000,
    "binary": bytes(range(256)),
    "UTF-16": "2027-01-15 23:59 UTC".encode("utf-16"),
    "before all time": b"0001-01-01 00:00+05:00",
    "folder": "folder",
    "link": "link",
    "dead link": "dead link",
    "pipe": "pipe",
}


def _stamp(place: Path, kind: str) -> None:
    (place / "elsewhere").write_text("1999-01-01 10:00 UTC")
    _lay(place / STAMP, BAD_STAMPS[kind], place / "elsewhere")


@pytest.mark.parametrize("kind", BAD_STAMPS)
def test_what_is_no_time_is_none_and_leaves_a_note(tmp_path: Path, kind: str) -> None:
    _stamp(tmp_path, kind)
    stamp = read_stamp(tmp_path)
    assert (stamp.text, stamp.time) == ("", None)
    assert "without one" in stamp.note


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2027-01-15 22:59:00.123456 UTC", 22),
        ("\ufeff2027-01-15 22:59 UTC\r\n", 22),
        ("2027-01-15T22:59:00Z", 22),
        ("2027-01-15 23:59+0100", 22),
        ("2027-01-15 23:59 CET", 22),
        ("2027-01-15", 0),
        ("15 January 2027 22:59", 22),
    ],
)
def test_a_time_is_read_as_nbgrader_reads_it(tmp_path: Path, text: str, hour: int) -> None:
    (tmp_path / STAMP).write_text(text)
    stamp = read_stamp(tmp_path)
    assert stamp.time is not None
    assert (stamp.time.date().isoformat(), stamp.time.hour, stamp.note) == ("2027-01-15", hour, "")
    assert read_stamp(tmp_path / "none").note == ""


@pytest.mark.parametrize("way", ["classroom grade", "nbgrader autograde"])
def test_a_time_that_cannot_be_read_costs_nobody_points(copy: School, way: str) -> None:
    with open_gradebook(copy.folder) as book:
        book.update_or_create_assignment(CHAPTER, duedate=datetime(2001, 1, 1))
    _configure(copy.folder, 'c.LateSubmissionPlugin.penalty_method = "zero"\n')
    # nbgrader itself copies what lies beside a notebook, and stops at these for their own student
    kinds = [kind for kind in BAD_STAMPS if way == "classroom grade" or kind not in ("dead link", "pipe")]
    for kind in kinds:
        place = copy.folder.submitted(kind, CHAPTER)
        shutil.copytree(copy.folder.submitted(copy.ada.name, CHAPTER), place)
        _stamp(place, kind)
    if way == "classroom grade":
        copy.grade()
    else:
        copy.nbgrader("autograde", CHAPTER, "--force")
    notes = {name: found["notes"] for name, found in verdicts_of(copy.folder, CHAPTER).items()}
    for kind in kinds:
        assert _points(copy, Person(kind, Path())) == (full_marks(CHAPTER), 0), kind
        assert any("without one" in str(note) for note in notes[kind]), kind
    assert _points(copy, copy.ada)[1] == full_marks(CHAPTER)
    _feedback(copy)
    assert copy.pages()


def _score(school: School, points: float, comment: str = "") -> None:
    """What formgrader does when a person enters points."""
    with open_gradebook(school.folder) as book:
        notebook = book.find_submission_notebook(CHAPTER, CHAPTER, school.ada.name)
        grade = next(grade for grade in notebook.grades if grade.cell.cell_type == "markdown")
        grade.manual_score, grade.needs_manual_grade = points, False
        if comment:
            next(one for one in notebook.comments if one.name == grade.name).manual_comment = comment
        book.db.commit()


def _waits(school: School) -> bool:
    with open_gradebook(school.folder) as book:
        notebook = book.find_submission_notebook(CHAPTER, CHAPTER, school.ada.name)
        grade = next(grade for grade in notebook.grades if grade.cell.cell_type == "markdown")
        assert grade.manual_score == 1.5
        assert (
            next(one for one in notebook.comments if one.name == grade.name).manual_comment == "Well argued."
        )
        return bool(notebook.assignment.needs_manual_grade)


@pytest.mark.parametrize("way", ["grade", "grade --again", "older class", "nbgrader autograde"])
def test_an_answer_that_was_scored_is_read_again_only_when_it_changed(copy: School, way: str) -> None:
    def again() -> None:
        if way == "nbgrader autograde":
            copy.nbgrader("autograde", CHAPTER, "--force")
        else:
            copy.grade(copy.ada.name, again=way == "grade --again")

    if way == "older class":
        shutil.rmtree(copy.folder.hidden / "texts")
    _score(copy, 1.5, "Well argued.")
    again()
    assert not _waits(copy)
    path = copy.folder.submitted(copy.ada.name, CHAPTER) / f"{CHAPTER}.ipynb"
    mine = nbformat.read(path, as_version=4)
    answer = next(cell for cell in mine.cells if cell.source == "Because it asks for a bank.")
    answer.source = "Because it asks for a river."
    path.unlink()
    path.write_bytes(notebook_bytes(mine))
    again()
    assert _waits(copy)
    again()
    assert _waits(copy), "nobody has read the new answer"
    _score(copy, 1.5)
    again()
    assert not _waits(copy)


UNMATCHED = ("[abc]", "a*", "who?", "ada ", " ada", "two\nlines", ".hidden", "x" * 241)


def test_an_id_that_nbgrader_cannot_match_is_said_to_the_instructor(
    copy: School, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in UNMATCHED:
        shutil.copytree(copy.folder.submitted(copy.ada.name, CHAPTER), copy.folder.submitted(name, CHAPTER))
    (copy.folder.root / "submitted" / "linked").symlink_to(copy.folder.root / "submitted" / copy.ada.name)
    (copy.folder.root / "submitted" / ".ipynb_checkpoints").mkdir()
    longest = "y" * 240
    shutil.copytree(copy.folder.submitted(copy.ada.name, CHAPTER), copy.folder.submitted(longest, CHAPTER))
    said = unmatched(copy.folder)
    assert set(said) == {*UNMATCHED, "linked"}
    for name, sentence in said.items():
        assert repr(name) in sentence
        assert "grade again" in sentence
    assert main(["grade", str(copy.folder.root)]) == 0
    shown = "".join(capsys.readouterr().out.split())  # the terminal breaks long names
    assert all("".join(plain(sentence).split()) in shown for sentence in said.values())
    for name in (copy.ada.name, longest):
        assert _points(copy, Person(name, Path()))[0] == full_marks(CHAPTER)
    assert main(["grade", str(copy.folder.root), "--student", "[abc]"]) == 2
    assert said["[abc]"] in capsys.readouterr().err


SYSTEM_PYTHON = "/usr/bin/python3"


def _fits(python: str) -> bool:
    """Whether this interpreter is another one that can load the packages of ours."""
    if not os.path.exists(python) or os.path.samefile(python, sys.executable):
        return False
    ask = [python, "-c", "import sys; print(*sys.version_info[:2])"]
    return subprocess.run(ask, capture_output=True, text=True, check=False).stdout.split() == [
        str(number) for number in sys.version_info[:2]
    ]


@pytest.mark.skipif(not _fits(SYSTEM_PYTHON), reason="the system has no other Python of our version")
def test_formgrader_shows_a_submission_also_on_the_system_s_python(copy: School) -> None:
    """Debian 12's is 3.11.2, whose regular expressions are not those of 3.11.4 and later."""
    with open_gradebook(copy.folder) as book:
        notebook = book.find_submission_notebook(CHAPTER, CHAPTER, copy.ada.name).id
    packages = [sysconfig.get_path("purelib"), os.getcwd()]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [SYSTEM_PYTHON, "-m", "jupyterlab", f"--port={port}", "--no-browser", "--allow-root"],
        cwd=copy.folder.root,
        env=os.environ
        | {
            "PYTHONPATH": os.pathsep.join(filter(None, [*packages, os.environ.get("PYTHONPATH")][::-1])),
            "JUPYTER_CONFIG_PATH": f"{sys.prefix}/etc/jupyter",
            "JUPYTER_PATH": f"{sys.prefix}/share/jupyter",
            "JUPYTER_TOKEN": "for-this-test",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}/formgrader/submissions/{notebook}/?token=for-this-test"
    try:
        assert "Because it asks for a bank." in _page(address, server)
    finally:
        os.killpg(server.pid, 15)
        server.wait()


def _page(address: str, server: "subprocess.Popen[bytes]") -> str:
    """What is answered there, as soon as anybody answers."""
    for _ in range(600):
        assert server.poll() is None, "the server has ended"
        try:
            with urllib.request.urlopen(address, timeout=60) as page:
                return str(page.read().decode())
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{address} answers {error}") from None
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    raise AssertionError("the server does not answer")
