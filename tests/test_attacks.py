"""A class with every hostile and broken submission in it, graded as a whole: see tests/attacks.

Each attacker gets what the honest code in the submission deserves and is told why; nobody else notices.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from attacks import CANARY, Attack, dump, every_attack
from nbformat import NotebookNode

from course.exercises import exercises_of
from course.sandbox import confine
from solutions.classroom.assignment import Assignment
from solutions.classroom.feedback.report import Row, rows
from solutions.classroom.folder import ClassFolder, new_class
from solutions.classroom.grading.grade import grade_class
from solutions.classroom.proof.simulated_class import solved
from solutions.classroom.release.publish import environment, release
from solutions.classroom.release.reference_source import depends_on
from solutions.classroom.release.source_notebook import grade_id
from solutions.classroom.roster import students as students_of
from solutions.classroom.submission.sandbox import Limits

pytestmark = [
    pytest.mark.skipif(not confine.LINUX, reason="the walls are Linux's"),
    pytest.mark.filterwarnings("ignore::nbformat.validator.DuplicateCellId"),
]

CHAPTER = "10_attention"
FIRST = next(iter(exercises_of(CHAPTER)))
POINTS = {name: exercise.points for name, exercise in exercises_of(CHAPTER).items()}
HONEST = ("a-honest", "m-honest", "z-honest", "half-done")
LIMITS = Limits(
    cpu_seconds=1.0,
    wall_seconds=15,
    all_cpu_seconds=18,
    all_wall_seconds=90,
    memory_bytes=400 << 20,
    processes=24,
    output_bytes=2 << 20,
    scratch_bytes=16 << 20,
    scratch_files=300,
    recording_bytes=8 << 20,
)
ATTACKS = every_attack()
WAYS = ["bubblewrap", "landlock", "none"]


@dataclass
class Class:
    """A graded class. alone, among_attackers: what the honest students got before and after the attackers came."""

    way: str
    folder: ClassFolder
    alone: dict[str, Any] = field(default_factory=dict)
    among_attackers: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    left_over: list[str] = field(default_factory=list)

    @property
    def trace(self) -> str:
        """What this class's attackers call the files that they leave behind."""
        return f"attacked-by-{self.way}-{os.getpid()}"

    def verdicts(self, student: str) -> dict[str, Any]:
        path = self.folder.hidden / "verdicts" / CHAPTER / f"{student}.json"
        return json.loads(path.read_text("utf-8"))

    def shown(self, student: str) -> str:
        """All that grading itself puts before a person's eyes: outputs and verdicts."""
        path = self.folder.autograded(student, CHAPTER) / f"{CHAPTER}.ipynb"
        notebook = json.loads(path.read_text("utf-8")) if path.is_file() else {"cells": []}
        outputs = [cell.get("outputs", []) for cell in notebook["cells"]]
        return json.dumps([outputs, self.verdicts(student)], ensure_ascii=False)


def _bare(notebook: NotebookNode) -> NotebookNode:
    """Without the cells that only show something: nobody has to hand those in, and they take most of the time."""
    notebook.cells = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
    return notebook


@pytest.fixture(scope="module")
def honest_class(tmp_path_factory: pytest.TempPathFactory) -> ClassFolder:
    """A released chapter and its honest students."""
    folder = new_class(tmp_path_factory.mktemp("classes") / "honest")
    release(folder, CHAPTER)
    for student in HONEST:
        notebook = _bare(solved(Assignment(folder, CHAPTER).notebook, CHAPTER))
        if student == "half-done":
            _gap(notebook).source = f"def {FIRST}(*inputs):\n    return inputs[0] + inputs[1]"
        place = folder.submitted(student, CHAPTER)
        place.mkdir(parents=True)
        place.joinpath(f"{CHAPTER}.ipynb").write_bytes(dump(notebook))
    return folder


def _gap(notebook: NotebookNode) -> NotebookNode:
    name = f"{grade_id(FIRST)}-gap"
    return next(cell for cell in notebook.cells if cell.metadata.nbgrader.grade_id == name)


@pytest.fixture(scope="module", params=WAYS)
def graded(
    request: pytest.FixtureRequest, honest_class: ClassFolder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Class]:
    """The class, first with its honest students alone, then with everybody."""
    way = request.param
    if way == "bubblewrap" and shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
    if way == "landlock" and not confine.landlock_version():
        pytest.skip("the kernel has no Landlock")
    _clean()
    root = tmp_path_factory.mktemp(way) / "class"
    shutil.copytree(honest_class.root, root)
    found = Class(way, ClassFolder(root))
    os.environ["SECRET_OF_THE_GRADER"] = CANARY
    try:
        _grade(found)
        found.alone = {student: _fingerprint(found, student) for student in HONEST}
        for attack in ATTACKS:
            notebook = _bare(solved(Assignment(found.folder, CHAPTER).notebook, CHAPTER))
            place = found.folder.submitted(attack.name, CHAPTER)
            gap, file = f"{grade_id(FIRST)}-gap", f"{CHAPTER}.ipynb"
            attack.hand_in(notebook, FIRST, gap, place, file, found.trace)
        _grade(found)
    finally:
        del os.environ["SECRET_OF_THE_GRADER"]
    found.among_attackers = {student: _fingerprint(found, student) for student in HONEST}
    found.rows = {row.student: row for row in rows(found.folder, [CHAPTER])}
    found.left_over = _left_over()
    yield found
    shutil.rmtree(root, ignore_errors=True)
    _clean()


