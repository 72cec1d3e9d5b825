"""Tables, the report and the files for other systems: the same marks everywhere, and a student's text is only text."""

import csv
import html
import io
import re
from pathlib import Path

import pytest
from small_class import CHAPTER, OTHER, Person, small_class, verdict

from course.exercises import exercises_of
from solutions.classroom.__main__ import main
from solutions.classroom.feedback import report
from solutions.classroom.feedback.marks import marks
from solutions.classroom.feedback.report import Row, print_class, print_unmatched, rows, summary, write_page
from solutions.classroom.folder import ClassFolder
from solutions.classroom.gradebook import open_gradebook
from solutions.classroom.plain_text import cell, plain
from solutions.classroom.release.publish import nbgrader

pytestmark = pytest.mark.promise("P14")

NASTY = "x[i] [/b] [red]y :fire: \x1b[31mred\x1b]0;title\x07 \u202egnp.exe\x00\x9b2J\r\nnext<script>alert(1)</script>"
SAID = "x[i] [/b] [red]y :fire: red gnp.exe next<script>alert(1)</script>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> ClassFolder:
    """Added in no order; one late, one waiting, one absent, one unreadable, and ids and names that a spreadsheet obeys."""
    wrong = verdict("misconception", f"In line 2, `{NASTY}`.", "softmax_over_batch")
    names = {"first_name": "=HYPERLINK(1)", "last_name": "x;=1+1", "email": "dash@example.org"}
    people = [
        Person("zoe", penalty=4.5, about={"email": "zoe@example.org", "lms_user_id": "42"}),
        Person("'-dash", about=names),
        Person("-minus", verdicts={"soft_attention": wrong, "items_read": verdict("open", "Not done yet.")}),
        Person("waits", answer=None, penalty=1),
        Person("absent", code=None),
        Person("broken", 0, 0, unreadable="10_attention.ipynb is not a notebook.", notes=[NASTY]),
    ]
    return small_class(tmp_path_factory.mktemp("tables"), people, (CHAPTER, OTHER))


def _table(text: str, row: str) -> dict[str, str]:
    """The row of a CSV file whose id is this."""
    return next(line for line in csv.DictReader(io.StringIO(text)) if row in line.values())


def _export(folder: ClassFolder, system: str, capsys: pytest.CaptureFixture[str], *chapters: str) -> str:
    assert main(["export", str(folder.root), *chapters, "--to", system]) == 0, capsys.readouterr().err
    return (folder.root / f"{system}.csv").read_text()


def test_text_is_one_line_that_commands_nothing() -> None:
    assert plain(NASTY) == SAID
    assert plain("نیم\u200cفاصله 👩\u200d🔬 Zoë naïve") == "نیم\u200cفاصله 👩\u200d🔬 Zoë naïve"
    assert plain("\udcff\u2028\u200b\ufeffé") == "\N{REPLACEMENT CHARACTER} é"
    assert plain("open \x1b]8;;http://evil") == "open ]8;;http://evil"
    for code in [*range(32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)]:
        assert plain(f"a{chr(code)}é") in ("aé", "a é")


@pytest.mark.parametrize(
    "text", ["=1", "+1", "-1", "@f", "\t=1", "\r=1", " =1", "\x00=1", "＝1", "a;=1", "a\n=1", ";=1"]
)
def test_no_part_of_a_cell_is_a_formula_whatever_separates_columns(text: str) -> None:
    out = io.StringIO()
    csv.writer(out).writerow(["ada", cell(text), "end"])
    for separator in ",;\t":
        for row in csv.reader(io.StringIO(out.getvalue()), delimiter=separator):
            assert not [part for part in row if part.strip().startswith(tuple("=+-@＝＋－＠"))], row


