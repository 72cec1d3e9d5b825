"""What may import what: docs/architecture.md draws it, this holds it. Imports inside functions count like all others."""

import ast
import html
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CLASSROOM = "solutions.classroom"
FLOORS = (
    ("access", "plain_text", "faults", "folder", "gradebook", "roster"),
    ("assignment",),
    ("release",),
    ("submission",),
    ("grading",),
    ("feedback",),
    ("lecture",),
    ("site",),
    ("proof",),
    ("opening", "nbgrader_parts", "__main__"),
)
"""The rooms of `solutions.classroom`, from the lowest floor up: each may use its own floor and those below."""


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_name(path): path for top in ("course", "solutions") for path in (ROOT / top).rglob("*.py")}


def _imported(module: str) -> set[str]:
    """The modules of this project that a module imports, wherever in its text the import stands."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}, line {node.lineno}: imports are absolute here"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            while name and name not in MODULES:
                name = name.rpartition(".")[0]
            found |= {name} - {"", module}
    return found


ARROWS = {module: _imported(module) for module in MODULES}
ALL = [(module, other) for module, others in sorted(ARROWS.items()) for other in sorted(others)]


def _within(module: str, *rooms: str) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


def _floor(module: str) -> int | None:
    """On which floor of the classroom a module lives; None for the package itself and for whoever lives elsewhere."""
    if not module.startswith(f"{CLASSROOM}."):
        return None
    room = module.removeprefix(f"{CLASSROOM}.").partition(".")[0]
    for floor, rooms in enumerate(FLOORS):
        if room in rooms:
            return floor
    raise AssertionError(f"{module} has no floor: say in FLOORS and in docs/architecture.md where it belongs")


def _listed(wrong: list[tuple[str, str]]) -> str:
    return "\n".join(f"{module} imports {other}" for module, other in wrong)


def test_what_students_hold_never_imports_what_only_instructors_hold() -> None:
    wrong = [
        (module, other)
        for module, other in ALL
        if _within(module, "course")
        and _within(other, "solutions")
        and not _within(module, "course.chapters")
    ]
    assert not wrong, _listed(wrong)


def test_only_the_sandbox_s_own_side_and_the_room_that_starts_it_import_it() -> None:
    wrong = [
        (module, other)
        for module, other in ALL
        if _within(other, "course.sandbox")
        and not _within(module, "course.sandbox", f"{CLASSROOM}.submission")
    ]
    assert not wrong, _listed(wrong)


def test_the_reference_knows_neither_its_misconceptions_nor_the_classroom() -> None:
    wrong = [
        (module, other)
        for module, other in ALL
        if _within(module, "solutions")
        and not _within(module, "solutions.misconceptions", CLASSROOM)
        and _within(other, "solutions.misconceptions", CLASSROOM)
    ]
    wrong += [
        (module, other)
        for module, other in ALL
        if _within(module, "solutions.misconceptions") and _within(other, CLASSROOM)
    ]
    assert not wrong, _listed(wrong)


def test_chapters_are_read_as_text_and_imported_by_nobody() -> None:
    wrong = [(module, other) for module, other in ALL if _within(other, "course.chapters")]
    assert not wrong, _listed(wrong)


def test_inside_the_classroom_arrows_run_one_way() -> None:
    wrong = [arrow for arrow in ALL if _climbs(*arrow)]
    assert not wrong, f"{_listed(wrong)}\nSee docs/architecture.md."


def _climbs(module: str, other: str) -> bool:
    above, below = _floor(module), _floor(other)
    return above is not None and below is not None and below > above


def test_no_imports_run_in_a_circle() -> None:
    try:
        TopologicalSorter(ARROWS).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(reversed(error.args[1])))


def test_what_the_architecture_page_names_is_there() -> None:
    page = ROOT / "docs" / "architecture.md"
    named = {
        str((page.parent / target).resolve().relative_to(ROOT))
        for target in re.findall(r"\]\((?!http)([^)]+)\)", page.read_text("utf-8"))
    }
    assert len(named) > 20
    missing = {target for target in named if not (ROOT / target).exists()}
    assert not missing


def test_the_picture_is_drawn_from_its_source() -> None:
    source, drawn = ((ROOT / "docs" / f"architecture.{kind}").read_text("utf-8") for kind in ("dot", "svg"))
    lines = [line for label in re.findall(r'label="([^"]+)"', source) for line in label.split("\\n")]
    shown = " ".join(html.unescape(text).strip() for text in re.findall(r"<text[^>]*>([^<]*)</text>", drawn))
    assert [line for line in lines if line.strip() not in shown] == [], "make docs/architecture.svg"