def _clean() -> None:
    """Away with what attackers could leave in the machine's own folders: without walls that is possible."""
    for folder in ("/tmp", "/dev/shm", "/var/tmp"):
        for path in Path(folder).glob("attacked-*"):
            path.unlink(missing_ok=True)


def _grade(found: Class) -> None:
    done = list(grade_class(found.folder, [CHAPTER], jobs=4, again=True, limits=LIMITS, isolation=found.way))
    assert {graded.student for graded in done} == set(students_of(found.folder))


def _fingerprint(found: Class, student: str) -> Any:
    """Everything that a student got, apart from the seconds."""
    notebook = found.folder.autograded(student, CHAPTER) / f"{CHAPTER}.ipynb"
    verdicts = found.verdicts(student)
    verdicts["seconds"] = 0
    for exercise in verdicts["exercises"].values():
        exercise["seconds"] = 0
    row = next(row for row in rows(found.folder, [CHAPTER]) if row.student == student)
    return notebook.read_bytes(), verdicts, row


def _left_over() -> list[str]:
    """Command lines of processes that a submission or a sandbox has left behind."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if folder.name.isdigit() and "606060" in line:
            found.append(line)
    return found


def _lost(attack: Attack) -> list[set[str]]:
    """The sets of exercises that may be lost."""
    everything = set(POINTS)
    first = {name for name in POINTS if name == FIRST or depends_on(CHAPTER, name, FIRST)}
    allowed: dict[str, list[set[str]]] = {
        "nothing": [set()],
        "first": [first],
        "all but first": [everything - {FIRST}],
        "everything": [everything],
        "nothing or everything": [set(), everything],
    }
    return allowed[attack.get("LOSES")]


def _needs_walls(attack: Attack, way: str) -> bool:
    weaker = way == "none" and (
        attack.get("NEEDS_WALLS") or (attack.get("AS_ORDINARY_USER_NEEDS_WALLS") and os.getuid() != 0)
    )
    assert not weaker or attack.get("WITHOUT_WALLS"), f"{attack.name} must say what happens without walls"
    return bool(weaker)


def test_there_are_enough_attacks_and_each_says_what_must_happen() -> None:
    assert len(ATTACKS) >= 135
    for attack in ATTACKS:
        assert "Must happen:" in (attack.module.__doc__ or ""), attack.name
        assert attack.get("LOSES"), attack.name


@pytest.mark.promise("P1", "P2", "P6")
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attacker_gets_what_the_honest_part_deserves(graded: Class, attack: Attack) -> None:
    if _needs_walls(attack, graded.way):
        pytest.skip(f"{graded.way}: {attack.get('WITHOUT_WALLS')}")
    verdicts = graded.verdicts(attack.name)
    lost = {name for name in POINTS if verdicts["exercises"][name]["points"] == 0}
    assert lost in _lost(attack), verdicts
    assert graded.rows[attack.name].points == sum(POINTS[name] for name in POINTS if name not in lost)
    for name in lost:
        message = verdicts["exercises"][name]["message"]
        assert message, name
        if name == FIRST:
            assert re.search(attack.get("SAYS"), f"{message} {verdicts['unreadable']}"), message


@pytest.mark.promise("P7", "P12")
@pytest.mark.parametrize(
    "attack", [attack for attack in ATTACKS if attack.get("NEVER_SHOWS")], ids=lambda attack: attack.name
)
def test_nothing_is_shown_that_must_not_be(graded: Class, attack: Attack) -> None:
    if _needs_walls(attack, graded.way):
        pytest.skip(f"{graded.way}: {attack.get('WITHOUT_WALLS')}")
    found = re.search(attack.get("NEVER_SHOWS"), graded.shown(attack.name))
    assert not found, found


@pytest.mark.promise("P5")
def test_honest_students_get_byte_for_byte_what_they_get_without_attackers(graded: Class) -> None:
    assert graded.among_attackers == graded.alone
    assert graded.rows["a-honest"].points == sum(POINTS.values())
    assert graded.rows["half-done"].points < sum(POINTS.values())


@pytest.mark.promise("P8", "P9")
def test_nothing_is_left_running_and_nothing_outside_has_changed(graded: Class) -> None:
    assert not graded.left_over
    walls = graded.way != "none"
    repository = Path(__file__).parents[1]
    places = [
        repository / "course",
        Path("/usr"),
        Path("/etc"),
        Path.home(),
        *([Path("/tmp")] if walls else []),
    ]
    assert not [place for place in places if (place / graded.trace).exists()]
    assert (repository / "course/check.py").exists()
    assert not graded.folder.submitted("writes_outside", CHAPTER).joinpath(graded.trace).exists()


@pytest.mark.promise("P13")
def test_pages_run_no_script_of_a_student(graded: Class) -> None:
    if graded.way != "bubblewrap":
        pytest.skip("pages do not depend on the sandbox")
    for attack in ("scripts_in_markdown", "scripts_in_outputs"):
        command = [sys.executable, "-m", "nbgrader", "generate_feedback", CHAPTER, f"--student={attack}"]
        subprocess.run(command, cwd=graded.folder.root, env=environment(), check=True, capture_output=True)
        page = (graded.folder.feedback(attack, CHAPTER) / f"{CHAPTER}.html").read_text("utf-8")
        active = re.search(
            r"<script>\s*window\.attacked|<[^>]*\sonerror=|<iframe|href=.?javascript:window", page
        )
        assert not active, active
        assert "window.attacked" in page


def test_the_graders_own_files_are_whole(graded: Class) -> None:
    for student in students_of(graded.folder):
        path = graded.folder.autograded(student, CHAPTER) / f"{CHAPTER}.ipynb"
        json.loads(path.read_text("utf-8"))