def test_student_text_is_shown_letter_for_letter_in_the_class_table(
    folder: ClassFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    print_class([Row(NASTY, CHAPTER, 1, 2, "graded", NASTY)])
    said = "".join(line.strip("│ \n") for line in capsys.readouterr().out.splitlines())
    assert "x[i] [/b] [red]y :fire: red gnp.exe next" in said
    assert not set("\x1b\x00\x9b\x07\r\u202e") & set(said)


def test_the_report_shows_markup_as_text_and_runs_nothing(
    folder: ClassFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(folder.root), CHAPTER]) == 0
    assert SAID in capsys.readouterr().out.replace("\n", "")
    page = (folder.root / "report.html").read_text()
    assert "<script" not in page
    assert html.escape(SAID) in page
    policy = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert page.index("Content-Security-Policy") < page.index("<style")


def test_points_are_those_after_the_late_penalty_everywhere(
    folder: ClassFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert next(row.points for row in rows(folder, [CHAPTER]) if row.student == "zoe") == 7.5
    for system in ("moodle", "canvas"):
        assert "7.5" in _table(_export(folder, system, capsys, CHAPTER), "zoe").values()
    nbgrader(folder, "export")
    assert _table((folder.root / "grades.csv").read_text(), "zoe")["score"] == "7.5"


def test_a_penalty_larger_than_the_points_leaves_none(tmp_path: Path) -> None:
    one = small_class(tmp_path, [Person("ada", 3, 0, penalty=9)])
    assert [mark.points for mark in marks(one)] == [0]


def test_why_says_what_waits(folder: ClassFolder) -> None:
    by_name = {row.student: row for row in rows(folder, [CHAPTER])}
    assert by_name["waits"].why == "1 answer in words, 3 points"
    assert by_name["waits"].state == "answer awaits a reader"
    assert by_name["broken"].why == "10_attention.ipynb is not a notebook."
    assert "1 answer in words, 3 points" in write_page(folder, [CHAPTER]).read_text()


def test_the_table_says_that_the_answer_in_words_is_blank(tmp_path: Path) -> None:
    code = float(len(exercises_of(CHAPTER)))
    people = [
        Person("all", code, 0, blank=3),
        Person("forgiven", code, 1, blank=3),
        Person("written", code, 3),
        Person(
            "wrong", 0, 0, blank=3, verdicts={n: verdict("different", "No.") for n in exercises_of(CHAPTER)}
        ),
    ]
    said = {row.student: row.sentence for row in rows(small_class(tmp_path, people), [CHAPTER])}
    assert said["all"] == "Code all right; the answer in words is blank (0 of 3)."
    assert said["forgiven"] == said["written"] == "All right."
    assert said["wrong"].endswith(" The answer in words is blank (0 of 3).")


def test_the_table_says_more_than_the_first_that_is_wrong(folder: ClassFolder) -> None:
    sentence = next(row.sentence for row in rows(folder, [CHAPTER]) if row.student == "-minus")
    assert sentence.startswith("2 of 6 not right yet. soft_attention: In line 2")
    assert sentence.endswith("Also: items_read.")


def test_notes_of_the_intake_are_in_the_report(
    folder: ClassFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(folder.root), CHAPTER]) == 0
    shown = capsys.readouterr().out
    assert "Noticed on reading" in shown
    assert "Noticed on reading" in write_page(folder, [CHAPTER]).read_text()


def test_an_extension_alone_is_no_hand_in(tmp_path: Path) -> None:
    folder = small_class(tmp_path, [Person("ada"), Person("ben", code=None)])
    with open_gradebook(folder) as book:
        book.add_submission(CHAPTER, "ben")
        book.grant_extension(CHAPTER, "ben", days=2)
    states = {mark.student: mark.state for mark in marks(folder, [CHAPTER])}
    assert states["ben"] == "nothing handed in"


