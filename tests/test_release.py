"""A release takes the old one's place whole or not at all, and a class is graded by the course it was released with."""

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from course.exercises import exercises_of
from course.judging import archive
from solutions.classroom.__main__ import main
from solutions.classroom.assignment import Assignment
from solutions.classroom.folder import ClassFolder, ClassFolderError, locked, new_class
from solutions.classroom.gradebook import open_gradebook, released_before
from solutions.classroom.opening import open_class
from solutions.classroom.release import kept_answers as kept
from solutions.classroom.release import nbgrader_release as generate
from solutions.classroom.release import publish as release
from solutions.classroom.release import seed_proof as prove
from solutions.classroom.release import source_notebook as build
from solutions.classroom.release.course_version import course_digests
from solutions.classroom.release.kept_answers import to_grade_by
from solutions.classroom.release.publish import environment, nbgrader
from solutions.classroom.release.reference_source import home_of, load
from solutions.classroom.release.seeds import class_secret, secret_seeds, seed_of, seeds_of
from solutions.classroom.roster import released_chapters
from solutions.misconceptions import misconceptions_of

CHAPTER = "10_attention"
REPOSITORY = Path(__file__).resolve().parents[1]
FULL = build.source_notebook(CHAPTER)


def _without(exercise: str) -> NotebookNode:
    """The chapter as it would be if it did not ask for this exercise."""
    notebook = nbformat.from_dict(FULL)
    ids = {exercise.replace("_", "-"), f"{exercise.replace('_', '-')}-gap"}
    notebook.cells = [
        cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") not in ids
    ]
    return notebook


def _worth(exercise: str, points: int) -> NotebookNode:
    notebook = nbformat.from_dict(json.loads(json.dumps(FULL)))
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == exercise.replace("_", "-"):
            cell.metadata["nbgrader"]["points"] = points
    return notebook


@pytest.fixture
def chapter_is(monkeypatch: pytest.MonkeyPatch) -> Callable[[NotebookNode], None]:
    """Let the installed course have this notebook for the chapter."""

    def be(notebook: NotebookNode) -> None:
        for module in (release, build):
            monkeypatch.setattr(module, "source_notebook", lambda chapter: notebook)

    return be


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> ClassFolder:
    folder = new_class(tmp_path_factory.mktemp("school") / "class")
    release.release(folder, CHAPTER)
    return folder


@pytest.fixture
def folder(released: ClassFolder, tmp_path: Path) -> ClassFolder:
    """A class folder of one's own with the chapter released."""
    shutil.copytree(released.root, tmp_path / "class")
    return ClassFolder(tmp_path / "class")


def _hand_in(folder: ClassFolder, *students: str) -> None:
    for student in students:
        place = folder.submitted(student, CHAPTER)
        place.mkdir(parents=True)
        shutil.copy(folder.release(CHAPTER) / f"{CHAPTER}.ipynb", place)


def _book(folder: ClassFolder, *students: str) -> None:
    """As if they had handed in and been graded."""
    _hand_in(folder, *students)
    with open_gradebook(folder) as book:
        for student in students:
            book.update_or_create_student(student)
            book.update_or_create_submission(CHAPTER, student)


def _files(folder: ClassFolder) -> dict[str, bytes]:
    """Everything in the class folder but the lock and the database, and what the database says."""
    paths = [path for path in folder.root.rglob("*") if path.is_file()]
    found = {
        str(path.relative_to(folder.root)): path.read_bytes()
        for path in paths
        if path.name not in ("lock", "gradebook.db")
    }
    return found | {"gradebook": repr(_cells(folder)).encode()}


def _cells(folder: ClassFolder) -> list[tuple[str, str, float | None]]:
    with sqlite3.connect(folder.root / "gradebook.db") as database:
        return database.execute(
            "select base_cell.name, base_cell.type, grade_cells.max_score from base_cell"
            " left join grade_cells on grade_cells.id = base_cell.id order by 1, 2"
        ).fetchall()


