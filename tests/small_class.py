"""A class folder that was graded, made in a moment: a gradebook and verdicts, and nothing that would run."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course.exercises import exercises_of
from solutions.classroom.folder import ClassFolder, new_class
from solutions.classroom.gradebook import open_gradebook

CHAPTER = "10_attention"
OTHER = "04_sensitivity"


@dataclass
class Person:
    """Somebody in the class. code: points for code in each chapter; answer: points for the answer in words, None while it waits."""

    id: str
    code: float | None = 10
    answer: float | None = 2
    penalty: float = 0
    unreadable: str = ""
    blank: float = 0
    notes: list[str] = field(default_factory=list)
    verdicts: dict[str, dict[str, Any]] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)


def verdict(kind: str = "right", message: str = "Right.", misconception: str = "") -> dict[str, Any]:
    return {
        "kind": kind,
        "points": float(kind == "right"),
        "of": 1.0,
        "message": message,
        "misconception": misconception,
        "follows": "",
        "seconds": 0.01,
    }


def small_class(place: Path, people: list[Person], chapters: tuple[str, ...] = (CHAPTER,)) -> ClassFolder:
    """Everybody listed; whoever has no points for code handed in nothing. 15 points for code, 3 for an answer in words."""
    folder = new_class(place / "class")
    with open_gradebook(folder) as book:
        for chapter in chapters:
            (folder.release(chapter)).mkdir(parents=True)
            (folder.release(chapter) / f"{chapter}.ipynb").write_text(
                '{"cells":[],"metadata":{},"nbformat":4,"nbformat_minor":5}'
            )
            book.add_assignment(chapter)
            book.add_notebook(chapter, chapter)
            book.add_grade_cell("code", chapter, chapter, max_score=15, cell_type="code")
            book.add_grade_cell("words", chapter, chapter, max_score=3, cell_type="markdown")
        for person in people:
            book.add_student(person.id, **person.about)
            for chapter in chapters:
                if person.code is None:
                    continue
                submission = book.add_submission(chapter, person.id)
                submission.notebooks[0].late_submission_penalty = person.penalty
                code = book.find_grade("code", chapter, chapter, person.id)
                words = book.find_grade("words", chapter, chapter, person.id)
                code.auto_score, code.needs_manual_grade = person.code, False
                words.manual_score, words.needs_manual_grade = person.answer, person.answer is None
                exercises = {name: verdict() for name in exercises_of(chapter)} | person.verdicts
                tree = {
                    "unreadable": person.unreadable,
                    "notes": person.notes,
                    "blank": person.blank,
                    "exercises": exercises,
                }
                path = folder.hidden / "verdicts" / chapter / f"{person.id}.json"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(tree))
        book.db.commit()
    return folder
