"""`classroom …`: everything that an instructor types. `classroom COMMAND --help` says more."""

import argparse
import math
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course.exercises import UnknownNameError, chapter_named, chapters, find
from solutions.classroom.faults import NobodyReads, about_output, cautious_streams, nobody_reads, sentence
from solutions.classroom.plain_text import plain

if TYPE_CHECKING:
    from solutions.classroom.folder import ClassFolder

STOPPED = 130
"""What a shell says of a command that Ctrl-C ended."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; every foreseeable mistake is one sentence and exit code 2."""
    cautious_streams()
    options = _parser().parse_args(arguments)
    if os.name == "nt":
        print("On Windows, use `classroom` inside WSL: grading needs Linux or macOS.", file=sys.stderr)
        return 2
    command: Callable[[argparse.Namespace], int] = options.run
    try:
        code = command(options)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print(
            "\nStopped. What was finished is kept: start the same command again, and it goes on from there.",
            file=sys.stderr,
        )
        return STOPPED
    except Exception as error:
        lost = about_output(error)
        if lost or isinstance(error, NobodyReads):
            nobody_reads()
        if isinstance(error, NobodyReads) or (lost and isinstance(error, BrokenPipeError)):
            return 0  # no mistake
        said = sentence(error, getattr(options, "folder", None))
        if said is None:
            raise
        if lost and isinstance(error, OSError):
            said = f"The output cannot be written ({error.strerror}). Send it somewhere else and start again."
        print(plain(said), file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="classroom", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    new = command("new", _new, "make a class folder (an nbgrader course directory)")
    new.add_argument("folder", type=Path)
    new.add_argument(
        "--group",
        default="",
        metavar="NAME",
        help="share it with this Unix group, also one that is there already",
    )

    release = command("release", _release, "build chapters and let nbgrader make their release")
    release.add_argument("folder", type=Path)
    release.add_argument(
        "chapters", nargs="*", metavar="CHAPTER", help="4, sensitivity or 04_sensitivity; all when left out"
    )
    release.add_argument(
        "--force",
        action="store_true",
        help="also overwrite a source notebook that was edited by hand, and release even if people have handed in work for"
        " exercises that changed",
    )

    grade = command("grade", _grade, "grade submissions, several at a time")
    grade.add_argument("folder", type=Path)
    grade.add_argument("chapters", nargs="*", metavar="CHAPTER", help="all released ones when left out")
    grade.add_argument("--student", action="append", metavar="ID", help="only this student (may be repeated)")
    grade.add_argument(
        "--jobs",
        type=_positive,
        default=2 * (os.cpu_count() or 1),
        help="how many submissions run at a time (default: %(default)s)",
    )
    grade.add_argument("--again", action="store_true", help="run unchanged submissions too")
    grade.add_argument(
        "--limit",
        type=_seconds,
        metavar="SECONDS",
        help="processor time of a cell or an exercise, usually 10; all other times grow with it. Remembered in the class folder",
    )
    grade.add_argument("--device", type=_device, default="cpu", help="cpu (default) or cuda")
    grade.add_argument(
        "--isolation",
        choices=("auto", "bubblewrap", "landlock", "none"),
        default="auto",
        help="how student code is walled in; auto takes the best that works",
    )
    grade.add_argument(
        "--dask", metavar="ADDRESS", help="record on a cluster: tcp://scheduler:8786, or local"
    )

    validate = command(
        "validate", _validate, "check a notebook as `check` does; exit code 1 when anything is wrong"
    )
    validate.add_argument("notebook", type=Path)

    report = command("report", _report, "what the class found hard, as tables and as report.html")
    report.add_argument("folder", type=Path)
    report.add_argument("chapters", nargs="*", metavar="CHAPTER")

    formgrader = command(
        "formgrader", _formgrader, "read and grade answers in words: formgrader, also without a network"
    )
    formgrader.add_argument("folder", type=Path)
    formgrader.add_argument("--port", type=_port, default=8888)
    formgrader.add_argument("--no-browser", action="store_true")

    alike = command("alike", _alike, "submissions that are built alike: a hint to look at, never a verdict")
    alike.add_argument("folder", type=Path)
    alike.add_argument("chapters", nargs="*", metavar="CHAPTER")
    alike.add_argument(
        "--least", type=_share, default=0.8, help="share of structure in common (default: %(default)s)"
    )

    agreement = command("agreement", _agreement, "do two readers give the same points for answers in words?")
    agreement.add_argument("folder", type=Path)
    agreement.add_argument(
        "other", type=Path, help="a copy of the class folder in which the second reader scored"
    )

    export = command("export", _export, "marks as a CSV file for Moodle or Canvas")
    export.add_argument("folder", type=Path)
    export.add_argument("chapters", nargs="*", metavar="CHAPTER")
    export.add_argument("--to", choices=("moodle", "canvas"), required=True)

    prove = command("prove", _prove, "show that exercises reject what is wrong and accept what is right")
    prove.add_argument(
        "names", nargs="*", metavar="NAME", help="chapters or exercises; everything when left out"
    )
    prove.add_argument(
        "--mutants",
        action="store_true",
        help="change each reference in one place at a time: does the judge see it?",
    )
    prove.add_argument(
        "--seeds",
        type=_positive,
        metavar="N",
        help="how many of N seeds could be a class's secret ones, and why not the others?",
    )
    prove.add_argument(
        "--uses",
        action="store_true",
        help="run the chapters: is every way in which they call an exercise among its cases?",
    )
    prove.add_argument(
        "--verdicts",
        type=Path,
        metavar="FILE",
        help="write every verdict into a file, to be compared with another machine's",
    )

    notebooks = command(
        "notebooks", _notebooks, "lay out the students' notebooks; existing ones stay as they are"
    )
    notebooks.add_argument("place", type=Path)
    notebooks.add_argument("chapters", nargs="*", metavar="CHAPTER")

    live = command("live", _live, "the lecturer's notebook of a chapter, to be typed in the hall")
    live.add_argument("chapter", metavar="CHAPTER")
    live.add_argument("--place", type=Path, default=Path("build/live"), help="default: %(default)s")
    live.add_argument("--port", type=_port, default=8888)
    live.add_argument("--no-browser", action="store_true")

    slides = command(
        "slides", _slides, "slides of executed chapters: a folder each, to be opened without a network"
    )
    slides.add_argument("chapters", nargs="*", metavar="CHAPTER")
    slides.add_argument("--place", type=Path, default=Path("build/slides"), help="default: %(default)s")

    site = command(
        "site", _site, "the course's pages for the world: executed chapters, gallery, documents; no solutions"
    )
    site.add_argument("place", type=Path)
    site.add_argument("chapters", nargs="*", metavar="CHAPTER")

    kit = command("kit", _kit, "make the students' kit: course, datasets, notebooks; no solutions")
    kit.add_argument("place", type=Path)
    kit.add_argument("chapters", nargs="*", metavar="CHAPTER")

    demo = command(
        "demo", _demo, "a simulated class through everything; fails when any score is not the expected one"
    )
    demo.add_argument("folder", type=Path)
    demo.add_argument("chapters", nargs="*", metavar="CHAPTER")
    demo.add_argument(
        "--all", action="store_true", help="one student for every misconception, and not two dozen"
    )
    return parser


def _seconds(text: str) -> float:
    return _between(1, 36_000, text, "number of seconds")


def _positive(text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def _port(text: str) -> int:
    if _positive(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: 65535 is the last")
    return int(text)


def _device(text: str) -> str:
    if not re.fullmatch(r"cpu|cuda(:\d+)?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is neither cpu nor cuda")
    return text


def _share(text: str) -> float:
    return _between(0, 1, text, "share")


def _between(least: int, most: int, text: str, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is no {what} between {least} and {most}")
    return number


def _released(folder: "ClassFolder", names: list[str]) -> list[str]:
    """The chapters meant: all that are released, when none is named."""
    from solutions.classroom.folder import ClassFolderError
    from solutions.classroom.roster import released_chapters

    chosen = [chapter_named(name) for name in names] or released_chapters(folder)
    if not chosen:
        raise ClassFolderError(
            f"Nothing is released in {folder.root.name} yet: classroom release {folder.root}"
        )
    return list(dict.fromkeys(chosen))


def _chosen(names: list[str]) -> list[str]:
    return [chapter_named(name) for name in names] or list(chapters())


def _new(options: argparse.Namespace) -> int:
    from solutions.classroom.folder import new_class

    folder = new_class(options.folder, options.group)
    print(f"{folder.root} is a class folder. Next: classroom release {options.folder}")
    return 0


def _release(options: argparse.Namespace) -> int:
    from solutions.classroom.folder import ClassFolderError, InUseError
    from solutions.classroom.opening import open_class
    from solutions.classroom.release.publish import release

    folder = open_class(options.folder)
    refused = False
    for chapter in _chosen(options.chapters):
        try:
            known = release(folder, chapter, options.force)
        except InUseError:
            raise
        except ClassFolderError as error:  # the other chapters may go out all the same
            print(error, file=sys.stderr)
            refused = True
            continue
        print(f"released {chapter}: {folder.release(chapter)}")
        print("".join(f"{sentence}\n" for sentence in known), end="")
    return 2 if refused else 0


def _grade(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from solutions.classroom.feedback.report import print_class, print_unmatched, rows, summary
    from solutions.classroom.grading.grade import grade_class, waiting_for
    from solutions.classroom.opening import open_class
    from solutions.classroom.roster import students
    from solutions.classroom.submission.running_once import limits_of, set_limit

    folder = open_class(options.folder)
    chosen = _released(folder, options.chapters)
    limits = set_limit(folder, options.limit) if options.limit else limits_of(folder)
    where: dict[str, Any] = {}
    if options.dask:
        from solutions.classroom.submission.cluster import on_cluster

        where = {**on_cluster(options.dask, options.isolation, options.device, limits)}
    total = len(chosen) * len(options.student or students(folder))
    ran = 0
    progress = tqdm(total=total, unit="submission", desc="grading", delay=0.5)
    work = grade_class(
        folder,
        chosen,
        options.student,
        jobs=options.jobs,
        again=options.again,
        device=options.device,
        isolation=options.isolation,
        limits=limits,
        watch=lambda names: progress.set_postfix_str(waiting_for(names)),
        say=lambda sentence: progress.write(sentence, file=sys.stderr),
        **where,
    )
    with progress:
        for graded in work:
            ran += graded.ran
            progress.update()
            if graded.trouble:
                progress.write(f"{graded.student}, {graded.chapter}: {graded.trouble}", file=sys.stderr)
        progress.set_postfix_str("")
    found = [row for row in rows(folder, chosen) if not options.student or row.student in options.student]
    print_class(found)
    print_unmatched(folder)
    print(summary(found, ran))
    return 0


def _validate(options: argparse.Namespace) -> int:
    from solutions.classroom.grading.validate import validate

    lines, right = validate(options.notebook)
    print("\n".join(map(plain, lines)))
    return 0 if right else 1


def _report(options: argparse.Namespace) -> int:
    from solutions.classroom.feedback.report import print_report, write_page
    from solutions.classroom.opening import open_class

    folder = open_class(options.folder)
    chosen = _released(folder, options.chapters)
    page = write_page(folder, chosen)
    print_report(folder, chosen)
    print(f"The same with charts: {page}")
    return 0


def _formgrader(options: argparse.Namespace) -> int:
    from solutions.classroom.feedback.formgrader import formgrader
    from solutions.classroom.opening import open_class

    return formgrader(open_class(options.folder), options.port, not options.no_browser)


def _alike(options: argparse.Namespace) -> int:
    from solutions.classroom.feedback.similarity import alike
    from solutions.classroom.opening import open_class

    folder = open_class(options.folder)
    for chapter in _released(folder, options.chapters):
        print(f"{chapter}: built alike, so worth a look side by side (short right answers often are)")
        for pair in alike(folder, chapter, options.least):
            print(f"  {pair.share:4.0%}  {plain(pair.first)}  {plain(pair.second)}")
    return 0


def _agreement(options: argparse.Namespace) -> int:
    from solutions.classroom.feedback.agreement import agreements, table
    from solutions.classroom.opening import open_class

    print(table(agreements(open_class(options.folder), open_class(options.other))))
    return 0


def _export(options: argparse.Namespace) -> int:
    from course.judging.archive import write_bytes
    from solutions.classroom.feedback import export
    from solutions.classroom.feedback.marks import counted, marks
    from solutions.classroom.opening import open_class

    folder = open_class(options.folder)
    chosen = _released(folder, options.chapters)
    text = getattr(export, options.to)(folder, chosen)
    path = folder.root / f"{options.to}.csv"
    write_bytes(path, text.encode())
    found = marks(folder, chosen)
    print(f"{counted(len({mark.student for mark in found}), 'student')} in {path}")
    if empty := sum(not mark.settled for mark in found):
        print(f"{counted(empty, 'mark')} left empty: nothing was handed in, or an answer awaits a reader.")
    return 0


def _prove(options: argparse.Namespace) -> int:
    from solutions.classroom.proof.prove import print_shares, prove, prove_chapter

    names = options.names or chapters()
    if options.mutants:
        from solutions.classroom.proof.mutants import print_mutants

        return print_mutants(names)
    if options.seeds:
        return print_shares(names, options.seeds)
    if options.uses:
        from solutions.classroom.proof.uses import print_uses

        return print_uses(names)
    if options.verdicts:
        from solutions.classroom.proof.verdicts import write_verdicts

        return write_verdicts(names, options.verdicts)
    bad = 0
    for name in names:
        try:
            chapter = chapter_named(name)
            proofs = prove_chapter(chapter)
        except UnknownNameError:
            chapter, exercise = find(name)
            proofs = [prove(chapter, exercise)]
        print(chapter)
        for proof in proofs:
            complaints = [*proof.complaints, *filter(None, [proof.too_slow])]
            mark = "✘" if complaints else "✔"
            print(
                f"  {mark} {proof.exercise:<30} rejected {proof.rejected}/{proof.wrong}"
                f"  accepted {proof.accepted}/{proof.alternatives}  slowest case {proof.slowest_case * 1000:.0f} ms"
            )
            for complaint in complaints:
                print(f"      {complaint}")
            bad += bool(complaints)
    return 1 if bad else 0


def _notebooks(options: argparse.Namespace) -> int:
    from solutions.classroom.release.hand_out import lay_out_notebooks

    laid = lay_out_notebooks(options.place, _chosen(options.chapters))
    print(f"{len(laid)} new notebooks in {options.place}; those that were there stayed as they were.")
    return 0


def _live(options: argparse.Namespace) -> int:
    from solutions.classroom.lecture.live import live

    return live(chapter_named(options.chapter), options.place.resolve(), options.port, not options.no_browser)


def _slides(options: argparse.Namespace) -> int:
    from solutions.classroom.lecture.slides import make_slides

    for chapter in _chosen(options.chapters):
        print(make_slides(chapter, options.place), flush=True)
    return 0


def _site(options: argparse.Namespace) -> int:
    from solutions.classroom.site.build import make_site

    print(make_site(options.place, _chosen(options.chapters), options.place.parent / "site-work"))
    return 0


def _kit(options: argparse.Namespace) -> int:
    from solutions.classroom.release.hand_out import make_kit

    packed = make_kit(options.place, _chosen(options.chapters))
    print(
        f"The students' kit is {packed} ({packed.stat().st_size / 1e6:.0f} MB): give them this file. The same as a folder: {options.place}."
    )
    return 0


def _demo(options: argparse.Namespace) -> int:
    from solutions.classroom.proof.demo import demo

    return demo(options.folder, _chosen(options.chapters), options.all)


if __name__ == "__main__":
    sys.exit(main())
