"""What Canvas and Moodle hand out, through `nbgrader zip_collect`: every file reaches the student whose it is."""

import io
import zipfile
from pathlib import Path

import pytest
from small_class import CHAPTER, Person, small_class

from solutions.classroom.folder import ClassFolder
from solutions.classroom.release.publish import nbgrader

PEOPLE = [
    Person("ada", code=None, about={"first_name": "Ada", "last_name": "Lovelace", "lms_user_id": "201"}),
    Person("zoe", code=None, about={"first_name": "Zoë", "last_name": "van der Berg", "lms_user_id": "202"}),
    Person("twin-1", code=None, about={"first_name": "Kim", "last_name": "Lee", "lms_user_id": "203"}),
    Person("twin-2", code=None, about={"first_name": "Kim", "last_name": "Lee", "lms_user_id": "204"}),
    Person("205", code=None),
]


def _collected(folder: ClassFolder, names: list[str], collector: str) -> tuple[dict[str, str], str]:
    """student/chapter/file → what it holds, after a real zip_collect of a zip of these names; and what was said."""
    place = folder.root / "downloaded" / CHAPTER / "archive"
    place.mkdir(parents=True)
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as packed:
        for name in names:
            packed.writestr(name, name)
    (place / "submissions.zip").write_bytes(data.getvalue())
    said = nbgrader(
        folder, "zip_collect", CHAPTER, f"--collector=solutions.classroom.submission.collecting.{collector}"
    )
    submitted = folder.root / "submitted"
    found = {path.relative_to(submitted).as_posix(): path.read_text() for path in submitted.rglob("*.ipynb")}
    return found, said.stdout + said.stderr


def test_what_canvas_hands_out_reaches_whose_it_is(tmp_path: Path) -> None:
    names = [
        f"lovelaceada_201_7001_{CHAPTER}.ipynb",
        f"vanderbergzoe_LATE_202_7002_{CHAPTER}-3.ipynb",
        f"leekim_204_7004_{CHAPTER}-1.ipynb",
        f"nobodyknown_999_7009_{CHAPTER}.ipynb",
        f"lastidisnumber_205_7005_{CHAPTER}.ipynb",
        "lovelaceada_201_7001_drawing.png",
    ]
    found, said = _collected(small_class(tmp_path, PEOPLE), names, "FromCanvas")
    assert found == {
        f"ada/{CHAPTER}/{CHAPTER}.ipynb": names[0],
        f"zoe/{CHAPTER}/{CHAPTER}.ipynb": names[1],
        f"twin-2/{CHAPTER}/{CHAPTER}.ipynb": names[2],
        f"205/{CHAPTER}/{CHAPTER}.ipynb": names[4],
    }
    assert "for 999 the gradebook has nobody" in said


@pytest.mark.parametrize("between", ["/", ""])
def test_what_moodle_hands_out_reaches_whose_it_is(tmp_path: Path, between: str) -> None:
    middle = f"assignsubmission_file_{between}{CHAPTER}.ipynb"
    names = [
        f"Ada Lovelace_7001_{middle}",
        f"van der Berg Zoe\u0308_7002_{middle}",
        f"Kim Lee_7003_{middle}",
        f"Somebody Else_7004_{middle}",
        "notes.ipynb",
    ]
    found, said = _collected(small_class(tmp_path, PEOPLE), names, "FromMoodle")
    assert found == {
        f"ada/{CHAPTER}/{CHAPTER}.ipynb": names[0],
        f"zoe/{CHAPTER}/{CHAPTER}.ipynb": names[1],
    }
    assert "for Kim Lee the gradebook has several people" in said
    assert "for Somebody Else the gradebook has nobody" in said
    assert "notes.ipynb is not named as Moodle names files" in said
