"""For `nbgrader zip_collect`: whose a file is that Canvas or Moodle hands out in a zip.

    nbgrader zip_collect 10_attention --collector=solutions.classroom.submission.collecting.FromMoodle

Both name files after people in their own way. The gradebook knows who that is: Canvas' number is nbgrader's
`lms_user_id`, Moodle's full name is first and last name. Whoever cannot be told for sure is left out, and said.
"""

import re
import unicodedata
from pathlib import Path

from nbgrader.api import Student
from nbgrader.plugins import FileNameCollectorPlugin

from solutions.classroom.folder import ClassFolder
from solutions.classroom.gradebook import open_gradebook
from solutions.classroom.plain_text import plain

CANVAS = (
    r"(?P<name>[^_]+)_(?:LATE_)?(?P<user>\d+)_(?P<submission>\d+)_(?P<file_id>.+?)(?:-(?P<again>\d+))?\.ipynb"
)
"""`lovelaceada_LATE_201_7001_10_attention-1.ipynb`: who, their number, the submission's, the file, handed in again."""

MOODLE = r"(?P<name>[^/]+)_(?P<submission>\d+)_assignsubmission_file_?/?(?P<file_id>[^/]+)\.ipynb"
"""`Ada Lovelace_7001_assignsubmission_file_/10_attention.ipynb`, or all of it in one name."""


class _Collector(FileNameCollectorPlugin):  # type: ignore[misc]
    """Files that a pattern matches, under the id that the gradebook has for whoever handed them in."""

    def collect(self, submitted_file: str) -> dict[str, str] | None:
        place = Path(submitted_file)
        if place.suffix != ".ipynb":
            return None
        found = re.search(f"(?:^|/){self.pattern}$", place.as_posix())
        if found is None:
            self.log.warning(
                f"{plain(place.name)} is not named as {self.system} names files; it is left out."
            )
            return None
        who = [student.id for student in self._people() if self._is(student, found)]
        if len(who) != 1:
            how_many = "nobody" if not who else "several people"
            self.log.warning(
                f"{plain(place.name)} is left out: for {plain(found[self.key])} the gradebook has {how_many}."
                f" Put {self.wanted} into the list of students, or copy the file into 'submitted' yourself."
            )
            return None
        return {"student_id": who[0], "file_id": found["file_id"]}

    def _people(self) -> list[Student]:
        with open_gradebook(ClassFolder(Path(self.parent.coursedir.root))) as book:
            return list(book.students)


class FromCanvas(_Collector):
    """What "Download Submissions" of Canvas gives. The latest of several attempts is the one in the zip."""

    system, pattern, key, wanted = "Canvas", CANVAS, "user", "lms_user_id"

    def _is(self, student: Student, found: re.Match[str]) -> bool:
        return found["user"] in (student.lms_user_id, None if student.lms_user_id else student.id)


class FromMoodle(_Collector):
    """What "Download all submissions" of Moodle gives, in folders or not."""

    system, pattern, key, wanted = "Moodle", MOODLE, "name", "first_name and last_name"

    def _is(self, student: Student, found: re.Match[str]) -> bool:
        first, last, name = map(_letters, (student.first_name, student.last_name, found["name"]))
        return bool(first + last) and name in (first + last, last + first)


def _letters(name: str | None) -> str:
    """A name without what differs between systems: case, spaces, and how accents are stored."""
    return "".join(c for c in unicodedata.normalize("NFC", name or "").casefold() if c.isalnum())
