"""`make release-check`: what takes too long for every day, and has to hold before a release.

    python tests/release/check.py [STEP…]

Each step says its name, its result and its time, and the next one comes in any case; the exit code is 1 when one failed.
Everything that the steps print is in build/release-check.log. What a machine does not have is said, and skipped.
"""

import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "release-check"
LOG = ROOT / "build" / "release-check.log"
CHAPTER = "10_attention"
PYTHONS = ("3.11", "3.12", "3.13")
LIBRARIES = ("torch", "torchvision", "numpy", "scikit-learn")
QUICK_TESTS = (
    "test_check.py",
    "test_judging.py",
    "test_archive.py",
    "test_lrp.py",
    "test_build.py",
    "test_class.py",
)
"""What every combination of versions has to pass: the judging, a reference that leans on torch's inside, the build, and a class."""


class Failed(Exception):
    """A step did not hold. The message says what."""


class Skipped(Exception):
    """This machine lacks something. The message says what."""


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> str:
    """What a command prints; it goes into the log as well. Raises Failed with its last lines when it fails."""
    with LOG.open("a", encoding="utf-8") as log:
        print(
            "\n$", *command, *(f"{name}={value}" for name, value in environment.items()), file=log, flush=True
        )
        start = log.tell()
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ
            | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
            | environment,
            check=False,
        )
    with LOG.open(encoding="utf-8", errors="replace") as log:
        log.seek(start)
        text = log.read()
    if done.returncode:
        raise Failed("\n".join([f"exit code {done.returncode}", *text.strip().splitlines()[-12:]]))
    return text


def pytest_says(*arguments: str, python: str | Path = sys.executable, **environment: str) -> str:
    """pytest's last line, and why it left something out."""
    text = run(
        python, "-m", "pytest", "-rs", "-p", "no:cacheprovider", *arguments, cwd=ROOT / "tests", **environment
    )
    reasons = dict.fromkeys(re.findall(r"^SKIPPED \[\d+\] \S+ (.+)$", text, re.MULTILINE))
    return "\n".join([text.strip().splitlines()[-1], *(f"skipped: {reason}" for reason in reasons)])


def whole_demo() -> str:
    """Every misconception is somebody's, and nbgrader's own autograde grades them."""
    shutil.rmtree(BUILD / "demo", ignore_errors=True)
    text = run(sys.executable, "-m", "solutions.classroom", "demo", BUILD / "demo", "1", "4", "--all")
    return text.strip().splitlines()[-1]


def browser() -> str:
    """Chromium opens feedback, formgrader and hostile pages."""
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        raise Skipped("there is no Chromium here (apt install chromium)")
    return pytest_says("test_pages.py")


def long_tests() -> str:
    """All other tests that `make test` leaves out."""
    return pytest_says("-m", "long", "--ignore=test_pages.py", "-n", "auto", "--dist", "loadfile")


def kills() -> str:
    """A grader is killed twenty times and goes on where it was."""
    return pytest_says("test_class.py", "-k", "killed", COURSE_KILLS="20")


def company() -> str:
    """All combinations of cells between which a mark must not change."""
    return pytest_says("test_company.py", "-n", "auto", COURSE_COMPANY="1")


def kit() -> str:
    """A student's kit in an environment of its own: a solved notebook is told that it is right, an open one that it is not done."""
    _needs_the_registry()
    place = BUILD / "kit"
    shutil.rmtree(place, ignore_errors=True)
    run(sys.executable, "-m", "solutions.classroom", "kit", place, CHAPTER)
    python = _environment(place / ".venv", sys.executable)
    run(python, "-m", "pip", "install", "-q", "-c", "constraints.txt", "-e", ".", cwd=place)
    alone = "import course, importlib.util as u, sys; print(course.__file__); sys.exit(u.find_spec('solutions') is not None)"
    if str(place) not in run(python, "-c", alone, cwd=BUILD, PYTHONPATH=""):
        raise Failed("what was imported is not the kit's course")
    notebook = place / "notebooks" / CHAPTER / f"{CHAPTER}.ipynb"
    shutil.copy(notebook, notebook.with_stem("open"))
    solve = (
        "import nbformat, sys; from solutions.classroom.proof.simulated_class import solved;"
        "nbformat.write(solved(nbformat.read(sys.argv[1], 4), sys.argv[2]), sys.argv[1])"
    )
    run(sys.executable, "-c", solve, notebook, CHAPTER)
    code = (
        "import nbformat, sys; from nbclient import NotebookClient; b = nbformat.read(sys.argv[1], 4);"
        "NotebookClient(b, timeout=300, allow_errors=True, kernel_name='python3').execute();"
        "print([str(o.get('text', o.get('evalue'))) for c in b.cells if c.source.startswith('check(') for o in c.outputs])"
    )
    said = [
        run(python, "-c", code, path.name, cwd=notebook.parent, COURSE_FAST="1", PYTHONPATH="")
        for path in (notebook, notebook.with_stem("open"))
    ]
    right, open_ = said[0].count("✔"), said[1].count("Not done yet")
    if not right or right != open_:
        raise Failed(f"of {open_} open exercises, {right} are right when solved:\n{said[0]}\n{said[1]}")
    return f"{right} exercises: not done yet when open, right when solved"


def verdicts() -> Iterator[str]:
    """Every verdict is the same with one thread and with two, and with the processor's plainest arithmetic."""
    ordinary = _verdicts("ordinary", OMP_NUM_THREADS="1")
    wrong = []
    for name, environment in WAYS_TO_COMPUTE.items():
        found = _differing(ordinary, _verdicts(name, **environment))
        yield f"{name}: {len(found)} of {len(ordinary.splitlines())} verdicts differ"
        yield from found[:10]
        wrong += [name] if found else []
    if wrong:
        raise Failed(", ".join(wrong))


