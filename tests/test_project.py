"""The project's own files agree with each other."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pins}


def _requirements() -> list[Requirement]:
    extras = PROJECT["project"]["optional-dependencies"]
    texts = PROJECT["project"]["dependencies"] + [text for extra in extras.values() for text in extra]
    found = [Requirement(text) for text in texts]
    return [r for r in found if r.name != PROJECT["project"]["name"]]


def test_every_dependency_is_pinned_inside_its_range() -> None:
    pins = _pins()
    for requirement in _requirements():
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        assert name in pins, f"{name} is missing in constraints.txt"
        assert requirement.specifier.contains(Version(pins[name])), (
            f"{name} {pins[name]} is outside {requirement.specifier}"
        )


def test_conda_installs_the_same_package_with_the_same_versions() -> None:
    text = (ROOT / "environment.yml").read_text()
    assert f"name: {PROJECT['project']['name']}" in text
    assert "- -c constraints.txt" in text
    assert "- -e .[dev]" in text
    assert f"python{PROJECT['project']['requires-python']}" in text


CPU_BUILDS = "--index-url https://download.pytorch.org/whl/cpu"
"""Where PyTorch's builds without CUDA are; no registry has them."""


def test_no_file_names_a_registry_or_a_private_path() -> None:
    import subprocess

    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    files = [ROOT / name for name in tracked] or list(ROOT.glob("*.toml"))
    private = re.compile(r"/work/(main|shared)|/root/\.|index-url|files\.pythonhosted")
    for path in files:
        if (
            path.suffix in (".py", ".md", ".toml", ".txt", ".yml", "")
            and path.is_file()
            and path != Path(__file__)
        ):
            text = path.read_text(encoding="utf-8", errors="ignore")
            found = private.search(text.replace(CPU_BUILDS, ""))
            assert found is None, f"{path.relative_to(ROOT)}: {found.group()}"


def test_generated_files_are_not_in_git() -> None:
    import subprocess

    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    assert [name for name in tracked if name.endswith((".ipynb", ".answers", ".db"))] == []
