"""Verdicts as text, which must be the same whatever the machine, the versions and the number of threads."""

import os
import subprocess
import sys
from pathlib import Path

from course.exercises import find
from solutions.classroom.__main__ import main
from solutions.classroom.proof import verdicts
from solutions.classroom.proof.verdicts import differing


def test_every_function_has_a_line_for_the_public_and_for_each_secret_seed(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(verdicts, "SECRET_SEEDS", range(1001, 1003))
    chapter, exercise = find("soft_attention")
    lines = list(verdicts.verdicts(chapter, exercise, range(1001, 1003)))
    assert "soft_attention 1,2 soft_attention: right 3" in lines or any(
        line.startswith("soft_attention 1,2 soft_attention: right") for line in lines
    )
    wrong = verdicts.misconceptions_of(chapter)["soft_attention"]
    right = verdicts.alternatives_of(chapter)["soft_attention"]
    assert len(lines) == 3 * (1 + len(wrong) + len(right))
    assert any(f"{wrong[0].__name__}: misconception {wrong[0].__name__} 0" in line for line in lines)


def test_the_same_command_gives_the_same_text(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("one", "other")]
    for path in paths:
        assert main(["prove", "causal_mask", "--verdicts", str(path)]) == 0
    one, other = (path.read_text("utf-8") for path in paths)
    assert one == other != ""
    assert differing(one, other) == []


def test_what_differs_is_named_with_both_verdicts() -> None:
    one = "f 1,2 f: right 3\nf 1,2 g: misconception g 0\n"
    other = "f 1,2 f: right 3\nf 1,2 g: different 0\nf 1001 g: raised 0\n"
    assert differing(one, other) == [
        "f 1,2 g: misconception g 0 / different 0",
        "f 1001 g: nothing / raised 0",
    ]


SOME = ("z_box_rule",)
"""It adds up and divides, and was decided by rounding once. The release check compares all, and two threads too."""


def test_some_verdicts_are_the_same_without_avx(tmp_path: Path) -> None:
    texts = []
    for name, ways in {"ordinary": {}, "without AVX": {"ATEN_CPU_CAPABILITY": "default"}}.items():
        path = tmp_path / name
        command = [sys.executable, "-m", "solutions.classroom", "prove", *SOME, "--verdicts", path]
        subprocess.run(command, env=os.environ | ways, check=True)
        texts.append(path.read_text("utf-8"))
    assert texts[0].count("\n") > 50
    assert differing(*texts) == []