WAYS_TO_COMPUTE = {
    "two threads": {"OMP_NUM_THREADS": "2"},
    "without AVX": {"OMP_NUM_THREADS": "1", "ATEN_CPU_CAPABILITY": "default"},
}


def _verdicts(name: str, python: str | Path = sys.executable, **environment: str) -> str:
    """All verdicts, as `classroom prove --verdicts` writes them."""
    path = BUILD / f"verdicts, {name}.txt"
    run(python, "-m", "solutions.classroom", "prove", "--verdicts", path, **environment)
    return path.read_text("utf-8")


def _differing(one: str, other: str) -> list[str]:
    """The verdicts that differ, both of each."""
    sys.path.insert(0, str(ROOT))
    from solutions.classroom.proof.verdicts import differing

    return differing(one, other)


def versions() -> Iterator[str]:
    """Every Python with the pinned libraries, the oldest one with the oldest libraries, the newest one with the newest; all say the same."""
    _needs_the_registry()
    found = {version: python for version in PYTHONS if (python := _python(version))}
    for version in PYTHONS:
        if version not in found:
            yield f"Python {version}: skipped: it is not here"
    pinned = ["-c", "constraints.txt"]
    combinations = [(version, "pinned libraries", pinned) for version in found]
    if found:
        combinations += [(min(found, key=_parts), "oldest libraries", _oldest())]
        combinations += [(max(found, key=_parts), "newest libraries", ["--upgrade"])]
    wrong = []
    ordinary = _verdicts("ordinary", OMP_NUM_THREADS="1")
    for version, name, options in combinations:
        start = time.monotonic()
        said = _with_versions(found[version], options, ordinary)
        yield f"Python {version}, {name}: {said} ({time.monotonic() - start:.0f} s)"
        wrong += [f"Python {version}, {name}"] if said.startswith("FAILED") else []
    if wrong:
        raise Failed(", ".join(wrong))


def _with_versions(python: str, options: Sequence[str], ordinary: str) -> str:
    place = BUILD / "versions"
    shutil.rmtree(place, ignore_errors=True)
    try:
        inside = _environment(place, python)
        run(inside, "-m", "pip", "install", "-q", *options, "-e", ".[dev]", PYTHONPATH="")
        got = run(inside, "-m", "pip", "list", "--format=freeze", PYTHONPATH="")
        said = pytest_says(*QUICK_TESTS, "-n", "auto", python=inside, PYTHONPATH="").splitlines()[0]
        other = _differing(ordinary, _verdicts("of a version", inside, PYTHONPATH="", OMP_NUM_THREADS="1"))
        if other:
            raise Failed("\n".join([f"{len(other)} verdicts differ:", *other[:10]]))
        return " ".join([*re.findall(rf"^(?:{'|'.join(LIBRARIES)})==\S+", got, re.MULTILINE), "·", said])
    except Failed as failure:
        return f"FAILED: {failure}"
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _oldest() -> list[str]:
    """pip's words for the oldest libraries that pyproject.toml allows."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    floors = dict(text.split(">=") for text in wanted if ">=" in text)
    return [f"{name}=={floors[name] if '.' in floors[name] else floors[name] + '.0'}.*" for name in LIBRARIES]


def _parts(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _python(version: str) -> str | None:
    """A Python of this version, by its name or among pyenv's."""
    names = [f"python{version}", *map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))]
    for name in names:
        done = subprocess.run(
            [name, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True, check=False
        ) if shutil.which(name) else None  # fmt: skip
        if done and done.stdout.strip() == version:
            return name
    return None


def _environment(place: Path, python: str) -> Path:
    run(python, "-m", "venv", place)
    return place / "bin" / "python"


def _needs_the_registry() -> None:
    try:
        run(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", BUILD / "reached", "tqdm")
    except Failed:
        raise Skipped("no package registry can be reached") from None


STEPS: dict[str, Callable[[], str | Iterator[str]]] = {
    "demo": whole_demo,
    "browser": browser,
    "long": long_tests,
    "kills": kills,
    "company": company,
    "kit": kit,
    "verdicts": verdicts,
    "versions": versions,
}


def main(names: Sequence[str]) -> int:
    """Take the steps named, or all; 1 when one of them failed."""
    if unknown := [name for name in names if name not in STEPS]:
        print(f"There is no step {unknown[0]!r}: choose from {', '.join(STEPS)}.", file=sys.stderr)
        return 2
    BUILD.mkdir(parents=True, exist_ok=True)
    LOG.write_text("")
    if not shutil.which("bwrap"):
        _say(
            "bubblewrap is not here: strangers' code runs behind lesser walls, and the tests of the best ones are skipped."
        )
    results = {name: _take(name, STEPS[name]) for name in names or STEPS}
    _say("  ".join(f"{name} {result}" for name, result in results.items()) + f"\nThe log: {LOG}")
    return 1 if "FAILED" in results.values() else 0


def _take(name: str, step: Callable[[], str | Iterator[str]]) -> str:
    """passed, skipped or FAILED."""
    _say(f"{name}: {(step.__doc__ or '').strip()} …")
    start = time.monotonic()
    result = "passed"
    try:
        said = step()
        for line in [said] if isinstance(said, str) else said:
            _say(_indented(line))
    except Skipped as reason:
        result = "skipped"
        _say(_indented(str(reason)))
    except Failed as failure:
        result = "FAILED"
        _say(_indented(str(failure)))
    _say(f"{name}: {result}, {time.monotonic() - start:.0f} s\n")
    return result


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def _say(text: str) -> None:
    print(text, flush=True)
    with LOG.open("a", encoding="utf-8") as log:
        print(text, file=log)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
