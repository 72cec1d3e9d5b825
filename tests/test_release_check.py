"""The long check goes on after a failure, says what it skips, and ends as its worst step did."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parent / "release" / "check.py"


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with steps of our own and a log in a folder of our own."""
    specification = importlib.util.spec_from_file_location("release_check", SCRIPT)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    monkeypatch.setattr(module, "BUILD", tmp_path / "work")
    monkeypatch.setattr(module, "LOG", tmp_path / "log")

    def breaks() -> str:
        """It breaks."""
        return module.run(sys.executable, "-c", "print('what went wrong'); raise SystemExit(3)")

    def lacks() -> str:
        """It cannot be done."""
        raise module.Skipped("there is no moon here")

    def several() -> Iterator[str]:
        """It holds, twice."""
        yield "the first"
        yield module.run(sys.executable, "-c", "print('the second')").strip()

    monkeypatch.setattr(module, "STEPS", {"breaks": breaks, "lacks": lacks, "several": several})
    return module


def test_a_failure_ends_only_its_own_step(check: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main([]) == 1
    said = capsys.readouterr().out
    for words in (
        "breaks: FAILED",
        "exit code 3",
        "what went wrong",
        "lacks: skipped",
        "there is no moon here",
    ):
        assert words in said
    assert said.index("breaks: FAILED") < said.index("the first") < said.index("the second")
    assert "breaks FAILED  lacks skipped  several passed" in said
    assert "the second" in check.LOG.read_text()


def test_what_is_skipped_is_no_failure_and_a_step_can_be_named(
    check: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check.main(["lacks", "several"]) == 0
    assert check.main(["sevral"]) == 2
    assert "choose from breaks, lacks, several" in capsys.readouterr().err


def test_the_oldest_libraries_are_those_that_the_project_allows(check: ModuleType) -> None:
    assert all(text.endswith(".*") and "==" in text for text in check._oldest())
    assert [text.partition("==")[0] for text in check._oldest()] == list(check.LIBRARIES)
