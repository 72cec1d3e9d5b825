"""Every promise of SECURITY.md is held by a test that names it, and no test names one that is not made there.

A test names promises by `@pytest.mark.promise("P1", …)`; a module by `pytestmark`. An attack does in its PROMISE.
"""

import ast
import re
from collections import defaultdict
from pathlib import Path

TESTS = Path(__file__).parent
MADE = re.findall(r"^\*\*(P\d+)\.", (TESTS.parent / "SECURITY.md").read_text("utf-8"), re.MULTILINE)


def _named() -> dict[str, list[str]]:
    """promise → the files in which a test names it."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(TESTS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            marked = isinstance(node, ast.Call) and ast.unparse(node.func).endswith("mark.promise")
            said = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PROMISE"
            words = node.args if marked else [node.value] if said else []  # type: ignore[union-attr, attr-defined]
            for word in words:
                assert isinstance(word, ast.Constant), f"{path.name}: a promise is named by its number"
                found[str(word.value)].append(path.name)
    return found


def test_promises_are_numbered_from_one_without_gaps() -> None:
    assert len(MADE) >= 10
    assert [f"P{number}" for number in range(1, len(MADE) + 1)] == MADE


def test_every_promise_is_held_by_a_test_and_every_test_s_promise_is_made() -> None:
    named = _named()
    assert not set(MADE) - set(named), "promised, and no test names it"
    assert not set(named) - set(MADE), "named by a test, and not promised"
