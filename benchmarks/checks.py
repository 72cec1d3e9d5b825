"""What one `check` costs a student: processor time for each exercise, with the reference as the answer. `make bench` prints it."""

import sys
import time
from collections.abc import Mapping
from typing import Any

import torch

from course.check import judge
from course.exercises import chapters, exercises_of
from course.judging.exercise import Exercise
from course.judging.sheets import Answers
from solutions.classroom.release.answers import PUBLIC_SEEDS, answer_sheet
from solutions.classroom.release.reference_source import home_of, load

TIMES = 3
"""The quickest of so many counts: what comes first also warms up."""

SLOWEST = 8
"""So many exercises are shown by name; `all` on the command line shows every one."""


def main() -> None:
    torch.set_num_threads(1)
    costs = {}
    for chapter in chapters():
        sheet = answer_sheet(chapter, PUBLIC_SEEDS)
        names = {name: load(home_of()[name], name) for name in exercises_of(chapter)}
        for name, exercise in exercises_of(chapter).items():
            costs[name] = _cost(exercise, sheet, names)
    shown = sorted(costs, key=lambda name: -costs[name])
    print("check: milliseconds of processor time, one thread")
    for name in shown if "all" in sys.argv else shown[:SLOWEST]:
        print(f"  {name:<30} {1000 * costs[name]:7.1f}")
    print(f"  {f'all {len(costs)} exercises':<30} {1000 * sum(costs.values()):7.1f}")


def _cost(exercise: Exercise, sheet: Mapping[str, Answers], names: Mapping[str, Any]) -> float:
    """Seconds of processor time."""
    found = []
    for _ in range(TIMES):
        start = time.process_time()
        judge(exercise, names[exercise.name], sheet, names)
        found.append(time.process_time() - start)
    return min(found)


if __name__ == "__main__":
    main()