def test_folders_that_were_left_out_are_told(
    folder: ClassFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {"[abc]": "The folder '[abc]' in 'submitted' was not graded: rename it."}
    monkeypatch.setattr(report, "unmatched", lambda folder: said)
    print_unmatched(folder)
    assert said["[abc]"] in capsys.readouterr().out
    assert html.escape(said["[abc]"]) in write_page(folder, [CHAPTER]).read_text()


def test_a_notebook_that_nobody_has_graded_yet_is_not_called_absent(tmp_path: Path) -> None:
    one = small_class(tmp_path, [Person("ada", code=None), Person("bob", code=None)])
    place = one.submitted("ada", CHAPTER) / "deeper"
    place.mkdir(parents=True)
    (place / "mine.ipynb").write_text("{}")
    assert {row.student: row.state for row in rows(one, [CHAPTER])} == {
        "ada": "not graded yet",
        "bob": "nothing handed in",
    }


def test_class_folders_of_earlier_versions_that_entered_the_absent_still_say_so(tmp_path: Path) -> None:
    missing = "Nothing was handed in: there is no 10_attention.ipynb."
    one = small_class(tmp_path, [Person("ada", 0, 0, unreadable=missing)])
    assert [(row.state, row.sentence) for row in rows(one, [CHAPTER])] == [
        ("nothing handed in", "Nothing was handed in.")
    ]


@pytest.mark.parametrize(
    ("states", "ran", "said"),
    [
        ("ggg", 3, "3 submissions of 3 students: 3 were run."),
        ("gga", 1, "2 submissions of 3 students: 1 was run, 1 had not changed. 1 student handed in nothing."),
        (
            "guaa",
            0,
            "2 submissions of 4 students: 0 were run, 1 had not changed, 1 could not be read. 2 students handed in nothing.",
        ),
        ("g", 1, "1 submission of 1 student: 1 was run."),
        ("a", 0, "1 student, and nothing was handed in."),
        ("", 0, "0 students, and nothing was handed in."),
    ],
)
def test_a_grading_run_is_told_as_it_was(states: str, ran: int, said: str) -> None:
    names = {"g": "graded", "u": "unreadable", "a": "nothing handed in"}
    found = [Row(str(i), CHAPTER, 0, 1, names[state], "") for i, state in enumerate(states)]
    assert summary(found, ran) == said


def _canvas(
    text: str, assignments: dict[str, int], people: dict[str, dict[str, str]]
) -> dict[str, dict[str, str]]:
    """Canvas' importer by its published rules: which mark reaches whom. Fails where it would ask, or make anything new.

    people: Canvas' user number → its sis id, login and name.
    """
    table = list(csv.reader(io.StringIO(text)))
    header = table[0]
    assert header[0] == "Student"
    assert header[1] == "ID"
    lead = 3
    if header[2] == "SIS User ID" and header[3] == "SIS Login ID":
        lead += 2
    assert header[lead - 1] == "Section", "Canvas calls the header row invalid"
    columns = {}
    for place, title in enumerate(header[lead:], lead):
        numbered = re.fullmatch(r"(.*)\s\((\d+)\)", title)
        assert title in assignments or (numbered and int(numbered[2]) in assignments.values()), (
            f"new assignment {title!r}"
        )
        columns[title] = place
    arrived: dict[str, dict[str, str]] = {}
    for row in table[1:]:
        if "Points Possible" in row[0]:
            assert all(float(row[place]) > 0 for place in columns.values())
            continue
        found = [number for number in people if row[1] and int(row[1]) == int(number)]
        for column, key in ((2, "sis"), (3, "login")):
            found = found or [
                number for number, one in people.items() if row[column] and one[key] == row[column]
            ]
        found = found or [
            number for number, one in people.items() if row[0] in (one["name"], one["sortable"])
        ]
        assert len(found) == 1, f"Canvas asks who {row[:4]} is"
        assert found[0] not in arrived
        arrived[found[0]] = {title: row[place].strip() for title, place in columns.items()}
    return arrived


def test_canvas_takes_the_file_as_it_is(folder: ClassFolder, capsys: pytest.CaptureFixture[str]) -> None:
    text = _export(folder, "canvas", capsys, CHAPTER, OTHER)
    ids = ["zoe", "'-dash", "-minus", "waits", "absent", "broken"]
    people = {
        str(42 + place): {"sis": "" if one == "zoe" else one, "login": "", "name": "?", "sortable": "?"}
        for place, one in enumerate(ids)
    }
    titles = {"Chapter 10: attention": 7, "Chapter 4: sensitivity": 8}
    arrived = _canvas(text, titles, people)
    by_id = {one: arrived[str(42 + place)] for place, one in enumerate(ids)}
    assert set(by_id["zoe"]) == set(titles)
    assert {one: row["Chapter 10: attention"] for one, row in by_id.items()} == {
        "zoe": "7.5", "'-dash": "12", "-minus": "12", "waits": "", "absent": "", "broken": "0"
    }  # fmt: skip


def _moodle(
    text: str, match: str, people: dict[str, str], items: dict[str, str]
) -> dict[str, dict[str, float | None]]:
    """Moodle's importer by its published rules, columns mapped as the instructions say. people: what is matched → person.

    items: column → grade item. One unknown person or value that is no number ends the whole import; a blank in the
    column that is matched leaves the row to whoever stands above.
    """
    table = list(csv.reader(io.StringIO(text)))
    header = [title.strip() for title in table[0]]
    assert len(set(header)) == len(header)
    arrived: dict[str, dict[str, float | None]] = {}
    person = ""
    for row in table[1:]:
        assert len(row) == len(header), "Moodle: wrong number of columns"
        grades: dict[str, float | None] = {}
        for title, value in zip(header, map(str.strip, row), strict=True):
            if title == match and value not in ("", "0"):
                assert value in people, f"Moodle knows nobody called {value!r}"
                person = people[value]
            elif title in items:
                grades[items[title]] = None if value in ("", "-") else float(value)
                assert (grades[items[title]] or 0) <= 100
        assert person
        assert person not in arrived, f"{row} goes to {person}, who stands above"
        arrived[person] = grades
    return arrived


def test_moodle_takes_the_file_by_user_name(folder: ClassFolder, capsys: pytest.CaptureFixture[str]) -> None:
    text = _export(folder, "moodle", capsys, CHAPTER, OTHER)
    ids = ["zoe", "'-dash", "-minus", "waits", "absent", "broken"]
    items = {"Chapter 10: attention (18 points)": "ten", "Chapter 4: sensitivity (18 points)": "four"}
    arrived = _moodle(text, "Username", {one: one for one in ids}, items)
    assert {one: row["ten"] for one, row in arrived.items()} == {
        "zoe": 7.5, "'-dash": 12, "-minus": 12, "waits": None, "absent": None, "broken": 0
    }  # fmt: skip
    assert [row["Username"] for row in csv.DictReader(io.StringIO(text))] == sorted(ids)
    assert _table(text, "waits")["Chapter 10: attention (feedback)"] == (
        "answer awaits a reader: 1 answer in words, 3 points"
    )
    assert _table(text, "zoe")["Chapter 10: attention (feedback)"] == "4.5 points deducted: late"
    assert _table(text, "'-dash")["Name"] == "'x,=1+1, '=HYPERLINK(1)".removeprefix("'")


def test_moodle_can_match_by_address_only_where_everybody_has_their_own(
    tmp_path: Path, folder: ClassFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "Email address" not in _export(folder, "moodle", capsys).splitlines()[0]
    people = [Person(one, about={"email": f"{one}@example.org"}) for one in ("bob", "ada")]
    text = _export(small_class(tmp_path, people), "moodle", capsys)
    arrived = _moodle(text, "Email address", {f"{p.id}@example.org": p.id for p in people}, {})
    assert sorted(arrived) == ["ada", "bob"]


def test_a_chapter_that_was_never_graded_is_named(
    folder: ClassFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(folder.root), "6", "--to", "canvas"]) == 2
    assert "Grade it first" in capsys.readouterr().err


def test_nbgrader_s_own_export_is_sorted_and_alters_no_id(folder: ClassFolder) -> None:
    nbgrader(folder, "export")
    table = list(csv.DictReader(io.StringIO((folder.root / "grades.csv").read_text())))
    keys = [(row["assignment"], row["student_id"]) for row in table]
    assert keys == sorted(keys)
    assert {"'-dash", "-minus"} <= {row["student_id"] for row in table}
    assert _table((folder.root / "grades.csv").read_text(), "'-dash")["first_name"] == "'=HYPERLINK(1)"
    with open_gradebook(folder) as book:
        assert len(table) == 2 * len(book.students)
