"""nbgrader's formgrader on a class folder; it needs no network."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from solutions.classroom.folder import ClassFolder
from solutions.classroom.release.publish import environment


def formgrader(folder: ClassFolder, port: int = 8888, browser: bool = True) -> int:
    """Run a Jupyter server in the class folder until it is stopped; its Formgrader is where answers in words are graded."""
    return run_lab(folder.root, "/formgrader", port, browser, environment())


def run_lab(root: Path, page: str, port: int, browser: bool, environment: Mapping[str, str]) -> int:
    """Run JupyterLab on a folder, opened at one of its pages, until it is stopped; returns its exit code."""
    command = [sys.executable, "-m", "jupyter", "lab", f"--port={port}"]
    command += [f"--ServerApp.root_dir={root}", f"--LabApp.default_url={page}"]
    command += [] if browser else ["--no-browser"]
    command += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return subprocess.run(command, cwd=root, env=environment, check=False).returncode
