"""How fast a class is graded: plain `nbgrader autograde` and `classroom grade`, the same notebooks in one run.

    make bench-grading                          60 submissions of a real chapter, and a class of 1,000: ten minutes
    python benchmarks/grading.py --many 0       without the class of 1,000

Plain nbgrader gets the same chapter with an ordinary test in the notebook: its graded cell calls `check`, which
records and compares in the kernel. Both run the same cells: those that grading needs, pictures and demonstrations are
taken out of both (`--all-cells` leaves them in, and plain nbgrader runs them). Plain nbgrader works one after the other
at constant cost, so `--plain N` lets it grade only the first N.

Rows: both · a class of which a third is wrong and a third crashes · the serial part, with recordings that only sleep (what
the grader's own process does for every submission, of which one thing happens at a time: it is what limits many workers)
· a class of 1,000 of a cheap notebook beside one of 60. Processor time is the grader's own and what the sandbox measured
of the submissions; for plain nbgrader, that of all its processes. Last comes a table of what is asked and what was found.
"""

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from nbformat import NotebookNode
from targets import Table

from course.exercises import chapter_named, exercises_of
from solutions.classroom.assignment import Assignment
from solutions.classroom.folder import ClassFolder, new_class
from solutions.classroom.grading.grade import grade_class
from solutions.classroom.proof.simulated_class import solved, standalone
from solutions.classroom.release.publish import environment, release
from solutions.classroom.release.source_notebook import DEMO_TAG, build_assignment
from solutions.classroom.submission.cells_to_run import needed_cells
from solutions.classroom.submission.sandbox import Job, Limits, Result, Sandbox
from solutions.misconceptions import misconceptions_of

CONFIG = 'c = get_config()\nc.CourseDirectory.course_id = "plain"\nc.ExecutePreprocessor.timeout = 600\n'

SLEEP = 0.3
"""Seconds: what a recording takes by the clock on a busy machine."""


def main() -> None:
    options = _options()
    chapter = chapter_named(options.chapter)
    with tempfile.TemporaryDirectory(prefix="bench-grading-") as name:
        place = Path(name)
        folder = new_class(place / "ours")
        release(folder, chapter)
        shutil.copytree(place / "ours", place / "empty")
        untouched = Assignment(folder, chapter).notebook
        notebook = solved(untouched, chapter)
        if not options.all_cells:
            notebook.cells = _needed(notebook, untouched)
        cells = sum(cell.cell_type == "code" for cell in notebook.cells)
        print(
            f"{chapter}: {len(exercises_of(chapter))} exercises, {cells} code cells, {os.cpu_count()} cores"
        )
        found = Table(44, 10, 12)
        plain = _plain(place / "plain", chapter, notebook, options.plain) if options.plain else None
        ours = _ours(folder, chapter, [notebook], options.submissions, options)
        mixed = _mixed(place, chapter, notebook, untouched, options)
        serial = _sleeping(place, chapter, notebook, options)
        many = _many(place / "empty", chapter, notebook, options) if options.many else []
        if plain:
            ratio, less = plain.clock / ours.clock, plain.cpu / ours.cpu
            found.line("× the throughput of plain nbgrader", f"{ratio:.1f}", ">= 25", ratio >= 25)
            found.line("× less processor time a submission", f"{less:.1f}")
        for workers, seconds in serial.items():
            found.line(f"serial part, {workers} workers", f"{seconds:.3f} s", "<= 0.030 s", seconds <= 0.03)
        slower = mixed.clock / ours.clock
        found.line("× the time of an all-right class: mixed", f"{slower:.2f}", "<= 1.2", slower <= 1.2)
        if many:
            growth = many[-1].clock / many[0].clock
            found.line(f"× the time in a class of {options.many:,}", f"{growth:.2f}", "<= 1.1", growth <= 1.1)
        memory = max(one.memory for one in [ours, mixed, *many])
        found.line("memory of grader and sandbox", f"{memory:.2f} GB", "<= 1.5 GB", memory <= 1.5)


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
    parser.add_argument("--many", type=int, default=1000, help="then grade a class of this size (0: none)")
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


def _hand_in(root: Path, chapter: str, notebooks: Sequence[NotebookNode], count: int) -> None:
    """`count` submissions, no two the same, so that nothing is remembered from one for the next."""
    for number in range(count):
        own = deepcopy(notebooks[number % len(notebooks)])
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


class Cost(NamedTuple):
    """Seconds a submission, by the clock and of the processor; and gigabytes at most."""

    clock: float
    cpu: float
    memory: float = 0.0


def _plain(root: Path, chapter: str, notebook: NotebookNode, count: int) -> Cost:
    """By nbgrader as it comes."""
    (root / "source" / chapter).mkdir(parents=True)
    build_assignment(chapter, root / "source" / chapter)
    (root / "nbgrader_config.py").write_text(CONFIG)
    _nbgrader(root, "generate_assignment", chapter)
    _hand_in(root, chapter, [notebook], count)
    clock, cpu = time.monotonic(), _cpu()
    _nbgrader(root, "autograde", chapter)
    clock, cpu = (time.monotonic() - clock) / count, (_cpu() - cpu) / count
    graded = len(list((root / "autograded").glob(f"*/{chapter}/*.ipynb")))
    print(
        f"plain nbgrader   {graded:4d} submissions: {clock:.2f} s each by the clock, {cpu:.2f} s of processor time"
    )
    return Cost(clock, cpu)


