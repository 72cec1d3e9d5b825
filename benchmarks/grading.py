"""How fast a class is graded: plain `nbgrader autograde` and `classroom grade`, the same notebooks in one run.

    make bench-grading                                    60 submissions of a real chapter
    python benchmarks/grading.py --many 1000              cost per submission from 60 to 1,000, and memory

Plain nbgrader gets the same chapter with an ordinary test in the notebook: its graded cell calls `check`, which
records and compares in the kernel. Both run the same cells: those that grading needs, pictures and demonstrations are
taken out of both (`--all-cells` leaves them in, and plain nbgrader runs them). Plain nbgrader works one after the other
at constant cost, so `--plain N` lets it grade only the first N.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from copy import deepcopy
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from course.exercises import chapter_named, exercises_of
from solutions.classroom.folder import ClassFolder, new_class
from solutions.classroom.grading.grade import grade_class
from solutions.classroom.proof.simulated_class import solved
from solutions.classroom.release.publish import environment, release
from solutions.classroom.release.source_notebook import DEMO_TAG, build_assignment
from solutions.classroom.submission.cells_to_run import needed_cells

CONFIG = 'c = get_config()\nc.CourseDirectory.course_id = "plain"\nc.ExecutePreprocessor.timeout = 600\n'


def main() -> None:
    options = _options()
    chapter = chapter_named(options.chapter)
    with tempfile.TemporaryDirectory(prefix="bench-grading-") as name:
        place = Path(name)
        folder = new_class(place / "ours")
        release(folder, chapter)
        shutil.copytree(place / "ours", place / "empty")
        untouched = folder.released_notebook(chapter)
        notebook = solved(untouched, chapter)
        if not options.all_cells:
            notebook.cells = _needed(notebook, untouched)
        cells = sum(cell.cell_type == "code" for cell in notebook.cells)
        print(
            f"{chapter}: {len(exercises_of(chapter))} exercises, {cells} code cells, {os.cpu_count()} cores"
        )
        plain = _plain(place / "plain", chapter, notebook, options.plain) if options.plain else None
        ours = _ours(folder, chapter, notebook, options.submissions, options.jobs, options.isolation)
        if plain:
            print(
                f"ratio: {plain[0] / ours[0]:.1f} × the throughput by the clock,"
                f" {plain[1] / ours[1]:.1f} × less processor time per submission"
            )
        if options.many:
            _many(place / "empty", chapter, notebook, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chapter", default="04_sensitivity")
    parser.add_argument("--submissions", type=int, default=60)
    parser.add_argument(
        "--plain", type=int, default=60, help="how many of them plain nbgrader grades (0: none)"
    )
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1))
    parser.add_argument("--isolation", default="auto")
    parser.add_argument(
        "--many", type=int, default=0, help="then grade a class of this size, without demonstrations"
    )
    parser.add_argument(
        "--all-cells", action="store_true", help="with the chapter's pictures and demonstrations"
    )
    return parser.parse_args()


def _needed(notebook: NotebookNode, untouched: NotebookNode) -> list[NotebookNode]:
    """The notebook without the cells that `classroom grade` does not run anyway."""
    needed = {cell["id"] for cell in needed_cells(notebook.cells, untouched.cells)}
    return [
        cell
        for cell in notebook.cells
        if cell.cell_type != "code"
        or (cell["id"] in needed and DEMO_TAG not in cell.metadata.get("tags", ()))
    ]


def _hand_in(root: Path, chapter: str, notebook: NotebookNode, count: int) -> None:
    """`count` submissions, no two the same, so that nothing is remembered from one for the next."""
    for number in range(count):
        own = deepcopy(notebook)
        own.cells.insert(1, nbformat.v4.new_code_cell(f"student = {number}"))
        path = root / "submitted" / f"s{number:05d}" / chapter / f"{chapter}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(nbformat.writes(own), encoding="utf-8")
        sheet = root / "source" / chapter / f"{chapter}.answers"
        shutil.copy(sheet, path.parent)


def _cpu() -> float:
    """Seconds of processor time of this process and of all its children that have ended."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _plain(root: Path, chapter: str, notebook: NotebookNode, count: int) -> tuple[float, float]:
    """Seconds by the clock and of processor time per submission, by nbgrader as it comes."""
    (root / "source" / chapter).mkdir(parents=True)
    build_assignment(chapter, root / "source" / chapter)
    (root / "nbgrader_config.py").write_text(CONFIG)
    _nbgrader(root, "generate_assignment", chapter)
    _hand_in(root, chapter, notebook, count)
    clock, cpu = time.monotonic(), _cpu()
    _nbgrader(root, "autograde", chapter)
    clock, cpu = (time.monotonic() - clock) / count, (_cpu() - cpu) / count
    graded = len(list((root / "autograded").glob(f"*/{chapter}/*.ipynb")))
    print(
        f"plain nbgrader   {graded:4d} submissions: {clock:.2f} s each by the clock, {cpu:.2f} s of processor time"
    )
    return clock, cpu


def _nbgrader(root: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "nbgrader", *arguments]
    extra = {"COURSE_FAST": "1", "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    done = subprocess.run(command, cwd=root, env=environment() | extra, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"nbgrader {' '.join(arguments)} failed:\n{done.stderr[-2000:]}")


def _ours(
    folder: ClassFolder, chapter: str, notebook: NotebookNode, count: int, jobs: int, isolation: str
) -> tuple[float, float]:
    _hand_in(folder.root, chapter, notebook, count)
    clock, cpu = time.monotonic(), _cpu()
    with _Memory() as memory:
        graded = list(grade_class(folder, [chapter], jobs=jobs, isolation=isolation))
    clock, cpu = (time.monotonic() - clock) / count, (_cpu() - cpu) / count
    print(
        f"classroom grade  {len(graded):4d} submissions: {clock:.2f} s each by the clock, {cpu:.2f} s of processor time"
        f" ({jobs} at a time; start of the sandbox included); grader at most {memory.most / 2**30:.2f} GB"
    )
    return clock, cpu


def _many(empty: Path, chapter: str, notebook: NotebookNode, options: argparse.Namespace) -> None:
    """What a submission costs in a small and in a large class of a cheap chapter."""
    bare = deepcopy(notebook)
    bare.cells = [cell for cell in bare.cells if "nbgrader" in cell.metadata]
    for count in (options.submissions, options.many):
        root = empty.with_name(f"class-of-{count}")
        shutil.copytree(empty, root)
        _ours(ClassFolder(root), chapter, bare, count, options.jobs, options.isolation)


class _Memory:
    """The most memory that this process and the sandbox's server hold, students' own processes not counted."""

    def __enter__(self) -> "_Memory":
        self.most, self._over = 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            self.most = max(self.most, sum(map(_resident, [os.getpid(), *_servers()])))


def _servers() -> list[int]:
    """The sandbox's server: our child, or behind bubblewrap's own two processes."""
    level = [os.getpid()]
    found: list[int] = []
    for _ in range(3):
        level = [child for pid in level for child in _children(pid)]
        found += [pid for pid in level if _resident(pid) > 100 << 20]
        if found:
            break
    return found[:1]


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()] + [
            int(word)
            for task in os.listdir(f"/proc/{pid}/task")
            if task != str(pid)
            for word in Path(f"/proc/{pid}/task/{task}/children").read_text().split()
        ]
    except OSError:
        return []


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


if __name__ == "__main__":
    main()