def _asked(folder: ClassFolder) -> set[str]:
    cells = nbformat.read(folder.release(CHAPTER) / f"{CHAPTER}.ipynb", as_version=4).cells
    facts = [cell.metadata.get("nbgrader", {}) for cell in cells]
    return {one["grade_id"] for one in facts if one.get("grade")}


def test_a_chapter_that_gained_an_exercise_is_refused_once_there_are_marks(
    folder: ClassFolder, chapter_is: Callable[[NotebookNode], None], capsys: pytest.CaptureFixture[str]
) -> None:
    chapter_is(_without("soft_lookup"))
    release.release(folder, CHAPTER)
    assert "soft-lookup" not in _asked(folder)
    _book(folder, "ada", "emmy")
    before = _files(folder)
    chapter_is(FULL)
    assert main(["release", str(folder.root), CHAPTER]) == 2
    said = capsys.readouterr().err
    assert "soft_lookup is new" in said
    assert "submissions (2)" in said
    assert "Traceback" not in said
    assert _files(folder) == before
    nbgrader(folder, "db", "assignment", "remove", CHAPTER, "--force")  # the remedy that it names
    assert main(["release", str(folder.root), CHAPTER]) == 2  # they handed in all the same
    assert "soft_lookup is new" in capsys.readouterr().err
    assert main(["release", str(folder.root), CHAPTER, "--force"]) == 0
    assert "soft-lookup" in _asked(folder)


def test_a_chapter_that_lost_an_exercise_is_refused_once_there_are_marks(
    folder: ClassFolder, chapter_is: Callable[[NotebookNode], None]
) -> None:
    _book(folder, "ada")
    before = _files(folder)
    chapter_is(_without("soft_lookup"))
    for force in (False, True):
        with pytest.raises(ClassFolderError, match="soft_lookup is gone"):
            release.release(folder, CHAPTER, force)
    assert _files(folder) == before


def test_nbgrader_s_own_generate_assignment_asks_before_it_removes_the_old_release(
    folder: ClassFolder,
) -> None:
    _book(folder, "ada")
    path = folder.source(CHAPTER) / f"{CHAPTER}.ipynb"
    path.write_bytes(build.notebook_bytes(_without("soft_lookup")))
    before = _files(folder)
    with pytest.raises(ClassFolderError, match="soft_lookup is gone") as refused:
        nbgrader(folder, "generate_assignment", CHAPTER, "--force")
    assert "Traceback" not in str(refused.value)
    assert _files(folder) == before