def _nbgrader(root: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "nbgrader", *arguments]
    extra = {"COURSE_FAST": "1", "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    done = subprocess.run(command, cwd=root, env=environment() | extra, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"nbgrader {' '.join(arguments)} failed:\n{done.stderr[-2000:]}")


def _ours(
    folder: ClassFolder,
    chapter: str,
    notebooks: Sequence[NotebookNode],
    count: int,
    options: argparse.Namespace,
    name: str = "classroom grade",
) -> Cost:
    """The same by ours; the notebooks are handed in in turn."""
    _hand_in(folder.root, chapter, notebooks, count)
    spent: list[float] = []
    with Sandbox(Limits(), isolation=options.isolation) as sandbox:

        def record(job: Job) -> Result:
            result = sandbox.run(job)
            spent.append(result.cpu_seconds)
            return result

        clock, own = time.monotonic(), time.process_time()
        with _Memory() as memory, ThreadPoolExecutor(1) as warming:
            warming.submit(getattr, sandbox, "isolation")  # as the command does
            graded = list(grade_class(folder, [chapter], jobs=options.jobs, record=record))
        clock, own = (time.monotonic() - clock) / count, (time.process_time() - own) / count
    cpu = own + sum(spent) / count
    print(
        f"{name:16} {len(graded):4d} submissions: {clock:.3f} s each by the clock, {cpu:.3f} s of processor time"
        f" ({own:.3f} s the grader's own; {options.jobs} at a time; start of the sandbox included by the clock);"
        f" grader at most {memory.most / 2**30:.2f} GB"
    )
    return Cost(clock, cpu, memory.most / 2**30)


def _mixed(
    place: Path,
    chapter: str,
    notebook: NotebookNode,
    untouched: NotebookNode,
    options: argparse.Namespace,
) -> Cost:
    """A third right, a third with a misconception, a third that raises: those run once more, with the public cases."""
    name, wrong = next((name, many[0]) for name, many in misconceptions_of(chapter).items() if many)
    crash = f"def {name}(*arguments, **options):\n    return 1 / 0\n"
    bodies = [None, _as_students_write(chapter, name, wrong), crash]
    kinds = [notebook if body is None else solved(untouched, chapter, {name: body}) for body in bodies]
    for other in kinds[1:]:
        if not options.all_cells:
            other.cells = _needed(other, untouched)
    root = place / "mixed"
    shutil.copytree(place / "empty", root)
    return _ours(ClassFolder(root), chapter, kinds, options.submissions, options, "mixed class")


def _as_students_write(chapter: str, name: str, wrong: Callable[..., Any]) -> str:
    """A misconception in a cell of the notebook: under the exercise's own name, and not in a function around it."""
    source, own = standalone(chapter, name, wrong), wrong.__name__
    body = source.partition("def _written():\n")[2].rpartition(f"\n    return {own}\n")[0]
    return re.sub(rf"\b{own}\b", name, textwrap.dedent(body))


def _sleeping(
    place: Path, chapter: str, notebook: NotebookNode, options: argparse.Namespace
) -> dict[int, float]:
    """workers → the serial part. Recordings that take a while and no processor, as if there were as many cores as workers."""
    results: list[Result] = []
    serial: dict[int, float] = {}
    for workers in (1, 8, 32):
        root = place / f"sleeping-{workers}"
        shutil.copytree(place / "empty", root)
        count = max(1, workers * 8 if workers > 1 else 1)
        _hand_in(root, chapter, [notebook], count)

        def sleep(job: Job) -> Result:
            time.sleep(SLEEP)
            return results[0]

        if workers == 1:  # one real recording, which the others repeat
            with Sandbox(Limits(), isolation=options.isolation) as sandbox:

                def once(job: Job, run: Callable[[Job], Result] = sandbox.run) -> Result:
                    results.append(run(job))
                    return results[-1]

                list(grade_class(ClassFolder(root), [chapter], record=once))
            continue
        clock, own, thread = time.monotonic(), time.process_time(), time.thread_time()
        list(grade_class(ClassFolder(root), [chapter], jobs=workers, record=sleep))
        clock, own = (time.monotonic() - clock) / count, (time.process_time() - own) / count
        thread = (time.thread_time() - thread) / count
        serial[workers] = own
        print(
            f"sleeping {SLEEP:g} s    {count:4d} submissions, {workers:2d} workers: {clock:.3f} s each by the clock;"
            f" serial part {own:.3f} s, {thread:.3f} s of it in the thread that books;"
            f" the workers alone would take {SLEEP / workers:.3f} s"
        )
    return serial


def _many(empty: Path, chapter: str, notebook: NotebookNode, options: argparse.Namespace) -> list[Cost]:
    """What a submission costs in a small and in a large class of a cheap notebook."""
    costs = []
    bare = deepcopy(notebook)
    bare.cells = [cell for cell in bare.cells if "nbgrader" in cell.metadata]
    for count in (options.submissions, options.many):
        root = empty.with_name(f"class-of-{count}")
        shutil.copytree(empty, root)
        costs.append(_ours(ClassFolder(root), chapter, [bare], count, options))
    return costs


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
