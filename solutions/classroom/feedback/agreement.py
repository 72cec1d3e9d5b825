"""Do two people give the same points for the same answers? Weighted kappa, question by question.

The second reader scores in a copy of the class folder that was made before anything was scored.
"""

from dataclasses import dataclass

from sklearn.metrics import cohen_kappa_score

from solutions.classroom.folder import ClassFolder, ClassFolderError
from solutions.classroom.gradebook import open_gradebook


@dataclass(frozen=True)
class Agreement:
    """One question, read twice. pairs: student → (first reader's points, second reader's)."""

    question: str
    pairs: dict[str, tuple[float, float]]

    @property
    def same(self) -> float:
        """The share of answers with equal points."""
        return sum(one == other for one, other in self.pairs.values()) / len(self.pairs)

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa with quadratic weights: 1 for full agreement, 0 for what chance would give.

        None where both readers gave the same points to everybody: then nothing can be said. Points may be halves.
        Source: Cohen (1968), Weighted kappa.
        """
        one, other = ([round(2 * points[k]) for points in self.pairs.values()] for k in (0, 1))
        if len({*one, *other}) < 2:
            return None
        return float(cohen_kappa_score(one, other, labels=range(max(*one, *other) + 1), weights="quadratic"))

    @property
    def apart(self) -> list[str]:
        """Whose answers the readers should talk about: those who are furthest apart, if by more than one point."""
        gaps = {student: abs(one - other) for student, (one, other) in self.pairs.items()}
        return [
            student for student in sorted(gaps, key=lambda name: (-gaps[name], name)) if gaps[student] > 1
        ]


def agreements(first: ClassFolder, second: ClassFolder) -> list[Agreement]:
    """Every question that was scored in both class folders. Raises ClassFolderError where there is none."""
    ours, theirs = scores(first), scores(second)
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for key in sorted(set(ours) & set(theirs)):
        question, student = key
        found.setdefault(question, {})[student] = (ours[key], theirs[key])
    if not found:
        raise ClassFolderError(
            f"No answer was scored in both {first.root} and {second.root}: the second reader scores in a copy of the class folder."
        )
    return [Agreement(question, pairs) for question, pairs in found.items()]


def scores(folder: ClassFolder) -> dict[tuple[str, str], float]:
    """(question, student) → the points that a person gave, where nothing waits for a reader."""
    with open_gradebook(folder) as book:
        return {
            (grade.name, submission.student_id): float(grade.manual_score)
            for assignment in book.assignments
            for submission in book.assignment_submissions(assignment.name)
            for part in submission.notebooks
            for grade in part.grades
            if grade.manual_score is not None and not grade.needs_manual_grade
        }


def table(found: list[Agreement]) -> str:
    """A line for each question, and whom to talk about."""
    lines = [f"{'question':<36} {'answers':>7} {'same':>6} {'kappa':>6}"]
    for one in found:
        kappa = "–" if one.kappa is None else f"{one.kappa:.2f}"
        lines.append(f"{one.question:<36} {len(one.pairs):>7} {one.same:>6.0%} {kappa:>6}")
        if one.apart:
            lines.append(f"    more than a point apart: {', '.join(one.apart)}")
    return "\n".join(lines)