def test_a_release_that_was_killed_and_is_refused_by_now_holds_nobody_up(
    folder: ClassFolder, chapter_is: Callable[[NotebookNode], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _files(folder)
    chapter_is(_without("soft_lookup"))
    with monkeypatch.context() as patched:
        patched.setattr(release, "save_cells", _stopped)
        with pytest.raises(KeyboardInterrupt):
            release.release(folder, CHAPTER)
    with open_gradebook(folder) as book:
        book.update_or_create_student("ada")
        book.update_or_create_submission(CHAPTER, "ada")
    with pytest.raises(ClassFolderError, match="The old release is as it was"):
        open_class(folder.root)
    assert _files(open_class(folder.root)) == before


def test_what_was_handed_in_but_not_graded_counts_too(
    folder: ClassFolder, chapter_is: Callable[[NotebookNode], None]
) -> None:
    _hand_in(folder, "ada")
    before = _files(folder)
    chapter_is(_without("soft_lookup"))
    with pytest.raises(ClassFolderError, match=r"soft_lookup is gone.*one student has handed in.*--force"):
        release.release(folder, CHAPTER)
    assert _files(folder) == before
    release.release(folder, CHAPTER, force=True)
    assert "soft-lookup" not in _asked(folder)


def test_an_exercise_comes_and_goes_freely_while_nobody_handed_in(
    folder: ClassFolder, chapter_is: Callable[[NotebookNode], None]
) -> None:
    full = _cells(folder)
    chapter_is(_without("soft_lookup"))
    release.release(folder, CHAPTER)
    assert "soft-lookup" not in {name for name, *_ in _cells(folder)}
    chapter_is(FULL)
    release.release(folder, CHAPTER)
    assert _cells(folder) == full


def test_other_points_are_taken_over_and_it_is_said_what_to_do(
    folder: ClassFolder, chapter_is: Callable[[NotebookNode], None]
) -> None:
    _book(folder, "ada")
    chapter_is(_worth("soft_lookup", 5))
    known = release.release(folder, CHAPTER)
    assert any("soft_lookup is worth 5 instead of 3" in sentence for sentence in known), known
    assert any("release_assignment 10_attention --force" in sentence for sentence in known), known
    assert ("soft-lookup", "GradeCell", 5.0) in _cells(folder)


def test_the_gradebook_is_told_what_nbgrader_itself_would_tell_it(folder: ClassFolder) -> None:
    ours, notebook = _cells(folder), Assignment(folder, CHAPTER).notebook
    (folder.root / "gradebook.db").unlink()
    nbgrader(folder, "generate_assignment", CHAPTER, "--force")
    assert _cells(folder) == ours
    assert Assignment(folder, CHAPTER).notebook == notebook


def test_what_lies_beside_the_notebook_is_released_with_it(
    folder: ClassFolder, chapter_is: Callable[[NotebookNode], None]
) -> None:
    (folder.source(CHAPTER) / "table.csv").write_text("1,2")
    chapter_is(_worth("soft_lookup", 5))
    release.release(folder, CHAPTER)
    assert (folder.release(CHAPTER) / "table.csv").read_text() == "1,2"
    assert (folder.source(CHAPTER) / "table.csv").read_text() == "1,2"


def _full_disk(*arguments: object) -> None:
    raise OSError(28, "No space left on device", "somewhere")


def _stopped(*arguments: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("fault", [_full_disk, _stopped])
@pytest.mark.parametrize("where", ["build_assignment", "generate_files", "make_answers", "save_cells"])
def test_a_release_that_fails_leaves_the_old_one_whole(
    folder: ClassFolder,
    chapter_is: Callable[[NotebookNode], None],
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    fault: Callable[..., None],
) -> None:
    before = _files(folder)
    chapter_is(_worth("soft_lookup", 5))
    with monkeypatch.context() as patched:
        patched.setattr(release, "is_current", lambda *_: False)
        patched.setattr(release, where, fault)
        with pytest.raises((OSError, KeyboardInterrupt)):
            release.release(folder, CHAPTER)
    after = {name: data for name, data in _files(folder).items() if ".course/ready/" not in name}
    assert after == before
    release.release(open_class(folder.root), CHAPTER)  # nobody edited the source
    assert ("soft-lookup", "GradeCell", 5.0) in _cells(folder)


def test_a_gradebook_in_use_is_said_to_be_and_the_old_release_stays(
    folder: ClassFolder,
    chapter_is: Callable[[NotebookNode], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = _files(folder)
    chapter_is(_worth("soft_lookup", 5))
    busy = sqlite3.connect(folder.root / "gradebook.db", isolation_level=None)
    busy.execute("begin immediate")
    try:
        assert main(["release", str(folder.root), CHAPTER]) == 2
    finally:
        busy.execute("rollback")
        busy.close()
    assert "in use by another program" in capsys.readouterr().err
    assert _files(folder) == before


def test_what_nbgrader_cannot_make_is_one_sentence(
    folder: ClassFolder, chapter_is: Callable[[NotebookNode], None], capsys: pytest.CaptureFixture[str]
) -> None:
    before = _files(folder)
    broken = nbformat.from_dict(json.loads(json.dumps(_worth("soft_lookup", 5))))
    broken.cells[-1].metadata["nbgrader"] = next(
        cell.metadata["nbgrader"] for cell in broken.cells if cell.metadata.get("nbgrader", {}).get("grade")
    )
    chapter_is(broken)
    assert main(["release", str(folder.root), CHAPTER]) == 2
    said = capsys.readouterr().err
    assert said.startswith("nbgrader could not make the release of 10_attention: ")
    assert "Traceback" not in said
    assert _files(folder) == before


def _killed_at(step: int, work: Callable[[], object]) -> bool:
    """Do the work in a process that is gone, as by SIGKILL, before its step-th change in the file system or gradebook."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    left = step

    def counted(original: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                os._exit(9)
            return original(*arguments, **options)

        return call

    for owner, name in [(Path, "rename"), (Path, "replace"), (os, "replace"), (os, "unlink"), (os, "rmdir")]:
        setattr(owner, name, counted(getattr(owner, name)))
    generate.at_once = counted(generate.at_once)  # type: ignore[assignment]
    work()
    os._exit(0)


def test_a_release_that_is_killed_while_it_is_put_in_place_is_finished_by_the_next_command(
    folder: ClassFolder, chapter_is: Callable[[NotebookNode], None], tmp_path: Path
) -> None:
    old = _files(folder)
    chapter_is(_worth("soft_lookup", 5))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(release, "is_current", lambda *_: False)
        patched.setattr(release, "save_cells", _stopped)
        with pytest.raises(KeyboardInterrupt):
            release.release(folder, CHAPTER)
    assert (folder.hidden / "ready").is_dir()
    kills = 0
    for step in range(40):
        copy = ClassFolder(tmp_path / str(step) / "class")
        shutil.copytree(folder.root, copy.root)
        killed = _killed_at(step, lambda at=copy: release.finish_what_was_killed(at))
        kills += killed
        whole = {name for name in _files(open_class(copy.root)) if not Path(name).name.startswith(".")}
        assert not [name for name in whole if name.startswith((".course/ready", ".course/releasing"))]
        assert ("soft-lookup", "GradeCell", 5.0) in _cells(copy), step
        assert whole == set(old), step
        assert release.release(copy, CHAPTER) == []  # nothing is left to do, nobody edited anything
        shutil.rmtree(copy.root)
        if not killed:
            break
    assert kills > 8


def test_a_release_that_is_killed_while_it_is_made_leaves_the_old_one(
    folder: ClassFolder, chapter_is: Callable[[NotebookNode], None]
) -> None:
    before = _files(folder)
    chapter_is(_worth("soft_lookup", 5))
    for step in (0, 2, 4):
        assert _killed_at(step, lambda: release.release(folder, CHAPTER))
        assert _files(open_class(folder.root)) == before
    release.release(folder, CHAPTER)
    assert ("soft-lookup", "GradeCell", 5.0) in _cells(folder)


def test_one_refused_chapter_does_not_keep_the_others_back(
    folder: ClassFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def one_is_refused(folder: ClassFolder, chapter: str, force: bool) -> list[str]:
        if chapter == "01_linear_models":
            raise ClassFolderError("01_linear_models stays as it was released.")
        return []

    monkeypatch.setattr(release, "release", one_is_refused)
    assert main(["release", str(folder.root), "1", "10"]) == 2
    said = capsys.readouterr()
    assert "01_linear_models stays" in said.err
    assert "released 10_attention" in said.out


def test_releasing_and_grading_do_not_meet(folder: ClassFolder, capsys: pytest.CaptureFixture[str]) -> None:
    with locked(folder, "released"):
        assert main(["grade", str(folder.root), CHAPTER]) == 2
        assert "is being released already" in capsys.readouterr().err
    with locked(folder):
        assert main(["release", str(folder.root), CHAPTER]) == 2
        assert "is being graded already" in capsys.readouterr().err


def test_a_release_that_went_missing_is_spoken_of(
    folder: ClassFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    _book(folder, "ada")
    shutil.rmtree(folder.release(CHAPTER))
    assert released_chapters(folder) == [CHAPTER]
    assert main(["grade", str(folder.root)]) == 2
    assert f"`classroom release {folder.root} {CHAPTER}`" in capsys.readouterr().err
    assert main(["report", str(folder.root)]) == 0
    assert "Chapter 10" in capsys.readouterr().out
    assert main(["release", str(folder.root), CHAPTER]) == 0
    assert main(["grade", str(folder.root), "--isolation", "none"]) == 0


def test_a_due_date_alone_releases_nothing(tmp_path: Path) -> None:
    folder = new_class(tmp_path / "class")
    with open_gradebook(folder) as book:
        book.add_assignment("04_sensitivity")
    assert released_chapters(folder) == []
    assert released_before(folder) == set()


# by which course a class is graded


def _released_with_another_course(folder: ClassFolder) -> None:
    tree = archive.read(Assignment(folder, CHAPTER).answers_path)
    tree["version"]["soft_attention"] = "an older one"
    archive.write(Assignment(folder, CHAPTER).answers_path, tree)


def test_a_newer_course_is_refused_until_release_adopts_it(
    folder: ClassFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    _book(folder, "ada")
    _released_with_another_course(folder)
    before = _files(folder)
    assert main(["grade", str(folder.root)]) == 2
    said = capsys.readouterr().err
    sentence = said.strip().splitlines()[-1]
    assert "soft_attention changed" in sentence
    assert f"classroom release {folder.root} {CHAPTER}" in sentence
    assert "Traceback" not in said
    assert _files(folder) == before
    assert main(["release", str(folder.root), CHAPTER]) == 0
    assert "gives all marks anew" in capsys.readouterr().out
    assert to_grade_by(Assignment(folder, CHAPTER)).answers


def test_nbgrader_s_own_autograde_refuses_a_newer_course_and_touches_nothing(folder: ClassFolder) -> None:
    _book(folder, "ada")
    done = folder.autograded("ada", CHAPTER)
    done.mkdir(parents=True)
    (done / f"{CHAPTER}.ipynb").write_text("what was graded before")
    _released_with_another_course(folder)
    before = _files(folder)
    found = subprocess.run(
        [sys.executable, "-m", "nbgrader", "autograde", CHAPTER, "--force"],
        cwd=folder.root,
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert found.returncode
    assert "soft_attention changed" in found.stderr
    assert "Traceback" not in found.stderr
    assert _files(folder) == before


def test_grading_uses_the_answers_that_were_made_at_the_release(
    folder: ClassFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*arguments: object) -> None:
        raise AssertionError("the reference was asked again")

    monkeypatch.setattr(kept, "answer_sheet", never)
    answers = to_grade_by(Assignment(folder, CHAPTER)).answers
    assert {name: part.seeds for name, part in answers.items()} == secret_seeds(Assignment(folder, CHAPTER))


def test_damaged_answers_are_made_again_from_the_same_seeds(folder: ClassFolder) -> None:
    seeds = secret_seeds(Assignment(folder, CHAPTER))
    Assignment(folder, CHAPTER).answers_path.write_bytes(b"half")
    with pytest.raises(ClassFolderError, match="from the same secret seeds"):
        to_grade_by(Assignment(folder, CHAPTER))
    release.release(folder, CHAPTER)
    assert {
        name: part.seeds for name, part in to_grade_by(Assignment(folder, CHAPTER)).answers.items()
    } == seeds


PRINT_VERSION = (
    "import json; from solutions.classroom.release.course_version import course_digests;"
    f"print(json.dumps(course_digests({CHAPTER!r})))"
)


def _version_with(place: Path, change: Callable[[Path], None]) -> dict[str, str]:
    """What the digests would be in a changed course."""
    skip = shutil.ignore_patterns("__pycache__")
    for name in ("course", "solutions"):
        shutil.copytree(REPOSITORY / name, place / name, ignore=skip)
    (place / "datasets").symlink_to(REPOSITORY / "datasets")
    change(place)
    return dict(
        json.loads(
            subprocess.run(
                [sys.executable, "-c", PRINT_VERSION],
                env=os.environ | {"PYTHONPATH": str(place)},
                cwd=place,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
    )


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def _move_modules(root: Path) -> None:
    """The reference into a package, the judging into another, comments and layout changed, a docstring corrected."""
    (root / "solutions" / "looking").mkdir()
    (root / "solutions" / "attention.py").rename(root / "solutions" / "looking" / "soft.py")
    (root / "solutions" / "looking" / "__init__.py").write_text("")
    (root / "course" / "verdicts").mkdir()
    (root / "course" / "judging" / "verdict.py").rename(root / "course" / "verdicts" / "judging.py")
    (root / "course" / "verdicts" / "__init__.py").write_text("")
    for path in root.rglob("*.py"):
        text = path.read_text()
        text = text.replace("solutions.attention ", "solutions.looking.soft ")
        path.write_text(text.replace("from course.judging.verdict ", "from course.verdicts.judging "))
    moved = root / "solutions" / "looking" / "soft.py"
    moved.write_text("# a comment\n\n\n" + moved.read_text().replace('    """', '    """Well: ', 1))
    _edit(root / "course" / "exercises" / "attention.py", "Entropy first", "First the entropy")


def test_a_moved_module_changes_no_digest(tmp_path: Path) -> None:
    assert _version_with(tmp_path, _move_modules) == course_digests(CHAPTER)


def _change_the_course(root: Path) -> None:
    exercises, wrong = (
        root / kind / "attention.py" for kind in ("course/exercises", "solutions/misconceptions")
    )
    _edit(
        exercises, "observe=_observe_effects,", "observe=_observe_effects,\n        compare=equal(rtol=1e-3),"
    )
    _edit(exercises, "import Case, Exercise, Values", "import Case, Exercise, Values, equal")
    _edit(exercises, "cases=_lookup_cases,\n        points=3", "cases=_lookup_cases,\n        points=4")
    _edit(exercises, "case(some, sharpness=0.0)", "case(some, sharpness=0.5)")
    _edit(wrong, "def looks_for_the_nearest", "def looks_for_the_closest")
    _edit(wrong, "looks_for_the_nearest,", "looks_for_the_closest,")


def test_a_tolerance_points_a_case_and_a_misconception_are_each_seen(tmp_path: Path) -> None:
    was, now = course_digests(CHAPTER), _version_with(tmp_path, _change_the_course)
    assert {name for name in was if was[name] != now[name]} == {
        "leave_one_out",
        "soft_lookup",
        "soft_attention",
        "hard_attention",
    }


def test_a_default_tolerance_is_everybody_s(tmp_path: Path) -> None:
    def loosen(root: Path) -> None:
        _edit(
            root / "course" / "judging" / "exercise.py",
            "def equal(rtol: float = 1e-4",
            "def equal(rtol: float = 1e-3",
        )

    was, now = course_digests(CHAPTER), _version_with(tmp_path, loosen)
    assert all(was[name] != now[name] for name in exercises_of(CHAPTER))


# seeds


@pytest.mark.promise("P19")
def test_an_exercise_s_seeds_are_its_own_and_the_class_s_own(folder: ClassFolder, tmp_path: Path) -> None:
    seeds = secret_seeds(Assignment(folder, CHAPTER))
    other = secret_seeds(Assignment(new_class(tmp_path / "other"), CHAPTER))
    drawn = [seed for both in (seeds, other) for many in both.values() for seed in many]
    assert list(seeds) == list(exercises_of(CHAPTER))
    assert len(set(drawn)) == len(drawn) == 2 * 2 * len(seeds)
    assert secret_seeds(Assignment(folder, CHAPTER)) == seeds
    assert min(drawn) >= 1000


@pytest.mark.promise("P19")
def test_a_seed_is_a_keyed_hash_of_what_it_is_for() -> None:
    secret = bytes(range(32))
    assert seed_of(secret, CHAPTER, "soft_attention", 0) == 639_054_329
    others = [
        seed_of(bytes(32), CHAPTER, "soft_attention", 0),
        seed_of(secret, "12_sequence_attention", "soft_attention", 0),
        seed_of(secret, CHAPTER, "hard_attention", 0),
        seed_of(secret, CHAPTER, "soft_attention", 1),
    ]
    assert len({*others, seed_of(secret, CHAPTER, "soft_attention", 0)}) == 5


def test_a_seed_that_does_not_prove_itself_is_passed_over_and_what_was_drawn_stays(tmp_path: Path) -> None:
    secret = class_secret(tmp_path)
    bad = {seed_of(secret, CHAPTER, "soft_attention", number) for number in (0, 2)}
    drawn = seeds_of(tmp_path, CHAPTER, ["soft_attention"], lambda name, seed: seed not in bad)
    assert drawn == {"soft_attention": [seed_of(secret, CHAPTER, "soft_attention", n) for n in (1, 3)]}
    assert seeds_of(tmp_path, CHAPTER, ["soft_attention"], lambda name, seed: False) == drawn
    hopeless = seeds_of(tmp_path, CHAPTER, ["soft_lookup"], lambda name, seed: False)["soft_lookup"]
    assert hopeless == [seed_of(secret, CHAPTER, "soft_lookup", n) for n in (0, 1)]


def test_a_seed_on_which_a_misconception_looks_right_does_not_prove_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seed = next(seed for seed in range(4711, 4721) if prove.proves_itself(CHAPTER, "soft_attention", seed))
    right = load(home_of()["soft_attention"], "soft_attention")
    monkeypatch.setattr(prove, "misconceptions_of", lambda chapter: {"soft_attention": [right]})
    assert not prove.proves_itself(CHAPTER, "soft_attention", seed)
    monkeypatch.undo()
    wrong = misconceptions_of(CHAPTER)["soft_attention"][:1]
    monkeypatch.setattr(prove, "alternatives_of", lambda chapter: {"soft_attention": wrong})
    assert not prove.proves_itself(CHAPTER, "soft_attention", seed)


@pytest.mark.promise("P18")
def test_only_the_owner_reads_the_secrets(folder: ClassFolder) -> None:
    for path in (
        folder.hidden / "secret",
        folder.hidden / "seeds.json",
        Assignment(folder, CHAPTER).answers_path,
    ):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_in_a_folder_of_a_group_the_group_reads_them_and_nobody_else(tmp_path: Path) -> None:
    tmp_path.chmod(0o2770)
    class_secret(tmp_path)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o660


def test_a_lost_secret_is_not_replaced_by_another(folder: ClassFolder) -> None:
    (folder.hidden / "secret").unlink()
    with pytest.raises(ClassFolderError, match="put it back from your backup"):
        secret_seeds(Assignment(folder, CHAPTER))
    (folder.hidden / "secret").write_bytes(b"short")
    with pytest.raises(ClassFolderError, match="is damaged"):
        secret_seeds(Assignment(folder, CHAPTER))


# class folders that an older version of this project released


@pytest.fixture
def old(folder: ClassFolder) -> ClassFolder:
    shutil.rmtree(folder.hidden / "answers")
    (folder.hidden / "secret").unlink()
    (folder.hidden / "seeds.json").write_text(json.dumps({CHAPTER: [4711, 4712]}))
    (folder.hidden / f"{CHAPTER}-0123456789ab.answers").write_bytes(b"of the old version")
    built = json.loads((folder.hidden / "built.json").read_text())
    built[CHAPTER]["course"] = "0123456789ab"
    (folder.hidden / "built.json").write_text(json.dumps(built))
    return folder


def test_an_older_folder_is_adopted_with_its_seeds(old: ClassFolder) -> None:
    answers = to_grade_by(Assignment(old, CHAPTER)).answers
    assert {tuple(part.seeds) for part in answers.values()} == {(4711, 4712)}
    assert secret_seeds(
        Assignment(old, "12_sequence_attention")
    )  # a chapter released later has seeds of its own
    assert secret_seeds(Assignment(old, CHAPTER))["soft_attention"] == [4711, 4712]
    assert release.release(old, CHAPTER) == []


def test_an_older_folder_whose_release_asks_something_else_is_not_adopted_silently(
    old: ClassFolder, chapter_is: Callable[[NotebookNode], None]
) -> None:
    chapter_is(_without("soft_lookup"))
    release.release(old, CHAPTER)
    Assignment(old, CHAPTER).answers_path.unlink()
    with pytest.raises(ClassFolderError, match=r"another version of the course \(soft-lookup is new\)"):
        to_grade_by(Assignment(old, CHAPTER))
