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


CANVAS = [
    f"lovelaceada_201_7001_{CHAPTER}.ipynb",
    f"vanderbergzoe_LATE_202_7002_{CHAPTER}-3.ipynb",
    f"leekim_204_7004_{CHAPTER}-1.ipynb",
    f"nobodyknown_999_7009_{CHAPTER}.ipynb",
    f"lastidisnumber_205_7005_{CHAPTER}.ipynb",
    "lovelaceada_201_7001_drawing.png",
]


def _moodle(between: str) -> list[str]:
    people = ("Ada Lovelace_7001", "van der Berg Zoe\u0308_7002", "Kim Lee_7003", "Somebody Else_7004")
    return [f"{who}_assignsubmission_file_{between}{CHAPTER}.ipynb" for who in people] + ["notes.ipynb"]


@pytest.mark.parametrize(
    ("collector", "names", "whose", "said"),
    [
        (
            "FromCanvas",
            CANVAS,
            {"ada": 0, "zoe": 1, "twin-2": 2, "205": 4},
            ["for 999 the gradebook has nobody"],
        ),
        *(
            (
                "FromMoodle",
                _moodle(between),
                {"ada": 0, "zoe": 1},
                [
                    "for Kim Lee the gradebook has several people",
                    "for Somebody Else the gradebook has nobody",
                    "notes.ipynb is not named as Moodle names files",
                ],
            )
            for between in ("/", "")
        ),
    ],
)
def test_what_is_handed_out_reaches_whose_it_is(
    collector: str, names: list[str], whose: dict[str, int], said: list[str], tmp_path: Path
) -> None:
    found, told = _collected(small_class(tmp_path, PEOPLE), names, collector)
    assert found == {f"{who}/{CHAPTER}/{CHAPTER}.ipynb": names[position] for who, position in whose.items()}
    for sentence in said:
        assert sentence in told
